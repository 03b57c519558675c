// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Analysis/MaskClasses.h"
#include "dialects/Attn/IR/Attn.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace rapt::analysis {
namespace {

class MaskInterpreter {
public:
  MaskInterpreter(OpBuilder &builder, Location location,
                  llvm::DenseMap<Value, Bounds> bounds, ReadRange readRange,
                  EvaluateShape evaluateShape)
      : builder(builder), location(location), known(std::move(bounds)),
        readRange(readRange), evaluateShape(evaluateShape) {}

  Bounds get(Value value) {
    auto [entry, isNew] = known.try_emplace(value);
    if (!isNew)
      return entry->second;
    Operation *op = value.getDefiningOp();
    Bounds bounds = op ? interpret(op) : Bounds();
    if (op && !bounds.isKnown())
      noteUnknown(op);
    return known[value] = bounds;
  }

  /// Where knowledge ends.
  ArrayRef<Operation *> getUnknown() const { return unknown; }

  /// A boolean of which nothing is known may hold or not.
  Bounds getBoolean(Value value) {
    Bounds bounds = get(value);
    return bounds.isKnown() ? bounds : Bounds{constant(true), constant(false)};
  }

private:
  /// Remembers an operation unless an operand was asked for and is unknown.
  void noteUnknown(Operation *op) {
    for (Value operand : op->getOperands())
      if (auto entry = known.find(operand);
          entry != known.end() && !entry->second.isKnown())
        return;
    unknown.push_back(op);
  }

  Value constant(bool value) {
    return arith::ConstantOp::create(builder, location,
                                     builder.getBoolAttr(value));
  }
  Value constant(int64_t value) {
    return arith::ConstantOp::create(builder, location,
                                     builder.getI64IntegerAttr(value));
  }
  template <typename Op> Value fold(Value a, Value b) {
    return builder.createOrFold<Op>(location, a, b);
  }
  Value compare(arith::CmpIPredicate predicate, Value a, Value b) {
    return builder.createOrFold<arith::CmpIOp>(location, predicate, a, b);
  }
  Value select(Value condition, Value a, Value b) {
    return builder.createOrFold<arith::SelectOp>(location, condition, a, b);
  }
  Value invert(Value value) {
    return fold<arith::XOrIOp>(value, constant(true));
  }
  /// One value for both bounds of what is exact.
  template <typename F> Bounds both(bool isExact, F low, F high) {
    Value first = low();
    return {first, isExact ? first : high()};
  }

  Bounds interpret(Operation *op);
  Bounds interpretConstant(arith::ConstantOp op);
  Bounds interpretRead(attn::ReadOp op);
  Bounds interpretCompare(arith::CmpIOp op);
  Bounds interpretSelect(arith::SelectOp op);
  Bounds multiply(Bounds a, Bounds b);
  Bounds floorDivide(Bounds a, Bounds b);
  Bounds modulo(Bounds a, Bounds b);
  Bounds absolute(Bounds a);
  template <typename Op> Bounds monotone(Bounds a, Bounds b, bool bFalls);

  OpBuilder &builder;
  Location location;
  llvm::DenseMap<Value, Bounds> known;
  SmallVector<Operation *> unknown;
  ReadRange readRange;
  EvaluateShape evaluateShape;
};

} // namespace

Bounds MaskInterpreter::interpretConstant(arith::ConstantOp op) {
  auto attr = dyn_cast<IntegerAttr>(op.getValue());
  if (!attr)
    return {};
  Value value = op.getType().isInteger(1)
                    ? constant(attr.getValue().getBoolValue())
                    : constant(attr.getInt());
  return {value, value};
}

Bounds MaskInterpreter::interpretRead(attn::ReadOp op) {
  if (!op.getType().isInteger())
    return {};
  SmallVector<Bounds> indices;
  for (Value index : op.getIndices()) {
    indices.push_back(get(index));
    if (!indices.back().isKnown())
      return {};
  }
  Bounds range = readRange(op.getTensor(), indices);
  if (!range.isKnown() || !op.getType().isInteger(1))
    return range;
  auto holds = [&](Value number) {
    return compare(arith::CmpIPredicate::ne, number, constant(int64_t(0)));
  };
  Value some = holds(range.high);
  return {some, range.isExact() ? some : holds(range.low)};
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
  auto add = [&](Value x, Value y) {
    Value product = fold<arith::MulIOp>(x, y);
    low = fold<arith::MinSIOp>(low, product);
    high = fold<arith::MaxSIOp>(high, product);
  };
  add(a.high, b.high);
  if (!a.isExact() && !b.isExact()) {
    add(a.low, b.high);
    add(a.high, b.low);
  }
  return {low, high};
}

