// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Blocks of a kernel: which operations share a loop over rows, and where their
// results are kept.

#include "lib/Conversion/TileToVector/KernelLowering.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace rapt::conversion {

KernelLowering::KernelLowering(OpBuilder &builder, tile::KernelOp kernel,
                               LaneAnalysis lanes, const VectorTarget &machine,
                               Block *entry)
    : builder(builder), kernel(kernel), lanes(std::move(lanes)),
      width(this->lanes.getRows()), machine(machine), lanes32(machine.lanes32),
      entry(entry), location(kernel.getLoc()) {}

LogicalResult KernelLowering::lower() {
  return lowerBlock(kernel.getBody().front());
}

//===----------------------------------------------------------------------===//
// Shapes and small values
//===----------------------------------------------------------------------===//

bool KernelLowering::isVector(Value tile) const {
  return isa<tile::TileType>(tile.getType()) && typeOf(tile).getRank() == 1 &&
         lanes.getLaneDim(tile);
}

bool KernelLowering::isRows(Value tile) const {
  return isa<tile::TileType>(tile.getType()) && typeOf(tile).getRank() == 2 &&
         lanes.getLaneDim(tile);
}

bool KernelLowering::isScalars(Value tile) const {
  return lanes.isColumns() && isa<tile::TileType>(tile.getType()) &&
         typeOf(tile).getRank() == 1 && !lanes.getLaneDim(tile);
}

bool KernelLowering::isUniform(Value tile) const {
  return isa<tile::TileType>(tile.getType()) && !lanes.getLaneDim(tile);
}

int64_t KernelLowering::rowCount(Value tile) const {
  if (isScalars(tile))
    return typeOf(tile).getShape()[0];
  return typeOf(tile).getShape()[1 - *lanes.getLaneDim(tile)];
}

/// Columns are padded: LLVM splits vectors of other lengths badly.
int64_t KernelLowering::lanesOf(Value tile) const {
  int64_t extent = typeOf(tile).getShape()[*lanes.getLaneDim(tile)];
  if (!lanes.isColumns())
    return extent;
  return std::max(lanes32, static_cast<int64_t>(llvm::PowerOf2Ceil(extent)));
}

/// Of rows, or of scalars.
SmallVector<int64_t, 2> KernelLowering::memoryShape(Value tile) const {
  if (isScalars(tile))
    return {rowCount(tile)};
  return {rowCount(tile), lanesOf(tile)};
}

void KernelLowering::setWidth(Value tile) {
  if (isa<tile::TileType>(tile.getType()) && lanes.getLaneDim(tile))
    width = lanesOf(tile);
}

VectorType KernelLowering::vectorOf(Type element) const {
  return VectorType::get({width}, element);
}

/// Booleans are bytes in memory.
Type KernelLowering::memoryType(Type element) const {
  return element.isInteger(1) ? IntegerType::get(element.getContext(), 8)
                              : element;
}

Value KernelLowering::index(int64_t value) {
  return arith::ConstantIndexOp::create(builder, location, value);
}

Value KernelLowering::add(Value base, int64_t offset) {
  if (offset == 0)
    return base;
  return builder.createOrFold<arith::AddIOp>(location, base, index(offset));
}

Value KernelLowering::indexOf(const Row &row) {
  return add(row.base, row.offset);
}

Value KernelLowering::zero(Type type) {
  return arith::ConstantOp::create(builder, location,
                                   builder.getZeroAttr(type));
}

Value KernelLowering::broadcast(Value scalar) {
  if (isa<VectorType>(scalar.getType()))
    return scalar;
  return vector::BroadcastOp::create(builder, location,
                                     vectorOf(scalar.getType()), scalar);
}

void KernelLowering::unifyShapes(SmallVectorImpl<Value> &values) {
  if (llvm::any_of(
          values, [](Value value) { return isa<VectorType>(value.getType()); }))
    for (Value &value : values)
      value = broadcast(value);
}

