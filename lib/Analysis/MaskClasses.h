// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Which rectangles of pairs a mask keeps: none of their pairs, all, or some.

#ifndef RAPT_LIB_ANALYSIS_MASKCLASSES_H
#define RAPT_LIB_ANALYSIS_MASKCLASSES_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Region.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

namespace rapt::analysis {

/// What is known of a value over a rectangle. For an integer the least and the
/// largest value (i64); for a boolean whether it may hold for some pair and
/// whether it holds for every pair (i1). Null: nothing is known.
struct Bounds {
  mlir::Value low, high;

  bool isKnown() const { return low && high; }
  /// The same for every pair of the rectangle.
  bool isExact() const { return low && low == high; }
};

/// The least and largest element (i64; of booleans 0 or 1) of a captured tensor
/// of integers over ranges of its indices; elements outside the tensor are 0.
/// Exact if all indices are and only then; unknown if the tensor cannot be read
/// so.
using ReadRange = llvm::function_ref<Bounds(mlir::Value tensor,
                                            llvm::ArrayRef<Bounds> indices)>;

/// What `attn.length`, `attn.extent` and `attn.share` give, as i64; null for
/// any other operation.
using EvaluateShape = llvm::function_ref<mlir::Value(
    mlir::Operation *op, llvm::function_ref<mlir::Value(mlir::Value)> exact)>;

struct MaskClass {
  mlir::Value any; ///< i1: some pair may be kept
  mlir::Value all; ///< i1: every pair is kept
  /// Operations of the mask of whose results nothing is known although all is
  /// known of what they are computed from.
  llvm::SmallVector<mlir::Operation *> unknown;
};

/// Emits, at the insertion point of `builder`, interval arithmetic over `mask`,
/// the mask region of an attn.attend. `bounds` holds what is known of the
/// region's arguments. Sound for every mask: `any` is false only if no pair is
/// kept, `all` true only if every pair is. Exact for conjunctions of
/// comparisons of sums and differences of positions with constants. What the
/// mask does not need is not emitted; constants fold when the result is
/// canonicalised.
///
/// Values of the region fit their type for every pair of the sequence (the
/// front end chooses the type so), hence intervals over a part of it fit 64
/// bits.
MaskClass emitMaskClasses(mlir::OpBuilder &builder, mlir::Location location,
                          mlir::Region &mask,
                          llvm::DenseMap<mlir::Value, Bounds> bounds,
                          ReadRange readRange, EvaluateShape evaluateShape);

/// Whether two integers may be equal, and whether they must be.
Bounds emitEqual(mlir::OpBuilder &builder, mlir::Location location, Bounds a,
                 Bounds b);

/// Of keys listed once in their place, segment 0, and the marked ones again,
/// segment 1; segment 2 has none. `without` and `with` are the classes of the
/// mask for a key that is not marked and for one that is; a pair that is kept
/// in its place is not kept again.
MaskClass emitSegments(mlir::OpBuilder &builder, mlir::Location location,
                       Bounds segment, MaskClass without, MaskClass with);

} // namespace rapt::analysis

#endif // RAPT_LIB_ANALYSIS_MASKCLASSES_H
