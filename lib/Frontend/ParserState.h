// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// What the grammar's terminals and error handlers share: the token at a
/// place, the reports, and where to go on after an error.

#pragma once

#include "lib/Frontend/Token.h"
#include "lib/Support/Diagnostics.h"

namespace rapt::frontend {

class ParserState {
public:
  explicit ParserState(support::DiagnosticEngine &diags)
      : diags(diags), text(diags.source().text()) {}

  llvm::StringRef source() const { return text; }

  /// The token at or after a place. The last one is remembered: the grammar
  /// tries many terminals at one place.
  const Token &peek(const char *at);

  /// Moves past a token.
  void accept(const char *&at, const Token &token) {
    at = text.data() + token.range.end;
    acceptedEnd = token.range.end;
  }

  /// End of the last accepted token.
  uint32_t lastEnd() const { return acceptedEnd; }

  /// Reports "expected <expected>, found <token at where>", with a note at the
  /// bracket that is still open if a closing one was expected. `from` is the
  /// start of the construct that was being parsed.
  void reportExpected(const char *from, const char *where,
                      llvm::StringRef expected);

  /// Where to go on after the statement at `from` failed at `where`: the next
  /// place at which a statement, a closing brace or a definition begins. Blocks
  /// `{ ... }` on the way are skipped whole. Always past the token at `from`.
  const char *nextStatement(const char *from, const char *where);

  /// The first `attention` at or after a place, or the end.
  const char *nextDefinition(const char *where);

  /// The integer or real number of a token, 0 with an error if out of range.
  void convert(const Token &token, bool &isReal, int64_t &integer,
               double &real);

  /// What was expected where the text ends, by the innermost construct.
  const std::optional<std::string> &expectedAtEnd() const { return atEnd; }

private:
  uint32_t offset(const char *at) const {
    return static_cast<uint32_t>(at - text.data());
  }
  llvm::StringRef operatorOr(llvm::StringRef expected,
                             const Token &found) const;
  void addHint(support::Diagnostic &diagnostic, llvm::StringRef expected,
               const Token &found);

  support::DiagnosticEngine &diags;
  llvm::StringRef text;
  Token token;
  uint32_t tokenAt = UINT32_MAX;
  uint32_t acceptedEnd = 0;
  uint32_t reportedAt = UINT32_MAX;
  std::optional<std::string> atEnd;
};

} // namespace rapt::frontend
