// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Prescan.h"

#include "lib/Frontend/Token.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/ConvertUTF.h"

namespace rapt::frontend {

using support::DiagnosticEngine;
using support::SourceRange;

static bool checkSize(DiagnosticEngine &diags) {
  size_t size = diags.source().text().size();
  if (size <= maxSourceBytes)
    return true;
  diags.error({0, 0}, "source has " + llvm::Twine(size) +
                          " bytes, the limit is " +
                          llvm::Twine(maxSourceBytes));
  return false;
}

static bool checkEncoding(DiagnosticEngine &diags) {
  llvm::StringRef text = diags.source().text();
  auto *begin = reinterpret_cast<const llvm::UTF8 *>(text.data());
  const llvm::UTF8 *end = begin + text.size();
  for (const llvm::UTF8 *at = begin; at != end;) {
    unsigned length = llvm::getNumBytesForUTF8(*at);
    bool isLegal =
        length <= end - at && llvm::isLegalUTF8Sequence(at, at + length);
    if (*at != 0 && isLegal) {
      at += length;
      continue;
    }
    auto offset = static_cast<uint32_t>(at - begin);
    diags.error({offset, offset + 1}, *at == 0 ? "source contains a NUL byte"
                                               : "source is not valid UTF-8");
    return false;
  }
  return true;
}

static char closerOf(char opener) {
  return opener == '(' ? ')' : opener == '[' ? ']' : '}';
}

static bool checkNesting(DiagnosticEngine &diags) {
  llvm::StringRef text = diags.source().text();
  llvm::SmallVector<Token> open;
  unsigned prefixRun = 0;
  for (Token token = scanToken(text, 0); token.kind != TokenKind::End;
       token = scanToken(text, token.range.end)) {
    bool isPrefix = token.isSign("!") || token.isSign("-");
    prefixRun = isPrefix ? prefixRun + 1 : 0;
    if (prefixRun > maxPrefixRun) {
      diags.error(token.range, "more than " + llvm::Twine(maxPrefixRun) +
                                   " prefix operators in a row");
      return false;
    }
    if (token.kind != TokenKind::Sign || token.text.size() != 1)
      continue;
    char sign = token.text.front();
    if (sign == '(' || sign == '[' || sign == '{') {
      if (open.size() == maxBracketDepth) {
        diags
            .error(token.range, "brackets nested deeper than " +
                                    llvm::Twine(maxBracketDepth))
            .note(open.front().range, "the outermost one is here");
        return false;
      }
      open.push_back(token);
    } else if (!open.empty() && sign == closerOf(open.back().text.front())) {
      // A closer that fits nothing pops nothing: the depth counted here is
      // never less than the one the parser reaches, whatever it recovers from.
      open.pop_back();
    }
  }
  return true;
}

bool prescan(DiagnosticEngine &diags) {
  return checkSize(diags) && checkEncoding(diags) && checkNesting(diags);
}

} // namespace rapt::frontend
