// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// Text to syntax tree.

#pragma once

#include "lib/Frontend/Ast.h"
#include "lib/Support/Diagnostics.h"
#include <optional>

namespace rapt::frontend {

/// Parses the text of `diags.source()`. Reports every syntax error it can find
/// (it recovers at the next statement) and returns nothing if there was one.
/// Time is linear in the text; no exception leaves it.
std::optional<File> parse(support::DiagnosticEngine &diags);

/// Parses what can be parsed: without the statements that have errors, which
/// are reported as by parse(). For a text that is being written.
File parsePartially(support::DiagnosticEngine &diags);

/// What the grammar expects behind the end of a text, in the words of its
/// message: "expression", "statement or '}'"; nothing behind a whole
/// definition. For completion at a place, give the text before it.
std::optional<std::string> getExpectedAtEnd(llvm::StringRef text);

} // namespace rapt::frontend
