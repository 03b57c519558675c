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
  if (!hasSum && !scope.branches.empty())
    return buildWithoutLoop(out);
  Node *mask = resolve(RoleKind::Mask);
  Node *weight = resolve(RoleKind::Weight);
  if (mask->isPoison() || weight->isPoison())
    return false;
  if (Node *sum =
          find(mask, [](const Node *node) { return node->op == Op::KeySum; })) {
    b.notCompiled(sum->place, "a sum over keys in a mask");
    return false;
  }
  loop.mask = mask;
  return splitWeight(weight) && splitOut(out) && settle() && chooseAxes();
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
  out = computed.settle(out);
  if (out->isPoison())
    return false;
  if (out->variesOver(VariesKey)) {
    b.error(getRange(RoleKind::Out), "'out' must not vary over keys");
    return false;
  }
  loop.out = out;
  loop.queryAxis = out->queryAxis;
  return isFine;
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
  auto isSum = [](const Node *node) { return node->op == Op::KeySum; };
  Factors factors;
  collectFactors(weight, factors);
  auto *normal = llvm::find_if(factors.above, isKeyWeight);
  if (normal == factors.above.end()) {
    loop.kind = WeightKind::Sum;
    loop.score = weight;
  } else {
    Node *node = *normal;
    factors.above.erase(normal);
    loop.kind =
        node->op == Op::KeySoftmax ? WeightKind::Softmax : WeightKind::Ratio;
    loop.epsilon = node->real;
    loop.score = node->operands[0];
    loop.sink = node->operands.size() > 1 ? node->operands[1] : nullptr;
    loop.factor = multiply(factors, weight->place);
    bool isPerFeature = !loop.score->isScalar();
    if (loop.factor && (isPerFeature || !loop.factor->isScalar())) {
      b.notCompiled(weight->place, "a factor per feature");
      return false;
    }
  }
  for (Node *part : {loop.score, loop.sink, loop.factor})
    if (Node *inner = part ? find(part, isSum) : nullptr) {
      b.notCompiled(inner->place, "a sum over keys inside another");
      return false;
    }
  return true;
}

bool PairwiseLoop::splitOut(Node *out) {
  SourceRange range = getRange(RoleKind::Out);
  llvm::SmallVector<Node *> sums;
  walk(out, [&](Node *node) {
    if (node->op == Op::KeySum)
      sums.push_back(node);
  });
  if (sums.empty() && find(out, [](const Node *node) {
        return isRole(node, RoleKind::Weight);
      })) {
    b.error(range, "'weight' varies over keys; expected it in "
                   "sum(..., over = j)");
    return false;
  }
  if (sums.size() != 1) {
    b.notCompiled(range, sums.empty() ? "out without a sum over keys"
                                      : "several sums over keys");
    return false;
  }
  Node *sum = sums.front();
  Factors factors;
  collectFactors(sum->operands.front(), factors);
  auto isWeight = [](const Node *node) {
    return isRole(node, RoleKind::Weight);
  };
  auto *weight = llvm::find_if(factors.above, isWeight);
  if (weight == factors.above.end()) {
    b.notCompiled(sum->place, "a sum over keys without the weight as a factor");
    return false;
  }
  factors.above.erase(weight);
  Node *values = multiply(factors, sum->place);
  if (values && values->isPoison())
    return false;
  if (!values || !values->isRow()) {
    b.notCompiled(sum->place, "a sum over keys of one number per pair");
    return false;
  }
  if (find(values, [](const Node *node) {
        return node->op == Op::RoleValue || isKeyWeight(node) ||
               node->op == Op::KeySum;
      })) {
    b.notCompiled(sum->place, "a sum over keys with several weights");
    return false;
  }
  // A score per feature has those of the values.
  if (!loop.score->isScalar() &&
      b.arithmetic(Op::Mul, {loop.score, getRange(RoleKind::Score)},
                   {values, sum->place})
          ->isPoison())
    return false;
  if (values->variesOver(VariesQuery) && values->op != Op::Carried) {
    b.notCompiled(sum->place, "values that vary over queries");
    return false;
  }
  if (out->variesOver(VariesKey)) {
    b.error(range, "'out' must not vary over keys outside sum(..., over = j)");
    return false;
  }
  if (out != sum && find(out, isKeyWeight)) {
    b.notCompiled(range, "softmax over keys in out");
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
