// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/BandwidthMeter.h"
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

namespace rapt::tool {

/// Independent sums, so that a pass waits for memory and not for additions.
/// Four places are read at once, and each asks for what is `kTile` bytes on:
/// one place alone waits for translations of addresses.
static uint64_t sumWords(const uint64_t *words, int64_t count) {
  constexpr int64_t kPlaces = 4, kTile = (int64_t(64) << 10) / 8, kStep = 32;
  constexpr int64_t kLine = 64 / sizeof(uint64_t);
  uint64_t sums[kStep] = {};
  for (int64_t n = 0; n < count; n += kTile)
    for (int64_t i = 0; i < kTile / kPlaces; i += kStep)
      for (int64_t place = 0; place < kPlaces; ++place) {
        const uint64_t *here = words + n + place * (kTile / kPlaces) + i;
        for (int64_t k = 0; k < kStep; k += kLine)
          __builtin_prefetch(here + kTile + k);
        for (int64_t k = 0; k < kStep; ++k)
          sums[k] += here[k];
      }
  uint64_t total = 0;
  for (uint64_t sum : sums)
    total += sum;
  return total;
}

double measureBandwidth(Executor &executor) {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t pieceBytes = int64_t(1) << 20, pieces = 192, passes = 3;
  constexpr int64_t words = pieceBytes / sizeof(uint64_t);
  struct Free {
    void operator()(uint64_t *pointer) const { std::free(pointer); }
  };
  std::unique_ptr<uint64_t, Free> memory(
      static_cast<uint64_t *>(std::aligned_alloc(4096, pieces * pieceBytes)));
  if (!memory)
    return 0;
  // Written once: pages that nobody has touched are all the same one.
  executor.run(pieces, [&](int64_t first, int64_t last) {
    std::fill(memory.get() + first * words, memory.get() + last * words, 1);
  });
  std::vector<uint64_t> sums(pieces);
  double best = 0;
  for (int64_t pass = 0; pass < passes; ++pass) {
    auto begin = Clock::now();
    executor.run(pieces, [&](int64_t first, int64_t last) {
      for (int64_t piece = first; piece < last; ++piece)
        sums[piece] += sumWords(memory.get() + piece * words, words);
    });
    double seconds =
        std::chrono::duration<double>(Clock::now() - begin).count();
    // What was summed decides, so that it is summed.
    if (seconds > 0 && sums.front() == uint64_t(words) * (pass + 1))
      best = std::max(best, double(pieces) * double(pieceBytes) / seconds);
  }
  return best;
}

} // namespace rapt::tool
