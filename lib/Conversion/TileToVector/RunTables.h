// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Where the runs of a tile.plan_runs lie in the workspace, and the code that
/// finds them. Internal to the conversion.

#ifndef RAPT_LIB_CONVERSION_TILETOVECTOR_RUNTABLES_H
#define RAPT_LIB_CONVERSION_TILETOVECTOR_RUNTABLES_H

#include "lib/Conversion/TileToVector/ScalarLowering.h"

namespace rapt::conversion {

/// The arrays of a table, see lib/Support/WorkspaceHead.h. `histogram` is
/// scratch, one word for each cost; all tables of a program share `runs`.
struct RunTable {
  mlir::Value offsets, costs, order, histogram, runs; ///< memrefs
  /// How many groups there are along batch and head, how many blocks of rows,
  /// how many runs of columns; type index.
  mlir::Value batches, heads, blocks, steps;
  mlir::Value columns, columnStep; ///< index
  bool usesBatch = false, usesHead = false;
  /// Of a table that is planned late, in memory that was taken before: the most
  /// runs that a block has, the last of which takes what is left, and its first
  /// run (i64).
  int64_t mostRuns = 0;
  mlir::Value firstRun;

  RunTable() = default;
  /// Which arguments the region of `op` uses.
  explicit RunTable(tile::PlanRunsOp op);

  /// Place of a block in `offsets`, `costs` and `order`; type index.
  mlir::Value getPlace(ScalarBuilder emit, mlir::Value batch, mlir::Value head,
                       mlir::Value block) const;
  /// The most columns that a block has, once runs are found; type index.
  mlir::Value getLongest(ScalarBuilder emit) const;
};

/// Emits the search for the runs of a table. `cursor` (i64) is the first free
/// word of `runs`, of which there are `capacity` (i64; null: enough). Gives the
/// next free word; what lies beyond the capacity is counted but not written.
/// `lower` has the values of the program.
mlir::FailureOr<mlir::Value> emitRuns(ScalarBuilder emit, tile::PlanRunsOp op,
                                      const RunTable &table,
                                      ScalarLowering &lower, mlir::Value cursor,
                                      mlir::Value capacity);

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_TILETOVECTOR_RUNTABLES_H
