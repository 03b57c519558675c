// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Rows and elements of tiles: from registers, from memory, or computed where
// they are needed.

#include "lib/Conversion/TileToVector/KernelLowering.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace rapt::conversion {

Value KernelLowering::loadRow(Value buffer, Value row, Type element) {
  Value value =
      vector::LoadOp::create(builder, location, vectorOf(memoryType(element)),
                             buffer, ValueRange{row, index(0)});
  if (element.isInteger(1))
    value =
        arith::TruncIOp::create(builder, location, vectorOf(element), value);
  return value;
}

/// A row of a tile in memory: a vector, or one of its scalars.
void KernelLowering::storeRow(Value vector, Value buffer, Value row) {
  if (cast<MemRefType>(buffer.getType()).getRank() == 1) {
    if (vector.getType().isInteger(1))
      vector = arith::ExtUIOp::create(builder, location, builder.getI8Type(),
                                      vector);
    memref::StoreOp::create(builder, location, vector, buffer, row);
    return;
  }
  vector = broadcast(vector);
  Type element = getElementTypeOrSelf(vector.getType());
  if (element.isInteger(1))
    vector = arith::ExtUIOp::create(builder, location,
                                    vectorOf(builder.getI8Type()), vector);
  vector::StoreOp::create(builder, location, vector, buffer,
                          ValueRange{row, index(0)});
}

/// The memory of rows, and which of its rows is the first; null if they are not
/// in memory.
Value KernelLowering::resolveRows(Value tile, int64_t &offset) {
  offset = 0;
  while (true) {
    if (auto buffer = buffers.find(tile); buffer != buffers.end())
      return buffer->second;
    Operation *def = tile.getDefiningOp();
    if (!def)
      return nullptr;
    if (auto slice = dyn_cast<tile::SliceOp>(def)) {
      offset += slice.getOffset();
      tile = slice.getSource();
    } else if (isa<tile::TransposeOp, tile::PackOp>(def)) {
      tile = def->getOperand(0);
    } else {
      return nullptr;
    }
  }
}

/// Column `row` of a tile that is constant along its diagonals: columns of the
/// source lie one behind the other, and the lanes are a part of that line.
FailureOr<Value> KernelLowering::diagonalsAt(tile::SkewOp op, const Row &row) {
  int64_t offset = 0;
  Value buffer = resolveRows(op.getSource(), offset);
  auto type = dyn_cast_or_null<MemRefType>(buffer ? buffer.getType() : Type());
  if (!type || offset != 0 || !type.getLayout().isIdentity())
    return op.emitError() << "of a tile that has no memory of its own has no "
                             "lowering to vectors yet";
  ReassociationIndices all{0, 1};
  Value line =
      memref::CollapseShapeOp::create(builder, location, buffer, {all});
  Value last = index(typeOf(op.getResult()).getShape()[1] - 1);
  Value first =
      builder.createOrFold<arith::SubIOp>(location, last, indexOf(row));
  return Value(vector::LoadOp::create(
      builder, location, vectorOf(type.getElementType()), line, first));
}

/// Row `row` of a tile: a vector, or a scalar that every lane has.
FailureOr<Value> KernelLowering::rowAt(Value tile, const Row &row) {
  if (isVector(tile))
    return scalars.at(tile);
  if (auto known = registers.find({tile, row.slot}); known != registers.end())
    return known->second;
  if (isScalars(tile))
    return elementAt(tile, indexOf(row));
  int64_t offset = 0;
  if (Value buffer = resolveRows(tile, offset))
    return loadRow(buffer, add(indexOf(row), offset),
                   typeOf(tile).getElementType());
  Operation *def = tile.getDefiningOp();
  if (auto splat = dyn_cast_or_null<tile::SplatOp>(def))
    return scalars.at(splat.getValue());
  if (auto slice = dyn_cast_or_null<tile::SliceOp>(def))
    return rowAt(slice.getSource(),
                 {row.base,
                  row.offset + static_cast<int64_t>(slice.getOffset()),
                  /*slot=*/-1});
  if (auto skew = dyn_cast_or_null<tile::SkewOp>(def))
    return diagonalsAt(skew, row);
  if (isa_and_nonnull<tile::TransposeOp, tile::PackOp>(def))
    return rowAt(def->getOperand(0), {row.base, row.offset, /*slot=*/-1});
  return emitError(location) << "rows of this tile have no lowering to vectors "
                                "yet";
}