/// By a positive divisor: rises with a; with b it moves towards 0 or -1.
Bounds MaskInterpreter::floorDivide(Bounds a, Bounds b) {
  if (!a.isKnown() || !b.isKnown())
    return {};
  // A divisor that is not positive has no meaning; it must not trap either.
  Value one = constant(int64_t(1));
  auto positive = [&](Value value) { return fold<arith::MaxSIOp>(value, one); };
  Value divisor = positive(b.low);
  if (b.isExact()) {
    Value low = fold<arith::FloorDivSIOp>(a.low, divisor);
    return {low,
            a.isExact() ? low : fold<arith::FloorDivSIOp>(a.high, divisor)};
  }
  Value other = positive(b.high);
  Value low = fold<arith::MinSIOp>(fold<arith::FloorDivSIOp>(a.low, divisor),
                                   fold<arith::FloorDivSIOp>(a.low, other));
  Value high = fold<arith::MaxSIOp>(fold<arith::FloorDivSIOp>(a.high, divisor),
                                    fold<arith::FloorDivSIOp>(a.high, other));
  return {low, high};
}

/// With the same quotient at both ends the remainder rises with a; else it may
/// be anything below the divisor.
Bounds MaskInterpreter::modulo(Bounds a, Bounds b) {
  if (!b.isKnown())
    return {};
  Value zero = constant(int64_t(0)), one = constant(int64_t(1));
  Value largest = fold<arith::SubIOp>(fold<arith::MaxSIOp>(b.high, one), one);
  if (!a.isKnown() || !b.isExact())
    return {zero, largest};
  Value divisor = fold<arith::MaxSIOp>(b.low, one);
  Value first = fold<arith::FloorDivSIOp>(a.low, divisor);
  Value base = fold<arith::MulIOp>(first, divisor);
  Value low = fold<arith::SubIOp>(a.low, base);
  if (a.isExact())
    return {low, low};
  Value isOne = compare(arith::CmpIPredicate::eq, first,
                        fold<arith::FloorDivSIOp>(a.high, divisor));
  return {select(isOne, low, zero),
          select(isOne, fold<arith::SubIOp>(a.high, base), largest)};
}

Bounds MaskInterpreter::absolute(Bounds a) {
  if (!a.isKnown())
    return {};
  Value zero = constant(int64_t(0));
  Value negated = fold<arith::SubIOp>(zero, a.low);
  if (a.isExact()) {
    Value value = fold<arith::MaxSIOp>(a.low, negated);
    return {value, value};
  }
  // The least absolute value is at 0 or at the end nearer to it.
  Value low = fold<arith::MaxSIOp>(
      fold<arith::MaxSIOp>(a.low, fold<arith::SubIOp>(zero, a.high)), zero);
  return {low, fold<arith::MaxSIOp>(a.high, negated)};
}

Bounds MaskInterpreter::interpretCompare(arith::CmpIOp op) {
  using Predicate = arith::CmpIPredicate;
  bool isBoolean = op.getLhs().getType().isInteger(1);
  Bounds a = isBoolean ? getBoolean(op.getLhs()) : get(op.getLhs());
  Bounds b = isBoolean ? getBoolean(op.getRhs()) : get(op.getRhs());
  if (!a.isKnown() || !b.isKnown())
    return {};
  bool isExact = a.isExact() && b.isExact();
  auto twice = [&](Predicate predicate, Value anyA, Value anyB, Value allA,
                   Value allB) {
    Value any = compare(predicate, anyA, anyB);
    return Bounds{any, isExact ? any : compare(predicate, allA, allB)};
  };
  switch (op.getPredicate()) {
  case Predicate::slt:
  case Predicate::sle:
    return twice(op.getPredicate(), a.low, b.high, a.high, b.low);
  case Predicate::sgt:
  case Predicate::sge:
    return twice(op.getPredicate(), a.high, b.low, a.low, b.high);
  case Predicate::eq:
  case Predicate::ne: {
    if (isExact) {
      Value value = compare(op.getPredicate(), a.low, b.low);
      return {value, value};
    }
    Value may, must;
    if (isBoolean) {
      // Equal somewhere: both may hold, or both may fail.
      auto fails = [&](Bounds c) { return invert(c.high); };
      may = fold<arith::OrIOp>(fold<arith::AndIOp>(a.low, b.low),
                               fold<arith::AndIOp>(fails(a), fails(b)));
      must =
          fold<arith::OrIOp>(fold<arith::AndIOp>(a.high, b.high),
                             fold<arith::AndIOp>(invert(a.low), invert(b.low)));
    } else {
      may = fold<arith::AndIOp>(compare(Predicate::sle, a.low, b.high),
                                compare(Predicate::sle, b.low, a.high));
      must = fold<arith::AndIOp>(compare(Predicate::eq, a.low, b.high),
                                 compare(Predicate::eq, a.high, b.low));
    }
    if (op.getPredicate() == Predicate::eq)
      return {may, must};
    return {invert(must), invert(may)};
  }
  default:
    return {};
  }
}

