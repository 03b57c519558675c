// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/Report.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <limits>

namespace rapt::tool {

void printText(const RunReport &report, llvm::raw_ostream &os) {
  os << report.spec << " from " << report.file << '\n';
  os << "  form     " << report.form << '\n';
  os << "  target   " << report.target << ", " << report.dtype;
  if (!report.isOnGpu)
    os << ", " << report.threads
       << (report.threads == 1 ? " thread" : " threads");
  os << '\n';
  os << "  plan     " << report.plan << '\n';
  if (!report.params.empty()) {
    os << "  params  ";
    for (const auto &[name, value] : report.params)
      os << ' ' << name << '=' << value;
    os << '\n';
  }
  os << "  shape   ";
  for (const auto &[axis, extent] : report.shape)
    os << ' ' << axis << '=' << extent;
  os << '\n';
  os << llvm::formatv("  compile  {0:f1} ms, cache {1}\n",
                      report.compileMilliseconds,
                      report.isFromCache ? "hit" : "cold");
  if (report.check) {
    const reference::CheckReport &check = *report.check;
    os << llvm::formatv("  check    {0}: largest error {1:e2}, bound {2:e2}; "
                        "lse {3:e2}, bound {4:e2}; {5} rows",
                        check.passed ? "passed" : "failed", check.maxError,
                        check.bound, check.maxLseError, check.lseBound,
                        check.rowsChecked);
    if (check.rowsSkipped)
      os << ", " << check.rowsSkipped
         << " left out because float overflows in them";
    os << '\n';
  } else {
    os << "  check    none\n";
  }
  os << llvm::formatv("  time     {0:f3} ms, median of {1}\n",
                      report.milliseconds, report.repeats);
  os << llvm::formatv("  speed    {0:f1} GFLOP/s of useful work{1}",
                      report.gflops,
                      report.isWorkEstimated ? " (estimated)" : "");
  if (!report.isOnGpu)
    os << llvm::formatv(", {0:f1} % of {1:f1}, the peak of {2}",
                        100 * report.getPeakFraction(), report.peakGflops,
                        report.threads == 1 ? "this thread" : "these threads");
  os << '\n';
  if (report.dotPeakGflops > 0)
    os << llvm::formatv("  dots     {0:f1} % of {1:f1}, the peak of dot "
                        "products of bf16\n",
                        100 * report.getDotPeakFraction(),
                        report.dotPeakGflops);
}

/// Six digits, or null.
static void printNumber(llvm::json::OStream &json, llvm::StringRef name,
                        double value) {
  json.attributeBegin(name);
  if (std::isfinite(value))
    json.rawValue(llvm::formatv("{0}", llvm::format("%.6g", value)).str());
  else
    json.value(nullptr);
  json.attributeEnd();
}

void printJson(const RunReport &report, llvm::raw_ostream &os) {
  llvm::json::OStream json(os);
  json.object([&] {
    json.attribute("spec", report.spec);
    json.attribute("target", report.target);
    json.attributeObject("shape", [&] {
      for (const auto &[axis, extent] : report.shape)
        json.attribute(axis, extent);
    });
    json.attribute("dtype", report.dtype);
    if (report.isOnGpu)
      json.attribute("threads", nullptr);
    else
      json.attribute("threads", int64_t(report.threads));
    if (report.check) {
      printNumber(json, "max_error", report.check->maxError);
      printNumber(json, "error_bound", report.check->bound);
    } else {
      json.attribute("max_error", nullptr);
      json.attribute("error_bound", nullptr);
    }
    printNumber(json, "ms", report.milliseconds);
    printNumber(json, "gflops", report.gflops);
    constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
    printNumber(json, "peak_gflops",
                report.isOnGpu ? unknown : report.peakGflops);
    printNumber(json, "peak_fraction",
                report.isOnGpu ? unknown : report.getPeakFraction());
    bool hasDots = report.dotPeakGflops > 0;
    printNumber(json, "dot_peak_gflops",
                hasDots ? report.dotPeakGflops : unknown);
    printNumber(json, "dot_peak_fraction",
                hasDots ? report.getDotPeakFraction() : unknown);
    printNumber(json, "compile_ms", report.compileMilliseconds);
    json.attribute("cache", report.isFromCache ? "hit" : "cold");
  });
  os << '\n';
}

} // namespace rapt::tool
