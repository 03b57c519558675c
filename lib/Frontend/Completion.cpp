// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What may be written at a place: the parser says what it expects there, the
// index what can be named.

#include "lib/Frontend/Parser.h"
#include "lib/Frontend/SourceAnalysis.h"
#include "lib/Frontend/Token.h"
#include "lib/Frontend/Vocabulary.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <set>

namespace rapt::frontend {

using llvm::StringRef;

namespace {

/// An open bracket before the place.
struct OpenBracket {
  char sign = '(';
  std::string callee;    ///< Of a call; empty for other parentheses.
  unsigned position = 0; ///< Commas in it so far.
  bool isFresh = true;   ///< Nothing stands behind the last comma.
  std::string argument;  ///< The `name` of `name =`, of this argument.
};

/// The tokens before the place, as far as completion asks for them.
struct Before {
  explicit Before(StringRef text);

  Token last;
  std::vector<OpenBracket> open;
  std::string state; ///< That the last statement gives, which may name itself.
  unsigned braces = 0; ///< Open braces of the definition.

  bool endsValue() const {
    return last.kind == TokenKind::Word || last.kind == TokenKind::Number ||
           last.isSign(")") || last.isSign("]") ||
           (isRoleKeyword(last) && !last.isKeyword("out"));
  }
};

class Completer {
public:
  Completer(const support::SourceFile &source, uint32_t offset,
            const SymbolIndex &index, Candidates &result)
      : index(index), offset(offset), result(result),
        text(source.text().take_front(result.word.begin)), before(text) {}

  void run();

private:
  using Kind = Candidates::Kind;
  void add(const llvm::Twine &label, Kind kind, const llvm::Twine &detail = "",
           StringRef doc = "") {
    result.list.push_back({label.str(), kind, detail.str(), doc.str()});
  }
  void addKeywords(llvm::ArrayRef<StringRef> words);
  void addWords(WordKind word, Kind kind);
  void addStatements();
  void addOwnState();
  void addExpression();
  bool addArgument(const OpenBracket &call);
  void addNames(llvm::function_ref<bool(const Symbol &)> isWanted);

