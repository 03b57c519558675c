// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The words and functions that the language itself has, each with a sentence
/// for the reader of a spec. The lexer and semantic analysis have the rules;
/// this is what is said about them, in editors and in documents.

#ifndef RAPT_LIB_FRONTEND_VOCABULARY_H
#define RAPT_LIB_FRONTEND_VOCABULARY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include <string>
#include <vector>

namespace rapt::frontend {

enum class WordKind {
  Keyword,     ///< attention, let, ...; also of statements only: from, in.
  Role,        ///< mask, score, weight, out: keywords, and values but for out.
  Position,    ///< b h i j row
  Axis,        ///< batch heads kv_heads groups queries keys
  Constant,    ///< pi inf
  Candidate,   ///< c, inside where = and force =
  ElementType, ///< f32 ...
  Pooling,     ///< mean max min sum, the second argument of pool
  Over,        ///< i j group after over =
  Member,      ///< weight, after the name of a branch and a point
};

struct VocabularyWord {
  llvm::StringRef name;
  WordKind kind;
  llvm::StringRef doc; ///< One sentence.
};

/// Every word, those of one kind together.
llvm::ArrayRef<VocabularyWord> getVocabulary();

/// Null if the language has no such word of this kind.
const VocabularyWord *findWord(llvm::StringRef name, WordKind kind);

/// The word as a keyword or a role; null if it is none.
const VocabularyWord *findKeyword(llvm::StringRef name);

/// A built-in function, of the table by which calls are compiled.
struct FunctionInfo {
  llvm::StringRef name;
  /// Fewest and most positional arguments.
  unsigned least, most;
  /// Names of the others, all optional.
  llvm::ArrayRef<llvm::StringRef> keywords;
  /// As a reader writes them: "x, sink = s, over = j".
  llvm::StringRef parameters;
  llvm::StringRef doc; ///< One sentence.

  /// "softmax(x, sink = s, over = j)"
  std::string getSignature() const {
    return (name + "(" + parameters + ")").str();
  }
};

/// In the order of the table (BuiltinTable.cpp).
std::vector<FunctionInfo> getFunctions();

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_VOCABULARY_H
