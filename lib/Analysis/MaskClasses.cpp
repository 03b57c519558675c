// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Analysis/MaskClasses.h"
#include "lib/Analysis/MaskInterpreter.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace rapt::analysis {

MaskInterpreter::MaskInterpreter(OpBuilder &builder, Location location,
                                 llvm::DenseMap<Value, Bounds> bounds,
                                 ReadRange readRange,
                                 EvaluateShape evaluateShape)
    : builder(builder), location(location), readRange(readRange),
      evaluateShape(evaluateShape),
      forms(builder, location,
            [this](Value value) { return getExact(value); }) {
  scopes.push_back(std::make_unique<Scope>());
  for (auto [value, known] : bounds)
    if (value.getDefiningOp())
      given[value] = known;
  scopes.front()->known = std::move(bounds);
}

/// Remembers an operation unless an operand was asked for and is unknown.
void MaskInterpreter::noteUnknown(Operation *op) {
  const llvm::DenseMap<Value, Bounds> &known = scopes.front()->known;
  for (Value operand : op->getOperands())
    if (auto entry = known.find(operand);
        entry != known.end() && operand.getType().isInteger() &&
        !operand.getType().isInteger(1) && !entry->second.isKnown())
      return;
  unknown.insert(op);
}

void MaskInterpreter::linkPositions(Value row, Value position) {
  Bounds rows = get(scopes.front().get(), row);
  Bounds positions = get(scopes.front().get(), position);
  if (rows.isKnown() && positions.isKnown())
    forms.setOffset(position, row, subtract(positions.low, rows.low));
}

Value MaskInterpreter::constant(bool value) {
  return arith::ConstantOp::create(builder, location,
                                   builder.getBoolAttr(value));
}

Value MaskInterpreter::constant(int64_t value) {
  return arith::ConstantOp::create(builder, location,
                                   builder.getI64IntegerAttr(value));
}

//===----------------------------------------------------------------------===//
// Logic
//===----------------------------------------------------------------------===//

/// A boolean that is the same for every pair of the rectangle, or null.
Value MaskInterpreter::getExactBoolean(Value value) {
  if (auto found = exactBooleans.find(value); found != exactBooleans.end())
    return found->second;
  auto find = [&]() -> Value {
    if (auto known = given.find(value); known != given.end())
      return known->second.isExact() ? known->second.low : Value();
    Operation *op = value.getDefiningOp();
    if (!op || !value.getType().isInteger(1))
      return {};
    if (isa<arith::ConstantOp>(op))
      return constant(matchPattern(value, m_One()));
    if (isa<attn::ReadOp>(op)) {
      Bounds bounds = get(scopes.front().get(), value);
      return bounds.isExact()
                 ? compare(Predicate::ne, bounds.low, constant(int64_t(0)))
                 : Value();
    }
    if (!isa<arith::CmpIOp, arith::CmpFOp, arith::AndIOp, arith::OrIOp,
             arith::XOrIOp, arith::SelectOp>(op))
      return {};
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      operands.push_back(operand.getType().isInteger(1)
                             ? getExactBoolean(operand)
                             : getExact(operand));
      if (!operands.back())
        return {};
    }
    return TypeSwitch<Operation *, Value>(op)
        .Case([&](arith::CmpIOp op) {
          return compare(op.getPredicate(), operands[0], operands[1]);
        })
        .Case([&](arith::CmpFOp op) {
          return builder.createOrFold<arith::CmpFOp>(
              location, op.getPredicate(), operands[0], operands[1]);
        })
        .Case([&](arith::SelectOp) {
          return select(operands[0], operands[1], operands[2]);
        })
        .Case<arith::AndIOp, arith::OrIOp, arith::XOrIOp>([&](auto logic) {
          return fold<decltype(logic)>(operands[0], operands[1]);
        })
        .Default([](Operation *) { return Value(); });
  };
  Value result = find();
  return exactBooleans[value] = result;
}

