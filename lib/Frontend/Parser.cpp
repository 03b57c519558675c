// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Parser.h"

#include "lib/Frontend/Prescan.h"
#include "lib/Frontend/StatementGrammar.h"

namespace rapt::frontend {

std::optional<File> parse(support::DiagnosticEngine &diags) {
  if (!prescan(diags))
    return std::nullopt;
  llvm::StringRef text = diags.source().text();
  ParserState state(diags);
  File file;
  const char *first = text.begin();
  namespace x3 = boost::spirit::x3;
  // Every expectation failure is caught by the rule of a statement or of a
  // definition, and InFile lets a file end only at the end of the text.
  bool isComplete =
      x3::parse(first, text.end(),
                x3::with<grammar::StateTag>(state)[grammar::file], file);
  if (!isComplete && !diags.hasErrors())
    state.reportExpected(first, first, "'attention'");
  if (diags.hasErrors())
    return std::nullopt;
  return file;
}

} // namespace rapt::frontend