/// Memory on the stack of the whole function: an allocation inside a loop
/// would grow it with every step.
Value KernelLowering::allocate(ArrayRef<int64_t> shape, Type element) {
  auto type = MemRefType::get(shape, memoryType(element));
  auto &free = freeBuffers[type];
  Value buffer;
  if (!free.empty()) {
    buffer = free.pop_back_val();
  } else {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(entry);
    buffer = memref::AllocaOp::create(builder, location, type,
                                      builder.getI64IntegerAttr(64));
  }
  allocated.push_back(buffer);
  return buffer;
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

LogicalResult KernelLowering::lowerBlock(Block &block) {
  for (Operation &op : block) {
    if (isa<tile::YieldOp, tile::ReturnOp>(op))
      continue;
    location = op.getLoc();
    if (failed(lowerOperation(&op)))
      return failure();
  }
  return flush();
}

/// Whether `op` needs a result of the open group as a whole.
bool KernelLowering::needsFlush(Operation *op) const {
  bool needs = false;
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (Operation *def = operand.getDefiningOp())
        needs |= group.contains(def);
  });
  return needs;
}

LogicalResult KernelLowering::lowerOperation(Operation *op) {
  auto notLowered = [&](const llvm::Twine &what) {
    return op->emitError() << what << " has no lowering to vectors yet";
  };
  // What stands in a loop over rows of its own, or of the open group.
  if (auto map = dyn_cast<tile::MapOp>(op);
      map && (isRows(map.getResult(0)) || isScalars(map.getResult(0))))
    return addToGroup(op, rowCount(map.getResult(0)));
  if (auto mma = dyn_cast<tile::MmaOp>(op)) {
    if (lanes.isColumns()) {
      if (failed(flush()) || failed(lowerColumnProduct(mma)))
        return failure();
      lowered.insert(op);
      return success();
    }
    if (!isRows(mma.getResult()))
      return notLowered("a product without a dimension along the lanes");
    return addToGroup(op, rowCount(mma.getResult()));
  }
  if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
    bool isAcross =
        isRows(reduce.getSource()) &&
        lanes.getLaneDim(reduce.getSource()) == reduce.getDimension();
    bool isLowered =
        lanes.isColumns()
            ? isAcross && reduce.getKind() != tile::Combiner::Argmax
            : isRows(reduce.getSource()) && !isAcross;
    if (!isLowered)
      return notLowered(isAcross ? "a reduction across lanes"
                                 : "a reduction of this tile");
    return addToGroup(op, rowCount(reduce.getSource()));
  }

  if (needsFlush(op) && failed(flush()))
    return failure();
  for (Value result : op->getResults())
    setWidth(result);
  LogicalResult result =
      llvm::TypeSwitch<Operation *, LogicalResult>(op)
          .Case([&](tile::MapOp op) {
            return isVector(op.getResult(0)) ? lowerVectorMap(op) : success();
          })
          .Case([&](tile::SplatOp op) {
            if (isVector(op.getResult()))
              scalars[op] = broadcast(scalars.at(op.getValue()));
            return success();
          })
          .Case([&](tile::PositionsOp op) {
            if (isVector(op.getResult()))
              scalars[op] = lanePositions(op);
            return success();
          })
          .Case([&](tile::ConstantOp op) -> LogicalResult {
            if (lanes.getLaneDim(op.getResult()))
              return notLowered("a constant along the lanes");
            buffers[op] = createGlobal(op);
            return success();
          })
          .Case([&](tile::ConcatOp op) { return lowerConcat(op); })
          .Case<tile::SliceOp, tile::TransposeOp>(
              [&](auto op) -> LogicalResult {
                bool isAlongLanes = false;
                if constexpr (std::is_same_v<decltype(op), tile::SliceOp>)
                  isAlongLanes =
                      lanes.getLaneDim(op.getSource()) == op.getDimension();
                if (isAlongLanes || isVector(op->getResult(0)))
                  return notLowered("a part of the lanes");
                return success();
              })
          .Case([&](tile::SkewOp op) -> LogicalResult {
            if (lanes.getLaneDim(op.getResult()) != 0)
              return notLowered("diagonals across the lanes");
            return ensureRows(op.getSource());
          })
          .Case<tile::PackOp>([&](auto op) {
            if (isVector(op.getResult()))
              scalars[op] = scalars.lookup(op.getSource());
            return success();
          })
          .Case<tile::RunsOp>([&](auto) { return success(); })
          .Case([&](tile::DomainOp op) { return lowerDomain(op); })
          .Case([&](tile::LoadOp op) { return lowerLoad(op); })
          .Case([&](tile::StoreOp op) { return lowerStore(op); })
          .Case([&](tile::WindowOp op) { return lowerWindow(op); })
          .Case([&](tile::PrefetchOp op) {
            lowerPrefetch(op);
            return success();
          })
          .Case([&](tile::ListRowsOp op) {
            lowerListRows(op);
            return success();
          })
          .Case([&](tile::GroupRowsOp op) {
            lowerGroupRows(op);
            return success();
          })
          .Case([&](tile::WithinOp op) {
            ranges[op] = {scalars.at(op.getFirst()), scalars.at(op.getEnd())};
            return success();
          })
          .Case([&](tile::ExtentOp op) {
            scalars[op] = builder.createOrFold<memref::DimOp>(
                location, scalars.at(op.getView()), op.getDimension());
            return success();
          })
          .Case([&](tile::ReadOp op) {
            SmallVector<Value> indices;
            for (Value position : op.getIndices())
              indices.push_back(scalars.at(position));
            scalars[op] = readElement(op, indices);
            return success();
          })
          .Case([&](tile::ForOp op) { return lowerFor(op); })
          .Case([&](tile::ForRunsOp op) { return lowerForRuns(op); })
          .Default([&](Operation *op) -> LogicalResult {
            if (op->getDialect() == kernel->getDialect() ||
                op->getNumResults() != 1)
              return notLowered(op->getName().getStringRef());
            llvm::DenseMap<Value, Value> none;
            if (failed(lowerRegionOperation(op, none)))
              return failure();
            scalars[op->getResult(0)] = none[op->getResult(0)];
            return success();
          });
  lowered.insert(op);
  return result;
}

