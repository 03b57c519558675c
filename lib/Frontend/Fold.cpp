// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Constants are folded in double and rounded once, when they are emitted. A
// division by a constant becomes a product with its reciprocal, and constant
// factors and summands are gathered on the right.

#include "lib/Frontend/Builder.h"
#include <cmath>

namespace rapt::frontend {

static double compute(Op op, double a, double b) {
  switch (op) {
  case Op::Add:
    return a + b;
  case Op::Sub:
    return a - b;
  case Op::Mul:
    return a * b;
  case Op::Divide:
    return a / b;
  case Op::Minimum:
    return std::isnan(a) || std::isnan(b) ? NAN : std::fmin(a, b);
  case Op::Maximum:
    return std::isnan(a) || std::isnan(b) ? NAN : std::fmax(a, b);
  case Op::Power:
    return std::pow(a, b);
  case Op::Exp:
    return std::exp(a);
  case Op::ExpM1:
    return std::expm1(a);
  case Op::Log:
    return std::log(a);
  case Op::Log1P:
    return std::log1p(a);
  case Op::Sqrt:
    return std::sqrt(a);
  case Op::Tanh:
    return std::tanh(a);
  case Op::Sin:
    return std::sin(a);
  case Op::Cos:
    return std::cos(a);
  default:
    return std::acos(a);
  }
}

Node *Builder::foldReal(Op op, llvm::ArrayRef<Operand> operands,
                        SourceRange range) {
  for (Operand operand : operands)
    if (operand.node->isPoison())
      return poison();
  auto isReal = [](const Node *node) { return node->op == Op::Real; };
  Node *a = operands.front().node, *b = operands.back().node;
  if (isReal(a) && isReal(b))
    return real(compute(op, a->real, b->real));
  if (operands.size() == 1)
    return nullptr;
  Operand left = operands.front(), right = operands.back();
  if (op == Op::Mul) {
    if (isReal(a))
      return arithmetic(op, right, left);
    if (!isReal(b))
      return nullptr;
    if (b->real == 1)
      return a;
    if (a->op == Op::Mul && isReal(a->operands[1]))
      return arithmetic(op, {a->operands[0], left.range},
                        {real(a->operands[1]->real * b->real), range});
  }
  if (op == Op::Divide && isReal(b) && std::isnormal(b->real) &&
      std::isnormal(1 / b->real))
    return arithmetic(Op::Mul, left, {real(1 / b->real), right.range});
  if ((op == Op::Add || op == Op::Sub) && isReal(b) && b->real == 0)
    return a;
  return nullptr;
}

Node *Builder::foldInteger(Op op, llvm::ArrayRef<Operand> operands,
                           SourceRange range) {
  Operand left = operands.front(), right = operands.back();
  Node *a = left.node, *b = right.node;
  if (!a->isScalar() || !b->isScalar() || a->isQuotient || b->isQuotient)
    return nullptr;
  auto isConstant = [](const Node *node) { return node->op == Op::Integer; };
  if (isConstant(a) && isConstant(b))
    return nullptr; // by its range
  if (op == Op::Sub) {
    if (a == b)
      return integer(0);
    if (isConstant(b) && b->integer != INT64_MIN)
      return arithmetic(Op::Add, left, {integer(-b->integer), right.range});
  }
  if (op == Op::Add || op == Op::Mul) {
    if (isConstant(a))
      return arithmetic(op, right, left);
    if (isConstant(b) && b->integer == (op == Op::Mul))
      return a;
    if (op == Op::Add && isConstant(b) && a->op == Op::Add &&
        isConstant(a->operands[1]) && !a->operands[0]->isQuotient) {
      Node *sum = arithmetic(op, {a->operands[1], left.range}, right);
      return arithmetic(op, {a->operands[0], left.range}, {sum, range});
    }
  }
  if (op == Op::Minimum || op == Op::Maximum) {
    bool aIsLess = a->range.high <= b->range.low;
    bool bIsLess = b->range.high <= a->range.low;
    if (aIsLess || bIsLess)
      return aIsLess == (op == Op::Minimum) ? a : b;
  }
  return nullptr;
}

} // namespace rapt::frontend
