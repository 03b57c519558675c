// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/TileToVector/VectorMath.h"
#include "dialects/Tile/IR/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace rapt::conversion {
namespace {

/// Arithmetic on vectors of one shape.
class VectorBuilder {
public:
  VectorBuilder(PatternRewriter &rewriter, Location location, VectorType shape)
      : rewriter(rewriter), location(location), shape(shape) {}

  Type f32() { return shape.clone(rewriter.getF32Type()); }
  Type f64() { return shape.clone(rewriter.getF64Type()); }
  Type i32() { return shape.clone(rewriter.getI32Type()); }

  Value real(double value, Type type) {
    Type element = getElementTypeOrSelf(type);
    return arith::ConstantOp::create(
        rewriter, location,
        DenseElementsAttr::get(cast<ShapedType>(type),
                               Attribute(FloatAttr::get(element, value))));
  }
  Value real(double value) { return real(value, f32()); }
  Value integer(int64_t value) {
    return arith::ConstantOp::create(
        rewriter, location,
        DenseElementsAttr::get(cast<ShapedType>(i32()),
                               Attribute(rewriter.getI32IntegerAttr(value))));
  }
  template <typename Op, typename... Operands>
  Value make(Operands... operands) {
    return Op::create(rewriter, location, operands...);
  }
  Value fma(Value a, Value b, Value c) { return make<math::FmaOp>(a, b, c); }
  Value bits(Value x) { return make<arith::BitcastOp>(i32(), x); }
  Value fromBits(Value x) { return make<arith::BitcastOp>(f32(), x); }

  Value word(int64_t value, unsigned bits) {
    return make<LLVM::ConstantOp>(
        rewriter.getIntegerType(bits),
        rewriter.getIntegerAttr(rewriter.getIntegerType(bits), value));
  }
  /// An instruction of one kind of machine, of vectors like the first operand.
  Value intrinsic(StringRef name, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(rewriter, location,
                                         operands.front().getType(),
                                         rewriter.getStringAttr(name), operands)
        .getResult(0);
  }

  /// The larger (or smaller) of a bound and x; a NaN in x stays. A compare and
  /// a select in this order are one instruction on x86.
  Value clamp(double bound, arith::CmpFPredicate boundWins, Value x) {
    Value limit = real(bound);
    Value isBeyond = make<arith::CmpFOp>(boundWins, limit, x);
    return make<arith::SelectOp>(isBeyond, limit, x);
  }
  /// c[0] + c[1] x + c[2] x^2 + ...
  Value polynomial(Value x, ArrayRef<double> c) {
    Value sum = real(c.back());
    for (double next : llvm::reverse(c.drop_back()))
      sum = fma(sum, x, real(next));
    return sum;
  }
  /// x + 1.5 * 2^23: the low bits of the sum are x rounded to an integer.
  Value addRounder(Value x) { return make<arith::AddFOp>(x, real(kRounder)); }
  Value dropRounder(Value x) { return make<arith::SubFOp>(x, real(kRounder)); }
  static constexpr double kRounder = 12582912.0;

  PatternRewriter &rewriter;
  Location location;
  VectorType shape;
};

template <typename Op> struct VectorPattern : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<VectorType>(op.getType());
    if (!type || !type.getElementType().isF32())
      return rewriter.notifyMatchFailure(op, "not a vector of f32");
    VectorBuilder b(rewriter, op.getLoc(), type);
    rewriter.replaceOp(op, expand(b, op));
    return success();
  }
  virtual Value expand(VectorBuilder &b, Op op) const = 0;
};

/// 2^x = 2^n p(x - n), n the nearest integer. p(0) is 1 exactly and x is cut at
/// -127 and 128: there the exponent that is added to that 1 gives 0 and
/// infinity.
struct ExpandExp2 : VectorPattern<math::Exp2Op> {
  using VectorPattern::VectorPattern;
  Value expand(VectorBuilder &b, math::Exp2Op op) const override {
    // Minimax on [-1/2, 1/2] with p(0) = 1, relative error 9.1e-8.
    static constexpr double c[] = {
        1.0,           0.6931469776,   0.2402224208,
        0.05550733747, 0.009671513054, 0.001326472727};
    Value x = b.clamp(-127, arith::CmpFPredicate::OGT, op.getOperand());
    if (!op->hasAttr(tile::kNonPositiveAttr))
      x = b.clamp(128, arith::CmpFPredicate::OLT, x);
    Value rounded = b.addRounder(x);
    Value f = b.make<arith::SubFOp>(x, b.dropRounder(rounded));
    Value p = b.polynomial(f, c);
    // The shift leaves nothing of the rounder but n.
    Value exponent = b.make<arith::ShLIOp>(b.bits(rounded), b.integer(23));
    return b.fromBits(b.make<arith::AddIOp>(b.bits(p), exponent));
  }
};

