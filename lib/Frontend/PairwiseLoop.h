// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The roles of a definition, with their defaults, as one loop over pairs:
/// mask, score, sink, factor, values, and what is made of the sum.

#ifndef RAPT_LIB_FRONTEND_PAIRWISELOOP_H
#define RAPT_LIB_FRONTEND_PAIRWISELOOP_H

#include "lib/Frontend/Expressions.h"

namespace rapt::frontend {

class PairwiseLoop {
public:
  PairwiseLoop(Program &program, const Scope &scope, Builder &builder,
               ExpressionBuilder &expressions)
      : program(program), scope(scope), b(builder), expressions(expressions) {}

  /// Fills in the program; false after an error.
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
  bool splitOut(Node *out);
  SourceRange getRange(RoleKind role) const;

  Program &program;
  const Scope &scope;
  Builder &b;
  ExpressionBuilder &expressions;
  std::map<RoleKind, Node *> resolved; ///< Null while it is being made.
};

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_PAIRWISELOOP_H
