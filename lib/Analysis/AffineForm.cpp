// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// One rule for each operation through which a state can pass and stay linear.

#include "lib/Analysis/AffineForm.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace rapt::analysis {

using Form = std::optional<AffineForm>;

static const Coefficient minus{true, {}, {}, {}};

AffineInterpreter::AffineInterpreter(Block &block, ArrayRef<Value> states,
                                     ArrayRef<Value> given)
    : states(states), builder(block.getTerminator()),
      coefficients(builder, block.getParentOp()->getLoc()) {
  dependent.insert_range(states);
  for (Operation &op : block)
    if (llvm::any_of(op.getOperands(), [&](Value operand) {
          return dependent.contains(operand);
        }))
      for (Value result : op.getResults())
        if (!llvm::is_contained(given, result))
          dependent.insert(result);
}

Form AffineInterpreter::fail(Operation *op, const llvm::Twine &why) {
  if (reason.empty())
    reason = ("'" + op->getName().getStringRef() + "' " + why).str();
  return std::nullopt;
}

Form AffineInterpreter::getForm(Value value) {
  auto [entry, isNew] = known.try_emplace(value, std::nullopt);
  if (!isNew)
    return entry->second;
  Form form = compute(value);
  return known[value] = form;
}

//===----------------------------------------------------------------------===//
// Sums and factors
//===----------------------------------------------------------------------===//

/// What does not depend on states, with products of rows kept apart.
AffineForm AffineInterpreter::getConstant(Value value) {
  AffineForm form;
  Operation *op = value.getDefiningOp();
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (matchPattern(value, m_AnyZeroFloat()))
    return form;
  if (op && type && type.getRank() == 2) {
    if (auto product = dyn_cast<attn::OuterOp>(op)) {
      form.outers.push_back({product.getLhs(), product.getRhs()});
      return form;
    }
    if (isa<arith::AddFOp, arith::SubFOp>(op)) {
      AffineForm second = getConstant(op->getOperand(1));
      if (isa<arith::SubFOp>(op))
        second = *scale(second, minus);
      return sum(getConstant(op->getOperand(0)), second);
    }
    if (isa<arith::NegFOp>(op))
      return *scale(getConstant(op->getOperand(0)), minus);
    if (isa<arith::MulFOp>(op))
      for (unsigned n : {0, 1}) {
        AffineForm inner = getConstant(op->getOperand(n));
        if (inner.rest)
          continue;
        Coefficient factor = coefficients.getCoefficient(op->getOperand(1 - n));
        if (!factor.whole)
          return *scale(inner, factor);
      }
  }
  form.rest = value;
  return form;
}

AffineForm AffineInterpreter::sum(AffineForm a, AffineForm b) {
  a.diagonal.append(b.diagonal);
  a.lowRank.append(b.lowRank);
  a.functionals.append(b.functionals);
  a.outers.append(b.outers);
  a.rest = coefficients.add(a.rest, b.rest);
  return a;
}

