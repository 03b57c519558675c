// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Runtime/FlushSubnormals.h"
#include "gtest/gtest.h"

using rapt::runtime::FlushSubnormals;

namespace {

float multiply(volatile float a, volatile float b) { return a * b; }

TEST(FlushSubnormals, CountsThemAsZeroWhileItLives) {
  EXPECT_GT(multiply(1e-30f, 1e-10f), 0);
  {
    FlushSubnormals flush;
    EXPECT_EQ(multiply(1e-30f, 1e-10f), 0); // a result
    EXPECT_EQ(multiply(1e-40f, 1e10f), 0);  // an operand
    EXPECT_EQ(multiply(1e-20f, 1e-10f), 1e-20f * 1e-10f);
  }
  EXPECT_GT(multiply(1e-30f, 1e-10f), 0);
}

TEST(FlushSubnormals, Nests) {
  FlushSubnormals outer;
  {
    FlushSubnormals inner;
  }
  EXPECT_EQ(multiply(1e-30f, 1e-10f), 0);
}

} // namespace
