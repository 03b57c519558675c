// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The counter-based random numbers behind `uniform(seed)`.

#ifndef RAPT_LIB_REFERENCE_PHILOX_H
#define RAPT_LIB_REFERENCE_PHILOX_H

#include <array>
#include <cstdint>

namespace rapt::reference {

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
/// as 1, 2, 3", SC 2011): ten rounds over a counter of four words, keyed by
/// two.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                   std::array<uint32_t, 2> key);

/// The number in [0, 1) that `attn.uniform` gives for one pair: 24 bits.
double uniform(int64_t seed, int64_t b, int64_t h, int64_t i, int64_t j);

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_PHILOX_H
