// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A loop over pairs becomes one attn.attend. Its operands are inputs where they
// can be, else maps over one side; what is one number per row but needs rows to
// compute is a map with one feature, captured.

#include "lib/Frontend/EmitAttn.h"
#include "dialects/Attn/IR/Attn.h"
#include "lib/Frontend/SpecEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace rapt::frontend {

using attn::Side;

void loadAttnDialects(MLIRContext &context) {
  context.loadDialect<attn::AttnDialect, arith::ArithDialect, func::FuncDialect,
                      math::MathDialect>();
}

//===----------------------------------------------------------------------===//
// Function
//===----------------------------------------------------------------------===//

static RankedTensorType getTensorType(const TensorSignature &signature,
                                      MLIRContext *context) {
  SmallVector<int64_t> shape;
  for (const TensorAxis &axis : signature.axes)
    shape.push_back(axis.extent.value_or(ShapedType::kDynamic));
  return RankedTensorType::get(shape,
                               getStorageType(signature.elementType, context));
}

void SpecEmitter::createFunction(ModuleOp module) {
  SmallVector<Type> arguments, results;
  for (const TensorSignature &signature : spec.arguments)
    arguments.push_back(getTensorType(signature, builder.getContext()));
  for (const TensorSignature &signature : spec.results)
    results.push_back(getTensorType(signature, builder.getContext()));
  builder.setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(builder, location, spec.name,
                                  builder.getFunctionType(arguments, results));
  function->setAttr(attn::kSpecAttr, builder.getUnitAttr());
  auto getAxes = [&](const TensorSignature &signature) {
    SmallVector<Attribute> names;
    for (const TensorAxis &axis : signature.axes)
      names.push_back(builder.getStringAttr(axis.name));
    return builder.getArrayAttr(names);
  };
  for (auto [n, signature] : llvm::enumerate(spec.arguments)) {
    function.setArgAttr(n, attn::kNameAttr,
                        builder.getStringAttr(signature.name));
    function.setArgAttr(n, attn::kAxesAttr, getAxes(signature));
  }
  for (auto [n, signature] : llvm::enumerate(spec.results)) {
    function.setResultAttr(n, attn::kNameAttr,
                           builder.getStringAttr(signature.name));
    function.setResultAttr(n, attn::kAxesAttr, getAxes(signature));
  }
  builder.setInsertionPointToStart(function.addEntryBlock());
}

Value SpecEmitter::getExtent(llvm::StringRef axis) {
  Value &extent = extents[axis.str()];
  if (extent)
    return extent;
  if (axis.empty())
    return extent = arith::ConstantIndexOp::create(builder, location, 1);
  if (axis == "queries" && program.queriesAreKeys)
    return extent = getExtent("keys");
  return extent = attn::AxisOp::create(builder, location,
                                       builder.getIndexType(), axis);
}

Value SpecEmitter::getExtent(const SequenceAxis *axis, bool isQuery) {
  if (!axis)
    return getExtent(isQuery ? "queries" : "keys");
  if (axis->kind == SequenceAxis::Kind::Values)
    return getExtent("keys");
  if (Value known = axisExtents.lookup(axis))
    return known;
  Value extent;
  if (axis->kind == SequenceAxis::Kind::Features) {
    extent = arith::ConstantIndexOp::create(builder, location, axis->extent);
  } else {
    // Windows count positions, which are those of keys, of queries too.
    Value base = getExtent(axis->base, /*isQuery=*/false);
    extent = arith::CeilDivSIOp::create(
        builder, location, base,
        arith::ConstantIndexOp::create(builder, location, axis->stride));
  }
  return axisExtents[axis] = extent;
}

Value SpecEmitter::getArgument(const InputTensor *input) {
  if (input->computed)
    return getComputed(*input->computed);
  for (auto [n, signature] : llvm::enumerate(spec.arguments))
    if (signature.name == input->name)
      return function.getArgument(n);
  llvm_unreachable("every input that is read is an argument");
}

//===----------------------------------------------------------------------===//
// Planning
//===----------------------------------------------------------------------===//

