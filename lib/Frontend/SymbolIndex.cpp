// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/SymbolIndex.h"
#include "lib/Frontend/Vocabulary.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace rapt::frontend {

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

std::string formatType(const Node &node) {
  static const char *const scalars[] = {"", "boolean", "integer", "real",
                                        "set"};
  std::vector<std::string> axes;
  auto addIf = [&](Varies place, llvm::StringRef name) {
    if (node.variesOver(place))
      axes.push_back(name.str());
  };
  addIf(VariesBatch, "batch");
  addIf(VariesHead, "heads");
  addIf(VariesKeyHead, "kv_heads");
  addIf(VariesGroup, "groups");
  addIf(VariesQuery, describeAxis(node.queryAxis, true));
  addIf(VariesKey, describeAxis(node.keyAxis, false));
  for (const Feature &feature : node.features) {
    std::string text = feature.name;
    if (feature.isKnown())
      text += (text.empty() ? "" : " = ") + std::to_string(feature.extent);
    axes.push_back(text.empty() ? "?" : text);
  }
  std::string type = scalars[static_cast<unsigned>(node.scalar)];
  return axes.empty() ? type : type + "[" + llvm::join(axes, ", ") + "]";
}

static std::string formatType(const InputTensor &input) {
  std::vector<std::string> axes;
  for (const TensorAxis &axis : input.axes) {
    std::string number = axis.extent ? std::to_string(*axis.extent) : "";
    bool isNamed = axis.extent && axis.name != number;
    axes.push_back(isNamed ? axis.name + " = " + number : axis.name);
  }
  std::string type = support::getElementTypeName(input.elementType).str();
  return axes.empty() ? type : type + "[" + llvm::join(axes, ", ") + "]";
}

static llvm::StringRef getKeyword(SymbolKind kind) {
  switch (kind) {
  case SymbolKind::Definition:
    return "attention ";
  case SymbolKind::Param:
    return "param ";
  case SymbolKind::Input:
    return "input ";
  case SymbolKind::Let:
    return "let ";
  case SymbolKind::Carry:
    return "carry ";
  case SymbolKind::State:
    return "state ";
  case SymbolKind::Counter:
    return "counter ";
  case SymbolKind::Branch:
    return "branch ";
  case SymbolKind::Feature:
    return "feature axis ";
  case SymbolKind::Role:
  case SymbolKind::Word:
    return "";
  }
  return "";
}

std::string Symbol::getSignature() const {
  if (word == NameMeaning::Kind::Function)
    for (const FunctionInfo &function : getFunctions())
      if (function.name == name)
        return function.getSignature();
  std::string text = getKeyword(kind).str() + name;
  if (!type.empty())
    text += (kind == SymbolKind::Definition ? "" : ": ") + type;
  if (!value.empty())
    text += " = " + value;
  if (!bounds.empty())
    text += " in " + bounds;
  return text;
}

static std::string getDoc(const NameMeaning &meaning) {
  using K = NameMeaning::Kind;
  auto find = [&](WordKind kind) {
    const VocabularyWord *word = findWord(meaning.name, kind);
    return word ? word->doc.str() : std::string();
  };
  switch (meaning.kind) {
  case K::Function:
    for (const FunctionInfo &function : getFunctions())
      if (function.name == meaning.name)
        return function.doc.str();
    return "";
  case K::Position:
    return find(WordKind::Position);
  case K::Axis:
    return find(WordKind::Axis);
  case K::Constant:
    return find(WordKind::Constant);
  case K::Candidate:
    return find(WordKind::Candidate);
  case K::ElementType:
    return find(WordKind::ElementType);
  case K::Over:
    return find(WordKind::Over);
  case K::Pooling:
    return find(WordKind::Pooling);
  case K::Member:
    return find(WordKind::Member);
  case K::Role:
    return find(WordKind::Role);
  case K::Feature:
    return "A feature axis; its extent is given when the kernel is compiled.";
  case K::Input:
    return meaning.name == "q"   ? "The queries, which need no declaration."
           : meaning.name == "k" ? "The keys, which need no declaration."
                                 : "The values, which need no declaration.";
  case K::Let:
  case K::Branch:
  case K::Param:
  case K::Unknown:
    return "";
  }
  return "";
}

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

/// What is around statements.
struct SymbolIndex::Block {
  SourceRange range;      ///< Where its names hold.
  SourceRange stateRange; ///< Where its states hold: `repeat` has none.
  const Symbol *parent = nullptr;
  std::map<std::string, Symbol *> *states;
};

