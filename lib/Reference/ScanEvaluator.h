// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The loop over time, one step after the other. Internal to the Reference.

#ifndef RAPT_LIB_REFERENCE_SCANEVALUATOR_H
#define RAPT_LIB_REFERENCE_SCANEVALUATOR_H

#include "lib/Reference/AttnGraph.h"

namespace rapt::reference {

/// The outputs [batch, heads, queries, features] of a scan and its states after
/// the last step [batch, heads, cells of the state], as f64 for double and f32
/// for float, in `storage`. Heads run on `threads` threads, steps never.
template <typename Real>
std::vector<TensorView>
evaluateScan(const ScanNode &node, unsigned threads,
             std::vector<std::unique_ptr<std::vector<char>>> &storage);

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_SCANEVALUATOR_H
