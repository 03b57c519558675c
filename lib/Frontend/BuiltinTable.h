// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What a row of the table of functions holds.

#ifndef RAPT_LIB_FRONTEND_BUILTINTABLE_H
#define RAPT_LIB_FRONTEND_BUILTINTABLE_H

#include "lib/Frontend/Expressions.h"

namespace rapt::frontend {

/// A function without a handler is part of the language but not compiled yet.
struct ExpressionBuilder::Builtin {
  llvm::StringRef name;
  unsigned least, most;
  std::vector<llvm::StringRef> keywords;
  llvm::StringRef parameters, doc; ///< As in FunctionInfo.
  Node *(ExpressionBuilder::*handler)(const CallArguments &);
  /// Instead of the handler, for one that evaluates its arguments itself.
  Node *(ExpressionBuilder::*callHandler)(const Call &) = nullptr;
};

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_BUILTINTABLE_H
