// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// pool, regroup, rank, top, cover, above, and reductions over queries, keys,
// heads and pairs.

#include "lib/Frontend/ComputedBuilder.h"
#include "lib/Frontend/Expressions.h"
#include "llvm/ADT/STLExtras.h"

namespace rapt::frontend {

using llvm::StringRef;

//===----------------------------------------------------------------------===//
// pool, regroup, rank
//===----------------------------------------------------------------------===//

/// "i" and "j" as the side that they count; reports anything else.
std::optional<bool> ExpressionBuilder::getSide(const Argument &argument) {
  auto *word = llvm::dyn_cast<NameRef>(argument.value.get());
  if (word && (word->name == "i" || word->name == "j")) {
    recordWord(*word, NameMeaning::Kind::Over);
    return word->name == "i";
  }
  b.error(argument.value->range, "expected i or j");
  return std::nullopt;
}

/// A positive integer known at compile time.
std::optional<int64_t> ExpressionBuilder::getExtent(const Expr &expr,
                                                    StringRef what) {
  Operand operand = build(expr);
  std::optional<int64_t> value = getConstantInteger(operand, what);
  if (value && (*value < 1 || *value > Builder::maxLength)) {
    b.error(expr.range, "expected " + what.str() + " of 1 .. " +
                            llvm::Twine(Builder::maxLength) + ", found " +
                            llvm::Twine(*value));
    return std::nullopt;
  }
  return value;
}

/// pool(x, how, size, stride =, over =) or pool(x, matrix).
Node *ExpressionBuilder::callPool(const Call &call) {
  llvm::SmallVector<const Argument *> positional;
  const Argument *stride = nullptr, *over = nullptr;
  for (const Argument &argument : call.arguments) {
    if (!argument.name) {
      positional.push_back(&argument);
      continue;
    }
    const Argument *&slot = argument.name->text == "stride" ? stride : over;
    slot = &argument;
  }
  ComputedBuilder computed(scope.program, b);
  Operand x = build(*positional[0]->value);
  x.node = settle(x);
  if (!b.expectNumber(x))
    return b.poison();
  auto *word = llvm::dyn_cast<NameRef>(positional[1]->value.get());
  static const std::pair<StringRef, Computed::Pooling> known[] = {
      {"mean", Computed::Pooling::Mean},
      {"max", Computed::Pooling::Max},
      {"min", Computed::Pooling::Min},
      {"sum", Computed::Pooling::Sum}};
  Computed::Pooling how = Computed::Pooling::Mean;
  bool hasName = false;
  if (word && !scope.lets.count(word->name))
    for (auto [name, pooling] : known)
      if (word->name == name) {
        how = pooling;
        hasName = true;
        recordWord(*word, NameMeaning::Kind::Pooling);
      }
  Operand weights{nullptr, positional[1]->value->range};
  if (!hasName) {
    // A matrix over keys can be named as a whole here only.
    const InputTensor *input = word && !scope.lets.count(word->name)
                                   ? scope.program.findInput(word->name)
                                   : nullptr;
    if (input)
      record(word->name, word->range);
    weights.node =
        input ? b.read(*input) : settle(build(*positional[1]->value));
    if (!b.expectNumber(weights))
      return b.poison();
  }
  bool isMatrix = weights.node && weights.node->isRow();
  if (isMatrix || (positional.size() == 2 && !hasName)) {
    if (!isMatrix || !weights.node->variesOver(VariesKey) ||
        weights.node->variesOver(VariesQuery))
      return b.error(weights.range,
                     "expected mean, max, min, sum, a weight per token and a "
                     "size, or a matrix with the axis 'keys', found " +
                         describe(*weights.node));
    for (const Argument *argument : {stride, over})
      if (argument)
        return b.error(argument->name->range,
                       "a matrix takes no '" + argument->name->text + "'");
    if (positional.size() == 3)
      return b.error(positional[2]->range, "a matrix takes no size");
    if (!x.node->isRow() || !x.node->variesOver(VariesKey) ||
        x.node->variesOver(VariesQuery))
      return b.error(x.range,
                     "expected a row per key, found " + describe(*x.node));
    return computed.poolByMatrix(x, weights.node, call.range);
  }
  if (positional.size() < 3)
    return b.error(call.range,
                   "'pool' takes a size after '" + word->name + "'");
  auto size = getExtent(*positional[2]->value, "an integer size");
  if (!size)
    return b.poison();
  int64_t step = *size;
  if (stride) {
    auto given = getExtent(*stride->value, "an integer stride");
    if (!given)
      return b.poison();
    step = *given;
    if (step > *size)
      return b.error(stride->value->range,
                     "stride " + llvm::Twine(step) +
                         " leaves out elements between windows of " +
                         llvm::Twine(*size) + "; expected 1 .. " +
                         llvm::Twine(*size));
  }
  bool isOverQueries = false;
  if (over) {
    auto side = getSide(*over);
    if (!side)
      return b.poison();
    isOverQueries = *side;
  }
  if (!x.node->variesOver(isOverQueries ? VariesQuery : VariesKey))
    return b.error(x.range,
                   "expected what varies over " +
                       std::string(isOverQueries ? "queries" : "keys") +
                       ", found " + describe(*x.node) +
                       (isOverQueries || !x.node->variesOver(VariesQuery)
                            ? ""
                            : " per query; write over = i"));
  bool isPair = (x.node->varies & VariesPair) == VariesPair;
  if (x.node->features.size() > 1 || (isPair && x.node->isRow()))
    return b.notCompiled(x.range, "pool of " + describe(*x.node) +
                                      (isPair ? " per pair" : ""));
  if (weights.node) {
    unsigned side = isOverQueries ? VariesQuery : VariesKey;
    bool fits = weights.node->isScalar() && weights.node->variesOver(side) &&
                (weights.node->varies & VariesPair) == side && !isPair;
    if (!fits)
      return b.error(
          weights.range,
          "expected one weight per token of the pooled side, found " +
              describe(*weights.node));
    weights.node = b.toReal(weights);
    // Both must vary over one axis.
    if (b.arithmetic(Op::Mul, x, weights)->isPoison())
      return b.poison();
  }
  return computed.pool(x, how, weights.node, *size, step, isOverQueries,
                       call.range);
}

/// What is computed whole is computed before any loop: `mask` and `score` in it
/// are those given above.
Node *ExpressionBuilder::settle(Operand x) {
  for (RoleKind role : {RoleKind::Weight, RoleKind::Score, RoleKind::Mask}) {
    bool isRead = false;
    walk(x.node, [&](Node *node) { isRead |= node == b.roleValue(role); });
    if (!isRead)
      continue;
    if (role == RoleKind::Weight)
      return b.error(x.range,
                     "'weight' is known after the last statement; expected an "
                     "expression of its own here, as softmax(dot(q, k)), or "
                     "the weight of a branch");
    return b.error(x.range, llvm::Twine("'") + spelling(role) +
                                "' is not given above; expected '" +
                                spelling(role) +
                                " = ...' before what is computed from it");
  }
  return ComputedBuilder(scope.program, b).settle(x.node);
}

/// regroup(weights, block): numbers of windows of keys as numbers of blocks.
Node *ExpressionBuilder::callRegroup(const CallArguments &call) {
  ComputedBuilder computed(scope.program, b);
  Operand x{settle(call[0]), call[0].range};
  if (!b.expectNumber(x))
    return b.poison();
  std::optional<int64_t> block =
      getConstantInteger(call[1], "an integer block size");
  if (!block)
    return b.poison();
  if (*block < 1 || *block > Builder::maxLength)
    return b.error(call[1].range, "expected a block size of 1 .. " +
                                      llvm::Twine(Builder::maxLength) +
                                      ", found " + llvm::Twine(*block));
  const SequenceAxis *axis = x.node->keyAxis;
  bool fits = x.node->isScalar() && x.node->variesOver(VariesKey) && axis &&
              axis->kind == SequenceAxis::Kind::Windows && !axis->base;
  if (!fits)
    return b.error(x.range,
                   "expected numbers of windows of keys, as a branch with "
                   "pooled keys has as its weight, found " +
                       describe(*x.node) +
                       (x.node->variesOver(VariesKey)
                            ? " over " + describeAxis(axis, false)
                            : ""));
  return computed.regroup(x, *block, call.range);
}

Node *ExpressionBuilder::callRank(const CallArguments &call) {
  ComputedBuilder computed(scope.program, b);
  Operand x{settle(call[0]), call[0].range};
  if (!b.expectScalar(x, "one number per key or query") || !b.expectNumber(x))
    return b.poison();
  unsigned sides = x.node->varies & VariesPair;
  if (sides != VariesKey && sides != VariesQuery)
    return b.error(x.range, "expected one number per key or query, found " +
                                describe(*x.node) + (sides ? " per pair" : ""));
  return computed.rank(x, call.range);
}

//===----------------------------------------------------------------------===//
// Sets
//===----------------------------------------------------------------------===//

/// top(n, score), cover(mass, score), above(x, score), with where = and force
/// =.
Node *ExpressionBuilder::callSelection(const Call &call) {
  llvm::SmallVector<const Argument *> positional;
  const Argument *where = nullptr, *force = nullptr;
  for (const Argument &argument : call.arguments) {
    if (!argument.name) {
      positional.push_back(&argument);
      continue;
    }
    (argument.name->text == "where" ? where : force) = &argument;
  }
  ComputedBuilder computed(scope.program, b);
  StringRef name = call.callee.text;
  Operand limit = build(*positional[0]->value);
  Operand score = build(*positional[1]->value);
  for (Operand *operand : {&limit, &score})
    operand->node = settle(*operand);
  bool isTop = name == "top";
  bool isFine =
      isTop ? b.expectInteger(limit, "an integer")
            : b.expectScalar(limit, "one number") && b.expectNumber(limit);
  if (!isFine || !b.expectNumber(score))
    return b.poison();
  if (limit.node->variesOver(VariesKey))
    return b.error(limit.range, "the first argument of '" + name.str() +
                                    "' must not vary over keys");
  if (isTop && limit.node->range.high < 1)
    return b.error(
        limit.range,
        "expected a positive number of elements, found " +
            (limit.node->range.isPoint()
                 ? std::to_string(static_cast<int64_t>(limit.node->range.low))
                 : limit.node->range.str()));
  if (!score.node->isScalar() || !score.node->variesOver(VariesKey))
    return b.error(score.range, "expected one score per key, found " +
                                    describe(*score.node));
  // Inside the call `c` is the candidate.
  Node *candidate = b.place(Op::KeyPosition, score.node->keyAxis);
  Node *outer = std::exchange(this->candidate, candidate);
  auto condition = [&](const Argument *argument) -> Node * {
    if (!argument)
      return nullptr;
    Operand value = build(*argument->value);
    value.node = settle(value);
    if (!b.expectScalar(value, "one boolean per candidate") ||
        !b.expectBoolean(value))
      return b.poison();
    return value.node;
  };
  Node *admitted = condition(where), *forced = condition(force);
  this->candidate = outer;
  // They must agree in what they vary over; only their types are joined here.
  Operand all{b.toReal(score), score.range};
  for (auto [argument, node] :
       {std::pair(where, admitted), std::pair(force, forced)})
    if (node)
      all.node = b.select({node, argument->value->range}, all,
                          {b.real(0), argument->value->range});
  Operand bound{isTop ? b.floor(limit) : b.toReal(limit), limit.range};
  if (all.node->isPoison() || bound.node->isPoison() ||
      b.arithmetic(Op::Add, all, {b.toReal(bound), bound.range})->isPoison())
    return b.poison();
  return computed.select(isTop             ? Computed::Selection::Top
                         : name == "cover" ? Computed::Selection::Cover
                                           : Computed::Selection::Above,
                         bound.node, b.toReal(score), admitted, forced,
                         call.range);
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// The number of values that a reduction of x takes.
Node *ExpressionBuilder::getCount(Node *x, Computed::Over over,
                                  SourceRange range) {
  ComputedBuilder computed(scope.program, b);
  auto at = [&](Node *node) { return Operand{node, range}; };
  switch (over) {
  case Computed::Over::Keys:
    return b.axisLength(x->keyAxis, range);
  case Computed::Over::Queries:
    return x->queryAxis ? b.axisLength(x->queryAxis, range)
                        : b.extent(Op::Length, "queries");
  case Computed::Over::Group: {
    std::string group = computed.getGroupAxis();
    return b.floor(at(b.divide(at(b.extent(Op::LeadingExtent, "heads")),
                               at(b.extent(Op::LeadingExtent, group)))));
  }
  case Computed::Over::Pairs:
    break;
  }
  return b.poison();
}

/// A reduction that does not run over features: over = i | j | group, or keys
/// because there are no features; `by` is null if it is not given.
Node *ExpressionBuilder::callReductionOver(const CallArguments &call) {
  ComputedBuilder computed(scope.program, b);
  StringRef name = call.callee.text;
  StringRef axis = call.over ? StringRef(call.over->text) : "j";
  Operand x{settle(call[0]), call[0].range};
  if (x.node->isPoison())
    return x.node;
  Computed::Over over = axis == "i"   ? Computed::Over::Queries
                        : axis == "j" ? Computed::Over::Keys
                                      : Computed::Over::Group;
  Varies side = axis == "i"   ? VariesQuery
                : axis == "j" ? VariesKey
                              : VariesAnyHead;
  StringRef what = axis == "i" ? "queries" : axis == "j" ? "keys" : "heads";
  bool isOverHeads = over == Computed::Over::Group;
  std::string group = computed.getGroupAxis();
  bool fits =
      isOverHeads ? x.node->variesOver(VariesHead) : x.node->variesOver(side);
  if (!fits)
    return b.error(x.range, "expected what varies over " + what.str() +
                                ", found " + describe(*x.node));
  bool isPair = (x.node->varies & VariesPair) == VariesPair;
  if (x.node->features.size() > 1 ||
      (isOverHeads && isPair && !x.node->isScalar()))
    return b.notCompiled(x.range, name.str() + " over " + axis.str() + " of " +
                                      describe(*x.node));
  Node *by = nullptr;
  if (auto given = call.named.find("by"); given != call.named.end()) {
    Operand integer{settle(given->second), given->second.range};
    if (!b.expectInteger(integer, "an integer"))
      return b.poison();
    if (isOverHeads || !x.node->isScalar())
      return b.error(integer.range, isOverHeads
                                        ? "'by' needs over = i or over = j"
                                        : "'by' needs one number per pair, "
                                          "found " +
                                              describe(*x.node));
    static const StringRef reductions[] = {"sum", "count", "max", "min"};
    if (!llvm::is_contained(reductions, name))
      return b.notCompiled(call.callee.range, name.str() + " with 'by'");
    by = integer.node;
    over = Computed::Over::Pairs;
  }
  auto at = [&](Node *node) { return Operand{node, call.range}; };
  auto reduce = [&](Computed::Reduction kind, Operand value) {
    if (value.node->isPoison())
      return value.node;
    return computed.aggregate(kind, over, value.node, by, call.range);
  };
  if (name == "count")
    return reduce(Computed::Reduction::Add, at(b.toInteger(x)));
  if (!b.expectNumber(x))
    return b.poison();
  // The sum of integer quotients is an integer as well.
  if (x.node->isQuotient)
    x.node = b.floor(x);
  if (name == "sum")
    return reduce(Computed::Reduction::Add, x);
  if (name == "max")
    return reduce(Computed::Reduction::Max, x);
  if (name == "min")
    return reduce(Computed::Reduction::Min, x);
  if (name == "argmax") {
    if (over != Computed::Over::Keys || !x.node->isScalar())
      return b.notCompiled(call.callee.range, "argmax over " + axis.str() +
                                                  " of " + describe(*x.node));
    return reduce(Computed::Reduction::Argmax, x);
  }
  x.node = b.toReal(x);
  Operand count = at(getCount(x.node, over, call.range));
  if (name == "mean" || name == "var") {
    Operand mean = at(
        b.divide(at(reduce(Computed::Reduction::Add, x)), at(b.toReal(count))));
    if (name == "mean" || mean.node->isPoison())
      return mean.node;
    Operand centred = at(b.arithmetic(Op::Sub, x, mean));
    Operand squares = at(b.arithmetic(Op::Mul, centred, centred));
    return b.divide(at(reduce(Computed::Reduction::Add, squares)),
                    at(b.toReal(count)));
  }
  // softmax: the weights sum to one over what it runs over.
  Operand largest = at(reduce(Computed::Reduction::Max, x));
  Operand e =
      at(b.realFunction(Op::Exp, at(b.arithmetic(Op::Sub, x, largest))));
  return b.divide(e, at(reduce(Computed::Reduction::Add, e)));
}

} // namespace rapt::frontend
