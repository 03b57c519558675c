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
    if (isRows(init)) {
      slot.buffer =
          allocate({rowCount(init), width}, typeOf(init).getElementType());
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
    Value target = isCarried ? allocate({rowCount(value), width},
                                        typeOf(value).getElementType())
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

LogicalResult KernelLowering::lowerForRuns(tile::ForRunsOp op) {
  auto runs = op.getDomain().getDefiningOp<tile::RunsOp>();
  auto listed = op.getDomain().getDefiningOp<tile::DomainOp>();
  if (!runs && !listed)
    return op.emitError() << "a domain that is not made in the same kernel has "
                             "no lowering to vectors yet";
  SmallVector<Carried> slots;
  if (failed(beginLoop(op.getInits(), slots)))
    return failure();
  auto emitRun = [&](Region &region, Value start, Value length,
                     ValueRange values,
                     SmallVectorImpl<Value> &next) -> LogicalResult {
    Block &body = region.front();
    scalars[body.getArgument(0)] = start;
    scalars[body.getArgument(1)] = length;
    return lowerLoopBody(body, 2, slots, values, next);
  };
  /// A loop or a branch: `emit` fills the block at the insertion point.
  using Emit =
      llvm::function_ref<LogicalResult(ValueRange, SmallVectorImpl<Value> &)>;
  auto emitBlock = [&](Block *block, ValueRange values, Emit emit) {
    OpBuilder::InsertionGuard guard(builder);
    block->clear();
    builder.setInsertionPointToStart(block);
    SmallVector<Value> next;
    if (failed(emit(values, next)))
      return failure();
    scf::YieldOp::create(builder, location, next);
    return success();
  };
  auto keep = [](ValueRange values,
                 SmallVectorImpl<Value> &next) -> LogicalResult {
    llvm::append_range(next, values);
    return success();
  };
  auto emitIf = [&](Value condition, ValueRange values, Emit yes, Emit no,
                    SmallVectorImpl<Value> &next) -> LogicalResult {
    auto branch =
        scf::IfOp::create(builder, location, values.getTypes(), condition,
                          /*addThenBlock=*/true, /*addElseBlock=*/true);
    if (failed(emitBlock(branch.thenBlock(), values, yes)) ||
        failed(emitBlock(branch.elseBlock(), values, no)))
      return failure();
    llvm::append_range(next, branch.getResults());
    return success();
  };
  auto emitLoop = [&](Value from, Value to, Value by, ValueRange values,
                      llvm::function_ref<LogicalResult(
                          Value, ValueRange, SmallVectorImpl<Value> &)>
                          emit,
                      SmallVectorImpl<Value> &next) -> LogicalResult {
    auto loop = scf::ForOp::create(builder, location, from, to, by, values);
    if (failed(emitBlock(loop.getBody(), loop.getRegionIterArgs(),
                         [&](ValueRange inside, SmallVectorImpl<Value> &out) {
                           return emit(loop.getInductionVar(), inside, out);
                         })))
      return failure();
    llvm::append_range(next, loop.getResults());
    return success();
  };

  SmallVector<Value> values = getRegisters(slots), done;
  if (runs) {
    // Whole runs, then what is left.
    Value extent = scalars.at(runs.getExtent());
    auto step = static_cast<int64_t>(runs.getStep());
    Value tail = arith::RemUIOp::create(builder, location, extent, index(step));
    Value end = arith::SubIOp::create(builder, location, extent, tail);
    SmallVector<Value> between;
    if (failed(emitLoop(
            index(0), end, index(step), values,
            [&](Value start, ValueRange inside, SmallVectorImpl<Value> &next) {
              return emitRun(op.getFull(), start, index(step), inside, next);
            },
            between)))
      return failure();
    Value hasTail = arith::CmpIOp::create(
        builder, location, arith::CmpIPredicate::ne, tail, index(0));
    if (failed(emitIf(
            hasTail, between,
            [&](ValueRange inside, SmallVectorImpl<Value> &next) {
              return emitRun(op.getPartial(), end, tail, inside, next);
            },
            keep, done)))
      return failure();
  } else {
    ScalarBuilder emit{builder, location};
    const Domain &domain = domains.at(op.getDomain());
    const RunTable &table = tables.at(listed.getTable());
    auto steps = [&](Region &region, Value first, Value count,
                     ValueRange inside,
                     SmallVectorImpl<Value> &next) -> LogicalResult {
      Value step = table.columnStep;
      Value from = emit.multiply(first, step);
      Value to = emit.minimum(emit.add(from, emit.multiply(count, step)),
                              table.columns);
      return emitLoop(
          from, to, step, inside,
          [&](Value start, ValueRange carried, SmallVectorImpl<Value> &out) {
            Value length =
                emit.minimum(step, emit.subtract(table.columns, start));
            return emitRun(region, start, length, carried, out);
          },
          next);
    };
    if (failed(emitLoop(
            domain.first, domain.end, index(1), values,
            [&](Value place, ValueRange inside,
                SmallVectorImpl<Value> &next) -> LogicalResult {
              Value word = emit.load(domain.runs, place);
              Value first = emit.toIndex(emit.op<arith::ShRUIOp>(
                  word, emit.i64(support::kRunStartBit)));
              int64_t bits = support::kRunStartBit - support::kRunCountBit;
              Value count = emit.toIndex(
                  emit.both(emit.op<arith::ShRUIOp>(
                                word, emit.i64(support::kRunCountBit)),
                            emit.i64((int64_t(1) << bits) - 1)));
              Value isFull =
                  emit.equal(emit.both(word, emit.i64(1)), emit.i64(1));
              return emitIf(
                  isFull, inside,
                  [&](ValueRange v, SmallVectorImpl<Value> &n) {
                    return steps(op.getFull(), first, count, v, n);
                  },
                  [&](ValueRange v, SmallVectorImpl<Value> &n) {
                    return steps(op.getPartial(), first, count, v, n);
                  },
                  next);
            },
            done)))
      return failure();
  }
  bindCarried(op.getResults(), slots, done);
  return success();
}

} // namespace rapt::conversion