  const SymbolIndex &index;
  uint32_t offset;
  Candidates &result;
  StringRef text;
  Before before;
};

} // namespace

Before::Before(StringRef text) {
  for (Token token = scanToken(text, 0); token.kind != TokenKind::End;
       token = scanToken(text, token.range.end)) {
    if (token.isKeyword("attention")) {
      open.clear();
      braces = 0;
    }
    if (isStatementKeyword(token) && !last.isSign("."))
      state.clear();
    if (last.isKeyword("state") && token.kind == TokenKind::Word)
      state = token.text.str();
    OpenBracket *inner = open.empty() ? nullptr : &open.back();
    if (token.isSign("(") || token.isSign("[")) {
      if (inner)
        inner->isFresh = false;
      OpenBracket bracket;
      bracket.sign = token.text.front();
      if (bracket.sign == '(' && last.kind == TokenKind::Word)
        bracket.callee = last.text.str();
      open.push_back(std::move(bracket));
    } else if (token.isSign(")") || token.isSign("]")) {
      if (inner)
        open.pop_back();
    } else if (token.isSign("{") || token.isSign("}")) {
      open.clear();
      braces += token.isSign("{") ? 1 : braces ? -1 : 0;
    } else if (inner && token.isSign(",")) {
      ++inner->position;
      inner->isFresh = true;
      inner->argument.clear();
    } else if (inner && token.isSign("=") && last.kind == TokenKind::Word) {
      inner->argument = last.text.str();
    } else if (inner) {
      inner->isFresh = false;
    }
    last = token;
  }
}

void Completer::addKeywords(llvm::ArrayRef<StringRef> words) {
  for (StringRef word : words) {
    const VocabularyWord *known = findKeyword(word);
    add(word, Kind::Keyword, "", known ? known->doc : "");
  }
}

void Completer::addWords(WordKind wanted, Kind kind) {
  for (const VocabularyWord &word : getVocabulary())
    if (word.kind == wanted)
      add(word.name, kind, "", word.doc);
}

void Completer::addNames(llvm::function_ref<bool(const Symbol &)> isWanted) {
  for (const Symbol *symbol : index.getNames(offset))
    if (isWanted(*symbol))
      add(symbol->name,
          symbol->kind == SymbolKind::Branch  ? Kind::Branch
          : symbol->kind == SymbolKind::Param ? Kind::Constant
                                              : Kind::Variable,
          symbol->getSignature(), symbol->doc);
}

/// The statement that is being written is not in the index.
void Completer::addOwnState() {
  if (!before.state.empty())
    add(before.state, Kind::Variable, "state " + before.state);
}

void Completer::addStatements() {
  std::vector<StringRef> words;
  for (StringRef word : statementKeywords()) {
    // Params and inputs hold everywhere and stand outside branches.
    bool isDeclaration = word == "param" || word == "input";
    if (!isDeclaration || before.braces <= 1)
      words.push_back(word);
  }
  addKeywords(words);
}

/// What is special about an argument of a call; true if nothing else fits.
bool Completer::addArgument(const OpenBracket &call) {
  StringRef callee = call.callee;
  if (call.argument == "over") {
    addWords(WordKind::Over, Kind::Constant);
    return true;
  }
  if (!call.argument.empty() || !call.isFresh)
    return false;
  if (callee == "hold" && call.position == 0) {
    addNames([](const Symbol &s) { return s.kind == SymbolKind::State; });
    addOwnState();
    return true;
  }
  if (callee == "as" && call.position == 1) {
    addNames([](const Symbol &s) { return s.kind == SymbolKind::Feature; });
    return true;
  }
  if (callee == "merge") {
    addNames([](const Symbol &s) { return s.kind == SymbolKind::Branch; });
    return true;
  }
  if (callee == "pool" && call.position == 1)
    addWords(WordKind::Pooling, Kind::Constant);
  for (const FunctionInfo &function : getFunctions())
    if (function.name == callee && call.position >= function.least)
      for (StringRef keyword : function.keywords)
        add((keyword + " =").str(), Kind::Argument, function.getSignature());
  return false;
}

void Completer::addExpression() {
  bool isInCall = !before.open.empty() && !before.open.back().callee.empty();
  if (isInCall && addArgument(before.open.back()))
    return;
  addNames([](const Symbol &symbol) { return true; });
  addOwnState();
  for (const FunctionInfo &function : getFunctions())
    add(function.name, Kind::Function, function.getSignature(), function.doc);
  addWords(WordKind::Position, Kind::Variable);
  addWords(WordKind::Axis, Kind::Constant);
  addWords(WordKind::Constant, Kind::Constant);
  for (const VocabularyWord &word : getVocabulary())
    if (word.kind == WordKind::Role && word.name != "out")
      add(word.name, Kind::Variable, "", word.doc);
  bool isSelection = llvm::any_of(before.open, [](const OpenBracket &call) {
    return call.argument == "where" || call.argument == "force";
  });
  if (isSelection)
    addWords(WordKind::Candidate, Kind::Variable);
}

void Completer::run() {
  std::optional<std::string> expected = getExpectedAtEnd(text);
  if (!expected || *expected == "'attention'")
    return addKeywords({"attention"});
  if (*expected == "expression" || *expected == "subscript")
    return addExpression();
  if (*expected == "member name")
    return addWords(WordKind::Member, Kind::Variable);
  if (*expected == "'state'")
    return addKeywords({"state"});
  if (*expected == "'from' or '='")
    return addKeywords({"from"});
  // Only the type of an input may stand behind a colon and be left out.
  if (before.last.isSign(":") && before.open.empty())
    addWords(WordKind::ElementType, Kind::Type);
  if (*expected == "statement or '}'")
    addStatements();
  else if (*expected == "'let', 'state' or '}'")
    addKeywords({"let", "state", "reverse"});
  if (before.endsValue())
    addKeywords({"in"});
}

Candidates complete(const support::SourceFile &source, uint32_t offset,
                    const SymbolIndex &index) {
  StringRef text = source.text().take_front(offset);
  uint32_t end = text.size();
  StringRef word = text.take_back(
      text.size() -
      text.find_last_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ"
                            "KLMNOPQRSTUVWXYZ0123456789_") -
      1);
  Candidates result;
  result.word = {end - static_cast<uint32_t>(word.size()), end};
  // The rest of the word is replaced too.
  while (result.word.end < source.text().size() &&
         (llvm::isAlnum(source.text()[result.word.end]) ||
          source.text()[result.word.end] == '_'))
    ++result.word.end;
  StringRef line = text.take_back(text.size() - (text.rfind('\n') + 1));
  bool isNumber = !word.empty() && llvm::isDigit(word.front());
  if (isNumber || line.contains("//"))
    return result;
  Completer(source, offset, index, result).run();
  // A name of the source hides the same word of the language.
  std::set<std::string> seen;
  llvm::erase_if(result.list, [&](const Candidates::Candidate &candidate) {
    return !seen.insert(candidate.label).second;
  });
  return result;
}

} // namespace rapt::frontend