Bounds MaskInterpreter::interpretSelect(arith::SelectOp op) {
  bool isBoolean = op.getType().isInteger(1);
  if (!isBoolean && !op.getType().isInteger())
    return {};
  Bounds c = getBoolean(op.getCondition());
  Bounds a = isBoolean ? getBoolean(op.getTrueValue()) : get(op.getTrueValue());
  Bounds b =
      isBoolean ? getBoolean(op.getFalseValue()) : get(op.getFalseValue());
  if (!a.isKnown() || !b.isKnown())
    return {};
  if (c.isExact()) {
    Value low = select(c.low, a.low, b.low);
    bool isExact = a.isExact() && b.isExact();
    return {low, isExact ? low : select(c.low, a.high, b.high)};
  }
  Value least, largest;
  if (isBoolean) {
    least = fold<arith::OrIOp>(a.low, b.low); // may hold
    largest = fold<arith::AndIOp>(a.high, b.high);
  } else {
    least = fold<arith::MinSIOp>(a.low, b.low);
    largest = fold<arith::MaxSIOp>(a.high, b.high);
  }
  // c.high: the condition always holds; not c.low: it never does.
  auto choose = [&](Value always, Value never, Value mixed) {
    return select(c.high, always, select(c.low, mixed, never));
  };
  return {choose(a.low, b.low, least), choose(a.high, b.high, largest)};
}

Bounds MaskInterpreter::interpret(Operation *op) {
  auto exact = [&](Value value) {
    Bounds bounds = get(value);
    return bounds.isExact() ? bounds.low : Value();
  };
  if (Value value = evaluateShape(op, exact))
    return {value, value};
  auto operand = [&](unsigned n) { return get(op->getOperand(n)); };
  bool isBoolean =
      op->getNumResults() == 1 && op->getResult(0).getType().isInteger(1);
  return llvm::TypeSwitch<Operation *, Bounds>(op)
      .Case([&](arith::ConstantOp op) { return interpretConstant(op); })
      .Case([&](attn::ReadOp op) { return interpretRead(op); })
      .Case([&](arith::CmpIOp op) { return interpretCompare(op); })
      .Case([&](arith::SelectOp op) { return interpretSelect(op); })
      .Case<arith::AndIOp, arith::OrIOp>([&](auto logic) -> Bounds {
        if (!isBoolean)
          return {};
        using Op = decltype(logic);
        Bounds a = getBoolean(logic.getLhs()), b = getBoolean(logic.getRhs());
        return monotone<Op>(a, b, false);
      })
      .Case([&](arith::XOrIOp logic) -> Bounds {
        if (!isBoolean)
          return {};
        Bounds a = getBoolean(logic.getLhs()), b = getBoolean(logic.getRhs());
        if (a.isExact() && b.isExact()) {
          Value value = fold<arith::XOrIOp>(a.low, b.low);
          return {value, value};
        }
        if (matchPattern(logic.getRhs(), m_One())) // a negation
          return {invert(a.high), invert(a.low)};
        return {};
      })
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
      .Case([&](attn::ModOp) { return modulo(operand(0), operand(1)); })
      .Case([&](math::AbsIOp) { return absolute(operand(0)); })
      // A wider type has the same value; a narrower one too, because the front
      // end narrows only what fits.
      .Case<arith::ExtSIOp, arith::TruncIOp>(
          [&](auto) -> Bounds { return isBoolean ? Bounds() : operand(0); })
      .Case([&](arith::ExtUIOp op) -> Bounds {
        if (!op.getIn().getType().isInteger(1))
          return {};
        Bounds a = getBoolean(op.getIn());
        auto number = [&](Value value) -> Value {
          return arith::ExtUIOp::create(builder, location, builder.getI64Type(),
                                        value);
        };
        // As a number the least value is whether it always holds.
        Value low = number(a.high);
        return {low, a.isExact() ? low : number(a.low)};
      })
      .Default([](Operation *) { return Bounds(); });
}

MaskClass emitMaskClasses(OpBuilder &builder, Location location, Region &mask,
                          llvm::DenseMap<Value, Bounds> bounds,
                          ReadRange readRange, EvaluateShape evaluateShape) {
  MaskInterpreter interpreter(builder, location, std::move(bounds), readRange,
                              evaluateShape);
  auto yield = cast<attn::YieldOp>(mask.front().back());
  Bounds result = interpreter.getBoolean(yield.getValue());
  return {result.low, result.high, llvm::to_vector(interpreter.getUnknown())};
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
