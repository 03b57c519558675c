// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Which plans fit, in both directions: what fits compiles and computes the
// right thing, what does not says why.

#include "lib/Tuning/CpuPlans.h"
#include "SpecCase.h"
#include "dialects/Attn/IR/Attn.h"
#include "lib/Compiler/Pipeline.h"
#include "lib/Tuning/PlanCost.h"
#include "gtest/gtest.h"

using namespace rapt;
using namespace rapt::testing;

namespace {

struct CpuPlansTest : ::testing::Test {
  std::unique_ptr<mlir::MLIRContext> context = createContext();
  target::CpuTarget target;

  CpuPlansTest() {
    target.name = "test";
    target.vectorBits = 256;
    target.vectorRegisters = 16;
  }
  std::unique_ptr<SpecCase>
  make(const char *text, int64_t dim = 64,
       support::ElementType type = support::ElementType::F32) {
    SpecSetting setting{.text = text};
    setting.type = type;
    setting.context = context.get();
    setting.extents = {{"dim", dim}, {"vdim", dim}};
    return llvm::cantFail(SpecCase::create(setting));
  }
  tile::PlanAttr getPlan(int64_t queries, int64_t keys, int64_t rows) {
    return tile::PlanAttr::get(
        context.get(), queries, keys,
        tile::CpuPlanAttr::get(context.get(), rows, /*depth=*/4, /*sweep=*/4),
        /*edge=*/0, /*grain=*/0, /*in_order=*/false);
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

TEST_F(CpuPlansTest, SaysWhatDoesNotFit) {
  EXPECT_EQ(why(getPlan(4, 32, 4)),
            "a tile of 4 queries does not fill vectors of 8: expected a power "
            "of two of at least 8");
  EXPECT_EQ(why(getPlan(24, 32, 2)),
            "a tile of 24 queries does not fill vectors of 8: expected a power "
            "of two of at least 8");
  EXPECT_EQ(why(getPlan(16, 32, 7)),
            "7 rows of 16 queries need 17 vector registers, test has 16");
  EXPECT_EQ(
      why(getPlan(8, 65536, 4)),
      "tiles of 8 queries and 65536 keys need 35655680 bytes of stack, at "
      "most 2097152 are allowed");
}

TEST_F(CpuPlansTest, FitsToTheLastRegister) {
  EXPECT_EQ(why(getPlan(16, 32, 6)), "");
  EXPECT_EQ(why(getPlan(8, 32, 14)), "");
  EXPECT_NE(why(getPlan(8, 32, 15)), "");
  target.vectorRegisters = 32;
  EXPECT_EQ(why(getPlan(16, 32, 7)), "");
}

TEST_F(CpuPlansTest, BudgetCountsRegistersAndBytes) {
  auto module = make("attention x { }")->emit();
  module->walk([&](attn::AttendOp op) {
    auto budget = tuning::fits(getPlan(16, 32, 6), op, target);
    ASSERT_TRUE(static_cast<bool>(budget));
    EXPECT_EQ(budget->registers, 15); // 2 x 6, 2 of a row, a broadcast
    // Queries and accumulator, scores, keys and values.
    EXPECT_EQ(budget->stackBytes, 4 * (2 * 64 * 16 + 16 * 32 + 2 * 64 * 32));
  });
}

// Every target and every width of rows gets a plan that fits.
TEST_F(CpuPlansTest, ChoosesAPlanThatFits) {
  std::vector<target::CpuTarget> targets(target::getKnownTargets());
  targets.push_back(target::getHostTarget());
  for (const target::CpuTarget &known : targets)
    for (int64_t dim : {1, 5, 64, 128, 511, 512}) {
      auto module =
          make("attention x { let k = l2norm(k) mask = i >= j }", dim)->emit();
      auto kinds = tuning::assignPlans(*module, known);
      ASSERT_TRUE(static_cast<bool>(kinds))
          << known.name << " " << dim << " "
          << llvm::toString(kinds.takeError());
      EXPECT_EQ(kinds->size(), 1U);
      int planned = 0;
      module->walk([&](mlir::Operation *op) {
        planned += op->hasAttr(tile::kPlanAttr);
      });
      EXPECT_EQ(planned, 2);
    }
}

// Short sequences have narrow tiles where a mask cuts them; long ones and those
// without a mask have wide tiles.
TEST_F(CpuPlansTest, TilesFollowLengths) {
  target = llvm::cantFail(target::findTarget("sapphirerapids"));
  auto queries = [&](const char *text, int64_t mostKeys) {
    auto module = make(text)->emit();
    auto kinds =
        llvm::cantFail(tuning::assignPlans(*module, target, {0, mostKeys}));
    return kinds.front().getQueries();
  };
  const char *causal = "attention x { mask = i >= j }";
  EXPECT_EQ(queries(causal, 0), 64);
  EXPECT_EQ(queries(causal, 4096), 64);
  EXPECT_EQ(queries(causal, 256), 32);
  EXPECT_EQ(queries(causal, 64), 32);
  EXPECT_EQ(queries("attention x { }", 64), 64);
  EXPECT_EQ(queries("attention x { }", 0), 64);
}

// Cost grows with lengths, with rows that the cache does not hold and with
// softmax on machines where a power of two takes longer.
TEST_F(CpuPlansTest, CostFollowsLengthsAndCaches) {
  auto module = make("attention x { mask = i >= j }", 128)->emit();
  module->walk([&](attn::AttendOp op) {
    auto cost = [&](int64_t keys) {
      return tuning::estimateCycles(getPlan(16, 32, 6), op, target, keys);
    };
    EXPECT_LT(2 * cost(512), 1.1 * cost(1024) + 1000);
    EXPECT_LT(cost(512), cost(1024));
    target.l2Bytes = 1 << 30;
    double inside = cost(4096);
    target.l2Bytes = 1 << 20;
    EXPECT_GT(cost(4096), inside);
    target.scalesByPowers = true;
    EXPECT_LT(cost(512), [&] {
      target.scalesByPowers = false;
      return cost(512);
    }());
  });
}

// Pairs of bf16 are multiplied where that is faster, and can be asked for where
// there are instructions for it.
TEST_F(CpuPlansTest, MultipliesPairsWhereThatIsFaster) {
  auto plan = [&](llvm::StringRef name, support::ElementType type,
                  llvm::StringRef request) {
    auto module = make("attention x { }", 64, type)->emit();
    auto kinds = tuning::assignPlans(
        *module, llvm::cantFail(target::findTarget(name)), /*sizes=*/{},
        llvm::cantFail(tuning::PlanRequest::parse(request)));
    if (!kinds)
      return llvm::toString(kinds.takeError());
    return std::string(kinds->front().getCpu().getPairs() ? "pairs" : "");
  };
  using support::ElementType;
  EXPECT_EQ(plan("znver5", ElementType::BF16, ""), "pairs");
  EXPECT_EQ(plan("neoverse-v2", ElementType::BF16, ""), "pairs");
  EXPECT_EQ(plan("znver5", ElementType::F16, ""), "");
  EXPECT_EQ(plan("znver5", ElementType::F32, ""), "");
  EXPECT_EQ(plan("sapphirerapids", ElementType::BF16, ""), "");
  EXPECT_EQ(plan("sapphirerapids", ElementType::BF16, "pairs=true"), "pairs");
  EXPECT_EQ(plan("x86-64-v4", ElementType::BF16, "pairs=true"),
            "x86-64-v4 has no dot products of bf16 for pairs");
}

// A plan that is there stays, and is refused if it does not fit.
TEST_F(CpuPlansTest, KeepsAPlanOfTheUser) {
  auto module = make("attention x { }")->emit();
  tile::PlanAttr plan = getPlan(8, 24, 3);
  module->walk([&](attn::AttendOp op) { op->setAttr(tile::kPlanAttr, plan); });
  auto kinds = tuning::assignPlans(*module, target);
  ASSERT_TRUE(static_cast<bool>(kinds));
  module->walk([&](attn::AttendOp op) {
    EXPECT_EQ(op->getAttr(tile::kPlanAttr), plan);
    op->setAttr(tile::kPlanAttr, getPlan(16, 24, 9));
  });
  EXPECT_EQ(llvm::toString(tuning::assignPlans(*module, target).takeError()),
            "9 rows of 16 queries need 21 vector registers, test has 16");
}

// Plans for several kinds of loops, told apart by the plans that are chosen.
TEST_F(CpuPlansTest, AsksByKindsOfLoops) {
  auto assign = [&](llvm::StringRef text) -> std::string {
    auto module = make("attention x { }")->emit();
    mlir::OpBuilder builder(module->getContext());
    // Three loops of two kinds: the second one reads wider rows.
    llvm::SmallVector<attn::AttendOp> loops;
    module->walk([&](attn::AttendOp op) { loops.push_back(op); });
    for (int64_t n = 0; n < 2; ++n) {
      builder.setInsertionPointAfter(loops.back());
      loops.push_back(
          cast<attn::AttendOp>(builder.clone(*loops.front().getOperation())));
    }
    loops[1]->setAttr(tile::kPlanAttr, getPlan(8, 24, 3));
    auto request = tuning::PlanRequest::parse(text);
    if (!request)
      return llvm::toString(request.takeError());
    auto kinds = tuning::assignPlans(*module, target, {}, *request);
    if (!kinds)
      return llvm::toString(kinds.takeError());
    std::string plans;
    for (attn::AttendOp op : loops)
      plans +=
          std::to_string(
              op->getAttrOfType<tile::PlanAttr>(tile::kPlanAttr).getKeys()) +
          " ";
    for (tile::PlanAttr kind : *kinds)
      plans += "/" + std::to_string(kind.getKeys());
    return plans;
  };
  EXPECT_EQ(assign("keys=64; keys=32"), "64 24 64 /64/24");
  EXPECT_EQ(assign("keys=64"), "64 24 64 /64/24");
  EXPECT_EQ(assign("keys=64; keys=32;"),
            "there are plans for 3 kinds of loops over keys, the spec has 2");
}

// What fits goes down the whole road.
TEST_F(CpuPlansTest, WhatFitsCompiles) {
  for (int64_t queries : {8, 16, 32, 64})
    for (int64_t keys : {1, 7, 16, 96})
      for (int64_t rows : {1, 2, 3, 6, 14}) {
        tile::PlanAttr plan = getPlan(queries, keys, rows);
        if (!why(plan, 10).empty())
          continue;
        auto module =
            make("attention x { let v = v * 2 mask = i >= j }", 10)->emit();
        module->walk([&](mlir::Operation *op) {
          if (mlir::isa<attn::AttendOp, attn::MapOp>(op))
            op->setAttr(tile::kPlanAttr, plan);
        });
        llvm::Error error = lower(*module, Stage::LLVM, target);
        EXPECT_FALSE(static_cast<bool>(error))
            << queries << " " << keys << " " << rows << ": "
            << llvm::toString(std::move(error));
      }
}

} // namespace
