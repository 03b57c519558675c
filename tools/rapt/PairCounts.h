// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// How many tiles of each class and how many pairs the masks of a spec leave.

#ifndef RAPT_TOOLS_RAPT_PAIRCOUNTS_H
#define RAPT_TOOLS_RAPT_PAIRCOUNTS_H

#include "lib/Reference/MaskEvaluator.h"
#include "rapt/RunTable.h"
#include <optional>

namespace rapt::tool {

/// The tiles of one loop over pairs as its kernel visits them.
struct TileCounts {
  int64_t queries = 0, keys = 0; ///< of one tile
  /// Of queries and keys in the order in which the kernel lists them.
  bool isListed = false;
  /// Heads with tiles of their own; the others are like one of them.
  int64_t heads = 1;
  /// In all those heads.
  int64_t empty = 0, full = 0, partial = 0;
  /// Pairs of the sequence in full and in partial tiles of all batches and
  /// heads of the loop.
  double fullPairs = 0, partialPairs = 0;

  double getVisitedPairs() const { return fullPairs + partialPairs; }
};

struct LoopCounts {
  reference::MaskedLoop loop;
  /// Nothing if the loop has no mask, or none is left of it that the kernel
  /// plans by.
  std::optional<TileCounts> tiles;
  /// The kernel finds the tiles while it runs.
  bool isFoundLate = false;
  double keptPairs = 0;
  /// Of keptPairs, if only some tiles were counted; 0 if all were.
  double standardError = 0;
  bool isExact = true;
  /// Multiplications and additions of the products, for one pair.
  double flopsPerPair = 0;

  /// With a mask that depends on what must be computed first, keptPairs is what
  /// is certain to be kept and this is what may be.
  double getMostPairs() const {
    return loop.isKnown ? keptPairs
           : tiles      ? tiles->getVisitedPairs()
                        : loop.getPairs();
  }
  double getVisitedPairs() const {
    return tiles ? tiles->getVisitedPairs() : loop.getPairs();
  }
};

/// The tiles of a table for all batches and heads of `loop`.
TileCounts countTiles(const RunTable &table, const reference::MaskedLoop &loop);

/// For every loop of the spec, from the tables of its kernel. Pairs of partial
/// tiles are counted with the Reference; if there are more than `mostPairs` of
/// them, those of some tiles that are chosen at random.
std::vector<LoopCounts> countPairs(const reference::MaskEvaluator &masks,
                                   const std::vector<RunTable> &tables,
                                   unsigned threads,
                                   int64_t mostPairs = int64_t(1) << 23);

/// Tables of a form whose rows are the queries of several heads, position by
/// position, as tables of queries. False if a block has no whole queries.
bool ungroupHeads(const reference::MaskEvaluator &masks,
                  std::vector<RunTable> &tables);

/// The table of every loop; null for a loop without a mask, and for all loops
/// if the kernel does not plan by the masks as they stand in the spec.
std::vector<const RunTable *> matchTables(const reference::MaskEvaluator &masks,
                                          const std::vector<RunTable> &tables);

/// The pairs of a run of tiles in one block of queries of the group (b, h).
reference::PairRectangle getRectangle(const RunTable &table, int64_t b,
                                      int64_t h, int64_t block,
                                      int64_t firstTile, int64_t tiles);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_PAIRCOUNTS_H
