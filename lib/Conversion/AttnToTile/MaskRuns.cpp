// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Which runs of keys a block of queries visits: the classes of the mask, asked
// when a call is planned.

#include "lib/Analysis/KeyRanges.h"
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

namespace {
/// Emits the regions of a table.
class RunTableEmitter {
public:
  RunTableEmitter(KernelScope &program, attn::AttendOp op, tile::PlanAttr plan,
                  const PairLists &lists, Pyramids &pyramids)
      : scope(program), builder(scope.builder), op(op),
        mask(op.getMask().front()), plan(plan), lists(lists),
        pyramids(pyramids) {
    unsigned next = attn::AttendOp::kPairPositions + op.getNumProducts();
    for (Value capture : op.getCaptures())
      places[mask.getArgument(next++)] = scope.places.at(capture);
  }

  void emitClasses(Region &region);
  void emitNext(Region &region);

private:
  Block *enter(Region &region, unsigned arguments);
  Value elementOf(Value list, Value place);
  /// The least and largest element of a list that ascends.
  analysis::Bounds endsOf(Value list, Value first, Value last) {
    return {elementOf(list, first), elementOf(list, last)};
  }
  analysis::Bounds boundsOf(Value list, Value first, Value last,
                            analysis::Bounds groups);
  void bindRows(Value first, Value last);
  void bindKeys(Value first, Value last);
  analysis::MaskClass classify(std::optional<bool> isMarked,
                               RangeReader &reader);
  void bind(unsigned argument, analysis::Bounds range) {
    bounds[mask.getArgument(argument)] = range;
  }
  Value evaluate(Operation *inner) {
    Value value = evaluateShape(
        scope, inner, [&](Value tensor) { return places.at(tensor); });
    return value ? scope.toI64(value) : Value();
  }

  KernelScope scope;
  OpBuilder &builder;
  attn::AttendOp op;
  Block &mask;
  tile::PlanAttr plan;
  const PairLists &lists;
  Pyramids &pyramids;
  llvm::DenseMap<Value, TensorPlace> places;
  llvm::DenseMap<Value, analysis::Bounds> bounds;
  /// What lists are sorted by, at both ends of a rectangle.
  analysis::Bounds queryGroups, keyGroups;
};
} // namespace

/// A block of a region whose first arguments are batch and head.
Block *RunTableEmitter::enter(Region &region, unsigned arguments) {
  Block *block = builder.createBlock(
      &region, {}, SmallVector<Type>(arguments, builder.getIndexType()),
      SmallVector<Location>(arguments, scope.location));
  scope.batch = block->getArgument(0);
  scope.head = block->getArgument(1);
  bounds.clear();
  for (unsigned argument : {0, 1}) {
    Value place = scope.toI64(block->getArgument(argument));
    bind(argument, {place, place});
  }
  return block;
}

/// Element `place` of a list for this batch and head, i64.
Value RunTableEmitter::elementOf(Value list, Value place) {
  Value batch = scope.share(scope.batch, list, 0, scope.batches);
  Value head = scope.share(scope.head, list, 1, scope.heads);
  return tile::ReadOp::create(builder, scope.location, builder.getI64Type(),
                              list, ValueRange{batch, head, place});
}

/// The least and largest element of a list. `groups`, if there are any, ascend,
/// and where they stay the same the list does.
analysis::Bounds RunTableEmitter::boundsOf(Value list, Value first, Value last,
                                           analysis::Bounds groups) {
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
}

void RunTableEmitter::bindRows(Value first, Value last) {
  Value offset =
      scope.toI64(scope.fold<arith::SubIOp>(scope.keyCount, scope.queryCount));
  if (lists.queryIds)
    queryGroups = endsOf(lists.queryIds, first, last);
  // The rows of a group are the queries of its heads, side by side.
  auto positionOf = [&](Value row) {
    return scope.toI64(
        scope.group ? scope.fold<arith::DivUIOp>(row, scope.group) : row);
  };
  analysis::Bounds rows{positionOf(first), positionOf(last)};
  if (lists.queries)
    rows = boundsOf(lists.queries, first, last, queryGroups);
  bind(2, rows);
  bind(3, {scope.fold<arith::AddIOp>(rows.low, offset),
           scope.fold<arith::AddIOp>(rows.high, offset)});
  for (const PairLists::Known &known : lists.known)
    bounds[known.value] = boundsOf(known.table, first, last, {});
}

