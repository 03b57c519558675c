// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What a score says of distances alone, and what it does not.

#include "lib/Analysis/Diagonals.h"
#include "SpecCase.h"
#include "gtest/gtest.h"

using namespace rapt;
using namespace rapt::testing;

namespace {

/// How many values of a score are found.
size_t count(const std::string &score) {
  std::string text = "attention x { input bias: f32[heads, 32] "
                     "input line: f32[keys] input n: i32[batch] score = " +
                     score + " }";
  auto spec = SpecCase::create({.text = text});
  if (!spec) {
    ADD_FAILURE() << llvm::toString(spec.takeError());
    return 99;
  }
  mlir::OwningOpRef<mlir::ModuleOp> module = (*spec)->emit();
  size_t found = 0;
  module->walk([&](attn::AttendOp op) {
    found += analysis::findDiagonals(op, op.getScore()).size();
  });
  return found;
}

TEST(DiagonalsTest, Found) {
  for (const char *score :
       {"dot(q, k) + bias[h, min(31, abs(i - j))]", "dot(q, k) + line[j - i]",
        "dot(q, k) * exp(-0.1 * (i - j))",
        // Of sums whose positions cancel, whatever else is the same everywhere.
        "dot(q, k) + line[(2 * i + n[b]) - (j + i) - j + i]",
        "dot(q, k) + bias[h, max(0, n[b] - i + j)]"})
    EXPECT_EQ(count(score), 1u) << score;
  // Each as large as possible.
  EXPECT_EQ(count("dot(q, k) + bias[h, abs(i - j)] * line[i - j]"), 1u);
  EXPECT_EQ(count("(dot(q, k) + bias[h, abs(i - j)]) * line[i - j]"), 2u);
}

TEST(DiagonalsTest, NotFound) {
  for (const char *score :
       {"dot(q, k)",
        // Of one of them, of both, or of twice as much of one.
        "dot(q, k) + line[j]", "dot(q, k) + line[i]", "dot(q, k) + line[i + j]",
        "dot(q, k) + line[2 * i - j]", "dot(q, k) + bias[h, i / 8 - j / 8]",
        // As quick to compute as to read, or the same everywhere.
        "dot(q, k) - 0.5 * (i - j)", "dot(q, k) + bias[h, n[b]]"})
    EXPECT_EQ(count(score), 0u) << score;
}

} // namespace
