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
/// Ranges of the tensors that a mask reads.
struct RangeReader {
  KernelScope &scope;
  const llvm::DenseMap<Value, TensorPlace> &places;
  Pyramids &pyramids;
  llvm::SetVector<Value> ranged = {}; ///< Tensors read over ranges.

  analysis::Bounds read(Value tensor, ArrayRef<analysis::Bounds> indices) {
    const TensorPlace &place = places.at(tensor);
    // Rows that are listed are not those of a range.
    if (!scope.isSeen(place) || place.rows)
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
  std::string when = lists.areLate ? "once its earlier kernels have run"
                                   : "when a call is planned";
  if (lists.equal)
    analysis::remarkStructure(
        op, "queries and keys that must have equal ids are sorted by them " +
                when + ", so that pairs lie in few tiles");
  if (lists.marked)
    analysis::remarkStructure(
        op, "keys that far more queries keep than others are listed beside "
            "each other " +
                when);
  if (!lists.known.empty())
    analysis::remarkStructure(
        op, "queries that are close in all coordinates of a neighbourhood are "
            "listed beside each other " +
                when);
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
  void emitNext(tile::PlanRunsOp runs);

private:
  Block *enter(Region &region, unsigned arguments);
  std::pair<Value, Value> lineOf(Value list);
  Value elementOf(Value list, Value place);
  analysis::Bounds classesOf(Value list, Value first, Value last,
                             const PairLists::EmitClass &emitClass);
  Value segmentOf(Value place);
  analysis::Bounds boundsOf(Value list, Value first, Value last,
                            analysis::Bounds groups);
  void emitGroups(Region &region);
  Value number(int64_t value);
  analysis::MaskKeys placesOf(analysis::MaskKeys keys, Value from, Value end);
  std::optional<analysis::MaskKeys> keysAround(Value key,
                                               std::optional<bool> isMarked);
  std::optional<analysis::MaskKeys> placesAroundMarked(Value column);
  std::optional<analysis::MaskKeys> placesAroundSorted(Value first, Value last,
                                                       Value column, Value end);
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

/// Where a list has its line for this batch and head: there is one for each, or
/// one for all.
std::pair<Value, Value> RunTableEmitter::lineOf(Value list) {
  Operation *made = list.getDefiningOp();
  if (auto sort = dyn_cast<tile::SortRowsOp>(made))
    made = sort.getIds().getDefiningOp();
  else if (auto marked = dyn_cast<tile::ListMarkedOp>(made))
    made = marked.getMarks().getDefiningOp();
  auto table = cast<tile::TabulateOp>(made);
  auto placeOf = [&](Value count, Value number) {
    return matchPattern(count, m_One()) ? scope.index(0) : number;
  };
  return {placeOf(table.getBatches(), scope.batch),
          placeOf(table.getHeads(), scope.head)};
}

/// Element `place` of a list of i32 for this batch and head.
Value RunTableEmitter::elementOf(Value list, Value place) {
  auto [batch, head] = lineOf(list);
  return tile::ReadOp::create(builder, scope.location, builder.getI32Type(),
                              list, ValueRange{batch, head, place});
}

/// The classes that rows `first` to `last` of a list sorted by them have.
analysis::Bounds
RunTableEmitter::classesOf(Value list, Value first, Value last,
                           const PairLists::EmitClass &emitClass) {
  return {emitClass(scope, elementOf(list, first)),
          emitClass(scope, elementOf(list, last))};
}

/// The part of the list of keys that `place` is in: 0 for the keys in order, 1
/// for the marked ones, 2 for what is left.
Value RunTableEmitter::segmentOf(Value place) {
  auto choose = [&](Value end, Value below, Value above) {
    Value isBelow = builder.createOrFold<arith::CmpIOp>(
        scope.location, arith::CmpIPredicate::slt, scope.toI64(place), end);
    return builder.createOrFold<arith::SelectOp>(scope.location, isBelow, below,
                                                 above);
  };
  Value keys = scope.toI64(scope.keyCount);
  Value count =
      arith::ExtSIOp::create(builder, scope.location, builder.getI64Type(),
                             elementOf(lists.markedCount, scope.index(0)));
  Value behind =
      choose(scope.fold<arith::AddIOp>(keys, count), number(1), number(2));
  return choose(keys, number(0), behind);
}

/// The least and largest element of a list. `groups`, if there are any, ascend,
/// and where they stay the same the list does.
analysis::Bounds RunTableEmitter::boundsOf(Value list, Value first, Value last,
                                           analysis::Bounds groups) {
  Type i64 = builder.getI64Type();
  auto [batch, head] = lineOf(list);
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
  if (lists.equal)
    queryGroups = classesOf(lists.queries, first, last, lists.queryClass);
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
  if (lists.equal)
    keyGroups = classesOf(lists.keys, first, last, lists.keyClass);
  else if (lists.marked)
    keyGroups = {segmentOf(first), segmentOf(last)};
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

/// The places of keys, or of the next ones that the list has, among those from
/// `from` to before `end` (index); i64.
analysis::MaskKeys RunTableEmitter::placesOf(analysis::MaskKeys keys,
                                             Value from, Value end) {
  auto [batch, head] = lineOf(lists.keys);
  for (Value *key :
       {&keys.kept.next, &keys.kept.end, &keys.dropped.next, &keys.dropped.end})
    *key = scope.toI64(tile::FindOp::create(
        builder, scope.location, builder.getIndexType(), lists.keys,
        ValueRange{batch, head}, from, end, *key));
  return keys;
}

/// The third region: the classes that lists are sorted by.
void RunTableEmitter::emitGroups(Region &region) {
  Block *block = enter(region, 4);
  auto classOf = [&](Value list, unsigned argument,
                     const PairLists::EmitClass &emitClass) {
    return emitClass(scope, elementOf(list, block->getArgument(argument)));
  };
  tile::YieldOp::create(builder, scope.location,
                        ValueRange{classOf(lists.queries, 2, lists.queryClass),
                                   classOf(lists.keys, 3, lists.keyClass)});
}

Value RunTableEmitter::number(int64_t value) {
  return arith::ConstantOp::create(builder, scope.location,
                                   builder.getI64IntegerAttr(value));
}

/// Larger than any place.
static constexpr int64_t kNoPlace = int64_t(1) << 62;

/// The keys around `key`, for rows that are bound; `isMarked` is a constant of
/// the mask if there are marks. Marked keys are those that are kept by the mark
/// alone.
std::optional<analysis::MaskKeys>
RunTableEmitter::keysAround(Value key, std::optional<bool> isMarked) {
  bind(4, {number(0),
           scope.fold<arith::SubIOp>(scope.toI64(scope.keyCount), number(1))});
  RangeReader reader{scope, places, pyramids};
  auto readRange = [&](Value tensor, ArrayRef<analysis::Bounds> indices) {
    return reader.read(tensor, indices);
  };
  auto evaluateShapeOf = [&](Operation *inner,
                             llvm::function_ref<Value(Value)>) {
    return evaluate(inner);
  };
  auto boundsWith = [&](bool mark) {
    llvm::DenseMap<Value, analysis::Bounds> known = bounds;
    Value marked = arith::ConstantOp::create(builder, scope.location,
                                             builder.getBoolAttr(mark));
    known[lists.marked] = {marked, marked};
    return known;
  };
  if (isMarked == true)
    return analysis::emitMaskKeysBeyond(builder, scope.location, op.getMask(),
                                        boundsWith(true), boundsWith(false),
                                        readRange, evaluateShapeOf, key);
  return analysis::emitMaskKeys(builder, scope.location, op.getMask(),
                                isMarked ? boundsWith(false) : bounds,
                                readRange, evaluateShapeOf, key);
}

/// Of keys in their places and then marked ones, around a place of that list.
std::optional<analysis::MaskKeys>
RunTableEmitter::placesAroundMarked(Value column) {
  auto choose = [&](Value condition, Value yes, Value no) {
    return builder.createOrFold<arith::SelectOp>(scope.location, condition, yes,
                                                 no);
  };
  auto isBelow = [&](Value end) {
    return builder.createOrFold<arith::CmpIOp>(
        scope.location, arith::CmpIPredicate::ult, column, end);
  };
  Value count = arith::IndexCastOp::create(
      builder, scope.location, builder.getIndexType(),
      elementOf(lists.markedCount, scope.index(0)));
  Value end = scope.fold<arith::AddIOp>(scope.keyCount, count);
  Value isPlain = isBelow(scope.keyCount), isListed = isBelow(end);
  Value key =
      arith::ExtSIOp::create(builder, scope.location, builder.getI64Type(),
                             elementOf(lists.keys, column));
  auto plain = keysAround(key, false), marked = keysAround(key, true);
  if (!plain || !marked)
    return std::nullopt;
  // Nothing is looked for among the others.
  marked = placesOf(*marked, choose(isPlain, end, column), end);
  Value keys = scope.toI64(scope.keyCount), place = scope.toI64(column);
  auto join = [&](Value ofPlain, Value ofMarked, bool isKept) {
    Value behind = isKept ? number(kNoPlace) : place;
    return choose(isPlain, scope.fold<arith::MinSIOp>(ofPlain, keys),
                  choose(isListed, ofMarked, behind));
  };
  return analysis::MaskKeys{
      {join(plain->kept.next, marked->kept.next, true),
       join(plain->kept.end, marked->kept.end, false)},
      {join(plain->dropped.next, marked->dropped.next, false),
       join(plain->dropped.end, marked->dropped.end, true)}};
}

/// Of keys sorted by class, around the place `column`, before `end` where the
/// class ends; for rows `first` to `last` of it.
std::optional<analysis::MaskKeys>
RunTableEmitter::placesAroundSorted(Value first, Value last, Value column,
                                    Value end) {
  auto positionAt = [&](Value list, Value place) -> Value {
    return arith::ExtSIOp::create(builder, scope.location, builder.getI64Type(),
                                  elementOf(list, place));
  };
  // Positions ascend, and all pairs have equal ids.
  Value offset =
      scope.toI64(scope.fold<arith::SubIOp>(scope.keyCount, scope.queryCount));
  analysis::Bounds rows{positionAt(lists.queries, first),
                        positionAt(lists.queries, last)};
  bind(2, rows);
  bind(3, {scope.fold<arith::AddIOp>(rows.low, offset),
           scope.fold<arith::AddIOp>(rows.high, offset)});
  Value isEqual = arith::ConstantOp::create(builder, scope.location,
                                            builder.getBoolAttr(true));
  bounds[lists.equal] = {isEqual, isEqual};
  auto keys = keysAround(positionAt(lists.keys, column), std::nullopt);
  if (keys)
    keys = placesOf(*keys, column, end);
  return keys;
}

/// The second region, and the third with lists that are sorted by classes, if
/// the mask is one that has it. Comes after the first, which has asked for the
/// same pyramids.
void RunTableEmitter::emitNext(tile::PlanRunsOp runs) {
  Region &region = runs.getNext();
  bool isSorted = lists.equal != nullptr;
  Block *block = enter(region, isSorted ? 6 : 5);
  Value first = block->getArgument(2), last = block->getArgument(3);
  Value column = block->getArgument(4), none = number(kNoPlace);
  std::optional<analysis::MaskKeys> keys;
  if (isSorted) {
    keys = placesAroundSorted(first, last, column, block->getArgument(5));
    none = scope.toI64(block->getArgument(5));
  } else {
    bindRows(first, last);
    keys = lists.marked ? placesAroundMarked(column)
                        : keysAround(scope.toI64(column), std::nullopt);
  }
  if (!keys) {
    region.dropAllReferences();
    region.getBlocks().clear();
    return;
  }
  if (plan.isOneStep()) // all are dropped by some query, for all it matters
    keys->dropped = {scope.toI64(column), none};
  tile::YieldOp::create(builder, scope.location,
                        ValueRange{keys->kept.next, keys->kept.end,
                                   keys->dropped.next, keys->dropped.end});
  if (isSorted)
    emitGroups(runs.getGroups());
}

Value emitRunTable(KernelScope &program, Value itemHeads, attn::AttendOp op,
                   tile::PlanAttr plan, const PairLists &lists,
                   Pyramids &pyramids) {
  OpBuilder &builder = program.builder;
  auto runs = tile::PlanRunsOp::create(
      builder, program.location, tile::RunTableType::get(builder.getContext()),
      program.batches, itemHeads,
      program.group
          ? program.fold<arith::MulIOp>(program.queryCount, program.group)
          : program.queryCount,
      lists.keyCount, tellsHeadsApart(op) ? program.group : Value(),
      plan.getQueries(), plan.getGrainKeys());
  if (lists.queries || lists.keys)
    runs->setAttr(tile::kListedAttr, builder.getUnitAttr());
  OpBuilder::InsertionGuard guard(builder);
  pyramids.putBefore(runs);
  RunTableEmitter emitter(program, op, plan, lists, pyramids);
  emitter.emitClasses(runs.getClassify());
  emitter.emitNext(runs);
  return runs;
}

} // namespace rapt::conversion
