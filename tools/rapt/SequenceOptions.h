// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The flags of `rapt run` that describe a batch of uneven sequences.

#ifndef RAPT_TOOLS_RAPT_SEQUENCEOPTIONS_H
#define RAPT_TOOLS_RAPT_SEQUENCEOPTIONS_H

#include "rapt/Sequences.h"
#include "tools/rapt/Options.h"

namespace rapt::tool {

struct SequenceLength {
  int64_t queries = 0, keys = 0;
};

/// A batch, and how its tokens lie in memory.
struct SequenceRequest {
  std::vector<SequenceLength> lengths;
  bool isPacked = true;
  int64_t pageSize = 0;     ///< 0: keys are not in pages
  int64_t sharedPrefix = 0; ///< keys that all sequences share, whole pages
  bool givesPositions = false;
  /// Whether heads lie outside tokens; by default not where rows are packed or
  /// in pages.
  std::optional<bool> areHeadsFirst;

  SequenceForm getForm() const { return {true, pageSize > 0, givesPositions}; }
};

/// Rows for --sequences and what goes with it.
std::vector<OptionRow> getSequenceOptionRows();

/// What they say; nothing without --sequences. `seed` is that of random
/// lengths.
llvm::Expected<std::optional<SequenceRequest>>
parseSequenceOptions(const CommandLine &line, uint64_t seed);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_SEQUENCEOPTIONS_H
