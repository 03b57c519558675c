// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Comparisons, what is made of booleans, and the choice between two values.

#include "lib/Frontend/Builder.h"

namespace rapt::frontend {

static Op getOp(CompareOp op) {
  switch (op) {
  case CompareOp::Eq:
    return Op::Equal;
  case CompareOp::Ne:
    return Op::NotEqual;
  case CompareOp::Lt:
    return Op::Less;
  case CompareOp::Le:
    return Op::LessEqual;
  case CompareOp::Gt:
    return Op::Greater;
  default:
    return Op::GreaterEqual;
  }
}

/// What the ranges alone decide.
static std::optional<bool> decide(Op op, Interval a, Interval b) {
  bool below = a.high<b.low, above = a.low> b.high;
  bool equal = a.isPoint() && b.isPoint() && a.low == b.low;
  auto answer = [](bool yes, bool no) -> std::optional<bool> {
    if (yes || no)
      return yes;
    return std::nullopt;
  };
  switch (op) {
  case Op::Equal:
    return answer(equal, below || above);
  case Op::NotEqual:
    return answer(below || above, equal);
  case Op::Less:
    return answer(below, a.low >= b.high);
  case Op::LessEqual:
    return answer(a.high <= b.low, above);
  case Op::Greater:
    return answer(above, a.high <= b.low);
  default:
    return answer(a.low >= b.high, below);
  }
}

Node *Builder::compare(CompareOp written, Operand a, Operand b) {
  if (a.node->isPoison() || b.node->isPoison())
    return poison();
  SourceRange range = cover(a.range, b.range);
  for (Operand operand : {a, b})
    if (operand.node->scalar == Scalar::Set && !expectNumber(operand))
      return poison();
  Op op = getOp(written);
  bool areBooleans =
      a.node->scalar == Scalar::Boolean && b.node->scalar == Scalar::Boolean;
  if (areBooleans && (op == Op::Equal || op == Op::NotEqual)) {
    if (a.node->isConstant() && b.node->isConstant())
      return boolean((a.node == b.node) == (op == Op::Equal));
    return elementwise(op, Scalar::Boolean, {a, b}, range);
  }
  if (areBooleans)
    return error(range, "booleans have no order; expected '==' or '!='");
  if (a.node->scalar == Scalar::Boolean || b.node->scalar == Scalar::Boolean) {
    Operand &wrong = a.node->scalar == Scalar::Boolean ? a : b;
    Operand &other = a.node->scalar == Scalar::Boolean ? b : a;
    diags
        .error(wrong.range, "expected a number, found " + describe(*wrong.node))
        .note(other.range, "compared with " + describe(*other.node));
    return poison();
  }
  if (areIntegers(a, b)) {
    if (a.node->isScalar() && b.node->isScalar())
      if (auto answer = decide(op, a.node->range, b.node->range))
        return boolean(*answer);
    return elementwise(op, Scalar::Boolean, {a, b}, range);
  }
  Operand operands[] = {{toReal(a), a.range}, {toReal(b), b.range}};
  return elementwise(op, Scalar::Boolean, operands, range);
}

Node *Builder::logical(Op op, Operand a, Operand b) {
  bool isFine = expectBoolean(a);
  if (!expectBoolean(b) || !isFine)
    return poison();
  for (auto [one, other] : {std::pair(a, b), std::pair(b, a)})
    if (one.node->op == Op::Boolean && other.node->isScalar())
      return (one.node->integer != 0) == (op == Op::And) ? other.node
                                                         : one.node;
  if (a.node == b.node)
    return a.node;
  return elementwise(op, Scalar::Boolean, {a, b}, cover(a.range, b.range));
}

Node *Builder::logicalNot(Operand a) {
  if (!expectBoolean(a))
    return poison();
  if (a.node->op == Op::Boolean)
    return boolean(a.node->integer == 0);
  if (a.node->op == Op::Not)
    return a.node->operands.front();
  return elementwise(Op::Not, Scalar::Boolean, a, a.range);
}

Node *Builder::select(Operand condition, Operand a, Operand b) {
  if (!expectBoolean(condition) || a.node->isPoison() || b.node->isPoison())
    return poison();
  for (Operand operand : {a, b})
    if (operand.node->scalar == Scalar::Set)
      return error(operand.range, "expected a boolean or a number, found a "
                                  "set; 'x in set' asks it");
  bool isBoolean = a.node->scalar == Scalar::Boolean;
  if (isBoolean != (b.node->scalar == Scalar::Boolean)) {
    diags
        .error(b.range, "expected " +
                            std::string(isBoolean ? "a boolean" : "a number") +
                            ", found " + describe(*b.node))
        .note(a.range, "the other choice is " + describe(*a.node));
    return poison();
  }
  if (!isBoolean && !areIntegers(a, b)) {
    a.node = toReal(a);
    b.node = toReal(b);
    if (a.node->isPoison() || b.node->isPoison())
      return poison();
  }
  if (a.node == b.node && condition.node->isScalar())
    return a.node;
  bool sameFeatures = a.node->features.size() == b.node->features.size();
  if (condition.node->op == Op::Boolean && sameFeatures)
    return condition.node->integer ? a.node : b.node;
  return elementwise(Op::Select, a.node->scalar, {condition, a, b},
                     cover(condition.range, cover(a.range, b.range)),
                     a.node->range.join(b.node->range),
                     a.node->isQuotient || b.node->isQuotient);
}

Node *Builder::contains(Operand set, Operand element, SourceRange range) {
  if (!expectInteger(element, "an integer before 'in'") || set.node->isPoison())
    return poison();
  if (set.node->scalar == Scalar::Set) {
    Node read = *set.node;
    read.scalar = Scalar::Boolean;
    read.operands.back() = element.node;
    return make(std::move(read), range);
  }
  if (!set.node->isRow() || set.node->scalar != Scalar::Integer)
    return error(set.range, "expected a set (top, cover or above) or a row of "
                            "integers after 'in', found " +
                                describe(*set.node));
  Operand equal{compare(CompareOp::Eq, set, element), range};
  Operand one{toInteger(equal), range};
  Operand count{reduce(Op::ReduceAdd, one), range};
  return compare(CompareOp::Gt, count, {integer(0), range});
}

} // namespace rapt::frontend
