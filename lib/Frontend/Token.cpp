// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Token.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/Unicode.h"

namespace rapt::frontend {

static constexpr llvm::StringRef statementWords[] = {
    "param",  "input", "let",     "carry", "mask",   "score",
    "weight", "out",   "reverse", "state", "repeat", "branch"};

llvm::ArrayRef<llvm::StringRef> statementKeywords() { return statementWords; }

static bool isStatementWord(llvm::StringRef word) {
  return llvm::is_contained(statementWords, word);
}

static bool isReserved(llvm::StringRef word) {
  return word == "attention" || word == "from" || word == "in" ||
         isStatementWord(word);
}

bool isStatementKeyword(const Token &token) {
  return token.kind == TokenKind::Keyword && isStatementWord(token.text);
}

bool isRoleKeyword(const Token &token) {
  return token.isKeyword("mask") || token.isKeyword("score") ||
         token.isKeyword("weight") || token.isKeyword("out");
}

static bool isWordStart(char c) { return llvm::isAlpha(c) || c == '_'; }
static bool isWordPart(char c) { return llvm::isAlnum(c) || c == '_'; }

/// The text after blanks and `//` comments.
static llvm::StringRef skipBlanks(llvm::StringRef rest) {
  while (true) {
    rest = rest.ltrim(" \t\n\r");
    if (!rest.starts_with("//"))
      return rest;
    rest = rest.drop_until([](char c) { return c == '\n'; });
  }
}

/// Length of a number at the start of `rest` (which begins with a digit). A
/// point belongs to it only before a digit, so that `1 .. 8` may be written
/// `1..8`.
static size_t numberLength(llvm::StringRef rest, bool &isBad) {
  auto digits = [&](size_t pos) {
    while (pos < rest.size() && llvm::isDigit(rest[pos]))
      ++pos;
    return pos;
  };
  size_t pos = digits(0);
  if (pos + 1 < rest.size() && rest[pos] == '.' && llvm::isDigit(rest[pos + 1]))
    pos = digits(pos + 1);
  if (pos < rest.size() && (rest[pos] == 'e' || rest[pos] == 'E')) {
    size_t exponent = pos + 1;
    if (exponent < rest.size() &&
        (rest[exponent] == '+' || rest[exponent] == '-'))
      ++exponent;
    size_t end = digits(exponent);
    if (end > exponent)
      pos = end;
  }
  isBad = pos < rest.size() && isWordPart(rest[pos]);
  while (pos < rest.size() && isWordPart(rest[pos]))
    ++pos;
  return pos;
}

static size_t signLength(llvm::StringRef rest) {
  // `||` and `&&` are no operators; as one token they are reported as written.
  for (llvm::StringRef sign : {"..", "==", "!=", "<=", ">=", "||", "&&"})
    if (rest.starts_with(sign))
      return sign.size();
  return llvm::StringRef("()[]{},:.=!<>|&+-*/%").contains(rest.front()) ? 1 : 0;
}

/// Bytes of the character at the start of `rest`; 1 if it is not valid UTF-8.
static size_t characterLength(llvm::StringRef rest) {
  auto *bytes = reinterpret_cast<const llvm::UTF8 *>(rest.data());
  size_t length = llvm::getNumBytesForUTF8(bytes[0]);
  bool isLegal =
      length <= rest.size() && llvm::isLegalUTF8Sequence(bytes, bytes + length);
  return isLegal ? length : 1;
}

Token scanToken(llvm::StringRef text, uint32_t offset) {
  llvm::StringRef rest =
      skipBlanks(text.drop_front(std::min<size_t>(offset, text.size())));
  uint32_t begin = static_cast<uint32_t>(text.size() - rest.size());
  auto make = [&](TokenKind kind, size_t length) {
    return Token{kind,
                 {begin, begin + static_cast<uint32_t>(length)},
                 rest.take_front(length)};
  };
  if (rest.empty())
    return make(TokenKind::End, 0);
  if (isWordStart(rest.front())) {
    size_t length = rest.take_while(isWordPart).size();
    return make(isReserved(rest.take_front(length)) ? TokenKind::Keyword
                                                    : TokenKind::Word,
                length);
  }
  if (llvm::isDigit(rest.front())) {
    bool isBad = false;
    size_t length = numberLength(rest, isBad);
    return make(isBad ? TokenKind::BadNumber : TokenKind::Number, length);
  }
  if (size_t length = signLength(rest))
    return make(TokenKind::Sign, length);
  return make(TokenKind::Unknown, characterLength(rest));
}

/// True for a character that would be seen as nothing, or not at all.
static bool isInvisible(llvm::StringRef character, llvm::UTF32 code) {
  bool isSpace = code == 0xA0 || code == 0x1680 || code == 0x202F ||
                 code == 0x205F || code == 0x3000 ||
                 (code >= 0x2000 && code <= 0x200F);
  return isSpace || llvm::sys::unicode::columnWidthUTF8(character) <= 0;
}

std::string describe(const Token &token) {
  if (token.kind == TokenKind::End)
    return "end of file";
  if (token.kind == TokenKind::Unknown) {
    llvm::UTF32 code = 0;
    const auto *from = reinterpret_cast<const llvm::UTF8 *>(token.text.data());
    llvm::UTF32 *to = &code;
    llvm::ConvertUTF8toUTF32(&from, from + token.text.size(), &to, to + 1,
                             llvm::lenientConversion);
    if (isInvisible(token.text, code))
      return "U+" + llvm::utohexstr(code, /*LowerCase=*/false, /*Width=*/4);
  }
  constexpr size_t maxShown = 40;
  std::string quoted =
      token.text.size() <= maxShown
          ? ("'" + token.text + "'").str()
          : ("'" + token.text.take_front(maxShown) + "...'").str();
  return token.kind == TokenKind::Keyword ? "keyword " + quoted : quoted;
}

} // namespace rapt::frontend