/// Of one row that varies over queries only, or over neither side, and one that
/// varies over keys only.
bool SpecEmitter::isProduct(const Node *node) const {
  if (node->op != Op::Dot)
    return false;
  // A carried row is the key's, changed on the way.
  auto getSides = [](const Node *row) -> unsigned {
    return row->op == Op::Carried ? unsigned(VariesKey)
                                  : row->varies & VariesPair;
  };
  unsigned a = getSides(node->operands[0]), b = getSides(node->operands[1]);
  return (a | b) == VariesPair && a != VariesPair && b != VariesPair;
}

/// A row of an input at the place of the map or loop itself, so that the tensor
/// can be an operand: [batch, heads, length, features], leading axes optional.
bool SpecEmitter::isOwnRow(const Node *node, Side side) {
  if (node->op != Op::Read || !node->isRow())
    return false;
  const InputTensor &input = *node->input;
  unsigned last = input.rank() - 1;
  if (node->operands[last] || last == 0 || last > 3)
    return false;
  llvm::StringRef length = side == Side::Keys ? "keys" : "queries";
  unsigned heads = 0;
  for (unsigned d = 0; d < last; ++d) {
    llvm::StringRef axis = input.axes[d].name;
    if (input.axes[d].isFeature ||
        node->operands[d] != nodes.getOwnIndex(input, d))
      return false;
    heads += axis == "heads" || axis == "kv_heads" || axis == "groups";
  }
  const SequenceAxis *sequence = input.axes[last - 1].sequence;
  return heads <= 1 && (sequence ? sequence->isQuery == (side == Side::Queries)
                                 : input.axes[last - 1].name == length);
}

/// The coarsest axis that counts all heads a value varies over.
std::string SpecEmitter::getHeadAxis(unsigned varies) const {
  switch (varies & VariesAnyHead) {
  case 0:
    return "";
  case VariesKeyHead:
    return "kv_heads";
  case VariesGroup:
    return "groups";
  default:
    return program.headAxis;
  }
}

std::string SpecEmitter::getHeadAxis(const Loop &loop) const {
  unsigned varies = 0;
  for (const Node *part : loop.getParts())
    varies |= part->varies;
  return getHeadAxis(varies);
}

void SpecEmitter::capture(const InputTensor *input, RegionPlan &plan) {
  auto [entry, isNew] = plan.inputs.try_emplace(input, plan.captures.size());
  if (isNew)
    plan.captures.push_back(getArgument(input));
}

void SpecEmitter::captureExtent(llvm::StringRef axis, RegionPlan &plan) {
  llvm::StringRef source =
      axis == "queries" && program.queriesAreKeys ? "keys" : axis;
  for (const TensorSignature &signature : spec.arguments)
    for (auto [d, own] : llvm::enumerate(signature.axes)) {
      if (own.name != source || own.isFeature)
        continue;
      const InputTensor *input = program.findInput(signature.name);
      capture(input, plan);
      plan.extents[axis.str()] = {plan.inputs[input], d};
      return;
    }
}

