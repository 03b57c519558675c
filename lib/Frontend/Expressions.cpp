// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Expressions.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

namespace rapt::frontend {

using llvm::StringRef;

llvm::ArrayRef<StringRef> getLeadingAxes() {
  static const StringRef axes[] = {"batch",  "heads",   "kv_heads",
                                   "groups", "queries", "keys"};
  return axes;
}

llvm::ArrayRef<StringRef> getPlaceNames() {
  static const StringRef names[] = {"b", "h", "i", "j", "row"};
  return names;
}

std::vector<StringRef> Scope::getNames() const {
  std::vector<StringRef> names{"pi", "inf", "mask", "score", "weight"};
  for (const auto &entry : lets)
    names.push_back(entry.first);
  for (const auto &entry : branches)
    names.push_back(entry.first);
  for (const auto &entry : params)
    names.push_back(entry.first);
  for (const InputTensor &input : program.inputs)
    names.push_back(input.name);
  for (const auto &entry : features)
    names.push_back(entry.first);
  llvm::append_range(names, getLeadingAxes());
  llvm::append_range(names, getPlaceNames());
  return names;
}

Operand ExpressionBuilder::build(const Expr &expr) {
  Node *node = buildNode(expr);
  if (SymbolIndex *index = b.getIndex())
    index->setType(expr.range, node);
  return {node, expr.range};
}

Node *ExpressionBuilder::buildNode(const Expr &expr) {
  return llvm::TypeSwitch<const Expr *, Node *>(&expr)
      .Case([&](const Number *number) {
        return number->isReal ? b.real(number->real)
                              : b.integer(number->integer);
      })
      .Case([&](const NameRef *name) {
        record(name->name, name->range);
        return resolve(name->name, name->range);
      })
      .Case([&](const Call *call) { return buildCall(*call); })
      .Case([&](const Prefix *prefix) { return buildPrefix(*prefix); })
      .Case([&](const Chain *chain) { return buildChain(*chain); })
      .Case([&](const Compare *compare) {
        Operand lhs = build(*compare->lhs), rhs = build(*compare->rhs);
        if (compare->op == CompareOp::In)
          return b.contains(rhs, lhs, expr.range);
        return b.compare(compare->op, lhs, rhs);
      })
      .Case([&](const Postfix *postfix) { return buildPostfix(*postfix); });
}

Node *ExpressionBuilder::buildPrefix(const Prefix &prefix) {
  Operand operand = build(*prefix.operand);
  bool isNot = prefix.op == Prefix::Op::Not;
  Node *once = isNot ? b.logicalNot(operand) : b.negate(operand);
  return once->isPoison() || prefix.count % 2 ? once : operand.node;
}

Node *ExpressionBuilder::buildChain(const Chain &chain) {
  Operand result = build(*chain.operands.front());
  for (auto [op, expr] :
       llvm::zip(chain.operators, llvm::drop_begin(chain.operands))) {
    Operand next = build(*expr);
    switch (op) {
    case ChainOp::Or:
      result.node = b.logical(Op::Or, result, next);
      break;
    case ChainOp::And:
      result.node = b.logical(Op::And, result, next);
      break;
    case ChainOp::Add:
      result.node = b.arithmetic(Op::Add, result, next);
      break;
    case ChainOp::Sub:
      result.node = b.arithmetic(Op::Sub, result, next);
      break;
    case ChainOp::Mul:
      result.node = b.arithmetic(Op::Mul, result, next);
      break;
    case ChainOp::Div:
      result.node = b.divide(result, next);
      break;
    case ChainOp::Mod:
      result.node = b.modulo(result, next);
      break;
    }
    result.range.end = next.range.end;
  }
  return result.node;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

Node *ExpressionBuilder::getFeatureExtent(const std::string &name) {
  int64_t extent = scope.getExtent(name);
  return extent < 0 ? b.extent(Op::UnknownExtent, name) : b.integer(extent);
}

Node *ExpressionBuilder::getWidthOfQuery(SourceRange range) {
  auto let = scope.lets.find("q");
  const Node *query = nullptr;
  if (let != scope.lets.end())
    query = let->second.node;
  else if (const InputTensor *input = scope.program.findInput("q"))
    query = b.read(*input);
  if (!query || !query->isRow())
    return scope.features.count("dim") ? getFeatureExtent("dim") : nullptr;
  const Feature &width = query->features.front();
  if (width.isKnown())
    return b.integer(width.extent);
  // A computed width follows from other extents; it is none of its own.
  return b.extent(Op::UnknownExtent, width.name);
}

NameMeaning ExpressionBuilder::lookUp(const std::string &name) const {
  using Kind = NameMeaning::Kind;
  if (candidate && name == "c")
    return {Kind::Candidate, name, {}};
  if (auto let = scope.lets.find(name); let != scope.lets.end())
    return {Kind::Let, name, let->second.range};
  if (auto branch = scope.branches.find(name); branch != scope.branches.end())
    return {Kind::Branch, name, branch->second.range};
  if (auto param = scope.params.find(name); param != scope.params.end())
    return {Kind::Param, name, param->second.range};
  if (const InputTensor *input = scope.program.findInput(name))
    return {Kind::Input, name, input->range};
  if (llvm::is_contained(getPlaceNames(), name))
    return {Kind::Position, name, {}};
  if (name == "pi" || name == "inf")
    return {Kind::Constant, name, {}};
  if (llvm::is_contained(getLeadingAxes(), name))
    return {Kind::Axis, name, {}};
  if (auto feature = scope.features.find(name); feature != scope.features.end())
    return {Kind::Feature, name, feature->second};
  if (cutFeature && name == cutFeature->name && cutFeature->isKnown())
    return {Kind::Feature, name, {}};
  for (RoleKind role : {RoleKind::Mask, RoleKind::Score, RoleKind::Weight}) {
    if (name != spelling(role))
      continue;
    auto given = scope.roles.find(role);
    if (given == scope.roles.end())
      return {Kind::Role, name, {}};
    return {Kind::Role, name, given->second.range};
  }
  return {Kind::Unknown, name, {}};
}

void ExpressionBuilder::record(const std::string &name,
                               SourceRange range) const {
  if (SymbolIndex *index = b.getIndex())
    index->refer(range, lookUp(name));
}

void ExpressionBuilder::recordWord(const NameRef &word,
                                   NameMeaning::Kind kind) const {
  if (SymbolIndex *index = b.getIndex())
    index->refer(word.range, {kind, word.name, {}});
}

Node *ExpressionBuilder::resolve(const std::string &name, SourceRange range) {
  // Positions count what the q and k in force run over.
  auto getAxis = [&](const char *operand, Varies side,
                     const SequenceAxis *Node::*axis) -> const SequenceAxis * {
    auto let = scope.lets.find(operand);
    bool isOther =
        let != scope.lets.end() && let->second.node->variesOver(side);
    return isOther ? let->second.node->*axis : nullptr;
  };
  switch (lookUp(name).kind) {
  case NameMeaning::Kind::Candidate:
    return candidate;
  case NameMeaning::Kind::Let:
    return scope.lets.find(name)->second.node;
  case NameMeaning::Kind::Branch: {
    NameRef reference;
    reference.name = name;
    reference.range = range;
    return readBranch(*getBranch(reference, /*allowFamily=*/false));
  }
  case NameMeaning::Kind::Param:
    return scope.params.find(name)->second.node;
  case NameMeaning::Kind::Input: {
    const InputTensor *input = scope.program.findInput(name);
    for (unsigned d = 1; d < input->rank(); ++d)
      if (!input->axes[d].isFeature &&
          input->axes[d].name == input->axes[d - 1].name)
        return b.error(range, "'" + name + "' has the axis '" +
                                  input->axes[d].name +
                                  "' twice; expected subscripts");
    return requireTrailing(b.read(*input), range);
  }
  case NameMeaning::Kind::Position:
    if (name == "b")
      return b.place(Op::Batch);
    if (name == "h")
      return b.place(Op::Head);
    if (name == "j")
      return b.place(Op::KeyPosition, getAxis("k", VariesKey, &Node::keyAxis));
    if (const SequenceAxis *axis = getAxis("q", VariesQuery, &Node::queryAxis))
      return b.place(Op::Row, axis);
    return b.place(name == "i" ? Op::QueryPosition : Op::Row);
  case NameMeaning::Kind::Constant:
    return b.real(name == "pi" ? M_PI : INFINITY);
  case NameMeaning::Kind::Axis:
    return b.extent(name == "queries" || name == "keys" ? Op::Length
                                                        : Op::LeadingExtent,
                    name);
  case NameMeaning::Kind::Feature:
    if (cutFeature && name == cutFeature->name && cutFeature->isKnown())
      return b.integer(cutFeature->extent);
    if (name == "dim")
      if (Node *width = getWidthOfQuery(range))
        return width;
    return getFeatureExtent(name);
  case NameMeaning::Kind::Role:
    for (RoleKind role : {RoleKind::Mask, RoleKind::Score, RoleKind::Weight}) {
      if (name != spelling(role))
        continue;
      // The sum over keys is recognised by its weight, so that stays a name.
      auto given = scope.roles.find(role);
      return given == scope.roles.end() || role == RoleKind::Weight
                 ? b.roleValue(role)
                 : given->second.node;
    }
    break;
  case NameMeaning::Kind::Function:
  case NameMeaning::Kind::ElementType:
  case NameMeaning::Kind::Over:
  case NameMeaning::Kind::Pooling:
  case NameMeaning::Kind::Member:
  case NameMeaning::Kind::Unknown:
    break;
  }
  return reportUnknown(name, range);
}

Node *ExpressionBuilder::reportUnknown(const std::string &name,
                                       SourceRange range) {
  support::DiagnosticEngine &diags = b.getDiagnostics();
  if (auto later = scope.allLets.find(name); later != scope.allLets.end()) {
    diags.error(range, "'" + name + "' is used above its definition")
        .note(later->second, "defined here");
    return b.poison();
  }
  if (scope.runTimeNames.count(name))
    return b.error(range, "expected a number known at compile time, found the "
                          "input '" +
                              name + "'");
  if (findBuiltin(name))
    return b.error(range, "'" + name +
                              "' is a function; expected its arguments in "
                              "parentheses");
  if (name == "c")
    return b.error(range, "unknown name 'c'; the candidate is known by it in "
                          "where = and force = of top, cover and above");
  return b.error(range, "unknown name '" + name + "'" +
                            support::didYouMean(name, scope.getNames()));
}

Node *ExpressionBuilder::makeDefaultScore(SourceRange range) {
  Operand q{resolve("q", range), range}, k{resolve("k", range), range};
  Node *width = getWidthOfQuery(range);
  if (q.node->isPoison() || k.node->isPoison() || !width)
    return b.poison();
  Operand product{b.dot(q, k, range), range};
  if (product.node->isPoison()) {
    // The user wrote nothing here, so say what was meant.
    b.getDiagnostics().error(range, "no score is given and the default, "
                                    "dot(q, k) / sqrt(dim), does not fit");
    return b.poison();
  }
  Operand root{b.realFunction(Op::Sqrt, {width, range}), range};
  return b.divide(product, root);
}

} // namespace rapt::frontend
