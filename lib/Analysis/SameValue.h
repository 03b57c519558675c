// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Whether two values are the same function of the same arguments, up to the
/// order and grouping of the factors of products and the place of signs.

#ifndef RAPT_LIB_ANALYSIS_SAMEVALUE_H
#define RAPT_LIB_ANALYSIS_SAMEVALUE_H

#include "mlir/IR/Value.h"

namespace rapt::analysis {

/// Sound, not complete: sums are compared as they are written.
bool isSameValue(mlir::Value a, mlir::Value b);
/// Whether one of a and -a is b.
bool isSameUpToSign(mlir::Value a, mlir::Value b);
/// Whether an odd number of signs stands before the factors of a product. Of
/// two values that are the same up to sign one is the other's opposite if this
/// differs.
bool isNegated(mlir::Value value);

} // namespace rapt::analysis

#endif // RAPT_LIB_ANALYSIS_SAMEVALUE_H
