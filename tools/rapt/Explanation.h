// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What `rapt explain` has found out about a spec at one shape, as text for
/// people or one line of JSON.

#ifndef RAPT_TOOLS_RAPT_EXPLANATION_H
#define RAPT_TOOLS_RAPT_EXPLANATION_H

#include "rapt/Kernel.h"
#include "tools/rapt/PairCounts.h"
#include <string>
#include <utility>
#include <vector>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace rapt::tool {

/// The least time that the work can take: each bound alone, in seconds.
struct Floor {
  double flops = 0; ///< Of the products, over the pairs kept.
  double bytes = 0; ///< Every tensor once.
  double flopsPerSecond = 0, bytesPerSecond = 0;
  bool isMeasured = true; ///< Else what the user gave.
  unsigned threads = 0;   ///< That did the measuring.

  double getFlopSeconds() const {
    return flopsPerSecond > 0 ? flops / flopsPerSecond : 0;
  }
  double getByteSeconds() const {
    return bytesPerSecond > 0 ? bytes / bytesPerSecond : 0;
  }
  bool isBoundByMemory() const { return getByteSeconds() > getFlopSeconds(); }
  double getSeconds() const {
    return std::max(getFlopSeconds(), getByteSeconds());
  }
};

struct Explanation {
  std::string spec, file;
  std::string target; ///< With the CPU it stands for.
  std::string dtype;
  std::vector<std::pair<std::string, std::string>> params;
  std::vector<std::pair<std::string, int64_t>> shape;
  /// What the compiler recorded.
  std::string form, plan;
  /// The tiles of loops over keys, as --plan takes them.
  std::string planParts;
  std::vector<Remark> remarks;
  std::vector<LoopCounts> loops;
  Floor floor;
};

/// One line of an explanation: what it is about, and a sentence.
struct ExplanationLine {
  std::string label, text;
};

/// Everything that is said below the title, for text and for the page.
std::vector<ExplanationLine> describe(const Explanation &explanation);

void printText(const Explanation &explanation, llvm::raw_ostream &os);

/// One line: spec, target, dtype, shape, params, form, plan, plan_parts (what
/// --plan takes, for each kind of loop over keys), remarks (kind and text),
/// loops, flops, bytes, peak_gflops, peak_gbytes, floor_ms, bound
/// (`operations` or `memory`). Each of `loops` has pairs, kept_pairs,
/// kept_pairs_error (the standard error, 0 if they were counted), density,
/// visited_pairs, mask (`none`, `known` or `computed`: kept_pairs is then what
/// is certain), and tiles: null or queries, keys, heads, listed (not in the
/// order of positions), empty, full, partial.
void printJson(const Explanation &explanation, llvm::raw_ostream &os);

/// Three digits and a unit with its prefix: `12.3 ms`.
std::string formatQuantity(double value, llvm::StringRef unit);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_EXPLANATION_H
