// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes on the attn dialect, in alphabetical order.

#ifndef RAPT_DIALECTS_ATTN_TRANSFORMS_PASSES
#define RAPT_DIALECTS_ATTN_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def NormalizeRecurrences : Pass<"attn-normalize-recurrences"> {
  let summary = "Take scans apart into transition, write and read";
  let description = [{
    Rewrites each `attn.scan` to `attn.affine_scan` if a step is affine in at
    least one of its states, or a running maximum of it. Factors, corrections and
    writes are found whatever the order, grouping and naming of the
    arithmetic; what is added may be rounded differently than before.

    A remark says the kind of every state, and why a state has none:
    a function that is not linear, a product of a state by itself, a form that no
    transition describes. A scan none of whose states has a kind stays as it is.

    Needs: nothing. Ensures: every scan left is sequential. Cost: linear in the
    size of the regions for each state.
  }];
  let dependentDialects = ["::rapt::attn::AttnDialect",
                           "::mlir::arith::ArithDialect"];
}

#endif // RAPT_DIALECTS_ATTN_TRANSFORMS_PASSES
