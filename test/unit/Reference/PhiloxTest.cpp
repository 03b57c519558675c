// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Reference/Philox.h"
#include "gtest/gtest.h"

using namespace rapt::reference;

// Known answers of Random123, kat_vectors, philox4x32 with 10 rounds.
TEST(PhiloxTest, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c,
                                     0x9b00dbd8}));
  uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6,
                                     0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                       {0xa4093822, 0x299f31d0}),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420,
                                     0x24126ea1}));
}

TEST(PhiloxTest, UniformTakesTheHighBitsOfTheFirstWord) {
  EXPECT_EQ(uniform(0, 0, 0, 0, 0), 0x6627e8 * 0x1p-24);
  EXPECT_EQ(uniform(-1, -1, -1, -1, -1), 0x408f27 * 0x1p-24);
  EXPECT_EQ(uniform(0x299f31d0a4093822, 0x243f6a88, 0x85a308d3, 0x13198a2e,
                    0x03707344),
            0xd16cfe * 0x1p-24);
}
