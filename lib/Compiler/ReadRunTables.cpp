// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/ReadRunTables.h"
#include "lib/Support/WorkspaceHead.h"

using rapt::support::TableWord;

namespace rapt {

std::vector<RunTable> readRunTables(const void *workspace, int64_t launches,
                                    int64_t tables) {
  const auto *head = static_cast<const int64_t *>(workspace);
  auto arrayAt = [&](int64_t bytes) {
    return head + bytes / static_cast<int64_t>(sizeof(int64_t));
  };
  const int64_t *runs = tables > 0 ? arrayAt(head[launches]) : nullptr;
  std::vector<RunTable> result;
  for (int64_t number = 0; number < tables; ++number) {
    auto word = [&](TableWord which) {
      return head[support::getTableWord(launches, number, which)];
    };
    RunTable table;
    table.batchGroups = word(TableWord::Batches);
    table.headGroups = word(TableWord::Heads);
    table.queries = word(TableWord::Rows);
    table.keys = word(TableWord::Columns);
    table.queriesPerBlock = word(TableWord::RowStep);
    table.keysPerTile = word(TableWord::ColumnStep);
    table.blocks = word(TableWord::Blocks);
    table.tiles = word(TableWord::Steps);
    if (word(TableWord::Offsets) == 0) {
      table.isFound = false;
      result.push_back(std::move(table));
      continue;
    }
    int64_t places = table.batchGroups * table.headGroups * table.blocks;
    const int64_t *offsets = arrayAt(word(TableWord::Offsets));
    const int64_t *order = arrayAt(word(TableWord::Order));
    int64_t first = offsets[0];
    for (int64_t place = 0; place <= places; ++place)
      table.offsets.push_back(offsets[place] - first);
    table.order.assign(order, order + places);
    for (int64_t run = first; run < offsets[places]; ++run) {
      auto bits = static_cast<uint64_t>(runs[run]);
      uint64_t count = bits >> support::kRunCountBit;
      count &= support::kRunCountMask;
      table.runs.push_back({static_cast<int64_t>(bits >> support::kRunStartBit),
                            static_cast<int64_t>(count), (bits & 1) != 0});
    }
    result.push_back(std::move(table));
  }
  return result;
}

} // namespace rapt
