// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Arithmetic on the factors of states, in the least form that holds them.

#include "lib/Analysis/AffineForm.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace rapt::analysis {

Value CoefficientBuilder::constant(double value, Type type) {
  TypedAttr attr = builder.getF32FloatAttr(static_cast<float>(value));
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    attr = DenseElementsAttr::get(tensor, attr);
  return arith::ConstantOp::create(builder, location, attr);
}

/// Makes a number a row or matrix where the other value is one.
static void matchShapes(OpBuilder &builder, Location location, Value &a,
                        Value &b) {
  for (auto [one, other] : {std::pair(&a, &b), std::pair(&b, &a)})
    if (!isa<RankedTensorType>(one->getType()) &&
        isa<RankedTensorType>(other->getType()))
      *one = attn::SplatOp::create(builder, location, other->getType(), *one);
}

Value CoefficientBuilder::multiply(Value a, Value b) {
  if (!a || !b)
    return a ? a : b;
  if (matchPattern(a, m_OneFloat()) && !isa<RankedTensorType>(a.getType()))
    return b;
  if (matchPattern(b, m_OneFloat()) && !isa<RankedTensorType>(b.getType()))
    return a;
  matchShapes(builder, location, a, b);
  return arith::MulFOp::create(builder, location, a, b);
}

Value CoefficientBuilder::add(Value a, Value b) {
  if (!a || !b)
    return a ? a : b;
  matchShapes(builder, location, a, b);
  // a + -b is a difference.
  if (auto negative = b.getDefiningOp<arith::NegFOp>())
    return arith::SubFOp::create(builder, location, a, negative.getOperand());
  return arith::AddFOp::create(builder, location, a, b);
}

Value CoefficientBuilder::negate(Value a) {
  if (auto negative = a.getDefiningOp<arith::NegFOp>())
    return negative.getOperand();
  return arith::NegFOp::create(builder, location, a);
}

Coefficient CoefficientBuilder::multiply(const Coefficient &a,
                                         const Coefficient &b) {
  Coefficient result;
  result.isNegative = a.isNegative != b.isNegative;
  result.scalar = multiply(a.scalar, b.scalar);
  for (int axis : {0, 1})
    result.along[axis] = multiply(a.along[axis], b.along[axis]);
  result.whole = multiply(a.whole, b.whole);
  return result;
}

Value CoefficientBuilder::dot(Value a, Value b) {
  return attn::DotOp::create(builder, location, builder.getF32Type(), a, b);
}

Value CoefficientBuilder::outer(Value a, Value b) {
  auto rows = cast<RankedTensorType>(a.getType()).getDimSize(0);
  auto columns = cast<RankedTensorType>(b.getType()).getDimSize(0);
  return attn::OuterOp::create(
      builder, location,
      RankedTensorType::get({rows, columns}, builder.getF32Type()), a, b);
}

//===----------------------------------------------------------------------===//
// From a value to a coefficient
//===----------------------------------------------------------------------===//

static bool isElementwise(Operation *op) {
  return op && op->hasTrait<OpTrait::Elementwise>() &&
         op->getNumResults() == 1 && op->getNumRegions() == 0;
}

CoefficientBuilder::Variation CoefficientBuilder::getVariation(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return Variation::None;
  Variation most = type.getRank() == 1 ? Variation::First : Variation::Both;
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<attn::SplatOp>(op))
    return Variation::None;
  if (auto spread = dyn_cast_or_null<attn::SpreadOp>(op))
    return spread.getAlong() == 0 ? Variation::First : Variation::Second;
  DenseElementsAttr elements;
  if (matchPattern(value, m_Constant(&elements)))
    return elements.isSplat() ? Variation::None : most;
  if (!isElementwise(op))
    return most;
  Variation result = Variation::None;
  for (Value operand : op->getOperands()) {
    Variation next = getVariation(operand);
    if (result == Variation::None)
      result = next;
    else if (next != Variation::None && next != result)
      return most;
  }
  return result;
}

