// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/UsefulWork.h"

namespace rapt::tool {

double getFlopsPerPair(attn::AttendOp attend) {
  auto getWidth = [](mlir::Value rows) {
    return double(
        llvm::cast<mlir::RankedTensorType>(rows.getType()).getShape().back());
  };
  double flops = 2 * getWidth(attend.getValues());
  for (mlir::Value query : attend.getQueries())
    flops += 2 * getWidth(query);
  return flops;
}

/// Of all loops over pairs.
static double getFlopsPerPair(mlir::func::FuncOp spec) {
  double flops = 0;
  spec.walk([&](attn::AttendOp attend) { flops += getFlopsPerPair(attend); });
  return flops;
}

/// Whether every pair is kept, which needs no counting.
static bool keepsAllPairs(mlir::func::FuncOp spec) {
  bool hasMask = false;
  spec.walk(
      [&](attn::AttendOp attend) { hasMask |= !attend.getMask().empty(); });
  return !hasMask;
}

UsefulWork countUsefulWork(mlir::func::FuncOp spec,
                           reference::AttnEvaluator &evaluator, int64_t keys) {
  constexpr int64_t maxPairs = 1 << 22;
  int64_t heads = evaluator.getBatch() * evaluator.getHeads();
  int64_t queries = evaluator.getQueries();
  if (heads == 0 || queries == 0)
    return {};
  if (keepsAllPairs(spec))
    return {getFlopsPerPair(spec) * double(heads) * double(queries) *
                double(keys),
            false};
  // Rows in the middles of equal parts of a head, so that a triangle has its
  // own area.
  int64_t rowsWanted =
      std::max<int64_t>(1, maxPairs / std::max<int64_t>(1, heads * keys));
  int64_t rowsPerHead = std::min(queries, rowsWanted);
  std::vector<reference::RowIndex> rows;
  for (int64_t b = 0; b < evaluator.getBatch(); ++b)
    for (int64_t h = 0; h < evaluator.getHeads(); ++h)
      for (int64_t n = 0; n < rowsPerHead; ++n)
        rows.push_back({b, h, (2 * n + 1) * queries / (2 * rowsPerHead)});
  double pairs = 0;
  for (int64_t count : evaluator.countPairs(rows))
    pairs += double(count);
  pairs *= double(queries) / double(rowsPerHead);
  return {pairs * getFlopsPerPair(spec), rowsPerHead < queries};
}

} // namespace rapt::tool
