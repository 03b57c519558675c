// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Parser.h"

#include "lib/Frontend/Prescan.h"
#include "lib/Frontend/StatementGrammar.h"
#include "llvm/ADT/STLExtras.h"
#include <climits>

namespace rapt::frontend {

/// Fills in `file`; statements with errors are null in it.
static void parse(ParserState &state, support::DiagnosticEngine &diags,
                  File &file) {
  llvm::StringRef text = diags.source().text();
  const char *first = text.begin();
  namespace x3 = boost::spirit::x3;
  // Every expectation failure is caught by the rule of a statement or of a
  // definition, and InFile lets a file end only at the end of the text.
  bool isComplete =
      x3::parse(first, text.end(),
                x3::with<grammar::StateTag>(state)[grammar::file], file);
  if (!isComplete && !diags.hasErrors())
    state.reportExpected(first, first, "'attention'");
}

std::optional<File> parse(support::DiagnosticEngine &diags) {
  if (!prescan(diags))
    return std::nullopt;
  ParserState state(diags);
  File file;
  parse(state, diags, file);
  if (diags.hasErrors())
    return std::nullopt;
  return file;
}

static void removeFailed(std::vector<StatementPtr> &statements) {
  llvm::erase_if(statements,
                 [](const StatementPtr &statement) { return !statement; });
  for (StatementPtr &statement : statements) {
    if (auto *repeat = llvm::dyn_cast<Repeat>(statement.get()))
      removeFailed(repeat->body);
    if (auto *branch = llvm::dyn_cast<Branch>(statement.get()))
      removeFailed(branch->body);
  }
}

File parsePartially(support::DiagnosticEngine &diags) {
  File file;
  if (!prescan(diags))
    return file;
  ParserState state(diags);
  parse(state, diags, file);
  for (Definition &definition : file.definitions)
    removeFailed(definition.statements);
  // One without a name begins nothing.
  llvm::erase_if(file.definitions, [](const Definition &definition) {
    return definition.name.text.empty();
  });
  return file;
}

std::optional<std::string> getExpectedAtEnd(llvm::StringRef text) {
  support::SourceFile source("", text.str());
  support::DiagnosticEngine diags(source, /*maxErrors=*/UINT_MAX);
  if (!prescan(diags))
    return std::nullopt;
  ParserState state(diags);
  File file;
  parse(state, diags, file);
  return state.expectedAtEnd();
}

} // namespace rapt::frontend
