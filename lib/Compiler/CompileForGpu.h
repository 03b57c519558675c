// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A definition compiled for a GPU of this machine, or found in a cache.

#ifndef RAPT_LIB_COMPILER_COMPILEFORGPU_H
#define RAPT_LIB_COMPILER_COMPILEFORGPU_H

#include "lib/Compiler/Compilation.h"
#include "lib/Compiler/CudaCode.h"
#include "lib/Runtime/KernelCache.h"

namespace rapt {

/// What `cuda` stands for as a target: the GPU that getCurrentCudaGpu() finds.
inline constexpr llvm::StringLiteral kCudaTarget = "cuda";

/// The row of targets whose code runs best on that GPU. Fails without a driver
/// or a GPU, or on one that is older than every row.
llvm::Expected<const target::GpuTarget *> findCudaTarget();

struct CompiledForGpu {
  std::shared_ptr<const CudaCode> code;
  /// It was in the cache on disk or in use in this process.
  bool isFromCache = false;
};

/// Compiles for the GPU that getCurrentCudaGpu() finds: by ptxas where there is
/// one, else by the driver. With a cache, code that this process still uses is
/// shared, and what the cache has is loaded. Fails if the target's code does
/// not run on that GPU. What goes wrong without harm is added to `warnings`.
llvm::Expected<CompiledForGpu>
compileForGpu(const Compilation &compilation, const runtime::KernelCache *cache,
              std::vector<std::string> &warnings);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_COMPILEFORGPU_H
