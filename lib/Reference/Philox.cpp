// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Reference/Philox.h"

namespace rapt::reference {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                   std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = uint64_t(0xD2511F53) * counter[0];
    uint64_t product1 = uint64_t(0xCD9E8D57) * counter[2];
    auto high0 = static_cast<uint32_t>(product0 >> 32);
    auto high1 = static_cast<uint32_t>(product1 >> 32);
    counter = {high1 ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               high0 ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key[0] += 0x9E3779B9; // the golden ratio
    key[1] += 0xBB67AE85; // the square root of 3, less 1
  }
  return counter;
}

double uniform(int64_t seed, int64_t b, int64_t h, int64_t i, int64_t j) {
  auto word = [](int64_t value) { return static_cast<uint32_t>(value); };
  uint32_t random = philox4x32({word(b), word(h), word(i), word(j)},
                               {word(seed), word(seed >> 32)})[0];
  return (random >> 8) * 0x1p-24;
}

} // namespace rapt::reference
