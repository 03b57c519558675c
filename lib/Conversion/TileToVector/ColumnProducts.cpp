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
  if (keys.isPaired) {
    queries = copyPaired(queries, firstRow, rows, depth);
    firstRow = 0;
  }
  // Sums of a block of keys for some rows at a time stay in registers.
  int64_t most = std::max<int64_t>(kernel.getPlan()->getRows(), 1);
  // How many keys divides those of the tile and the lanes.
  int64_t atOnce = llvm::bit_floor(
      static_cast<uint64_t>(std::clamp<int64_t>(most / rows, 1, 4)));
  while (keyCount % atOnce != 0)
    atOnce /= 2;
  int64_t rowBlock = std::min(rows, most);
  struct Sums {
    int64_t first, used; ///< in the order row, key
  };
  SmallVector<Sums> groups;
  for (int64_t r0 = 0; r0 < rows; r0 += rowBlock) {
    int64_t end = std::min(rows, r0 + rowBlock) * atOnce;
    for (int64_t first = r0 * atOnce; first < end; first += lanes32)
      groups.push_back({first, std::min(lanes32, end - first)});
  }
  // Keys of one step lie in several places if the loop over keys says so.
  int64_t keysOfStep = keys.distance ? std::max(kPlaces, atOnce) : atOnce;
  auto steps = scf::ForOp::create(builder, location, index(0), index(keyCount),
                                  index(keysOfStep));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(steps.getBody());
  for (int64_t sub = 0; sub < keysOfStep; sub += atOnce) {
    Value firstKey = add(steps.getInductionVar(), sub);
    SmallVector<Value> places, ahead;
    for (int64_t n = 0; n < atOnce; ++n) {
      Value row = rowOfStream(keys, steps.getInductionVar(), sub + n);
      places.push_back(placeOfRow(keys, row));
      ahead.push_back(placeAhead(keys, row, depth));
    }
    Sums *group = groups.begin();
    for (int64_t r0 = 0; r0 < rows; r0 += rowBlock) {
      int64_t count = std::min(rowBlock, rows - r0);
      SmallVector<Value> sums(count * atOnce, zero(part));
      int64_t step = keys.isPaired ? 2 : 1;
      for (int64_t d = 0; d < depth; d += step * lanes32) {
        SmallVector<SmallVector<Value>> parts;
        for (int64_t n = 0; n < atOnce; ++n) {
          if (r0 == 0)
            prefetch(keys, ahead[n], d, step * lanes32, depth);
          parts.push_back(loadStreamParts(keys, places[n], d, step, depth));
        }
        for (int64_t p = 0; p < step; ++p)
          for (int64_t r = 0; r < count; ++r) {
            Value query = vector::LoadOp::create(
                builder, location, part, queries,
                ValueRange{index(firstRow + r0 + r), index(d + p * lanes32)});
            for (int64_t n = 0; n < atOnce; ++n) {
              Value &sum = sums[r * atOnce + n];
              sum = vector::FMAOp::create(builder, location, parts[n][p], query,
                                          sum);
            }
          }
      }
      for (int64_t first = 0; first < count * atOnce;
           first += lanes32, ++group) {
        SmallVector<Value> block(sums.begin() + first,
                                 sums.begin() + first + group->used);
        block.append(lanes32 - group->used, zero(part));
        Value each = sumEach(block);
        for (int64_t c = 0; c < group->used; c += atOnce) {
          SmallVector<int64_t> own = llvm::to_vector(llvm::seq(c, c + atOnce));
          vector::StoreOp::create(
              builder, location,
              vector::ShuffleOp::create(builder, location, each, each, own),
              result, ValueRange{index((group->first + c) / atOnce), firstKey});
        }
      }
    }
  }
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
  if (stream.isPaired)
    partBlock = llvm::alignTo(partBlock, 2);
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
      for (int64_t r = 0; r < count; ++r) {
        for (int64_t p = 0; p < wide; ++p)
          sums.push_back(
              old ? Value(vector::LoadOp::create(builder, location, part, old,
                                                 place(r, p, firstOld)))
                  : zero(part));
        for (int64_t p = 0; old && stream.isPaired && p < wide; p += 2)
          splitPair(sums[r * wide + p], sums[r * wide + p + 1]);
      }
      auto step = [&](Value first, int64_t u, SmallVectorImpl<Value> &sums) {
        Value k = add(first, u), row = rowOfStream(stream, first, u);
        if (r0 == 0)
          prefetch(stream, placeAhead(stream, row, columns), p0 * lanes32,
                   wide * lanes32, columns);
        SmallVector<Value> values = loadStreamParts(
            stream, placeOfRow(stream, row), p0 * lanes32, wide, columns);
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
      if (stream.distance && unroll % kPlaces != 0)
        unroll = kPlaces;
      auto loop = scf::ForOp::create(builder, location, index(0), end,
                                     index(unroll), sums);
      {
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPointToStart(loop.getBody());
        SmallVector<Value> inside(loop.getRegionIterArgs());
        for (int64_t u = 0; u < unroll; ++u)
          step(loop.getInductionVar(), u, inside);
        scf::YieldOp::create(builder, location, inside);
      }
      SmallVector<Value> results(loop.getResults());
      for (int64_t r = 0; r < count; ++r) {
        for (int64_t p = 0; stream.isPaired && p < wide; p += 2)
          joinPair(results[r * wide + p], results[r * wide + p + 1]);
        for (int64_t p = 0; p < wide; ++p)
          vector::StoreOp::create(builder, location, results[r * wide + p],
                                  result, place(r, p, 0));
      }
    }
  return success();
}

} // namespace rapt::conversion
