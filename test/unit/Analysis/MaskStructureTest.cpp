// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Which structure is found in a mask, and where there is none.

#include "lib/Analysis/MaskStructure.h"
#include "SpecCase.h"
#include "gtest/gtest.h"

using namespace rapt;
using namespace rapt::testing;

namespace {

/// What the analyses say of a mask, as a word: "classes", "marked", "near" and
/// the number of coordinates, or "none".
std::string describe(const std::string &mask) {
  std::string text = "attention x { input doc: i32[batch, keys] "
                     "input g: bool[batch, keys] input n: i32[batch] "
                     "input w: f32[batch, keys] mask = " +
                     mask + " }";
  auto spec = SpecCase::create({.text = text});
  if (!spec)
    return llvm::toString(spec.takeError());
  mlir::OwningOpRef<mlir::ModuleOp> module = (*spec)->emit();
  std::string found;
  module->walk([&](attn::AttendOp op) {
    if (analysis::findEqualClasses(op))
      found += "classes";
    if (auto near = analysis::findNeighbourhood(op))
      found += "near" + std::to_string(near->coordinates.size()) +
               (near->hasPlainKeys ? " plain" : "");
    if (analysis::findMarkedKeys(op))
      found += "marked";
  });
  return found.empty() ? "none" : found;
}

TEST(MaskStructureTest, EqualClasses) {
  for (const char *mask :
       {"doc[i] == doc[j]", "doc[j] == doc[i] & i >= j",
        "i >= j & (i - j < 9 & doc[i] / 2 == doc[j] % 3)",
        "(i - j) % 16 == 0 & i >= j", "(j - i) % 16 == 3", "(i + j) % 4 == 1",
        "i % 8 == j % 8", "(2 * i - 3 * j) % 8 == 1",
        "(i - j) % max(1, n[b]) == 0"})
    EXPECT_EQ(describe(mask), "classes") << mask;
  // Ascending in the position: ranges as they are. Not needed for every pair.
  for (const char *mask :
       {"i / 8 == j / 8", "i == j", "doc[i] == doc[j] | i == j",
        "doc[i] != doc[j]", "doc[i] == n[b]", "(i - j) % 16 < 2",
        "(i * j) % 4 == 1", "doc[i] + doc[j] == 4"})
    EXPECT_EQ(describe(mask), "none") << mask;
}

TEST(MaskStructureTest, MarkedKeys) {
  for (const char *mask :
       {"i >= j & (i - j < 9 | j % 16 >= 14)", "g[j] | abs(i - j) < 4",
        "(doc[j] == 2 | i == j) & i >= j"})
    EXPECT_EQ(describe(mask), "marked") << mask;
  for (const char *mask :
       {"i >= j & (i - j < 9 | j < 4)", "g[j] & i >= j", "g[i] | i >= j",
        "g[j] | doc[j] > 3", "w[j] > 0 | i - j < 9",
        "(g[j] | i - j < 9) & (!g[j] | i > 7)"})
    EXPECT_EQ(describe(mask), "none") << mask;
}

TEST(MaskStructureTest, Neighbourhood) {
  EXPECT_EQ(describe("abs(i / 8 - j / 8) <= 2 & abs(i % 8 - j % 8) <= 2"),
            "near2 plain");
  EXPECT_EQ(
      describe("abs(j % 8 - i % 8) < 3 & 2 >= abs(i / 8 - j / 8) & i >= j"),
      "near2 plain");
  EXPECT_EQ(
      describe("abs(i / 64 - j / 64) <= 1 & abs(i / 8 % 8 - j / 8 % 8) <= 1 "
               "& abs(min(max(i % 8, 1), 6) - j % 8) <= 1"),
      "near3");
  for (const char *mask :
       {"abs(i - j) <= 3", "abs(i / 8 - j / 8) <= 2 & abs(i - j) < 40",
        "abs(i / 64 - j / 64) <= 2 & abs(i % 64 - j % 64) <= 31",
        "abs(i / 8 - j / 8) <= 2 | abs(i % 8 - j % 8) <= 2",
        "abs(i / 8 - j / 8) >= 2 & abs(i % 8 - j % 8) >= 2"})
    EXPECT_EQ(describe(mask), "none") << mask;
}

} // namespace
