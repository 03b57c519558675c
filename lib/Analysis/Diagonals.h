// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What a score says of the distance of a query and a key alone.

#ifndef RAPT_LIB_ANALYSIS_DIAGONALS_H
#define RAPT_LIB_ANALYSIS_DIAGONALS_H

#include "dialects/Attn/IR/Attn.h"
#include "llvm/ADT/SmallVector.h"

namespace rapt::analysis {

/// A value of a region that is the same for all pairs of one batch and head
/// that are equally far apart, and takes more to compute than to read.
struct DiagonalValue {
  mlir::Value value; ///< f32
  /// What it is computed from, in the order of the region, itself the last.
  llvm::SmallVector<mlir::Operation *> operations;
};

/// The values of a region of `op` that others use, each as large as possible.
llvm::SmallVector<DiagonalValue> findDiagonals(attn::AttendOp op,
                                               mlir::Region &region);

} // namespace rapt::analysis

#endif // RAPT_LIB_ANALYSIS_DIAGONALS_H
