// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Products and reductions over a block of rows.

#include "lib/Conversion/TileToVector/KernelLowering.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace rapt::conversion {

/// A block of rows of the result stays in registers while the depth runs: for
/// each step one row of the operand along the lanes is loaded and, for each row
/// of the block, one element of the other operand broadcast.
LogicalResult KernelLowering::emitProduct(tile::MmaOp op, Value base,
                                          int64_t count) {
  bool isLhsUniform = isUniform(op.getLhs());
  Value uniform = isLhsUniform ? op.getLhs() : op.getRhs();
  // Whether the first dimension of the uniform operand is the depth.
  bool isDepthFirst =
      isLhsUniform ? op.getLhsTransposed() : !op.getRhsTransposed();
  int64_t depth = typeOf(uniform).getShape()[isDepthFirst ? 0 : 1];
  if (op.getSkipZeros() && isLhsUniform)
    return op.emitError() << "zeros of an operand without lanes that are "
                             "skipped have no lowering to vectors yet";
  int64_t firstRow = 0;
  Value memory =
      resolveRows(isLhsUniform ? op.getRhs() : op.getLhs(), firstRow);
  Type f32 = builder.getF32Type();

  SmallVector<Value> sums;
  for (int64_t slot = 0; slot < count; ++slot) {
    if (!op.getAccumulator()) {
      sums.push_back(zero(vectorOf(f32)));
      continue;
    }
    FailureOr<Value> row = rowAt(op.getAccumulator(), {base, slot, slot});
    if (failed(row))
      return failure();
    sums.push_back(*row);
  }
  auto step = [&](Value k, SmallVectorImpl<Value> &sums) -> LogicalResult {
    Value lane = loadRow(memory, add(k, firstRow), f32);
    Value isTerm;
    if (op.getSkipZeros())
      isTerm =
          arith::CmpFOp::create(builder, location, arith::CmpFPredicate::UNE,
                                lane, zero(vectorOf(f32)));
    for (int64_t slot = 0; slot < count; ++slot) {
      Value row = add(base, slot);
      SmallVector<Value> place{row, k};
      if (isDepthFirst)
        std::swap(place[0], place[1]);
      FailureOr<Value> element = elementAt(uniform, place);
      if (failed(element))
        return failure();
      Value sum = vector::FMAOp::create(builder, location, broadcast(*element),
                                        lane, sums[slot]);
      if (isTerm)
        sum =
            arith::SelectOp::create(builder, location, isTerm, sum, sums[slot]);
      sums[slot] = sum;
    }
    return success();
  };

  // Partial runs are few: shorter code compiles faster.
  auto runs = dyn_cast<tile::ForRunsOp>(op->getParentOp());
  bool isPartial = runs && op->getParentRegion() == &runs.getPartial();
  int64_t unroll =
      std::min(isPartial ? int64_t(4) : kernel.getPlan()->getDepth(), depth);
  int64_t whole = depth / unroll * unroll;
  Value end = index(whole);
  if (op.getDepth())
    end = arith::MinSIOp::create(builder, location, scalars.at(op.getDepth()),
                                 end);
  auto loop =
      scf::ForOp::create(builder, location, index(0), end, index(unroll), sums);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> inside(loop.getRegionIterArgs());
    for (int64_t u = 0; u < unroll; ++u)
      if (failed(step(add(loop.getInductionVar(), u), inside)))
        return failure();
    scf::YieldOp::create(builder, location, inside);
  }
  sums.assign(loop.getResults().begin(), loop.getResults().end());
  for (int64_t k = whole; k < depth; ++k)
    if (failed(step(index(k), sums)))
      return failure();
  for (int64_t slot = 0; slot < count; ++slot)
    registers[{op.getResult(), slot}] = sums[slot];
  return success();
}

