// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Target/GpuTarget.h"
#include "lib/Target/Target.h"
#include "gtest/gtest.h"

using namespace rapt::target;

TEST(GpuTargetTest, FindsRowsByName) {
  ASSERT_NE(findGpu("sm_90a"), nullptr);
  EXPECT_EQ(findGpu("sm_90a")->capability, 90);
  EXPECT_EQ(findGpu("sm_90a")->sharedBytes, 232448); // what the driver says
  EXPECT_EQ(findGpu("sm_91"), nullptr);
  EXPECT_EQ(findGpu("host"), nullptr);
}

// Code of an earlier capability runs on a later one; code with features of one
// capability alone runs on no other.
TEST(GpuTargetTest, ChoosesTheBestThatRuns) {
  EXPECT_EQ(findGpuFor(75), nullptr);
  EXPECT_EQ(findGpuFor(80)->name, "sm_80");
  EXPECT_EQ(findGpuFor(87)->name, "sm_86");
  EXPECT_EQ(findGpuFor(90)->name, "sm_90a");
  EXPECT_EQ(findGpuFor(100)->name, "sm_90");
}

TEST(GpuTargetTest, IsNamedWhereATargetIsUnknown) {
  llvm::Expected<CpuTarget> target = findTarget("sm_70");
  ASSERT_FALSE(static_cast<bool>(target));
  std::string message = llvm::toString(target.takeError());
  for (const GpuTarget &gpu : getKnownGpus())
    EXPECT_NE(message.find(gpu.name), std::string::npos) << message;
}
