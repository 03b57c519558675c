// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Target/GpuTarget.h"

namespace rapt::target {

llvm::ArrayRef<GpuTarget> getKnownGpus() {
  constexpr int64_t kib = 1024;
  // CUDA C++ Programming Guide 13.0, "Technical Specifications per Compute
  // Capability": shared memory per block, registers. PTX 8.0 comes with CUDA
  // 12.0, the first that knows sm_90a (PTX ISA, release history).
  static const GpuTarget gpus[] = {
      {"sm_80", "+ptx80", 80, 163 * kib},
      {"sm_86", "+ptx80", 86, 99 * kib},
      {"sm_89", "+ptx80", 89, 99 * kib},
      {"sm_90", "+ptx80", 90, 227 * kib},
      {"sm_90a", "+ptx80", 90, 227 * kib, /*hasWarpgroups=*/true},
  };
  return gpus;
}

const GpuTarget *findGpu(llvm::StringRef name) {
  for (const GpuTarget &gpu : getKnownGpus())
    if (gpu.name == name)
      return &gpu;
  return nullptr;
}

/// Code of a capability runs on later ones, but for that with features of one
/// alone, whose name ends in a letter.
const GpuTarget *findGpuFor(int64_t capability) {
  const GpuTarget *best = nullptr;
  for (const GpuTarget &gpu : getKnownGpus()) {
    bool isOwn = gpu.name.back() == 'a';
    if (isOwn ? gpu.capability == capability : gpu.capability <= capability)
      best = &gpu;
  }
  return best;
}

} // namespace rapt::target
