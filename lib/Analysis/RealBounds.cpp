// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Reals that are made from integers. Operations round as in the kernel, to f32,
// and rounding keeps the order, so that bounds of operands give bounds of
// results; no margin is needed as long as the kernel does the same operations.
// Functions that are not rounded correctly get a margin far above their error.
// The numbers of tensors are not known when a call is planned.

#include "lib/Analysis/MaskInterpreter.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace rapt::analysis {

namespace {
/// Short names for operations on f32.
struct RealBuilder {
  OpBuilder &builder;
  Location location;

  Value constant(float value) {
    return arith::ConstantOp::create(builder, location,
                                     builder.getF32FloatAttr(value));
  }
  Value infinity() { return constant(std::numeric_limits<float>::infinity()); }
  Value lowest() { return constant(-std::numeric_limits<float>::infinity()); }
  template <typename Op> Value op(Value a, Value b) {
    return builder.createOrFold<Op>(location, a, b);
  }
  Value compare(arith::CmpFPredicate predicate, Value a, Value b) {
    return builder.createOrFold<arith::CmpFOp>(location, predicate, a, b);
  }
  Value select(Value condition, Value a, Value b) {
    return builder.createOrFold<arith::SelectOp>(location, condition, a, b);
  }
  /// A bound that is a NaN bounds nothing.
  Bounds ordered(Value low, Value high) {
    auto orElse = [&](Value value, Value other) {
      Value isNaN = compare(arith::CmpFPredicate::UNO, value, value);
      return select(isNaN, other, value);
    };
    return {orElse(low, lowest()), orElse(high, infinity())};
  }
  /// `result`, or nothing if an operand may be a NaN.
  Bounds unlessUnbounded(ArrayRef<Bounds> operands, Bounds result) {
    for (Bounds operand : operands) {
      Value isUnbounded = builder.createOrFold<arith::AndIOp>(
          location, compare(arith::CmpFPredicate::OEQ, operand.low, lowest()),
          compare(arith::CmpFPredicate::OEQ, operand.high, infinity()));
      result.low = select(isUnbounded, lowest(), result.low);
      result.high = select(isUnbounded, infinity(), result.high);
    }
    return result;
  }
};
} // namespace

Bounds MaskInterpreter::interpretReal(Scope *scope, Operation *op) {
  if (!op->getResult(0).getType().isF32())
    return {};
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto attribute = dyn_cast<FloatAttr>(constant.getValue());
    if (!attribute || !attribute.getValue().isFinite())
      return {};
    Value value = arith::ConstantOp::create(builder, location, attribute);
    return {value, value};
  }
  if (auto choice = dyn_cast<arith::SelectOp>(op))
    return interpretSelect(scope, choice);
  if (isa<attn::ReadOp>(op) || op->getNumRegions() != 0)
    return {};
  SmallVector<Bounds, 2> x;
  for (Value operand : op->getOperands()) {
    if (!operand.getType().isIntOrFloat())
      return {};
    x.push_back(get(scope, operand));
    if (!x.back().isKnown())
      return {};
  }
  if (x.empty())
    return {};
  bool isExact = llvm::all_of(x, [](Bounds b) { return b.isExact(); });
  RealBuilder real{builder, location};
  auto monotone = [&]<typename Op>(Op, bool bFalls) -> Bounds {
    Value low = real.op<Op>(x[0].low, bFalls ? x[1].high : x[1].low);
    if (isExact)
      return {low, low};
    return real.ordered(low,
                        real.op<Op>(x[0].high, bFalls ? x[1].low : x[1].high));
  };
  auto corners = [&]<typename Op>(Op) -> Bounds {
    Value low = real.op<Op>(x[0].low, x[1].low), high = low;
    if (isExact)
      return {low, low};
    for (Value a : {x[0].low, x[0].high})
      for (Value b : {x[1].low, x[1].high}) {
        Value corner = real.op<Op>(a, b);
        low = real.op<arith::MinimumFOp>(low, corner);
        high = real.op<arith::MaximumFOp>(high, corner);
      }
    return real.ordered(low, high);
  };
  auto unary = [&]<typename Op>(Op) -> Bounds {
    Value low = Op::create(builder, location, x[0].low);
    return {low,
            isExact ? low : Value(Op::create(builder, location, x[0].high))};
  };
  return TypeSwitch<Operation *, Bounds>(op)
      .Case([&](arith::SIToFPOp op) -> Bounds {
        auto convert = [&](Value value) -> Value {
          return arith::SIToFPOp::create(builder, location,
                                         builder.getF32Type(), value);
        };
        if (op.getIn().getType().isInteger(1))
          return {};
        Value low = convert(x[0].low);
        return {low, isExact ? low : convert(x[0].high)};
      })
      .Case([&](arith::AddFOp op) { return monotone(op, false); })
      .Case([&](arith::SubFOp op) { return monotone(op, true); })
      .Case([&](arith::MulFOp op) { return corners(op); })
      .Case([&](arith::DivFOp op) {
        // A divisor that is not the same for all pairs may pass through 0.
        return x[1].isExact() ? corners(op) : Bounds();
      })
      .Case([&](math::FloorOp op) { return unary(op); })
      .Case([&](arith::NegFOp op) {
        Bounds bounds = unary(op);
        return Bounds{bounds.high, bounds.low};
      })
      .Case([&](math::AbsFOp op) {
        Bounds ends = unary(op);
        if (isExact)
          return ends;
        Value crosses = real.builder.createOrFold<arith::AndIOp>(
            location,
            real.compare(arith::CmpFPredicate::OLE, x[0].low, real.constant(0)),
            real.compare(arith::CmpFPredicate::OGE, x[0].high,
                         real.constant(0)));
        Value least = real.op<arith::MinimumFOp>(ends.low, ends.high);
        return real.unlessUnbounded(
            x, {real.select(crosses, real.constant(0), least),
                real.op<arith::MaximumFOp>(ends.low, ends.high)});
      })
      .Case<arith::MinimumFOp, arith::MaximumFOp>([&](auto op) {
        Bounds bounds = monotone(op, false);
        return isExact ? bounds : real.unlessUnbounded(x, bounds);
      })
      .Default([](Operation *) { return Bounds(); });
}

