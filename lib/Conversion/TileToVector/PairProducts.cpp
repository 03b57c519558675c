// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Products that add two terms at a time: dot products of bf16.
//
// A *word* is two neighbours along the depth, the one with the even number in
// the lower half. Rows along the lanes are packed two by two into one row of
// words: queries once, where they are loaded, and weights where they are
// computed. Of the other operand, keys are words as they lie; values become
// words a panel at a time. An odd depth ends with a 0. Words have the type f32
// in memory, whatever they mean there.

#include "lib/Conversion/TileToVector/KernelLowering.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace rapt::conversion {

static bool isOfBf16(tile::LoadOp load) {
  return cast<tile::ViewType>(load.getView().getType())
      .getElementType()
      .isBF16();
}

/// Whether `op` multiplies pairs. Rounding must be that of the weights only:
/// what is computed for queries and keys keeps its precision.
bool KernelLowering::isPaired(tile::MmaOp op) const {
  if (!tile::KernelOp(kernel).getPlan()->getPairs() ||
      machine.pairProducts == PairProducts::None || lanes.isColumns() ||
      !isRows(op.getResult()) || lanesOf(op.getResult()) % lanes32 != 0)
    return false;
  bool isLhs = isUniform(op.getLhs());
  tile::LoadOp load = findNarrow(isLhs ? op.getLhs() : op.getRhs());
  if (!load || !isOfBf16(load))
    return false;
  bool isDepthInRows = isDepthFirst(op);
  // See findNarrow().
  if (!isDepthInRows && lanes32 < 16 &&
      typeOf(load).getShape()[1] % (2 * lanes32) != 0)
    return false;
  Value other = isLhs ? op.getRhs() : op.getLhs();
  if (auto rows = other.getDefiningOp<tile::LoadOp>())
    return isOfBf16(rows) && isRows(other);
  return isDepthInRows && isRows(other) &&
         isa_and_nonnull<tile::MapOp, tile::MmaOp>(other.getDefiningOp());
}

/// Whether `use` of a tile of rows is in a product of pairs.
bool KernelLowering::isReadAsPairs(Value tile, OpOperand &use) const {
  auto mma = dyn_cast<tile::MmaOp>(use.getOwner());
  return mma && tile != mma.getAccumulator() && isPaired(mma);
}

//===----------------------------------------------------------------------===//
// Rows along the lanes
//===----------------------------------------------------------------------===//

/// A vector as parts that fill one register each.
SmallVector<Value> KernelLowering::splitLanes(Value vector) {
  int64_t lanes = cast<VectorType>(vector.getType()).getNumElements();
  SmallVector<Value> parts;
  for (int64_t first = 0; first < lanes; first += lanes32)
    parts.push_back(vector::ShuffleOp::create(
        builder, location, vector, vector,
        llvm::to_vector(llvm::seq(first, first + lanes32))));
  return parts;
}

/// The inverse of splitLanes(). The number of parts is a power of two.
Value KernelLowering::joinLanes(ArrayRef<Value> parts) {
  if (parts.size() == 1)
    return parts.front();
  Value low = joinLanes(parts.take_front(parts.size() / 2));
  Value high = joinLanes(parts.drop_front(parts.size() / 2));
  int64_t size = cast<VectorType>(low.getType()).getNumElements();
  return vector::ShuffleOp::create(
      builder, location, low, high,
      llvm::to_vector(llvm::seq<int64_t>(0, 2 * size)));
}

