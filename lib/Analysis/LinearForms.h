// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Integers of a mask region as linear forms: what two of them have in common
/// cancels in their difference, and what is said of one is known of all that
/// differ from it by a constant. Internal to the analysis.

#ifndef RAPT_LIB_ANALYSIS_LINEARFORMS_H
#define RAPT_LIB_ANALYSIS_LINEARFORMS_H

#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include <functional>
#include <map>
#include <optional>

namespace rapt::analysis {

/// The sum of coefficient * atom over `terms`, plus `exact` (i64, null: 0), the
/// part that is the same for every pair of a rectangle. Atoms are values of the
/// region that are no sums, numbered as they are met.
struct LinearForm {
  llvm::SmallVector<std::pair<unsigned, int64_t>, 2> terms; ///< by atom
  mlir::Value exact;
  /// No partial sum of any order is larger; below kLargest it fits 64 bits.
  double magnitude = 0;

  static constexpr double kLargest = 0x1p61;
  bool isSmall() const { return magnitude < kLargest; }
};

/// The terms of a form, divided by their common factor and with a positive
/// first coefficient: form = scale * key + exact.
struct FormKey {
  unsigned number;
  int64_t scale;
};

/// value = modulus * n + residue for some integer n. Modulus 0: value =
/// residue; 1: nothing is known. The residue may be null for 0.
struct Congruence {
  int64_t modulus = 1;
  mlir::Value residue;
};

class LinearForms {
public:
  /// `getExact` gives the i64 that a value is for every pair, or null.
  LinearForms(mlir::OpBuilder &builder, mlir::Location location,
              std::function<mlir::Value(mlir::Value)> getExact)
      : builder(builder), location(location), getExact(std::move(getExact)) {}

  /// Says that an argument of the region is another one plus `offset` (i64).
  void setOffset(mlir::Value argument, mlir::Value base, mlir::Value offset);

  /// The form of an integer; one that cannot be taken apart is its own atom.
  const LinearForm &get(mlir::Value value);
  /// a - b; nothing if a partial sum might not fit 64 bits.
  std::optional<LinearForm> subtract(const LinearForm &a, const LinearForm &b);
  /// The key of a form that has terms; equal keys have equal numbers.
  FormKey getKey(const LinearForm &form);
  mlir::Value getAtom(unsigned number) const { return atoms[number]; }
  /// The atom of a key that has only one.
  mlir::Value getSingleAtom(unsigned key) const;

  Congruence getCongruence(const LinearForm &form);

private:
  LinearForm make(mlir::Value value);
  LinearForm makeAtom(mlir::Value value);
  std::optional<LinearForm> add(const LinearForm &a, const LinearForm &b,
                                int64_t factor);
  std::optional<LinearForm> scale(const LinearForm &form, int64_t factor);
  Congruence getAtomCongruence(mlir::Value atom);
  mlir::Value constant(int64_t value);

  using Terms = std::vector<std::pair<unsigned, int64_t>>;
  mlir::OpBuilder &builder;
  mlir::Location location;
  std::function<mlir::Value(mlir::Value)> getExact;
  llvm::DenseMap<mlir::Value, LinearForm> forms;
  llvm::DenseMap<mlir::Value, unsigned> numbers;
  llvm::SmallVector<mlir::Value> atoms;
  std::map<Terms, unsigned> keys;
  llvm::SmallVector<mlir::Value> singleAtoms; ///< by key, or null
};

/// The constant that a value is after folding, also one of another width.
std::optional<int64_t> getConstant(mlir::Value value);

} // namespace rapt::analysis

#endif // RAPT_LIB_ANALYSIS_LINEARFORMS_H
