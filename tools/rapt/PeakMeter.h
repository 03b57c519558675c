// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The most that this machine computes: what a kernel's speed is a fraction of.

#ifndef RAPT_TOOLS_RAPT_PEAKMETER_H
#define RAPT_TOOLS_RAPT_PEAKMETER_H

#include "lib/Runtime/KernelLoader.h"
#include "rapt/Executor.h"
#include <vector>

namespace rapt::tool {

/// Runs independent chains of f32 multiply-adds in the widest vectors of the
/// host, and takes the median of their rates. Measure between the runs of a
/// kernel, on the same threads: clocks change with load and time, and the best
/// moment of one says nothing of the median of the other.
class PeakMeter {
public:
  /// What is counted: multiply-adds of f32, or dot products of bf16, which the
  /// host must have.
  enum class Kind { MultiplyAdds, Bf16Dots };

  /// Generates the code. Fails if it does not compile.
  static llvm::Expected<PeakMeter> create(unsigned threads,
                                          Kind kind = Kind::MultiplyAdds);

  /// Some milliseconds on all threads.
  void measure(Executor &executor);
  /// Median of all measurements, in floating-point operations per second; 0
  /// before the first.
  double getFlopsPerSecond() const;

private:
  std::unique_ptr<runtime::LoadedKernel> code;
  int64_t items = 0;
  double flopsPerItem = 0;
  std::vector<double> rates;
  std::vector<float> sums; ///< So that no chain is dead code.
};

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_PEAKMETER_H