Value CoefficientBuilder::reduce(Value value, Variation variation) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || getVariation(value) == Variation::Both ||
      (type.getRank() == 1 && variation != Variation::None))
    return value;
  Type element = type.getElementType(), target = element;
  if (variation != Variation::None)
    target = RankedTensorType::get(
        {type.getDimSize(variation == Variation::First ? 0 : 1)}, element);
  auto toTarget = [&](Value number) -> Value {
    if (number.getType() == target)
      return number;
    return attn::SplatOp::create(builder, location, target, number);
  };
  Operation *op = value.getDefiningOp();
  if (auto splat = dyn_cast<attn::SplatOp>(op))
    return toTarget(splat.getValue());
  if (auto spread = dyn_cast<attn::SpreadOp>(op))
    return spread.getRow();
  DenseElementsAttr elements;
  if (matchPattern(value, m_Constant(&elements))) {
    auto single = elements.getSplatValue<TypedAttr>();
    if (auto shaped = dyn_cast<RankedTensorType>(target))
      single = DenseElementsAttr::get(shaped, single);
    return arith::ConstantOp::create(builder, location, single);
  }
  OperationState state(location, op->getName());
  for (Value operand : op->getOperands())
    state.operands.push_back(reduce(operand, variation));
  state.types.push_back(target);
  state.addAttributes(op->getAttrs());
  return builder.create(state)->getResult(0);
}

Coefficient CoefficientBuilder::getCoefficient(Value value) {
  Operation *op = value.getDefiningOp();
  if (auto product = dyn_cast_or_null<arith::MulFOp>(op))
    return multiply(getCoefficient(product.getLhs()),
                    getCoefficient(product.getRhs()));
  if (auto negative = dyn_cast_or_null<arith::NegFOp>(op)) {
    Coefficient factor = getCoefficient(negative.getOperand());
    factor.isNegative = !factor.isNegative;
    return factor;
  }
  Coefficient factor;
  Variation variation = getVariation(value);
  Value least = reduce(value, variation);
  switch (variation) {
  case Variation::None:
    if (!matchPattern(least, m_OneFloat()))
      factor.scalar = least;
    break;
  case Variation::First:
    factor.along[0] = least;
    break;
  case Variation::Second:
    factor.along[1] = least;
    break;
  case Variation::Both:
    factor.whole = least;
    break;
  }
  return factor;
}

//===----------------------------------------------------------------------===//
// From a coefficient to a value
//===----------------------------------------------------------------------===//

Value CoefficientBuilder::scaleRow(Value row, const Coefficient &factor,
                                   int64_t axis) {
  row = multiply(factor.along[axis], row);
  row = multiply(factor.scalar, row);
  return factor.isNegative ? negate(row) : row;
}

Value CoefficientBuilder::getNumber(const Coefficient &factor) {
  Value value =
      factor.scalar ? factor.scalar : constant(1, builder.getF32Type());
  return factor.isNegative ? negate(value) : value;
}

Value CoefficientBuilder::getRow(const Coefficient &factor, int64_t axis,
                                 int64_t extent) {
  auto type = RankedTensorType::get({extent}, builder.getF32Type());
  Value value = multiply(factor.scalar, factor.along[axis]);
  if (!value)
    value = constant(1, type);
  if (value.getType() != type)
    value = attn::SplatOp::create(builder, location, type, value);
  return factor.isNegative ? negate(value) : value;
}

Value CoefficientBuilder::scaleWhole(Value value, const Coefficient &factor) {
  Coefficient rest = factor;
  rest.isNegative = false;
  if (!rest.isOne())
    value = multiply(getWhole(rest, value.getType()), value);
  return factor.isNegative ? negate(value) : value;
}

Value CoefficientBuilder::getWhole(const Coefficient &factor, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return getNumber(factor);
  if (tensor.getRank() == 1)
    return multiply(getRow(factor, 0, tensor.getDimSize(0)), factor.whole);
  Value value = factor.whole;
  for (int axis : {0, 1})
    if (factor.along[axis])
      value = multiply(value, attn::SpreadOp::create(builder, location, type,
                                                     factor.along[axis], axis));
  value = multiply(value, factor.scalar);
  if (!value)
    value = constant(1, type);
  if (value.getType() != type)
    value = attn::SplatOp::create(builder, location, type, value);
  return factor.isNegative ? negate(value) : value;
}

Coefficient CoefficientBuilder::sum(ArrayRef<Coefficient> factors, Type type) {
  if (factors.size() == 1)
    return factors.front();
  Coefficient result;
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (llvm::all_of(factors, isNumber)) {
    for (const Coefficient &factor : factors)
      result.scalar = add(result.scalar, getNumber(factor));
    return result;
  }
  for (int axis : {0, 1}) {
    auto isAlong = [&](const Coefficient &factor) {
      return isRow(factor, axis);
    };
    if (axis >= tensor.getRank() || !llvm::all_of(factors, isAlong))
      continue;
    for (const Coefficient &factor : factors)
      result.along[axis] = add(result.along[axis],
                               getRow(factor, axis, tensor.getDimSize(axis)));
    return result;
  }
  for (const Coefficient &factor : factors)
    result.whole = add(result.whole, getWhole(factor, type));
  return result;
}

} // namespace rapt::analysis
