// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Causality.h"
#include "llvm/ADT/STLExtras.h"

namespace rapt::frontend {

using Int = Interval::Int;

//===----------------------------------------------------------------------===//
// Conditions
//===----------------------------------------------------------------------===//

/// The operands of a chain of & or |.
static llvm::SmallVector<const Node *> flatten(const Node *node, Op op) {
  if (!node)
    return {};
  if (node->op != op)
    return {node};
  llvm::SmallVector<const Node *> parts;
  for (const Node *operand : node->operands)
    llvm::append_range(parts, flatten(operand, op));
  return parts;
}

namespace {
/// scale * c + offset, of a candidate or key c.
struct Linear {
  Int scale = 0, offset = 0;
};
} // namespace

static std::optional<Linear> getLinear(const Node *node) {
  if (node->op == Op::Integer)
    return Linear{0, node->integer};
  if (node->op == Op::KeyPosition)
    return Linear{1, 0};
  bool isSum = node->op == Op::Add || node->op == Op::Sub;
  if (!isSum && node->op != Op::Mul)
    return std::nullopt;
  std::optional<Linear> a = getLinear(node->operands[0]);
  std::optional<Linear> b = getLinear(node->operands[1]);
  if (!a || !b)
    return std::nullopt;
  if (node->op == Op::Add)
    return Linear{a->scale + b->scale, a->offset + b->offset};
  if (node->op == Op::Sub)
    return Linear{a->scale - b->scale, a->offset - b->offset};
  if (a->scale != 0 && b->scale != 0)
    return std::nullopt;
  return Linear{a->scale * b->offset + b->scale * a->offset,
                a->offset * b->offset};
}

/// What a comparison says about the query: linear <= i.
static std::optional<Linear> getBound(const Node *node) {
  bool isUpward = node->op == Op::LessEqual || node->op == Op::Less;
  if (!isUpward && node->op != Op::GreaterEqual && node->op != Op::Greater)
    return std::nullopt;
  const Node *low = node->operands[isUpward ? 0 : 1];
  const Node *high = node->operands[isUpward ? 1 : 0];
  if (high->op != Op::QueryPosition)
    return std::nullopt;
  std::optional<Linear> bound = getLinear(low);
  if (bound && (node->op == Op::Less || node->op == Op::Greater))
    ++bound->offset;
  return bound && bound->scale > 0 ? bound : std::nullopt;
}

/// The largest element of window c, in tokens, is scale * c + offset.
static Linear getLast(const SequenceAxis *axis) {
  if (!axis || axis->kind != SequenceAxis::Kind::Windows)
    return {1, 0};
  Linear base = getLast(axis->base);
  return {base.scale * axis->stride,
          base.scale * (axis->size - 1) + base.offset};
}

/// Whether a condition keeps only windows that end at the query or before it.
static bool isWithin(const Node *condition, const SequenceAxis *axis) {
  Linear last = getLast(axis);
  return llvm::any_of(flatten(condition, Op::And), [&](const Node *part) {
    std::optional<Linear> bound = getBound(part);
    return bound && bound->scale >= last.scale && bound->offset >= last.offset;
  });
}

/// Whether a condition that admits candidates, or one that is forced, says
/// anything about where they stand before a query.
static bool saysUnknown(const Node *condition) {
  return llvm::any_of(flatten(condition, Op::And), [](const Node *part) {
    return (part->varies & VariesPair) == VariesPair && !getBound(part);
  });
}

/// Whether all candidates from the query's own block on are forced, so that
/// their scores do not matter: c == i / size, or c >= i / size - n.
static bool forcesOwnBlock(const Node *force, Int size) {
  auto isOwnBlock = [&](const Node *node) {
    bool isLower = (node->op == Op::Sub || node->op == Op::Add) &&
                   node->operands[1]->op == Op::Integer;
    if (isLower && (node->operands[1]->integer < 0) == (node->op == Op::Add))
      node = node->operands[0];
    return node->op == Op::FloorDivide &&
           node->operands[0]->op == Op::QueryPosition &&
           node->operands[1]->op == Op::Integer &&
           node->operands[1]->integer == size;
  };
  return llvm::any_of(flatten(force, Op::Or), [&](const Node *part) {
    if (part->operands.size() != 2)
      return false;
    const Node *a = part->operands[0], *b = part->operands[1];
    bool isFrom = (part->op == Op::GreaterEqual && a->op == Op::KeyPosition &&
                   isOwnBlock(b)) ||
                  (part->op == Op::LessEqual && b->op == Op::KeyPosition &&
                   isOwnBlock(a));
    bool isEqual =
        part->op == Op::Equal && ((a->op == Op::KeyPosition && isOwnBlock(b) &&
                                   b->op == Op::FloorDivide) ||
                                  (b->op == Op::KeyPosition && isOwnBlock(a) &&
                                   a->op == Op::FloorDivide));
    return isFrom || isEqual;
  });
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

namespace {
/// What a score is made of.
struct Sources {
  std::string leak; ///< What certainly looks ahead; empty if nothing does.
  /// Whether it holds the keys of its own candidate.
  bool holdsCandidate = false;
};
} // namespace

static void collect(const Node *score, Sources &sources) {
  auto setLeak = [&](const char *text) {
    if (sources.leak.empty())
      sources.leak = text;
  };
  walk(const_cast<Node *>(score), [&](Node *node) {
    if (node->op != Op::Read)
      return;
    bool isAtKey = llvm::any_of(node->operands, [](const Node *index) {
      return index && index->op == Op::KeyPosition;
    });
    const Computed *computed = node->input->computed;
    if (!computed) {
      sources.holdsCandidate |= isAtKey;
      return;
    }
    switch (computed->kind) {
    case Computed::Kind::Pool:
      if (computed->isOverQueries)
        setLeak("its score pools queries, later ones too");
      sources.holdsCandidate |= isAtKey;
      if ((computed->value->varies & VariesPair) == VariesPair)
        collect(computed->value, sources);
      return;
    case Computed::Kind::Regroup:
      return collect(computed->value, sources);
    case Computed::Kind::Weights: {
      const Loop &loop = *computed->loop;
      bool isNormalised = loop.kind != WeightKind::Sum;
      if (isNormalised && !isWithin(loop.mask, loop.keyAxis) &&
          !saysUnknown(loop.mask))
        setLeak("its score is normalised over keys after the query");
      return;
    }
    case Computed::Kind::Aggregate:
      if (computed->over == Computed::Over::Group)
        return collect(computed->value, sources);
      if (computed->over == Computed::Over::Keys)
        return setLeak("its score reduces over all keys");
      return setLeak("its score reduces over all queries, later ones too");
    case Computed::Kind::Rank:
    case Computed::Kind::Select:
    case Computed::Kind::Result:
    case Computed::Kind::Merge:
      return;
    }
  });
}

static std::string print(Linear linear) {
  std::string text = "c";
  if (linear.scale != 1)
    text += " * " + std::to_string(static_cast<int64_t>(linear.scale));
  if (linear.offset != 0)
    text += " + " + std::to_string(static_cast<int64_t>(linear.offset));
  return text;
}

/// What looks ahead in a choice; empty if nothing certainly does.
static std::string findLeak(const Computed &selection) {
  Sources sources;
  collect(selection.value, sources);
  if (!sources.leak.empty() || !sources.holdsCandidate)
    return sources.leak;
  const SequenceAxis *axis = selection.value->keyAxis;
  Linear last = getLast(axis);
  if (isWithin(selection.where, axis) || saysUnknown(selection.where))
    return "";
  bool isBlock = !axis || axis->size == axis->stride;
  std::optional<Linear> bound;
  for (const Node *part : flatten(selection.where, Op::And))
    if (std::optional<Linear> found = getBound(part))
      if (found->scale == last.scale)
        bound = found;
  if (bound && isBlock && bound->offset >= 0 &&
      forcesOwnBlock(selection.force, last.scale))
    return "";
  std::string text = "candidate c holds keys up to " + print(last);
  if (bound)
    return text + " and is admitted from query " + print(*bound) + " on";
  return text + ", and no 'where' keeps those after the query out";
}

void warnOfLeaks(const Loop &loop, support::DiagnosticEngine &diags) {
  if (!loop.mask || !isWithin(loop.mask, loop.keyAxis))
    return;
  llvm::SmallVector<const Computed *> selections;
  walkAll(loop.mask, [&](Node *node) {
    const Computed *computed =
        node->op == Op::Read ? node->input->computed : nullptr;
    if (computed && computed->kind == Computed::Kind::Select &&
        !llvm::is_contained(selections, computed))
      selections.push_back(computed);
  });
  for (const Computed *selection : llvm::reverse(selections)) {
    std::string leak = findLeak(*selection);
    if (!leak.empty())
      diags
          .warning(selection->range,
                   "this choice looks ahead of the query in a causal mask: " +
                       leak)
          .note(loop.mask->place, "the mask hides what is after the query");
  }
}

} // namespace rapt::frontend
