// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Functions of f32 numbers from what a GPU has an instruction for. Internal to
/// the conversion.

#ifndef RAPT_LIB_CONVERSION_NVTONVVM_DEVICEMATH_H
#define RAPT_LIB_CONVERSION_NVTONVVM_DEVICEMATH_H

#include "mlir/IR/Builders.h"

namespace rapt::conversion {

/// An intrinsic of LLVM by its name without types, with one result.
mlir::Value callIntrinsic(mlir::OpBuilder &builder, mlir::Location location,
                          mlir::Type result, llvm::StringRef name,
                          mlir::ValueRange arguments);
void callIntrinsic(mlir::OpBuilder &builder, mlir::Location location,
                   llvm::StringRef name, mlir::ValueRange arguments);

/// The value of a math operation on scalars of f32 for `operands`; null if it
/// has a lowering of its own further down. Largest errors, in ulp unless said
/// otherwise:
///
///   exp2     2, results below 2^-126 are 0 (ex2.approx, PTX ISA 9.7.3.19)
///   exp      3, for |x| < 87
///   log2     3, and 2^-22 absolute between 1/2 and 2 (lg2.approx)
///   log      as log2, times ln 2
///   tanh     4e-7 of the value
///   rsqrt    2 (rsqrt.approx)
///   sin, cos 2e-7 absolute for |x| < 2^31, reduced in f64
mlir::Value lowerMath(mlir::OpBuilder &builder, mlir::Operation *op,
                      mlir::ValueRange operands);

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_NVTONVVM_DEVICEMATH_H
