// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes on the attn dialect, in alphabetical order.

#ifndef RAPT_DIALECTS_ATTN_TRANSFORMS_PASSES
#define RAPT_DIALECTS_ATTN_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def AttendRecurrences : Pass<"attn-attend-recurrences"> {
  let summary = "Turn recurrences into sums over keys";
  let description = [{
    An `attn.affine_scan` with one matrix state S = exp(g) S + a b^T, or without the
    decay, that begins with zero and is read by one product x^T S of a row of the query
    is

        sum over j <= i of <x_i, a_j> exp(G_i - G_j) b_j,   G = the running sum of g

    over j < i if the read comes before the step. For few tokens this is one product of
    matrices.

    A remark says what was turned, or what stands in the way.

    Needs: `--attn-normalize-recurrences`. Ensures: nothing. Cost: linear in the regions.
  }];
  let dependentDialects = ["::rapt::attn::AttnDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
}

def NormalizeRecurrences : Pass<"attn-normalize-recurrences"> {
  let summary = "Take scans apart into transition, write and read";
  let description = [{
    Rewrites each `attn.scan` to `attn.affine_scan` if a step is affine in at
    least one of its states, or a running maximum of it. Factors, corrections and
    writes are found whatever the order, grouping and naming of the
    arithmetic; what is added may be rounded differently than before.

    In the read, states meet rows as they are where that is possible: what `dot(q, S + outer(u * k, v))` adds to
    `dot(q, S)` is a bonus beside it.

    A remark says the kind of every state, and why a state has none:
    a function that is not linear, a product of a state by itself, a form that no
    transition describes. A scan none of whose states has a kind stays as it is.

    Needs: nothing. Ensures: every scan left is sequential. Cost: linear in the
    size of the regions for each state.
  }];
  let dependentDialects = ["::rapt::attn::AttnDialect",
                           "::mlir::arith::ArithDialect"];
}

def RecurSeparableWeights : Pass<"attn-recur-separable-weights"> {
  let summary = "Turn causal sums of separable weights into recurrences";
  let description = [{
    An `attn.attend` without softmax, over the keys j <= i, whose score is a sum of terms

        f(i) g(j) <q_p[i], k_p[j]> exp(a(i) + c(j))

    (each part optional) is a scan: a sum of outer products for each term, scaled by
    exp(c(j - 1) - c(j)) in each step, and for a ratio a sum of the keys beside
    it. No exponential is taken of more than a(i) + c(i) or of one step, so that gates
    that are running sums do not overflow.

    A remark says what was found, or what stands in the way. What is summed in
    another order may be rounded differently.

    Needs: nothing. Ensures: nothing about softmax. Cost: linear in the regions.
  }];
  let dependentDialects = ["::rapt::attn::AttnDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
}

def TakeSequences : Pass<"attn-take-sequences", "::mlir::ModuleOp"> {
  let summary = "Take the sequence of a batch, its pages and its positions as arguments";
  let description = [{
    A spec says nothing of how its tokens lie in memory and where its queries stand. For callers who do, every spec gets further
    arguments, in this order:

        tensor<?xi32> [keys]      for every argument in `paged`: the row that each key is. The argument itself
                                  is `[batch, heads, rows, features]` or `[batch, rows, features]` then
        tensor<?xi32> [queries]   with `positions`: the position of each query, which regions read in the
                                  place of the one that follows from the lengths
        tensor<i32>               which sequence of the batch this is, in the place of the batch in the counter of
                                  `attn.uniform`; everything else has a batch of 1

    Needs: of loops over tokens only `attn.attend` without a carry and `attn.map`. Ensures: nothing. Cost: linear in the regions.
  }];
  let options = [
    ListOption<"paged", "paged", "std::string", "arguments whose rows lie in pages">,
    Option<"positions", "positions", "bool", "false", "positions of queries are given">
  ];
  let dependentDialects = ["::rapt::attn::AttnDialect"];
}

#endif // RAPT_DIALECTS_ATTN_TRANSFORMS_PASSES