void RunTableEmitter::bindKeys(Value first, Value last) {
  if (Value groups = lists.segments ? lists.segments : lists.keyIds)
    keyGroups = endsOf(groups, first, last);
  bind(4, lists.keys ? boundsOf(lists.keys, first, last, keyGroups)
                     : analysis::Bounds{scope.toI64(first), scope.toI64(last)});
}

analysis::MaskClass RunTableEmitter::classify(std::optional<bool> isMarked,
                                              RangeReader &reader) {
  llvm::DenseMap<Value, analysis::Bounds> known = bounds;
  if (isMarked) {
    Value marked = arith::ConstantOp::create(builder, scope.location,
                                             builder.getBoolAttr(*isMarked));
    known[lists.marked] = {marked, marked};
  }
  return analysis::emitMaskClasses(
      builder, scope.location, op.getMask(), std::move(known),
      [&](Value tensor, ArrayRef<analysis::Bounds> indices) {
        return reader.read(tensor, indices);
      },
      [&](Operation *inner, llvm::function_ref<Value(Value)>) {
        return evaluate(inner);
      });
}

void RunTableEmitter::emitClasses(Region &region) {
  Block *block = enter(region, 6);
  bindRows(block->getArgument(2), block->getArgument(3));
  bindKeys(block->getArgument(4), block->getArgument(5));
  RangeReader reader{scope, places, pyramids};
  if (lists.equal)
    bounds[lists.equal] =
        analysis::emitEqual(builder, scope.location, queryGroups, keyGroups);
  analysis::MaskClass found;
  if (!lists.marked) {
    found = classify(std::nullopt, reader);
  } else {
    analysis::MaskClass without = classify(false, reader),
                        with = classify(true, reader);
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
}

/// The second region, if keys are where they are and the mask is one that has
/// it. Comes after the first, which has asked for the same pyramids.
void RunTableEmitter::emitNext(Region &region) {
  if (lists.keys)
    return;
  Block *block = enter(region, 5);
  bindRows(block->getArgument(2), block->getArgument(3));
  Value zero = arith::ConstantOp::create(builder, scope.location,
                                         builder.getI64IntegerAttr(0));
  Value one = arith::ConstantOp::create(builder, scope.location,
                                        builder.getI64IntegerAttr(1));
  Value last = scope.fold<arith::SubIOp>(scope.toI64(scope.keyCount), one);
  bind(4, {zero, last});
  Value key = scope.toI64(block->getArgument(4));
  RangeReader reader{scope, places, pyramids};
  auto keys = analysis::emitMaskKeys(
      builder, scope.location, op.getMask(), bounds,
      [&](Value tensor, ArrayRef<analysis::Bounds> indices) {
        return reader.read(tensor, indices);
      },
      [&](Operation *inner, llvm::function_ref<Value(Value)>) {
        return evaluate(inner);
      },
      key);
  if (!keys) {
    region.dropAllReferences();
    region.getBlocks().clear();
    return;
  }
  if (plan.isOneStep()) // all are dropped by some query, for all it matters
    keys->dropped = {key, arith::ConstantOp::create(
                              builder, scope.location,
                              builder.getI64IntegerAttr(int64_t(1) << 62))};
  tile::YieldOp::create(builder, scope.location,
                        ValueRange{keys->kept.next, keys->kept.end,
                                   keys->dropped.next, keys->dropped.end});
}

Value emitRunTable(KernelScope &program, attn::AttendOp op, tile::PlanAttr plan,
                   const PairLists &lists, Pyramids &pyramids) {
  OpBuilder &builder = program.builder;
  auto runs = tile::PlanRunsOp::create(
      builder, program.location, tile::RunTableType::get(builder.getContext()),
      program.batches, program.heads,
      program.group
          ? program.fold<arith::MulIOp>(program.queryCount, program.group)
          : program.queryCount,
      lists.keyCount, plan.getQueries(), plan.getGrainKeys());
  if (lists.queries || lists.keys)
    runs->setAttr(tile::kListedAttr, builder.getUnitAttr());
  OpBuilder::InsertionGuard guard(builder);
  pyramids.putBefore(runs);
  RunTableEmitter emitter(program, op, plan, lists, pyramids);
  emitter.emitClasses(runs.getClassify());
  emitter.emitNext(runs.getNext());
  return runs;
}

} // namespace rapt::conversion
