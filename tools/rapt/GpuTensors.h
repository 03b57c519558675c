// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Tensors of the tool in the memory of a GPU, and times of what runs there.

#ifndef RAPT_TOOLS_RAPT_GPUTENSORS_H
#define RAPT_TOOLS_RAPT_GPUTENSORS_H

#include "lib/Runtime/CudaMemory.h"
#include "rapt/Kernel.h"
#include "tools/rapt/HostTensor.h"

namespace rapt::tool {

/// The arguments and results of one call.
class GpuTensors {
public:
  /// Copies the arguments. All bits of results are 1, which is NaN, so that an
  /// element that nothing writes is seen.
  static llvm::Expected<GpuTensors>
  create(const runtime::CudaContext &context,
         const std::vector<HostTensor> &arguments,
         const std::vector<HostTensor> &results);

  const std::vector<NamedTensor> &getArguments() const { return arguments; }
  const TensorView &getOut() const { return results.front(); }
  const TensorView *getLse() const {
    return results.size() > 1 ? &results[1] : nullptr;
  }
  int64_t getBytes() const;
  /// Copies the results to the tensors of create(), and waits.
  llvm::Error download(const std::vector<HostTensor> &to) const;

private:
  runtime::CudaContext context;
  std::vector<runtime::CudaMemory> memory; ///< of arguments, then of results
  std::vector<NamedTensor> arguments;
  std::vector<TensorView> results;
};

/// Times work on the default stream of a context by the GPU's own clock.
class GpuTimer {
public:
  static llvm::Expected<GpuTimer> create(const runtime::CudaContext &context);
  GpuTimer(GpuTimer &&other);
  ~GpuTimer();

  /// Milliseconds from when the GPU begins with what `start` has put on the
  /// stream until it is done.
  llvm::Expected<double> measure(llvm::function_ref<llvm::Error()> start) const;

private:
  explicit GpuTimer(const runtime::CudaContext &context) : context(context) {}
  runtime::CudaContext context;
  runtime::CudaEventHandle begin = nullptr, end = nullptr;
};

/// The middle one; of two, their mean. `times` has some.
double getMedian(std::vector<double> times);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_GPUTENSORS_H