/// 2^x = 2^n p(x - n), n the largest integer that is not above x, for machines
/// that take x - n in one instruction and scale by 2^n in another. Those know
/// infinities, overflow and what is too small.
struct ScaleExp2 : OpRewritePattern<math::Exp2Op> {
  using OpRewritePattern::OpRewritePattern;
  /// Lanes of one instruction.
  static constexpr int64_t kLanes = 16;

  LogicalResult matchAndRewrite(math::Exp2Op op,
                                PatternRewriter &rewriter) const override {
    // Minimax on [0, 1] with p(0) = 1 and p(1) = 2, relative error 9.3e-8. In
    // f32 the fraction of a tiny negative number is 1.
    static constexpr double c[] = {
        1.0,           0.6931517388,   0.2401592715,
        0.05581867596, 0.008990995096, 0.001879318648};
    auto type = dyn_cast<VectorType>(op.getType());
    if (!type || type.getRank() != 1 || !type.getElementType().isF32() ||
        type.getNumElements() < kLanes ||
        !llvm::isPowerOf2_64(type.getNumElements()))
      return rewriter.notifyMatchFailure(op, "no whole vectors of f32");
    VectorBuilder b(rewriter, op.getLoc(), type);
    Value x = op.getOperand();
    Value fraction = inParts(b, {x}, [&](ValueRange parts) -> Value {
      constexpr int64_t roundDown = 1, quiet = 8;
      return b.intrinsic("llvm.x86.avx512.mask.reduce.ps.512",
                         {parts[0], b.word(roundDown | quiet, 32), parts[0],
                          b.word(-1, 16), b.word(kAsUsual, 32)});
    });
    Value power = b.polynomial(fraction, c);
    rewriter.replaceOp(
        op, inParts(b, {power, x}, [&](ValueRange parts) -> Value {
          return b.intrinsic("llvm.x86.avx512.mask.scalef.ps.512",
                             {parts[0], parts[1], parts[0], b.word(-1, 16),
                              b.word(kAsUsual, 32)});
        }));
    return success();
  }

private:
  /// Rounding and exceptions as the thread has them.
  static constexpr int64_t kAsUsual = 4;

  /// `make` of every `kLanes` lanes, joined.
  static Value inParts(VectorBuilder &b, ValueRange vectors,
                       llvm::function_ref<Value(ValueRange)> make) {
    int64_t lanes = b.shape.getNumElements();
    SmallVector<Value> parts;
    for (int64_t first = 0; first < lanes; first += kLanes) {
      auto positions = llvm::to_vector(llvm::seq(first, first + kLanes));
      SmallVector<Value> operands;
      for (Value vector : vectors)
        operands.push_back(lanes == kLanes ? vector
                                           : b.make<vector::ShuffleOp>(
                                                 vector, vector, positions));
      parts.push_back(make(operands));
    }
    // Two halves at a time: LLVM joins them by naming registers.
    while (parts.size() > 1) {
      SmallVector<Value> joined;
      for (size_t n = 0; n + 1 < parts.size(); n += 2) {
        auto type = cast<VectorType>(parts[n].getType());
        joined.push_back(b.make<vector::ShuffleOp>(
            parts[n], parts[n + 1],
            llvm::to_vector(llvm::seq<int64_t>(0, 2 * type.getNumElements()))));
      }
      parts = std::move(joined);
    }
    return parts.front();
  }
};

