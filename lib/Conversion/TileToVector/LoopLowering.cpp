// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Loops that carry tiles, and which runs of keys they visit.

#include "lib/Conversion/TileToVector/KernelLowering.h"
#include "lib/Support/WorkspaceHead.h"

using namespace mlir;

namespace rapt::conversion {

/// Splits carried values into those in registers and those in memory, which
/// start as copies of `inits`. `slots` has one entry for each init.
LogicalResult KernelLowering::beginLoop(ValueRange inits,
                                        SmallVectorImpl<Carried> &slots) {
  for (Value init : inits) {
    Carried slot;
    if (isRows(init) || isScalars(init)) {
      slot.buffer = allocate(memoryShape(init), typeOf(init).getElementType());
      if (failed(fillRows(init, slot.buffer, 0)))
        return failure();
    } else if (isUniform(init)) {
      return emitError(location) << "a carried tile without lanes has no "
                                    "lowering to vectors yet";
    } else if (isa<tile::DomainType>(init.getType())) {
      return emitError(location)
             << "a carried domain has no lowering to vectors yet";
    } else {
      slot.value = scalars.at(init);
    }
    slots.push_back(slot);
  }
  return success();
}

void KernelLowering::bindCarried(ValueRange tiles, ArrayRef<Carried> slots,
                                 ValueRange values) {
  unsigned next = 0;
  for (auto [tile, slot] : llvm::zip_equal(tiles, slots)) {
    if (slot.buffer)
      buffers[tile] = slot.buffer;
    else
      scalars[tile] = values[next++];
  }
}

/// Lowers a body whose carried values start as `values`; gives the next ones.
LogicalResult KernelLowering::lowerLoopBody(Block &body, unsigned first,
                                            ArrayRef<Carried> slots,
                                            ValueRange values,
                                            SmallVectorImpl<Value> &next) {
  bindCarried(body.getArguments().drop_front(first), slots, values);
  size_t before = allocated.size();
  if (failed(lowerBlock(body)))
    return failure();
  auto yield = cast<tile::YieldOp>(body.back());
  // A tile that another slot carries is moved out of the way first.
  SmallVector<std::pair<Value, Value>> copies;
  for (auto [value, slot] : llvm::zip_equal(yield.getValues(), slots)) {
    if (!slot.buffer) {
      next.push_back(scalars.at(value));
      continue;
    }
    auto found = buffers.find(value);
    if (found != buffers.end() && found->second == slot.buffer)
      continue;
    bool isCarried = found != buffers.end() &&
                     llvm::any_of(slots, [&](const Carried &other) {
                       return other.buffer == found->second;
                     });
    Value target =
        isCarried ? allocate(memoryShape(value), typeOf(value).getElementType())
                  : slot.buffer;
    if (failed(fillRows(value, target, 0)))
      return failure();
    if (isCarried)
      copies.push_back({target, slot.buffer});
  }
  for (auto [from, to] : copies)
    memref::CopyOp::create(builder, location, from, to);
  // What the body allocated is free for what comes after it.
  while (allocated.size() > before) {
    Value buffer = allocated.pop_back_val();
    freeBuffers[buffer.getType()].push_back(buffer);
  }
  return success();
}

static SmallVector<Value>
getRegisters(ArrayRef<KernelLowering::Carried> slots) {
  SmallVector<Value> values;
  for (const KernelLowering::Carried &slot : slots)
    if (!slot.buffer)
      values.push_back(slot.value);
  return values;
}

LogicalResult KernelLowering::lowerFor(tile::ForOp op) {
  SmallVector<Carried> slots;
  if (failed(beginLoop(op.getInits(), slots)))
    return failure();
  auto loop = scf::ForOp::create(builder, location, scalars.at(op.getLower()),
                                 scalars.at(op.getUpper()),
                                 scalars.at(op.getStep()), getRegisters(slots));
  {
    OpBuilder::InsertionGuard guard(builder);
    loop.getBody()->clear();
    builder.setInsertionPointToStart(loop.getBody());
    Block &body = op.getBody().front();
    scalars[body.getArgument(0)] = loop.getInductionVar();
    SmallVector<Value> next;
    if (failed(lowerLoopBody(body, 1, slots, loop.getRegionIterArgs(), next)))
      return failure();
    scf::YieldOp::create(builder, location, next);
  }
  bindCarried(op.getResults(), slots, loop.getResults());
  return success();
}

LogicalResult KernelLowering::lowerDomain(tile::DomainOp op) {
  ScalarBuilder emit{builder, location};
  const RunTable &table = tables.at(op.getTable());
  Value place =
      table.getPlace(emit, scalars.at(op.getBatch()), scalars.at(op.getHead()),
                     scalars.at(op.getBlock()));
  auto offset = [&](Value at) {
    return emit.toIndex(emit.load(table.offsets, at));
  };
  domains[op] = {offset(place), offset(emit.add(place, emit.index(1))),
                 table.runs};
  return success();
}

/// Whether the full steps of a loop can take keys from several places of a run
/// at once: all that depends on where a step begins are positions and rows that
/// products read where they lie.
bool KernelLowering::canSpread(tile::ForRunsOp op) {
  Block &body = op.getFull().front();
  if (!op.getUnordered() || !kernel.getPlan()->getColumns() ||
      op.getFullStep() % kPlaces != 0 || !body.getArgument(1).use_empty())
    return false;
  bool isRead = false;
  for (OpOperand &use : body.getArgument(0).getUses()) {
    if (auto load = dyn_cast<tile::LoadOp>(use.getOwner())) {
      // The view comes first, the row next.
      if (use.getOperandNumber() != 1 || !isStream(load.getResult()))
        return false;
      isRead = true;
    } else if (!isa<tile::PositionsOp>(use.getOwner()) ||
               !isVector(use.getOwner()->getResult(0))) {
      return false;
    }
  }
  return isRead;
}

LogicalResult KernelLowering::lowerForRuns(tile::ForRunsOp op) {
  Value source = op.getDomain();
  std::optional<KeyRange> range;
  if (auto within = source.getDefiningOp<tile::WithinOp>()) {
    range = ranges.at(within);
    source = within.getDomain();
  }
  auto runs = source.getDefiningOp<tile::RunsOp>();
  auto listed = source.getDefiningOp<tile::DomainOp>();
  if (!runs && !listed)
    return op.emitError() << "a domain that is not made in the same kernel has "
                             "no lowering to vectors yet";
  SmallVector<Carried> slots;
  if (failed(beginLoop(op.getInits(), slots)))
    return failure();
  using Registers = ScalarBuilder::Values;
  ScalarBuilder emit{builder, location};
  LogicalResult result = success();
  /// The body on the keys `from` to `to`, `step` at a time.
  auto emitBody = [&](Region &region, Value from, Value to, Value step,
                      ValueRange carried) -> Registers {
    return emit.loop(from, to, step, carried,
                     [&](Value start, ValueRange inside) -> Registers {
                       Block &body = region.front();
                       scalars[body.getArgument(0)] = start;
                       scalars[body.getArgument(1)] =
                           emit.minimum(step, emit.subtract(to, start));
                       Registers next;
                       if (succeeded(result))
                         result = lowerLoopBody(body, 2, slots, inside, next);
                       return succeeded(result) ? next : Registers(inside);
                     });
  };
  /// A run: what `full` takes of it, and then the rest.
  Value fullStep = index(static_cast<int64_t>(op.getFullStep()));
  Value partialStep = index(static_cast<int64_t>(op.getPartialStep()));
  bool isSpread = canSpread(op);
  auto emitRun = [&](Value from, Value to, Value isFull,
                     ValueRange carried) -> Registers {
    Value whole = emit.subtract(to, from);
    whole = emit.subtract(whole, emit.op<arith::RemUIOp>(whole, fullStep));
    Value middle = isFull ? emit.add(from, emit.select(isFull, whole, index(0)))
                          : emit.add(from, whole);
    Registers inside;
    if (isSpread) {
      Value places = index(kPlaces);
      spread.start = op.getFull().front().getArgument(0);
      spread.distance =
          emit.op<arith::DivUIOp>(emit.subtract(middle, from), places);
      Value end = emit.add(from, spread.distance);
      Value step = index(static_cast<int64_t>(op.getFullStep()) / kPlaces);
      inside = emitBody(op.getFull(), from, end, step, carried);
      spread = {};
    } else {
      inside = emitBody(op.getFull(), from, middle, fullStep, carried);
    }
    return emitBody(op.getPartial(), middle, to, partialStep, inside);
  };

  Registers values = getRegisters(slots), done;
  if (runs) {
    Value from = range ? range->first : index(0);
    Value to = scalars.at(runs.getExtent());
    if (range)
      to = emit.maximum(emit.minimum(to, range->end), from);
    done = emitRun(from, to, nullptr, values);
  } else {
    const Domain &domain = domains.at(source);
    const RunTable &table = tables.at(listed.getTable());
    // How many keys the runs so far have, if only a part is visited.
    if (range)
      values.push_back(index(0));
    done = emit.loop(
        domain.first, domain.end, index(1), values,
        [&](Value place, ValueRange inside) -> Registers {
          Value word = emit.load(domain.runs, place);
          Value first = emit.toIndex(
              emit.op<arith::ShRUIOp>(word, emit.i64(support::kRunStartBit)));
          Value count = emit.toIndex(emit.both(
              emit.op<arith::ShRUIOp>(word, emit.i64(support::kRunCountBit)),
              emit.i64(support::kRunCountMask)));
          Value isFull = emit.equal(emit.both(word, emit.i64(1)), emit.i64(1));
          Value from = emit.multiply(first, table.columnStep);
          Value length = emit.multiply(count, table.columnStep);
          Value to = emit.minimum(emit.add(from, length), table.columns);
          if (!range)
            return emitRun(from, to, isFull, inside);
          Value passed = inside.back();
          Value next = emit.add(passed, emit.subtract(to, from));
          Value start =
              emit.add(from, emit.maximum(emit.subtract(range->first, passed),
                                          index(0)));
          to = emit.minimum(to,
                            emit.add(from, emit.subtract(range->end, passed)));
          Registers carried = emitRun(start, emit.maximum(to, start), isFull,
                                      inside.drop_back());
          carried.push_back(next);
          return carried;
        });
    if (range)
      done.pop_back();
  }
  if (failed(result))
    return failure();
  bindCarried(op.getResults(), slots, done);
  return success();
}

} // namespace rapt::conversion
