// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// States become one attn.scan for each direction of time, a running sum a scan
// of its own.

#include "lib/Frontend/SpecEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace rapt::frontend {

using attn::Side;

Location SpecEmitter::getLocation(SourceRange range) {
  support::LineColumn place = diags.source().place(range.begin);
  return FileLineColLoc::get(builder.getContext(), diags.source().name(),
                             place.line, place.column);
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// The type of the row that holds a node: of one feature for a number.
Type SpecEmitter::getRegionRowType(const Node &node) {
  Type type = getRegionType(node, builder.getContext());
  return node.isScalar() ? RankedTensorType::get({1}, type) : type;
}

/// Makes an argument of a region the value of a node, which may be a number.
void SpecEmitter::bindRow(const Node *node, Value row, RegionContext &context) {
  if (node->isScalar())
    row = attn::ReduceOp::create(builder, location,
                                 getElementTypeOrSelf(row.getType()),
                                 attn::RowReduction::Add, row);
  context.values[node] = row;
}

/// The tensor of a running value, to be read at one row.
void SpecEmitter::captureRunning(Node *node, RegionPlan &plan) {
  Node *running = node->op == Op::At ? node->operands[0] : node;
  const Node *position =
      node->op == Op::At ? node->operands[1] : nodes.place(Op::KeyPosition);
  Value tensor = getCumSum(running);
  plan.hoisted[node] = {static_cast<unsigned>(plan.captures.size()),
                        {{}, getHeadAxis(running->varies), position}};
  plan.captures.push_back(tensor);
}

/// Like planMap, at a key and a query of the same position.
void SpecEmitter::planScan(Node *node, RegionPlan &plan) {
  bool isBound = node->op == Op::State || node->op == Op::Carry;
  if (!plan.visited.insert(node).second || isBound)
    return;
  if (node->op == Op::LeadingExtent)
    captureExtent(node->name, plan);
  if (isOwnRow(node, Side::Keys)) {
    plan.keyRows.push_back(node);
    return;
  }
  if (isOwnRow(node, Side::Queries)) {
    plan.rows.push_back(node);
    return;
  }
  if (node->isRunning()) {
    captureRunning(node, plan);
    if (node->op == Op::At)
      planScan(node->operands[1], plan);
    return;
  }
  if (node->op == Op::Read)
    capture(node->input, plan);
  for (Node *operand : node->operands)
    if (operand)
      planScan(operand, plan);
}

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

/// One scan with these states and a result for each of `outputs`.
attn::ScanOp SpecEmitter::emitScan(const ScanRequest &request) {
  RegionPlan plan;
  for (const RecurrentState *state : request.states) {
    planScan(state->initial, plan);
    planScan(state->after, plan);
  }
  for (Node *output : request.outputs)
    planScan(output, plan);
  SmallVector<Value> queries, keys;
  SmallVector<Type> initialTypes(attn::ScanOp::kInitialPositions,
                                 builder.getI32Type());
  SmallVector<Type> types(attn::ScanOp::kPositions, builder.getI32Type());
  SmallVector<Type> results, finals;
  SmallVector<Attribute> names;
  SmallVector<int64_t> leading{getStaticExtent(program.batchAxis),
                               getStaticExtent(request.headAxis)};
  for (auto [output, element] : llvm::zip(request.outputs, request.types)) {
    SmallVector<int64_t> shape(leading);
    shape.push_back(ShapedType::kDynamic);
    shape.push_back(output->isScalar() ? 1 : output->features.front().extent);
    results.push_back(RankedTensorType::get(shape, element));
  }
  for (const RecurrentState *state : request.states) {
    names.push_back(builder.getStringAttr(state->name));
    types.push_back(getRegionType(*state->before, builder.getContext()));
    SmallVector<int64_t> shape(leading);
    for (const Feature &feature : state->before->features)
      shape.push_back(feature.extent);
    finals.push_back(RankedTensorType::get(shape, builder.getF32Type()));
  }
  if (request.givesStates)
    llvm::append_range(results, finals);
  for (Node *row : plan.rows) {
    queries.push_back(getInputRows(row));
    types.push_back(getRegionType(*row, builder.getContext()));
  }
  for (Node *row : plan.keyRows) {
    keys.push_back(getInputRows(row));
    types.push_back(getRegionType(*row, builder.getContext()));
  }
  llvm::append_range(types, ValueRange(plan.captures).getTypes());
  llvm::append_range(initialTypes, ValueRange(plan.captures).getTypes());
  Value keyCount = getExtent("keys");
  Value queryCount = request.isOverKeys ? keyCount : getExtent("queries");
  auto scan = attn::ScanOp::create(
      builder, getLocation(request.place), results,
      getExtent(program.batchAxis), getExtent(request.headAxis), queryCount,
      keyCount, queries, keys, plan.captures, request.isReverse,
      request.givesStates, builder.getArrayAttr(names));

  OpBuilder::InsertionGuard guard(builder);
  auto start = [&](Region &region, ArrayRef<Type> arguments) {
    return builder.createBlock(
        &region, {}, arguments,
        SmallVector<Location>(arguments.size(), location));
  };
  auto bindPlaces = [&](Block &block, RegionContext &context) {
    context.headAxis = request.headAxis;
    context.batch = block.getArgument(0);
    context.head = block.getArgument(1);
    context.values[nodes.place(Op::Batch)] = context.batch;
    context.values[nodes.place(Op::Head)] = context.head;
  };
  Block *initial = start(scan.getInitial(), initialTypes);
  {
    RegionContext context;
    bindPlaces(*initial, context);
    bindCaptures(plan, *initial, attn::ScanOp::kInitialPositions, context);
    RegionEmitter emitter(builder, diags.source(), context, location);
    SmallVector<Value> values;
    for (const RecurrentState *state : request.states)
      values.push_back(
          emitter.emitAs(state->initial, builder.getF32Type(), state->before));
    attn::YieldOp::create(builder, location, values);
  }
  Block *body = start(scan.getBody(), types);
  RegionContext context;
  bindPlaces(*body, context);
  context.values[nodes.place(Op::Row)] = body->getArgument(2);
  context.values[nodes.place(Op::QueryPosition)] = body->getArgument(3);
  context.values[nodes.place(Op::KeyPosition)] = body->getArgument(3);
  unsigned next = attn::ScanOp::kPositions;
  for (const RecurrentState *state : request.states)
    context.values[state->before] = body->getArgument(next++);
  for (const auto *rows : {&plan.rows, &plan.keyRows})
    for (Node *row : *rows)
      context.values[row] = body->getArgument(next++);
  bindCaptures(plan, *body, next, context);
  RegionEmitter emitter(builder, diags.source(), context, location);
  SmallVector<Value> values;
  for (const RecurrentState *state : request.states)
    values.push_back(
        emitter.emitAs(state->after, builder.getF32Type(), state->before));
  for (Node *output : request.outputs) {
    Value value = emitter.emitAs(output, builder.getF32Type(), nullptr);
    if (output->isScalar())
      value = attn::SplatOp::create(builder, location,
                                    RankedTensorType::get({1}, value.getType()),
                                    value);
    values.push_back(value);
  }
  attn::YieldOp::create(builder, location, values);
  return scan;
}

Value SpecEmitter::getCumSum(Node *node) {
  Value &known = cumSums[node];
  if (known)
    return known;
  RecurrentState sum;
  sum.name = "sum";
  sum.before =
      nodes.state("cumsum." + std::to_string(node->id), node->features);
  sum.initial = nodes.real(0);
  sum.after = nodes.arithmetic(Op::Add, {sum.before, node->place},
                               {node->operands[0], node->place});
  ScanRequest request;
  request.states = {&sum};
  request.outputs = {sum.after};
  request.types = {builder.getF32Type()};
  request.headAxis = getHeadAxis(node->varies);
  request.isOverKeys = true;
  request.place = node->place;
  // Emitting it may add others.
  Value tensor = emitScan(request).getOutputs().front();
  return cumSums[node] = tensor;
}

//===----------------------------------------------------------------------===//
// States
//===----------------------------------------------------------------------===//

/// The largest parts of `out` that read states of one direction only: each is a
/// result of a scan. False, with an error, if one of them is a matrix.
bool SpecEmitter::findOutputs(const Loop &loop, Node *node,
                              llvm::SmallVectorImpl<Node *> &forwards,
                              llvm::SmallVectorImpl<Node *> &backwards) {
  bool reads[2] = {false, false};
  walk(node, [&](Node *below) {
    for (const RecurrentState &state : loop.states)
      if (state.before == below)
        reads[state.isReverse] = true;
  });
  if (!reads[false] && !reads[true])
    return true;
  if (reads[false] && reads[true]) {
    for (Node *operand : node->operands)
      if (operand && !findOutputs(loop, operand, forwards, backwards))
        return false;
    return true;
  }
  if (node->isMatrix()) {
    nodes.notCompiled(node->place,
                      "states of both directions in one matrix; read each "
                      "first, as dot(q, S) + dot(q, R)");
    return false;
  }
  auto &outputs = reads[true] ? backwards : forwards;
  if (!llvm::is_contained(outputs, node))
    outputs.push_back(node);
  return true;
}

/// The loop over time, and what is made of its results; null after an error.
Value SpecEmitter::emitScans(const Loop &loop, llvm::StringRef headAxis,
                             Type element) {
  bool isMixed = llvm::any_of(loop.states, [&](const RecurrentState &state) {
    return state.isReverse != loop.states.front().isReverse;
  });
  llvm::SmallVector<Node *> outputs[2];
  if (!isMixed)
    outputs[loop.states.front().isReverse] = {loop.out};
  else if (!findOutputs(loop, loop.out, outputs[false], outputs[true]))
    return nullptr;
  Value out;
  for (bool isReverse : {false, true}) {
    ScanRequest request;
    for (const RecurrentState &state : loop.states)
      if (state.isReverse == isReverse)
        request.states.push_back(&state);
    if (request.states.empty())
      continue;
    request.outputs = outputs[isReverse];
    request.types.assign(request.outputs.size(),
                         isMixed ? Type(builder.getF32Type()) : element);
    request.headAxis = headAxis.str();
    request.isReverse = isReverse;
    request.givesStates = &loop == &program && spec.results.size() > 1;
    request.place = request.states.front()->range;
    attn::ScanOp scan = emitScan(request);
    if (isMixed)
      for (auto [node, result] : llvm::zip(request.outputs, scan.getOutputs()))
        scanned[node] = result;
    else
      out = scan.getOutputs().front();
    for (auto [state, value] : llvm::zip(request.states, scan.getFinalStates()))
      finalStates[state] = value;
  }
  if (isMixed)
    out = emitMap(loop.out, Side::Queries, nullptr, headAxis, element);
  return out;
}

} // namespace rapt::frontend
