// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// Lexical rules: words, numbers, signs, comments. Shared by the grammar, the
/// prescan and error recovery, so that all three see the same tokens.

#pragma once

#include "lib/Support/SourceFile.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace rapt::frontend {

enum class TokenKind {
  End,       ///< End of the text.
  Word,      ///< A name.
  Keyword,   ///< A reserved word.
  Number,    ///< `16`, `0.1`, `1e-6`.
  BadNumber, ///< A number running into letters: `12ab`, `1e`.
  Sign,      ///< An operator, bracket or separator.
  Unknown    ///< One character that belongs to no token.
};

struct Token {
  TokenKind kind = TokenKind::End;
  support::SourceRange range;
  llvm::StringRef text;

  bool isSign(llvm::StringRef sign) const {
    return kind == TokenKind::Sign && text == sign;
  }
  bool isKeyword(llvm::StringRef word) const {
    return kind == TokenKind::Keyword && text == word;
  }
};

/// The first token at or after `offset`, blanks and comments skipped.
Token scanToken(llvm::StringRef text, uint32_t offset);

/// Words that begin a statement: param input let carry mask score weight out
/// reverse state repeat branch.
llvm::ArrayRef<llvm::StringRef> statementKeywords();

bool isStatementKeyword(const Token &token);

/// mask score weight out: also the names of values.
bool isRoleKeyword(const Token &token);

/// "'x'", "keyword 'mask'", "end of file", for messages.
std::string describe(const Token &token);

} // namespace rapt::frontend
