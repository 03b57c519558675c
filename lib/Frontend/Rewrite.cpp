// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The same expression at another place: of another key, of one feature, or with
// the value of a role filled in. Everything is made anew by the builder, so
// ranges and constants follow.

#include "lib/Frontend/Builder.h"

namespace rapt::frontend {

Node *Builder::rebuild(const Node *node, llvm::ArrayRef<Node *> operands) {
  auto operand = [&](unsigned n) { return Operand{operands[n], node->place}; };
  switch (node->op) {
  case Op::Add:
  case Op::Sub:
  case Op::Mul:
  case Op::Minimum:
  case Op::Maximum:
    return arithmetic(node->op, operand(0), operand(1));
  case Op::FloorDivide:
  case Op::Divide:
    return divide(operand(0), operand(1));
  case Op::Modulo:
    return modulo(operand(0), operand(1));
  case Op::Negate:
    return negate(operand(0));
  case Op::Absolute:
    return absolute(operand(0));
  case Op::Select:
    return select(operand(0), operand(1), operand(2));
  case Op::Xor:
    return exclusiveOr(operand(0), operand(1));
  case Op::Log2Floor:
    return log2Floor(operand(0));
  case Op::And:
  case Op::Or:
    return logical(node->op, operand(0), operand(1));
  case Op::Not:
    return logicalNot(operand(0));
  case Op::Equal:
    return compare(CompareOp::Eq, operand(0), operand(1));
  case Op::NotEqual:
    return compare(CompareOp::Ne, operand(0), operand(1));
  case Op::Less:
    return compare(CompareOp::Lt, operand(0), operand(1));
  case Op::LessEqual:
    return compare(CompareOp::Le, operand(0), operand(1));
  case Op::Greater:
    return compare(CompareOp::Gt, operand(0), operand(1));
  case Op::GreaterEqual:
    return compare(CompareOp::Ge, operand(0), operand(1));
  case Op::Exp:
  case Op::ExpM1:
  case Op::Log:
  case Op::Log1P:
  case Op::Sqrt:
  case Op::Tanh:
  case Op::Sin:
  case Op::Cos:
  case Op::Acos:
    return realFunction(node->op, operand(0));
  case Op::Power:
    return power(operand(0), operand(1), node->place);
  case Op::RealFromInteger:
    return toReal(operand(0));
  case Op::FloorToInteger:
    return floor(operand(0));
  case Op::IntegerFromBoolean:
    return toInteger(operand(0));
  case Op::Dot:
    return dot(operand(0), operand(1), node->place);
  case Op::ReduceAdd:
  case Op::ReduceMax:
  case Op::ReduceMin:
  case Op::ReduceArgmax:
    return reduce(node->op, operand(0));
  case Op::Slice:
    return slice(operand(0), node->integer,
                 node->integer + node->features.front().extent);
  case Op::Concat: {
    llvm::SmallVector<Operand> rows;
    for (Node *row : operands)
      rows.push_back({row, node->place});
    return concat(rows, node->place);
  }
  case Op::KeySoftmax:
  case Op::KeyNormalize:
    return keyReduction(node->op, operands, node->real, node->place);
  default: {
    // Nothing of its type depends on the places of its operands.
    Node copy = *node;
    copy.operands.assign(operands.begin(), operands.end());
    return make(std::move(copy), node->place);
  }
  }
}

Node *Builder::rewrite(Node *node, Replacement &replaced) {
  if (auto known = replaced.find(node); known != replaced.end())
    return known->second;
  // What runs over the keys is the same at every place, only read elsewhere.
  if (node->isRunning()) {
    Operand index{place(Op::KeyPosition), node->place};
    if (node->op == Op::At)
      index.node = node->operands[1];
    index.node = rewrite(index.node, replaced);
    return replaced[node] = readAt(node, index);
  }
  llvm::SmallVector<Node *> operands;
  bool isChanged = false;
  for (Node *operand : node->operands) {
    operands.push_back(operand ? rewrite(operand, replaced) : nullptr);
    isChanged |= operands.back() != operand;
  }
  Node *result = isChanged ? rebuild(node, operands) : node;
  // floor(a / b) stays a deliberate quotient.
  if (result->isQuotient && !node->isQuotient)
    result = floor({result, node->place});
  replaced[node] = result;
  return result;
}

Node *Builder::startAt(Node *node, Node *start) {
  // What is read at its own place stays there.
  Replacement replaced;
  auto isPlace = [](const Node *index) {
    return index->op == Op::KeyPosition || index->op == Op::Row;
  };
  Node *earlier = nullptr;
  walk(node, [&](Node *below) {
    if (below->isRunning() || below->op == Op::Length)
      earlier = below;
    if (below->op != Op::Read)
      return;
    bool isOwn = true;
    for (auto [axis, index] : llvm::zip(below->input->axes, below->operands))
      if (axis.name == "keys" || axis.name == "queries")
        isOwn &= index && isPlace(index);
    if (!isOwn)
      earlier = below;
    bool isMoved = false;
    for (auto [axis, index] : llvm::zip(below->input->axes, below->operands))
      isMoved |= index && axis.name != "keys" && axis.name != "queries" &&
                 index->variesOver(VariesPair);
    if (isOwn && !isMoved)
      replaced[below] = below;
    else if (isMoved)
      earlier = below;
  });
  if (earlier)
    return notCompiled(earlier->place,
                       "going on from given states where " +
                           llvm::Twine(earlier->op == Op::Length
                                           ? "a length is used"
                                           : "other tokens are read"));
  for (Op op : {Op::KeyPosition, Op::QueryPosition})
    replaced[place(op)] =
        arithmetic(Op::Add, {place(op), node->place}, {start, node->place});
  return rewrite(node, replaced);
}

/// A running value at another key; zero outside the sequence.
Node *Builder::readAt(Node *node, Operand index) {
  Node *running = node->op == Op::At ? node->operands[0] : node;
  if (index.node->op == Op::KeyPosition)
    return running;
  if (index.node->isPoison())
    return poison();
  Node result = *running;
  result.op = Op::At;
  result.operands = {running, index.node};
  return make(std::move(result), index.range);
}

Node *Builder::replaceRole(Node *node, RoleKind role, Node *value) {
  Replacement replaced{{roleValue(role), value}};
  return rewrite(node, replaced);
}

Node *Builder::atKey(Node *node, Operand index) {
  if (node->isPoison() || index.node->isPoison())
    return poison();
  Node *own = place(Op::KeyPosition, node->keyAxis);
  if (!node->variesOver(VariesKey) || index.node == own)
    return node;
  for (RoleKind role : {RoleKind::Mask, RoleKind::Score, RoleKind::Weight})
    if (replaceRole(node, role, poison())->isPoison())
      return error(
          index.range,
          llvm::Twine("'") + spelling(role) + "' is that of the present pair" +
              (role == RoleKind::Weight ? "" : " where it is not given above") +
              "; expected no subscript");
  bool readsState = false, isCarried = false;
  walk(node, [&](Node *below) {
    readsState |= below->op == Op::State;
    isCarried |= below->op == Op::Carried;
  });
  if (isCarried)
    return error(index.range, "a carried row is that of the present pair; "
                              "expected no subscript");
  if (readsState)
    return error(index.range, "a state has one value at a time, the present "
                              "one; expected no subscript");
  Replacement replaced{{own, index.node}};
  Node *value = rewrite(node, replaced);
  if (value->isPoison() || node->isRunning())
    return value;

  // Outside the sequence a value is zero. An input over keys reads as zero by
  // itself.
  if (node->op == Op::Read && llvm::is_contained(node->operands, own))
    return value;
  Operand inside{boolean(true), index.range};
  if (index.node->range.low < 0)
    inside.node = compare(CompareOp::Ge, index, {integer(0), index.range});
  // No query stands after the last key.
  if (index.node->op != Op::QueryPosition || node->keyAxis) {
    Operand length{axisLength(node->keyAxis, index.range), index.range};
    Operand before{compare(CompareOp::Lt, index, length), index.range};
    inside.node = logical(Op::And, inside, before);
  }
  return zeroUnless(inside, {value, index.range});
}

Node *Builder::atQuery(Node *node, Operand index) {
  Node *own = place(Op::Row, node->queryAxis);
  if (node->isPoison() || index.node == own)
    return node;
  Replacement replaced{{own, index.node}};
  Node *value = rewrite(node, replaced);
  Operand inside{boolean(true), index.range};
  if (index.node->range.low < 0)
    inside.node = compare(CompareOp::Ge, index, {integer(0), index.range});
  Operand length{axisLength(node->queryAxis, index.range), index.range};
  Operand before{compare(CompareOp::Lt, index, length), index.range};
  inside.node = logical(Op::And, inside, before);
  return zeroUnless(inside, {value, index.range});
}

Node *Builder::queryAtKey(Node *node, SourceRange range) {
  Operand j{place(Op::KeyPosition), range};
  Operand sum{arithmetic(Op::Add, j, {extent(Op::Length, "queries"), range}),
              range};
  Operand row{arithmetic(Op::Sub, sum, {extent(Op::Length, "keys"), range}),
              range};
  Replacement replaced{{place(Op::Row), row.node},
                       {place(Op::QueryPosition), j.node}};
  Node *value = rewrite(node, replaced);
  // A tensor over queries reads as zero by itself.
  if (node->op == Op::Read &&
      llvm::is_contained(node->operands, place(Op::Row)))
    return value;
  Operand inside{compare(CompareOp::Ge, row, {integer(0), range}), range};
  return zeroUnless(inside, {value, range});
}

Node *
Builder::replace(Node *node,
                 llvm::ArrayRef<std::pair<const Node *, Node *>> replacements) {
  Replacement replaced;
  for (auto [old, value] : replacements)
    replaced[old] = value;
  return rewrite(node, replaced);
}

Node *Builder::rowAt(Node *matrix, Node *index, SourceRange range) {
  if (matrix->isPoison() || index->isPoison() || matrix->features.size() != 2)
    return matrix;
  switch (matrix->op) {
  case Op::Read: {
    Node copy = *matrix;
    copy.features.erase(copy.features.begin());
    *llvm::find(copy.operands, nullptr) = index;
    return make(std::move(copy), range);
  }
  case Op::MatVec:
    // A matrix of rows, each of which is multiplied.
    return matVec({matrix->operands[0], range},
                  {rowAt(matrix->operands[1], index, range), range}, range);
  case Op::Deferred: {
    llvm::SmallVector<Node *> operands{matrix, index};
    return deferred(matrix->scalar, matrix->features.back(), operands);
  }
  case Op::Outer:
    return arithmetic(Op::Mul,
                      {elementAt(matrix->operands[0], index, range), range},
                      {matrix->operands[1], range});
  default: {
    if (matrix->operands.empty())
      return notCompiled(range, "rows of " + describe(*matrix));
    llvm::SmallVector<Node *> operands;
    for (Node *operand : matrix->operands) {
      // A row that runs along the first axis gives one number.
      bool isAlong = operand->isRow() &&
                     findAlong(*matrix, operand->features.front()) == 0u;
      operands.push_back(isAlong ? elementAt(operand, index, range)
                                 : rowAt(operand, index, range));
      if (operands.back()->isPoison())
        return poison();
    }
    return rebuild(matrix, operands);
  }
  }
}

Node *Builder::shiftQueries(Node *node, Operand steps) {
  if (node->isPoison() || steps.node->isPoison())
    return poison();
  SourceRange range = steps.range;
  const Node *unfit = nullptr;
  walk(node, [&](Node *below) {
    bool isLoop = below->op == Op::RoleValue || below->op == Op::KeySum ||
                  below->op == Op::KeySoftmax || below->op == Op::KeyNormalize;
    if (isLoop || (below->op == Op::Read && below->queryAxis))
      unfit = below;
  });
  if (unfit || node->queryAxis)
    return notCompiled(range, "shift of what a loop gives each query");
  auto shift = [&](Op op) {
    return arithmetic(Op::Sub, {place(op), range}, steps);
  };
  Operand row{shift(Op::Row), range};
  Replacement replaced{{place(Op::Row), row.node},
                       {place(Op::QueryPosition), shift(Op::QueryPosition)}};
  Node *value = rewrite(node, replaced);
  if (value->isPoison())
    return value;
  // An input over queries reads as zero outside by itself.
  if (node->op == Op::Read &&
      llvm::is_contained(node->operands, place(Op::Row)))
    return value;
  Operand zero{integer(0), range};
  Operand length{extent(Op::Length, "queries"), range};
  Operand inside{boolean(true), range};
  if (row.node->range.low < 0)
    inside.node = compare(CompareOp::Ge, row, zero);
  Operand isBelow{compare(CompareOp::Lt, row, length), range};
  inside.node = logical(Op::And, inside, isBelow);
  return zeroUnless(inside, {value, range});
}

Node *Builder::zeroUnless(Operand inside, Operand value) {
  if (value.node->isPoison())
    return value.node;
  Node *zero = value.node->scalar == Scalar::Boolean   ? boolean(false)
               : value.node->scalar == Scalar::Integer ? integer(0)
                                                       : real(0);
  if (inside.node->op == Op::Boolean && inside.node->integer)
    return value.node;
  return select(inside, value, {zero, value.range});
}

Node *Builder::elementAt(Node *row, Node *index, SourceRange range) {
  if (row->isPoison() || index->isPoison())
    return poison();
  if (row->isScalar())
    return row;
  bool isConstant = index->op == Op::Integer;
  Operand at{index, range};
  switch (row->op) {
  case Op::Read: {
    Node copy = *row;
    copy.features.clear();
    for (Node *&operand : copy.operands)
      if (!operand)
        operand = index;
    return make(std::move(copy), range);
  }
  case Op::RealRow:
    if (!isConstant)
      return notCompiled(range, "a computed subscript of a constant row");
    return real(index->integer >= 0 &&
                        index->integer < static_cast<int64_t>(row->row.size())
                    ? row->row[index->integer]
                    : 0);
  case Op::Rename:
    return elementAt(row->operands.front(), index, range);
  case Op::Slice:
    return elementAt(row->operands.front(),
                     arithmetic(Op::Add, at, {integer(row->integer), range}),
                     range);
  case Op::Concat: {
    if (!isConstant)
      return notCompiled(range, "a computed subscript of joined rows");
    int64_t rest = index->integer;
    for (Node *part : row->operands) {
      int64_t extent = part->features.front().extent;
      if (rest < extent)
        return elementAt(part, integer(rest), range);
      rest -= extent;
    }
    return poison();
  }
  case Op::CumSum:
    return cumSum({elementAt(row->operands[0], index, range), range}, range);
  case Op::At: {
    Node *running = elementAt(row->operands[0], index, range);
    return running->isPoison() ? running
                               : readAt(running, {row->operands[1], range});
  }
  case Op::Carry:
  case Op::Carried:
  case Op::State:
  case Op::VecMat:
    return notCompiled(range, "a subscript of " + describe(*row));
  case Op::MatVec: {
    if (row->operands[0]->op != Op::Read)
      return notCompiled(range, "a subscript of " + describe(*row));
    Node matrix = *row->operands[0];
    // The first kept dimension is the index of the result.
    *llvm::find(matrix.operands, nullptr) = index;
    matrix.features.erase(matrix.features.begin());
    return dot({make(std::move(matrix), range), range},
               {row->operands[1], range}, range);
  }
  case Op::KeySum:
    return notCompiled(range, "a subscript of the sum over keys");
  case Op::Deferred:
    return deferred(row->scalar, {}, {row, index});
  default: {
    // Everything else works element by element.
    llvm::SmallVector<Node *> operands;
    for (Node *operand : row->operands)
      operands.push_back(elementAt(operand, index, range));
    if (llvm::any_of(operands, [](Node *node) { return node->isPoison(); }))
      return poison();
    Node *element = rebuild(row, operands);
    return element->isQuotient && !row->isQuotient ? floor({element, range})
                                                   : element;
  }
  }
}

} // namespace rapt::frontend
