// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Which keys a mask keeps for a block of queries, in closed form.

#ifndef RAPT_LIB_ANALYSIS_KEYRANGES_H
#define RAPT_LIB_ANALYSIS_KEYRANGES_H

#include "lib/Analysis/MaskClasses.h"
#include <optional>

namespace rapt::analysis {

/// A set of keys for which the mask may keep a pair with some query of a block,
/// or may drop one, seen from one key. All are i64; what does not exist is a
/// number that is larger than any key.
struct KeyRange {
  mlir::Value next; ///< the least key of the set that is not below the key
  mlir::Value end;  ///< the least key outside the set that is not below it
};

struct MaskKeys {
  KeyRange kept, dropped;
};

/// Emits, at the insertion point of `builder`, where the keys around `key`
/// (i64) begin and end to be kept and to be dropped. `bounds` holds what is
/// known of the arguments of the region, of the key that it may be any of the
/// sequence. No pair is kept with a key outside the first set, none dropped
/// with one outside the second.
///
/// Nothing if the mask is more than conditions joined by & | ! that ask whether
/// the key, divided by or modulo what does not depend on it, lies between what
/// depends on the query alone: then only the classes of rectangles say more.
std::optional<MaskKeys>
emitMaskKeys(mlir::OpBuilder &builder, mlir::Location location,
             mlir::Region &mask, llvm::DenseMap<mlir::Value, Bounds> bounds,
             ReadRange readRange, EvaluateShape evaluateShape, mlir::Value key);

/// The same for pairs that the mask keeps with what `bounds` says and drops
/// with what `without` says.
std::optional<MaskKeys> emitMaskKeysBeyond(
    mlir::OpBuilder &builder, mlir::Location location, mlir::Region &mask,
    llvm::DenseMap<mlir::Value, Bounds> bounds,
    llvm::DenseMap<mlir::Value, Bounds> without, ReadRange readRange,
    EvaluateShape evaluateShape, mlir::Value key);

} // namespace rapt::analysis

#endif // RAPT_LIB_ANALYSIS_KEYRANGES_H
