// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A source with all that can be said about it, right or wrong: for editors.

#ifndef RAPT_LIB_FRONTEND_SOURCEANALYSIS_H
#define RAPT_LIB_FRONTEND_SOURCEANALYSIS_H

#include "lib/Frontend/SymbolIndex.h"

namespace rapt::frontend {

class SourceAnalysis {
public:
  /// `source` must stay as long as the analysis. Takes time linear in the text
  /// but for what semantic analysis of a definition takes.
  explicit SourceAnalysis(const support::SourceFile &source);

  const SymbolIndex &getIndex() const { return index; }
  /// The syntax errors if there are any, else the errors and warnings of all
  /// definitions, in the order found.
  const std::vector<support::Diagnostic> &getDiagnostics() const {
    return diagnostics;
  }

private:
  File file;
  SymbolIndex index;
  std::vector<support::Diagnostic> diagnostics;
};

/// What may come at a place, for completion.
struct Candidates {
  enum class Kind : uint8_t {
    Keyword,
    Variable,
    Branch,
    Function,
    Constant,
    Argument,
    Type
  };
  struct Candidate {
    std::string label;
    Kind kind = Kind::Keyword;
    std::string detail; ///< Type or signature.
    std::string doc;
  };
  /// The word that is being written, empty between words.
  SourceRange word;
  std::vector<Candidate> list;
};

/// What the grammar and the names in scope allow at `offset`. `index` may be of
/// an earlier state of the same text.
Candidates complete(const support::SourceFile &source, uint32_t offset,
                    const SymbolIndex &index);

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_SOURCEANALYSIS_H
