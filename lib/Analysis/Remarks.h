// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What the compiler tells about its choices. A pass puts a remark on the
/// module, the manifest of the kernel keeps it, and `rapt explain` prints it.
///
/// The attribute `rapt.remarks` is an array of dictionaries with `kind`
/// (`structure` or `missed`) and `text`, in the order in which they were put.

#ifndef RAPT_LIB_ANALYSIS_REMARKS_H
#define RAPT_LIB_ANALYSIS_REMARKS_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/Twine.h"

namespace rapt::analysis {

inline constexpr llvm::StringLiteral kRemarksAttr = "rapt.remarks";
inline constexpr llvm::StringLiteral kStructureRemark = "structure";
inline constexpr llvm::StringLiteral kMissedRemark = "missed";

/// What was found that makes the kernel faster, as half a sentence in lower
/// case: `only keys of the same document are visited, found by binary search`.
/// `op` is any operation of the module. The same remark twice is one.
void remarkStructure(mlir::Operation *op, const llvm::Twine &text);

/// Why a faster form does not apply: `'rel' is read for every pair, so that
/// nothing is known of a tile before it is computed`.
void remarkMissed(mlir::Operation *op, const llvm::Twine &text);

} // namespace rapt::analysis

#endif // RAPT_LIB_ANALYSIS_REMARKS_H
