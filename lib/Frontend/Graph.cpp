// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Computed.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/bit.h"
#include <cstdio>
#include <cstdlib>

namespace rapt::frontend {

std::string Interval::str() const {
  auto print = [](Int value) {
    if (value == 0)
      return std::string("0");
    bool isNegative = value < 0;
    std::string digits;
    for (unsigned __int128 rest = isNegative ? -value : value; rest; rest /= 10)
      digits.insert(digits.begin(), static_cast<char>('0' + rest % 10));
    return isNegative ? "-" + digits : digits;
  };
  return print(low) + " .. " + print(high);
}

static uint8_t getOwnPlaces(const Node &node) {
  switch (node.op) {
  case Op::Batch:
    return VariesBatch;
  case Op::Head:
    return VariesHead;
  case Op::Share:
    return node.name == "kv_heads" ? VariesKeyHead : VariesGroup;
  case Op::Row:
  case Op::QueryPosition:
    return VariesQuery;
  case Op::KeyPosition:
    return VariesKey;
  case Op::Carry:
  case Op::State:
    return VariesBatch | VariesHead | VariesKey;
  case Op::Carried:
    return VariesPair;
  case Op::RoleValue:
    return VariesBatch | VariesHead | VariesPair;
  default:
    return 0;
  }
}

const SequenceAxis *SequenceAxis::any() {
  static const SequenceAxis axis;
  return &axis;
}

/// Takes over what an operand varies over on one side.
static void mergeAxis(Node &node, Node *&origin, Node *operand, Varies side,
                      const SequenceAxis *Node::*axis) {
  if (!operand->variesOver(side))
    return;
  const SequenceAxis *own = operand->*axis, *any = SequenceAxis::any();
  if (!origin || node.*axis == any) {
    origin = operand;
    node.*axis = own;
  } else if (own != any && own != node.*axis && !node.conflict.first) {
    node.conflict = {origin, operand};
  }
}

Node *Graph::intern(Node node) {
  node.varies = getOwnPlaces(node);
  node.queryAxis = node.varies & VariesQuery ? node.sequence : nullptr;
  node.keyAxis = node.varies & VariesKey ? node.sequence : nullptr;
  if (node.op == Op::RoleValue)
    node.queryAxis = node.keyAxis = SequenceAxis::any();
  node.conflict = {};
  Node *queryOrigin = nullptr, *keyOrigin = nullptr;
  node.hasRows = !node.features.empty();
  node.depth = 0;
  for (Node *operand : node.operands) {
    if (!operand)
      continue;
    node.varies |= operand->varies;
    node.hasRows |= operand->hasRows;
    mergeAxis(node, queryOrigin, operand, VariesQuery, &Node::queryAxis);
    mergeAxis(node, keyOrigin, operand, VariesKey, &Node::keyAxis);
    node.depth = std::max(node.depth, operand->depth + 1);
  }
  if (node.op == Op::KeySum) {
    node.varies &= ~VariesKey;
    node.keyAxis = nullptr;
  }
  if (node.op == Op::At) {
    // The key that it is computed for is not the one it is read at.
    const Node *running = node.operands[0], *index = node.operands[1];
    node.varies = (running->varies & ~VariesKey) | index->varies;
    node.keyAxis = index->keyAxis;
    node.conflict = {};
  }

  auto number = [&](const std::string &name) {
    return names.try_emplace(name, names.size()).first->second;
  };
  std::vector<int64_t> key{static_cast<int64_t>(node.op),
                           static_cast<int64_t>(node.scalar),
                           node.isQuotient,
                           node.integer,
                           llvm::bit_cast<int64_t>(node.real),
                           reinterpret_cast<intptr_t>(node.input),
                           reinterpret_cast<intptr_t>(node.sequence),
                           number(node.name)};
  for (const Feature &feature : node.features) {
    key.push_back(number(feature.name));
    key.push_back(feature.extent);
  }
  key.push_back(-2); // ends the list of features
  for (Node *operand : node.operands)
    key.push_back(operand ? operand->id : -1);
  for (double value : node.row)
    key.push_back(llvm::bit_cast<int64_t>(value));

  auto [entry, isNew] = known.try_emplace(std::move(key), nullptr);
  if (isNew) {
    node.id = nodes.size();
    nodes.push_back(std::move(node));
    entry->second = &nodes.back();
  }
  return entry->second;
}

std::optional<unsigned> findAlong(const Node &matrix, const Feature &feature) {
  std::optional<unsigned> found;
  auto match = [&](llvm::function_ref<bool(const Feature &)> isMatch) {
    unsigned count = 0;
    for (auto [d, own] : llvm::enumerate(matrix.features))
      if (isMatch(own)) {
        found = d;
        ++count;
      }
    if (count > 1)
      found = std::nullopt;
    return count > 0;
  };
  auto hasOtherExtent = [&](const Feature &own) {
    return own.isKnown() && feature.isKnown() && own.extent != feature.extent;
  };
  if (!feature.name.empty() && match([&](const Feature &own) {
        return own.name == feature.name && !hasOtherExtent(own);
      }))
    return found;
  match([&](const Feature &own) {
    return (own.name.empty() || feature.name.empty()) && !hasOtherExtent(own);
  });
  return found;
}

std::string describe(const Feature &feature) {
  if (feature.isKnown() && !feature.name.empty())
    return feature.name + " (" + std::to_string(feature.extent) + ")";
  if (feature.isKnown())
    return std::to_string(feature.extent);
  return feature.name.empty() ? "unknown extent" : feature.name;
}

std::string describe(const Node &node) {
  static const char *const one[] = {"nothing", "a boolean", "an integer",
                                    "a real number", "a set"};
  static const char *const many[] = {"nothing", "booleans", "integers",
                                     "real numbers", "sets"};
  unsigned kind = static_cast<unsigned>(node.scalar);
  if (node.isScalar())
    return one[kind];
  std::string text = node.isRow() ? "a row of " : "a matrix of ";
  llvm::interleave(
      node.features, [&](const Feature &f) { text += describe(f); },
      [&] { text += " x "; });
  return text + " " + many[kind];
}

std::string printConstant(const Node &node) {
  if (node.op != Op::Real)
    return std::to_string(node.integer);
  // The shortest text that reads back as the same number.
  char text[32];
  for (int digits = 1; digits <= 17; ++digits) {
    snprintf(text, sizeof(text), "%.*g", digits, node.real);
    if (std::strtod(text, nullptr) == node.real)
      break;
  }
  return text;
}

std::string describeAxis(const SequenceAxis *axis, bool isQuery) {
  return axis ? axis->name : isQuery ? "queries" : "keys";
}

const SequenceAxis *Program::getWindows(bool isQuery, const SequenceAxis *base,
                                        int64_t size, int64_t stride) {
  // Blocks of blocks are blocks.
  bool areBlocks = size == stride;
  while (areBlocks && base && base->kind == SequenceAxis::Kind::Windows &&
         base->size == base->stride) {
    size *= base->size;
    stride = size;
    base = base->base;
  }
  for (const SequenceAxis &axis : sequences)
    if (axis.kind == SequenceAxis::Kind::Windows && axis.isQuery == isQuery &&
        axis.base == base && axis.size == size && axis.stride == stride)
      return &axis;
  SequenceAxis &axis = sequences.emplace_back();
  axis.isQuery = isQuery;
  axis.base = base;
  axis.size = size;
  axis.stride = stride;
  axis.name = (areBlocks ? "blocks of " : "windows of ") +
              std::to_string(size) + " " +
              (base      ? "(" + base->name + ")"
               : isQuery ? "queries"
                         : "keys");
  if (!areBlocks)
    axis.name += ", one every " + std::to_string(stride);
  return &axis;
}

const SequenceAxis *Program::getFeatureAxis(bool isQuery,
                                            const Feature &feature) {
  std::string name =
      feature.name.empty() ? std::to_string(feature.extent) : feature.name;
  for (const SequenceAxis &axis : sequences)
    if (axis.kind == SequenceAxis::Kind::Features && axis.name == name &&
        axis.isQuery == isQuery)
      return &axis;
  SequenceAxis &axis = sequences.emplace_back();
  axis.kind = SequenceAxis::Kind::Features;
  axis.isQuery = isQuery;
  axis.name = name;
  axis.extent = feature.extent;
  return &axis;
}

const SequenceAxis *Program::getValueAxis() {
  for (const SequenceAxis &axis : sequences)
    if (axis.kind == SequenceAxis::Kind::Values)
      return &axis;
  SequenceAxis &axis = sequences.emplace_back();
  axis.kind = SequenceAxis::Kind::Values;
  axis.name = "values";
  return &axis;
}

const InputTensor *Program::findInput(llvm::StringRef name) const {
  for (const InputTensor &input : inputs)
    if (input.name == name)
      return &input;
  return nullptr;
}

void walk(Node *node, llvm::function_ref<void(Node *)> visit) {
  llvm::SmallPtrSet<Node *, 32> visited;
  llvm::SmallVector<Node *> pending{node};
  while (!pending.empty()) {
    Node *next = pending.pop_back_val();
    if (!next || !visited.insert(next).second)
      continue;
    visit(next);
    llvm::append_range(pending, next->operands);
  }
}

void walkAll(Node *node, llvm::function_ref<void(Node *)> visit) {
  llvm::SmallPtrSet<Node *, 32> visited;
  llvm::SmallVector<Node *> pending{node};
  while (!pending.empty()) {
    Node *next = pending.pop_back_val();
    if (!next || !visited.insert(next).second)
      continue;
    visit(next);
    llvm::append_range(pending, next->operands);
    if (next->op == Op::Read && next->input->computed)
      next->input->computed->collectNodes(pending);
  }
}

} // namespace rapt::frontend
