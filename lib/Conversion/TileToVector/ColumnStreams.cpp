// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Operands of products that are read where they lie, a few rows at a time,
// where columns run along the lanes.
//
// Rows of bf16 are read as words of two elements. One that is shifted and one
// whose lower half is cleared are the elements with even and odd numbers: two
// operations for two vectors, and none that moves lanes. What meets them, the
// queries and the sums, is kept in the same order: *paired*.

#include "lib/Conversion/TileToVector/KernelLowering.h"

using namespace mlir;

namespace rapt::conversion {

/// Whether products alone read a tile of memory, so that it needs no copy.
bool KernelLowering::isStream(Value tile) const {
  return isRows(tile) && tile.getDefiningOp<tile::LoadOp>() &&
         llvm::all_of(tile.getUses(), [](OpOperand &use) {
           auto mma = dyn_cast<tile::MmaOp>(use.getOwner());
           return mma && use.get() == mma.getRhs() && use.get() != mma.getLhs();
         });
}

KernelLowering::Stream KernelLowering::streamOf(Value tile) {
  Stream stream;
  stream.element = typeOf(tile).getElementType();
  if (!isStream(tile)) {
    int64_t offset = 0;
    stream.memory = resolveRows(tile, offset);
    stream.firstRow = index(offset);
    stream.firstColumn = index(0);
    stream.isInside = true;
    return stream;
  }
  auto load = tile.getDefiningOp<tile::LoadOp>();
  stream.view = load.getView();
  stream.memory = scalars.at(load.getView());
  stream.firstRow = scalars.at(load.getOffsets()[0]);
  stream.firstColumn = scalars.at(load.getOffsets()[1]);
  stream.rows = rowExtentOf(load.getView());
  stream.columns =
      builder.createOrFold<memref::DimOp>(location, stream.memory, 1);
  if (load.getOffsets()[0] == spread.start)
    stream.distance = spread.distance;
  stream.isInside = load.isInBounds(0);
  stream.isWide = load.isInBounds(1);
  stream.isPaired = stream.isWide && stream.element.isF32() &&
                    cast<tile::ViewType>(load.getView().getType())
                        .getElementType()
                        .isBF16() &&
                    typeOf(tile).getShape()[1] % (2 * lanes32) == 0;
  return stream;
}

/// The row of the view that row `row` + `offset` of the tile is; `row` is a
/// multiple of kPlaces where rows are spread.
Value KernelLowering::rowOfStream(const Stream &stream, Value row,
                                  int64_t offset) {
  if (stream.distance) {
    row = builder.createOrFold<arith::DivUIOp>(location, row, index(kPlaces));
    row = add(row, offset / kPlaces);
    Value place = builder.createOrFold<arith::MulIOp>(location, stream.distance,
                                                      index(offset % kPlaces));
    row = builder.createOrFold<arith::AddIOp>(location, row, place);
  } else {
    row = add(row, offset);
  }
  return builder.createOrFold<arith::AddIOp>(location, stream.firstRow, row);
}

/// Where row `row` of the view lies in memory. One that lies outside is read as
/// some row inside: what becomes of it is not used.
Value KernelLowering::placeOfRow(const Stream &stream, Value row) {
  if (!stream.view)
    return row;
  if (!stream.isInside) {
    Value last =
        arith::SubIOp::create(builder, location, stream.rows, index(1));
    row = arith::MinUIOp::create(builder, location, row, last);
  }
  Value place = findRow(stream.view, row);
  if (lists.contains(stream.view)) {
    Value extent =
        builder.createOrFold<memref::DimOp>(location, stream.memory, 0);
    Value last = arith::SubIOp::create(builder, location, extent, index(1));
    place = arith::MinUIOp::create(builder, location, place, last);
  }
  return place;
}

/// One vector of a row, from `column` on; what lies behind `extent` is 0.
Value KernelLowering::loadStream(const Stream &stream, Value row,
                                 int64_t column, int64_t extent) {
  Value place = builder.createOrFold<arith::AddIOp>(
      location, stream.firstColumn, index(column));
  int64_t count = std::min(lanes32, extent - column);
  Value mask;
  if (stream.view && !stream.isWide)
    mask = maskOf(countInside(place, count, stream.columns), lanes32);
  else if (stream.view && count < lanes32)
    mask = maskOf(index(count), lanes32);
  return loadPart(stream.memory, {row, place}, mask, lanes32, stream.element);
}

/// The vectors of a row from `column` on, `count` of them; paired ones two by
/// two.
SmallVector<Value> KernelLowering::loadStreamParts(const Stream &stream,
                                                   Value row, int64_t column,
                                                   int64_t count,
                                                   int64_t extent) {
  SmallVector<Value> parts;
  if (!stream.isPaired) {
    for (int64_t p = 0; p < count; ++p)
      parts.push_back(loadStream(stream, row, column + p * lanes32, extent));
    return parts;
  }
  Type i32 = builder.getI32Type();
  auto words = VectorType::get({lanes32}, i32);
  auto floats = words.clone(builder.getF32Type());
  auto pairs = VectorType::get({2 * lanes32}, builder.getBF16Type());
  auto constant = [&](int32_t value) -> Value {
    return arith::ConstantOp::create(
        builder, location,
        DenseElementsAttr::get(words,
                               Attribute(builder.getI32IntegerAttr(value))));
  };
  for (int64_t p = 0; p < count; p += 2) {
    Value place = builder.createOrFold<arith::AddIOp>(
        location, stream.firstColumn, index(column + p * lanes32));
    Value both = vector::LoadOp::create(builder, location, pairs, stream.memory,
                                        ValueRange{row, place});
    both = vector::BitCastOp::create(builder, location, words, both);
    Value even = arith::ShLIOp::create(builder, location, both, constant(16));
    Value odd = arith::AndIOp::create(
        builder, location, both, constant(static_cast<int32_t>(0xFFFF0000u)));
    for (Value part : {even, odd})
      parts.push_back(
          arith::BitcastOp::create(builder, location, floats, part));
  }
  return parts;
}

/// Two vectors of neighbours to one of those with even and one of those with
/// odd numbers.
void KernelLowering::splitPair(Value &first, Value &second) {
  SmallVector<int64_t> even, odd;
  for (int64_t n = 0; n < lanes32; ++n) {
    even.push_back(2 * n);
    odd.push_back(2 * n + 1);
  }
  Value low = first;
  first = vector::ShuffleOp::create(builder, location, low, second, even);
  second = vector::ShuffleOp::create(builder, location, low, second, odd);
}

/// The inverse of splitPair.
void KernelLowering::joinPair(Value &even, Value &odd) {
  SmallVector<int64_t> low, high;
  for (int64_t n = 0; n < lanes32; ++n) {
    int64_t source = n % 2 * lanes32 + n / 2;
    low.push_back(source);
    high.push_back(source + lanes32 / 2);
  }
  Value first = even;
  even = vector::ShuffleOp::create(builder, location, first, odd, low);
  odd = vector::ShuffleOp::create(builder, location, first, odd, high);
}

/// A copy of `rows` rows from `firstRow` on with each two vectors paired.
Value KernelLowering::copyPaired(Value memory, int64_t firstRow, int64_t rows,
                                 int64_t columns) {
  auto part = VectorType::get({lanes32}, builder.getF32Type());
  Value copy = allocate({rows, columns}, builder.getF32Type());
  auto loop =
      scf::ForOp::create(builder, location, index(0), index(rows), index(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value row = loop.getInductionVar(), source = add(row, firstRow);
  for (int64_t c = 0; c < columns; c += 2 * lanes32) {
    Value low = vector::LoadOp::create(builder, location, part, memory,
                                       ValueRange{source, index(c)});
    Value high = vector::LoadOp::create(builder, location, part, memory,
                                        ValueRange{source, index(c + lanes32)});
    splitPair(low, high);
    vector::StoreOp::create(builder, location, low, copy,
                            ValueRange{row, index(c)});
    vector::StoreOp::create(builder, location, high, copy,
                            ValueRange{row, index(c + lanes32)});
  }
  return copy;
}

/// Where the row lies that is to be asked for while row `row` of the view is
/// read. Null: for none. Rows are a stream to us, but not to a processor that
/// stops looking ahead at the end of a page, or whose rows of one head lie far
/// apart.
Value KernelLowering::placeAhead(const Stream &stream, Value row,
                                 int64_t columns) {
  // Farther than memory takes to answer, and little beside the first level.
  constexpr int64_t aheadBytes = 2048;
  if (!stream.view)
    return nullptr;
  Type stored = cast<MemRefType>(stream.memory.getType()).getElementType();
  int64_t rowBytes =
      columns * llvm::divideCeil(stored.getIntOrFloatBitWidth(), 8);
  row = add(row, std::max<int64_t>(aheadBytes / rowBytes, 1));
  // To ask for what does not exist is harmless, to look it up in a list is not.
  if (!lists.contains(stream.view))
    return row;
  Stream all = stream;
  all.isInside = false;
  return placeOfRow(all, row);
}

/// Asks for the lines that begin in `count` columns of a row from `column` on.
void KernelLowering::prefetch(const Stream &stream, Value place, int64_t column,
                              int64_t count, int64_t columns) {
  constexpr int64_t lineBytes = 64;
  if (!place)
    return;
  Type stored = cast<MemRefType>(stream.memory.getType()).getElementType();
  int64_t line =
      lineBytes / llvm::divideCeil(stored.getIntOrFloatBitWidth(), 8);
  int64_t end = std::min(column + count, columns);
  for (int64_t c = llvm::alignTo(column, line); c < end; c += line) {
    Value position = builder.createOrFold<arith::AddIOp>(
        location, stream.firstColumn, index(c));
    memref::PrefetchOp::create(builder, location, stream.memory,
                               ValueRange{place, position},
                               /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
  }
}

} // namespace rapt::conversion
