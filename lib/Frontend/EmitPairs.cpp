// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A loop over pairs becomes one attn.attend. Its operands are inputs where they
// can be, else maps over one side; what is one number per row but needs rows to
// compute is a map with one feature, captured.

#include "lib/Frontend/SpecEmitter.h"

using namespace mlir;

namespace rapt::frontend {

using attn::Side;

//===----------------------------------------------------------------------===//
// Planning
//===----------------------------------------------------------------------===//

/// Short sums over the features of rows that vary over pairs are written out:
/// a kernel has no place to keep such a row. One feature of the first half, one
/// of the second, in turn: a rotation computes both from the same values, which
/// so need not be kept for long, and neither do those of neighbours.
bool SpecEmitter::planExpansion(Node *node, RegionPlan &plan) {
  Op op = node->op == Op::ReduceMax   ? Op::Maximum
          : node->op == Op::ReduceMin ? Op::Minimum
                                      : Op::Add;
  Operand result{nullptr, node->place};
  int64_t extent = node->operands[0]->features.front().extent;
  int64_t half = (extent + 1) / 2;
  for (int64_t n = 0; n < extent; ++n) {
    int64_t d = n / 2 + n % 2 * half;
    auto element = [&](unsigned n) {
      return Operand{
          nodes.elementAt(node->operands[n], nodes.integer(d), node->place),
          node->place};
    };
    Operand next = element(0);
    if (node->op == Op::Dot)
      next.node = nodes.arithmetic(Op::Mul, next, element(1));
    result.node = result.node ? nodes.arithmetic(op, result, next) : next.node;
  }
  if (result.node->isPoison())
    return false;
  plan.expanded[node] = result.node;
  return planPair(result.node, plan);
}

/// What varies over one side at most is computed once per row, and captured.
void SpecEmitter::hoist(Node *node, RegionPlan &plan) {
  bool isKey = node->variesOver(VariesKey);
  Side side = isKey ? Side::Keys : Side::Queries;
  const SequenceAxis *axis = isKey ? node->keyAxis : node->queryAxis;
  Value tensor = getMap(node, side, axis);
  const Node *position = nodes.place(isKey ? Op::KeyPosition : Op::Row, axis);
  if (!node->variesOver(VariesPair) && !plan.isOverTokens)
    position = nodes.integer(0);
  plan.hoisted[node] = {static_cast<unsigned>(plan.captures.size()),
                        {{}, getHeadAxis(node->varies), position}};
  plan.captures.push_back(tensor);
}

/// Whether elementAt() can take every row below apart.
static bool canExpand(const Node *node) {
  for (const Node *row : node->operands) {
    if (!row || row->isScalar())
      continue;
    if (row->features.size() != 1 || row->features.front().extent > 64)
      return false;
    switch (row->op) {
    case Op::Read:
      continue;
    case Op::MatVec:
      if (row->operands[0]->op != Op::Read ||
          row->operands[1]->features.front().extent > 64)
        return false;
      continue;
    case Op::VecMat:
    case Op::State:
    case Op::CumSum:
    case Op::At:
    case Op::KeySum:
      return false;
    default:
      if (!canExpand(row))
        return false;
    }
  }
  return true;
}

/// A row or matrix inside a region of pairs.
bool SpecEmitter::planPairRow(Node *node, RegionPlan &plan) {
  if (node->isScalar())
    return planPair(node, plan);
  if (!plan.visited.insert(node).second || node->op == Op::RealRow)
    return true;
  bool isPair = (node->varies & VariesPair) == VariesPair;
  if (node->isRow() && node->isRunning()) {
    captureRunning(node, plan);
    return node->op == Op::CumSum || planPair(node->operands[1], plan);
  }
  if (node->op == Op::Carried) {
    nodes.error(node->place, "a carried row stands in a product with a row of "
                             "the query, or as the values");
    return false;
  }
  if (node->op != Op::Read && node->isRow() && !isPair) {
    hoist(node, plan);
    return true;
  }
  if (node->op == Op::Read)
    capture(node->input, plan);
  for (Node *operand : node->operands)
    if (operand && !planPairRow(operand, plan))
      return false;
  return true;
}

bool SpecEmitter::planPair(Node *node, RegionPlan &plan) {
  if (!plan.visited.insert(node).second)
    return true;
  planPlace(node, plan);
  if (isProduct(node)) {
    plan.products.push_back(node);
    return true;
  }
  if (node->isRunning() && node->isScalar()) {
    captureRunning(node, plan);
    return node->op == Op::CumSum || planPair(node->operands[1], plan);
  }
  bool isPair = (node->varies & VariesPair) == VariesPair;
  if (node->isScalar() && node->hasRows && !isPair) {
    hoist(node, plan);
    return true;
  }
  bool needsRows = llvm::any_of(node->operands, [](Node *operand) {
    return operand && !operand->isScalar();
  });
  if (needsRows && plan.expandsRows && node->op != Op::ReduceArgmax &&
      canExpand(node))
    return planExpansion(node, plan);
  if (node->op == Op::Read)
    capture(node->input, plan);
  for (Node *operand : node->operands)
    if (operand && !planPairRow(operand, plan))
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

/// What the arguments (b, h, row, i) of a region are.
RegionContext SpecEmitter::makeQueryContext(Block &block,
                                            const PairShape &shape) {
  RegionContext context;
  context.headAxis = shape.headAxis;
  context.batch = block.getArgument(0);
  context.head = block.getArgument(1);
  context.values[nodes.place(Op::Batch)] = context.batch;
  context.values[nodes.place(Op::Head)] = context.head;
  context.row = block.getArgument(2);
  context.values[nodes.place(Op::Row, shape.queryAxis)] = context.row;
  if (shape.isOverTokens())
    context.values[nodes.place(Op::QueryPosition)] = block.getArgument(3);
  return context;
}

void SpecEmitter::emitPairRegion(Region &region, Node *node,
                                 const RegionPlan &plan, const PairShape &shape,
                                 Type element) {
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types(attn::AttendOp::kPairPositions, builder.getI32Type());
  types.append(plan.products.size(), builder.getF32Type());
  llvm::append_range(types, ValueRange(plan.captures).getTypes());
  Block *block = builder.createBlock(
      &region, {}, types, SmallVector<Location>(types.size(), location));
  RegionContext context = makeQueryContext(*block, shape);
  context.values[nodes.place(Op::KeyPosition, shape.keyAxis)] =
      block->getArgument(4);
  unsigned next = attn::AttendOp::kPairPositions;
  for (Node *product : plan.products)
    context.values[product] = block->getArgument(next++);
  bindCaptures(plan, *block, next, context);
  emitYield(node, context, element);
}

void SpecEmitter::emitQueryRegion(Region &region, Node *node,
                                  const RegionPlan &plan,
                                  const PairShape &shape, Type element) {
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types(attn::AttendOp::kSinkPositions, builder.getI32Type());
  llvm::append_range(types, ValueRange(plan.captures).getTypes());
  Block *block = builder.createBlock(
      &region, {}, types, SmallVector<Location>(types.size(), location));
  RegionContext context = makeQueryContext(*block, shape);
  bindCaptures(plan, *block, attn::AttendOp::kSinkPositions, context);
  emitYield(node, context, element);
}

void SpecEmitter::getProducts(RegionPlan &plan, const PairShape &shape,
                              SmallVectorImpl<Value> &queries,
                              SmallVectorImpl<Value> &keys) {
  for (Node *product : plan.products) {
    Node *query = product->operands[0], *key = product->operands[1];
    if (query->variesOver(VariesKey))
      std::swap(query, key);
    queries.push_back(getRows(query, Side::Queries, shape.queryAxis));
    keys.push_back(getKeyRows(key, plan, shape.keyAxis));
  }
}

/// The rows of keys, for a carried row what it is at first.
Value SpecEmitter::getKeyRows(Node *row, RegionPlan &plan,
                              const SequenceAxis *axis) {
  if (row->op != Op::Carried)
    return getRows(row, Side::Keys, axis);
  plan.carried.push_back(row);
  planScan(row->operands[1], plan);
  return getRows(row->operands[0], Side::Keys, axis);
}

static attn::Reduction getReduction(const Loop &loop) {
  return loop.kind == WeightKind::Softmax ? attn::Reduction::Softmax
         : loop.kind == WeightKind::Ratio ? attn::Reduction::Ratio
                                          : attn::Reduction::Sum;
}

static bool hasMask(const Loop &loop) {
  return loop.mask && !(loop.mask->op == Op::Boolean && loop.mask->integer);
}

attn::AttendOp SpecEmitter::emitAttend(const Loop &loop,
                                       llvm::StringRef headAxis) {
  PairShape pairs{loop.queryAxis, loop.keyAxis, true, true, headAxis.str()};
  RegionPlan plan;
  plan.isOverTokens = pairs.isOverTokens();
  plan.expandsRows = true;
  for (Node *part : {loop.score, loop.mask, loop.factor, loop.sink})
    if (part && !planPairRow(part, plan))
      return nullptr;
  SmallVector<Value> queries, keys, steps;
  getProducts(plan, pairs, queries, keys);
  Value values = getKeyRows(loop.values, plan, loop.keyAxis);
  for (Node *row : plan.keyRows)
    steps.push_back(getInputRows(row));
  if (diags.hasErrors())
    return nullptr;
  Type common = getStorageType(program.elementType, builder.getContext());
  auto valuesType = cast<RankedTensorType>(values.getType());
  bool isWhole = &loop == &program && loop.out == loop.keySum &&
                 valuesType.getElementType() == common;
  Type f32 = builder.getF32Type();
  SmallVector<int64_t> shape{getStaticExtent(program.batchAxis),
                             getStaticExtent(headAxis), ShapedType::kDynamic};
  auto lse = RankedTensorType::get(shape, f32);
  shape.push_back(valuesType.getDimSize(3));
  auto result = RankedTensorType::get(shape, isWhole ? common : f32);
  FloatAttr epsilon;
  if (loop.kind == WeightKind::Ratio && loop.epsilon != 0)
    epsilon = builder.getF64FloatAttr(loop.epsilon);
  auto op = attn::AttendOp::create(
      builder, location, result, lse, getExtent(program.batchAxis),
      getExtent(headAxis), getExtent(loop.queryAxis, true),
      getExtent(loop.keyAxis, false), queries, keys, values, steps,
      plan.captures, getReduction(loop), epsilon);
  emitPairRegion(op.getScore(), loop.score, plan, pairs);
  if (hasMask(loop))
    emitPairRegion(op.getMask(), loop.mask, plan, pairs);
  if (loop.factor)
    emitPairRegion(op.getFactor(), loop.factor, plan, pairs);
  if (loop.sink)
    emitQueryRegion(op.getSink(), loop.sink, plan, pairs);
  if (!plan.carried.empty())
    emitCarryRegion(op, loop, plan, headAxis);
  return op;
}

Value SpecEmitter::emitWeights(const Loop &loop) {
  unsigned varies = 0;
  for (const Node *part : {loop.score, loop.mask, loop.factor, loop.sink})
    varies |= part ? part->varies : 0;
  PairShape shape{loop.queryAxis, loop.keyAxis,
                  static_cast<bool>(varies & VariesQuery), true,
                  getHeadAxis(varies)};
  RegionPlan plan;
  plan.isOverTokens = shape.isOverTokens();
  for (Node *part : {loop.score, loop.mask, loop.factor, loop.sink})
    if (part && !planPairRow(part, plan))
      return nullptr;
  SmallVector<Value> queries, keys;
  getProducts(plan, shape, queries, keys);
  if (!plan.carried.empty())
    nodes.notCompiled(plan.carried.front()->place,
                      "weights of carried keys as a value");
  FloatAttr epsilon;
  if (loop.kind == WeightKind::Ratio && loop.epsilon != 0)
    epsilon = builder.getF64FloatAttr(loop.epsilon);
  if (diags.hasErrors())
    return nullptr;
  auto op = attn::WeightsOp::create(
      builder, location, getPairType(shape, builder.getF32Type()),
      getExtent(program.batchAxis), getExtent(shape.headAxis),
      shape.hasQueries ? getExtent(shape.queryAxis, true) : getExtent(""),
      getExtent(shape.keyAxis, false), queries, keys, plan.captures,
      getReduction(loop), epsilon);
  emitPairRegion(op.getScore(), loop.score, plan, shape);
  if (hasMask(loop))
    emitPairRegion(op.getMask(), loop.mask, plan, shape);
  if (loop.factor)
    emitPairRegion(op.getFactor(), loop.factor, plan, shape);
  if (loop.sink)
    emitQueryRegion(op.getSink(), loop.sink, plan, shape);
  return op;
}

} // namespace rapt::frontend