/// Two rows of f32 to one of words. Elsewhere bf16 is 16 bits to LLVM; here its
/// instructions for that type are wanted.
Value KernelLowering::packPair(Value even, Value odd) {
  Type bf16 = builder.getBF16Type(), i16 = builder.getI16Type();
  auto word = VectorType::get({lanes32}, builder.getF32Type());
  auto halves = VectorType::get({lanes32}, i16);
  auto both = VectorType::get({2 * lanes32}, i16);
  SmallVector<int64_t> order;
  for (int64_t lane = 0; lane < lanes32; ++lane)
    order.append({lane, lanes32 + lane});
  auto bitcast = [&](Type type, Value value) -> Value {
    return LLVM::BitcastOp::create(builder, location, type, value);
  };
  SmallVector<Value> words;
  for (auto [low, high] : llvm::zip(splitLanes(even), splitLanes(odd))) {
    Value pairs;
    if (machine.pairProducts == PairProducts::Avx512) {
      Value rounded =
          LLVM::CallIntrinsicOp::create(
              builder, location, both.clone(bf16),
              builder.getStringAttr("llvm.x86.avx512bf16.cvtne2ps2bf16.512"),
              ValueRange{high, low})
              .getResult(0);
      rounded = bitcast(both, rounded);
      pairs =
          vector::ShuffleOp::create(builder, location, rounded, rounded, order);
    } else {
      auto round = [&](Value part) {
        return bitcast(halves, LLVM::FPTruncOp::create(builder, location,
                                                       word.clone(bf16), part));
      };
      Value first = round(low), second = round(high);
      pairs =
          vector::ShuffleOp::create(builder, location, first, second, order);
    }
    words.push_back(bitcast(word, pairs));
  }
  return joinLanes(words);
}

/// Packs rows that are in memory as f32.
void KernelLowering::packRows(Value tile) {
  Type f32 = builder.getF32Type();
  int64_t offset = 0, rows = rowCount(tile);
  Value source = resolveRows(tile, offset);
  setWidth(tile);
  Value buffer = allocate(
      {static_cast<int64_t>(llvm::divideCeil(rows, 2)), lanesOf(tile)}, f32);
  forParts(rows, 2, [&](Value first, int64_t count) {
    Value even = loadRow(source, add(first, offset), f32);
    Value odd = count == 2 ? loadRow(source, add(first, offset + 1), f32)
                           : zero(vectorOf(f32));
    Value row = builder.createOrFold<arith::DivUIOp>(location, first, index(2));
    storeRow(packPair(even, odd), buffer, row);
  });
  pairBuffers[tile] = buffer;
}

/// Stores the rows of a result of the group from `base` (even) on.
void KernelLowering::storePairs(Value result, Value buffer, Value base,
                                int64_t count) {
  Value first = builder.createOrFold<arith::DivUIOp>(location, base, index(2));
  for (int64_t slot = 0; slot < count; slot += 2) {
    Value even = broadcast(registers.at({result, slot}));
    Value odd = slot + 1 < count ? broadcast(registers.at({result, slot + 1}))
                                 : zero(even.getType());
    storeRow(packPair(even, odd), buffer, add(first, slot / 2));
  }
}

//===----------------------------------------------------------------------===//
// The other operand
//===----------------------------------------------------------------------===//

