// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/PairwiseLoop.h"

namespace rapt::frontend {

static bool isKeyWeight(const Node *node) {
  return node->op == Op::KeySoftmax || node->op == Op::KeyNormalize;
}

static bool isRole(const Node *node, RoleKind role) {
  return node->op == Op::RoleValue &&
         node->integer == static_cast<int64_t>(role);
}

/// The first node below that satisfies the predicate; null if there is none.
static Node *find(Node *node, llvm::function_ref<bool(const Node *)> matches) {
  Node *found = nullptr;
  walk(node, [&](Node *next) {
    if (!found && matches(next))
      found = next;
  });
  return found;
}

SourceRange PairwiseLoop::getRange(RoleKind role) const {
  auto given = scope.roles.find(role);
  return given == scope.roles.end() ? loop.nameRange : given->second.range;
}

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

Node *PairwiseLoop::getDefault(RoleKind role) {
  SourceRange range = loop.nameRange;
  switch (role) {
  case RoleKind::Mask:
    return b.boolean(true);
  case RoleKind::Score:
    return expressions.makeDefaultScore(range);
  case RoleKind::Weight:
    return b.keyReduction(Op::KeySoftmax, b.roleValue(RoleKind::Score), 0,
                          range);
  case RoleKind::Out:
    break;
  }
  Node *values = expressions.resolve("v", range);
  if (values->isPoison())
    return values;
  if (!values->isRow())
    return b.error(range, "no out is given and the default, sum(weight * v, "
                          "over = j), needs a row v, found " +
                              describe(*values));
  Node *product = b.arithmetic(Op::Mul, {b.roleValue(RoleKind::Weight), range},
                               {values, range});
  return b.keyReduction(Op::KeySum, product, 0, range);
}

Node *PairwiseLoop::resolve(RoleKind role) {
  auto [entry, isNew] = resolved.try_emplace(role, nullptr);
  if (!isNew) {
    if (entry->second)
      return entry->second;
    return b.error(getRange(role), llvm::Twine("'") + spelling(role) +
                                       "' is defined by itself");
  }
  auto given = scope.roles.find(role);
  Node *node =
      given == scope.roles.end() ? getDefault(role) : given->second.node;
  for (RoleKind named : {RoleKind::Mask, RoleKind::Score, RoleKind::Weight}) {
    // The sum over keys is recognised by the name of its weight.
    if (role == RoleKind::Out && named == RoleKind::Weight)
      continue;
    if (find(node, [&](const Node *next) { return isRole(next, named); }))
      node = b.replaceRole(node, named, resolve(named));
  }
  // Only the weight is over the keys that the mask keeps.
  if (role == RoleKind::Mask || role == RoleKind::Score)
    node = computed.settle(node);
  return resolved[role] = node;
}

bool PairwiseLoop::build() {
  Node *out = resolve(RoleKind::Out);
  if (out->isPoison())
    return false;
  bool hasSum = find(out, [](const Node *node) {
    return node->op == Op::KeySum || isRole(node, RoleKind::Weight);
  });
  if (!hasSum)
    return buildWithoutLoop(out);
  Node *mask = resolve(RoleKind::Mask);
  Node *weight = resolve(RoleKind::Weight);
  if (mask->isPoison() || weight->isPoison())
    return false;
  loop.mask = mask;
  if (Node *sum = findWeightedSum(out))
    return splitWeight(weight) && splitOut(out, sum) && settle() &&
           checkCarried() && chooseAxes();
  return buildFromSums(out) && checkCarried();
}

bool PairwiseLoop::buildWithoutLoop(Node *out) {
  bool isFine = true;
  for (RoleKind role : {RoleKind::Mask, RoleKind::Score, RoleKind::Weight}) {
    auto given = scope.roles.find(role);
    if (given == scope.roles.end())
      continue;
    b.getDiagnostics()
        .error(given->second.range,
               llvm::Twine("'") + spelling(role) +
                   "' has no effect, because 'out' has no sum over keys")
        .note(getRange(RoleKind::Out), "'out' is given here");
    isFine = false;
  }
  return finishWithoutLoop(computed.settle(out)) && isFine;
}

bool PairwiseLoop::buildFromSums(Node *out) {
  auto isSum = [](const Node *node) { return node->op == Op::KeySum; };
  if (!find(out, isSum)) {
    b.error(getRange(RoleKind::Out),
            "'weight' varies over keys; expected it in "
            "sum(..., over = j)");
    return false;
  }
  Node *weight = computed.settle(resolve(RoleKind::Weight), loop.mask);
  out = b.replaceRole(out, RoleKind::Weight, weight);
  out = computed.settle(out, loop.mask);
  while (Node *sum = find(out, [&](const Node *node) {
           return isSum(node) && !find(node->operands[0], isSum);
         })) {
    Operand summed{sum->operands[0], sum->place};
    out = b.replace(out, {{sum, computed.sumOverKeys(summed, loop.mask)}});
  }
  return finishWithoutLoop(out);
}

bool PairwiseLoop::finishWithoutLoop(Node *out) {
  if (out->isPoison())
    return false;
  if (out->variesOver(VariesKey)) {
    b.error(getRange(RoleKind::Out), "'out' must not vary over keys");
    return false;
  }
  loop.out = out;
  loop.queryAxis = out->queryAxis;
  return true;
}

bool PairwiseLoop::settle() {
  for (Node **part : {&loop.score, &loop.factor, &loop.sink, &loop.values})
    if (*part) {
      bool isOfPairs = part == &loop.score || part == &loop.factor;
      *part = computed.settle(*part, isOfPairs ? loop.mask : nullptr);
      if ((*part)->isPoison())
        return false;
    }
  return true;
}

bool PairwiseLoop::checkCarried() {
  Node *misplaced = nullptr;
  for (Node *part :
       {loop.mask, loop.score, loop.factor, loop.sink, loop.values, loop.out})
    if (part)
      walk(part, [&](Node *node) {
        for (Node *operand : node->operands)
          if (operand && operand->op == Op::Carried && node->op != Op::Dot &&
              operand != loop.values)
            misplaced = node;
        if (node->op == Op::Carried && node == part && part != loop.values)
          misplaced = node;
      });
  if (misplaced)
    b.error(misplaced->place, "a carried row stands in a product with a row of "
                              "the query, or as the values");
  return !misplaced;
}

bool PairwiseLoop::chooseAxes() {
  struct Side {
    Varies varies;
    const SequenceAxis *Node::*own;
    const SequenceAxis *Loop::*chosen;
    bool isQuery;
  };
  std::pair<Node *, const char *> parts[] = {{loop.values, "row of values"},
                                             {loop.score, "score"},
                                             {loop.mask, "mask"},
                                             {loop.factor, "weight"},
                                             {loop.sink, "sink"},
                                             {loop.out, "result"}};
  for (Side side : {Side{VariesQuery, &Node::queryAxis, &Loop::queryAxis, true},
                    Side{VariesKey, &Node::keyAxis, &Loop::keyAxis, false}}) {
    std::pair<Node *, const char *> first = {nullptr, ""};
    for (auto [part, name] : parts) {
      bool varies = part && part->variesOver(side.varies) &&
                    part->*side.own != SequenceAxis::any();
      if (!varies)
        continue;
      if (!first.first) {
        first = {part, name};
        loop.*side.chosen = part->*side.own;
      } else if (loop.*side.chosen != part->*side.own) {
        auto describe = [&](std::pair<Node *, const char *> part) {
          return std::string("the ") + part.second + " varies over " +
                 describeAxis(part.first->*side.own, side.isQuery);
        };
        auto at = [&](Node *node) {
          return node->place.end ? node->place : loop.nameRange;
        };
        b.getDiagnostics()
            .error(at(part),
                   describe({part, name}) + ", but " + describe(first))
            .note(at(first.first), describe(first));
        return false;
      }
    }
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

void PairwiseLoop::collectFactors(Node *node, Factors &factors) {
  switch (node->op) {
  case Op::Mul:
    collectFactors(node->operands[0], factors);
    return collectFactors(node->operands[1], factors);
  case Op::Divide:
    collectFactors(node->operands[0], factors);
    factors.below.push_back(node->operands[1]);
    return;
  case Op::Negate:
    factors.above.push_back(b.real(-1));
    return collectFactors(node->operands[0], factors);
  default:
    factors.above.push_back(node);
  }
}

Node *PairwiseLoop::multiply(const Factors &factors, SourceRange range) {
  Operand product{nullptr, range};
  for (Node *factor : factors.above)
    product.node =
        product.node ? b.arithmetic(Op::Mul, product, {factor, range}) : factor;
  for (Node *factor : factors.below)
    product.node = b.divide(product.node ? product : Operand{b.real(1), range},
                            {factor, range});
  return product.node;
}

bool PairwiseLoop::splitWeight(Node *weight) {
  Factors factors;
  collectFactors(weight, factors);
  auto *normal = llvm::find_if(factors.above, isKeyWeight);
  loop.kind = WeightKind::Sum;
  loop.score = weight;
  if (normal == factors.above.end())
    return true;
  Node *node = *normal;
  factors.above.erase(normal);
  Node *factor = multiply(factors, weight->place);
  Node *sink = node->operands.size() > 1 ? node->operands[1] : nullptr;
  if (factor && factor->isPoison())
    return false;
  // Weights per feature that are more than a softmax are taken as they are.
  bool isPerFeature = !node->isScalar();
  if (isPerFeature ? factor || sink : factor && !factor->isScalar())
    return true;
  loop.kind =
      node->op == Op::KeySoftmax ? WeightKind::Softmax : WeightKind::Ratio;
  loop.epsilon = node->real;
  loop.score = node->operands[0];
  loop.sink = sink;
  loop.factor = factor;
  return true;
}

Node *PairwiseLoop::findWeightedSum(Node *out) {
  llvm::SmallVector<Node *> sums;
  walk(out, [&](Node *node) {
    if (node->op == Op::KeySum)
      sums.push_back(node);
  });
  bool isOne =
      sums.size() == 1 && (out == sums.front() || !find(out, isKeyWeight));
  if (!isOne)
    return nullptr;
  Factors factors;
  collectFactors(sums.front()->operands.front(), factors);
  // A carried row is the whole of the values.
  bool isAlone = factors.above.size() == 2 && factors.below.empty();
  unsigned weights = 0;
  bool isRow = false, isOfKeys = true;
  auto look = [&](Node *factor, bool isAbove) {
    if (isAbove && isRole(factor, RoleKind::Weight) && ++weights == 1)
      return;
    isRow |= factor->isRow();
    isOfKeys &= factor->op == Op::Carried ? isAbove && isAlone
                                          : !factor->variesOver(VariesQuery);
    isOfKeys &= !find(factor, [](const Node *node) {
      return node->op == Op::RoleValue || isKeyWeight(node);
    });
  };
  for (Node *factor : factors.above)
    look(factor, true);
  for (Node *factor : factors.below)
    look(factor, false);
  return weights == 1 && isRow && isOfKeys ? sums.front() : nullptr;
}

bool PairwiseLoop::splitOut(Node *out, Node *sum) {
  Factors factors;
  collectFactors(sum->operands.front(), factors);
  factors.above.erase(llvm::find_if(factors.above, [](const Node *node) {
    return isRole(node, RoleKind::Weight);
  }));
  Node *values = multiply(factors, sum->place);
  if (values->isPoison())
    return false;
  // A score per feature has those of the values.
  if (!loop.score->isScalar() &&
      b.arithmetic(Op::Mul, {loop.score, getRange(RoleKind::Score)},
                   {values, sum->place})
          ->isPoison())
    return false;
  if (out->variesOver(VariesKey)) {
    b.error(getRange(RoleKind::Out),
            "'out' must not vary over keys outside sum(..., over = j)");
    return false;
  }
  loop.values = values;
  // Two loops may sum the same values with weights of the same name.
  Node own = *sum;
  own.integer = loop.number;
  loop.keySum = b.remake(std::move(own), sum->place);
  loop.out = b.replace(out, {{sum, loop.keySum}});
  return true;
}

} // namespace rapt::frontend
