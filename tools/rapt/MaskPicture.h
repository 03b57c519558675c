// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The mask of one head as runs of tiles, small enough to draw.

#ifndef RAPT_TOOLS_RAPT_MASKPICTURE_H
#define RAPT_TOOLS_RAPT_MASKPICTURE_H

#include "tools/rapt/PairCounts.h"
#include <string>

namespace rapt::tool {

struct MaskPicture {
  int64_t batch = 0, head = 0;
  int64_t queries = 0, keys = 0;
  /// Queries and keys are in the order in which the kernel lists them.
  bool isListed = false;
  /// Of one cell, which is one tile of the kernel or `factor` by `factor` of
  /// them: full if all are, empty if all are, else partial.
  int64_t queriesPerCell = 1, keysPerCell = 1, factor = 1;
  int64_t rows = 0, columns = 0; ///< of cells
  /// Where in `runs` those of a row begin; one more at the end. Runs of a row
  /// are ascending, apart or of different classes.
  std::vector<int64_t> offsets;
  std::vector<KeyRun> runs;
  /// queries x keys, row after row; empty if there are too many to draw.
  std::vector<bool> pairs;
};

/// How much a picture may have. What has more gets cells of more tiles.
struct PictureLimits {
  int64_t rows = int64_t(1) << 40;
  int64_t runs = 1000000;
  /// Pairs that are drawn one by one.
  int64_t pairs = 65536;
};

/// The picture of one loop; `table` is null if the kernel plans nothing. Where
/// the kernel lists queries and keys in an order of its own, the picture has
/// pairs in their places if there are few, else tiles in that order.
MaskPicture makePicture(const reference::MaskEvaluator &masks, size_t loop,
                        const RunTable *table, int64_t batch, int64_t head,
                        const PictureLimits &limits);

/// The picture with cells of `factor` by `factor` of its cells.
MaskPicture coarsen(const MaskPicture &picture, int64_t factor);

/// As JSON, small where rows follow from the ones before them: an object with
/// batch, head, queries, keys, queriesPerCell, keysPerCell, factor, rows,
/// columns, isListed; `pairs`, null or a string of hexadecimal digits, four
/// pairs each, the first pair the highest bit, each row of pairs padded; and
/// `code`, a list of lists [repeat, isDifference, numbers...]. A row is the
/// numbers first, 2 * cells + isFull of each run; a difference is added to the
/// row before, `repeat` times.
std::string encode(const MaskPicture &picture);

/// How many numbers `code` has.
int64_t getCodeLength(const MaskPicture &picture);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_MASKPICTURE_H
