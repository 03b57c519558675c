// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Plans as text: what is read is what is printed, and what is no plan says why.

#include "lib/Tuning/PlanText.h"
#include "lib/Compiler/Pipeline.h"
#include "gtest/gtest.h"

using namespace rapt;
using tuning::PlanRequest;

namespace {

struct PlanTextTest : ::testing::Test {
  std::unique_ptr<mlir::MLIRContext> context = createContext();
  tile::PlanAttr plan = tile::PlanAttr::get(
      context.get(), /*queries=*/64, /*keys=*/128,
      tile::CpuPlanAttr::get(context.get(), /*rows=*/6, /*depth=*/8,
                             /*sweep=*/2),
      /*edge=*/32, /*grain=*/0, /*in_order=*/false);

  std::string change(llvm::StringRef text) {
    auto request = PlanRequest::parse(text);
    if (!request)
      return llvm::toString(request.takeError());
    auto changed = request->applyTo(plan, /*kind=*/0);
    return changed ? tuning::printPlan(*changed)
                   : llvm::toString(changed.takeError());
  }
};

TEST_F(PlanTextTest, ChangesWhatIsNamed) {
  const std::string all = "queries=64,keys=128,edge=32,rows=6,depth=8,sweep=2";
  EXPECT_EQ(change(""), all);
  EXPECT_EQ(change(all), all);
  EXPECT_EQ(change("rows=4, queries = 32"),
            "queries=32,keys=128,edge=32,rows=4,depth=8,sweep=2");
  EXPECT_EQ(change("columns=true,group=true,in_order=true,split=256,grain=16"),
            "queries=64,keys=128,edge=32,grain=16,rows=6,depth=8,sweep=2,"
            "columns=true,in_order=true,group=true,split=256");
  EXPECT_EQ(change("edge=0,columns=false"),
            "queries=64,keys=128,rows=6,depth=8,sweep=2");
}

TEST_F(PlanTextTest, HasOnePartForEachKindOfLoops) {
  auto request = PlanRequest::parse("rows=4; ;keys=64,edge=0");
  ASSERT_TRUE(static_cast<bool>(request));
  auto keysOf = [&](size_t kind) {
    return llvm::cantFail(request->applyTo(plan, kind)).getKeys();
  };
  EXPECT_EQ(keysOf(0), plan.getKeys());
  EXPECT_EQ(keysOf(1), plan.getKeys());
  EXPECT_EQ(keysOf(2), 64);
  EXPECT_FALSE(static_cast<bool>(request->expectKinds(3)));
  EXPECT_EQ(llvm::toString(request->expectKinds(2)),
            "there are plans for 3 kinds of loops over keys, the spec has 2");
  EXPECT_EQ(change("rows=4;keys=many"),
            "'keys' of a plan is 'many', expected a number up to 1048576");
}

TEST_F(PlanTextTest, SaysWhatIsNoPlan) {
  EXPECT_EQ(change("quries=3"),
            "a plan has no part 'quries', expected queries, keys, edge, grain, "
            "rows, depth, sweep, columns, pairs, in_order, group, split; did "
            "you mean "
            "'queries'?");
  EXPECT_EQ(change("keys=many"), "'keys' of a plan is 'many', expected a "
                                 "number up to 1048576");
  EXPECT_EQ(change("keys=-1"), "'keys' of a plan is '-1', expected a number up "
                               "to 1048576");
  EXPECT_EQ(change("keys"),
            "'keys' of a plan is '', expected a number up to 1048576");
  EXPECT_EQ(change("keys=99999999999999999999"),
            "'keys' of a plan is '99999999999999999999', expected a number up "
            "to 1048576");
  EXPECT_EQ(change("group=1"),
            "'group' of a plan is '1', expected true or false");
  EXPECT_EQ(change("keys=64,keys=64"), "a plan gives 'keys' twice");
  EXPECT_EQ(change(","),
            "a plan has no part '', expected queries, keys, edge, "
            "grain, rows, depth, sweep, columns, pairs, in_order, group, "
            "split");
  EXPECT_EQ(change("keys=0"),
            "tile sizes must be positive, got queries = 64 and keys = 0");
  EXPECT_EQ(change("keys=48"),
            "edge must divide keys, got edge = 32 and keys = 48");
}

} // namespace
