// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The function of a definition, its operands, and maps over one side.

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
// Definitions
//===----------------------------------------------------------------------===//

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
