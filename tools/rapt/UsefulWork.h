// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The work that a spec asks for, whatever a kernel does.

#ifndef RAPT_TOOLS_RAPT_USEFULWORK_H
#define RAPT_TOOLS_RAPT_USEFULWORK_H

#include "dialects/Attn/IR/Attn.h"
#include "lib/Reference/AttnEvaluator.h"

namespace rapt::tool {

struct UsefulWork {
  /// Multiplications and additions of the two products, over the pairs that the
  /// mask keeps.
  double flops = 0;
  /// Counted on some rows of every head only.
  bool isEstimated = false;
};

/// Multiplications and additions of one pair: a product of every query and key
/// row, and one weight times a row of values.
double getFlopsPerPair(attn::AttendOp attend);

/// `spec` is what `evaluator` was made from.
UsefulWork countUsefulWork(mlir::func::FuncOp spec,
                           reference::AttnEvaluator &evaluator, int64_t keys);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_USEFULWORK_H
