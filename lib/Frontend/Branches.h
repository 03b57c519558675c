// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Branches: mechanisms inside a definition, each a loop of its own.

#ifndef RAPT_LIB_FRONTEND_BRANCHES_H
#define RAPT_LIB_FRONTEND_BRANCHES_H

#include "lib/Frontend/Expressions.h"

namespace rapt::frontend {

class Branches {
public:
  /// `visitStatement` is called for every statement of a branch, with `scope`
  /// being that of the branch.
  Branches(Scope &scope, Builder &builder, ExpressionBuilder &expressions,
           std::function<void(const Statement &)> visitStatement)
      : scope(scope), b(builder), expressions(expressions),
        visitStatement(std::move(visitStatement)) {}

  /// Makes the loops of a branch, or of a family of them, and binds its name.
  void visit(const Branch &branch);

  /// Reports every branch that `roots` are not computed from.
  void checkUsed(llvm::ArrayRef<Node *> roots);

private:
  bool checkStatements(const Branch &branch);
  Loop *build(const Branch &branch);

  Scope &scope;
  Builder &b;
  ExpressionBuilder &expressions;
  std::function<void(const Statement &)> visitStatement;
  std::vector<std::pair<const Branch *, std::vector<Loop *>>> all;
};

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_BRANCHES_H
