// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/PairCounts.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <algorithm>
#include <cmath>
#include <random>

using rapt::reference::MaskedLoop;
using rapt::reference::MaskEvaluator;
using rapt::reference::PairRectangle;

namespace rapt::tool {

PairRectangle getRectangle(const RunTable &table, int64_t b, int64_t h,
                           int64_t block, int64_t firstTile, int64_t tiles) {
  return {b,
          h,
          block * table.queriesPerBlock,
          std::min((block + 1) * table.queriesPerBlock, table.queries),
          firstTile * table.keysPerTile,
          std::min((firstTile + tiles) * table.keysPerTile, table.keys)};
}

/// Calls `visit` for every run with a batch and a head that has it.
static void visitRuns(const RunTable &table, const MaskedLoop &loop,
                      llvm::function_ref<void(int64_t b, int64_t h,
                                              int64_t block, const KeyRun &)>
                          visit) {
  int64_t place = 0;
  for (int64_t b = 0; b < table.batchGroups; ++b)
    for (int64_t h = 0; h < table.headGroups; ++h)
      for (int64_t block = 0; block < table.blocks; ++block, ++place)
        for (int64_t run = table.offsets[place]; run < table.offsets[place + 1];
             ++run)
          visit(b * loop.batch / table.batchGroups,
                h * loop.heads / table.headGroups, block, table.runs[run]);
}

/// Of all batches and heads for one of the table.
static double getScale(const RunTable &table, const MaskedLoop &loop) {
  return double(loop.batch) * double(loop.heads) /
         double(std::max<int64_t>(1, table.batchGroups * table.headGroups));
}

TileCounts countTiles(const RunTable &table, const MaskedLoop &loop) {
  TileCounts counts;
  counts.queries = table.queriesPerBlock;
  counts.keys = table.keysPerTile;
  counts.isListed = table.isListed;
  counts.heads = table.batchGroups * table.headGroups;
  visitRuns(
      table, loop, [&](int64_t b, int64_t h, int64_t block, const KeyRun &run) {
        double pairs =
            double(getRectangle(table, b, h, block, run.firstTile, run.tiles)
                       .getPairs());
        (run.isFull ? counts.full : counts.partial) += run.tiles;
        (run.isFull ? counts.fullPairs : counts.partialPairs) += pairs;
      });
  counts.empty =
      counts.heads * table.blocks * table.tiles - counts.full - counts.partial;
  counts.fullPairs *= getScale(table, loop);
  counts.partialPairs *= getScale(table, loop);
  return counts;
}

/// Gives each of `share` heads that visit keys together a table of its own.
static void splitItems(RunTable &table, int64_t share) {
  RunTable all = table;
  all.headGroups *= share;
  all.offsets.clear();
  all.order.clear();
  all.runs.clear();
  size_t items = table.batchGroups * table.headGroups;
  for (size_t n = 0; table.isFound && n < items * share; ++n) {
    size_t first = n / share * table.blocks;
    for (size_t place = first; place < first + table.blocks; ++place) {
      all.offsets.push_back(static_cast<int64_t>(all.runs.size()));
      all.order.push_back(table.order[place]);
      all.runs.insert(all.runs.end(), table.runs.begin() + table.offsets[place],
                      table.runs.begin() + table.offsets[place + 1]);
    }
  }
  if (table.isFound)
    all.offsets.push_back(static_cast<int64_t>(all.runs.size()));
  table = std::move(all);
}

bool ungroupHeads(const MaskEvaluator &masks, std::vector<RunTable> &tables) {
  size_t next = 0;
  for (const MaskedLoop &loop : masks.getLoops()) {
    if (!loop.hasMask || next == tables.size())
      continue;
    RunTable &table = tables[next++];
    if (loop.queries == 0 || table.queries == loop.queries)
      continue;
    // Row r is query r / share of some head.
    int64_t share = table.queries / loop.queries;
    if (table.queries % loop.queries != 0 || table.queriesPerBlock % share != 0)
      return false;
    table.queries /= share;
    table.queriesPerBlock /= share;
    // A mask that tells heads apart keeps other pairs of each.
    if (loop.readsHead)
      splitItems(table, share);
  }
  return true;
}

std::vector<const RunTable *> matchTables(const MaskEvaluator &masks,
                                          const std::vector<RunTable> &tables) {
  std::vector<const RunTable *> matched(masks.getLoops().size());
  size_t next = 0;
  for (auto [loop, place] : llvm::zip(masks.getLoops(), matched)) {
    if (!loop.hasMask)
      continue;
    bool fits = next < tables.size() && tables[next].queries == loop.queries &&
                (tables[next].isListed || tables[next].keys == loop.keys);
    if (!fits)
      return std::vector<const RunTable *>(matched.size());
    const RunTable &table = tables[next++];
    if (table.isFound)
      place = &table;
  }
  if (next != tables.size())
    llvm::fill(matched, nullptr);
  return matched;
}

/// Counts the pairs kept of all partial tiles of the table.
static void countAll(const MaskEvaluator &masks, size_t number,
                     const RunTable &table, unsigned threads,
                     LoopCounts &counts) {
  std::vector<PairRectangle> rectangles;
  visitRuns(table, counts.loop,
            [&](int64_t b, int64_t h, int64_t block, const KeyRun &run) {
              if (!run.isFull)
                rectangles.push_back(
                    getRectangle(table, b, h, block, run.firstTile, run.tiles));
            });
  double kept = 0;
  for (int64_t count : masks.countPairs(number, rectangles, threads))
    kept += double(count);
  counts.keptPairs += kept * getScale(table, counts.loop);
}

/// Counts those of `sample` tiles of the `tiles` partial ones, drawn
/// independently.
static void countSome(const MaskEvaluator &masks, size_t number,
                      const RunTable &table, int64_t tiles, int64_t sample,
                      unsigned threads, LoopCounts &counts) {
  std::mt19937_64 random;
  std::uniform_int_distribution<int64_t> draw(0, tiles - 1);
  std::vector<int64_t> chosen;
  for (int64_t n = 0; n < sample; ++n)
    chosen.push_back(draw(random));
  llvm::sort(chosen);
  std::vector<PairRectangle> rectangles;
  int64_t first = 0; // the number of a run's first tile
  size_t next = 0;
  visitRuns(table, counts.loop,
            [&](int64_t b, int64_t h, int64_t block, const KeyRun &run) {
              if (run.isFull)
                return;
              for (; next < chosen.size() && chosen[next] < first + run.tiles;
                   ++next)
                rectangles.push_back(getRectangle(
                    table, b, h, block, run.firstTile + chosen[next] - first,
                    /*tiles=*/1));
              first += run.tiles;
            });
  double sum = 0, squares = 0;
  for (int64_t count : masks.countPairs(number, rectangles, threads)) {
    sum += double(count);
    squares += double(count) * double(count);
  }
  double n = double(sample), mean = sum / n;
  double variance = std::max(0.0, (squares - n * mean * mean) / (n - 1));
  double scale = getScale(table, counts.loop) * double(tiles);
  counts.keptPairs += mean * scale;
  counts.standardError = std::sqrt(variance / n) * scale;
  counts.isExact = false;
}

/// Counts the pairs kept of the whole mask, or of pieces of rows that are drawn
/// at random: where tiles are not those of positions.
static void countRows(const MaskEvaluator &masks, size_t number,
                      int64_t mostPairs, unsigned threads, LoopCounts &counts) {
  constexpr int64_t pieceKeys = 64;
  const MaskedLoop &loop = counts.loop;
  int64_t batches = loop.readsBatch ? loop.batch : 1;
  int64_t heads = loop.readsHead ? loop.heads : 1;
  counts.keptPairs = 0;
  if (loop.getPairs() <= 0)
    return;
  double scale = double(loop.batch) * double(loop.heads) /
                 (double(batches) * double(heads));
  double pairs = loop.getPairs() / scale;
  auto getRow = [&](int64_t b, int64_t h, int64_t row, int64_t first,
                    int64_t last) -> PairRectangle {
    return {b * loop.batch / batches,
            h * loop.heads / heads,
            row,
            row + 1,
            first,
            last};
  };
  std::vector<PairRectangle> rectangles;
  bool isExact = pairs <= double(mostPairs);
  int64_t pieces = (loop.keys + pieceKeys - 1) / pieceKeys;
  if (isExact) {
    for (int64_t b = 0; b < batches; ++b)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t row = 0; row < loop.queries; ++row)
          rectangles.push_back(getRow(b, h, row, 0, loop.keys));
  } else {
    std::mt19937_64 random;
    auto draw = [&](int64_t count) {
      return std::uniform_int_distribution<int64_t>(0, count - 1)(random);
    };
    for (int64_t n = 0; n < mostPairs / pieceKeys; ++n) {
      int64_t b = draw(batches), h = draw(heads), row = draw(loop.queries);
      int64_t first = draw(pieces) * pieceKeys;
      rectangles.push_back(
          getRow(b, h, row, first, std::min(first + pieceKeys, loop.keys)));
    }
  }
  double sum = 0, squares = 0;
  for (int64_t count : masks.countPairs(number, rectangles, threads)) {
    sum += double(count);
    squares += double(count) * double(count);
  }
  if (isExact) {
    counts.keptPairs = sum * scale;
    return;
  }
  double n = double(rectangles.size()), mean = sum / n;
  double all = double(loop.batch) * double(loop.heads) * double(loop.queries) *
               double(pieces);
  double variance = std::max(0.0, (squares - n * mean * mean) / (n - 1));
  counts.keptPairs = mean * all;
  counts.standardError = std::sqrt(variance / n) * all;
  counts.isExact = false;
  if (!counts.tiles)
    return;
  // Pairs of full tiles are kept, and no others than those that are visited.
  double least = counts.tiles->fullPairs;
  double most = std::max(least, counts.tiles->getVisitedPairs());
  counts.keptPairs = std::clamp(counts.keptPairs, least, most);
  counts.standardError = std::min(counts.standardError, (most - least) / 2);
}

