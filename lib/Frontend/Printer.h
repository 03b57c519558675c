// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// Syntax tree to text.

#pragma once

#include "lib/Frontend/Ast.h"
#include <string>

namespace rapt::frontend {

/// Prints canonical source: one statement a line, two spaces of indentation,
/// the fewest parentheses. Parsing the result gives an equal tree.
void print(const File &file, llvm::raw_ostream &os);
void print(const Definition &definition, llvm::raw_ostream &os);
void print(const Expr &expr, llvm::raw_ostream &os);

std::string str(const File &file);
std::string str(const Expr &expr);

/// Prints the tree, one node a line, indented, with its kind.
void dump(const File &file, llvm::raw_ostream &os);

} // namespace rapt::frontend