/// Short sums over the features of rows that vary over pairs are written out:
/// a kernel has no place to keep such a row.
bool SpecEmitter::planExpansion(Node *node, RegionPlan &plan) {
  Op op = node->op == Op::ReduceMax   ? Op::Maximum
          : node->op == Op::ReduceMin ? Op::Minimum
                                      : Op::Add;
  Operand result{nullptr, node->place};
  for (int64_t d = 0; d < node->operands[0]->features.front().extent; ++d) {
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

/// Lengths and positions that the operation does not have of itself.
void SpecEmitter::planPlace(Node *node, RegionPlan &plan) {
  if (node->op == Op::LeadingExtent)
    captureExtent(node->name, plan);
  if (plan.isOverTokens)
    return;
  if (node->op == Op::Length)
    captureExtent(node->name, plan);
  if (node->op == Op::QueryPosition) {
    captureExtent("queries", plan);
    captureExtent("keys", plan);
  }
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
    nodes.notCompiled(node->place, "a carried row in a score per feature");
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

void SpecEmitter::planMap(Node *node, Side side, RegionPlan &plan) {
  if (!plan.visited.insert(node).second)
    return;
  planPlace(node, plan);
  if (sums.contains(node) || isOwnRow(node, side) || scanned.contains(node)) {
    plan.rows.push_back(node);
    return;
  }
  if (node->isRunning()) {
    captureRunning(node, plan);
    if (node->op == Op::At)
      planMap(node->operands[1], side, plan);
    return;
  }
  if (node->op == Op::Read)
    capture(node->input, plan);
  for (Node *operand : node->operands)
    if (operand)
      planMap(operand, side, plan);
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

/// The argument with extents of 1 where it lacks batch or heads.
Value SpecEmitter::getInputRows(const Node *node) {
  const InputTensor *input = node->input;
  if (input->computed)
    return getComputed(*input->computed);
  Value &rows = unsqueezed[input];
  if (rows)
    return rows;
  Value value = getArgument(input);
  auto insert = [&](int64_t position) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape.insert(shape.begin() + position, 1);
    value = attn::UnsqueezeOp::create(builder, location, type.clone(shape),
                                      value, position);
  };
  bool hasBatch = input->axes.front().name == "batch";
  if (!hasBatch)
    insert(0);
  if (cast<RankedTensorType>(value.getType()).getRank() == 3)
    insert(1);
  return rows = value;
}

Value SpecEmitter::getRows(Node *node, Side side, const SequenceAxis *axis) {
  while (node->op == Op::Rename)
    node = node->operands[0];
  return isOwnRow(node, side) ? getInputRows(node) : getMap(node, side, axis);
}

/// Rows are kept in the type of q, as a plain implementation would; single
/// numbers (gates, norms, cluster numbers) in f32 or as integers.
Value SpecEmitter::getMap(Node *node, Side side, const SequenceAxis *axis) {
  auto key = std::make_tuple(static_cast<const Node *>(node),
                             static_cast<int>(side), axis);
  if (auto known = maps.find(key); known != maps.end())
    return known->second;
  Type element = getElementType(*node, builder.getContext());
  if (node->isRow() && node->scalar == Scalar::Real)
    element = getStorageType(program.elementType, builder.getContext());
  Value map = emitMap(node, side, axis, getHeadAxis(node->varies), element);
  return maps[key] = map;
}

void SpecEmitter::bindCaptures(const RegionPlan &plan, Block &block,
                               unsigned first, RegionContext &context) {
  auto get = [&](unsigned n) -> Value { return block.getArgument(first + n); };
  for (auto [input, n] : plan.inputs)
    context.inputs[input] = get(n);
  for (const auto &[node, entry] : plan.hoisted) {
    RegionContext::Hoisted hoisted = entry.second;
    hoisted.tensor = get(entry.first);
    context.hoisted[node] = hoisted;
  }
  for (const auto &[axis, entry] : plan.extents)
    context.extents[axis] = {get(entry.first), entry.second};
  context.expanded = plan.expanded;
}

void SpecEmitter::emitYield(Node *node, const RegionContext &context,
                            Type element) {
  RegionEmitter emitter(builder, diags.source(), context, location);
  Value value =
      element ? emitter.emitAs(node, element, node->isScalar() ? nullptr : node)
              : emitter.emit(node);
  attn::YieldOp::create(builder, location, value);
}

Value SpecEmitter::emitMap(Node *node, Side side, const SequenceAxis *axis,
                           llvm::StringRef headAxis, Type element) {
  RegionPlan plan;
  plan.isOverTokens = !axis;
  planMap(node, side, plan);
  SmallVector<Value> rows;
  SmallVector<Type> types(attn::MapOp::kRowPositions, builder.getI32Type());
  for (Node *row : plan.rows) {
    auto result = scanned.find(row);
    Value sum = sums.lookup(row);
    rows.push_back(sum                       ? sum
                   : result != scanned.end() ? result->second
                                             : getInputRows(row));
    types.push_back(getRegionRowType(*row));
  }
  Value batch = getExtent(program.batchAxis), heads = getExtent(headAxis);
  bool isOverKeys = side == Side::Keys;
  Value queries = getExtent(isOverKeys ? nullptr : axis, /*isQuery=*/true);
  Value keys = getExtent(isOverKeys ? axis : nullptr, /*isQuery=*/false);
  int64_t width = node->isScalar() ? 1 : node->features.front().extent;
  auto type = RankedTensorType::get({getStaticExtent(program.batchAxis),
                                     getStaticExtent(headAxis),
                                     ShapedType::kDynamic, width},
                                    element);
  auto op = attn::MapOp::create(builder, location, type, side, batch, heads,
                                queries, keys, rows, plan.captures);
  llvm::append_range(types, ValueRange(plan.captures).getTypes());
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(
      &op.getBody(), {}, types, SmallVector<Location>(types.size(), location));
  RegionContext context;
  context.headAxis = headAxis.str();
  context.batch = block->getArgument(0);
  context.head = block->getArgument(1);
  context.values[nodes.place(Op::Batch)] = context.batch;
  context.values[nodes.place(Op::Head)] = context.head;
  if (side == Side::Keys) {
    context.values[nodes.place(Op::KeyPosition, axis)] = block->getArgument(3);
  } else {
    context.row = block->getArgument(2);
    context.values[nodes.place(Op::Row, axis)] = context.row;
    if (!axis)
      context.values[nodes.place(Op::QueryPosition)] = block->getArgument(3);
    // What a loop over time leaves reads the key that the query stands at.
    context.values[nodes.place(Op::KeyPosition)] = block->getArgument(3);
  }
  unsigned next = attn::MapOp::kRowPositions;
  for (Node *row : plan.rows)
    bindRow(row, block->getArgument(next++), context);
  bindCaptures(plan, *block, next, context);
  RegionEmitter emitter(builder, diags.source(), context, location);
  Value value = emitter.emit(node);
  if (node->isScalar())
    value = attn::SplatOp::create(
        builder, location, RankedTensorType::get({1}, value.getType()), value);
  attn::YieldOp::create(builder, location, value);
  return op.getResult();
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

void SpecEmitter::emitPairRegion(Region &region, Node *node,
                                 const RegionPlan &plan, const PairShape &shape,
                                 Type element) {
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types(attn::AttendOp::kPairPositions, builder.getI32Type());
  types.append(plan.products.size(), builder.getF32Type());
  llvm::append_range(types, ValueRange(plan.captures).getTypes());
  Block *block = builder.createBlock(
      &region, {}, types, SmallVector<Location>(types.size(), location));
  RegionContext context;
  context.headAxis = shape.headAxis;
  context.batch = block->getArgument(0);
  context.head = block->getArgument(1);
  context.values[nodes.place(Op::Batch)] = context.batch;
  context.values[nodes.place(Op::Head)] = context.head;
  context.row = block->getArgument(2);
  context.values[nodes.place(Op::Row, shape.queryAxis)] = context.row;
  if (shape.isOverTokens())
    context.values[nodes.place(Op::QueryPosition)] = block->getArgument(3);
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
  RegionContext context;
  context.headAxis = shape.headAxis;
  context.batch = block->getArgument(0);
  context.head = block->getArgument(1);
  context.values[nodes.place(Op::Batch)] = context.batch;
  context.values[nodes.place(Op::Head)] = context.head;
  context.row = block->getArgument(2);
  context.values[nodes.place(Op::Row, shape.queryAxis)] = context.row;
  if (shape.isOverTokens())
    context.values[nodes.place(Op::QueryPosition)] = block->getArgument(3);
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

bool SpecEmitter::isValid(ModuleOp module) {
  if (diags.hasErrors())
    return false;
  if (succeeded(verify(module)))
    return true;
  diags.error(program.nameRange, "internal error: the attn program of '" +
                                     spec.name + "' is not valid");
  return false;
}

OwningOpRef<ModuleOp> SpecEmitter::emit() {
  support::LineColumn place = diags.source().place(program.nameRange.begin);
  location = FileLineColLoc::get(builder.getContext(), diags.source().name(),
                                 place.line, place.column);
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, location);
  if (spec.hasExactReals)
    (*module)->setAttr(exactRealsAttr, builder.getUnitAttr());
  createFunction(*module);
  // In one order, before what uses them.
  for (const std::string &axis : {program.batchAxis, program.headAxis,
                                  std::string("queries"), std::string("keys")})
    getExtent(axis);
  return emitResults() && isValid(*module) ? std::move(module) : nullptr;
}

OwningOpRef<ModuleOp> emitAttn(const Spec &spec, MLIRContext &context,
                               support::DiagnosticEngine &diags) {
  for (const std::string &name : spec.missingExtents)
    diags.error(spec.program->nameRange,
                "extent of axis '" + name + "' is not known");
  if (!spec.missingExtents.empty())
    return nullptr;
  loadAttnDialects(context);
  return SpecEmitter(spec, context, diags).emit();
}

} // namespace rapt::frontend
