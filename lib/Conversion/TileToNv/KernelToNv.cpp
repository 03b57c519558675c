// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/TileToNv/KernelToNv.h"
#include "lib/Support/LaunchWords.h"
#include "lib/Target/WarpRoles.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace rapt::conversion {

//===----------------------------------------------------------------------===//
// Small values
//===----------------------------------------------------------------------===//

Value KernelToNv::index(int64_t value) {
  return arith::ConstantIndexOp::create(builder, location, value);
}

Value KernelToNv::less(Value a, Value b) {
  return arith::CmpIOp::create(builder, location, arith::CmpIPredicate::slt, a,
                               b);
}

Value KernelToNv::readWord(Value view, Value place) {
  return tile::ReadOp::create(builder, location, builder.getI64Type(), view,
                              place);
}

LogicalResult KernelToNv::notLowered(Operation *op, const Twine &what) {
  return op->emitError() << what << " has no lowering to NVIDIA GPUs yet";
}

nv::FragmentType KernelToNv::fragmentType(tile::TileType type, nv::Along side) {
  return nv::FragmentType::get(builder.getContext(), type.getShape(),
                               type.getElementType(),
                               type.getRank() == 2 ? nv::Along::Both : side);
}

Value KernelToNv::placeOf(const DeviceTable &table, Value batch, Value head,
                          Value block) {
  Value group = table.usesBatch ? batch : index(0);
  group = op<arith::MulIOp>(group, table.heads);
  if (table.usesHead)
    group = op<arith::AddIOp>(group, head);
  return op<arith::AddIOp>(op<arith::MulIOp>(group, table.blocks), block);
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

/// The extents of the items and the arguments of the launch.
void KernelToNv::bindArguments(Block *body) {
  auto index = builder.getIndexType();
  auto next = [&](Type type) { return body->addArgument(type, location); };
  auto words = [&] {
    return next(tile::ViewType::get(builder.getI64Type(), 1));
  };
  itemsX = next(index);
  itemsY = next(index);
  itemsZ = next(index);
  Block &tiles = kernel.getBody().front();
  for (auto [argument, value] :
       llvm::zip(tiles.getArguments().drop_front(3), launch.getArgs())) {
    if (!isa<tile::RunTableType>(value.getType())) {
      values.map(argument, next(value.getType()));
      continue;
    }
    auto plan = value.getDefiningOp<tile::PlanRunsOp>();
    DeviceTable table;
    table.usesBatch = plan.usesBatch();
    table.usesHead = plan.usesHead();
    table.columnStep = static_cast<int64_t>(plan.getColumnStep());
    for (Value *view : {&table.offsets, &table.order, &table.runs})
      *view = words();
    for (Value *number : {&table.heads, &table.blocks, &table.columns})
      *number = next(index);
    tables[argument] = table;
    tables[value] = table;
  }
  for (const tile::FetchedTensor &tensor : tile::getFetchedTensors(kernel)) {
    auto view =
        cast<tile::ViewType>(launch.getArgs()[tensor.argument].getType());
    maps.push_back({tensor, next(nv::TensorMapType::get(builder.getContext(),
                                                        view.getRank()))});
  }
  builder.setInsertionPointToStart(body);
}

/// The last index of an item runs fastest.
void KernelToNv::bindItem(Value item) {
  Block &tiles = kernel.getBody().front();
  auto index = builder.getIndexType();
  Value outer = op<arith::DivUIOp>(item, itemsZ);
  Value inner = op<arith::RemUIOp>(item, itemsZ);
  Value first = op<arith::DivUIOp>(outer, itemsY);
  Value second = op<arith::RemUIOp>(outer, itemsY);
  if (Value order = launch.getOrder(); order && tables.contains(order)) {
    const DeviceTable &table = tables.at(order);
    Value block = readWord(table.order, placeOf(table, first, second, inner));
    inner = arith::IndexCastOp::create(builder, location, index, block);
  }
  values.map(tiles.getArgument(0), first);
  values.map(tiles.getArgument(1), second);
  values.map(tiles.getArgument(2), inner);
}

LogicalResult KernelToNv::lower(StringRef name) {
  std::optional<tile::GpuPlanAttr> plan = kernel.getGpuPlan();
  if (!plan)
    return kernel.emitError() << "has no plan for a GPU";
  bool hasRoles = plan->getWarpgroups();
  auto lowered = nv::KernelOp::create(
      builder, location, builder.getStringAttr(name),
      builder.getI64IntegerAttr(plan->getWarps()),
      hasRoles ? builder.getI64IntegerAttr(target::kProducerWarps)
               : IntegerAttr());
  OpBuilder::InsertionGuard guard(builder);
  entry = builder.createBlock(&lowered.getBody());
  bindArguments(entry);
  bindItem(nv::BlockOp::create(builder, location, builder.getIndexType()));
  if (failed(hasRoles ? lowerRoles() : lowerBlock(kernel.getBody().front())))
    return failure();
  nv::ReturnOp::create(builder, location);
  int64_t rows = plan->getWarps() * 16;
  WalkResult found = lowered.walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      if (auto fragment = dyn_cast<nv::FragmentType>(type);
          fragment && fragment.hasRows() && fragment.getRows() % rows != 0) {
        op->emitError() << plan->getWarps() << " warps cannot share "
                        << fragment.getRows()
                        << " rows, expected a multiple of " << rows;
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(found.wasInterrupted());
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

LogicalResult KernelToNv::lowerBlock(Block &block) {
  for (Operation &op : block) {
    if (isa<tile::YieldOp, tile::ReturnOp>(op))
      continue;
    location = op.getLoc();
    if (failed(lowerOperation(&op)))
      return failure();
  }
  return success();
}

Value KernelToNv::fragmentFor(OpOperand &use) {
  auto type = cast<tile::TileType>(use.get().getType());
  if (type.getRank() == 2)
    return values.lookup(use.get());
  return lines.lookup({use.get(), static_cast<unsigned>(sides.getSide(use))});
}

LogicalResult KernelToNv::lowerOperation(Operation *op) {
  // A shape that no fragment has would fail a check of its type.
  for (Type type : op->getResultTypes())
    if (auto tile = dyn_cast<tile::TileType>(type);
        tile && (tile.getRank() == 0 || tile.getRank() > 2))
      return notLowered(op, "a tile of rank " + Twine(tile.getRank()));
  /// One fragment for each side that is wanted.
  auto makeAnew = [&](Value tile,
                      llvm::function_ref<Value(nv::FragmentType)> make) {
    auto type = cast<tile::TileType>(tile.getType());
    if (type.getRank() == 2) {
      values.map(tile, make(fragmentType(type, nv::Along::Both)));
      return success();
    }
    for (nv::Along side : sides.getSides(tile)) {
      int64_t unit = side == nv::Along::Rows ? 16 : 8;
      if (type.getShape()[0] % unit)
        return notLowered(op, "a row of " + Twine(type.getShape()[0]) +
                                  " elements");
      bindLine(tile, side, make(fragmentType(type, side)));
    }
    return success();
  };
  for (Type type : op->getResultTypes())
    if (auto tile = dyn_cast<tile::TileType>(type);
        tile && tile.getRank() == 2 &&
        (tile.getShape()[0] % 8 || tile.getShape()[1] % 8))
      return notLowered(op, "a tile of " + Twine(tile.getShape()[0]) + " by " +
                                Twine(tile.getShape()[1]) + " elements");
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](tile::MapOp op) { return lowerMap(op); })
      .Case([&](tile::MmaOp op) { return lowerProduct(op); })
      .Case([&](tile::LoadOp op) -> LogicalResult {
        if (failed(lowerLoad(op)))
          return failure();
        if (buffers.contains(op.getResult()) || ringOf.contains(op.getResult()))
          return success();
        return makeAnew(op.getResult(), [&](nv::FragmentType type) -> Value {
          SmallVector<Value> offsets;
          for (Value offset : op.getOffsets())
            offsets.push_back(values.lookup(offset));
          return nv::LoadOp::create(builder, location, type,
                                    values.lookup(op.getView()), offsets,
                                    op.getInBoundsAttr());
        });
      })
      .Case([&](tile::SplatOp op) {
        return makeAnew(op.getResult(), [&](nv::FragmentType type) -> Value {
          return nv::SplatOp::create(builder, location, type,
                                     values.lookup(op.getValue()));
        });
      })
      .Case([&](tile::PositionsOp op) {
        return makeAnew(op.getResult(), [&](nv::FragmentType type) -> Value {
          return nv::PositionsOp::create(builder, location, type,
                                         values.lookup(op.getFirst()));
        });
      })
      .Case([&](tile::ConstantOp op) -> LogicalResult {
        if (cast<tile::TileType>(op.getResult().getType()).getRank() != 1)
          return notLowered(op, "a constant with rows and columns");
        return makeAnew(op.getResult(), [&](nv::FragmentType type) -> Value {
          return nv::ConstantOp::create(builder, location, type, op.getValue());
        });
      })
      .Case([&](tile::ReduceOp op) -> LogicalResult {
        std::optional<nv::Combiner> kind =
            nv::symbolizeCombiner(tile::stringifyCombiner(op.getKind()));
        if (!kind || op.getDimension() != 1 ||
            cast<tile::TileType>(op.getSource().getType()).getRank() != 2)
          return notLowered(op, "this reduction");
        auto type = cast<tile::TileType>(op.getResult().getType());
        bindLine(op.getResult(), nv::Along::Rows,
                 nv::ReduceOp::create(builder, location,
                                      fragmentType(type, nv::Along::Rows),
                                      *kind, values.lookup(op.getSource())));
        return success();
      })
      .Case([&](tile::StoreOp op) -> LogicalResult {
        if (op.getMode() != tile::StoreMode::Set)
          return notLowered(op, "a store that adds");
        SmallVector<Value> offsets;
        for (Value offset : op.getOffsets())
          offsets.push_back(values.lookup(offset));
        nv::StoreOp::create(builder, location, fragmentFor(op.getTileMutable()),
                            values.lookup(op.getView()), offsets);
        return success();
      })
      .Case([&](tile::SliceOp op) -> LogicalResult {
        auto type = cast<tile::TileType>(op.getResult().getType());
        if (type.getRank() != 2 || op.getDimension() != 1 ||
            op.getOffset() % 8 != 0)
          return notLowered(op, "this slice");
        values.map(op.getResult(),
                   nv::SliceOp::create(
                       builder, location, fragmentType(type, nv::Along::Both),
                       values.lookup(op.getSource()), op.getOffset())
                       .getResult());
        return success();
      })
      .Case([&](tile::ConcatOp op) -> LogicalResult {
        auto type = cast<tile::TileType>(op.getResult().getType());
        if (type.getRank() != 2 || op.getDimension() != 1)
          return notLowered(op, "this concatenation");
        SmallVector<Value> sources;
        for (Value source : op.getSources())
          sources.push_back(values.lookup(source));
        values.map(op.getResult(),
                   nv::ConcatOp::create(builder, location,
                                        fragmentType(type, nv::Along::Both),
                                        sources)
                       .getResult());
        return success();
      })
      // The copies of the next step are under way already.
      .Case([](tile::PrefetchOp) { return success(); })
      .Case([&](tile::PackOp op) {
        values.map(op.getResult(), values.lookup(op.getSource()));
        return success();
      })
      .Case([&](tile::RunsOp op) {
        Value extent = values.lookup(op.getExtent());
        Value isSome = less(index(0), extent);
        Value last = arith::SelectOp::create(builder, location, isSome,
                                             index(1), index(0));
        domains[op] = {index(0), last, extent, nullptr};
        return success();
      })
      .Case([&](tile::DomainOp op) { return lowerDomain(op); })
      .Case([&](tile::ForRunsOp op) {
        return kernel.getGpuPlan()->getWarpgroups() ? lowerPipelined(op)
                                                    : lowerForRuns(op);
      })
      .Case<tile::WindowOp, tile::ListRowsOp, tile::ExtentOp, tile::ReadOp>(
          [&](auto op) {
            builder.clone(*op.getOperation(), values);
            return success();
          })
      .Default([&](Operation *op) -> LogicalResult {
        if (op->getDialect() == kernel->getDialect() ||
            op->getNumRegions() != 0)
          return notLowered(op, op->getName().getStringRef());
        builder.clone(*op, values);
        return success();
      });
}

LogicalResult KernelToNv::lowerMap(tile::MapOp op) {
  bool isWhole = op.getResultTile().getRank() == 2;
  SmallVector<Value> operands;
  for (auto [n, operand] : llvm::enumerate(op->getOpOperands())) {
    SmallVector<int64_t> dims = op.getOperandDims(n);
    if (dims.size() == 2 && dims[0] != 0)
      return notLowered(op, "a transposed operand of a map");
    if (dims.empty())
      return notLowered(op, "an operand of rank 0");
    operands.push_back(fragmentFor(operand));
  }
  nv::Along side = isWhole ? nv::Along::Both : sides.getSide(op.getResult(0));
  SmallVector<Type> types;
  for (Type type : op.getResultTypes())
    types.push_back(fragmentType(cast<tile::TileType>(type), side));
  auto map = nv::MapOp::create(builder, location, types, operands);
  {
    OpBuilder::InsertionGuard guard(builder);
    Block &source = op.getBody().front();
    Block *body = builder.createBlock(
        &map.getBody(), {}, source.getArgumentTypes(),
        SmallVector<Location>(source.getNumArguments(), location));
    IRMapping inside = values;
    for (auto [from, to] :
         llvm::zip(source.getArguments(), body->getArguments()))
      inside.map(from, to);
    for (Operation &inner : source)
      builder.clone(inner, inside);
  }
  for (auto [result, fragment] : llvm::zip(op.getResults(), map.getResults()))
    if (isWhole)
      values.map(result, fragment);
    else
      bindLine(result, side, fragment);
  return success();
}

//===----------------------------------------------------------------------===//
// Products and what they read
//===----------------------------------------------------------------------===//

/// Whether products read the tile, and whether something else does.
static std::pair<bool, bool> findReaders(Value tile) {
  bool isInProduct = false, isElsewhere = false;
  for (OpOperand &use : tile.getUses()) {
    auto product = dyn_cast<tile::MmaOp>(use.getOwner());
    if (product &&
        (use.get() == product.getRhs() || use.get() == product.getLhs()))
      isInProduct = true;
    else
      isElsewhere = true;
  }
  return {isInProduct, isElsewhere};
}

static Type narrowElementOf(Value tile) {
  auto load = tile.getDefiningOp<tile::LoadOp>();
  if (!load)
    return nullptr;
  Type element = load.getView().getType().getElementType();
  return element.isF16() || element.isBF16() ? element : Type();
}

/// The type in which the products of a tile take their operands: that in which
/// one of them lies in memory.
static Type getOperandType(Value tile) {
  if (Type own = narrowElementOf(tile))
    return own;
  for (Operation *user : tile.getUsers())
    if (auto product = dyn_cast<tile::MmaOp>(user))
      for (Value operand : {product.getLhs(), product.getRhs()})
        if (Type other = narrowElementOf(operand))
          return other;
  return nullptr;
}

FailureOr<Value> KernelToNv::makeBuffer(tile::LoadOp op, int64_t stages,
                                        bool isSwizzled) {
  Type element = getOperandType(op.getResult());
  if (!element)
    return notLowered(op, "a product of f32 operands");
  auto tile = cast<tile::TileType>(op.getResult().getType());
  if (tile.getRank() != 2)
    return notLowered(op, "an operand of rank 1");
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(entry);
  return nv::SharedOp::create(builder, location,
                              nv::BufferType::get(builder.getContext(), stages,
                                                  tile.getShape()[0],
                                                  tile.getShape()[1], element,
                                                  isSwizzled))
      .getResult();
}

void KernelToNv::copy(tile::LoadOp op, Value row, Value buffer, Value stage) {
  SmallVector<Value> offsets{row, values.lookup(op.getOffsets()[1])};
  nv::CopyOp::create(builder, location, values.lookup(op.getView()), offsets,
                     buffer, stage);
}

LogicalResult KernelToNv::lowerLoad(tile::LoadOp op) {
  if (ringOf.contains(op.getResult())) {
    awaitOnce(op);
    return success();
  }
  auto [isInProduct, isElsewhere] = findReaders(op.getResult());
  if (!isInProduct || buffers.contains(op.getResult()))
    return success();
  if (isElsewhere)
    return notLowered(op, "an operand of a product that is also used "
                          "element by element");
  if (kernel.getGpuPlan()->getWarpgroups())
    return notLowered(op, "an operand that producers do not fetch");
  FailureOr<Value> buffer = makeBuffer(op, /*stages=*/1);
  if (failed(buffer))
    return failure();
  copy(op, values.lookup(op.getOffsets()[0]), *buffer, index(0));
  nv::CommitOp::create(builder, location);
  hasPendingCopies = true;
  buffers[op.getResult()] = {*buffer, index(0)};
  return success();
}

void KernelToNv::awaitCopies() {
  if (!hasPendingCopies)
    return;
  nv::WaitOp::create(builder, location, 0);
  nv::BarrierOp::create(builder, location);
  hasPendingCopies = false;
}

LogicalResult KernelToNv::lowerProduct(tile::MmaOp op) {
  if (op.getLhsTransposed())
    return notLowered(op, "a product with a transposed left operand");
  if (kernel.getGpuPlan()->getWarpgroups())
    return notLowered(op, "a product of warpgroups outside of a loop");
  auto right = buffers.find(op.getRhs());
  if (right == buffers.end())
    return notLowered(op, "a product whose right operand is computed");
  awaitCopies();
  Value lhs, stage;
  if (auto left = buffers.find(op.getLhs()); left != buffers.end()) {
    lhs = left->second.buffer;
    stage = left->second.stage;
  } else {
    lhs = values.lookup(op.getLhs());
  }
  Value accumulator =
      op.getAccumulator() ? values.lookup(op.getAccumulator()) : Value();
  if (isCarefulNow && op.getSkipZeros() && !stage && accumulator)
    accumulator = takeNotFinite(lhs, right->second.buffer, right->second.stage,
                                accumulator);
  auto type = cast<tile::TileType>(op.getResult().getType());
  Value result =
      nv::MmaOp::create(builder, location, fragmentType(type, nv::Along::Both),
                        lhs, stage, right->second.buffer, right->second.stage,
                        accumulator, op.getRhsTransposed());
  values.map(op.getResult(), result);
  return success();
}

} // namespace rapt::conversion
