// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Computed.h"
#include <tuple>

namespace rapt::frontend {

llvm::SmallVector<Node *> Loop::getParts() const {
  llvm::SmallVector<Node *> parts;
  for (Node *part : {mask, score, factor, sink, values, out})
    if (part)
      parts.push_back(part);
  for (const RecurrentState &state : states)
    parts.append({state.initial, state.after});
  return parts;
}

Program::Program() = default;
Program::~Program() = default;

void Computed::collectNodes(llvm::SmallVectorImpl<Node *> &nodes) const {
  for (Node *node : {value, weights, where, force, limit, by, into})
    if (node)
      nodes.push_back(node);
  if (loop)
    nodes.append(loop->getParts());
  for (const Computed *part : parts)
    part->collectNodes(nodes);
}

const Computed *getLseSource(const Program &program) {
  const Node *out = program.out;
  if (out->op != Op::Read || !out->input->computed || !out->isRow() ||
      !out->variesOver(VariesHead) || out->queryAxis)
    return nullptr;
  const Computed *computed = out->input->computed;
  bool isSoftmax =
      computed->kind == Computed::Kind::Merge ||
      (computed->kind == Computed::Kind::Result && computed->loop->keySum &&
       computed->loop->kind == WeightKind::Softmax &&
       computed->loop->score->isScalar());
  return isSoftmax ? computed : nullptr;
}

bool Computed::computesSame(const Computed &other) const {
  auto getKey = [](const Computed &c) {
    return std::tie(c.kind, c.value, c.weights, c.where, c.force, c.limit, c.by,
                    c.into, c.pooling, c.selection, c.reduction, c.over, c.from,
                    c.to, c.isOverQueries, c.loop, c.parts);
  };
  return getKey(*this) == getKey(other);
}

} // namespace rapt::frontend
