// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What `rapt run` has found out, as text for people or one line of JSON.

#ifndef RAPT_TOOLS_RAPT_REPORT_H
#define RAPT_TOOLS_RAPT_REPORT_H

#include "lib/Reference/Check.h"
#include <optional>
#include <string>
#include <vector>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace rapt::tool {

struct RunReport {
  std::string spec, file, form, plan;
  std::string target; ///< With the CPU it stands for.
  std::string dtype;
  std::vector<std::pair<std::string, std::string>> params;
  std::vector<std::pair<std::string, int64_t>> shape;
  /// No number of threads and no peak are told.
  bool isOnGpu = false;
  unsigned threads = 0;
  double compileMilliseconds = 0;
  bool isFromCache = false;

  /// Nothing if no row was checked.
  std::optional<reference::CheckReport> check;

  double milliseconds = 0; ///< Median.
  int64_t repeats = 0;
  double gflops = 0;
  bool isWorkEstimated = false;
  double peakGflops = 0;
  /// Of dot products of bf16, for tensors of that type where they exist; else
  /// 0.
  double dotPeakGflops = 0;

  double getPeakFraction() const {
    return peakGflops > 0 ? gflops / peakGflops : 0;
  }
  double getDotPeakFraction() const {
    return dotPeakGflops > 0 ? gflops / dotPeakGflops : 0;
  }
};

void printText(const RunReport &report, llvm::raw_ostream &os);
/// One line: spec, target, shape, dtype, threads, max_error, error_bound, ms,
/// gflops, peak_gflops, peak_fraction, dot_peak_gflops, dot_peak_fraction,
/// compile_ms, cache. A number that is not
/// known or not finite is null.
void printJson(const RunReport &report, llvm::raw_ostream &os);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_REPORT_H
