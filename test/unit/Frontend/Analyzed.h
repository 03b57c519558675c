// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A source with marks `^` for tests of what editors ask; the marks are not in
/// the text.

#pragma once

#include "lib/Frontend/SourceAnalysis.h"
#include "gtest/gtest.h"

namespace rapt::frontend {

struct Analyzed {
  explicit Analyzed(llvm::StringRef marked)
      : source("test.attn", unmark(marked)), analysis(source) {}

  const SymbolIndex &index() const { return analysis.getIndex(); }

  /// The signature of the name at a mark; empty if there is none.
  std::string signature(unsigned mark = 0) const {
    std::optional<Occurrence> at = index().getOccurrence(marks.at(mark));
    return at ? at->symbol->getSignature() : "";
  }
  /// The text from the place where the name at a mark is given to the end of
  /// its line; empty if nobody wrote it.
  std::string definition(unsigned mark = 0) const {
    std::optional<Occurrence> at = index().getOccurrence(marks.at(mark));
    if (!at || !at->symbol->place)
      return "";
    return source.text()
        .drop_front(at->symbol->place->begin)
        .take_until([](char c) { return c == '\n'; })
        .str();
  }
  std::string type(unsigned mark = 0) const {
    std::optional<TypedRange> at = index().getExpression(marks.at(mark));
    return at ? source.text(at->range).str() + ": " + at->type : "";
  }
  std::vector<std::string> completions(unsigned mark = 0) const {
    std::vector<std::string> labels;
    for (const Candidates::Candidate &candidate :
         complete(source, marks.at(mark), index()).list)
      labels.push_back(candidate.label);
    return labels;
  }

  std::vector<uint32_t> marks;
  support::SourceFile source;
  SourceAnalysis analysis;

private:
  std::string unmark(llvm::StringRef marked) {
    std::string text;
    for (char c : marked)
      if (c == '^')
        marks.push_back(text.size());
      else
        text += c;
    return text;
  }
};

} // namespace rapt::frontend
