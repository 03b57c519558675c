// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The roles of a definition, with their defaults, as one loop over pairs:
/// mask, score, sink, factor, values, and what is made of the sum.

#ifndef RAPT_LIB_FRONTEND_PAIRWISELOOP_H
#define RAPT_LIB_FRONTEND_PAIRWISELOOP_H

#include "lib/Frontend/ComputedBuilder.h"
#include "lib/Frontend/Expressions.h"

namespace rapt::frontend {

class PairwiseLoop {
public:
  /// Names and roles are those of `scope`.
  PairwiseLoop(Loop &loop, const Scope &scope, Builder &builder,
               ExpressionBuilder &expressions)
      : loop(loop), scope(scope), b(builder), expressions(expressions),
        computed(scope.program, builder) {}

  /// Fills in the loop; false after an error. An `out` that is not made of one
  /// sum of weighted values has no loop: `keySum` stays null.
  bool build();

private:
  /// A product taken apart: numerators over denominators.
  struct Factors {
    llvm::SmallVector<Node *> above, below;
  };
  void collectFactors(Node *node, Factors &factors);
  /// The product of what is left; null if that is nothing.
  Node *multiply(const Factors &factors, SourceRange range);

  Node *getDefault(RoleKind role);
  /// The role's expression with the roles it names filled in.
  Node *resolve(RoleKind role);
  bool splitWeight(Node *weight);
  bool splitOut(Node *out, Node *sum);
  /// The one sum over keys of a weighted row of each key that `out` is made of;
  /// null if it is made of anything else.
  Node *findWeightedSum(Node *out);
  /// Without a loop, from an `out` without a sum, or with sums that are
  /// computed whole.
  bool buildWithoutLoop(Node *out);
  bool buildFromSums(Node *out);
  bool finishWithoutLoop(Node *out);
  /// Computes whole what is normalised inside the parts.
  bool settle();
  /// Whether carried rows stand only where a loop knows them.
  bool checkCarried();
  /// Finds out what the loop runs over; all parts must agree.
  bool chooseAxes();
  SourceRange getRange(RoleKind role) const;

  Loop &loop;
  const Scope &scope;
  Builder &b;
  ExpressionBuilder &expressions;
  ComputedBuilder computed;
  std::map<RoleKind, Node *> resolved; ///< Null while it is being made.
};

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_PAIRWISELOOP_H