/// One element of a tile without lanes.
FailureOr<Value> KernelLowering::elementAt(Value tile,
                                           ArrayRef<Value> indices) {
  Type element = typeOf(tile).getElementType();
  if (auto buffer = buffers.find(tile); buffer != buffers.end())
    return fromMemory(
        memref::LoadOp::create(builder, location, buffer->second, indices),
        element, element);
  auto inner = [&](Value source, ArrayRef<Value> places) {
    return elementAt(source, places);
  };
  Operation *def = tile.getDefiningOp();
  if (!def)
    return emitError(location)
           << "a carried tile without lanes has no lowering to vectors yet";
  return llvm::TypeSwitch<Operation *, FailureOr<Value>>(def)
      .Case([&](tile::LoadOp op) -> FailureOr<Value> {
        SmallVector<Value> places;
        for (auto [offset, position] : llvm::zip(op.getOffsets(), indices))
          places.push_back(builder.createOrFold<arith::AddIOp>(
              location, scalars.at(offset), position));
        if (Value list = lists.lookup(op.getView())) {
          Value row =
              memref::LoadOp::create(builder, location, list, places[0]);
          places[0] = arith::IndexCastOp::create(builder, location,
                                                 builder.getIndexType(), row);
        }
        return Value(memref::LoadOp::create(builder, location,
                                            scalars.at(op.getView()), places));
      })
      .Case([&](tile::PositionsOp op) -> FailureOr<Value> {
        Value sum = builder.createOrFold<arith::AddIOp>(
            location, scalars.at(op.getFirst()), indices[0]);
        return Value(
            arith::IndexCastOp::create(builder, location, element, sum));
      })
      .Case([&](tile::SplatOp op) -> FailureOr<Value> {
        return scalars.at(op.getValue());
      })
      .Case([&](tile::SliceOp op) -> FailureOr<Value> {
        SmallVector<Value> places(indices);
        Value &cut = places[op.getDimension()];
        cut = add(cut, op.getOffset());
        return inner(op.getSource(), places);
      })
      .Case([&](tile::TransposeOp op) {
        return inner(op.getSource(), {indices[1], indices[0]});
      })
      .Case([&](tile::PackOp op) { return inner(op.getSource(), indices); })
      .Case([&](tile::MapOp op) -> FailureOr<Value> {
        llvm::DenseMap<Value, Value> values;
        Block &body = op.getBody().front();
        for (auto [n, operand] : llvm::enumerate(op.getOperands())) {
          SmallVector<Value> places;
          for (int64_t dim : op.getOperandDims(n))
            places.push_back(indices[dim]);
          FailureOr<Value> value = inner(operand, places);
          if (failed(value))
            return failure();
          values[body.getArgument(n)] = *value;
        }
        if (failed(lowerRegion(op, values, [](Operation *) { return true; })))
          return failure();
        unsigned n = cast<OpResult>(tile).getResultNumber();
        return lookup(cast<tile::YieldOp>(body.back()).getValues()[n], values);
      })
      .Default([&](Operation *op) -> FailureOr<Value> {
        return op->emitError() << "without a dimension along the lanes has no "
                                  "lowering to vectors yet";
      });
}

/// Of a tile of rank 2 whose elements lie in memory as they are.
std::optional<KernelLowering::ElementPlace>
KernelLowering::findElements(Value tile) const {
  ElementPlace place;
  while (true) {
    if ((place.memory = buffers.lookup(tile)))
      return place;
    Operation *def = tile.getDefiningOp();
    if (isa_and_nonnull<tile::TransposeOp>(def))
      place.isTransposed = !place.isTransposed;
    else if (!isa_and_nonnull<tile::PackOp>(def))
      break;
    tile = def->getOperand(0);
  }
  auto load = tile.getDefiningOp<tile::LoadOp>();
  if (!load || lists.contains(load.getView()) ||
      groupedRows.contains(load.getView()))
    return std::nullopt;
  place.memory = scalars.at(load.getView());
  place.row = scalars.at(load.getOffsets()[0]);
  place.column = scalars.at(load.getOffsets()[1]);
  return place;
}

/// Puts rows in memory, where a product reads them many times.
LogicalResult KernelLowering::ensureRows(Value tile) {
  int64_t offset;
  if (resolveRows(tile, offset))
    return success();
  if (failed(flush()))
    return failure();
  if (resolveRows(tile, offset)) // the group has stored them
    return success();
  Value buffer = allocate(memoryShape(tile), typeOf(tile).getElementType());
  if (failed(fillRows(tile, buffer, 0)))
    return failure();
  buffers[tile] = buffer;
  return success();
}

/// Whether an element is one load, or costs next to nothing.
static bool isCheap(Value tile) {
  Operation *def = tile.getDefiningOp();
  while (def && isa<tile::SliceOp, tile::TransposeOp, tile::PackOp>(def))
    def = def->getOperand(0).getDefiningOp();
  return def && !isa<tile::MapOp>(def);
}

/// Puts the elements of a uniform tile in memory if they are computed.
LogicalResult KernelLowering::ensureElements(Value tile) {
  if (buffers.contains(tile) || isCheap(tile))
    return success();
  ArrayRef<int64_t> shape = typeOf(tile).getShape();
  Type element = typeOf(tile).getElementType();
  Value buffer = allocate(shape, element);
  SmallVector<Value> places;
  OpBuilder::InsertionGuard guard(builder);
  for (int64_t extent : shape) {
    auto loop = scf::ForOp::create(builder, location, index(0), index(extent),
                                   index(1));
    places.push_back(loop.getInductionVar());
    builder.setInsertionPointToStart(loop.getBody());
  }
  FailureOr<Value> value = elementAt(tile, places);
  if (failed(value))
    return failure();
  Value stored = *value;
  if (element.isInteger(1))
    stored =
        arith::ExtUIOp::create(builder, location, builder.getI8Type(), stored);
  memref::StoreOp::create(builder, location, stored, buffer, places);
  buffers[tile] = buffer;
  return success();
}

/// Writes every row of `tile` to rows from `offset` on.
LogicalResult KernelLowering::fillRows(Value tile, Value buffer,
                                       int64_t offset) {
  auto loop = scf::ForOp::create(builder, location, index(0),
                                 index(rowCount(tile)), index(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  setWidth(tile);
  FailureOr<Value> row = rowAt(tile, {loop.getInductionVar(), 0, /*slot=*/-1});
  if (failed(row))
    return failure();
  storeRow(*row, buffer, add(loop.getInductionVar(), offset));
  return success();
}

} // namespace rapt::conversion
