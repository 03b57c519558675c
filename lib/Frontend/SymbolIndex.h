// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What the names and expressions of a source are, by their places: declared by
/// its syntax tree, filled in by semantic analysis while it resolves and types
/// them. For editors; nothing here resolves or types anything itself.

#ifndef RAPT_LIB_FRONTEND_SYMBOLINDEX_H
#define RAPT_LIB_FRONTEND_SYMBOLINDEX_H

#include "lib/Frontend/Graph.h"
#include "llvm/ADT/DenseMap.h"

namespace rapt::frontend {

/// What a name was found to stand for.
struct NameMeaning {
  enum class Kind : uint8_t {
    Let, ///< Also a carried row, a state and a counter.
    Branch,
    Param,
    Input,
    Feature,
    Role,
    // Of the language itself (Vocabulary.h).
    Position,
    Axis,
    Constant,
    Candidate,
    Function,
    ElementType,
    Over,
    Pooling,
    Member,
    Unknown
  };
  Kind kind = Kind::Unknown;
  std::string name;
  /// Where it is given. What nobody wrote (q, k, v, dim, vdim) is given at the
  /// name of its definition.
  std::optional<SourceRange> place;
};

enum class SymbolKind : uint8_t {
  Definition,
  Param,
  Input,
  Let,
  Carry,
  State,
  Counter,
  Branch,
  Role,
  Feature,
  Word ///< Of the language itself; `word` says which kind.
};

struct Symbol {
  SymbolKind kind = SymbolKind::Word;
  std::string name;
  std::optional<SourceRange> place; ///< Of the name; none if nobody wrote it.
  SourceRange range;                ///< Of its statement.
  /// Where it can be named: behind the first offset, up to the last.
  SourceRange visible;
  SourceRange inside;             ///< Of a definition: up to the next one.
  const Symbol *parent = nullptr; ///< Definition or branch it stands in.
  /// "real[batch, heads, queries, dim = 64]"; empty if it is not known.
  std::string type;
  std::string value;  ///< Of a param.
  std::string bounds; ///< Of a param, as written: "1 .. 512".
  NameMeaning::Kind word = NameMeaning::Kind::Unknown;
  std::string doc;

  /// "param window: integer = 512 in 1 .. 4096"
  std::string getSignature() const;
};

/// A use of a name, or the place where it is given.
struct Occurrence {
  SourceRange range;
  const Symbol *symbol = nullptr;
};

struct TypedRange {
  SourceRange range;
  std::string type;
};

/// A type as the language would write it: the kind of number and all that the
/// value varies over, then its feature axes.
std::string formatType(const Node &node);

class SymbolIndex {
public:
  /// `source` must stay as long as the index.
  explicit SymbolIndex(const support::SourceFile &source) : source(source) {}

  //===--------------------------------------------------------------------===//
  // Questions
  //===--------------------------------------------------------------------===//

  /// The name at, or ending at, a place.
  std::optional<Occurrence> getOccurrence(uint32_t offset) const;
  /// Every place of a symbol, in order, with the one where it is given.
  std::vector<SourceRange> getReferences(const Symbol &symbol) const;
  /// The smallest typed expression around a place.
  std::optional<TypedRange> getExpression(uint32_t offset) const;
  /// What can be named at a place; of equal names the one in force.
  std::vector<const Symbol *> getNames(uint32_t offset) const;
  /// Definitions and what is declared in them, in the order of the source.
  std::vector<const Symbol *> getDeclarations() const;

  //===--------------------------------------------------------------------===//
  // Filled in by semantic analysis
  //===--------------------------------------------------------------------===//

  /// Declares what a definition gives; `end` is where the next one begins.
  void declare(const Definition &definition, uint32_t end);
  /// What follows is about this program. It is kept for its nodes.
  void keep(std::shared_ptr<const Program> program);
  /// An input, written or not.
  void bindInput(const InputTensor &input);
  /// A feature axis that can be named.
  void bindFeature(const std::string &name, SourceRange place);
  /// The value of the name at a place. A name can get several, in a family of
  /// branches or in `repeat`: the first that is no error counts.
  void bind(SourceRange place, const Node *value);
  void setDefinitionType(const Definition &definition, std::string type);
  void refer(SourceRange range, const NameMeaning &meaning);
  void setType(SourceRange range, const Node *node);

private:
  using Key = std::tuple<uint32_t, bool, std::string>;
  struct Block;
  Symbol &add(SymbolKind kind, const Name &name, SourceRange range,
              SourceRange visible, const Symbol *parent);
  void declareBlock(llvm::ArrayRef<StatementPtr> statements, Block &block);
  Symbol *find(const NameMeaning &meaning);
  Symbol &getImplicit(SymbolKind kind, const std::string &name,
                      SourceRange place);
  Symbol &getWord(const NameMeaning &meaning);

  const support::SourceFile &source;
  std::deque<Symbol> symbols;
  std::map<Key, Symbol *> byPlace;
  std::map<std::pair<NameMeaning::Kind, std::string>, Symbol *> words;
  /// Of the definition that is being analysed.
  const Symbol *current = nullptr;
  std::map<uint32_t, const Symbol *> definitions; ///< By place of the name.
  std::map<uint32_t, Occurrence> occurrences;     ///< By begin.
  llvm::DenseMap<std::pair<uint32_t, uint32_t>, const Node *> types;
  std::vector<std::shared_ptr<const Program>> programs;
};

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_SYMBOLINDEX_H
