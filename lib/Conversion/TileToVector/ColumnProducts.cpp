// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Products and reductions where columns run along the lanes: a few rows meet a
// long stream of keys and values, which is read once, where it lies, and
// converted once for all rows. Time is then that of reading memory.
//
// A product whose operands both have the depth along the lanes is a dot product
// for each element: sums of a block of keys are kept lane by lane, and added up
// by transposing the block (sumEach). A product of weights and rows broadcasts
// each weight.

#include "lib/Conversion/TileToVector/KernelLowering.h"

using namespace mlir;

namespace rapt::conversion {

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

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
  stream.isInside = load.isInBounds(0);
  stream.isWide = load.isInBounds(1);
  return stream;
}

/// The row of memory that row `row` of the tile is. One that lies outside is
/// read as some row inside: what becomes of it is not used.
Value KernelLowering::rowOfStream(const Stream &stream, Value row) {
  row = builder.createOrFold<arith::AddIOp>(location, stream.firstRow, row);
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

/// Asks for the row that will be read `kAhead` bytes later. Rows are a stream
/// to us, but not to a processor that stops looking ahead at the end of a page,
/// or whose rows of one head lie far apart.
void KernelLowering::prefetch(const Stream &stream, Value row, int64_t extent) {
  constexpr int64_t kAhead = 2048, kLine = 64;
  if (!stream.view)
    return;
  Type stored = cast<MemRefType>(stream.memory.getType()).getElementType();
  int64_t bytes = llvm::divideCeil(stored.getIntOrFloatBitWidth(), 8);
  int64_t rows = llvm::divideCeil(kAhead, bytes * extent);
  Stream all = stream;
  all.isInside = false;
  Value place = rowOfStream(all, add(row, rows));
  for (int64_t column = 0; column < extent; column += kLine / bytes) {
    Value position = builder.createOrFold<arith::AddIOp>(
        location, stream.firstColumn, index(column));
    memref::PrefetchOp::create(builder, location, stream.memory,
                               ValueRange{place, position},
                               /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
  }
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// All lanes of a row in one: halves are combined until one lane is left.
Value KernelLowering::reduceLanes(tile::ReduceOp op, Value row) {
  row = broadcast(row);
  tile::TileType source = typeOf(op.getSource());
  int64_t extent = source.getShape().back();
  auto size = cast<VectorType>(row.getType()).getNumElements();
  auto part = [&](int64_t first, int64_t count) -> Value {
    SmallVector<int64_t> lanes;
    for (int64_t n = 0; n < count; ++n)
      lanes.push_back(first + n);
    return vector::ShuffleOp::create(builder, location, row, row, lanes);
  };
  // Lanes that pad the row are not part of it.
  if (extent < size) {
    Value start = startReduction(op).value;
    SmallVector<int64_t> lanes;
    for (int64_t n = 0; n < size; ++n)
      lanes.push_back(n < extent ? n : size + n);
    row = vector::ShuffleOp::create(builder, location, row, start, lanes);
  }
  while (size > 1) {
    Value low = part(0, size / 2), high = part(size / 2, size / 2);
    row = combine(op.getKind(), low, high);
    size /= 2;
  }
  return vector::ExtractOp::create(builder, location, row, 0);
}

/// As many vectors as they have lanes: lane c of the result is the sum of the
/// lanes of vector c. In each step two vectors become one that has half of the
/// sums of each.
Value KernelLowering::sumEach(SmallVectorImpl<Value> &block) {
  auto size = static_cast<int64_t>(block.size());
  for (int64_t step = size / 2; step > 0; step /= 2)
    for (int64_t i = 0; i < step; ++i) {
      SmallVector<int64_t> own, other;
      for (int64_t c = 0; c < size; ++c) {
        bool isSecond = (c & step) != 0;
        own.push_back(isSecond ? size + c : c);
        other.push_back(isSecond ? size + (c ^ step) : (c ^ step));
      }
      Value a = block[i], b = block[i + step];
      block[i] = arith::AddFOp::create(
          builder, location,
          vector::ShuffleOp::create(builder, location, a, b, own),
          vector::ShuffleOp::create(builder, location, a, b, other));
    }
  return block[0];
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

LogicalResult KernelLowering::lowerColumnProduct(tile::MmaOp op) {
  Value lhs = op.getLhs(), rhs = op.getRhs();
  if (!isRows(op.getResult()) || !isRows(lhs) || !isRows(rhs) ||
      lanes.getLaneDim(lhs) != 1u || lanes.getLaneDim(rhs) != 1u ||
      op.getLhsTransposed())
    return op.emitError() << "a product of these tiles has no lowering to "
                             "columns along the lanes yet";
  if (failed(ensureRows(lhs)) || (!isStream(rhs) && failed(ensureRows(rhs))))
    return failure();
  Value result = allocate(memoryShape(op.getResult()), builder.getF32Type());
  Stream stream = streamOf(rhs);
  LogicalResult done = op.getRhsTransposed()
                           ? emitDots(op, stream, result)
                           : emitWeightedRows(op, stream, result);
  buffers[op] = result;
  return done;
}

/// result[r, k] = sum over the depth of lhs[r, d] keys[k, d].
LogicalResult KernelLowering::emitDots(tile::MmaOp op, const Stream &keys,
                                       Value result) {
  if (op.getAccumulator() || op.getDepth() || op.getSkipZeros())
    return op.emitError() << "dot products with an accumulator, a run-time "
                             "depth or zeros that are skipped have no lowering "
                             "to columns along the lanes yet";
  int64_t rows = rowCount(op.getResult());
  ArrayRef<int64_t> shape = typeOf(op.getRhs()).getShape();
  int64_t keyCount = shape[0], depth = shape[1];
  int64_t firstRow = 0;
  Value queries = resolveRows(op.getLhs(), firstRow);
  Type f32 = builder.getF32Type();
  auto part = VectorType::get({lanes32}, f32);
  // Sums of a block of keys for some rows at a time stay in registers.
  int64_t most = std::max<int64_t>(kernel.getPlan()->getRows(), 1);
  int64_t atOnce = std::clamp<int64_t>(most / rows, 1, 4);
  int64_t rowBlock = std::min(rows, most);
  Value scratch = allocate({rows, lanes32, lanes32}, f32);
  auto blocks = scf::ForOp::create(builder, location, index(0), index(keyCount),
                                   index(lanes32));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(blocks.getBody());
  Value firstKey = blocks.getInductionVar();
  auto inner = scf::ForOp::create(builder, location, index(0), index(lanes32),
                                  index(atOnce));
  {
    OpBuilder::InsertionGuard innerGuard(builder);
    builder.setInsertionPointToStart(inner.getBody());
    Value k = inner.getInductionVar();
    SmallVector<Value> places;
    for (int64_t n = 0; n < atOnce; ++n)
      places.push_back(rowOfStream(keys, builder.createOrFold<arith::AddIOp>(
                                             location, firstKey, add(k, n))));
    for (int64_t n = 0; n < atOnce; ++n)
      prefetch(
          keys,
          builder.createOrFold<arith::AddIOp>(location, firstKey, add(k, n)),
          depth);
    for (int64_t r0 = 0; r0 < rows; r0 += rowBlock) {
      int64_t count = std::min(rowBlock, rows - r0);
      SmallVector<Value> sums(count * atOnce, zero(part));
      for (int64_t d = 0; d < depth; d += lanes32) {
        SmallVector<Value> parts;
        for (int64_t n = 0; n < atOnce; ++n)
          parts.push_back(loadStream(keys, places[n], d, depth));
        for (int64_t r = 0; r < count; ++r) {
          Value query = vector::LoadOp::create(
              builder, location, part, queries,
              ValueRange{index(firstRow + r0 + r), index(d)});
          for (int64_t n = 0; n < atOnce; ++n) {
            Value &sum = sums[r * atOnce + n];
            sum =
                vector::FMAOp::create(builder, location, parts[n], query, sum);
          }
        }
      }
      for (int64_t r = 0; r < count; ++r)
        for (int64_t n = 0; n < atOnce; ++n)
          vector::StoreOp::create(
              builder, location, sums[r * atOnce + n], scratch,
              ValueRange{index(r0 + r), add(k, n), index(0)});
    }
  }
  auto each =
      scf::ForOp::create(builder, location, index(0), index(rows), index(1));
  builder.setInsertionPointToStart(each.getBody());
  SmallVector<Value> block;
  for (int64_t n = 0; n < lanes32; ++n)
    block.push_back(vector::LoadOp::create(
        builder, location, part, scratch,
        ValueRange{each.getInductionVar(), index(n), index(0)}));
  vector::StoreOp::create(builder, location, sumEach(block), result,
                          ValueRange{each.getInductionVar(), firstKey});
  return success();
}

/// result[r, c] = accumulator[r, c] + sum over k of weights[r, k] rows[k, c].
LogicalResult KernelLowering::emitWeightedRows(tile::MmaOp op,
                                               const Stream &stream,
                                               Value result) {
  int64_t rows = rowCount(op.getResult());
  ArrayRef<int64_t> shape = typeOf(op.getRhs()).getShape();
  int64_t depth = shape[0], columns = shape[1];
  int64_t firstRow = 0, firstOld = 0;
  Value weights = resolveRows(op.getLhs(), firstRow), old;
  if (op.getAccumulator()) {
    if (failed(ensureRows(op.getAccumulator())))
      return failure();
    old = resolveRows(op.getAccumulator(), firstOld);
  }
  Type f32 = builder.getF32Type();
  auto part = VectorType::get({lanes32}, f32);
  int64_t most = std::max<int64_t>(kernel.getPlan()->getRows(), 1);
  int64_t rowBlock = std::min(rows, most);
  int64_t parts = llvm::divideCeil(columns, lanes32);
  int64_t partBlock = std::clamp<int64_t>(most / rowBlock, 1, parts);
  Value end = index(depth);
  if (op.getDepth())
    end = arith::MinSIOp::create(builder, location, scalars.at(op.getDepth()),
                                 end);
  for (int64_t r0 = 0; r0 < rows; r0 += rowBlock)
    for (int64_t p0 = 0; p0 < parts; p0 += partBlock) {
      int64_t count = std::min(rowBlock, rows - r0);
      int64_t wide = std::min(partBlock, parts - p0);
      auto place = [&](int64_t r, int64_t p, int64_t offset) {
        return SmallVector<Value>{index(offset + r0 + r),
                                  index((p0 + p) * lanes32)};
      };
      SmallVector<Value> sums;
      for (int64_t r = 0; r < count; ++r)
        for (int64_t p = 0; p < wide; ++p)
          sums.push_back(
              old ? Value(vector::LoadOp::create(builder, location, part, old,
                                                 place(r, p, firstOld)))
                  : zero(part));
      auto step = [&](Value k, SmallVectorImpl<Value> &sums) {
        Value row = rowOfStream(stream, k);
        if (r0 == 0 && p0 == 0)
          prefetch(stream, k, columns);
        SmallVector<Value> values;
        for (int64_t p = 0; p < wide; ++p)
          values.push_back(
              loadStream(stream, row, (p0 + p) * lanes32, columns));
        for (int64_t r = 0; r < count; ++r) {
          Value weight =
              memref::LoadOp::create(builder, location, weights,
                                     ValueRange{index(firstRow + r0 + r), k});
          Value all =
              vector::BroadcastOp::create(builder, location, part, weight);
          Value isTerm;
          if (op.getSkipZeros())
            isTerm = arith::CmpFOp::create(
                builder, location, arith::CmpFPredicate::UNE, all, zero(part));
          for (int64_t p = 0; p < wide; ++p) {
            Value &sum = sums[r * wide + p];
            Value next =
                vector::FMAOp::create(builder, location, all, values[p], sum);
            sum = isTerm ? Value(arith::SelectOp::create(builder, location,
                                                         isTerm, next, sum))
                         : next;
          }
        }
      };
      int64_t unroll = op.getDepth() ? 1 : kernel.getPlan()->getDepth();
      unroll = depth % unroll == 0 ? unroll : 1;
      auto loop = scf::ForOp::create(builder, location, index(0), end,
                                     index(unroll), sums);
      {
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPointToStart(loop.getBody());
        SmallVector<Value> inside(loop.getRegionIterArgs());
        for (int64_t u = 0; u < unroll; ++u)
          step(add(loop.getInductionVar(), u), inside);
        scf::YieldOp::create(builder, location, inside);
      }
      for (int64_t r = 0; r < count; ++r)
        for (int64_t p = 0; p < wide; ++p)
          vector::StoreOp::create(builder, location,
                                  loop.getResult(r * wide + p), result,
                                  place(r, p, 0));
    }
  return success();
}

} // namespace rapt::conversion