Symbol &SymbolIndex::add(SymbolKind kind, const Name &name, SourceRange range,
                         SourceRange visible, const Symbol *parent) {
  Symbol &symbol = symbols.emplace_back();
  symbol.kind = kind;
  symbol.name = name.text;
  symbol.place = name.range;
  symbol.range = range;
  symbol.visible = visible;
  symbol.parent = parent;
  bool isDefinition = kind == SymbolKind::Definition;
  byPlace[{name.range.begin, isDefinition, name.text}] = &symbol;
  occurrences[name.range.begin] = {name.range, &symbol};
  return symbol;
}

void SymbolIndex::declare(const Definition &definition, uint32_t end) {
  Symbol &symbol =
      add(SymbolKind::Definition, definition.name, definition.range, {}, {});
  SourceRange range{definition.range.begin, end};
  definitions[definition.name.range.begin] = &symbol;
  symbol.inside = range;
  std::map<std::string, Symbol *> states;
  Block block{range, range, &symbol, &states};
  declareBlock(definition.statements, block);
}

void SymbolIndex::declareBlock(llvm::ArrayRef<StatementPtr> statements,
                               Block &block) {
  for (const StatementPtr &statement : statements) {
    SourceRange range = statement->range;
    SourceRange after{range.end, block.range.end};
    switch (statement->kind) {
    case Statement::Kind::Param:
      for (const ParamBinding &binding :
           llvm::cast<Param>(*statement).bindings) {
        Symbol &param = add(SymbolKind::Param, binding.name, range, block.range,
                            block.parent);
        if (binding.low)
          param.bounds =
              source.text({binding.low->range.begin, binding.high->range.end})
                  .str();
      }
      break;
    case Statement::Kind::Input:
      for (const Name &name : llvm::cast<Input>(*statement).names)
        add(SymbolKind::Input, name, range, block.range, block.parent);
      break;
    case Statement::Kind::Let:
      add(SymbolKind::Let, llvm::cast<Let>(*statement).name, range, after,
          block.parent);
      break;
    case Statement::Kind::Carry:
      add(SymbolKind::Carry, llvm::cast<Carry>(*statement).name, range, after,
          block.parent);
      break;
    case Statement::Kind::Role: {
      auto &role = llvm::cast<Role>(*statement);
      Symbol &symbol =
          add(SymbolKind::Role, {spelling(role.role), role.keyword}, range, {},
              block.parent);
      symbol.doc = getDoc({NameMeaning::Kind::Role, symbol.name, std::nullopt});
      break;
    }
    case Statement::Kind::State: {
      const Name &name = llvm::cast<State>(*statement).name;
      Symbol *&first = (*block.states)[name.text];
      if (!first) {
        first = &add(SymbolKind::State, name, range, block.stateRange,
                     block.parent);
        break;
      }
      // A later line of it gives no new name.
      byPlace[{name.range.begin, false, name.text}] = first;
      occurrences[name.range.begin] = {name.range, first};
      break;
    }
    case Statement::Kind::Repeat: {
      auto &repeat = llvm::cast<Repeat>(*statement);
      add(SymbolKind::Counter, repeat.counter, range, range, block.parent);
      Block body = block;
      body.range = range;
      declareBlock(repeat.body, body);
      break;
    }
    case Statement::Kind::Branch: {
      auto &branch = llvm::cast<Branch>(*statement);
      Symbol &symbol =
          add(SymbolKind::Branch, branch.name, range, after, block.parent);
      if (branch.counter) {
        symbol.type = "family";
        add(SymbolKind::Counter, *branch.counter, range, range, &symbol);
      }
      std::map<std::string, Symbol *> states;
      Block body{range, range, &symbol, &states};
      declareBlock(branch.body, body);
      break;
    }
    }
  }
}

//===----------------------------------------------------------------------===//
// Meaning
//===----------------------------------------------------------------------===//

void SymbolIndex::keep(std::shared_ptr<const Program> program) {
  auto definition = definitions.find(program->nameRange.begin);
  current = definition == definitions.end() ? nullptr : definition->second;
  programs.push_back(std::move(program));
}

Symbol &SymbolIndex::getImplicit(SymbolKind kind, const std::string &name,
                                 SourceRange place) {
  Symbol *&symbol = byPlace[{place.begin, false, name}];
  if (symbol)
    return *symbol;
  symbol = &symbols.emplace_back();
  symbol->kind = kind;
  symbol->name = name;
  symbol->parent = current;
  if (current)
    symbol->visible = current->inside;
  bool isWritten = !current || current->place->begin != place.begin;
  if (isWritten) {
    symbol->place = place;
    symbol->range = place;
  }
  symbol->doc = getDoc({kind == SymbolKind::Input ? NameMeaning::Kind::Input
                                                  : NameMeaning::Kind::Feature,
                        name, std::nullopt});
  return *symbol;
}

Symbol &SymbolIndex::getWord(const NameMeaning &meaning) {
  Symbol *&symbol = words[{meaning.kind, meaning.name}];
  if (!symbol) {
    symbol = &symbols.emplace_back();
    symbol->name = meaning.name;
    symbol->word = meaning.kind;
    symbol->doc = getDoc(meaning);
  }
  return *symbol;
}

