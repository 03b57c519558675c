// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Reads a buffer as fast as this machine can, for benchmarks/decode.py: the sum
// of its 64 bit words. How a processor is best asked for a long buffer differs,
// so that a caller takes the fastest of several ways.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

constexpr size_t kStep = 256; ///< bytes that are read of one stream at a time

/// `streams` places of a tile are read at once, and each asks for the same
/// place `ahead` bytes on; 0: asks for nothing.
uint64_t readTiles(const char *begin, const char *end, size_t streams,
                   size_t tile, size_t ahead) {
  constexpr size_t kWords = kStep / sizeof(uint64_t);
  uint64_t sums[kWords] = {};
  size_t distance = tile / streams;
  for (; begin + tile <= end; begin += tile)
    for (size_t i = 0; i < distance; i += kStep)
      for (size_t s = 0; s < streams; ++s) {
        const char *place = begin + s * distance + i;
        if (ahead > 0)
          for (size_t line = 0; line < kStep; line += 64)
            __builtin_prefetch(place + ahead + line);
        auto *words = reinterpret_cast<const uint64_t *>(place);
        for (size_t w = 0; w < kWords; ++w)
          sums[w] += words[w];
      }
  uint64_t sum = 0;
  for (uint64_t each : sums)
    sum += each;
  return sum;
}

} // namespace

/// The sum of what `bytes` bytes hold; `bytes` is a multiple of 64 KiB times
/// `threads`, `data` aligned to 8 bytes.
extern "C" __attribute__((visibility("default"))) uint64_t
readBuffer(const char *data, size_t bytes, unsigned threads, size_t streams,
           size_t ahead) {
  constexpr size_t kTile = size_t(64) << 10;
  std::vector<uint64_t> sums(threads, 0);
  std::vector<std::thread> others;
  size_t part = bytes / threads;
  auto read = [&](unsigned thread) {
    const char *begin = data + thread * part;
    sums[thread] = readTiles(begin, begin + part, streams, kTile, ahead);
  };
  for (unsigned thread = 1; thread < threads; ++thread)
    others.emplace_back(read, thread);
  read(0);
  uint64_t sum = sums[0];
  for (unsigned thread = 1; thread < threads; ++thread) {
    others[thread - 1].join();
    sum += sums[thread];
  }
  return sum;
}
