// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The error rule: how a kernel's result is compared with the Reference.

#ifndef RAPT_LIB_REFERENCE_CHECK_H
#define RAPT_LIB_REFERENCE_CHECK_H

#include "lib/Reference/AttnEvaluator.h"

namespace rapt::reference {

/// Which rows of each head are compared.
enum class RowSelection {
  None,
  Sample, ///< the first 64, the last 64 and 128 random ones
  All
};

/// The rows of a result [batch, heads, queries, features], in ascending order
/// and without repetition. Equal seeds give equal rows.
std::vector<RowIndex> selectRows(RowSelection selection, int64_t batch,
                                 int64_t heads, int64_t queries, uint64_t seed);

/// The largest error of a row over its features, as a fraction of the row's
/// scale: |found - reference| / scale. Half the smallest positive number of the
/// result's type is free, because nothing nearer may exist. Infinite if one of
/// the two is a NaN or infinite (the reference rounded to the result's type)
/// where the other is not, and if the scale is 0, as in an empty row, but
/// `found` differs.
double errorOfRow(llvm::ArrayRef<double> found, const Row &reference,
                  support::ElementType resultType);

/// |found - reference| / max(1, |reference|); infinite as in errorOfRow.
double errorOfLse(double found, double reference);

/// What no implementation can be asked to stay below, added to twice the plain
/// implementation's error: four roundings of f32 and one to the result's type.
double getErrorFloor(support::ElementType resultType);

struct CheckReport {
  double maxError = 0;    ///< of the output, relative to the scale of the row
  double bound = 0;       ///< 2 * the plain implementation's + floor
  double maxLseError = 0; ///< see errorOfLse
  double lseBound = 0;
  RowIndex worst; ///< where the error is largest compared with its bound
  int64_t rowsChecked = 0;
  /// Rows that were left out because the plain implementation overflows where
  /// the Reference does not: nothing is known about the precision to expect
  /// there.
  int64_t rowsSkipped = 0;
  /// Not if there were rows and all of them were left out.
  bool passed = true;
  std::string message; ///< what failed, in one line; empty if nothing did
};

/// Compares rows of `out` [batch, heads, queries, features] and, if it is
/// given, `lse` [batch, heads, queries]. `exact` and `plain` evaluate the same
/// spec on the same tensors with the two precisions. Fails if the tensors do
/// not fit the spec or a row lies outside.
llvm::Expected<CheckReport>
checkResult(AttnEvaluator &exact, AttnEvaluator &plain, const TensorView &out,
            const TensorView *lse, llvm::ArrayRef<RowIndex> rows);

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_CHECK_H
