// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Target/WarpRoles.h"
#include <algorithm>

namespace rapt::target {

/// Of 32 bits, of one multiprocessor.
static constexpr int64_t kRegisters = 65536;
/// At entry, and what consumers may take later: more gained nothing.
static constexpr int64_t kMostAtEntry = 255, kMostLater = 240;

static int64_t roundDown(int64_t count) {
  return count / kRegisterUnit * kRegisterUnit;
}

int64_t getEntryRegisters(int64_t warps) {
  return roundDown(std::min(kRegisters / (32 * warps), kMostAtEntry));
}

int64_t getRoleRegisters(int64_t warps) {
  return warps * getEntryRegisters(warps);
}

int64_t getConsumerRegisters(int64_t consumers, int64_t producerRegisters) {
  int64_t left = getRoleRegisters(consumers + kProducerWarps) -
                 kProducerWarps * producerRegisters;
  return std::min(roundDown(left / consumers), kMostLater);
}

int64_t getProducerRegisters(int64_t consumers, int64_t consumerRegisters) {
  int64_t left = getRoleRegisters(consumers + kProducerWarps) -
                 consumers * consumerRegisters;
  return std::min(roundDown(left / kProducerWarps), kMostLater);
}

} // namespace rapt::target