KernelLowering::Partial KernelLowering::startReduction(tile::ReduceOp op) {
  Type element = typeOf(op.getSource()).getElementType();
  VectorType type = vectorOf(element);
  auto constant = [&](Attribute value) -> Value {
    return arith::ConstantOp::create(builder, location,
                                     DenseElementsAttr::get(type, value));
  };
  auto real = [&](bool isNegative) -> Value {
    const auto &semantics = cast<FloatType>(element).getFloatSemantics();
    return constant(
        FloatAttr::get(element, APFloat::getInf(semantics, isNegative)));
  };
  auto integer = [&](bool isLeast) -> Value {
    unsigned bits = element.getIntOrFloatBitWidth();
    return constant(
        IntegerAttr::get(element, isLeast ? APInt::getSignedMinValue(bits)
                                          : APInt::getSignedMaxValue(bits)));
  };
  bool isFloat = isa<FloatType>(element);
  switch (op.getKind()) {
  case tile::Combiner::Add:
    return {zero(type), {}};
  case tile::Combiner::Mul:
    return {constant(isFloat ? Attribute(FloatAttr::get(element, 1.0))
                             : Attribute(IntegerAttr::get(element, 1))),
            {}};
  case tile::Combiner::Max:
    return {isFloat ? real(true) : integer(true), {}};
  case tile::Combiner::Min:
    return {isFloat ? real(false) : integer(false), {}};
  case tile::Combiner::Argmax:
    return {isFloat ? real(true) : integer(true),
            zero(vectorOf(builder.getI32Type()))};
  }
  llvm_unreachable("every combiner has a start");
}

/// Two elements, or two vectors of them, of a reduction that is no argmax.
Value KernelLowering::combine(tile::Combiner kind, Value a, Value b) {
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(a.getType()));
  // A compare and a select: one instruction, where maximumf is several. What
  // a NaN does to a maximum does not matter where it also reaches the sum.
  auto choose = [&](arith::CmpFPredicate real,
                    arith::CmpIPredicate integer) -> Value {
    Value first =
        isFloat
            ? Value(arith::CmpFOp::create(builder, location, real, a, b))
            : Value(arith::CmpIOp::create(builder, location, integer, a, b));
    return arith::SelectOp::create(builder, location, first, a, b);
  };
  switch (kind) {
  case tile::Combiner::Add:
    return isFloat ? Value(arith::AddFOp::create(builder, location, a, b))
                   : Value(arith::AddIOp::create(builder, location, a, b));
  case tile::Combiner::Mul:
    return isFloat ? Value(arith::MulFOp::create(builder, location, a, b))
                   : Value(arith::MulIOp::create(builder, location, a, b));
  case tile::Combiner::Max:
    return choose(arith::CmpFPredicate::OGT, arith::CmpIPredicate::sgt);
  case tile::Combiner::Min:
    return choose(arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt);
  case tile::Combiner::Argmax:
    break;
  }
  llvm_unreachable("an argmax has two values");
}

void KernelLowering::reduceRow(tile::ReduceOp op, const Row &row, Value value,
                               Partial &partial) {
  value = broadcast(value);
  if (op.getKind() != tile::Combiner::Argmax) {
    partial.value = combine(op.getKind(), partial.value, value);
    return;
  }
  // Only a larger one replaces an earlier one.
  bool isFloat = isa<FloatType>(typeOf(op.getSource()).getElementType());
  Value isLarger = isFloat
                       ? Value(arith::CmpFOp::create(builder, location,
                                                     arith::CmpFPredicate::OGT,
                                                     value, partial.value))
                       : Value(arith::CmpIOp::create(builder, location,
                                                     arith::CmpIPredicate::sgt,
                                                     value, partial.value));
  Value number = arith::IndexCastOp::create(builder, location,
                                            builder.getI32Type(), indexOf(row));
  partial.index = arith::SelectOp::create(builder, location, isLarger,
                                          broadcast(number), partial.index);
  partial.value = arith::SelectOp::create(builder, location, isLarger, value,
                                          partial.value);
}

} // namespace rapt::conversion
