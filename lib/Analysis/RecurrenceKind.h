// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The kind of a recurrence: what each step makes of each state, in normal
/// form. The table of kinds is that of attn.transition.

#ifndef RAPT_LIB_ANALYSIS_RECURRENCEKIND_H
#define RAPT_LIB_ANALYSIS_RECURRENCEKIND_H

#include "dialects/Attn/IR/Attn.h"
#include "mlir/IR/Builders.h"

namespace rapt::analysis {

struct StateTransition {
  attn::TransitionAttr transition;
  /// Those that the transition asks for, in its order.
  llvm::SmallVector<mlir::Value> values;
  std::string reason; ///< Why it is nonlinear.
};

/// Finds the transitions of all states of one step. `block` computes
/// `after[p]` from its arguments, of which `before[p]` are the states;
/// `changing` are those that differ from step to step. Arithmetic for the
/// values is added in front of its terminator. A state that is not affine has
/// its new value as it is.
llvm::SmallVector<StateTransition> findTransitions(mlir::Block &block,
                                                   mlir::ValueRange before,
                                                   mlir::ValueRange after,
                                                   mlir::ValueRange changing);

/// Writes products of rows with what is made of `states`, arguments of `block`,
/// as sums of products with the states themselves, where that is possible: of
/// `dot(q, S + outer(u * k, v))` the state is read by `dot(q, S)`, and a bonus
/// of the present step remains.
void normalizeReads(mlir::Block &block, mlir::ValueRange states);

} // namespace rapt::analysis

#endif // RAPT_LIB_ANALYSIS_RECURRENCEKIND_H