std::vector<LoopCounts> countPairs(const MaskEvaluator &masks,
                                   const std::vector<RunTable> &tables,
                                   unsigned threads, int64_t mostPairs) {
  std::vector<LoopCounts> result;
  std::vector<const RunTable *> matched = matchTables(masks, tables);
  for (auto [number, loop] : llvm::enumerate(masks.getLoops())) {
    LoopCounts &counts = result.emplace_back();
    counts.loop = loop;
    if (!loop.hasMask) {
      counts.keptPairs = loop.getPairs();
      continue;
    }
    const RunTable *table = matched[number];
    if (table) {
      counts.tiles = countTiles(*table, loop);
      counts.keptPairs = counts.tiles->fullPairs;
    }
    if (!loop.isKnown) {
      counts.isFoundLate =
          !table && llvm::any_of(tables, [](const RunTable &other) {
            return !other.isFound;
          });
      continue;
    }
    if (!table || table->isListed) {
      countRows(masks, number, mostPairs, threads, counts);
      continue;
    }
    const TileCounts &tiles = *counts.tiles;
    double pairs = tiles.partialPairs / std::max(1.0, getScale(*table, loop));
    int64_t sample = mostPairs / (tiles.queries * tiles.keys);
    if (pairs <= double(mostPairs) || sample < 2)
      countAll(masks, number, *table, threads, counts);
    else
      countSome(masks, number, *table, tiles.partial, sample, threads, counts);
  }
  return result;
}

} // namespace rapt::tool
