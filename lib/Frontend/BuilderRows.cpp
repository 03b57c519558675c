// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Operations on rows, and those of the pairwise loop.

#include "lib/Frontend/Builder.h"

namespace rapt::frontend {

Node *Builder::dot(Operand a, Operand b, SourceRange range) {
  if (b.node->isMatrix())
    return vecMat(a, b, range);
  if (a.node->isMatrix())
    return error(a.range, "expected a row, found " + describe(*a.node) +
                              "; matmul(M, row) takes a matrix first");
  bool isFine = expectRow(a);
  if (!expectRow(b) || !isFine)
    return poison();
  Feature common;
  if (!matchFeatures(a, b, common))
    return poison();
  Node node;
  node.op = Op::Dot;
  node.scalar = Scalar::Real;
  node.operands = {toReal(a), toReal(b)};
  // dot(q, k) and dot(k, q) are one product.
  if (node.operands[0]->id > node.operands[1]->id)
    std::swap(node.operands[0], node.operands[1]);
  return make(std::move(node), range);
}

Node *Builder::matVec(Operand matrix, Operand row, SourceRange range) {
  if (matrix.node->isPoison() || row.node->isPoison())
    return poison();
  if (matrix.node->features.size() != 2)
    return error(matrix.range,
                 "expected a matrix, found " + describe(*matrix.node));
  // Every row of a matrix [R, C] is multiplied: [R, the matrix's rows].
  bool areRows = row.node->features.size() == 2;
  if (!areRows && !expectRow(row))
    return poison();
  if (matrix.node->scalar != Scalar::Real)
    return error(matrix.range, "expected a matrix of real numbers, found " +
                                   describe(*matrix.node));
  // The last axis of the matrix is contracted.
  Node last = *matrix.node;
  last.features.erase(last.features.begin());
  Feature common;
  Node contracted = *row.node;
  if (areRows)
    contracted.features.erase(contracted.features.begin());
  if (!matchFeatures({&last, matrix.range}, {&contracted, row.range}, common))
    return poison();
  Node node;
  node.op = Op::MatVec;
  node.scalar = Scalar::Real;
  if (areRows)
    node.features.push_back(row.node->features.front());
  node.features.push_back(matrix.node->features.front());
  node.operands = {matrix.node, toReal(row)};
  return make(std::move(node), range);
}

Node *Builder::vecMat(Operand row, Operand matrix, SourceRange range) {
  if (!expectRow(row))
    return poison();
  // The first axis of the matrix is contracted.
  Node first = *matrix.node;
  first.features.pop_back();
  Feature common;
  if (!matchFeatures(row, {&first, matrix.range}, common))
    return poison();
  Node node;
  node.op = Op::VecMat;
  node.scalar = Scalar::Real;
  node.features.push_back(matrix.node->features.back());
  node.operands = {toReal(row), toReal(matrix)};
  return make(std::move(node), range);
}

Node *Builder::outer(Operand a, Operand b, SourceRange range) {
  bool isFine = expectRow(a);
  if (!expectRow(b) || !isFine)
    return poison();
  Node node;
  node.op = Op::Outer;
  node.scalar = Scalar::Real;
  node.features = {a.node->features.front(), b.node->features.front()};
  node.operands = {toReal(a), toReal(b)};
  return make(std::move(node), range);
}

Node *Builder::state(llvm::StringRef name, llvm::ArrayRef<Feature> features) {
  Node node;
  node.op = Op::State;
  node.scalar = Scalar::Real;
  node.name = name.str();
  node.features.assign(features.begin(), features.end());
  return graph.intern(std::move(node));
}

Node *Builder::readState(const InputTensor &input,
                         llvm::ArrayRef<Feature> features) {
  Node node;
  node.op = Op::Read;
  node.scalar = Scalar::Real;
  node.input = &input;
  node.place = input.range;
  for (unsigned d = 0; d < 2; ++d) {
    Node *index = getOwnIndex(input, d);
    node.operands.push_back(index ? index : integer(0));
  }
  node.operands.append(features.size(), nullptr);
  node.features.assign(features.begin(), features.end());
  return graph.intern(std::move(node));
}

Node *Builder::carry(llvm::StringRef name, llvm::ArrayRef<Feature> features) {
  Node node = *state(name, features);
  node.op = Op::Carry;
  return graph.intern(std::move(node));
}

Node *Builder::carried(Node *initial, Node *step, SourceRange range) {
  Node node;
  node.op = Op::Carried;
  node.scalar = Scalar::Real;
  node.features = initial->features;
  node.operands = {initial, step};
  return make(std::move(node), range);
}

Node *Builder::cumSum(Operand x, SourceRange range) {
  x.node = toReal(x);
  if (x.node->isPoison())
    return poison();
  if (!x.node->variesOver(VariesKey) || x.node->variesOver(VariesQuery))
    return error(x.range, "expected what varies over keys and not over "
                          "queries, found " +
                              describe(*x.node));
  const Node *step = nullptr;
  walk(x.node, [&](Node *below) {
    if (below->op == Op::State || below->op == Op::Carry ||
        below->op == Op::Carried || below->op == Op::RoleValue)
      step = below;
  });
  if (step)
    return error(
        x.range,
        "a running sum is computed before any loop and "
        "cannot read what changes in one" +
            (step->name.empty() ? std::string() : ", as '" + step->name + "'"));
  if (x.node->isMatrix())
    return error(x.range, "expected a number or a row of each key, found " +
                              describe(*x.node) + "; a state sums matrices");
  Node node;
  node.op = Op::CumSum;
  node.scalar = Scalar::Real;
  node.features = x.node->features;
  node.operands = {x.node};
  return make(std::move(node), range);
}

Node *Builder::reduce(Op op, Operand row) {
  if (row.node->features.size() > 1)
    return error(row.range, "expected a row, found " + describe(*row.node) +
                                "; dot(x, M) sums along its first axis, "
                                "matmul(M, x) along its last");
  if (!expectRow(row) || !expectNumber(row))
    return poison();
  const Feature &feature = row.node->features.front();
  Node node;
  node.op = op;
  node.scalar = row.node->scalar;
  node.operands = {row.node};
  node.range = row.node->range;
  if (op == Op::ReduceAdd) {
    // As long as the extent is not known nothing is concluded from the range.
    Interval all = Interval::ofBits(64);
    node.range = feature.isKnown() ? node.range * Interval::of(feature.extent)
                                   : Interval{all.low + 1, all.high};
    if (node.scalar == Scalar::Integer && !node.range.fits(64))
      return error(row.range,
                   "sum may not fit 64 bits, its range is " + node.range.str());
  }
  if (op == Op::ReduceArgmax) {
    node.scalar = Scalar::Integer;
    node.range = {0, feature.isKnown()
                         ? std::max<int64_t>(feature.extent, 1) - 1
                         : maxLength - 1};
  }
  return make(std::move(node), row.range);
}

Node *Builder::slice(Operand row, int64_t begin, int64_t end) {
  if (row.node->features.size() > 1)
    return error(row.range, "expected a row to cut, found " +
                                describe(*row.node) +
                                "; a subscript for each axis names its rows");
  if (!expectRow(row))
    return poison();
  const Feature &feature = row.node->features.front();
  if (begin < 0 || end <= begin || (feature.isKnown() && end > feature.extent))
    return error(row.range,
                 "cut " + llvm::Twine(begin) + ":" + llvm::Twine(end) +
                     " is not a part of the features " + describe(feature));
  if (begin == 0 && end == feature.extent)
    return row.node;
  Node node;
  node.op = Op::Slice;
  node.scalar = row.node->scalar;
  node.range = row.node->range;
  node.integer = begin;
  node.features.push_back({"", end - begin});
  node.operands = {row.node};
  return make(std::move(node), row.range);
}

Node *Builder::concat(llvm::ArrayRef<Operand> rows, SourceRange range) {
  bool isFine = true;
  bool hasReal = false, hasBoolean = false;
  for (const Operand &row : rows) {
    isFine &= expectRow(row);
    hasReal |= row.node->scalar == Scalar::Real;
    hasBoolean |= row.node->scalar == Scalar::Boolean;
  }
  if (!isFine)
    return poison();
  Node node;
  node.op = Op::Concat;
  node.scalar = rows.front().node->scalar;
  node.range = rows.front().node->range;
  Feature feature{"", 0};
  for (Operand row : rows) {
    if (hasBoolean ? !expectBoolean(row) : !expectNumber(row))
      return poison();
    Node *part = hasReal ? toReal(row) : row.node;
    node.operands.push_back(part);
    node.scalar = part->scalar;
    node.range = node.range.join(part->range);
    const Feature &own = row.node->features.front();
    feature.extent =
        feature.isKnown() && own.isKnown() ? feature.extent + own.extent : -1;
  }
  if (rows.size() == 1)
    return rows.front().node;
  node.features.push_back(feature);
  return make(std::move(node), range);
}

Node *Builder::rename(Operand row, llvm::StringRef name) {
  if (!expectRow(row))
    return poison();
  if (row.node->features.front().name == name)
    return row.node;
  Node node;
  node.op = Op::Rename;
  node.scalar = row.node->scalar;
  node.range = row.node->range;
  node.features = row.node->features;
  node.features.front().name = name.str();
  node.operands = {row.node};
  return make(std::move(node), row.range);
}

Node *Builder::keyReduction(Op op, llvm::ArrayRef<Node *> operands,
                            double epsilon, SourceRange range) {
  Node node;
  node.op = op;
  node.scalar = Scalar::Real;
  node.features = operands.front()->features;
  node.operands.assign(operands.begin(), operands.end());
  node.real = epsilon;
  return make(std::move(node), range);
}

Node *Builder::uniform(Operand seed, SourceRange range) {
  if (!expectInteger(seed, "an integer seed"))
    return poison();
  Node node;
  node.op = Op::Uniform;
  node.scalar = Scalar::Real;
  node.operands = {seed.node, place(Op::Batch), place(Op::Head),
                   place(Op::QueryPosition), place(Op::KeyPosition)};
  return make(std::move(node), range);
}

} // namespace rapt::frontend