Value MaskInterpreter::mayBe(Scope *scope, Value value, bool wanted) {
  auto found = scope->possible.find({value, wanted});
  if (found != scope->possible.end())
    return found->second;
  Value result = scope->parent && !isAffected(scope, value)
                     ? mayBe(scope->parent, value, wanted)
                     : findPossible(scope, value, wanted);
  return scope->possible[{value, wanted}] = result;
}

Value MaskInterpreter::findPossible(Scope *scope, Value value, bool wanted) {
  if (Value exact = getExactBoolean(value))
    return wanted ? exact : invert(exact);
  if (auto known = given.find(value); known != given.end())
    return wanted ? known->second.low : invert(known->second.high);
  Operation *op = value.getDefiningOp();
  if (!op)
    return constant(true);
  return TypeSwitch<Operation *, Value>(op)
      .Case<arith::AndIOp, arith::OrIOp>([&](auto logic) {
        Value a = logic.getLhs(), b = logic.getRhs();
        if (isa<arith::AndIOp>(op) == wanted)
          return mayAllBe(scope, {{a, wanted}, {b, wanted}});
        return either(mayBe(scope, a, wanted), mayBe(scope, b, wanted));
      })
      .Case([&](arith::XOrIOp logic) {
        if (matchPattern(logic.getRhs(), m_One())) // a negation
          return mayBe(scope, logic.getLhs(), !wanted);
        return mayAgree(scope, logic.getLhs(), logic.getRhs(), !wanted);
      })
      .Case([&](arith::SelectOp op) {
        Value c = op.getCondition();
        return either(
            mayAllBe(scope, {{c, true}, {op.getTrueValue(), wanted}}),
            mayAllBe(scope, {{c, false}, {op.getFalseValue(), wanted}}));
      })
      .Case([&](arith::CmpIOp op) {
        Predicate predicate =
            wanted ? op.getPredicate() : negate(op.getPredicate());
        if (!op.getLhs().getType().isInteger(1))
          return mayCompare(scope, op, predicate);
        if (predicate != Predicate::eq && predicate != Predicate::ne)
          return constant(true);
        return mayAgree(scope, op.getLhs(), op.getRhs(),
                        predicate == Predicate::eq);
      })
      .Case([&](arith::CmpFOp op) { return mayCompare(scope, op, wanted); })
      .Case([&](attn::ReadOp) {
        Bounds bounds = get(scope, value);
        if (!bounds.isKnown())
          return constant(true);
        Value zero = constant(int64_t(0));
        return wanted ? compare(Predicate::ne, bounds.high, zero)
                      : compare(Predicate::eq, bounds.low, zero);
      })
      .Default([&](Operation *op) {
        noteUnknown(op);
        return constant(true);
      });
}

/// Whether all may be so for one pair: each in the part of the rectangle where
/// those that are comparisons hold.
Value MaskInterpreter::mayAllBe(Scope *scope, ArrayRef<Literal> literals) {
  // Conjunctions of conjunctions are one.
  SmallVector<Literal> flat;
  llvm::DenseSet<std::pair<Value, unsigned>> seen;
  SmallVector<Literal> open(llvm::reverse(literals));
  while (!open.empty()) {
    auto [value, wanted] = open.pop_back_val();
    if (!seen.insert({value, wanted}).second)
      continue;
    Operation *op = given.contains(value) ? nullptr : value.getDefiningOp();
    if (op && isa<arith::AndIOp, arith::OrIOp>(op) &&
        isa<arith::AndIOp>(op) == wanted) {
      open.push_back({op->getOperand(1), wanted});
      open.push_back({op->getOperand(0), wanted});
    } else if (isa_and_nonnull<arith::XOrIOp>(op) &&
               matchPattern(op->getOperand(1), m_One())) {
      open.push_back({op->getOperand(0), !wanted});
    } else {
      flat.push_back({value, wanted});
    }
  }
  Scope *part = flat.size() > 1 ? refine(scope, flat) : scope;
  Value result = constant(true);
  for (auto [value, wanted] : flat)
    result = both(result, mayBe(part, value, wanted));
  return result;
}

