// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/NvToNVVM/DeviceMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;

namespace rapt::conversion {

Value callIntrinsic(OpBuilder &builder, Location location, Type result,
                    StringRef name, ValueRange arguments) {
  return LLVM::CallIntrinsicOp::create(builder, location, result,
                                       builder.getStringAttr(name), arguments)
      .getResult(0);
}

void callIntrinsic(OpBuilder &builder, Location location, StringRef name,
                   ValueRange arguments) {
  LLVM::CallIntrinsicOp::create(builder, location, builder.getStringAttr(name),
                                arguments);
}

namespace {

struct MathBuilder {
  OpBuilder &builder;
  Location location;
  Type f32 = builder.getF32Type(), f64 = builder.getF64Type(),
       i32 = builder.getI32Type();

  Value real(double value) {
    return arith::ConstantOp::create(
        builder, location, builder.getF32FloatAttr(static_cast<float>(value)));
  }
  Value wide(double value) {
    return arith::ConstantOp::create(builder, location,
                                     builder.getF64FloatAttr(value));
  }
  Value integer(int32_t value) {
    return arith::ConstantOp::create(builder, location,
                                     builder.getI32IntegerAttr(value));
  }
  template <typename Op> Value op(Value a, Value b) {
    return builder.createOrFold<Op>(location, a, b);
  }
  Value multiply(Value a, Value b) { return op<arith::MulFOp>(a, b); }
  Value add(Value a, Value b) { return op<arith::AddFOp>(a, b); }
  Value fma(Value a, Value b, Value c) {
    return math::FmaOp::create(builder, location, a, b, c);
  }
  Value abs(Value x) { return math::AbsFOp::create(builder, location, x); }
  Value call(StringRef name, Value x) {
    return callIntrinsic(builder, location, f32, name, x);
  }
  Value exp2(Value x) { return call("llvm.nvvm.ex2.approx.ftz.f32", x); }
  Value log2(Value x) { return call("llvm.nvvm.lg2.approx.ftz.f", x); }
  Value select(Value condition, Value a, Value b) {
    return arith::SelectOp::create(builder, location, condition, a, b);
  }
  /// c[0] + c[1] x + ...
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value sum = real(coefficients.back());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      sum = fma(sum, x, real(coefficient));
    return sum;
  }