Value KernelLowering::lanePositions(tile::PositionsOp op) {
  Type element = typeOf(op.getResult()).getElementType();
  Value first = arith::IndexCastOp::create(builder, location, element,
                                           scalars.at(op.getFirst()));
  auto constant = [&](llvm::function_ref<int64_t(int64_t)> of) -> Value {
    SmallVector<Attribute> steps;
    for (int64_t lane = 0; lane < width; ++lane)
      steps.push_back(builder.getIntegerAttr(element, of(lane)));
    return arith::ConstantOp::create(
        builder, location, DenseElementsAttr::get(vectorOf(element), steps));
  };
  first = broadcast(first);
  if (op.getFirst() != spread.start)
    return arith::AddIOp::create(builder, location, first,
                                 constant([](int64_t lane) { return lane; }));
  Value distance = broadcast(
      arith::IndexCastOp::create(builder, location, element, spread.distance));
  Value place = arith::MulIOp::create(
      builder, location, distance,
      constant([](int64_t lane) { return lane % kPlaces; }));
  Value step = arith::AddIOp::create(
      builder, location, place,
      constant([](int64_t lane) { return lane / kPlaces; }));
  return arith::AddIOp::create(builder, location, first, step);
}

Value KernelLowering::createGlobal(tile::ConstantOp op) {
  auto module = kernel->getParentOfType<ModuleOp>();
  auto value = cast<DenseElementsAttr>(op.getValue());
  auto type = MemRefType::get(value.getType().getShape(),
                              value.getType().getElementType());
  std::string name;
  for (unsigned n = 0; name.empty() || module.lookupSymbol(name); ++n)
    name = (kernel.getSymName() + "_constant" + llvm::Twine(n)).str();
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(module.getBody());
    memref::GlobalOp::create(builder, location, name,
                             builder.getStringAttr("private"), type, value,
                             /*constant=*/true, /*alignment=*/nullptr);
  }
  return memref::GetGlobalOp::create(builder, location, type, name);
}

/// A map of vectors: one evaluation of its region.
LogicalResult KernelLowering::lowerVectorMap(tile::MapOp op) {
  llvm::DenseMap<Value, Value> values;
  Block &body = op.getBody().front();
  for (auto [argument, operand] :
       llvm::zip(body.getArguments(), op.getOperands())) {
    if (!isVector(operand))
      return op.emitError() << "a tile without lanes in a map of one row of "
                               "lanes has no lowering to vectors yet";
    values[argument] = scalars.at(operand);
  }
  if (failed(lowerRegion(op, values, [](Operation *) { return true; })))
    return failure();
  auto yield = cast<tile::YieldOp>(body.back());
  for (auto [result, value] : llvm::zip(op.getResults(), yield.getValues()))
    scalars[result] = broadcast(lookup(value, values));
  return success();
}

