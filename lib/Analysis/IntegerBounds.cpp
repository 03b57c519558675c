// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Analysis/MaskInterpreter.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"
#include <numeric>

using namespace mlir;

namespace rapt::analysis {

Value MaskInterpreter::getExact(Value value) {
  Bounds bounds = get(scopes.front().get(), value);
  return bounds.isExact() ? bounds.low : Value();
}

Bounds MaskInterpreter::get(Scope *scope, Value value) {
  if (auto found = scope->known.find(value); found != scope->known.end())
    return found->second;
  Bounds bounds;
  if (scope->parent) {
    bounds = get(scope->parent, value);
    // What is the same for all pairs is so in each part.
    if (bounds.isExact() || !isAffected(scope, value)) {
      scope->known[value] = bounds;
      return bounds;
    }
  }
  if (Operation *op = value.getDefiningOp(); op && !given.contains(value))
    bounds = interpret(scope, op);
  // Of reals the comparison is noted.
  if (Operation *op = value.getDefiningOp();
      op && !scope->parent && !bounds.isKnown() &&
      (isa<attn::ReadOp>(op) || !value.getType().isInteger(1)) &&
      value.getType().isInteger())
    noteUnknown(op);
  // Forms ask whether a value is exact, also this one.
  scope->known[value] = bounds;
  if (value.getType().isInteger() && !value.getType().isInteger(1))
    bounds = refineByForm(scope, value, bounds);
  return scope->known[value] = bounds;
}

/// Known bounds, cut by what the scope says of the linear form.
Bounds MaskInterpreter::narrow(Scope *scope, const LinearForm &form,
                               Bounds bounds) {
  FormKey key = forms.getKey(form);
  Bounds known = getConstraint(scope, key.number);
  if (key.scale < 0)
    std::swap(known.low, known.high);
  auto scaled = [&](Value value) {
    return add(fold<arith::MulIOp>(value, constant(key.scale)), form.exact);
  };
  if (known.low)
    bounds.low = maximum(bounds.low, scaled(known.low));
  if (known.high)
    bounds.high = minimum(bounds.high, scaled(known.high));
  return bounds;
}

/// The sum of the bounds of the terms.
Bounds MaskInterpreter::sum(Scope *scope, const LinearForm &form) {
  Value zero = constant(int64_t(0));
  Value low = form.exact ? form.exact : zero, high = low;
  bool isExact = true;
  for (auto [number, coefficient] : form.terms) {
    Bounds atom = get(scope, forms.getAtom(number));
    if (!atom.isKnown())
      return {};
    if (coefficient < 0)
      std::swap(atom.low, atom.high);
    Value factor = constant(coefficient);
    low = add(low, fold<arith::MulIOp>(atom.low, factor));
    high = add(high, fold<arith::MulIOp>(atom.high, factor));
    isExact &= atom.isExact();
  }
  Bounds bounds{low, isExact ? low : high};
  if (isExact || form.terms.empty())
    return bounds;
  return narrow(scope, form, bounds);
}

/// What the linear form of a value and its scope say beyond its operation.
Bounds MaskInterpreter::refineByForm(Scope *scope, Value value, Bounds bounds) {
  if (bounds.isExact())
    return bounds;
  LinearForm form = forms.get(value);
  if (form.terms.empty() || !form.isSmall())
    return bounds;
  Operation *op = value.getDefiningOp();
  bool cancels = false;
  if (isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op))
    cancels = form.terms.size() < forms.get(op->getOperand(0)).terms.size() +
                                      forms.get(op->getOperand(1)).terms.size();
  if (cancels)
    if (Bounds other = sum(scope, form); other.isKnown())
      return bounds.isKnown() && !other.isExact()
                 ? Bounds{maximum(bounds.low, other.low),
                          minimum(bounds.high, other.high)}
                 : other;
  if (!bounds.isKnown())
    return bounds;
  return narrow(scope, form, bounds);
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// Of booleans the bounds are numbers, 0 or 1.
Bounds MaskInterpreter::interpretRead(Scope *scope, attn::ReadOp op) {
  if (!op.getType().isInteger())
    return {};
  SmallVector<Bounds> indices;
  for (Value index : op.getIndices()) {
    indices.push_back(get(scope, index));
    if (!indices.back().isKnown())
      return {};
  }
  return readRange(op.getTensor(), indices);
}

/// An operation that rises with a, and rises or falls with b.
template <typename Op>
Bounds MaskInterpreter::monotone(Bounds a, Bounds b, bool bFalls) {
  if (!a.isKnown() || !b.isKnown())
    return {};
  Value low = fold<Op>(a.low, bFalls ? b.high : b.low);
  if (a.isExact() && b.isExact())
    return {low, low};
  return {low, fold<Op>(a.high, bFalls ? b.low : b.high)};
}

Bounds MaskInterpreter::multiply(Bounds a, Bounds b) {
  if (!a.isKnown() || !b.isKnown())
    return {};
  Value first = fold<arith::MulIOp>(a.low, b.low);
  if (a.isExact() && b.isExact())
    return {first, first};
  Value low = first, high = first;
  auto join = [&](Value x, Value y) {
    Value product = fold<arith::MulIOp>(x, y);
    low = minimum(low, product);
    high = maximum(high, product);
  };
  join(a.high, b.high);
  if (!a.isExact() && !b.isExact()) {
    join(a.low, b.high);
    join(a.high, b.low);
  }
  return {low, high};
}

/// By a positive divisor: rises with a; with b it moves towards 0 or -1.
Bounds MaskInterpreter::floorDivide(Bounds a, Bounds b) {
  if (!a.isKnown() || !b.isKnown())
    return {};
  // A divisor that is not positive has no meaning; it must not trap either.
  Value one = constant(int64_t(1));
  Value divisor = maximum(b.low, one);
  if (b.isExact()) {
    Value low = floorDivide(a.low, divisor);
    return {low, a.isExact() ? low : floorDivide(a.high, divisor)};
  }
  Value other = maximum(b.high, one);
  return {minimum(floorDivide(a.low, divisor), floorDivide(a.low, other)),
          maximum(floorDivide(a.high, divisor), floorDivide(a.high, other))};
}

/// With the same quotient at both ends the remainder rises with a; else it may
/// be anything below the divisor that the congruence of a allows.
Bounds MaskInterpreter::modulo(Bounds a, Bounds b, Value dividend) {
  if (!b.isKnown())
    return {};
  Value zero = constant(int64_t(0)), one = constant(int64_t(1));
  Value largest = subtract(maximum(b.high, one), one);
  if (!a.isKnown())
    return {zero, largest};
  if (!b.isExact()) {
    // What is below the divisor stays as it is.
    Value isNatural = compare(Predicate::sge, a.low, zero);
    Value isBelow = both(isNatural, compare(Predicate::slt, a.high, b.low));
    return {select(isBelow, a.low, zero),
            minimum(largest, select(isNatural, a.high, largest))};
  }
  Value divisor = maximum(b.low, one);
  Value first = floorDivide(a.low, divisor);
  Value base = fold<arith::MulIOp>(first, divisor);
  Value low = subtract(a.low, base);
  if (a.isExact())
    return {low, low};
  Value least = zero;
  std::optional<int64_t> number = getConstant(divisor);
  LinearForm form = forms.get(dividend);
  if (number && form.isSmall()) {
    Congruence known = forms.getCongruence(form);
    int64_t common = std::gcd(known.modulus, *number);
    if (common > 1) {
      if (known.residue)
        least = modulo(known.residue, constant(common));
      largest = add(constant(*number - common), least);
    }
  }
  Value isOne = compare(Predicate::eq, first, floorDivide(a.high, divisor));
  return {select(isOne, low, least),
          select(isOne, subtract(a.high, base), largest)};
}

Bounds MaskInterpreter::absolute(Bounds a) {
  if (!a.isKnown())
    return {};
  Value zero = constant(int64_t(0));
  Value negated = subtract(zero, a.low);
  if (a.isExact()) {
    Value value = maximum(a.low, negated);
    return {value, value};
  }
  // The least absolute value is at 0 or at the end nearer to it.
  Value low = maximum(maximum(a.low, subtract(zero, a.high)), zero);
  return {low, maximum(a.high, negated)};
}

Bounds MaskInterpreter::interpretSelect(Scope *scope, arith::SelectOp op) {
  Value condition = op.getCondition();
  if (Value exact = getExactBoolean(condition)) {
    Bounds a = get(scope, op.getTrueValue());
    Bounds b = get(scope, op.getFalseValue());
    if (!a.isKnown() || !b.isKnown())
      return {};
    Value low = select(exact, a.low, b.low);
    bool isExact = a.isExact() && b.isExact();
    return {low, isExact ? low : select(exact, a.high, b.high)};
  }
  Bounds a = get(refine(scope, Literal{condition, true}), op.getTrueValue());
  Bounds b = get(refine(scope, Literal{condition, false}), op.getFalseValue());
  if (!a.isKnown() || !b.isKnown())
    return {};
  Value mayHold = mayBe(scope, condition, true);
  Value mayFail = mayBe(scope, condition, false);
  bool isReal = isa<FloatType>(op.getType());
  auto join = [&](Value x, Value y, bool isLow) -> Value {
    if (!isReal)
      return isLow ? minimum(x, y) : maximum(x, y);
    return isLow ? fold<arith::MinimumFOp>(x, y)
                 : fold<arith::MaximumFOp>(x, y);
  };
  auto choose = [&](Value x, Value y, bool isLow) {
    return select(mayFail, select(mayHold, join(x, y, isLow), y), x);
  };
  return {choose(a.low, b.low, true), choose(a.high, b.high, false)};
}

Bounds MaskInterpreter::interpret(Scope *scope, Operation *op) {
  if (op->getNumResults() != 1)
    return {};
  Value result = op->getResult(0);
  if (isa<FloatType>(result.getType()))
    return interpretReal(scope, op);
  return result.getType().isInteger() ? interpretInteger(scope, op) : Bounds();
}

Bounds MaskInterpreter::interpretInteger(Scope *scope, Operation *op) {
  if (Value value =
          evaluateShape(op, [&](Value value) { return getExact(value); }))
    return {value, value};
  bool isBoolean = op->getResult(0).getType().isInteger(1);
  if (auto read = dyn_cast<attn::ReadOp>(op))
    return interpretRead(scope, read);
  if (isBoolean) // is not asked for as a number
    return {};
  auto operand = [&](unsigned n) { return get(scope, op->getOperand(n)); };
  return TypeSwitch<Operation *, Bounds>(op)
      .Case([&](arith::ConstantOp op) -> Bounds {
        Value value = constant(cast<IntegerAttr>(op.getValue()).getInt());
        return {value, value};
      })
      .Case([&](arith::SelectOp op) { return interpretSelect(scope, op); })
      .Case([&](arith::FPToSIOp op) { return interpretFloor(scope, op); })
      .Case([&](arith::AddIOp) {
        return monotone<arith::AddIOp>(operand(0), operand(1), false);
      })
      .Case([&](arith::SubIOp) {
        return monotone<arith::SubIOp>(operand(0), operand(1), true);
      })
      .Case([&](arith::MinSIOp) {
        return monotone<arith::MinSIOp>(operand(0), operand(1), false);
      })
      .Case([&](arith::MaxSIOp) {
        return monotone<arith::MaxSIOp>(operand(0), operand(1), false);
      })
      .Case([&](arith::MulIOp) { return multiply(operand(0), operand(1)); })
      .Case(
          [&](attn::FloorDivOp) { return floorDivide(operand(0), operand(1)); })
      .Case([&](attn::ModOp op) {
        return modulo(operand(0), operand(1), op->getOperand(0));
      })
      .Case([&](math::AbsIOp) { return absolute(operand(0)); })
      // A wider type has the same value; a narrower one too, because the front
      // end narrows only what fits.
      .Case<arith::ExtSIOp, arith::TruncIOp>([&](auto op) -> Bounds {
        return op.getIn().getType().isInteger(1) ? Bounds() : operand(0);
      })
      .Case([&](arith::ExtUIOp op) -> Bounds {
        if (!op.getIn().getType().isInteger(1))
          return {};
        auto number = [&](Value value) -> Value {
          return arith::ExtUIOp::create(builder, location, builder.getI64Type(),
                                        value);
        };
        if (Value exact = getExactBoolean(op.getIn())) {
          Value value = number(exact);
          return {value, value};
        }
        return {number(invert(mayBe(scope, op.getIn(), false))),
                number(mayBe(scope, op.getIn(), true))};
      })
      .Case([&](math::CountLeadingZerosOp op) -> Bounds {
        Bounds x = operand(0);
        if (!x.isKnown())
          return {};
        // Of as many bits as the type has; falls with what is not negative.
        Value surplus =
            constant(int64_t(64) - cast<IntegerType>(op.getType()).getWidth());
        auto count = [&](Value value) {
          Value natural = maximum(value, constant(int64_t(0)));
          Value zeros =
              math::CountLeadingZerosOp::create(builder, location, natural);
          Value isNatural =
              compare(Predicate::sge, value, constant(int64_t(0)));
          return std::pair(subtract(zeros, surplus), isNatural);
        };
        auto [most, isNatural] = count(x.low);
        Value zero = constant(int64_t(0));
        if (x.isExact()) {
          Value value = select(isNatural, most, zero);
          return {value, value};
        }
        return {select(isNatural, count(x.high).first, zero), most};
      })
      .Case([&](arith::XOrIOp) -> Bounds {
        Bounds a = operand(0), b = operand(1);
        if (!a.isExact() || !b.isExact())
          return {};
        Value value = fold<arith::XOrIOp>(a.low, b.low);
        return {value, value};
      })
      .Default([](Operation *) { return Bounds(); });
}

} // namespace rapt::analysis
