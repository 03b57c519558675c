// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// Parsing for tests: failures show the diagnostics.

#pragma once

#include "lib/Frontend/Parser.h"
#include "lib/Frontend/Printer.h"
#include "gtest/gtest.h"

namespace rapt::frontend {

/// A parse and all it refers to.
struct Parsed {
  explicit Parsed(std::string text)
      : source("test.attn", std::move(text)), diags(source),
        file(parse(diags)) {}

  /// "line:column: message", one a line, notes indented below their error.
  std::string messages() const {
    std::string text;
    auto place = [&](support::SourceRange range) {
      support::LineColumn at = source.place(range.begin);
      return std::to_string(at.line) + ":" + std::to_string(at.column) + ": ";
    };
    for (const support::Diagnostic &diagnostic : diags.diagnostics()) {
      text += place(diagnostic.range) + diagnostic.message + "\n";
      for (const support::Note &note : diagnostic.notes)
        text += "  " + (note.range ? place(*note.range) : std::string()) +
                note.message + "\n";
    }
    return text;
  }

  support::SourceFile source;
  support::DiagnosticEngine diags;
  std::optional<File> file;
};

/// The value of `out = <text>`, with the parse that owns it.
struct ParsedExpr {
  explicit ParsedExpr(const std::string &text)
      : parsed("attention t { out = " + text + " }") {
    if (parsed.file)
      expr = llvm::cast<Role>(
                 parsed.file->definitions.front().statements.front().get())
                 ->value.get();
    else
      ADD_FAILURE() << parsed.diags.str();
  }

  /// The expression as node T; a failure if it is another.
  template <typename T> const T *as() const {
    const T *node = expr ? llvm::dyn_cast<T>(expr) : nullptr;
    if (!node)
      ADD_FAILURE() << "another kind of node";
    return node;
  }

  Parsed parsed;
  const Expr *expr = nullptr;
};

/// The first statement of a one-definition source as node T.
template <typename T> const T *firstStatement(const Parsed &parsed) {
  if (!parsed.file) {
    ADD_FAILURE() << parsed.diags.str();
    return nullptr;
  }
  return llvm::dyn_cast<T>(
      parsed.file->definitions.front().statements.front().get());
}

} // namespace rapt::frontend