LogicalResult KernelLowering::lowerConcat(tile::ConcatOp op) {
  if (!isRows(op.getResult()) ||
      lanes.getLaneDim(op.getResult()) == op.getDimension())
    return op.emitError() << "tiles joined along the lanes, or without lanes, "
                             "have no lowering to vectors yet";
  Value buffer = allocate(memoryShape(op.getResult()),
                          typeOf(op.getResult()).getElementType());
  int64_t offset = 0;
  for (Value source : op.getSources()) {
    if (failed(fillRows(source, buffer, offset)))
      return failure();
    offset += rowCount(source);
  }
  buffers[op] = buffer;
  return success();
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

/// How many vector operations one row of `op` takes, roughly: a function is a
/// polynomial.
static int64_t getWeight(Operation *op) {
  auto map = dyn_cast<tile::MapOp>(op);
  if (!map)
    return 0;
  int64_t weight = 0;
  for (Operation &inner : map.getBody().front())
    weight += isa<math::MathDialect>(inner.getDialect()) &&
                      !isa<math::FmaOp, math::Exp2Op>(inner)
                  ? 24
                  : 1;
  return weight;
}

/// A map that is longer than this stands in a loop of its own, apart from
/// products: repeated for each row of a product's block it would make more code
/// than the registers saved are worth.
constexpr int64_t kHeavy = 32;

LogicalResult KernelLowering::addToGroup(Operation *op, int64_t rows) {
  bool isOpen = !group.ops.empty() && group.rows == rows;
  auto isProduct = [](Operation *other) { return isa<tile::MmaOp>(other); };
  auto isHeavy = [](Operation *other) { return getWeight(other) > kHeavy; };
  if (isHeavy(op))
    isOpen &= llvm::none_of(group.ops, isProduct);
  if (isProduct(op))
    isOpen &= llvm::none_of(group.ops, isHeavy);
  // Each operand from the group must be needed at the same row only.
  for (Value operand : op->getOperands()) {
    Operation *def = operand.getDefiningOp();
    if (!def || !group.contains(def))
      continue;
    auto mma = dyn_cast<tile::MmaOp>(op);
    bool isSameRow = (isRows(operand) || isScalars(operand)) &&
                     rowCount(operand) == rows &&
                     !(mma && operand != mma.getAccumulator());
    isOpen &= isSameRow;
  }
  // Scalars of a region may be reads, but never results of a group.
  if (!isOpen && failed(flush()))
    return failure();
  if (auto mma = dyn_cast<tile::MmaOp>(op)) {
    unsigned depthCheck = isRows(mma.getLhs()) + isRows(mma.getRhs());
    if (depthCheck != 1)
      return op->emitError() << "a product of two tiles along the lanes has no "
                                "lowering to vectors yet";
    Value laneOperand = isRows(mma.getLhs()) ? mma.getLhs() : mma.getRhs();
    Value uniform = isRows(mma.getLhs()) ? mma.getRhs() : mma.getLhs();
    bool hasPairs = isPaired(mma) && pairBuffers.contains(laneOperand);
    if (!hasPairs && failed(ensureRows(laneOperand)))
      return failure();
    if (failed(ensureElements(uniform)))
      return failure();
  }
  group.rows = rows;
  group.ops.push_back(op);
  return success();
}

/// Whether nothing reads the rows of `tile` after the open group.
bool KernelLowering::isLastUse(Value tile) const {
  Block *block = tile.getParentBlock();
  if (block != group.ops.front()->getBlock())
    return false; // a loop around us may come back to it
  for (Operation *user : tile.getUsers()) {
    // These stand for the memory of their source.
    if (isa<tile::SliceOp, tile::SkewOp, tile::TransposeOp, tile::PackOp>(user))
      return false;
    Operation *here = block->findAncestorOpInBlock(*user);
    if (!here || (!group.contains(here) && !lowered.contains(here)))
      return false;
  }
  return true;
}

/// Memory for a result of the group: that of an operand which is not needed any
/// more and is read only at the row that is written, else new.
Value KernelLowering::chooseBuffer(Value result) {
  auto type = MemRefType::get(memoryShape(result),
                              memoryType(typeOf(result).getElementType()));
  for (Operation *op : group.ops)
    for (Value operand : op->getOperands()) {
      auto buffer = buffers.find(operand);
      if (buffer == buffers.end() || !(isRows(operand) || isScalars(operand)) ||
          buffer->second.getType() != type || !isLastUse(operand) ||
          llvm::is_contained(takenBuffers, buffer->second))
        continue;
      bool isAtRow = llvm::all_of(group.ops, [&](Operation *user) {
        auto mma = dyn_cast<tile::MmaOp>(user);
        return !mma || (mma.getLhs() != operand && mma.getRhs() != operand);
      });
      if (!isAtRow)
        continue;
      takenBuffers.push_back(buffer->second);
      return buffer->second;
    }
  return allocate(memoryShape(result), typeOf(result).getElementType());
}

LogicalResult KernelLowering::flush() {
  if (group.ops.empty())
    return success();
  takenBuffers.clear();
  pending.clear();
  pendingPairs.clear();
  bool hasProduct = false;
  SmallVector<Value> inits;
  SmallVector<tile::ReduceOp> reductions;
  for (Operation *op : group.ops) {
    location = op->getLoc();
    if (auto mma = dyn_cast<tile::MmaOp>(op)) {
      hasProduct = true;
      if (mma.getSkipZeros())
        if (Value isFinite = findFinite(mma))
          finite[op] = isFinite;
    }
    setWidth(op->getResult(0));
    auto reduce = dyn_cast<tile::ReduceOp>(op);
    if (reduce && !lanes.isColumns()) {
      Partial start = startReduction(reduce);
      reductions.push_back(reduce);
      inits.push_back(start.value);
      if (start.index)
        inits.push_back(start.index);
      continue;
    }
    for (Value result : op->getResults()) {
      bool isStored = false, isPacked = false;
      for (OpOperand &use : result.getUses()) {
        bool asPairs = isReadAsPairs(result, use);
        isPacked |= asPairs;
        isStored |= !asPairs && !group.contains(use.getOwner());
      }
      if (isStored)
        pending[result] = chooseBuffer(result);
      if (isPacked)
        pendingPairs[result] =
            allocate({static_cast<int64_t>(llvm::divideCeil(group.rows, 2)),
                      lanesOf(result)},
                     builder.getF32Type());
    }
    if (auto map = dyn_cast<tile::MapOp>(op))
      if (failed(hoist(map)))
        return failure();
  }

  int64_t block = kernel.getPlan()->getRows();
  if (!hasProduct) {
    int64_t weight = 1;
    for (Operation *op : group.ops)
      weight += getWeight(op);
    block = std::clamp<int64_t>(2 * kHeavy / weight, 1,
                                kernel.getPlan()->getSweep());
  }
  // Both rows of a pair are in registers at the same time.
  if (!pendingPairs.empty())
    block = llvm::alignTo(block, 2);
  block = std::min(block, group.rows);
  int64_t whole = group.rows / block * block;
  auto unpack = [&](ValueRange values) {
    llvm::DenseMap<Operation *, Partial> partials;
    unsigned next = 0;
    for (tile::ReduceOp reduce : reductions) {
      Partial partial{values[next++], {}};
      if (reduce.getKind() == tile::Combiner::Argmax)
        partial.index = values[next++];
      partials[reduce] = partial;
    }
    return partials;
  };
  auto pack = [&](llvm::DenseMap<Operation *, Partial> &partials) {
    SmallVector<Value> values;
    for (tile::ReduceOp reduce : reductions) {
      values.push_back(partials[reduce].value);
      if (partials[reduce].index)
        values.push_back(partials[reduce].index);
    }
    return values;
  };

  auto partials = unpack(inits);
  using Partials = llvm::DenseMap<Operation *, Partial>;
  auto emitLoop = [&](Value first, Value end, int64_t size, Partials &partials,
                      llvm::function_ref<LogicalResult(Value, Partials &)> body)
      -> LogicalResult {
    auto loop = scf::ForOp::create(builder, location, first, end, index(size),
                                   pack(partials));
    OpBuilder::InsertionGuard guard(builder);
    if (inits.empty())
      loop.getBody()->clear();
    builder.setInsertionPointToStart(loop.getBody());
    auto inside = unpack(loop.getRegionIterArgs());
    if (failed(body(loop.getInductionVar(), inside)))
      return failure();
    scf::YieldOp::create(builder, location, pack(inside));
    partials = unpack(loop.getResults());
    return success();
  };
  /// The rows from `first` to `end` in blocks of `size`.
  auto emitBlocks = [&](int64_t first, int64_t end,
                        int64_t size) -> LogicalResult {
    if (first == end)
      return success();
    if (end - first == size)
      return emitRows(index(first), size, partials);
    return emitLoop(index(first), index(end), size, partials,
                    [&](Value row, Partials &inside) {
                      return emitRows(row, size, inside);
                    });
  };
  bool hasPanels = llvm::any_of(group.ops, [&](Operation *op) {
    auto mma = dyn_cast<tile::MmaOp>(op);
    return mma && findPanelLoad(mma);
  });
  int64_t panel = hasPanels ? getPanelColumns(block, group.rows) : group.rows;
  int64_t rest = group.rows - whole;
  // A few rows alone leave multipliers idle: two blocks share them, if one
  // panel has them all.
  bool isShared = hasProduct && 0 < rest && 2 * rest <= block &&
                  (block + rest) % (pendingPairs.empty() ? 2 : 4) == 0 &&
                  whole >= block && block + rest <= panel;
  if (isShared)
    whole -= block;
  int64_t last = isShared ? (block + rest) / 2 : rest;
  if (!hasPanels) {
    if (failed(emitBlocks(0, whole, block)))
      return failure();
  } else {
    if (whole > 0) {
      auto emitPanel = [&](Value first, Partials &inside) {
        fillPanels(first, panel);
        Value end = arith::MinSIOp::create(builder, location, add(first, panel),
                                           index(whole));
        return emitLoop(first, end, block, inside,
                        [&](Value row, Partials &inside) {
                          return emitRows(row, block, inside);
                        });
      };
      if (failed(emitLoop(index(0), index(whole), panel, partials, emitPanel)))
        return failure();
    }
    // What is left over lies in the last panel, or in one more.
    int64_t started = whole / panel * panel;
    if (whole == started || started + panel < group.rows) {
      started = whole;
      if (whole < group.rows)
        fillPanels(index(whole), panel);
    }
    panelStart = startOfPanel(index(started), panel);
  }
  if (failed(emitBlocks(whole, group.rows, last)))
    return failure();

  for (tile::ReduceOp reduce : reductions) {
    Partial &partial = partials[reduce];
    scalars[reduce] = partial.index ? partial.index : partial.value;
  }
  for (auto [result, buffer] : pending)
    buffers[result] = buffer;
  for (auto [result, buffer] : pendingPairs)
    pairBuffers[result] = buffer;
  lowered.insert(group.ops.begin(), group.ops.end());
  group = Group();
  registers.clear();
  hoisted.clear();
  finite.clear();
  panelBuffers.clear();
  rowDependent.clear();
  return success();
}

/// The block of rows from `base` on: every operation of the group, then the
/// stores, so that memory may be taken over.
LogicalResult
KernelLowering::emitRows(Value base, int64_t count,
                         llvm::DenseMap<Operation *, Partial> &partials) {
  registers.clear();
  for (Operation *op : group.ops) {
    location = op->getLoc();
    if (auto mma = dyn_cast<tile::MmaOp>(op)) {
      if (failed(emitProduct(mma, base, count)))
        return failure();
      continue;
    }
    for (int64_t slot = 0; slot < count; ++slot) {
      Row row{base, slot, slot};
      if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
        setWidth(reduce.getSource());
        FailureOr<Value> value = rowAt(reduce.getSource(), row);
        if (failed(value))
          return failure();
        if (lanes.isColumns())
          registers[{reduce.getResult(), slot}] = reduceLanes(reduce, *value);
        else
          reduceRow(reduce, row, *value, partials[reduce]);
        continue;
      }
      setWidth(op->getResult(0));
      if (failed(emitMapRow(cast<tile::MapOp>(op), row)))
        return failure();
    }
  }
  for (auto [result, buffer] : pending)
    for (int64_t slot = 0; slot < count; ++slot) {
      setWidth(result);
      storeRow(registers.at({result, slot}), buffer, add(base, slot));
    }
  for (auto [result, buffer] : pendingPairs) {
    setWidth(result);
    storePairs(result, buffer, base, count);
  }
  return success();
}

} // namespace rapt::conversion
