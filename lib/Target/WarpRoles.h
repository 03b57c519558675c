// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// How warps with roles share the registers of a Hopper multiprocessor
/// (`setmaxnreg`; CUDA's programming guide and PTX ISA 8.0, 9.7.19.5).

#ifndef RAPT_LIB_TARGET_WARPROLES_H
#define RAPT_LIB_TARGET_WARPROLES_H

#include <cstdint>

namespace rapt::target {

/// Warps that fetch: one warpgroup, which is what changes registers together.
inline constexpr int64_t kProducerWarps = 4;
/// The least that a thread of a producer gets here.
inline constexpr int64_t kLeastProducerRegisters = 56;
/// Counts of registers are multiples of this.
inline constexpr int64_t kRegisterUnit = 8;

/// Registers of a thread of a block of `warps` warps when it begins, if the
/// block has a multiprocessor for itself.
int64_t getEntryRegisters(int64_t warps);

/// What roles divide: the sum over all warps of what a thread has at entry.
int64_t getRoleRegisters(int64_t warps);

/// What is left to a thread of each of `consumers` warps beside
/// kProducerWarps whose threads have `producerRegisters`.
int64_t getConsumerRegisters(int64_t consumers, int64_t producerRegisters);

/// What is left to a thread of a producer beside `consumers` warps whose
/// threads have `consumerRegisters`.
int64_t getProducerRegisters(int64_t consumers, int64_t consumerRegisters);

} // namespace rapt::target

#endif // RAPT_LIB_TARGET_WARPROLES_H
