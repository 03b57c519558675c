// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/ParserState.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>
#include <cstdlib>

namespace rapt::frontend {

using support::Diagnostic;
using support::SourceRange;

const Token &ParserState::peek(const char *at) {
  if (offset(at) != tokenAt) {
    tokenAt = offset(at);
    token = scanToken(text, tokenAt);
  }
  return token;
}

//===----------------------------------------------------------------------===//
// Reports
//===----------------------------------------------------------------------===//

/// The innermost bracket of one kind that [begin, end) opens and leaves open.
static std::optional<SourceRange> findOpen(llvm::StringRef text, uint32_t begin,
                                           uint32_t end, llvm::StringRef opener,
                                           llvm::StringRef closer) {
  llvm::SmallVector<SourceRange> open;
  for (Token token = scanToken(text, begin);
       token.kind != TokenKind::End && token.range.begin < end;
       token = scanToken(text, token.range.end)) {
    if (token.isSign(opener))
      open.push_back(token.range);
    else if (token.isSign(closer) && !open.empty())
      open.pop_back();
  }
  if (open.empty())
    return std::nullopt;
  return open.back();
}

void ParserState::addHint(Diagnostic &diagnostic, llvm::StringRef expected,
                          const Token &found) {
  bool afterExpression = expected.starts_with("statement") ||
                         expected.ends_with("')'") || expected.ends_with("']'");
  if (found.isSign("||"))
    diagnostic.note("or is written '|'");
  else if (found.isSign("&&"))
    diagnostic.note("and is written '&'");
  else if (found.isSign("!") && expected == "expression")
    diagnostic.note("'!' takes a whole comparison: put it in parentheses here");
  else if (found.isSign("=") && afterExpression)
    diagnostic.note("equality is written '=='");
  else if (found.text == ";")
    diagnostic.note("statements need no separator");
  else if (afterExpression &&
           (found.isSign("==") || found.isSign("!=") || found.isSign("<") ||
            found.isSign("<=") || found.isSign(">") || found.isSign(">=") ||
            found.isKeyword("in")))
    diagnostic.note("comparisons are not chained: join two with '&'");
}

/// "operator, " where a statement is expected but the line goes on after an
/// expression: more likely the expression was meant to go on.
llvm::StringRef ParserState::operatorOr(llvm::StringRef expected,
                                        const Token &found) const {
  if (!expected.starts_with("statement") || found.kind == TokenKind::End ||
      found.isKeyword("attention") || acceptedEnd == 0)
    return "";
  char last = text[acceptedEnd - 1];
  bool endsExpression =
      llvm::isAlnum(last) || last == '_' || last == ')' || last == ']';
  bool isSameLine = !text.slice(acceptedEnd, found.range.begin).contains('\n');
  return endsExpression && isSameLine ? "operator, " : "";
}

void ParserState::reportExpected(const char *from, const char *where,
                                 llvm::StringRef expected) {
  Token found = peek(where);
  if (found.kind == TokenKind::End && !atEnd)
    atEnd = expected.str();
  // Enclosing blocks fail at the place where an inner one did.
  if (found.range.begin == reportedAt)
    return;
  reportedAt = found.range.begin;

  if (found.kind == TokenKind::BadNumber) {
    diags.error(found.range, "invalid number " + describe(found));
    return;
  }
  SourceRange range = found.range;
  if (found.kind == TokenKind::End) // An empty last line shows nothing.
    range = {acceptedEnd, acceptedEnd};
  std::string message = ("expected " + operatorOr(expected, found) + expected +
                         ", found " + describe(found))
                            .str();
  if (found.kind == TokenKind::Word) {
    if (expected.starts_with("statement"))
      message += support::didYouMean(found.text, statementKeywords());
    else if (expected == "'let', 'state' or '}'")
      message += support::didYouMean(found.text, {"let", "state", "reverse"});
    else if (expected == "'attention'")
      message += support::didYouMean(found.text, {"attention"});
    else if (expected == "'from' or '='")
      message += support::didYouMean(found.text, {"from"});
  }
  Diagnostic &diagnostic = diags.error(range, message);
  addHint(diagnostic, expected, found);
  for (auto [opener, closer] : {std::pair("(", ")"), {"[", "]"}, {"{", "}"}}) {
    if (!expected.ends_with(std::string("'") + closer + "'"))
      continue;
    // A stray word among statements says nothing about the brace.
    bool endsBlock =
        found.kind == TokenKind::End || found.isKeyword("attention");
    if (*closer == '}' && !endsBlock)
      continue;
    if (auto open =
            findOpen(text, offset(from), found.range.begin, opener, closer))
      diagnostic.note(*open, llvm::Twine("to match this '") + opener + "'");
  }
}

//===----------------------------------------------------------------------===//
// Recovery
//===----------------------------------------------------------------------===//

const char *ParserState::nextStatement(const char *from, const char *where) {
  if (diags.isFull())
    return text.end();
  uint32_t firstToken = scanToken(text, offset(from)).range.begin;
  unsigned depth = 0;
  Token previous;
  for (Token at = scanToken(text, offset(where)); at.kind != TokenKind::End;
       previous = at, at = scanToken(text, at.range.end)) {
    // A statement that may not stand here, such as `mask` in `repeat`.
    if (at.range.begin == firstToken && isStatementKeyword(at))
      continue;
    if (at.isKeyword("attention"))
      return at.text.data();
    if (at.isSign("{")) {
      ++depth;
    } else if (at.isSign("}")) {
      if (depth == 0)
        return at.text.data();
      --depth;
    } else if (depth == 0 && isStatementKeyword(at) && !previous.isSign(".")) {
      Token next = scanToken(text, at.range.end);
      // Stray keywords begin nothing, and `score` and its like are values too.
      if (isRoleKeyword(at)         ? next.isSign("=")
          : at.isKeyword("reverse") ? next.isKeyword("state")
                                    : next.kind == TokenKind::Word)
        return at.text.data();
    }
  }
  return text.end();
}

const char *ParserState::nextDefinition(const char *where) {
  if (diags.isFull())
    return text.end();
  Token at = scanToken(text, offset(where));
  while (at.kind != TokenKind::End && !at.isKeyword("attention"))
    at = scanToken(text, at.range.end);
  return at.text.data();
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

void ParserState::convert(const Token &token, bool &isReal, int64_t &integer,
                          double &real) {
  isReal = token.text.contains('.') || token.text.contains('e') ||
           token.text.contains('E');
  if (isReal) {
    real = std::strtod(token.text.str().c_str(), nullptr);
    if (!std::isfinite(real)) {
      diags.error(token.range, "real number out of range");
      real = 0;
    }
    return;
  }
  // getAsInteger with radix 10: a leading 0 means nothing special.
  if (token.text.getAsInteger(10, integer)) {
    diags.error(token.range, "integer does not fit in 64 bits");
    integer = 0;
  }
  real = static_cast<double>(integer);
}

} // namespace rapt::frontend