/// The form times a factor, element by element.
Form AffineInterpreter::scale(AffineForm form, const Coefficient &factor) {
  if (factor.isOne())
    return form;
  for (DiagonalTerm &term : form.diagonal)
    term.factor = coefficients.multiply(factor, term.factor);
  for (LowRankTerm &term : form.lowRank) {
    if (!CoefficientBuilder::isRow(factor, term.axis))
      return fail(current, "weighs a correction along both axes");
    term.left = coefficients.scaleRow(term.left, factor, term.axis);
  }
  for (FunctionalTerm &term : form.functionals)
    term.factor = coefficients.multiply(factor, term.factor);
  if (factor.whole)
    for (OuterTerm &term : std::exchange(form.outers, {}))
      form.rest =
          coefficients.add(form.rest, coefficients.outer(term.lhs, term.rhs));
  for (OuterTerm &term : form.outers) {
    term.lhs = coefficients.scaleRow(term.lhs, factor, 0);
    term.rhs = coefficients.multiply(factor.along[1], term.rhs);
  }
  if (form.rest)
    form.rest = coefficients.scaleWhole(form.rest, factor);
  return form;
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

Form AffineInterpreter::compute(Value value) {
  if (!dependsOnStates(value))
    return getConstant(value);
  if (auto *state = llvm::find(states, value); state != states.end()) {
    AffineForm form;
    form.diagonal.push_back(
        {static_cast<unsigned>(state - states.begin()), {}});
    return form;
  }
  Operation *op = value.getDefiningOp();
  Operation *outside = std::exchange(current, op);
  Form form =
      llvm::TypeSwitch<Operation *, Form>(op)
          .Case<arith::AddFOp, arith::SubFOp, arith::NegFOp>(
              [&](Operation *sum) { return computeArithmetic(sum); })
          .Case<arith::MulFOp, arith::DivFOp>(
              [&](Operation *product) { return computeProduct(product); })
          .Case([&](attn::OuterOp op) { return outer(op); })
          .Case([&](attn::VecMatOp op) { return vecMat(op); })
          .Case([&](attn::MatVecOp op) { return matVec(op); })
          .Case([&](attn::DotOp op) { return dot(op); })
          .Case([&](attn::ReduceOp op) { return reduce(op); })
          .Case([&](attn::SplatOp op) { return splat(op); })
          .Case([&](attn::SpreadOp op) { return spread(op); })
          .Case([&](arith::SelectOp op) { return select(op); })
          .Default([&](Operation *op) { return fail(op, "of the state"); });
  current = outside;
  return form;
}

Form AffineInterpreter::computeArithmetic(Operation *op) {
  Form a = getForm(op->getOperand(0));
  if (!a)
    return a;
  if (isa<arith::NegFOp>(op))
    return scale(*a, minus);
  Form b = getForm(op->getOperand(1));
  if (b && isa<arith::SubFOp>(op))
    b = scale(*b, minus);
  return b ? Form(sum(*a, *b)) : b;
}

Form AffineInterpreter::computeProduct(Operation *op) {
  Value a = op->getOperand(0), b = op->getOperand(1);
  bool isQuotient = isa<arith::DivFOp>(op);
  if (dependsOnStates(b) && !dependsOnStates(a) && !isQuotient)
    std::swap(a, b);
  if (dependsOnStates(b))
    return fail(op, isQuotient ? "by the state" : "of the state by itself");
  Form form = getForm(a);
  if (!form)
    return form;
  if (isQuotient)
    b = arith::DivFOp::create(builder, op->getLoc(),
                              coefficients.constant(1, b.getType()), b);
  return scale(*form, coefficients.getCoefficient(b));
}

Form AffineInterpreter::outer(attn::OuterOp op) {
  bool isFirst = dependsOnStates(op.getLhs());
  if (isFirst && dependsOnStates(op.getRhs()))
    return fail(op, "of the state by itself");
  Form row = getForm(isFirst ? op.getLhs() : op.getRhs());
  if (!row)
    return row;
  Value other = isFirst ? op.getRhs() : op.getLhs();
  // The row S w has the first extent of S, and w^T S the second.
  int64_t axis = isFirst ? 1 : 0;
  AffineForm form;
  for (FunctionalTerm &term : row->functionals) {
    if (term.axis != axis)
      return fail(op, "turns the state over");
    if (!CoefficientBuilder::isNumber(term.factor))
      return fail(op, "of a correction with a weight for each feature");
    Value left = coefficients.scaleRow(other, term.factor, 0);
    form.lowRank.push_back({term.state, axis, left, term.right});
  }
  if (!row->diagonal.empty() || !row->lowRank.empty())
    return fail(op, "of a state");
  if (row->rest)
    form.outers.push_back(isFirst ? OuterTerm{row->rest, other}
                                  : OuterTerm{other, row->rest});
  return form;
}

Form AffineInterpreter::vecMat(attn::VecMatOp op) {
  if (dependsOnStates(op.getRow()))
    return fail(op, dependsOnStates(op.getMatrix()) ? "of the state by itself"
                                                    : "mixes the features of "
                                                      "the state");
  Form matrix = getForm(op.getMatrix());
  if (!matrix)
    return matrix;
  Value row = op.getRow();
  AffineForm form;
  for (DiagonalTerm &term : matrix->diagonal) {
    if (term.factor.whole)
      return fail(op, "of a state with a factor for each element");
    Coefficient first = term.factor;
    FunctionalTerm read{term.state, 0, row, {}};
    read.factor.along[0] = first.along[1];
    first.along[1] = nullptr;
    read.factor.scalar = std::exchange(first.scalar, nullptr);
    read.factor.isNegative = std::exchange(first.isNegative, false);
    read.right = coefficients.multiply(first.along[0], row);
    form.functionals.push_back(read);
  }
  for (LowRankTerm &term : matrix->lowRank) {
    if (term.axis != 0)
      return fail(op, "reads the state as a number");
    FunctionalTerm read{term.state, 0, term.right, {}};
    read.factor.scalar = coefficients.dot(row, term.left);
    form.functionals.push_back(read);
  }
  for (OuterTerm &term : matrix->outers)
    form.rest = coefficients.add(
        form.rest,
        coefficients.multiply(coefficients.dot(row, term.lhs), term.rhs));
  if (matrix->rest)
    form.rest = coefficients.add(
        form.rest, attn::VecMatOp::create(builder, op.getLoc(), op.getType(),
                                          row, matrix->rest));
  return form;
}

Form AffineInterpreter::matVec(attn::MatVecOp op) {
  if (dependsOnStates(op.getRow()))
    return fail(op, dependsOnStates(op.getMatrix()) ? "of the state by itself"
                                                    : "mixes the features of "
                                                      "the state");
  Form matrix = getForm(op.getMatrix());
  if (!matrix)
    return matrix;
  Value row = op.getRow();
  AffineForm form;
  for (DiagonalTerm &term : matrix->diagonal) {
    if (term.factor.whole)
      return fail(op, "of a state with a factor for each element");
    FunctionalTerm read{term.state, 1, row, term.factor};
    read.factor.along[1] = nullptr;
    read.right = coefficients.multiply(term.factor.along[1], row);
    form.functionals.push_back(read);
  }
  for (LowRankTerm &term : matrix->lowRank) {
    if (term.axis != 1)
      return fail(op, "reads the state as a number");
    FunctionalTerm read{term.state, 1, term.right, {}};
    read.factor.scalar = coefficients.dot(row, term.left);
    form.functionals.push_back(read);
  }
  for (OuterTerm &term : matrix->outers)
    form.rest = coefficients.add(
        form.rest,
        coefficients.multiply(coefficients.dot(term.rhs, row), term.lhs));
  if (matrix->rest)
    form.rest = coefficients.add(
        form.rest, attn::MatVecOp::create(builder, op.getLoc(), op.getType(),
                                          matrix->rest, row));
  return form;
}

Form AffineInterpreter::dot(attn::DotOp op) {
  Value a = op.getLhs(), b = op.getRhs();
  if (dependsOnStates(a))
    std::swap(a, b);
  if (dependsOnStates(a))
    return fail(op, "of the state by itself");
  Form row = getForm(b);
  if (!row)
    return row;
  if (!row->functionals.empty())
    return fail(op, "reads the state as a number");
  AffineForm form;
  for (DiagonalTerm &term : row->diagonal) {
    FunctionalTerm read{term.state, 0, a, {}};
    read.right = coefficients.multiply(term.factor.along[0], a);
    read.factor.scalar = term.factor.scalar;
    read.factor.isNegative = term.factor.isNegative;
    form.functionals.push_back(read);
  }
  for (LowRankTerm &term : row->lowRank) {
    FunctionalTerm read{term.state, 0, term.right, {}};
    read.factor.scalar = coefficients.dot(a, term.left);
    form.functionals.push_back(read);
  }
  if (row->rest)
    form.rest = coefficients.dot(a, row->rest);
  return form;
}

/// A sum over features is a product with ones.
Form AffineInterpreter::reduce(attn::ReduceOp op) {
  if (op.getKind() != attn::RowReduction::Add)
    return fail(op, "of the state");
  Form row = getForm(op.getRow());
  if (!row)
    return row;
  if (!row->functionals.empty())
    return fail(op, "reads the state as a number");
  Value ones = coefficients.constant(1, op.getRow().getType());
  AffineForm form;
  for (DiagonalTerm &term : row->diagonal) {
    FunctionalTerm read{term.state, 0, ones, {}};
    if (term.factor.along[0])
      read.right = term.factor.along[0];
    read.factor.scalar = term.factor.scalar;
    read.factor.isNegative = term.factor.isNegative;
    form.functionals.push_back(read);
  }
  for (LowRankTerm &term : row->lowRank) {
    FunctionalTerm read{term.state, 0, term.right, {}};
    read.factor.scalar = coefficients.dot(ones, term.left);
    form.functionals.push_back(read);
  }
  if (row->rest)
    form.rest = coefficients.dot(ones, row->rest);
  return form;
}

/// A number that reads a row, in every feature of the row: rank one.
Form AffineInterpreter::splat(attn::SplatOp op) {
  Form number = getForm(op.getValue());
  if (!number)
    return number;
  auto type = cast<RankedTensorType>(op.getType());
  if (!number->diagonal.empty() || type.getRank() != 1)
    return fail(op, "of a state");
  AffineForm form;
  for (FunctionalTerm &term : number->functionals)
    form.lowRank.push_back(
        {term.state, 0, coefficients.getRow(term.factor, 0, type.getDimSize(0)),
         term.right});
  if (number->rest)
    form.rest = attn::SplatOp::create(builder, op.getLoc(), type, number->rest);
  return form;
}

/// A row that reads a matrix, in every row or column of the matrix: rank one
/// with ones.
Form AffineInterpreter::spread(attn::SpreadOp op) {
  Form row = getForm(op.getRow());
  if (!row)
    return row;
  auto type = cast<RankedTensorType>(op.getType());
  int64_t axis = 1 - static_cast<int64_t>(op.getAlong());
  AffineForm form;
  for (FunctionalTerm &term : row->functionals) {
    if (term.axis != axis)
      return fail(op, "turns the state over");
    if (!CoefficientBuilder::isNumber(term.factor))
      return fail(op, "of a correction with a weight for each feature");
    form.lowRank.push_back(
        {term.state, axis,
         coefficients.getRow(term.factor, axis, type.getDimSize(axis)),
         term.right});
  }
  if (!row->diagonal.empty() || !row->lowRank.empty())
    return fail(op, "of a state");
  if (row->rest)
    form.rest = attn::SpreadOp::create(builder, op.getLoc(), type, row->rest,
                                       op.getAlong());
  return form;
}

/// A choice that does not look at the state weighs both with 0 or 1.
Form AffineInterpreter::select(arith::SelectOp op) {
  if (dependsOnStates(op.getCondition()))
    return fail(op, "by the state");
  AffineForm result;
  Type type = op.getType();
  for (bool isTrue : {true, false}) {
    Form form = getForm(isTrue ? op.getTrueValue() : op.getFalseValue());
    if (!form)
      return form;
    Value one = coefficients.constant(1, type);
    Value zero = coefficients.constant(0, type);
    Value weight =
        arith::SelectOp::create(builder, op.getLoc(), op.getCondition(),
                                isTrue ? one : zero, isTrue ? zero : one);
    // What is added may be infinite where it is not chosen.
    Value rest = std::exchange(form->rest, nullptr);
    form = scale(*form, coefficients.getCoefficient(weight));
    if (!form)
      return form;
    if (rest)
      form->rest =
          arith::SelectOp::create(builder, op.getLoc(), op.getCondition(),
                                  isTrue ? rest : zero, isTrue ? zero : rest);
    result = sum(result, *form);
  }
  return result;
}

} // namespace rapt::analysis