/// Rows [firstRow, firstRow + rows) of a tile whose columns are the depth, in
/// one place and with zeros behind the last column.
void KernelLowering::copyWords(tile::LoadOp load, Value firstRow, int64_t rows,
                               Value buffer) {
  bool isInPlace = !buffers.contains(load);
  Value memory = isInPlace ? scalars.at(load.getView()) : buffers.lookup(load);
  auto words = VectorType::get({lanes32}, builder.getF32Type());
  int64_t columns = typeOf(load).getShape()[1];
  auto loop =
      scf::ForOp::create(builder, location, index(0), index(rows), index(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value row =
      findNarrowRow(load, builder.createOrFold<arith::AddIOp>(
                              location, firstRow, loop.getInductionVar()));
  for (int64_t column = 0; column < columns; column += 2 * lanes32) {
    Value place = index(column), mask;
    if (isInPlace)
      place = builder.createOrFold<arith::AddIOp>(
          location, scalars.at(load.getOffsets()[1]), place);
    if (column + 2 * lanes32 > columns)
      mask = maskOf(index(columns - column), 2 * lanes32);
    Value part = loadPart(memory, {row, place}, mask, 2 * lanes32,
                          builder.getBF16Type());
    vector::StoreOp::create(
        builder, location,
        vector::BitCastOp::create(builder, location, words, part), buffer,
        ValueRange{loop.getInductionVar(), index(column / 2)});
  }
}

/// Columns from `firstColumn` on of a tile whose rows are the depth.
void KernelLowering::packPanel(tile::LoadOp load, Value firstColumn,
                               Value buffer) {
  Type bf16 = builder.getBF16Type();
  auto words = VectorType::get({lanes32}, builder.getF32Type());
  auto row = VectorType::get({lanes32}, bf16);
  SmallVector<int64_t> order;
  for (int64_t lane = 0; lane < lanes32; ++lane)
    order.append({lane, lanes32 + lane});
  NarrowRow source = findNarrowRow(
      load, firstColumn, cast<MemRefType>(buffer.getType()).getShape()[1]);
  int64_t rows = typeOf(load).getShape()[0];
  forParts(rows, 2, [&](Value first, int64_t count) {
    Value even = findNarrowRow(load, first), odd;
    if (count == 2)
      odd = findNarrowRow(load, add(first, 1));
    Value to = builder.createOrFold<arith::DivUIOp>(location, first, index(2));
    for (auto [n, place, mask] :
         llvm::enumerate(source.columns, source.masks)) {
      Value low = loadPart(source.memory, {even, place}, mask, lanes32, bf16);
      Value high = zero(row);
      if (odd)
        high = loadPart(source.memory, {odd, place}, mask, lanes32, bf16);
      Value both =
          vector::ShuffleOp::create(builder, location, low, high, order);
      vector::StoreOp::create(
          builder, location,
          vector::BitCastOp::create(builder, location, words, both), buffer,
          ValueRange{to, index(static_cast<int64_t>(n) * lanes32)});
    }
  });
}

//===----------------------------------------------------------------------===//
// Terms
//===----------------------------------------------------------------------===//

/// `sum` and both products of each lane of words: one instruction.
Value KernelLowering::multiplyPairs(Value lhs, Value rhs, Value sum) {
  auto pairs = VectorType::get({2 * lanes32}, builder.getBF16Type());
  bool isNeon = machine.pairProducts == PairProducts::Neon;
  return LLVM::CallIntrinsicOp::create(
             builder, location, sum.getType(),
             builder.getStringAttr(isNeon
                                       ? "llvm.aarch64.neon.bfdot.v4f32.v8bf16"
                                       : "llvm.x86.avx512bf16.dpbf16ps.512"),
             ValueRange{sum,
                        LLVM::BitcastOp::create(builder, location, pairs, lhs),
                        LLVM::BitcastOp::create(builder, location, pairs, rhs)})
      .getResult(0);
}

/// The same with multiply-adds, but that terms whose `rhs` is 0 are left out.
Value KernelLowering::multiplyApart(Value lhs, Value rhs, Value sum) {
  auto type = cast<VectorType>(sum.getType());
  auto bits = type.clone(builder.getI32Type());
  auto constant = [&](uint32_t value) -> Value {
    return arith::ConstantOp::create(
        builder, location,
        DenseElementsAttr::get(bits, APInt(/*numBits=*/32, value)));
  };
  auto half = [&](Value words, bool isOdd) -> Value {
    Value word = arith::BitcastOp::create(builder, location, bits, words);
    word = isOdd ? Value(arith::AndIOp::create(builder, location, word,
                                               constant(0xFFFF0000u)))
                 : Value(arith::ShLIOp::create(builder, location, word,
                                               constant(16)));
    return arith::BitcastOp::create(builder, location, type, word);
  };
  for (bool isOdd : {false, true}) {
    Value factor = half(rhs, isOdd);
    Value isTerm = arith::CmpFOp::create(
        builder, location, arith::CmpFPredicate::UNE, factor, zero(type));
    Value next =
        vector::FMAOp::create(builder, location, half(lhs, isOdd), factor, sum);
    sum = arith::SelectOp::create(builder, location, isTerm, next, sum);
  }
  return sum;
}

} // namespace rapt::conversion