/// e^x = 2^n p(x - n ln 2), with ln 2 in two parts (Cody and Waite) and 2^n as
/// a product of two powers, because n may be beyond what one can hold.
struct ExpandExp : VectorPattern<math::ExpOp> {
  using VectorPattern::VectorPattern;
  Value expand(VectorBuilder &b, math::ExpOp op) const override {
    // Minimax on [-ln(2)/2, ln(2)/2], relative error 2.0e-9.
    static constexpr double c[] = {1.0,           1.0,           0.4999999421,
                                   0.1666643119,  0.04166800246, 0.008374161723,
                                   0.001384364668};
    constexpr double log2E = 1.4426950408889634;
    constexpr double ln2High = 0.693359375, ln2Low = -2.12194440054690583e-4;
    Value x = b.clamp(-104, arith::CmpFPredicate::OGT, op.getOperand());
    x = b.clamp(89, arith::CmpFPredicate::OLT, x);
    Value rounded = b.addRounder(b.make<arith::MulFOp>(x, b.real(log2E)));
    Value n = b.dropRounder(rounded);
    Value r = b.fma(n, b.real(-ln2High), x);
    r = b.fma(n, b.real(-ln2Low), r);
    Value p = b.polynomial(r, c);
    Value whole = b.make<arith::SubIOp>(b.bits(rounded), b.integer(0x4B400000));
    Value half = b.make<arith::ShRSIOp>(whole, b.integer(1));
    Value rest = b.make<arith::SubIOp>(whole, half);
    auto power = [&](Value exponent) {
      Value biased = b.make<arith::AddIOp>(exponent, b.integer(127));
      return b.fromBits(b.make<arith::ShLIOp>(biased, b.integer(23)));
    };
    return b.make<arith::MulFOp>(b.make<arith::MulFOp>(p, power(half)),
                                 power(rest));
  }
};

/// sin(x) or cos(x) from the remainder of x / (pi/2) and the quadrant. The
/// polynomials are those of the Cephes library (Moshier), 1 ulp on
/// [-pi/4, pi/4].
Value expandSinCos(VectorBuilder &b, Value x, int64_t quadrantOffset) {
  Type f64 = b.f64();
  Value wide = b.make<arith::ExtFOp>(f64, x);
  Value turns =
      b.make<arith::MulFOp>(wide, b.real(0.63661977236758134308, f64));
  Value n = b.make<math::RoundEvenOp>(turns);
  Value r = b.make<math::FmaOp>(n, b.real(-1.57079632679489661923, f64), wide);
  r = b.make<math::FmaOp>(n, b.real(-6.123233995736766e-17, f64), r);
  Value y = b.make<arith::TruncFOp>(b.f32(), r);
  // n modulo 4, in floating point so that it fits an integer.
  Value quarter = b.make<arith::MulFOp>(n, b.real(0.25, f64));
  Value floor = b.make<math::FloorOp>(quarter);
  Value rest = b.make<math::FmaOp>(floor, b.real(-4, f64), n);
  Value quadrant = b.make<arith::FPToSIOp>(b.i32(), rest);
  quadrant = b.make<arith::AddIOp>(quadrant, b.integer(quadrantOffset));

  Value z = b.make<arith::MulFOp>(y, y);
  Value sine =
      b.polynomial(z, {-1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4});
  sine = b.fma(b.make<arith::MulFOp>(sine, z), y, y);
  Value cosine = b.polynomial(
      z, {4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5});
  cosine = b.fma(b.make<arith::MulFOp>(cosine, z), z,
                 b.fma(z, b.real(-0.5), b.real(1)));
  auto hasBit = [&](int64_t bit) {
    Value kept = b.make<arith::AndIOp>(quadrant, b.integer(bit));
    return b.make<arith::CmpIOp>(arith::CmpIPredicate::ne, kept, b.integer(0));
  };
  Value value = b.make<arith::SelectOp>(hasBit(1), cosine, sine);
  return b.make<arith::SelectOp>(hasBit(2), b.make<arith::NegFOp>(value),
                                 value);
}

struct ExpandSin : VectorPattern<math::SinOp> {
  using VectorPattern::VectorPattern;
  Value expand(VectorBuilder &b, math::SinOp op) const override {
    return expandSinCos(b, op.getOperand(), 0);
  }
};

struct ExpandCos : VectorPattern<math::CosOp> {
  using VectorPattern::VectorPattern;
  Value expand(VectorBuilder &b, math::CosOp op) const override {
    return expandSinCos(b, op.getOperand(), 1);
  }
};

} // namespace

void populateVectorMathPatterns(RewritePatternSet &patterns,
                                bool scalesByPowers) {
  if (scalesByPowers)
    patterns.add<ScaleExp2>(patterns.getContext(), /*benefit=*/2);
  patterns.add<ExpandExp2, ExpandExp, ExpandSin, ExpandCos>(
      patterns.getContext());
  populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
    static constexpr llvm::StringLiteral approximated[] = {
        "math.tanh",  "math.log", "math.log2", "math.log1p",
        "math.expm1", "math.erf", "math.atan", "math.atan2"};
    return llvm::is_contained(approximated, name);
  });
}

} // namespace rapt::conversion
