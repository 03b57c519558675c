// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Operands of products whose elements have 16 bits in memory. Such a tile is
// read where it lies and widened a few rows or columns at a time, right before
// the block of the product that reads them many times. A copy of the whole tile
// would be twice its size and leave the first level cache before it is read.

#include "lib/Conversion/TileToVector/KernelLowering.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace rapt::conversion {

/// Whether every use of a tile without lanes is as an operand of a product.
static bool isReadByProducts(Value tile) {
  return llvm::all_of(tile.getUsers(), [](Operation *user) {
    if (isa<tile::TransposeOp, tile::PackOp>(user))
      return isReadByProducts(user->getResult(0));
    return isa<tile::MmaOp>(user);
  });
}

/// The load of a tile without lanes that is widened where products read it, or
/// null.
tile::LoadOp KernelLowering::findNarrow(Value tile) const {
  while (isa_and_nonnull<tile::TransposeOp, tile::PackOp>(tile.getDefiningOp()))
    tile = tile.getDefiningOp()->getOperand(0);
  auto load = tile.getDefiningOp<tile::LoadOp>();
  if (!load || !isUniform(tile) || typeOf(tile).getRank() != 2 ||
      !load.isInBounds(1) || groupedRows.contains(load.getView()))
    return nullptr;
  tile::TileType type = typeOf(tile);
  Type stored = cast<tile::ViewType>(load.getView().getType()).getElementType();
  // Loads of a part of a vector are single instructions in AVX-512 only.
  if (type.getShape().back() % lanes32 != 0 && lanes32 < 16)
    return nullptr;
  bool isNarrow =
      type.getElementType().isF32() && (stored.isBF16() || stored.isF16());
  return isNarrow && isReadByProducts(tile) ? load : nullptr;
}

/// Whether a step of the depth is a row of what `op` reads of its operand
/// without lanes.
bool KernelLowering::isDepthFirst(tile::MmaOp op) const {
  bool isLhs = isUniform(op.getLhs());
  bool result = isLhs ? op.getLhsTransposed() : !op.getRhsTransposed();
  Value tile = isLhs ? op.getLhs() : op.getRhs();
  while (
      !buffers.contains(tile) &&
      isa_and_nonnull<tile::TransposeOp, tile::PackOp>(tile.getDefiningOp())) {
    result ^= isa<tile::TransposeOp>(tile.getDefiningOp());
    tile = tile.getDefiningOp()->getOperand(0);
  }
  return result;
}

/// Where the vectors of a row of a tile lie whose columns from `firstColumn` on
/// fill the rows of `buffer`.
KernelLowering::NarrowRow KernelLowering::findNarrowRow(tile::LoadOp load,
                                                        Value firstColumn,
                                                        int64_t columns) {
  NarrowRow result;
  result.memory = buffers.lookup(load);
  bool isInPlace = !result.memory;
  if (isInPlace)
    result.memory = scalars.at(load.getView());
  int64_t extent = typeOf(load).getShape()[1];
  // Columns begin at a multiple of the lanes, so that in a tile of whole
  // vectors each vector lies inside or is not used.
  APInt known;
  bool isKnown = matchPattern(firstColumn, m_ConstantInt(&known));
  for (int64_t column = 0; column < columns; column += lanes32) {
    Value place = add(firstColumn, column), mask;
    bool isInside =
        isKnown && known.getSExtValue() + column + lanes32 <= extent;
    if (!isInside && extent % lanes32 == 0)
      place = builder.createOrFold<arith::MinSIOp>(location, place,
                                                   index(extent - lanes32));
    else if (!isInside)
      mask = maskOf(countInside(place, lanes32, index(extent)), lanes32);
    if (isInPlace)
      place = builder.createOrFold<arith::AddIOp>(
          location, scalars.at(load.getOffsets()[1]), place);
    result.columns.push_back(place);
    result.masks.push_back(mask);
  }
  return result;
}

