// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Structure of a mask that makes its pairs dense in another order of queries
/// and keys.

#ifndef RAPT_LIB_ANALYSIS_MASKSTRUCTURE_H
#define RAPT_LIB_ANALYSIS_MASKSTRUCTURE_H

#include "dialects/Attn/IR/Attn.h"
#include "llvm/ADT/SmallVector.h"

namespace rapt::analysis {

/// What a value of a mask region depends on.
struct Dependence {
  bool onQuery = false, onKey = false;
  /// Not a function of positions and integer tensors alone, so that it cannot
  /// be computed when a call is planned.
  bool onPair = false;
};

/// A pair is kept only if two integers are equal, one of the query, one of the
/// key: documents, clusters, buckets, residues. With queries and keys sorted by
/// them, the pairs that may be kept are ranges.
struct EqualClasses {
  /// `value`, and if `modulus` is not null, (offset + sign * value) mod
  /// `modulus`, or a number that no other id is if the offset, the remainder
  /// that the mask asks for, is none of the modulus. Values of the mask region.
  struct Id {
    mlir::Value value;
    int64_t sign = 1, offset = 0;
    mlir::Value modulus;
  };
  Id query, key;
  mlir::Value condition; ///< i1, the comparison itself
};

/// Some keys are kept for far more queries than others: the mask says `few |
/// marked`, where `marked` depends on the key alone and has no other use, so
/// that a pair kept without the mark is kept with it. Listed after each other,
/// those keys are dense.
struct MarkedKeys {
  mlir::Value marked; ///< i1, a value of the mask region
};

/// A pair is kept only if query and key are close in two or three coordinates,
/// such as the row and the column of a picture. The queries of a block that is
/// short along all of them share most of their keys.
struct Neighbourhood {
  struct Coordinate {
    mlir::Value query, key; ///< of each side
    int64_t radius = 0;     ///< the largest difference
  };
  llvm::SmallVector<Coordinate, 3> coordinates;
  /// The coordinates of the key are its position divided by, or modulo, what
  /// does not depend on it.
  bool hasPlainKeys = true;

  /// Farther apart, the keys of one row are enough for wide tiles of queries in
  /// the order of positions, and a block shares little: at 128 x 128 blocks ran
  /// at 106 GFLOP/s instead of 70 with a radius of 21, and at as many with 32.
  static constexpr int64_t kMostRadius = 30;
  /// Queries of one block: a square or a box of them.
  static constexpr int64_t kBlock = 16;
  /// Extents of a block along the coordinates; their product is kBlock.
  llvm::SmallVector<int64_t> getBlockExtents() const {
    if (coordinates.size() == 2)
      return {4, 4};
    return {2, 2, 4};
  }
};

/// The structure of the mask of `op`; nothing where tiles in the order of
/// positions are already dense.
std::optional<EqualClasses> findEqualClasses(attn::AttendOp op);
std::optional<MarkedKeys> findMarkedKeys(attn::AttendOp op);
std::optional<Neighbourhood> findNeighbourhood(attn::AttendOp op);

} // namespace rapt::analysis

#endif // RAPT_LIB_ANALYSIS_MASKSTRUCTURE_H