/// Whether two booleans may be equal, or different.
Value MaskInterpreter::mayAgree(Scope *scope, Value a, Value b, bool agree) {
  return either(mayAllBe(scope, {{a, true}, {b, agree}}),
                mayAllBe(scope, {{a, false}, {b, !agree}}));
}

//===----------------------------------------------------------------------===//
// Comparisons
//===----------------------------------------------------------------------===//

Value MaskInterpreter::mayCompare(Predicate predicate, Bounds a, Bounds b) {
  switch (predicate) {
  case Predicate::slt:
  case Predicate::sle:
    return compare(predicate, a.low, b.high);
  case Predicate::sgt:
  case Predicate::sge:
    return compare(predicate, a.high, b.low);
  case Predicate::eq:
    return both(compare(Predicate::sle, a.low, b.high),
                compare(Predicate::sle, b.low, a.high));
  case Predicate::ne:
    return either(compare(Predicate::ne, a.low, b.high),
                  compare(Predicate::ne, a.high, b.low));
  default:
    return constant(true);
  }
}

Value MaskInterpreter::mayCompare(Scope *scope, arith::CmpIOp op,
                                  Predicate predicate) {
  Value result = constant(true);
  Bounds a = get(scope, op.getLhs()), b = get(scope, op.getRhs());
  if (a.isKnown() && b.isKnown())
    result = mayCompare(predicate, a, b);
  LinearForm left = forms.get(op.getLhs()), right = forms.get(op.getRhs());
  std::optional<LinearForm> difference = forms.subtract(left, right);
  if (!difference)
    return result;
  Value zero = constant(int64_t(0));
  // With a side that is the same for all pairs the bounds say it already.
  if (!left.terms.empty() && !right.terms.empty()) {
    bool isBetter =
        difference->terms.size() < left.terms.size() + right.terms.size();
    if (!isBetter) {
      Bounds known = getConstraint(scope, forms.getKey(*difference).number);
      isBetter = known.low || known.high;
    }
    if (isBetter)
      if (Bounds bounds = sum(scope, *difference); bounds.isKnown())
        result = both(result, mayCompare(predicate, bounds, {zero, zero}));
  }
  if (Value found = mayHaveRemainder(scope, *difference, predicate))
    result = both(result, found);
  if (predicate == Predicate::eq) {
    Congruence known = forms.getCongruence(*difference);
    if (known.modulus > 1 && known.residue)
      result =
          both(result,
               compare(Predicate::eq,
                       modulo(known.residue, constant(known.modulus)), zero));
  }
  return result;
}

/// Comparisons of `x mod m` with what is exact: the least x of the range whose
/// remainder is one of those asked for must not lie beyond the range. Null if
/// `difference` is not of this form.
Value MaskInterpreter::mayHaveRemainder(Scope *scope,
                                        const LinearForm &difference,
                                        Predicate predicate) {
  if (difference.terms.size() != 1 ||
      std::abs(difference.terms.front().second) != 1)
    return {};
  auto [number, sign] = difference.terms.front();
  auto op = forms.getAtom(number).getDefiningOp<attn::ModOp>();
  Value divisor = op ? getExact(op->getOperand(1)) : Value();
  Bounds range = divisor ? get(scope, op->getOperand(0)) : Bounds();
  if (!range.isKnown() || range.isExact())
    return {};
  Value zero = constant(int64_t(0)), one = constant(int64_t(1));
  Value bound = difference.exact ? difference.exact : zero;
  if (sign > 0)
    bound = subtract(zero, bound);
  divisor = maximum(divisor, one);
  Value low = zero, high = subtract(divisor, one);
  bool isBelow = predicate == Predicate::slt || predicate == Predicate::sle;
  bool isAbove = predicate == Predicate::sgt || predicate == Predicate::sge;
  bool isStrict = predicate == Predicate::slt || predicate == Predicate::sgt;
  if (!isBelow && !isAbove && predicate != Predicate::eq)
    return {};
  if (sign < 0)
    std::swap(isBelow, isAbove);
  if (isBelow || predicate == Predicate::eq)
    high = minimum(high, isStrict ? subtract(bound, one) : bound);
  if (isAbove || predicate == Predicate::eq)
    low = maximum(low, isStrict ? add(bound, one) : bound);
  Bounds known = getConstraint(scope, forms.getKey(difference).number);
  if (known.low)
    low = maximum(low, known.low);
  if (known.high)
    high = minimum(high, known.high);
  Value first = modulo(range.low, divisor);
  Value isPast = compare(Predicate::sgt, first, high);
  Value steps = select(isPast, add(subtract(divisor, first), low),
                       maximum(subtract(low, first), zero));
  return both(compare(Predicate::sle, low, high),
              compare(Predicate::sle, add(range.low, steps), range.high));
}

