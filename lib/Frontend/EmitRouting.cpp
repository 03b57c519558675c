// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What is computed whole: pooled rows, sets, ranks, weights, reductions of
// pairs, the results of branches and what joins them.

#include "lib/Frontend/SpecEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace rapt::frontend {

using attn::Side;

PairShape SpecEmitter::getShape(const Computed &computed) const {
  // The axis is named after the places; the program knows what counts them.
  std::string headAxis =
      computed.headAxis == "heads" ? program.headAxis : computed.headAxis;
  return {computed.queryAxis, computed.keyAxis, computed.hasQueries,
          computed.hasKeys, headAxis};
}

/// [B, H, M, N], dynamic where the extent is.
RankedTensorType SpecEmitter::getPairType(const PairShape &shape,
                                          Type element) {
  int64_t queries = shape.hasQueries ? ShapedType::kDynamic : 1;
  int64_t keys = shape.hasKeys ? ShapedType::kDynamic : 1;
  return RankedTensorType::get({getStaticExtent(program.batchAxis),
                                getStaticExtent(shape.headAxis), queries, keys},
                               element);
}

/// The tensor of a computed value; made once, where it is first needed.
Value SpecEmitter::getComputed(const Computed &computed) {
  if (Value known = computedTensors.lookup(&computed))
    return known;
  Location outer = std::exchange(location, getLocation(computed.range));
  Value value = emitComputed(computed);
  location = outer;
  if (!value) { // reported; anything of rank 4 stands for it
    auto type = RankedTensorType::get({1, 1, 1, 1}, builder.getF32Type());
    value = arith::ConstantOp::create(builder, location,
                                      DenseElementsAttr::get(type, 0.0f));
  }
  return computedTensors[&computed] = value;
}