Symbol *SymbolIndex::find(const NameMeaning &meaning) {
  if (meaning.kind == NameMeaning::Kind::Unknown)
    return nullptr;
  if (!meaning.place)
    return &getWord(meaning);
  if (meaning.kind == NameMeaning::Kind::Feature)
    return &getImplicit(SymbolKind::Feature, meaning.name, *meaning.place);
  auto known = byPlace.find({meaning.place->begin, false, meaning.name});
  return known == byPlace.end() ? nullptr : known->second;
}

void SymbolIndex::bindInput(const InputTensor &input) {
  if (input.computed)
    return;
  Symbol &symbol = getImplicit(SymbolKind::Input, input.name, input.range);
  symbol.type = formatType(input);
}

void SymbolIndex::bindFeature(const std::string &name, SourceRange place) {
  getImplicit(SymbolKind::Feature, name, place);
}

void SymbolIndex::bind(SourceRange place, const Node *value) {
  auto at = occurrences.find(place.begin);
  if (!value || value->isPoison() || at == occurrences.end())
    return;
  auto &symbol = const_cast<Symbol &>(*at->second.symbol);
  bool isFamily = symbol.type == "family";
  if (!symbol.type.empty() && !isFamily)
    return;
  symbol.type = (isFamily ? "family of " : "") + formatType(*value);
  if (symbol.kind == SymbolKind::Param && value->isConstant())
    symbol.value = printConstant(*value);
}

void SymbolIndex::setDefinitionType(const Definition &definition,
                                    std::string type) {
  auto known =
      byPlace.find({definition.name.range.begin, true, definition.name.text});
  if (known != byPlace.end())
    known->second->type = std::move(type);
}

void SymbolIndex::refer(SourceRange range, const NameMeaning &meaning) {
  if (const Symbol *symbol = find(meaning))
    occurrences.try_emplace(range.begin, Occurrence{range, symbol});
}

void SymbolIndex::setType(SourceRange range, const Node *node) {
  if (node && !node->isPoison())
    types.try_emplace({range.begin, range.end}, node);
}

//===----------------------------------------------------------------------===//
// Questions
//===----------------------------------------------------------------------===//

std::optional<Occurrence> SymbolIndex::getOccurrence(uint32_t offset) const {
  auto next = occurrences.upper_bound(offset);
  if (next == occurrences.begin())
    return std::nullopt;
  const Occurrence &last = std::prev(next)->second;
  if (offset < last.range.end)
    return last;
  // Behind a word an editor means the word, unless the next begins there.
  return offset == last.range.end ? std::optional(last) : std::nullopt;
}

std::vector<SourceRange>
SymbolIndex::getReferences(const Symbol &symbol) const {
  std::vector<SourceRange> ranges;
  for (const auto &[begin, occurrence] : occurrences)
    if (occurrence.symbol == &symbol)
      ranges.push_back(occurrence.range);
  return ranges;
}

std::optional<TypedRange> SymbolIndex::getExpression(uint32_t offset) const {
  const Node *best = nullptr;
  SourceRange range{0, UINT32_MAX};
  for (const auto &[key, node] : types) {
    auto [begin, end] = key;
    if (begin > offset || end <= offset ||
        end - begin > range.end - range.begin)
      continue;
    best = node;
    range = {begin, end};
  }
  if (!best)
    return std::nullopt;
  std::string type = formatType(*best);
  if (best->op == Op::Integer || best->op == Op::Real)
    type += " = " + printConstant(*best);
  return TypedRange{range, type};
}

std::vector<const Symbol *> SymbolIndex::getNames(uint32_t offset) const {
  std::map<std::string, const Symbol *> names;
  for (const Symbol &symbol : symbols) {
    bool isVisible =
        symbol.visible.begin < offset && offset <= symbol.visible.end;
    if (!isVisible)
      continue;
    const Symbol *&known = names[symbol.name];
    auto getBegin = [](const Symbol *s) {
      return s->place ? s->place->begin : 0;
    };
    // Declarations hold everywhere; of the others the last before the place.
    if (!known || getBegin(&symbol) >= getBegin(known))
      known = &symbol;
  }
  std::vector<const Symbol *> result;
  for (const auto &entry : names)
    result.push_back(entry.second);
  return result;
}

std::vector<const Symbol *> SymbolIndex::getDeclarations() const {
  std::vector<const Symbol *> result;
  for (const Symbol &symbol : symbols)
    if (symbol.place && symbol.kind != SymbolKind::Feature &&
        symbol.kind != SymbolKind::Word)
      result.push_back(&symbol);
  return result;
}

} // namespace rapt::frontend
