// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Memory from addresses: what the arguments of a kernel and its workspace are.
/// Internal to the conversion.

#ifndef RAPT_LIB_CONVERSION_TILETOVECTOR_POINTERS_H
#define RAPT_LIB_CONVERSION_TILETOVECTOR_POINTERS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/SmallVector.h"

namespace rapt::conversion {

/// A memref without offset at `pointer` (an LLVM pointer), with these sizes and
/// strides (i64, as many as its rank).
mlir::Value makeMemRef(mlir::OpBuilder &builder, mlir::Location location,
                       mlir::MemRefType type, mlir::Value pointer,
                       llvm::ArrayRef<mlir::Value> sizes,
                       llvm::ArrayRef<mlir::Value> strides);

/// The memory at `address` (i64) as words of 32 bits.
mlir::Value makeWords(mlir::OpBuilder &builder, mlir::Location location,
                      mlir::Value address);

/// Word `number` of an array of i64.
mlir::Value loadWord(mlir::OpBuilder &builder, mlir::Location location,
                     mlir::Value array, int64_t number);

/// `pointer` moved by `bytes` (i64).
mlir::Value movePointer(mlir::OpBuilder &builder, mlir::Location location,
                        mlir::Value pointer, mlir::Value bytes);

/// What a memref is made of: a pointer to memory, the elements from there to
/// its first one (null: none) and its strides, i64.
struct MemRefParts {
  mlir::Value pointer, offset;
  llvm::SmallVector<mlir::Value> strides;
};
MemRefParts takeApart(mlir::OpBuilder &builder, mlir::Location location,
                      mlir::Value memref);

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_TILETOVECTOR_POINTERS_H
