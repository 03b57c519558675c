// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Parts of a rectangle: the pairs for which comparisons of linear forms with
// what is the same for all pairs hold.

#include "lib/Analysis/MaskInterpreter.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace rapt::analysis {

/// Scopes inside scopes, and scopes of one mask: beyond them nothing more is
/// said of a part than of the whole, so that the plan stays small.
static constexpr unsigned kMostDepth = 3;
static constexpr size_t kMostScopes = 64;

arith::CmpIPredicate negate(arith::CmpIPredicate predicate) {
  using Predicate = arith::CmpIPredicate;
  switch (predicate) {
  case Predicate::slt:
    return Predicate::sge;
  case Predicate::sle:
    return Predicate::sgt;
  case Predicate::sgt:
    return Predicate::sle;
  case Predicate::sge:
    return Predicate::slt;
  case Predicate::ult:
    return Predicate::uge;
  case Predicate::ule:
    return Predicate::ugt;
  case Predicate::ugt:
    return Predicate::ule;
  case Predicate::uge:
    return Predicate::ult;
  case Predicate::eq:
    return Predicate::ne;
  case Predicate::ne:
    return Predicate::eq;
  }
}

Bounds MaskInterpreter::getConstraint(Scope *scope, unsigned key) {
  // A scope repeats what its parents say of a key.
  for (; scope; scope = scope->parent)
    if (auto found = scope->constraints.find(key);
        found != scope->constraints.end())
      return found->second;
  return {};
}

/// low <= form <= high; either may be null.
void MaskInterpreter::addConstraint(Scope &scope, const LinearForm &form,
                                    Value low, Value high, unsigned depth) {
  if (form.terms.empty() || !form.isSmall())
    return;
  FormKey key = forms.getKey(form);
  if (low)
    low = subtract(low, form.exact);
  if (high)
    high = subtract(high, form.exact);
  if (key.scale < 0) {
    auto negative = [&](Value value) {
      return value ? subtract(constant(int64_t(0)), value) : value;
    };
    std::tie(low, high) = std::pair(negative(high), negative(low));
  }
  int64_t size = std::abs(key.scale);
  if (size > 1) {
    if (low) // rounded up
      low = floorDivide(add(low, constant(size - 1)), constant(size));
    if (high)
      high = floorDivide(high, constant(size));
  }
  Bounds known = getConstraint(&scope, key.number);
  auto join = [](Value a, Value b, auto meet) {
    return a && b ? meet(a, b) : a ? a : b;
  };
  known.low =
      join(known.low, low, [&](Value a, Value b) { return maximum(a, b); });
  known.high =
      join(known.high, high, [&](Value a, Value b) { return minimum(a, b); });
  scope.constraints[key.number] = known;

  // What a bound of a function says of its operand.
  Value atom = forms.getSingleAtom(key.number);
  Operation *op = atom ? atom.getDefiningOp() : nullptr;
  if (!op || depth > 4)
    return;
  auto pass = [&](Value operand, Value least, Value largest) {
    LinearForm inner = forms.get(operand);
    addConstraint(scope, inner, least, largest, depth + 1);
  };
  Scope *whole = scopes.front().get();
  if (isa<arith::MinSIOp, arith::MaxSIOp>(op)) {
    bool isMinimum = isa<arith::MinSIOp>(op);
    if (isMinimum ? low : high)
      for (Value operand : op->getOperands())
        pass(operand, isMinimum ? low : Value(), isMinimum ? Value() : high);
  } else if (isa<math::AbsIOp>(op) && high) {
    pass(op->getOperand(0), subtract(constant(int64_t(0)), high), high);
  } else if (isa<attn::FloorDivOp>(op)) {
    // Not beyond what the quotient is, so that products fit.
    Value divisor = getExact(op->getOperand(1));
    Bounds all = get(whole, atom);
    if (!divisor || !all.isKnown())
      return;
    divisor = maximum(divisor, constant(int64_t(1)));
    Value least, largest;
    if (low)
      least = fold<arith::MulIOp>(maximum(minimum(low, all.high), all.low),
                                  divisor);
    if (high) {
      Value last = maximum(minimum(high, all.high), all.low);
      largest = add(fold<arith::MulIOp>(last, divisor),
                    subtract(divisor, constant(int64_t(1))));
    }
    pass(op->getOperand(0), least, largest);
  }
}

void MaskInterpreter::addComparison(Scope &scope, arith::CmpIOp op,
                                    Predicate predicate) {
  if (op.getLhs().getType().isInteger(1))
    return;
  LinearForm a = forms.get(op.getLhs()), b = forms.get(op.getRhs());
  std::optional<LinearForm> difference = forms.subtract(a, b);
  if (!difference || difference->terms.empty())
    return;
  auto within = [&](std::optional<int64_t> low, std::optional<int64_t> high) {
    addConstraint(scope, *difference, low ? constant(*low) : Value(),
                  high ? constant(*high) : Value(), 0);
  };
  switch (predicate) {
  case Predicate::slt:
    return within(std::nullopt, -1);
  case Predicate::sle:
    return within(std::nullopt, 0);
  case Predicate::sgt:
    return within(1, std::nullopt);
  case Predicate::sge:
    return within(0, std::nullopt);
  case Predicate::eq:
    return within(0, 0);
  default:
    return;
  }
}

/// The part of `scope` in which all `literals` hold that are comparisons; the
/// scope itself if that says nothing.
MaskInterpreter::Scope *MaskInterpreter::refine(Scope *scope,
                                                ArrayRef<Literal> literals) {
  if (scope->depth >= kMostDepth || scopes.size() >= kMostScopes)
    return scope;
  auto part = std::make_unique<Scope>();
  part->parent = scope;
  part->depth = scope->depth + 1;
  for (Literal literal : literals)
    if (auto op = given.contains(literal.value)
                      ? arith::CmpIOp()
                      : literal.value.getDefiningOp<arith::CmpIOp>())
      addComparison(*part, op,
                    literal.wanted ? op.getPredicate()
                                   : negate(op.getPredicate()));
  if (part->constraints.empty())
    return scope;
  scopes.push_back(std::move(part));
  return scopes.back().get();
}

/// Whether more is known of a value in a scope than in its parent.
bool MaskInterpreter::isAffected(Scope *scope, Value value) {
  auto [entry, isNew] = scope->affected.try_emplace(value, false);
  if (!isNew)
    return entry->second;
  bool result = false;
  bool isGiven = given.contains(value);
  Operation *op = isGiven ? nullptr : value.getDefiningOp();
  if (value.getType().isInteger() && !value.getType().isInteger(1)) {
    LinearForm form = forms.get(value);
    if (!form.terms.empty() && form.isSmall())
      result = scope->constraints.contains(forms.getKey(form).number);
    // What it is made of by cancelling.
    for (auto [atom, coefficient] : form.terms)
      if (!result && !isGiven && form.terms.size() > 1)
        result = isAffected(scope, forms.getAtom(atom));
  }
  if (!result && op)
    result = llvm::any_of(op->getOperands(), [&](Value operand) {
      return operand.getType().isIntOrFloat() && isAffected(scope, operand);
    });
  return scope->affected[value] = result;
}

} // namespace rapt::analysis
