// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Integer arithmetic that has a result for every input, and comparisons.

#ifndef RAPT_LIB_REFERENCE_NUMBERS_H
#define RAPT_LIB_REFERENCE_NUMBERS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

namespace rapt::reference {

/// Cuts to `width` bits and extends the sign; booleans are 0 or 1.
int64_t wrap(int64_t value, unsigned width);
/// The low `width` bits as a number without sign.
uint64_t asUnsigned(int64_t value, unsigned width);
/// The value of a cell as a signed number: a true boolean is -1.
int64_t asSigned(int64_t value, unsigned width);

/// Modulo 2^64.
int64_t addWrapped(int64_t a, int64_t b);
int64_t subWrapped(int64_t a, int64_t b);
int64_t mulWrapped(int64_t a, int64_t b);
int64_t power(int64_t base, int64_t exponent);

/// Quotients rounded towards zero, down and up, and the remainders of the first
/// two. 0 if the divisor is 0, for which there is no meaning.
int64_t divide(int64_t a, int64_t b);
int64_t remainder(int64_t a, int64_t b);
int64_t floorDivide(int64_t a, int64_t b);
int64_t floorModulo(int64_t a, int64_t b);
int64_t ceilDivide(int64_t a, int64_t b);

bool compareIntegers(mlir::arith::CmpIPredicate predicate, int64_t a, int64_t b,
                     unsigned width);
bool compareReals(mlir::arith::CmpFPredicate predicate, double a, double b);

/// The larger or smaller of two numbers, a NaN if either is one.
template <typename Real> Real maximum(Real a, Real b) {
  return std::isnan(a) ? a : std::isnan(b) ? b : std::max(a, b);
}
template <typename Real> Real minimum(Real a, Real b) {
  return std::isnan(a) ? a : std::isnan(b) ? b : std::min(a, b);
}

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_NUMBERS_H
