// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Which dimension of each tile of a kernel runs along the vector lanes.
/// Internal to the conversion.

#ifndef RAPT_LIB_CONVERSION_TILETOVECTOR_LANEANALYSIS_H
#define RAPT_LIB_CONVERSION_TILETOVECTOR_LANEANALYSIS_H

#include "dialects/Tile/IR/Tile.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include <optional>

namespace rapt::conversion {

/// Dimensions that must be the same index (of a map and its operands, of a
/// product and its operands, of a carried tile and its next value, ...) form a
/// class. That of the first dimension of what the kernel stores, the rows of
/// its work item, is laid along the lanes; in a plan with `columns` the last
/// dimension of every other tile is.
class LaneAnalysis {
public:
  /// Fails, with an error, if a tile would have two dimensions along the lanes.
  static mlir::FailureOr<LaneAnalysis> compute(tile::KernelOp kernel);

  /// The dimension of a tile along the lanes, if it has one.
  std::optional<unsigned> getLaneDim(mlir::Value tile) const;
  /// Whether the columns of tiles are along the lanes.
  bool isColumns() const { return columns; }
  /// The extent of the class of rows.
  int64_t getRows() const { return rows; }

private:
  llvm::DenseMap<mlir::Value, unsigned> laneDims;
  bool columns = false;
  int64_t rows = 1;
};

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_TILETOVECTOR_LANEANALYSIS_H
