// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/AttnToTile/KernelScope.h"

using namespace mlir;

namespace rapt::conversion {

Value KernelScope::index(int64_t value) {
  return arith::ConstantIndexOp::create(builder, location, value);
}

Value KernelScope::real(double value) {
  return arith::ConstantOp::create(
      builder, location, builder.getF32FloatAttr(static_cast<float>(value)));
}

Value KernelScope::toI32(Value value) {
  return arith::IndexCastOp::create(builder, location, builder.getI32Type(),
                                    value);
}

Value KernelScope::toI64(Value value) {
  return arith::IndexCastOp::create(builder, location, builder.getI64Type(),
                                    value);
}

Value KernelScope::extent(Value view, int64_t dimension) {
  // Known before there is memory for it.
  if (auto workspace = view.getDefiningOp<tile::WorkspaceOp>())
    return workspace.getExtents()[dimension];
  return tile::ExtentOp::create(builder, location, builder.getIndexType(), view,
                                dimension);
}

Value KernelScope::extent(const TensorPlace &place, int64_t d) {
  if (place.dims[d] < 0)
    return index(1);
  return place.isListed(d) ? extent(place.rows, 0)
                           : extent(place.view, place.dims[d]);
}

Value KernelScope::placeIndex(const TensorPlace &place, size_t d, Value index,
                              Operation *above) {
  if (!place.isListed(d))
    return index;
  Type i32 = builder.getI32Type(), type = index.getType();
  Value length, none;
  {
    OpBuilder::InsertionGuard guard(builder);
    if (above)
      builder.setInsertionPoint(above);
    length = extent(place.rows, 0);
    if (!type.isIndex())
      length = arith::IndexCastOp::create(builder, location, type, length);
    none = arith::ConstantOp::create(builder, location,
                                     builder.getI32IntegerAttr(-1));
  }
  // What lies outside the list reads as 0, which is a row.
  Value isInside = arith::CmpIOp::create(
      builder, location, arith::CmpIPredicate::ult, index, length);
  Value row = tile::ReadOp::create(builder, location, i32, place.rows, index);
  return arith::SelectOp::create(builder, location, isInside, row, none);
}

Value KernelScope::share(Value item, Value view, int64_t dimension, Value of) {
  if (dimension < 0)
    return index(0);
  Value scaled = fold<arith::MulIOp>(item, extent(view, dimension));
  return fold<arith::DivUIOp>(scaled, of);
}

Value KernelScope::listed(Value view, Value list, tile::RowMap rows) {
  if (!list)
    return view;
  auto type = cast<tile::ViewType>(view.getType());
  return tile::ListRowsOp::create(builder, location,
                                  tile::ViewType::get(builder.getContext(),
                                                      type.getElementType(),
                                                      type.getRank(), rows),
                                  view, list);
}

Value KernelScope::rowsOfItem(Value tensor, Value list) {
  const TensorPlace &place = places.at(tensor);
  SmallVector<Value> indices;
  if (place.dims[0] >= 0)
    indices.push_back(share(batch, place.view, place.dims[0], batches));
  if (place.dims[1] >= 0)
    indices.push_back(share(head, place.view, place.dims[1], heads));
  auto rowMap = place.rows ? tile::RowMap::Paged : tile::RowMap::Listed;
  if (!list)
    list = place.rows;
  if (indices.empty())
    return listed(place.view, list, rowMap);
  auto type = cast<tile::ViewType>(place.view.getType());
  auto rows = tile::ViewType::get(type.getElementType(),
                                  type.getRank() - indices.size());
  return listed(
      tile::WindowOp::create(builder, location, rows, place.view, indices),
      list, rowMap);
}

tile::TileType KernelScope::tileType(ArrayRef<int64_t> shape, Type element) {
  return tile::TileType::get(builder.getContext(), shape, element);
}

Value KernelScope::splat(Value scalar, ArrayRef<int64_t> shape) {
  return tile::SplatOp::create(builder, location,
                               tileType(shape, scalar.getType()), scalar);
}

Value KernelScope::positions(Value first, int64_t count) {
  return tile::PositionsOp::create(
      builder, location, tileType({count}, builder.getI32Type()), first);
}

tile::MapOp KernelScope::map(ArrayRef<MapOperand> operands,
                             ArrayRef<int64_t> shape, ArrayRef<Type> elements,
                             MapBody body) {
  SmallVector<Value> tiles;
  SmallVector<Type> arguments, results;
  for (const MapOperand &operand : operands) {
    tiles.push_back(operand.tile);
    arguments.push_back(
        cast<tile::TileType>(operand.tile.getType()).getElementType());
  }
  for (Type element : elements)
    results.push_back(tileType(shape, element));
  auto getDims = [&](ArrayRef<MapOperand> list) {
    SmallVector<Attribute> dims;
    for (const MapOperand &operand : list)
      dims.push_back(builder.getI64ArrayAttr(operand.dims));
    return builder.getArrayAttr(dims);
  };
  auto op =
      tile::MapOp::create(builder, location, results, tiles, getDims(operands));
  OpBuilder::InsertionGuard guard(builder);
  Block *block =
      builder.createBlock(&op.getBody(), {}, arguments,
                          SmallVector<Location>(arguments.size(), location));
  tile::YieldOp::create(builder, location, body(op, block->getArguments()));
  SmallVector<MapOperand> used;
  for (int64_t n = static_cast<int64_t>(operands.size()) - 1; n >= 0; --n) {
    if (block->getArgument(n).use_empty()) {
      block->eraseArgument(n);
      op->eraseOperand(n);
    } else {
      used.insert(used.begin(), operands[n]);
    }
  }
  op.setDimsAttr(getDims(used));
  return op;
}

Value KernelScope::mapReal(ArrayRef<MapOperand> operands,
                           ArrayRef<int64_t> shape,
                           llvm::function_ref<Value(ValueRange)> body) {
  return map(operands, shape, builder.getF32Type(),
             [&](tile::MapOp, ValueRange elements) {
               return SmallVector<Value>{body(elements)};
             })
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

Value evaluateShape(KernelScope &scope, Operation *op,
                    llvm::function_ref<TensorPlace(Value)> getPlace) {
  if (auto length = dyn_cast<attn::LengthOp>(op))
    return length.getSide() == attn::Side::Keys ? scope.keyCount
                                                : scope.queryCount;
  if (auto extent = dyn_cast<attn::ExtentOp>(op)) {
    TensorPlace place = getPlace(extent.getTensor());
    return scope.extent(place, static_cast<int64_t>(extent.getDimension()));
  }
  // The head of a region is that of the item.
  if (auto share = dyn_cast<attn::ShareOp>(op)) {
    TensorPlace place = getPlace(share.getTensor());
    return scope.share(scope.head, place.view, place.dims[share.getDimension()],
                       scope.heads);
  }
  return nullptr;
}

Value RegionCopier::read(attn::ReadOp op) {
  const TensorPlace &place = tensors.at(op.getTensor());
  SmallVector<Value> indices;
  for (auto [d, index] : llvm::enumerate(op.getIndices()))
    if (place.dims[d] >= 0)
      indices.push_back(
          scope.placeIndex(place, d, mapping.lookup(index), above));
  return tile::ReadOp::create(scope.builder, op.getLoc(), op.getType(),
                              place.view, indices);
}

/// Philox4x32-10, see the operation. Words are i64 below 2^32.
Value RegionCopier::uniform(attn::UniformOp op) {
  OpBuilder &builder = scope.builder;
  Location location = op.getLoc();
  Type i64 = builder.getI64Type();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(builder, location,
                                     builder.getI64IntegerAttr(value));
  };
  Value mask = constant(0xFFFFFFFF), shift = constant(32);
  auto low = [&](Value value) {
    return scope.fold<arith::AndIOp>(value, mask);
  };
  auto high = [&](Value value) {
    return scope.fold<arith::ShRUIOp>(value, shift);
  };
  auto word = [&](Value position) -> Value {
    return arith::ExtUIOp::create(builder, location, i64,
                                  mapping.lookup(position));
  };
  Value seed = mapping.lookup(op.getSeed());
  Value counter[4] = {word(op.getB()), word(op.getH()), word(op.getI()),
                      word(op.getJ())};
  Value key[2] = {low(seed), high(seed)};
  constexpr int64_t multipliers[2] = {0xD2511F53, 0xCD9E8D57};
  constexpr int64_t increments[2] = {0x9E3779B9, 0xBB67AE85};
  for (int round = 0; round < 10; ++round) {
    Value first =
        scope.fold<arith::MulIOp>(counter[0], constant(multipliers[0]));
    Value second =
        scope.fold<arith::MulIOp>(counter[2], constant(multipliers[1]));
    auto mix = [&](Value product, Value word, Value key) {
      return scope.fold<arith::XOrIOp>(
          scope.fold<arith::XOrIOp>(high(product), word), key);
    };
    Value next[4] = {mix(second, counter[1], key[0]), low(second),
                     mix(first, counter[3], key[1]), low(first)};
    llvm::copy(next, counter);
    for (int n = 0; n < 2; ++n)
      key[n] = low(scope.fold<arith::AddIOp>(key[n], constant(increments[n])));
  }
  Value bits = scope.fold<arith::ShRUIOp>(counter[0], constant(8));
  Value narrow =
      arith::TruncIOp::create(builder, location, builder.getI32Type(), bits);
  Value number =
      arith::SIToFPOp::create(builder, location, builder.getF32Type(), narrow);
  return arith::MulFOp::create(builder, location, number, scope.real(0x1p-24));
}

LogicalResult RegionCopier::copy(Block &block) {
  for (Operation &op : block.without_terminator())
    if (!mapping.contains(op.getResult(0)) && failed(copy(&op)))
      return failure();
  return success();
}

LogicalResult RegionCopier::copy(Operation *op) {
  OpBuilder &builder = scope.builder;
  Location outer = scope.location;
  scope.location = op->getLoc();
  auto done = [&](Value value) {
    mapping.map(op->getResult(0), value);
    scope.location = outer;
    return success();
  };
  if (auto share = dyn_cast<attn::ShareOp>(op); share && rowHead) {
    const TensorPlace &place = tensors.at(share.getTensor());
    int64_t dimension = place.dims[share.getDimension()];
    Value extent, heads;
    {
      OpBuilder::InsertionGuard guard(builder);
      if (above)
        builder.setInsertionPoint(above);
      extent = scope.toI32(dimension < 0 ? scope.index(1)
                                         : scope.extent(place.view, dimension));
      heads = scope.toI32(scope.heads);
    }
    return done(scope.fold<arith::FloorDivSIOp>(
        scope.fold<arith::MulIOp>(rowHead, extent), heads));
  }
  {
    OpBuilder::InsertionGuard guard(builder);
    if (above)
      builder.setInsertionPoint(above);
    if (Value shape = evaluateShape(
            scope, op, [&](Value tensor) { return tensors.at(tensor); }))
      return done(scope.toI32(shape));
  }
  if (op->getNumResults() != 1 ||
      !op->getResult(0).getType().isIntOrIndexOrFloat())
    return op->emitError() << "a row is not compiled yet where one number for "
                              "each pair is expected";
  if (auto read = dyn_cast<attn::ReadOp>(op))
    return done(this->read(read));
  if (auto uniform = dyn_cast<attn::UniformOp>(op))
    return done(this->uniform(uniform));
  if (auto division = dyn_cast<attn::FloorDivOp>(op))
    return done(scope.fold<arith::FloorDivSIOp>(
        mapping.lookup(division.getLhs()), mapping.lookup(division.getRhs())));
  if (auto remainder = dyn_cast<attn::ModOp>(op)) {
    Value lhs = mapping.lookup(remainder.getLhs());
    Value rhs = mapping.lookup(remainder.getRhs());
    Value whole = scope.fold<arith::MulIOp>(
        scope.fold<arith::FloorDivSIOp>(lhs, rhs), rhs);
    return done(scope.fold<arith::SubIOp>(lhs, whole));
  }
  Operation *copied = builder.clone(*op, mapping);
  scope.location = outer;
  return success(copied != nullptr);
}

} // namespace rapt::conversion
