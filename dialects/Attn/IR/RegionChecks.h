// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Checks that the verifiers of several attn operations share. Internal to the
/// dialect.

#ifndef RAPT_DIALECTS_ATTN_IR_REGIONCHECKS_H
#define RAPT_DIALECTS_ATTN_IR_REGIONCHECKS_H

#include "dialects/Attn/IR/Attn.h"

namespace rapt::attn {

/// `operand` has rank 4 and a static feature extent.
mlir::LogicalResult verifyRows(mlir::Operation *op, mlir::Value operand,
                               llvm::StringRef role);

/// The region, if there is one, has one block with these arguments that ends
/// with attn.yield.
mlir::LogicalResult verifyRegionArguments(mlir::Operation *op,
                                          mlir::Region &region,
                                          llvm::StringRef name,
                                          llvm::ArrayRef<mlir::Type> expected);

/// The region, if there is one, yields one value of this type.
mlir::LogicalResult verifyYieldType(mlir::Operation *op, mlir::Region &region,
                                    llvm::StringRef name, mlir::Type expected);

/// The type that a row or element of `element` has inside a region.
mlir::Type getRegionElementType(mlir::Type element);

/// The type that a row of `operand`, a tensor of rank 4, has inside a region.
mlir::Type getRegionRowType(mlir::Value operand);

/// Whether a value of a region is computed from one of its arguments, other
/// than through what is `given`.
bool dependsOn(mlir::Value value, llvm::ArrayRef<mlir::BlockArgument> arguments,
               llvm::function_ref<bool(mlir::Value)> given = nullptr);

/// What scans have in common: states are numbers, rows or matrices of f32; an
/// output holds the row that `region` yields for it; a final state holds one
/// state for each batch and head.
mlir::LogicalResult verifyStateTypes(mlir::Operation *op,
                                     mlir::TypeRange states);
mlir::LogicalResult verifyScanOutputs(mlir::Operation *op,
                                      llvm::StringRef region,
                                      mlir::ValueRange outputs,
                                      mlir::ValueRange rows);
mlir::LogicalResult verifyFinalState(mlir::Operation *op, llvm::StringRef name,
                                     mlir::Type state, mlir::Value result);

/// Both have elements of one type.
mlir::LogicalResult verifyElementType(mlir::Operation *op, mlir::Value row,
                                      mlir::Value result);

} // namespace rapt::attn

#endif // RAPT_DIALECTS_ATTN_IR_REGIONCHECKS_H
