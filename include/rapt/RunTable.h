// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Which part of all pairs a kernel visits.

#ifndef RAPT_RUNTABLE_H
#define RAPT_RUNTABLE_H

#include <cstdint>
#include <vector>

namespace rapt {

/// A run of tiles of keys beside each other.
struct KeyRun {
  int64_t firstTile = 0;
  int64_t tiles = 0;
  /// Every pair is kept, so that the mask is not computed; else it is.
  bool isFull = false;
};

/// For every block of queries of one loop over pairs, the runs of keys that its
/// mask leaves. What no run names is never visited. A mask that does not tell
/// batches or heads apart has one group for all of them.
struct RunTable {
  /// False if the mask reads what other kernels of the call compute, so that
  /// runs are found while it runs: offsets, order and runs are empty.
  bool isFound = true;
  /// Whether queries and keys are counted in an order that was made for this
  /// call, in which a key may also stand twice or not at all, and not by their
  /// positions.
  bool isListed = false;
  int64_t batchGroups = 1, headGroups = 1;
  int64_t queries = 0, keys = 0;
  int64_t queriesPerBlock = 0, keysPerTile = 0;
  int64_t blocks = 0, tiles = 0; ///< of queries, of keys
  /// One for each group and block, the block varying fastest: where in `runs`
  /// its runs begin; one more at the end.
  std::vector<int64_t> offsets;
  /// For each group the blocks in the order in which they are computed, those
  /// with the most tiles first.
  std::vector<int64_t> order;
  std::vector<KeyRun> runs;
};

} // namespace rapt

#endif // RAPT_RUNTABLE_H
