// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// exp, sin and cos of vectors in f32. Internal to the conversion.

#ifndef RAPT_LIB_CONVERSION_TILETOVECTOR_VECTORMATH_H
#define RAPT_LIB_CONVERSION_TILETOVECTOR_VECTORMATH_H

#include "mlir/IR/PatternMatch.h"

namespace rapt::conversion {

/// Replaces math.exp2, math.exp, math.sin and math.cos of f32 vectors by
/// polynomials, and what else has an approximation upstream by that one.
///
///   exp2   relative error 2.0e-7 in [-126, 128]; 0 below -127, where results
///          would be subnormal; a NaN stays one. With `scalesByPowers`, for
///          vectors of 16 lanes and more, by two instructions of AVX-512DQ, and
///          subnormal results are there if the thread's mode has them
///   exp    1.1 ulp, with overflow to infinity and gradual underflow
///   sin    1.6 ulp of the value for |x| < 2^31: positions times frequencies
///   cos    are large, and the argument is reduced in f64
void populateVectorMathPatterns(mlir::RewritePatternSet &patterns,
                                bool scalesByPowers);

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_TILETOVECTOR_VECTORMATH_H
