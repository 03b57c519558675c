// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Which plans fit a GPU, and that what is chosen does.

#include "lib/Tuning/GpuPlans.h"
#include "SpecCase.h"
#include "dialects/Attn/IR/Attn.h"
#include "lib/Analysis/Remarks.h"
#include "lib/Compiler/Pipeline.h"
#include "gtest/gtest.h"

using namespace rapt;
using namespace rapt::testing;

namespace {

struct GpuPlansTest : ::testing::Test {
  std::unique_ptr<mlir::MLIRContext> context = createContext();
  target::GpuTarget target = *target::findGpu("sm_90a");
  support::ElementType type = support::ElementType::F32;

  std::unique_ptr<SpecCase> make(const char *text, int64_t dim) {
    SpecSetting setting{.text = text, .type = type};
    setting.context = context.get();
    setting.extents = {{"dim", dim}, {"vdim", dim}};
    return llvm::cantFail(SpecCase::create(setting));
  }
  tile::PlanAttr getPlan(int64_t queries, int64_t keys, int64_t warps,
                         int64_t stages = 2, bool warpgroups = false) {
    return tile::PlanAttr::get(
        context.get(), queries, keys, tile::CpuPlanAttr(), /*edge=*/0,
        /*grain=*/0, /*in_order=*/false, /*group=*/false, /*split=*/0,
        tile::GpuPlanAttr::get(context.get(), warps, stages, warpgroups));
  }
  /// Empty if the plan fits the only attend of a spec.
  std::string why(tile::PlanAttr plan, int64_t dim = 64) {
    auto module = make("attention x { }", dim)->emit();
    std::string message;
    module->walk([&](attn::AttendOp op) {
      auto budget = tuning::fits(plan, op, target);
      if (!budget)
        message = llvm::toString(budget.takeError());
    });
    return message;
  }
};

TEST_F(GpuPlansTest, SaysWhatDoesNotFit) {
  EXPECT_EQ(why(getPlan(128, 64, 8)), "");
  EXPECT_EQ(why(getPlan(64, 64, 8)),
            "8 warps cannot share 64 queries, expected a multiple of 128");
  EXPECT_EQ(why(getPlan(128, 40, 8)),
            "runs of 40 keys, expected a multiple of 16");
  // (128 + 2 * 2 * 256) rows of 144 bytes.
  target.sharedBytes = (128 + 4 * 256) * 144 - 1;
  EXPECT_EQ(why(getPlan(128, 256, 8)),
            "tiles of 128 queries and 256 keys need 165888 bytes of shared "
            "memory, sm_90a has 165887");
}

TEST_F(GpuPlansTest, CountsRegistersOfTiles) {
  // 256 queries of 4 warps are 2 rows of a thread for every column and 4
  // threads: 256 * (256 + 64 + 32) / 128 and those for the rest.
  EXPECT_EQ(why(getPlan(256, 64, 4, 1), 256),
            "tiles of 256 queries and 64 keys need 752 registers a thread, "
            "sm_90a has 255");
}

TEST_F(GpuPlansTest, SaysWhatWarpgroupsDoNotTake) {
  auto whyNot = [&](int64_t queries, int64_t keys, int64_t warps,
                    int64_t dim = 128) {
    return why(getPlan(queries, keys, warps, 2, /*warpgroups=*/true), dim);
  };
  EXPECT_EQ(whyNot(128, 128, 8),
            "products of warpgroups take f16 and bf16 alone");
  type = support::ElementType::BF16;
  EXPECT_EQ(whyNot(128, 128, 8), "");
  EXPECT_EQ(whyNot(128, 128, 4),
            "4 warps for 128 queries, expected a multiple of 4 up to 16 and 16 "
            "queries for each");
  EXPECT_EQ(whyNot(128, 120, 8),
            "runs of 120 keys, expected a multiple of 16 up to 256, the same "
            "at edges");
  EXPECT_EQ(whyNot(128, 128, 8, 72),
            "rows of 72 elements, products of warpgroups take multiples of 16 "
            "up to 256");
  // 64 + 96 + 48 registers of tiles, 36 more.
  EXPECT_EQ(whyNot(128, 192, 8),
            "tiles of 128 queries and 192 keys need 244 registers a thread, 8 "
            "warps leave 224");
  EXPECT_EQ(why(getPlan(128, 128, 8, 1, /*warpgroups=*/true), 128),
            "1 stage for warpgroups, expected 2 or more");
  // Queries once, keys and values twice, 512 bytes of barriers.
  target.sharedBytes = 5 * 128 * 256 + 511;
  EXPECT_EQ(whyNot(128, 128, 8),
            "tiles of 128 queries and 128 keys need 164352 bytes of shared "
            "memory, sm_90a has 164351");
  target = *target::findGpu("sm_90");
  EXPECT_EQ(whyNot(128, 128, 8),
            "sm_90 has no products of warpgroups, sm_90a has");
}

TEST_F(GpuPlansTest, ChoosesWarpgroupsWhereTheyFit) {
  type = support::ElementType::BF16;
  for (auto [dim, isIn] : {std::pair(64, true), std::pair(72, false),
                           std::pair(128, true), std::pair(256, true)}) {
    auto module = make("attention x { mask = i >= j }", dim)->emit();
    llvm::cantFail(tuning::assignPlans(*module, target));
    module->walk([&, dim = dim, isIn = isIn](attn::AttendOp op) {
      auto plan = op->getAttrOfType<tile::PlanAttr>(tile::kPlanAttr);
      EXPECT_EQ(plan.getGpu().getWarpgroups(), isIn) << "dim " << dim;
    });
  }
}

TEST_F(GpuPlansTest, LeavesWarpgroupsRegistersForRegions) {
  type = support::ElementType::BF16;
  auto choose = [&](const char *spec) {
    auto module = make(spec, 64)->emit();
    llvm::cantFail(tuning::assignPlans(*module, target));
    tile::PlanAttr plan;
    module->walk([&](attn::AttendOp op) {
      plan = op->getAttrOfType<tile::PlanAttr>(tile::kPlanAttr);
    });
    return plan;
  };
  EXPECT_EQ(choose("attention x { mask = i >= j }").getGpu().getWarps(), 12);
  tile::PlanAttr plan = choose("attention x { score = 30 * tanh(dot(q, k) / 30)"
                               " mask = i >= j & i - j < 512 }");
  EXPECT_TRUE(plan.getGpu().getWarpgroups());
  EXPECT_EQ(plan.getGpu().getWarps(), 8);
  // Scores that are no product have none for warpgroups.
  for (const char *spec :
       {"attention x { score = real(j - i) mask = i >= j }",
        "attention x { score = real(j - i) mask = dot(q, k) > 0 }"}) {
    plan = choose(spec);
    EXPECT_FALSE(plan.getGpu().getWarpgroups()) << spec;
  }
}

TEST_F(GpuPlansTest, SaysWhyThereAreNoWarpgroups) {
  type = support::ElementType::BF16;
  auto remarkOf = [&](const char *spec, int64_t dim) -> std::string {
    auto module = make(spec, dim)->emit();
    llvm::cantFail(tuning::assignPlans(*module, target));
    auto remarks =
        (*module)->getAttrOfType<mlir::ArrayAttr>(analysis::kRemarksAttr);
    if (!remarks || remarks.size() != 1)
      return "";
    auto text = mlir::cast<mlir::DictionaryAttr>(remarks[0])
                    .getAs<mlir::StringAttr>("text");
    llvm::StringRef found = text.getValue();
    EXPECT_TRUE(found.consume_front(
        "products of warps (mma) instead of warpgroups (wgmma): "));
    return found.str();
  };
  const char *causal = "attention x { mask = i >= j }";
  EXPECT_EQ(remarkOf(causal, 64), "");
  EXPECT_EQ(remarkOf(causal, 72),
            "rows of 72 elements, products of warpgroups take multiples of 16 "
            "up to 256");
  EXPECT_EQ(remarkOf("attention x { input d: i32[batch, keys] mask = d[i] == "
                     "d[j] }",
                     64),
            "the keys of a tile are listed, which several small blocks of "
            "threads read faster");
  target = *target::findGpu("sm_80");
  EXPECT_EQ(remarkOf(causal, 72), "");
}

TEST_F(GpuPlansTest, ChoosesWhatFits) {
  for (const target::GpuTarget &gpu : target::getKnownGpus())
    for (int64_t dim : {16, 64, 72, 128, 192, 256}) {
      auto module = make("attention x { mask = i >= j }", dim)->emit();
      llvm::Error error = tuning::assignPlans(*module, gpu);
      EXPECT_FALSE(static_cast<bool>(error))
          << gpu.name << ", dim " << dim << ": "
          << llvm::toString(std::move(error));
    }
}

TEST_F(GpuPlansTest, LeavesRegistersToLongRegions) {
  auto keysOf = [&](const char *spec) {
    auto module = make(spec, 64)->emit();
    llvm::Error error = tuning::assignPlans(*module, target);
    EXPECT_FALSE(static_cast<bool>(error)) << llvm::toString(std::move(error));
    int64_t keys = 0;
    module->walk([&](attn::AttendOp op) {
      keys = op->getAttrOfType<tile::PlanAttr>(tile::kPlanAttr).getKeys();
    });
    return keys;
  };
  EXPECT_EQ(keysOf("attention x { mask = i >= j }"), 64);
  EXPECT_LT(keysOf("attention x { input t: i32[queries, 48]"
                   " mask = j in t[i, :] }"),
            64);
}

} // namespace