/// The front end clamps the number first, so that the result fits.
Bounds MaskInterpreter::interpretFloor(Scope *scope, arith::FPToSIOp op) {
  auto upper = op.getIn().getDefiningOp<arith::MinNumFOp>();
  auto lower =
      upper ? upper.getLhs().getDefiningOp<arith::MaxNumFOp>() : nullptr;
  if (!lower)
    return {};
  Bounds x = get(scope, lower.getLhs());
  Bounds least = get(scope, lower.getRhs()), most = get(scope, upper.getRhs());
  if (!x.isKnown() || !least.isExact() || !most.isExact())
    return {};
  auto convert = [&](Value value) -> Value {
    value = fold<arith::MaxNumFOp>(value, least.low);
    value = fold<arith::MinNumFOp>(value, most.low);
    return arith::FPToSIOp::create(builder, location, builder.getI64Type(),
                                   value);
  };
  Value low = convert(x.low);
  return {low, x.isExact() ? low : convert(x.high)};
}

Value MaskInterpreter::mayCompare(Scope *scope, arith::CmpFOp op, bool wanted) {
  using Real = arith::CmpFPredicate;
  Bounds a = get(scope, op.getLhs()), b = get(scope, op.getRhs());
  if (!a.isKnown() || !b.isKnown()) {
    noteUnknown(op);
    return constant(true);
  }
  auto compare = [&](Real predicate, Value x, Value y) -> Value {
    return builder.createOrFold<arith::CmpFOp>(location, predicate, x, y);
  };
  // Not wanted: what does not hold if a number is a NaN, hence the unordered
  // ones, which hold for bounds that may be one.
  switch (op.getPredicate()) {
  case Real::OLT:
    return wanted ? compare(Real::ULT, a.low, b.high)
                  : compare(Real::UGE, a.high, b.low);
  case Real::OLE:
    return wanted ? compare(Real::ULE, a.low, b.high)
                  : compare(Real::UGT, a.high, b.low);
  case Real::OGT:
    return wanted ? compare(Real::UGT, a.high, b.low)
                  : compare(Real::ULE, a.low, b.high);
  case Real::OGE:
    return wanted ? compare(Real::UGE, a.high, b.low)
                  : compare(Real::ULT, a.low, b.high);
  case Real::OEQ:
  case Real::UNE:
    if (wanted == (op.getPredicate() == Real::OEQ))
      return both(compare(Real::ULE, a.low, b.high),
                  compare(Real::ULE, b.low, a.high));
    return either(compare(Real::UNE, a.low, b.high),
                  compare(Real::UNE, a.high, b.low));
  default:
    return constant(true);
  }
}

} // namespace rapt::analysis
