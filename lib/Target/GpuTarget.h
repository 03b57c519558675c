// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Facts about the NVIDIA GPUs that code is generated for.

#ifndef RAPT_LIB_TARGET_GPUTARGET_H
#define RAPT_LIB_TARGET_GPUTARGET_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <string>

namespace rapt::target {

/// One compute capability.
struct GpuTarget {
  /// What the user and LLVM call it: `sm_80`, `sm_90a`.
  std::string name;
  /// LLVM's features: the version of PTX.
  std::string features;
  /// 10 times the compute capability: 90.
  int64_t capability = 0;
  /// Bytes of shared memory that one block may have.
  int64_t sharedBytes = 0;
  /// Whether it has Hopper's products of warpgroups (`wgmma`).
  bool hasWarpgroups = false;
  /// Registers of 32 bits of one multiprocessor, and at most of one thread.
  int64_t registers = 65536;
  int64_t threadRegisters = 255;
};

/// LLVM's triple and data layout of all of them.
inline constexpr llvm::StringLiteral kGpuTriple = "nvptx64-nvidia-cuda";

llvm::ArrayRef<GpuTarget> getKnownGpus();

/// A row of the table, or null.
const GpuTarget *findGpu(llvm::StringRef name);

/// The row whose code runs best on a GPU of this compute capability (times
/// 10), or null.
const GpuTarget *findGpuFor(int64_t capability);

} // namespace rapt::target

#endif // RAPT_LIB_TARGET_GPUTARGET_H