/// The row of memory that is row `row` of a narrow tile.
Value KernelLowering::findNarrowRow(tile::LoadOp load, Value row) {
  if (buffers.contains(load))
    return row;
  row = builder.createOrFold<arith::AddIOp>(location, row,
                                            scalars.at(load.getOffsets()[0]));
  return findRow(load.getView(), row);
}

/// Rows [firstRow, firstRow + rows) and columns from `firstColumn` on of a tile
/// to `buffer`, all of its columns. What lies behind the tile is 0, or what is
/// not used.
void KernelLowering::widen(tile::LoadOp load, Value firstRow, int64_t rows,
                           Value firstColumn, Value buffer) {
  NarrowRow source = findNarrowRow(
      load, firstColumn, cast<MemRefType>(buffer.getType()).getShape()[1]);
  auto loop =
      scf::ForOp::create(builder, location, index(0), index(rows), index(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value row =
      findNarrowRow(load, builder.createOrFold<arith::AddIOp>(
                              location, firstRow, loop.getInductionVar()));
  for (auto [n, place, mask] : llvm::enumerate(source.columns, source.masks)) {
    Value part = loadPart(source.memory, {row, place}, mask, lanes32,
                          builder.getF32Type());
    vector::StoreOp::create(
        builder, location, part, buffer,
        ValueRange{loop.getInductionVar(),
                   index(static_cast<int64_t>(n) * lanes32)});
  }
}

/// How many columns are widened at a time for blocks of `block` of them: all
/// if they are few, else whole vectors if possible.
int64_t KernelLowering::getPanelColumns(int64_t block, int64_t all) const {
  constexpr int64_t mostVectors = 4;
  if (all <= mostVectors * lanes32)
    return all;
  int64_t best = block;
  auto unused = [&](int64_t columns) {
    return llvm::alignTo(columns, lanes32) - columns;
  };
  for (int64_t columns = block; columns <= mostVectors * lanes32;
       columns += block)
    if (unused(columns) * best <= unused(best) * columns)
      best = columns;
  return best;
}

/// Where a panel starts that has `columns` columns from `first` on: at a whole
/// vector, see findNarrowRow(). Panels of a part of the columns may begin
/// inside of one.
Value KernelLowering::startOfPanel(Value first, int64_t columns) {
  if (columns == group.rows || columns % lanes32 == 0)
    return first;
  Value inside =
      builder.createOrFold<arith::RemUIOp>(location, first, index(lanes32));
  return builder.createOrFold<arith::SubIOp>(location, first, inside);
}

/// Widens `columns` columns from `first` on for each product of the group that
/// reads columns of a narrow tile, or makes words of them.
void KernelLowering::fillPanels(Value first, int64_t columns) {
  bool mayBeginInside = columns != group.rows && columns % lanes32 != 0;
  int64_t padded =
      llvm::alignTo(columns + (mayBeginInside ? lanes32 - 1 : 0), lanes32);
  panelStart = startOfPanel(first, columns);
  for (Operation *op : group.ops) {
    auto mma = dyn_cast<tile::MmaOp>(op);
    tile::LoadOp load = mma ? findPanelLoad(mma) : nullptr;
    if (!load)
      continue;
    int64_t depth = typeOf(load).getShape()[0];
    bool isOfPairs = isPaired(mma);
    int64_t rows = isOfPairs ? llvm::divideCeil(depth, 2) : depth;
    Value &buffer = panelBuffers[op];
    if (!buffer)
      buffer = allocate({rows, padded}, builder.getF32Type());
    if (isOfPairs)
      packPanel(load, panelStart, buffer);
    else
      widen(load, index(0), depth, panelStart, buffer);
  }
}

/// The narrow load whose columns `op` reads, or null.
tile::LoadOp KernelLowering::findPanelLoad(tile::MmaOp op) const {
  if (lanes.isColumns() || !isDepthFirst(op))
    return nullptr;
  return findNarrow(isUniform(op.getLhs()) ? op.getLhs() : op.getRhs());
}

} // namespace rapt::conversion
