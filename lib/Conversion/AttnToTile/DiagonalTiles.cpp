// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What a score says of distances alone, for all distances of a tile at once.

#include "lib/Conversion/AttnToTile/DiagonalTiles.h"

using namespace mlir;

namespace rapt::conversion {

FailureOr<Value> emitDiagonals(KernelScope &scope, attn::AttendOp op,
                               Region &region,
                               const analysis::DiagonalValue &diagonal,
                               const DiagonalTile &tile) {
  OpBuilder &builder = scope.builder;
  Block &block = region.front();
  int64_t rows = tile.rows, columns = tile.columns;
  int64_t count = (rows + columns - 2) / rows + 1;
  // Number n is the distance of query n and the last key of the tile.
  Value lane = scope.positions(scope.index(0), rows);
  Value column = scope.positions(scope.index(0), count);
  bool isFine = true;
  auto line = scope.map(
      {{lane, {0}}, {column, {1}}}, {rows, count}, builder.getF32Type(),
      [&](tile::MapOp map, ValueRange elements) -> SmallVector<Value> {
        auto constant = [&](int64_t value) -> Value {
          return arith::ConstantOp::create(builder, scope.location,
                                           builder.getI32IntegerAttr(value));
        };
        Value first, position, key;
        {
          OpBuilder::InsertionGuard guard(builder);
          builder.setInsertionPoint(map);
          first = scope.toI32(tile.firstRow);
          position = scope.toI32(tile.firstPosition);
          key = scope.fold<arith::AddIOp>(scope.toI32(tile.firstKey),
                                          constant(columns - 1));
        }
        Value number = scope.fold<arith::AddIOp>(
            elements[0],
            scope.fold<arith::MulIOp>(elements[1], constant(rows)));
        RegionCopier copier(scope, map);
        {
          OpBuilder::InsertionGuard guard(builder);
          builder.setInsertionPoint(map);
          copier.bind(block.getArgument(0), scope.toI32(scope.batch));
          copier.bind(block.getArgument(1), scope.toI32(scope.head));
        }
        copier.bind(block.getArgument(2),
                    scope.fold<arith::AddIOp>(first, number));
        copier.bind(block.getArgument(3),
                    scope.fold<arith::AddIOp>(position, number));
        copier.bind(block.getArgument(4), key);
        unsigned next = block.getNumArguments() - op.getCaptures().size();
        for (Value capture : op.getCaptures())
          copier.bindTensor(block.getArgument(next++),
                            scope.places.at(capture));
        for (Operation *inner : diagonal.operations)
          isFine = isFine && succeeded(copier.copy(inner));
        return {isFine ? copier.lookup(diagonal.value) : scope.real(0)};
      });
  if (!isFine)
    return failure();
  return Value(tile::SkewOp::create(
      builder, scope.location,
      scope.tileType({rows, columns}, builder.getF32Type()),
      line.getResult(0)));
}

} // namespace rapt::conversion