  Value exp(Value x);
  Value power(Value x, Value y);
  Value tanh(Value x);
  Value sine(Value x, int32_t quarter);
};

/// The product with log2(e) is exact in two parts: its rounding alone would be
/// an error of the size of the exponent.
Value MathBuilder::exp(Value x) {
  constexpr double log2E = 1.4426950408889634;
  constexpr auto high = static_cast<double>(static_cast<float>(log2E));
  Value product = multiply(x, real(high));
  // 2^128 is no f32, but its half times what is left may be.
  Value whole = arith::MinNumFOp::create(
      builder, location, math::RoundEvenOp::create(builder, location, product),
      real(127));
  Value rest =
      fma(x, real(high), arith::NegFOp::create(builder, location, whole));
  rest = fma(x, real(log2E - high), rest);
  // Farther out it is 0 or infinite, and of a large number there is no rest
  // that could be a factor.
  Value isNear = arith::CmpFOp::create(
      builder, location, arith::CmpFPredicate::OLT, abs(x), real(128));
  Value near = multiply(exp2(whole), exp2(rest));
  return select(isNear, near, exp2(product));
}

/// 2^(y log2 |x|), with the sign that whole numbers y have.
Value MathBuilder::power(Value x, Value y) {
  auto compare = [&](arith::CmpFPredicate predicate, Value a,
                     Value b) -> Value {
    return arith::CmpFOp::create(builder, location, predicate, a, b);
  };
  auto isWhole = [&](Value a) {
    return compare(arith::CmpFPredicate::OEQ, a,
                   math::FloorOp::create(builder, location, a));
  };
  Value size = exp2(multiply(y, log2(abs(x))));
  Value negative = arith::NegFOp::create(builder, location, size);
  Value isEven = isWhole(multiply(y, real(0.5)));
  Value ofNegative =
      select(isWhole(y), select(isEven, size, negative), real(NAN));
  Value isNegative = compare(arith::CmpFPredicate::OLT, x, real(0));
  Value isOne =
      op<arith::OrIOp>(compare(arith::CmpFPredicate::OEQ, y, real(0)),
                       compare(arith::CmpFPredicate::OEQ, x, real(1)));
  return select(isOne, real(1), select(isNegative, ofNegative, size));
}

/// (1 - t) / (1 + t) with t = exp(-2 |x|); near 0, where that cancels, the
/// series.
Value MathBuilder::tanh(Value x) {
  Value size = abs(x);
  Value t = exp2(multiply(size, real(-2 * 1.4426950408889634)));
  Value one = real(1);
  Value inverse = call("llvm.nvvm.rcp.approx.ftz.f", add(one, t));
  Value far = multiply(op<arith::SubFOp>(one, t), inverse);
  far = math::CopySignOp::create(builder, location, far, x);
  Value square = multiply(x, x);
  Value near =
      multiply(x, polynomial(square, {1.0, -1.0 / 3, 2.0 / 15, -17.0 / 315}));
  Value isNear = arith::CmpFOp::create(
      builder, location, arith::CmpFPredicate::OLT, size, real(0.25));
  return select(isNear, near, far);
}

/// sin(x + quarter * pi / 2). Positions times frequencies are large, so that
/// the multiple of pi / 2 is taken off in f64.
Value MathBuilder::sine(Value x, int32_t quarter) {
  constexpr double halfPi = 1.5707963267948966;
  Value wideX = arith::ExtFOp::create(builder, location, f64, x);
  Value turns = math::RoundEvenOp::create(
      builder, location, op<arith::MulFOp>(wideX, wide(1 / halfPi)));
  Value rest =
      math::FmaOp::create(builder, location, turns, wide(-halfPi), wideX);
  Value r = arith::TruncFOp::create(builder, location, f32, rest);
  // Which of four; some of them for what is not a number, whose rest is none.
  Value fours = math::FloorOp::create(builder, location,
                                      op<arith::MulFOp>(turns, wide(0.25)));
  Value which = arith::TruncFOp::create(
      builder, location, f32,
      math::FmaOp::create(builder, location, fours, wide(-4), turns));
  Value limited = arith::MinNumFOp::create(
      builder, location,
      arith::MaxNumFOp::create(builder, location, which, real(0)), real(3));
  Value number = arith::FPToSIOp::create(builder, location, i32, limited);
  number = op<arith::AddIOp>(number, integer(quarter));
  Value square = multiply(r, r);
  // Taylor series: |r| <= pi / 4, so that the next term is below 3e-9.
  Value sin = multiply(r, polynomial(square, {1.0, -1.0 / 6, 1.0 / 120,
                                              -1.0 / 5040, 1.0 / 362880}));
  Value cos = polynomial(square, {1.0, -1.0 / 2, 1.0 / 24, -1.0 / 720,
                                  1.0 / 40320, -1.0 / 3628800});
  auto isSet = [&](int32_t bit) -> Value {
    return arith::CmpIOp::create(builder, location, arith::CmpIPredicate::ne,
                                 op<arith::AndIOp>(number, integer(bit)),
                                 integer(0));
  };
  Value value = select(isSet(1), cos, sin);
  return select(isSet(2), arith::NegFOp::create(builder, location, value),
                value);
}

} // namespace

Value lowerMath(OpBuilder &builder, Operation *op, ValueRange operands) {
  if (op->getNumResults() != 1 || !op->getResult(0).getType().isF32())
    return nullptr;
  MathBuilder math{builder, op->getLoc()};
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](math::Exp2Op) { return math.exp2(operands[0]); })
      .Case([&](math::ExpOp) { return math.exp(operands[0]); })
      .Case([&](math::Log2Op) { return math.log2(operands[0]); })
      .Case([&](math::LogOp) {
        return math.multiply(math.log2(operands[0]),
                             math.real(0.6931471805599453));
      })
      .Case([&](math::PowFOp) { return math.power(operands[0], operands[1]); })
      .Case([&](math::TanhOp) { return math.tanh(operands[0]); })
      .Case([&](math::RsqrtOp) {
        return math.call("llvm.nvvm.rsqrt.approx.ftz.f", operands[0]);
      })
      .Case([&](math::SinOp) { return math.sine(operands[0], 0); })
      .Case([&](math::CosOp) { return math.sine(operands[0], 1); })
      .Default([](Operation *) { return Value(); });
}

} // namespace rapt::conversion
