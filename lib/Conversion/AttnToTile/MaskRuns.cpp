// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Which runs of keys a block of queries visits: the classes of the mask, asked
// when a call is planned.

#include "lib/Analysis/MaskClasses.h"
#include "lib/Analysis/Remarks.h"
#include "lib/Conversion/AttnToTile/KernelScope.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace rapt::conversion {

Value Pyramids::get(Value view, int64_t dimension) {
  Value &pyramid = made[{view, dimension}];
  if (!pyramid) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(above);
    pyramid = tile::PyramidOp::create(
        builder, above->getLoc(), tile::PyramidType::get(builder.getContext()),
        view, dimension);
  }
  return pyramid;
}

namespace {
/// Ranges of the tensors that a mask reads. A tensor that an earlier launch
/// computes is not known when the call is planned.
struct RangeReader {
  KernelScope &scope;
  const llvm::DenseMap<Value, TensorPlace> &places;
  Pyramids &pyramids;
  llvm::SetVector<Value> ranged = {}; ///< Tensors read over ranges.

  analysis::Bounds read(Value tensor, ArrayRef<analysis::Bounds> indices) {
    const TensorPlace &place = places.at(tensor);
    // Rows that are listed are not those of a range.
    if (!isa<BlockArgument>(place.view) || place.rows)
      return {};
    OpBuilder &builder = scope.builder;
    SmallVector<Value> exact;
    std::optional<int64_t> dimension;
    analysis::Bounds range;
    for (auto [d, index] : llvm::zip(place.dims, indices)) {
      if (d < 0)
        continue;
      if (index.isExact()) {
        exact.push_back(index.low);
      } else if (dimension) {
        return {};
      } else {
        dimension = d;
        range = index;
      }
    }
    Type i64 = builder.getI64Type();
    if (dimension) {
      ranged.insert(tensor);
      Value pyramid = pyramids.get(place.view, *dimension);
      auto bounds =
          tile::BoundsOp::create(builder, scope.location, i64, i64, pyramid,
                                 exact, range.low, range.high, Value());
      return {bounds.getLeast(), bounds.getLargest()};
    }
    Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
    bool isNarrow = element.isInteger(8) || element.isInteger(16);
    Value value = tile::ReadOp::create(
        builder, scope.location, isNarrow ? builder.getI32Type() : element,
        place.view, exact);
    if (element.isInteger(1))
      value = arith::ExtUIOp::create(builder, scope.location, i64, value);
    else if (!value.getType().isInteger(64))
      value = arith::ExtSIOp::create(builder, scope.location, i64, value);
    return {value, value};
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Remarks
//===----------------------------------------------------------------------===//

/// The name of an argument of the spec with its quotes, or what else a captured
/// tensor is.
static std::string nameTensor(attn::AttendOp op, Value tensor) {
  unsigned number = cast<BlockArgument>(tensor).getArgNumber();
  unsigned first = attn::AttendOp::kPairPositions + op.getNumProducts();
  Value source = op.getCaptures()[number - first];
  while (auto unsqueeze = source.getDefiningOp<attn::UnsqueezeOp>())
    source = unsqueeze.getSource();
  auto argument = dyn_cast<BlockArgument>(source);
  auto spec = op->getParentOfType<func::FuncOp>();
  if (argument && spec)
    if (auto name = spec.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                      attn::kNameAttr))
      return ("'" + name.getValue() + "'").str();
  return "a tensor that an earlier kernel computes";
}

/// What the mask does where knowledge of tiles ends.
static std::string describeUnknown(attn::AttendOp op, Operation *unknown) {
  if (auto read = dyn_cast<attn::ReadOp>(unknown)) {
    std::string name = nameTensor(op, read.getTensor());
    if (name.front() != '\'' || read.getIndices().size() < 2)
      return "reads " + name;
    return "reads " + name + " over two axes at once";
  }
  if (isa<arith::CmpFOp>(unknown))
    return "compares real numbers";
  if (isa<arith::FPToSIOp>(unknown))
    return "makes integers of real numbers";
  return ("uses '" + unknown->getName().getStringRef() + "'").str();
}

static void remarkMask(attn::AttendOp op, const analysis::MaskClass &found,
                       const PairLists &lists, tile::PlanAttr plan,
                       ArrayRef<Value> ranged) {
  if (lists.equal)
    analysis::remarkStructure(
        op, "queries and keys that must have equal ids are sorted by them when "
            "a call is planned, so that pairs lie in few tiles");
  if (lists.marked)
    analysis::remarkStructure(
        op, "keys that far more queries keep than others are listed beside "
            "each other when a call is planned");
  if (!lists.known.empty())
    analysis::remarkStructure(
        op, "queries that are close in all coordinates of a neighbourhood are "
            "listed beside each other when a call is planned");
  for (Operation *unknown : found.unknown)
    analysis::remarkMissed(op, "the mask " + describeUnknown(op, unknown) +
                                   ": what that leaves out is known pair by "
                                   "pair, not tile by tile");
  bool isUseless =
      matchPattern(found.any, m_One()) && matchPattern(found.all, m_Zero());
  if (isUseless)
    return;
  std::string text = "tiles that the mask leaves empty are not visited";
  if (!plan.isOneStep())
    text += ", full ones are not masked";
  for (auto [number, tensor] : llvm::enumerate(ranged))
    text += (number == 0 ? "; least and largest over ranges of " : ", ") +
            nameTensor(op, tensor);
  analysis::remarkStructure(op, text);
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

Value emitRunTable(KernelScope &program, attn::AttendOp op, tile::PlanAttr plan,
                   const PairLists &lists, Pyramids &pyramids) {
  OpBuilder &builder = program.builder;
  auto runs = tile::PlanRunsOp::create(
      builder, program.location, tile::RunTableType::get(builder.getContext()),
      program.batches, program.heads, program.queryCount, lists.keyCount,
      plan.getQueries(), plan.getGrainKeys());
  if (lists.queries || lists.keys)
    runs->setAttr(tile::kListedAttr, builder.getUnitAttr());
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(
      &runs.getClassify(), {}, SmallVector<Type>(6, builder.getIndexType()),
      SmallVector<Location>(6, program.location));
  pyramids.putBefore(runs);
  KernelScope scope = program;
  scope.batch = block->getArgument(0);
  scope.head = block->getArgument(1);

  Block &mask = op.getMask().front();
  llvm::DenseMap<Value, analysis::Bounds> bounds;
  auto bind = [&](unsigned argument, Value low, Value high) {
    Value first = scope.toI64(low);
    bounds[mask.getArgument(argument)] = {
        first, low == high ? first : scope.toI64(high)};
  };
  /// Element `place` of a list for this batch and head, i64.
  auto elementOf = [&](Value list, Value place) -> Value {
    Value batch = scope.share(scope.batch, list, 0, scope.batches);
    Value head = scope.share(scope.head, list, 1, scope.heads);
    return tile::ReadOp::create(builder, scope.location, builder.getI64Type(),
                                list, ValueRange{batch, head, place});
  };
  /// The least and largest element of a list that ascends.
  auto endsOf = [&](Value list, Value first, Value last) -> analysis::Bounds {
    return {elementOf(list, first), elementOf(list, last)};
  };
  /// Of any other. `groups` ascends, and where it stays the same the list does.
  auto boundsOf = [&](Value list, Value first, Value last,
                      analysis::Bounds groups) -> analysis::Bounds {
    Type i64 = builder.getI64Type();
    Value batch = scope.share(scope.batch, list, 0, scope.batches);
    Value head = scope.share(scope.head, list, 1, scope.heads);
    Value ascends;
    if (groups.isKnown())
      ascends = builder.createOrFold<arith::CmpIOp>(
          scope.location, arith::CmpIPredicate::eq, groups.low, groups.high);
    auto range = tile::BoundsOp::create(
        builder, scope.location, i64, i64, pyramids.get(list, 2),
        ValueRange{scope.toI64(batch), scope.toI64(head)}, scope.toI64(first),
        scope.toI64(last), ascends);
    return {range.getLeast(), range.getLargest()};
  };
  auto set = [&](unsigned argument, analysis::Bounds range) {
    bounds[mask.getArgument(argument)] = range;
  };
  Value firstRow = block->getArgument(2), lastRow = block->getArgument(3);
  Value firstKey = block->getArgument(4), lastKey = block->getArgument(5);
  Value offset =
      scope.toI64(scope.fold<arith::SubIOp>(scope.keyCount, scope.queryCount));
  // Lists are sorted by these, and stable.
  analysis::Bounds queryGroups, keyGroups;
  if (lists.queryIds)
    queryGroups = endsOf(lists.queryIds, firstRow, lastRow);
  if (Value groups = lists.segments ? lists.segments : lists.keyIds)
    keyGroups = endsOf(groups, firstKey, lastKey);
  analysis::Bounds rows{scope.toI64(firstRow), scope.toI64(lastRow)};
  if (lists.queries)
    rows = boundsOf(lists.queries, firstRow, lastRow, queryGroups);
  bind(0, scope.batch, scope.batch);
  bind(1, scope.head, scope.head);
  set(2, rows);
  set(3, {scope.fold<arith::AddIOp>(rows.low, offset),
          scope.fold<arith::AddIOp>(rows.high, offset)});
  set(4, lists.keys
             ? boundsOf(lists.keys, firstKey, lastKey, keyGroups)
             : analysis::Bounds{scope.toI64(firstKey), scope.toI64(lastKey)});
  if (lists.equal)
    bounds[lists.equal] =
        analysis::emitEqual(builder, scope.location, queryGroups, keyGroups);
  for (const PairLists::Known &known : lists.known)
    bounds[known.value] = boundsOf(known.table, firstRow, lastRow, {});
  llvm::DenseMap<Value, TensorPlace> places;
  unsigned next = attn::AttendOp::kPairPositions + op.getNumProducts();
  for (Value capture : op.getCaptures())
    places[mask.getArgument(next++)] = scope.places.at(capture);

  RangeReader reader{scope, places, pyramids};
  auto readRange = [&](Value tensor, ArrayRef<analysis::Bounds> indices) {
    return reader.read(tensor, indices);
  };
  auto shape = [&](Operation *inner,
                   llvm::function_ref<Value(Value)>) -> Value {
    Value value = evaluateShape(
        scope, inner, [&](Value tensor) { return places.at(tensor); });
    return value ? scope.toI64(value) : Value();
  };
  auto classify = [&](std::optional<bool> isMarked) {
    llvm::DenseMap<Value, analysis::Bounds> known = bounds;
    if (isMarked) {
      Value marked = arith::ConstantOp::create(builder, scope.location,
                                               builder.getBoolAttr(*isMarked));
      known[lists.marked] = {marked, marked};
    }
    return analysis::emitMaskClasses(builder, scope.location, op.getMask(),
                                     std::move(known), readRange, shape);
  };
  analysis::MaskClass found;
  if (!lists.marked) {
    found = classify(std::nullopt);
  } else {
    analysis::MaskClass without = classify(false), with = classify(true);
    found = analysis::emitSegments(builder, scope.location, keyGroups, without,
                                   with);
    found.unknown = without.unknown;
  }
  remarkMask(op, found, lists, plan, reader.ranged.getArrayRef());
  // With one step for all keys, runs that are full would only cut others short.
  if (plan.isOneStep())
    found.all = arith::ConstantOp::create(builder, scope.location,
                                          builder.getBoolAttr(false));
  tile::YieldOp::create(builder, scope.location,
                        ValueRange{found.any, found.all});
  return runs;
}

} // namespace rapt::conversion
