// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/MaskPicture.h"
#include "llvm/Support/raw_ostream.h"

namespace rapt::tool {

static int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

/// Appends a run to the row that is being made, joined with the one before if
/// nothing lies between them.
static void addRun(MaskPicture &picture, KeyRun run) {
  if (static_cast<int64_t>(picture.runs.size()) > picture.offsets.back()) {
    KeyRun &last = picture.runs.back();
    if (last.isFull == run.isFull &&
        last.firstTile + last.tiles == run.firstTile) {
      last.tiles += run.tiles;
      return;
    }
  }
  picture.runs.push_back(run);
}

/// The rows of the table's group that has the head, `factor` by `factor` tiles
/// for each cell.
static void addRows(const RunTable &table, int64_t group, int64_t factor,
                    MaskPicture &picture) {
  // How many tiles of a column of cells are visited and how many are full.
  std::vector<int64_t> visited(picture.columns), full(picture.columns);
  for (int64_t row = 0; row < picture.rows; ++row) {
    picture.offsets.push_back(picture.runs.size());
    int64_t first = group * table.blocks + row * factor;
    int64_t blocks = std::min(factor, table.blocks - row * factor);
    if (factor == 1) {
      for (int64_t n = table.offsets[first]; n < table.offsets[first + 1]; ++n)
        addRun(picture, table.runs[n]);
      continue;
    }
    std::fill(visited.begin(), visited.end(), 0);
    std::fill(full.begin(), full.end(), 0);
    for (int64_t n = table.offsets[first]; n < table.offsets[first + blocks];
         ++n) {
      const KeyRun &run = table.runs[n];
      for (int64_t tile = run.firstTile, end = tile + run.tiles; tile < end;) {
        int64_t column = tile / factor;
        int64_t count = std::min(end, (column + 1) * factor) - tile;
        visited[column] += count;
        full[column] += run.isFull ? count : 0;
        tile += count;
      }
    }
    for (int64_t column = 0; column < picture.columns; ++column) {
      if (visited[column] == 0)
        continue;
      int64_t tiles = blocks * std::min(factor, table.tiles - column * factor);
      addRun(picture, {column, 1, full[column] == tiles});
    }
  }
  picture.offsets.push_back(picture.runs.size());
}

static MaskPicture makePicture(const RunTable &table, int64_t group,
                               int64_t factor) {
  MaskPicture picture;
  picture.queries = table.queries;
  picture.keys = table.keys;
  picture.queriesPerCell = table.queriesPerBlock * factor;
  picture.keysPerCell = table.keysPerTile * factor;
  picture.factor = factor;
  picture.isListed = table.isListed;
  picture.rows = divideUp(table.blocks, factor);
  picture.columns = divideUp(table.tiles, factor);
  addRows(table, group, factor, picture);
  return picture;
}

/// A table with one block, which is full or partial everywhere.
static RunTable makePlainTable(const reference::MaskedLoop &loop) {
  RunTable table;
  table.queries = loop.queries;
  table.keys = loop.keys;
  table.queriesPerBlock = std::max<int64_t>(1, loop.queries);
  table.keysPerTile = std::max<int64_t>(1, loop.keys);
  table.blocks = table.tiles = loop.queries > 0 && loop.keys > 0 ? 1 : 0;
  table.offsets.assign(table.blocks + 1, 0);
  if (table.blocks > 0) {
    table.offsets.back() = 1;
    table.runs.push_back({0, 1, !loop.hasMask});
  }
  return table;
}

/// Every pair that is kept as a full cell of its own.
static MaskPicture makePairPicture(const reference::MaskedLoop &loop,
                                   int64_t batch, int64_t head,
                                   const std::vector<bool> &pairs) {
  MaskPicture picture;
  picture.batch = batch;
  picture.head = head;
  picture.queries = picture.rows = loop.queries;
  picture.keys = picture.columns = loop.keys;
  for (int64_t row = 0; row < loop.queries; ++row) {
    picture.offsets.push_back(picture.runs.size());
    for (int64_t key = 0; key < loop.keys; ++key)
      if (pairs[row * loop.keys + key])
        addRun(picture, {key, 1, true});
  }
  picture.offsets.push_back(picture.runs.size());
  return picture;
}

MaskPicture makePicture(const reference::MaskEvaluator &masks, size_t number,
                        const RunTable *table, int64_t batch, int64_t head,
                        const PictureLimits &limits) {
  const reference::MaskedLoop &loop = masks.getLoops()[number];
  bool isSmall = loop.isKnown && loop.queries > 0 && loop.keys > 0 &&
                 loop.queries <= limits.pairs && loop.keys <= limits.pairs &&
                 loop.queries * loop.keys <= limits.pairs &&
                 batch < loop.batch && head < loop.heads;
  std::vector<bool> pairs;
  if (isSmall)
    pairs =
        masks.getPairs(number, {batch, head, 0, loop.queries, 0, loop.keys});
  if (isSmall && table && table->isListed)
    return makePairPicture(loop, batch, head, pairs);
  RunTable plain;
  // No head has a row in a table without groups.
  if (!table || table->batchGroups * table->headGroups == 0) {
    plain = makePlainTable(loop);
    table = &plain;
  }
  int64_t group = 0;
  if (loop.batch > 0 && loop.heads > 0)
    group = batch * table->batchGroups / loop.batch * table->headGroups +
            head * table->headGroups / loop.heads;
  int64_t runs = table->offsets[(group + 1) * table->blocks] -
                 table->offsets[group * table->blocks];
  int64_t factor = 1;
  while (divideUp(table->blocks, factor) > limits.rows ||
         divideUp(runs, factor * factor) > limits.runs)
    factor *= 2;
  MaskPicture picture = makePicture(*table, group, factor);
  while (static_cast<int64_t>(picture.runs.size()) > limits.runs &&
         (picture.rows > 1 || picture.columns > 1))
    picture = makePicture(*table, group, factor *= 2);
  picture.batch = batch;
  picture.head = head;
  picture.pairs = std::move(pairs);
  return picture;
}

MaskPicture coarsen(const MaskPicture &picture, int64_t factor) {
  RunTable table;
  table.queries = picture.queries;
  table.keys = picture.keys;
  table.queriesPerBlock = picture.queriesPerCell;
  table.keysPerTile = picture.keysPerCell;
  table.blocks = picture.rows;
  table.tiles = picture.columns;
  table.isListed = picture.isListed;
  table.offsets = picture.offsets;
  table.runs = picture.runs;
  MaskPicture result = makePicture(table, /*group=*/0, factor);
  result.factor = picture.factor * factor;
  result.batch = picture.batch;
  result.head = picture.head;
  result.pairs = picture.pairs;
  return result;
}

//===----------------------------------------------------------------------===//
// Encoding
//===----------------------------------------------------------------------===//

namespace {
/// Rows that are made alike.
struct CodedRows {
  int64_t repeat = 1;
  bool isDifference = false;
  std::vector<int64_t> numbers;
};
} // namespace

static std::vector<CodedRows> encodeRows(const MaskPicture &picture) {
  std::vector<CodedRows> code;
  std::vector<int64_t> last, row, difference;
  for (int64_t n = 0; n < picture.rows; ++n) {
    row.clear();
    for (int64_t k = picture.offsets[n]; k < picture.offsets[n + 1]; ++k) {
      const KeyRun &run = picture.runs[k];
      row.push_back(run.firstTile);
      row.push_back(2 * run.tiles + run.isFull);
    }
    bool isDifference = n > 0 && row.size() == last.size();
    difference = row;
    if (isDifference)
      for (size_t k = 0; k < row.size(); ++k)
        difference[k] -= last[k];
    if (isDifference && code.back().isDifference &&
        code.back().numbers == difference)
      ++code.back().repeat;
    else
      code.push_back({1, isDifference, difference});
    last = row;
  }
  return code;
}

int64_t getCodeLength(const MaskPicture &picture) {
  int64_t length = 0;
  for (const CodedRows &rows : encodeRows(picture))
    length += 2 + static_cast<int64_t>(rows.numbers.size());
  return length;
}

static void encodePairs(const MaskPicture &picture, llvm::raw_ostream &os) {
  if (picture.pairs.empty()) {
    os << "null";
    return;
  }
  os << '"';
  for (int64_t row = 0; row < picture.queries; ++row)
    for (int64_t key = 0; key < picture.keys; key += 4) {
      unsigned digit = 0;
      for (int64_t k = key; k < key + 4; ++k)
        digit = 2 * digit +
                (k < picture.keys && picture.pairs[row * picture.keys + k]);
      os << "0123456789abcdef"[digit];
    }
  os << '"';
}

std::string encode(const MaskPicture &picture) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "{\"batch\":" << picture.batch << ",\"head\":" << picture.head
     << ",\"queries\":" << picture.queries << ",\"keys\":" << picture.keys
     << ",\"queriesPerCell\":" << picture.queriesPerCell
     << ",\"keysPerCell\":" << picture.keysPerCell
     << ",\"factor\":" << picture.factor << ",\"rows\":" << picture.rows
     << ",\"columns\":" << picture.columns
     << ",\"isListed\":" << (picture.isListed ? "true" : "false")
     << ",\"pairs\":";
  encodePairs(picture, os);
  os << ",\"code\":[";
  bool isFirst = true;
  for (const CodedRows &rows : encodeRows(picture)) {
    os << (isFirst ? "[" : ",\n[") << rows.repeat << ','
       << int(rows.isDifference);
    for (int64_t number : rows.numbers)
      os << ',' << number;
    os << ']';
    isFirst = false;
  }
  os << "]}";
  return text;
}

} // namespace rapt::tool
