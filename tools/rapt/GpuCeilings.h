// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What a GPU can do at most, measured: copies of memory and matrix products.

#ifndef RAPT_TOOLS_RAPT_GPUCEILINGS_H
#define RAPT_TOOLS_RAPT_GPUCEILINGS_H

#include "lib/Runtime/CudaMemory.h"
#include "lib/Runtime/CudaModule.h"
#include "tools/rapt/GpuTensors.h"

namespace rapt::tool {

class GpuCeilings {
public:
  static llvm::Expected<GpuCeilings> create(const runtime::CudaContext &context,
                                            const runtime::CudaGpu &gpu);

  /// Measures both once more.
  llvm::Error measure(const GpuTimer &timer);

  /// Medians. Bytes read and written by a copy that no cache holds.
  double getBytesPerSecond() const { return getMedian(bytesPerSecond); }
  /// Of products of bf16 matrices with f32 sums, operands in shared memory
  /// (wgmma) or in registers (mma), on every multiprocessor.
  double getFlopsPerSecond() const { return getMedian(flopsPerSecond); }
  /// The instruction of the products.
  llvm::StringRef getInstruction() const { return instruction; }

private:
  GpuCeilings() = default;
  runtime::CudaContext context;
  int64_t multiprocessors = 0;
  bool hasWarpgroups = false;
  llvm::StringRef instruction;
  runtime::CudaMemory from, to, sums;
  runtime::DeviceKernel kernel;
  std::unique_ptr<runtime::CudaModule> module;
  std::vector<double> bytesPerSecond, flopsPerSecond;
};

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_GPUCEILINGS_H