Value SpecEmitter::emitComputed(const Computed &computed) {
  switch (computed.kind) {
  case Computed::Kind::Pool:
    return emitPool(computed);
  case Computed::Kind::Regroup: {
    PairShape shape{nullptr, computed.to,
                    computed.value->variesOver(VariesQuery), true,
                    getHeadAxis(computed.value->varies)};
    Value pairs = emitPairs(computed.value);
    if (!pairs)
      return nullptr;
    return attn::RegroupOp::create(
        builder, location, getPairType(shape, builder.getF32Type()), pairs,
        getExtent(nullptr, /*isQuery=*/false), computed.from->size,
        computed.from->stride, computed.to->size);
  }
  case Computed::Kind::Rank: {
    Node *value = computed.value;
    Value keys =
        getMap(value, computed.isOverQueries ? Side::Queries : Side::Keys,
               computed.isOverQueries ? value->queryAxis : value->keyAxis);
    auto type = cast<RankedTensorType>(keys.getType());
    return attn::ReorderOp::create(
        builder, location,
        RankedTensorType::get(type.getShape(), builder.getI32Type()),
        attn::Order::Rank, keys);
  }
  case Computed::Kind::Select:
    return emitSelect(computed);
  case Computed::Kind::Aggregate:
    return emitAggregate(computed);
  case Computed::Kind::Weights:
    return emitWeights(*computed.loop);
  case Computed::Kind::Result:
    return getResult(*computed.loop);
  case Computed::Kind::Merge:
    return emitMerge(computed);
  }
  llvm_unreachable("every kind has a case");
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// One number per pair as a tensor.
Value SpecEmitter::emitPairs(Node *node) {
  // A computed tensor is one already, if it is read at its own places.
  if (node->op == Op::Read && node->input->computed) {
    const Computed &computed = *node->input->computed;
    bool isOwn = computed.dimensions.back() == 3;
    for (unsigned d = 0; d < node->input->rank(); ++d)
      isOwn &= node->operands[d] == nodes.getOwnIndex(*node->input, d);
    if (isOwn)
      return getComputed(computed);
  }
  Loop loop;
  loop.nameRange = node->place;
  loop.kind = WeightKind::Sum;
  loop.score = node;
  loop.queryAxis = node->queryAxis;
  loop.keyAxis = node->keyAxis;
  return emitWeights(loop);
}

static attn::Pooling getPooling(Computed::Pooling pooling) {
  switch (pooling) {
  case Computed::Pooling::Mean:
    return attn::Pooling::Mean;
  case Computed::Pooling::Max:
    return attn::Pooling::Max;
  case Computed::Pooling::Min:
    return attn::Pooling::Min;
  case Computed::Pooling::Sum:
    return attn::Pooling::Sum;
  }
  llvm_unreachable("every pooling has a case");
}

Value SpecEmitter::emitPool(const Computed &computed) {
  Node *value = computed.value;
  bool isPair = (value->varies & VariesPair) == VariesPair;
  bool isOverQueries = computed.isOverQueries;
  Side side = isOverQueries ? Side::Queries : Side::Keys;
  Value source, weights;
  if (isPair) {
    source = emitPairs(value);
    if (!source)
      return nullptr;
  } else {
    // Weights of more heads than the rows have make rows of as many.
    std::string headAxis = getShape(computed).headAxis;
    bool isShared = getHeadAxis(value->varies) != headAxis;
    if (isShared)
      source =
          emitMap(value, side, computed.from, headAxis, builder.getF32Type());
    else
      source = getRows(value, side, computed.from);
    if (computed.weights)
      weights = getMap(computed.weights, side, computed.from);
  }
  unsigned dimension = isPair && !isOverQueries ? 3 : 2;
  auto type = cast<RankedTensorType>(source.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[dimension] = ShapedType::kDynamic;
  // Positions are those of keys, for queries too.
  Value positions = getExtent(computed.from, /*isQuery=*/false);
  int64_t size = computed.size, stride = computed.stride;
  return attn::PoolOp::create(
      builder, location, RankedTensorType::get(shape, builder.getF32Type()),
      getPooling(computed.pooling), source, weights, positions, dimension, size,
      stride);
}

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

Value SpecEmitter::emitSelect(const Computed &computed) {
  PairShape shape = getShape(computed);
  RegionPlan plan;
  plan.isOverTokens = shape.isOverTokens();
  for (Node *part :
       {computed.limit, computed.value, computed.where, computed.force})
    if (part && !planPair(part, plan))
      return nullptr;
  SmallVector<Value> queries, keys;
  getProducts(plan, shape, queries, keys);
  if (diags.hasErrors())
    return nullptr;
  bool isTop = computed.selection == Computed::Selection::Top;
  attn::Selection kind = isTop ? attn::Selection::Top
                         : computed.selection == Computed::Selection::Cover
                             ? attn::Selection::Cover
                             : attn::Selection::Above;
  auto op = attn::SelectOp::create(
      builder, location, getPairType(shape, builder.getI1Type()), kind,
      getExtent(program.batchAxis), getExtent(shape.headAxis),
      shape.hasQueries ? getExtent(shape.queryAxis, true) : getExtent(""),
      getExtent(shape.keyAxis, false), queries, keys, plan.captures);
  emitQueryRegion(op.getLimit(), computed.limit, plan, shape,
                  isTop ? Type(builder.getI32Type()) : builder.getF32Type());
  emitPairRegion(op.getScore(), computed.value, plan, shape);
  if (computed.where)
    emitPairRegion(op.getWhere(), computed.where, plan, shape);
  if (computed.force)
    emitPairRegion(op.getForce(), computed.force, plan, shape);
  return op;
}

Value SpecEmitter::emitAggregate(const Computed &computed) {
  PairShape shape = getShape(computed);
  RegionPlan plan;
  plan.isOverTokens = shape.isOverTokens();
  Node *value = computed.value;
  if (computed.into)
    planPlace(computed.into, plan);
  if (!planPairRow(value, plan) ||
      (computed.by && !planPair(computed.by, plan)))
    return nullptr;
  SmallVector<Value> queries, keys;
  getProducts(plan, shape, queries, keys);
  if (diags.hasErrors())
    return nullptr;
  Value one = getExtent("");
  Value queryCount = shape.hasQueries ? getExtent(shape.queryAxis, true) : one;
  Value keyCount = shape.hasKeys ? getExtent(shape.keyAxis, false) : one;
  Type element =
      getElementType(*nodes.read(computed.tensor), builder.getContext());
  int64_t width = value->isScalar() ? 1 : value->features.front().extent;
  constexpr int64_t dynamic = ShapedType::kDynamic;
  SmallVector<int64_t> extents{getStaticExtent(program.batchAxis),
                               getStaticExtent(shape.headAxis), dynamic, width};
  Value into;
  attn::Over over = attn::Over::Keys;
  switch (computed.over) {
  case Computed::Over::Queries:
    over = attn::Over::Queries;
    if (!shape.hasKeys)
      extents[2] = 1;
    break;
  case Computed::Over::Keys:
    if (!shape.hasQueries)
      extents[2] = 1;
    break;
  case Computed::Over::Group:
    over = attn::Over::Group;
    into = getExtent(computed.into->name);
    extents[1] = dynamic;
    if (value->isScalar())
      extents = SmallVector<int64_t>{extents[0], dynamic,
                                     shape.hasQueries ? dynamic : 1,
                                     shape.hasKeys ? dynamic : 1};
    else if (!shape.hasQueries && !shape.hasKeys)
      extents[2] = 1;
    break;
  case Computed::Over::Pairs:
    over = attn::Over::Pairs;
    into = getExtent("keys");
    break;
  }
  attn::RowReduction kind =
      computed.reduction == Computed::Reduction::Add   ? attn::RowReduction::Add
      : computed.reduction == Computed::Reduction::Max ? attn::RowReduction::Max
      : computed.reduction == Computed::Reduction::Min
          ? attn::RowReduction::Min
          : attn::RowReduction::Argmax;
  auto op = attn::AggregateOp::create(
      builder, location, RankedTensorType::get(extents, element), kind, over,
      getExtent(program.batchAxis), getExtent(shape.headAxis), queryCount,
      keyCount, into, queries, keys, plan.captures);
  bool isArgmax = kind == attn::RowReduction::Argmax;
  emitPairRegion(op.getBody(), value, plan, shape, isArgmax ? Type() : element);
  if (computed.by)
    emitPairRegion(op.getBy(), computed.by, plan, shape);
  return op;
}

//===----------------------------------------------------------------------===//
// Branches
//===----------------------------------------------------------------------===//

attn::AttendOp SpecEmitter::getAttend(const Loop &loop) {
  if (auto known = attends.lookup(&loop))
    return known;
  auto op = emitAttend(loop, getHeadAxis(loop));
  if (op)
    sums[loop.keySum] = op.getResult();
  return attends[&loop] = op;
}

Value SpecEmitter::getResult(const Loop &loop) {
  if (!loop.states.empty())
    return emitScans(loop, getHeadAxis(loop), builder.getF32Type());
  attn::AttendOp attend;
  if (loop.keySum) {
    attend = getAttend(loop);
    if (!attend)
      return nullptr;
  }
  if (attend && loop.out == loop.keySum)
    return attend.getResult();
  return emitMap(loop.out, Side::Queries, loop.queryAxis, getHeadAxis(loop),
                 builder.getF32Type());
}

Value SpecEmitter::emitMerge(const Computed &computed) {
  SmallVector<Value> branches, lses;
  for (const Computed *part : computed.parts) {
    branches.push_back(getComputed(*part));
    attn::AttendOp attend = getAttend(*part->loop);
    if (!attend)
      return nullptr;
    lses.push_back(attend.getLse());
  }
  auto op = attn::MergeOp::create(builder, location, branches.front().getType(),
                                  lses.front().getType(), branches, lses);
  mergedLses[&computed] = op.getLse();
  return op.getResult();
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// The result of the definition, and its log-sum-exp if it has one.
bool SpecEmitter::emitResults() {
  Type common = getStorageType(program.elementType, builder.getContext());
  SmallVector<Value> results;
  auto finish = [&](Value whole) {
    bool isResult =
        whole &&
        cast<RankedTensorType>(whole.getType()).getElementType() == common;
    results.push_back(isResult ? whole
                               : emitMap(program.out, Side::Queries, nullptr,
                                         program.headAxis, common));
  };
  if (!program.states.empty()) {
    results.push_back(emitScans(program, program.headAxis, common));
    if (spec.results.size() > 1)
      for (const RecurrentState &state : program.states)
        results.push_back(finalStates.lookup(&state));
  } else if (program.hasLoop()) {
    attn::AttendOp attend = emitAttend(program, program.headAxis);
    if (!attend)
      return false;
    sums[program.keySum] = attend.getResult();
    finish(program.out == program.keySum ? attend.getResult() : Value());
    // One score per feature has no log-sum-exp.
    if (program.score->isScalar())
      results.push_back(attend.getLse());
  } else {
    const Computed *source = getLseSource(program);
    finish(source ? getComputed(*source) : Value());
    if (source)
      results.push_back(source->kind == Computed::Kind::Merge
                            ? mergedLses.at(source)
                            : getAttend(*source->loop).getLse());
  }
  if (diags.hasErrors())
    return false;
  func::ReturnOp::create(builder, location, results);
  return true;
}

} // namespace rapt::frontend
