// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Values of a region as affine maps of states: what is multiplied into a state
/// element by element, what corrects it by a product of rows, and what is
/// added.

#ifndef RAPT_LIB_ANALYSIS_AFFINEFORM_H
#define RAPT_LIB_ANALYSIS_AFFINEFORM_H

#include "dialects/Attn/IR/Attn.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include <optional>

namespace rapt::analysis {

/// A tensor of the shape of a value as a product of what is there: a number, a
/// row along each dimension, the whole. Nothing at all is 1. The one dimension
/// of a row counts as the first.
struct Coefficient {
  bool isNegative = false;
  mlir::Value scalar, along[2], whole;

  bool isOne() const {
    return !isNegative && !scalar && !along[0] && !along[1] && !whole;
  }
};

/// left (right^T S) of a matrix S for axis 0, (S right) left^T for axis 1, left
/// (right . S) of a row S.
struct LowRankTerm {
  unsigned state;
  int64_t axis;
  mlir::Value left, right;
};

/// factor * (right^T S), a row, for axis 0, factor * (S right) for axis 1, of a
/// row S the number factor (right . S).
struct FunctionalTerm {
  unsigned state;
  int64_t axis;
  mlir::Value right;
  Coefficient factor;
};

struct DiagonalTerm {
  unsigned state;
  Coefficient factor;
};

/// lhs rhs^T.
struct OuterTerm {
  mlir::Value lhs, rhs;
};

/// A sum of terms that depend on states and of others that do not.
struct AffineForm {
  llvm::SmallVector<DiagonalTerm, 1> diagonal;
  llvm::SmallVector<LowRankTerm, 1> lowRank;
  llvm::SmallVector<FunctionalTerm, 1> functionals;
  llvm::SmallVector<OuterTerm, 1> outers;
  mlir::Value rest; ///< Null for 0.

  bool isConstant() const {
    return diagonal.empty() && lowRank.empty() && functionals.empty();
  }
};

/// Emits arithmetic on coefficients at one insertion point.
class CoefficientBuilder {
public:
  CoefficientBuilder(mlir::OpBuilder &builder, mlir::Location location)
      : builder(builder), location(location) {}

  mlir::Value constant(double value, mlir::Type type);
  /// Null stands for 1 in products and for 0 in sums. A number meets a row or
  /// matrix element by element.
  mlir::Value multiply(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value negate(mlir::Value a);
  Coefficient multiply(const Coefficient &a, const Coefficient &b);
  /// A value that is read as a factor, in the least form that holds it.
  Coefficient getCoefficient(mlir::Value value);
  /// A coefficient as a number, as a row along `axis` of `extent`, as a tensor.
  /// What it has beside is dropped, so ask isWithin first.
  mlir::Value getNumber(const Coefficient &factor);
  mlir::Value getRow(const Coefficient &factor, int64_t axis, int64_t extent);
  mlir::Value getWhole(const Coefficient &factor, mlir::Type type);
  mlir::Value scaleWhole(mlir::Value value, const Coefficient &factor);
  static bool isNumber(const Coefficient &factor) {
    return !factor.along[0] && !factor.along[1] && !factor.whole;
  }
  static bool isRow(const Coefficient &factor, int64_t axis) {
    return !factor.along[1 - axis] && !factor.whole;
  }
  Coefficient sum(llvm::ArrayRef<Coefficient> factors, mlir::Type type);
  /// A row times the parts of a coefficient that it can take: its number and
  /// its row along `axis`.
  mlir::Value scaleRow(mlir::Value row, const Coefficient &factor,
                       int64_t axis);
  mlir::Value dot(mlir::Value a, mlir::Value b);
  mlir::Value outer(mlir::Value a, mlir::Value b);

private:
  /// How a value varies: not at all, along one dimension, along both.
  enum class Variation { None, First, Second, Both };
  Variation getVariation(mlir::Value value);
  /// The value at that variation: a number, a row or itself.
  mlir::Value reduce(mlir::Value value, Variation variation);

  mlir::OpBuilder &builder;
  mlir::Location location;
};

/// Finds the affine forms of the values of one block.
class AffineInterpreter {
public:
  /// `states` are arguments of the block; what is emitted goes before its
  /// terminator. `given` values are known, whatever they are computed from.
  AffineInterpreter(mlir::Block &block, llvm::ArrayRef<mlir::Value> states,
                    llvm::ArrayRef<mlir::Value> given);

  bool dependsOnStates(mlir::Value value) const {
    return dependent.contains(value);
  }
  /// Nothing if the value is not affine in the states, or in a way that no term
  /// describes; then getReason() says why.
  std::optional<AffineForm> getForm(mlir::Value value);
  const std::string &getReason() const { return reason; }
  CoefficientBuilder &getCoefficients() { return coefficients; }

private:
  std::optional<AffineForm> compute(mlir::Value value);
  std::optional<AffineForm> computeArithmetic(mlir::Operation *op);
  std::optional<AffineForm> computeProduct(mlir::Operation *op);
  AffineForm getConstant(mlir::Value value);
  std::optional<AffineForm> scale(AffineForm form, const Coefficient &factor);
  AffineForm sum(AffineForm a, AffineForm b);
  std::optional<AffineForm> fail(mlir::Operation *op, const llvm::Twine &why);

  std::optional<AffineForm> outer(attn::OuterOp op);
  std::optional<AffineForm> vecMat(attn::VecMatOp op);
  std::optional<AffineForm> matVec(attn::MatVecOp op);
  std::optional<AffineForm> dot(attn::DotOp op);
  std::optional<AffineForm> reduce(attn::ReduceOp op);
  std::optional<AffineForm> splat(attn::SplatOp op);
  std::optional<AffineForm> spread(attn::SpreadOp op);
  std::optional<AffineForm> select(mlir::arith::SelectOp op);

  llvm::SmallVector<mlir::Value> states;
  llvm::DenseSet<mlir::Value> dependent;
  llvm::DenseMap<mlir::Value, std::optional<AffineForm>> known;
  mlir::OpBuilder builder;
  CoefficientBuilder coefficients;
  mlir::Operation *current = nullptr;
  std::string reason;
};

} // namespace rapt::analysis

#endif // RAPT_LIB_ANALYSIS_AFFINEFORM_H
