// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Target/WarpRoles.h"
#include "gtest/gtest.h"

using namespace rapt::target;

namespace {

TEST(WarpRolesTest, NeverGivesMoreThanThereIs) {
  for (int64_t consumers : {4, 8, 12})
    for (int64_t producer : {24, 56, 72, 88}) {
      int64_t own = getConsumerRegisters(consumers, producer);
      int64_t other = getProducerRegisters(consumers, own);
      int64_t all = getRoleRegisters(consumers + kProducerWarps);
      EXPECT_LE(32 * all, 65536);
      EXPECT_LE(consumers * own + kProducerWarps * other, all);
      EXPECT_EQ(own % kRegisterUnit, 0);
      EXPECT_EQ(other % kRegisterUnit, 0);
      EXPECT_GE(other, producer) << consumers << " warps compute";
    }
}

TEST(WarpRolesTest, DividesAsTheHardwareDoes) {
  // 65536 registers for 384 threads are 168 for each; 168 * 12 - 4 * 56 are
  // left to 8 warps.
  EXPECT_EQ(getEntryRegisters(12), 168);
  EXPECT_EQ(getConsumerRegisters(8, 56), 224);
  EXPECT_EQ(getConsumerRegisters(12, 56), 152);
}

} // namespace
