// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Tables and lists of positions that are made when a call is planned. Internal
/// to the conversion.

#ifndef RAPT_LIB_CONVERSION_TILETOVECTOR_PLANLISTS_H
#define RAPT_LIB_CONVERSION_TILETOVECTOR_PLANLISTS_H

#include "lib/Conversion/TileToVector/ScalarLowering.h"

namespace rapt::conversion {

/// Fills `table`, a memref of integers [batches, heads, length]. `lower` has
/// the values of the program.
mlir::LogicalResult fillTable(ScalarBuilder emit, tile::TabulateOp op,
                              mlir::Value table, ScalarLowering &lower);

/// What sorting one line needs besides the results.
struct SortScratch {
  mlir::Value ids;       ///< memref<?xi64>, as long as a line
  mlir::Value numbers;   ///< the same
  mlir::Value histogram; ///< memref<?xi64> of kMostDigits words
  /// A digit of a sort of several, and the most that one digit alone may have:
  /// its counters fit in the second level cache.
  static constexpr int64_t kDigitBits = 11, kDigits = 1 << kDigitBits;
  static constexpr int64_t kMostDigits = 1 << 16;
};

/// Sorts every line of `ids` (i64 or i32, rank 3) into `order` (i32).
void sortLines(ScalarBuilder emit, mlir::Value ids, mlir::Value order,
               const SortScratch &scratch);

/// Lists every position of a line and then the marked ones, and counts these,
/// see tile.list_marked.
void listMarked(ScalarBuilder emit, mlir::Value marks, mlir::Value order,
                mlir::Value count);

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_TILETOVECTOR_PLANLISTS_H