MaskClass emitMaskClasses(OpBuilder &builder, Location location, Region &mask,
                          llvm::DenseMap<Value, Bounds> bounds,
                          ReadRange readRange, EvaluateShape evaluateShape) {
  MaskInterpreter interpreter(builder, location, std::move(bounds), readRange,
                              evaluateShape);
  interpreter.linkPositions(mask.getArgument(2), mask.getArgument(3));
  Value yield = cast<attn::YieldOp>(mask.front().back()).getValue();
  Value any = interpreter.mayBe(yield, true);
  Value one =
      arith::ConstantOp::create(builder, location, builder.getBoolAttr(true));
  Value all = builder.createOrFold<arith::XOrIOp>(
      location, interpreter.mayBe(yield, false), one);
  return {any, all, llvm::to_vector(interpreter.getUnknown())};
}

Bounds emitEqual(OpBuilder &builder, Location location, Bounds a, Bounds b) {
  auto compare = [&](arith::CmpIPredicate predicate, Value x, Value y) {
    return builder.createOrFold<arith::CmpIOp>(location, predicate, x, y);
  };
  auto both = [&](Value x, Value y) {
    return builder.createOrFold<arith::AndIOp>(location, x, y);
  };
  return {both(compare(arith::CmpIPredicate::sle, a.low, b.high),
               compare(arith::CmpIPredicate::sle, b.low, a.high)),
          both(compare(arith::CmpIPredicate::eq, a.low, b.high),
               compare(arith::CmpIPredicate::eq, a.high, b.low))};
}

MaskClass emitSegments(OpBuilder &builder, Location location, Bounds segment,
                       MaskClass without, MaskClass with) {
  auto is = [&](Value bound, int64_t number) -> Value {
    Value constant = arith::ConstantOp::create(
        builder, location, builder.getI64IntegerAttr(number));
    return builder.createOrFold<arith::CmpIOp>(
        location, arith::CmpIPredicate::eq, bound, constant);
  };
  auto both = [&](Value x, Value y) {
    return builder.createOrFold<arith::AndIOp>(location, x, y);
  };
  auto either = [&](Value x, Value y) {
    return builder.createOrFold<arith::OrIOp>(location, x, y);
  };
  auto negate = [&](Value x) {
    Value one =
        arith::ConstantOp::create(builder, location, builder.getBoolAttr(true));
    return builder.createOrFold<arith::XOrIOp>(location, x, one);
  };
  // A list has segments in ascending order.
  Value mayBePlain = is(segment.low, 0);
  Value mayBeMarked =
      both(negate(is(segment.low, 2)), negate(is(segment.high, 0)));
  Value isPlain = is(segment.high, 0);
  Value isMarked = both(is(segment.low, 1), is(segment.high, 1));
  Value again = both(with.any, negate(without.all));
  return {either(both(mayBePlain, without.any), both(mayBeMarked, again)),
          either(both(isPlain, without.all),
                 both(isMarked, both(with.all, negate(without.any)))),
          {}};
}

} // namespace rapt::analysis
