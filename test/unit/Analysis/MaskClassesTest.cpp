// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The classes of masks against enumeration. Specs go through AttnToTile; in the
// kernel that it makes, the loop over the runs of keys is replaced by one that
// only marks which runs it visits and how, and the Reference evaluates that.

#include "MaskVisits.h"
#include "RandomExpressions.h"
#include "lib/Compiler/Pipeline.h"
#include "gtest/gtest.h"

using namespace rapt;
using namespace rapt::testing;

namespace {

struct MaskClassesTest : ::testing::Test {
  std::unique_ptr<mlir::MLIRContext> context = createContext();

  std::unique_ptr<SpecCase> make(SpecSetting setting) {
    setting.context = context.get();
    setting.extents = {{"dim", 1}, {"vdim", setting.keys}};
    auto spec = SpecCase::create(std::move(setting));
    if (!spec) {
      refusal = llvm::toString(spec.takeError());
      return nullptr;
    }
    showPairs(**spec);
    return std::move(*spec);
  }
  std::string refusal;
};

// RAPT_SEED starts at another case, RAPT_CASES says how many.
TEST_F(MaskClassesTest, SoundForRandomMasks) {
  uint64_t first = getSetting("RAPT_SEED", 1);
  uint64_t cases = getSetting("RAPT_CASES", isNightly() ? 200000 : 2000);
  llvm::outs() << "seeds " << first << " to " << first + cases - 1 << "\n";
  llvm::outs().flush();
  VisitCounts sum;
  uint64_t refused = 0;
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    RandomExpressions random(seed);
    SpecSetting setting;
    setting.text = "attention x {" + std::string(random.getInputs()) +
                   "  mask = " + random.makeBoolean(1 + random.below(6)) +
                   "\n}";
    setting.seed = seed;
    setting.batch = 1 + random.below(2);
    setting.kvHeads = 1 + random.below(2);
    setting.heads = setting.kvHeads * (1 + random.below(2));
    setting.queries = 1 + random.below(24);
    setting.keys = 1 + random.below(24);
    MaskTiles tiles{int64_t(1 + random.below(12)),
                    int64_t(1 + random.below(12))};
    // Runs whose ends take fewer keys at a time.
    if (seed % 3 == 0) {
      tiles.edge = tiles.keys;
      tiles.keys *= 1 + random.below(3);
    }
    std::unique_ptr<SpecCase> spec = make(setting);
    if (!spec) {
      ++refused;
      continue;
    }
    auto visits = getVisits(*spec, tiles);
    ASSERT_TRUE(static_cast<bool>(visits))
        << "seed " << seed << "\n"
        << setting.text << "\n"
        << llvm::toString(visits.takeError());
    std::string error;
    VisitCounts counts =
        compareVisits(*spec, *visits, getKept(*spec), tiles, error);
    ASSERT_EQ(error, "") << spec->describe() << "\n" << setting.text;
    sum += counts;
  }
  llvm::outs() << sum.tiles << " tiles, " << sum.skipped << " skipped, "
               << sum.full << " full, " << sum.needless << " visited in vain, "
               << sum.missed << " not seen as full, " << refused
               << " masks refused\n";
  EXPECT_LT(refused, cases / 10 + 1) << refusal;
  // The analysis decides, and the cases are not all alike.
  if (cases >= 1000) {
    EXPECT_GT(sum.skipped, sum.tiles / 10);
    EXPECT_GT(sum.full, sum.tiles / 10);
  }
}

SpecSetting withParams(SpecSetting setting,
                       std::map<std::string, std::string> params) {
  for (auto &[name, value] : params)
    setting.params[name] = value;
  return setting;
}

// For the usual masks a tile is visited if and only if it holds a pair that is
// kept, and is full if and only if all are.
TEST_F(MaskClassesTest, ExactForUsualMasks) {
  std::vector<std::pair<std::string, SpecSetting>> masks = {
      {"full", getExample("full")},
      {"causal", getExample("causal")},
      {"sliding_window", getExample("sliding_window")},
      {"no sinks", withParams(getExample("sliding_window"), {{"sinks", "0"}})},
      {"prefix_lm", getExample("prefix_lm")},
      {"duo", getExample("duo")},
      {"block diagonal", {.text = "attention x { mask = i / 64 == j / 64 }"}},
      {"block causal", {.text = "attention x { mask = i / 16 >= j / 16 }"}},
      {"two sided window", {.text = "attention x { mask = abs(i - j) <= 20 }"}},
      {"padding",
       {.text = "attention x { input length: i32[batch] "
                "mask = j < length[b] }"}},
  };
  struct Extents {
    int64_t queries, keys;
    MaskTiles tiles;
  };
  for (auto &[name, setting] : masks)
    for (Extents extents :
         {Extents{128, 128, {16, 16}}, Extents{100, 130, {16, 24}},
          Extents{70, 40, {32, 8}}, Extents{1, 97, {16, 16}},
          Extents{130, 200, {16, 32, 8}}}) {
      SCOPED_TRACE(name + " " + std::to_string(extents.queries) + " x " +
                   std::to_string(extents.keys));
      setting.batch = setting.heads = setting.kvHeads = 2;
      setting.queries = extents.queries;
      setting.keys = extents.keys;
      std::unique_ptr<SpecCase> spec = make(setting);
      ASSERT_TRUE(spec) << refusal;
      if (SpecTensor *lengths = spec->find("prefix"))
        lengths->set(1, extents.keys / 2); // beside a random one
      auto visits = getVisits(*spec, extents.tiles);
      ASSERT_TRUE(static_cast<bool>(visits))
          << llvm::toString(visits.takeError());
      std::string error;
      VisitCounts counts =
          compareVisits(*spec, *visits, getKept(*spec), extents.tiles, error);
      EXPECT_EQ(error, "");
      EXPECT_EQ(counts.needless, 0);
      EXPECT_EQ(counts.missed, 0);
    }
}

} // namespace
