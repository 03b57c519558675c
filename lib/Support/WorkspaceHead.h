// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The head of a kernel's workspace, in words of 64 bits: what generated code
/// writes when a call is planned and what others read there.
///
///   word n < launches     items of launch n
///   word launches         byte of the workspace at which the runs begin
///   then for every table  TableWord::Count words
///
/// A table has the runs of every block of rows. Groups are the pairs of a batch
/// and a head; what the mask does not tell apart is one group. Its arrays, with
/// place = (batch * heads + head) * blocks + block:
///
///   offsets[place]   the first run of the block; that of the next block, or
///                    one word more at the end, is where they end
///   costs[place]     steps of columns that the runs have together
///   order[place]     the block whose turn it is, those of high cost first

#ifndef RAPT_LIB_SUPPORT_WORKSPACEHEAD_H
#define RAPT_LIB_SUPPORT_WORKSPACEHEAD_H

#include <cstdint>

namespace rapt::support {

enum class TableWord : int64_t {
  Offsets, ///< bytes of the workspace at which arrays begin; 0: the runs of
           ///< this table are found by a launch, not when the call is planned
  Costs,
  Order,
  Batches, ///< groups along the batch: 1 if all share their runs
  Heads,
  Blocks, ///< of rows
  Steps,  ///< of columns
  Rows,
  Columns,
  RowStep,
  ColumnStep,
  Count
};

/// A run in one word: `isFull` in bit 0, the number of steps from bit 1, the
/// first step from bit 32.
constexpr int64_t kRunCountBit = 1, kRunStartBit = 32;
constexpr int64_t kRunCountMask =
    (int64_t(1) << (kRunStartBit - kRunCountBit)) - 1;

constexpr int64_t getHeadWords(int64_t launches, int64_t tables) {
  return launches + 1 + tables * static_cast<int64_t>(TableWord::Count);
}
constexpr int64_t getTableWord(int64_t launches, int64_t table,
                               TableWord word) {
  return getHeadWords(launches, table) + static_cast<int64_t>(word);
}

} // namespace rapt::support

#endif // RAPT_LIB_SUPPORT_WORKSPACEHEAD_H
