// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// One block of queries against the runs of keys that its mask may keep.
//
// Softmax keeps the maximum m and the sum l of each row and rescales what it
// has when m grows (Milakov and Gimelshein, arXiv:1805.02867). Weights are
// powers of two: with c = log2(e) times a constant factor of the score,
// exp(score - m) = 2^(x c - m c) where x is the score without that factor, one
// multiply-add and one exp2. m c is rounded in the same way wherever it is
// used, so that the rounding cancels between weights and sum.
//
// For few queries the rows of an item are the queries of all heads that share
// their keys, so that keys are read once, and the keys are split over items; a
// second kernel merges what these find.

#include "lib/Conversion/AttnToTile/DiagonalTiles.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include <cmath>
#include <limits>

using namespace mlir;

namespace rapt::conversion {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLog2E = 1.4426950408889634;
constexpr double kLn2 = 0.6931471805599453;

class AttendKernel {
public:
  AttendKernel(KernelScope &scope, attn::AttendOp op, tile::PlanAttr plan,
               const PairLists &lists, Value itemHead,
               const AttendResults &results)
      : scope(scope), builder(scope.builder), op(op), plan(plan), lists(lists),
        itemHead(itemHead), results(results), tq(plan.getQueries()),
        fullKeys(plan.getKeys()), edgeKeys(plan.getEdgeKeys()), tk(fullKeys),
        width(cast<RankedTensorType>(op.getValues().getType()).getDimSize(3)),
        isOneStep(plan.isOneStep()),
        isSoftmax(op.getReduction() == attn::Reduction::Softmax),
        isRatio(op.getReduction() == attn::Reduction::Ratio) {}

  LogicalResult emit(Value table);
  LogicalResult emitMerge();

private:
  void findRows();
  void loadQueries();
  void chooseScale();
  LogicalResult getInitial(SmallVectorImpl<Value> &carried, bool hasSink);
  LogicalResult emitStep(Block *body, bool isFull);
  LogicalResult emitWeights(Value start, Value end, ArrayRef<Value> dots,
                            bool isFull, Value &score, Value &factor,
                            Value &kept);
  SmallVector<analysis::DiagonalValue> getDiagonals();
  Value accumulate(Value weights, Value start, Value count, Value accumulator);
  void emitSoftmaxStep(Value start, Value count, Value score, Value factor,
                       ValueRange carried, SmallVectorImpl<Value> &next);
  Value maximumOf(Value a, Value b);
  Value shiftOf(Value maximum);
  Value scaleBetween(Value maximum, Value shift);
  void storeParts(ValueRange carried);
  SmallVector<Value> loadParts(Value split);
  Value partRows(Value part);
  void finish(ValueRange carried);

  /// A copier for one of the regions of the operation. `head` is that of the
  /// row; null: that of the item.
  RegionCopier copierFor(Region &region, Operation *above, Value row, Value i,
                         Value j, Value head, ValueRange dots);
  Value rowsOfQueries(Value tensor);
  Value rowsOfResult(Value whole);
  Value load(Value view, Value first, int64_t rows, int64_t columns,
             bool isInside);
  Value loadList(Value list, Value first, int64_t count, bool isInside);
  Value rowsOfKeys(Value tensor, size_t number);
  void prefetch(Value rows, bool isForStore);
  Value scaled(Value maximum);
  Value safe(Value maximum);
  Value powerOfTwo(Value exponent);
  MapOperand perQuery(Value tile) { return {tile, {0}}; }
  MapOperand perPair(Value tile) { return {tile, {0, 1}}; }

  KernelScope &scope;
  OpBuilder &builder;
  attn::AttendOp op;
  tile::PlanAttr plan;
  PairLists lists;
  Value itemHead;
  const AttendResults &results;
  int64_t tq, fullKeys, edgeKeys;
  int64_t tk; ///< keys of the step that is being emitted
  int64_t width;
  bool isOneStep, isSoftmax, isRatio;
  /// The score is `x * factor`; 1 if it is nothing of the kind.
  double scoreFactor = 1;
  Value unscaledScore;

  Value rowBlock, split; ///< of the item
  Value first, firstPosition;
  Value rowTile, positionTile;
  Value headTile; ///< of grouped heads
  SmallVector<Value> queryTiles, keyViews;
  Value valueView;
  Value queryList, keyList; ///< of this item; may be null
  Value markedEnd;          ///< of marked keys in the list; i32; null: no marks
};

} // namespace

//===----------------------------------------------------------------------===//
// Before the loop
//===----------------------------------------------------------------------===//

Value AttendKernel::load(Value view, Value first, int64_t rows, int64_t columns,
                         bool isInside) {
  return tile::LoadOp::create(
      builder, scope.location,
      scope.tileType({rows, columns}, builder.getF32Type()), view,
      ValueRange{first, scope.index(0)},
      builder.getDenseBoolArrayAttr({isInside, true}));
}

/// Which queries the rows of the item are.
void AttendKernel::findRows() {
  first = scope.fold<arith::MulIOp>(rowBlock, scope.index(tq));
  Value offset = scope.fold<arith::SubIOp>(scope.keyCount, scope.queryCount);
  firstPosition = scope.fold<arith::AddIOp>(first, offset);
  auto mapIntegers = [&](Value tile,
                         llvm::function_ref<Value(Value)> body) -> Value {
    return scope
        .map({perQuery(tile)}, {tq}, builder.getI32Type(),
             [&](tile::MapOp, ValueRange e) -> SmallVector<Value> {
               return {body(e[0])};
             })
        .getResult(0);
  };
  auto shifted = [&](Value rows) {
    Value shift = scope.toI32(offset);
    return mapIntegers(rows, [&](Value row) -> Value {
      return arith::AddIOp::create(builder, scope.location, row, shift);
    });
  };
  if (scope.group) {
    Value number = scope.positions(first, tq);
    Value group = scope.toI32(scope.group), head = scope.toI32(scope.head);
    auto divide = [&](Value row) {
      return scope.fold<arith::FloorDivSIOp>(row, group);
    };
    rowTile = mapIntegers(number, divide);
    headTile = mapIntegers(number, [&](Value row) -> Value {
      Value others = scope.fold<arith::MulIOp>(divide(row), group);
      return scope.fold<arith::AddIOp>(head,
                                       scope.fold<arith::SubIOp>(row, others));
    });
    positionTile = shifted(rowTile);
  } else if (lists.queries) {
    queryList = getListOfItem(scope, lists.queries);
    rowTile = loadList(queryList, first, tq, /*isInside=*/false);
    positionTile = shifted(rowTile);
  } else {
    rowTile = scope.positions(first, tq);
    positionTile = scope.positions(firstPosition, tq);
  }
}

/// The queries of all heads of the item, or of its one head.
Value AttendKernel::rowsOfQueries(Value tensor) {
  if (!scope.group)
    return scope.rowsOfItem(tensor, queryList);
  const TensorPlace &place = scope.places.at(tensor);
  auto type = cast<tile::ViewType>(place.view.getType());
  Value batch = scope.share(scope.batch, place.view, 0, scope.batches);
  Value heads = tile::WindowOp::create(
      builder, scope.location,
      tile::ViewType::get(type.getElementType(), type.getRank() - 1),
      place.view, batch);
  return tile::GroupRowsOp::create(
      builder, scope.location,
      tile::ViewType::get(builder.getContext(), type.getElementType(),
                          type.getRank() - 2, tile::RowMap::Grouped),
      heads, scope.head, scope.group, scope.heads);
}

Value AttendKernel::rowsOfResult(Value whole) {
  auto type = cast<tile::ViewType>(whole.getType());
  if (scope.group) {
    Value heads = tile::WindowOp::create(
        builder, scope.location,
        tile::ViewType::get(type.getElementType(), type.getRank() - 1), whole,
        scope.batch);
    return tile::GroupRowsOp::create(
        builder, scope.location,
        tile::ViewType::get(builder.getContext(), type.getElementType(),
                            type.getRank() - 2, tile::RowMap::Grouped),
        heads, scope.head, scope.group, scope.heads);
  }
  Value rows = tile::WindowOp::create(
      builder, scope.location,
      tile::ViewType::get(type.getElementType(), type.getRank() - 2), whole,
      ValueRange{scope.batch, scope.head});
  return scope.listed(rows, queryList);
}

void AttendKernel::loadQueries() {
  if (lists.keys)
    keyList = getListOfItem(scope, lists.keys);
  if (lists.marked)
    markedEnd = scope.fold<arith::AddIOp>(
        scope.toI32(scope.keyCount),
        tile::ReadOp::create(builder, scope.location, builder.getI32Type(),
                             getListOfItem(scope, lists.markedCount),
                             scope.index(0)));
  for (auto [n, query, key] : llvm::enumerate(op.getQueries(), op.getKeys())) {
    int64_t dim = cast<RankedTensorType>(query.getType()).getDimSize(3);
    Value rows = rowsOfQueries(query);
    if (queryList)
      prefetch(rows, /*isForStore=*/false);
    queryTiles.push_back(load(rows, first, tq, dim, /*isInside=*/false));
    keyViews.push_back(rowsOfKeys(key, n));
  }
  valueView = rowsOfKeys(op.getValues(), op.getKeys().size());
}

/// Scattered rows of this block of queries.
void AttendKernel::prefetch(Value rows, bool isForStore) {
  tile::PrefetchOp::create(builder, scope.location, rows, first, tq,
                           isForStore);
}

/// Operand `number` of those with rows of keys, in the order of the keys.
Value AttendKernel::rowsOfKeys(Value tensor, size_t number) {
  Value rows = number < lists.rows.size() ? lists.rows[number] : Value();
  return scope.rowsOfItem(tensor, rows ? getListOfItem(scope, rows) : keyList);
}

Value AttendKernel::loadList(Value list, Value first, int64_t count,
                             bool isInside) {
  Type element = cast<tile::ViewType>(list.getType()).getElementType();
  return tile::LoadOp::create(builder, scope.location,
                              scope.tileType({count}, element), list, first,
                              builder.getDenseBoolArrayAttr(isInside));
}

/// A positive constant factor of the score is taken out: it does not change
/// which score is the largest.
void AttendKernel::chooseScale() {
  unscaledScore = cast<attn::YieldOp>(op.getScore().front().back()).getValue();
  // A sink is compared with scores as they are.
  if (!isSoftmax || !op.getSink().empty())
    return;
  auto product = unscaledScore.getDefiningOp<arith::MulFOp>();
  if (!product)
    return;
  for (auto [x, c] : {std::pair(product.getLhs(), product.getRhs()),
                      std::pair(product.getRhs(), product.getLhs())}) {
    FloatAttr constant;
    if (!matchPattern(c, m_Constant(&constant)))
      continue;
    double value = constant.getValueAsDouble();
    // Far from the ends of the range, so that no product overflows.
    if (!(value > 0x1p-40 && value < 0x1p40))
      continue;
    scoreFactor = value;
    unscaledScore = x;
    return;
  }
}

RegionCopier AttendKernel::copierFor(Region &region, Operation *above,
                                     Value row, Value i, Value j, Value head,
                                     ValueRange dots) {
  RegionCopier copier(scope, above);
  Block &block = region.front();
  {
    OpBuilder::InsertionGuard guard(builder);
    if (above)
      builder.setInsertionPoint(above);
    copier.bind(block.getArgument(0), scope.toI32(scope.batch));
    if (!head)
      copier.bind(block.getArgument(1), scope.toI32(scope.head));
  }
  if (head)
    copier.bindRowHead(block.getArgument(1), head);
  copier.bind(block.getArgument(2), row);
  copier.bind(block.getArgument(3), i);
  unsigned next = attn::AttendOp::kSinkPositions;
  if (j) {
    copier.bind(block.getArgument(4), j);
    next = attn::AttendOp::kPairPositions;
  }
  for (Value dot : dots)
    copier.bind(block.getArgument(next++), dot);
  for (Value capture : op.getCaptures())
    copier.bindTensor(block.getArgument(next++), scope.places.at(capture));
  return copier;
}

LogicalResult AttendKernel::getInitial(SmallVectorImpl<Value> &carried,
                                       bool hasSink) {
  Value zero = scope.real(0);
  if (isSoftmax && (!hasSink || op.getSink().empty())) {
    carried.push_back(scope.splat(scope.real(-kInfinity), {tq}));
    carried.push_back(scope.splat(zero, {tq}));
  } else if (isSoftmax) {
    // A sink is one more key, of value 0, that comes before all others.
    bool isFine = true;
    Type f32 = builder.getF32Type();
    SmallVector<MapOperand> operands{perQuery(rowTile), perQuery(positionTile)};
    if (headTile)
      operands.push_back(perQuery(headTile));
    auto map = scope.map(
        operands, {tq}, {f32, f32},
        [&](tile::MapOp map, ValueRange elements) -> SmallVector<Value> {
          RegionCopier copier =
              copierFor(op.getSink(), map, elements[0], elements[1], nullptr,
                        headTile ? elements[2] : Value(), {});
          Block &block = op.getSink().front();
          isFine = succeeded(copier.copy(block));
          Value sink =
              isFine
                  ? copier.lookup(cast<attn::YieldOp>(block.back()).getValue())
                  : scope.real(0);
          Value isNone = arith::CmpFOp::create(builder, scope.location,
                                               arith::CmpFPredicate::OEQ, sink,
                                               scope.real(-kInfinity));
          Value sum = arith::SelectOp::create(builder, scope.location, isNone,
                                              scope.real(0), scope.real(1));
          return {sink, sum};
        });
    if (!isFine)
      return failure();
    llvm::append_range(carried, map.getResults());
  } else if (isRatio) {
    carried.push_back(scope.splat(zero, {tq})); // the sum of the weights
    carried.push_back(scope.splat(zero, {tq})); // how many pairs are kept
  }
  carried.push_back(scope.splat(zero, {tq, width}));
  return success();
}

//===----------------------------------------------------------------------===//
// One run of keys
//===----------------------------------------------------------------------===//

/// Of keys below `end` the scores [tq, tk] as softmax wants them, -inf where
/// the mask drops a pair, else the weights, 0 there; the factors, if there are
/// any; and 1 for each pair that is kept, if `kept` is asked for.
LogicalResult AttendKernel::emitWeights(Value start, Value end,
                                        ArrayRef<Value> dots, bool isFull,
                                        Value &score, Value &factor,
                                        Value &kept) {
  // Its position, and its place in the list.
  Value place = scope.positions(start, tk);
  Value key = keyList ? loadList(keyList, start, tk, isFull) : place;
  SmallVector<MapOperand> operands{
      perQuery(rowTile), perQuery(positionTile), {key, {1}}};
  for (Value dot : dots)
    operands.push_back(perPair(dot));
  // What is equal along diagonals is computed once for each.
  SmallVector<analysis::DiagonalValue> diagonals = getDiagonals();
  for (const analysis::DiagonalValue &diagonal : diagonals) {
    FailureOr<Value> tile =
        emitDiagonals(scope, op, op.getScore(), diagonal,
                      {tq, tk, first, firstPosition, start});
    if (failed(tile))
      return failure();
    operands.push_back(perPair(*tile));
  }
  operands.push_back({place, {1}});
  if (headTile)
    operands.push_back(perQuery(headTile));
  bool hasFactor = !op.getFactor().empty();
  bool isCounted = isRatio && !isFull;
  SmallVector<Type> types(1 + hasFactor + isCounted, builder.getF32Type());
  bool isFine = true;
  Value keysInOrder = scope.toI32(scope.keyCount);
  auto map = scope.map(
      operands, {tq, tk}, types,
      [&](tile::MapOp map, ValueRange elements) -> SmallVector<Value> {
        Value ownHead = headTile ? elements.back() : Value();
        if (headTile)
          elements = elements.drop_back();
        Value ownPlace = elements.back();
        auto copyRegion = [&](Region &region, Value yielded,
                              std::optional<bool> isMarked =
                                  std::nullopt) -> Value {
          RegionCopier copier =
              copierFor(region, map, elements[0], elements[1], elements[2],
                        ownHead, elements.slice(3, dots.size()));
          if (&region == &op.getScore())
            for (auto [n, diagonal] : llvm::enumerate(diagonals))
              copier.bind(diagonal.value, elements[3 + dots.size() + n]);
          if (isMarked)
            copier.bind(lists.marked, arith::ConstantOp::create(
                                          builder, scope.location,
                                          builder.getBoolAttr(*isMarked)));
          if (failed(copier.copy(region.front()))) {
            isFine = false;
            return scope.real(0);
          }
          return copier.lookup(yielded);
        };
        auto yieldOf = [](Region &region) {
          return cast<attn::YieldOp>(region.front().back()).getValue();
        };
        Value value = copyRegion(op.getScore(), unscaledScore);
        SmallVector<Value> results;
        Value isKept; // null: every pair is
        if (!isFull) {
          isKept =
              arith::CmpIOp::create(builder, scope.location,
                                    arith::CmpIPredicate::slt, ownPlace, end);
          auto both = [&](Value a, Value b) -> Value {
            return arith::AndIOp::create(builder, scope.location, a, b);
          };
          if (markedEnd) {
            Value yielded = yieldOf(op.getMask());
            Value without = copyRegion(op.getMask(), yielded, false);
            Value with = copyRegion(op.getMask(), yielded, true);
            auto isBelow = [&](Value end) -> Value {
              return arith::CmpIOp::create(builder, scope.location,
                                           arith::CmpIPredicate::slt, ownPlace,
                                           end);
            };
            // A pair that is kept in its place is not kept again.
            Value again =
                arith::CmpIOp::create(builder, scope.location,
                                      arith::CmpIPredicate::ugt, with, without);
            Value listedAgain = both(isBelow(markedEnd), again);
            isKept =
                both(isKept, arith::SelectOp::create(builder, scope.location,
                                                     isBelow(keysInOrder),
                                                     without, listedAgain));
          } else if (!op.getMask().empty()) {
            isKept =
                both(isKept, copyRegion(op.getMask(), yieldOf(op.getMask())));
          }
          value =
              arith::SelectOp::create(builder, scope.location, isKept, value,
                                      scope.real(isSoftmax ? -kInfinity : 0));
          if (isCounted)
            kept = arith::SelectOp::create(builder, scope.location, isKept,
                                           scope.real(1), scope.real(0));
        }
        results.push_back(value);
        if (hasFactor) {
          Value factor = copyRegion(op.getFactor(), yieldOf(op.getFactor()));
          // A weight of 0 times a factor that is not finite is NaN.
          if (isKept)
            factor = arith::SelectOp::create(builder, scope.location, isKept,
                                             factor, scope.real(0));
          results.push_back(factor);
        }
        if (isCounted)
          results.push_back(kept);
        return results;
      });
  score = map.getResult(0);
  if (hasFactor)
    factor = map.getResult(1);
  kept = isCounted ? map.getResults().back() : Value();
  return success(isFine);
}

/// Where queries and keys follow each other, and queries are the lanes: then a
/// part of a line is one vector.
SmallVector<analysis::DiagonalValue> AttendKernel::getDiagonals() {
  bool isPlain = plan.getCpu() && !plan.getCpu().getColumns() && !queryList &&
                 !keyList && !headTile;
  if (!isPlain)
    return {};
  return analysis::findDiagonals(op, op.getScore());
}

/// The weights are 0 from key `count` of the step on; null: none is.
Value AttendKernel::accumulate(Value weights, Value start, Value count,
                               Value accumulator) {
  bool isFull = !count;
  Value values = load(valueView, start, tk, width, isFull);
  return tile::MmaOp::create(builder, scope.location,
                             scope.tileType({tq, width}, builder.getF32Type()),
                             weights, values, accumulator, count,
                             /*lhs_transposed=*/false, /*rhs_transposed=*/false,
                             /*skip_zeros=*/!isFull && !op.getMask().empty());
}

/// The maximum in the units of exp2: times log2(e) and the factor of the score.
Value AttendKernel::scaled(Value maximum) {
  return arith::MulFOp::create(builder, scope.location, maximum,
                               scope.real(scoreFactor * kLog2E));
}

/// A row without a pair so far has the maximum -inf, which may not be
/// subtracted from itself.
Value AttendKernel::safe(Value maximum) {
  Value isNone =
      arith::CmpFOp::create(builder, scope.location, arith::CmpFPredicate::OEQ,
                            maximum, scope.real(-kInfinity));
  return arith::SelectOp::create(builder, scope.location, isNone, scope.real(0),
                                 maximum);
}

/// Of a score less the largest one.
Value AttendKernel::powerOfTwo(Value exponent) {
  auto power = math::Exp2Op::create(builder, scope.location, exponent);
  power->setAttr(tile::kNonPositiveAttr, builder.getUnitAttr());
  return power;
}

Value AttendKernel::maximumOf(Value a, Value b) {
  return scope.mapReal(
      {perQuery(a), perQuery(b)}, {tq}, [&](ValueRange e) -> Value {
        return arith::MaximumFOp::create(builder, scope.location, e[0], e[1]);
      });
}

/// What is added to exponents: the maximum, in the units of exp2, negated.
Value AttendKernel::shiftOf(Value maximum) {
  return scope.mapReal({perQuery(maximum)}, {tq}, [&](ValueRange e) -> Value {
    return arith::NegFOp::create(builder, scope.location, scaled(safe(e[0])));
  });
}

/// 2^(m c - mNext c) with both products rounded on their own.
Value AttendKernel::scaleBetween(Value maximum, Value shift) {
  return scope.mapReal(
      {perQuery(maximum), perQuery(shift)}, {tq}, [&](ValueRange e) -> Value {
        Value difference =
            arith::AddFOp::create(builder, scope.location, scaled(e[0]), e[1]);
        return powerOfTwo(difference);
      });
}

void AttendKernel::emitSoftmaxStep(Value start, Value count, Value score,
                                   Value factor, ValueRange carried,
                                   SmallVectorImpl<Value> &next) {
  Value m = carried[0], l = carried[1], o = carried[2];
  auto perQueryType = scope.tileType({tq}, builder.getF32Type());
  Value largest =
      tile::ReduceOp::create(builder, scope.location, perQueryType,
                             tile::Combiner::Max, score, /*dimension=*/1);
  Value mNext = maximumOf(m, largest);
  Value shift = shiftOf(mNext);
  Value p = scope.mapReal(
      {perPair(score), perQuery(shift)}, {tq, tk}, [&](ValueRange e) -> Value {
        Value exponent =
            math::FmaOp::create(builder, scope.location, e[0],
                                scope.real(scoreFactor * kLog2E), e[1]);
        return powerOfTwo(exponent);
      });
  Value sum = tile::ReduceOp::create(builder, scope.location, perQueryType,
                                     tile::Combiner::Add, p, /*dimension=*/1);
  Value alpha = scaleBetween(m, shift);
  Value lNext = scope.mapReal({perQuery(l), perQuery(alpha), perQuery(sum)},
                              {tq}, [&](ValueRange e) -> Value {
                                return math::FmaOp::create(
                                    builder, scope.location, e[0], e[1], e[2]);
                              });
  if (factor)
    p = scope.mapReal(
        {perPair(p), perPair(factor)}, {tq, tk}, [&](ValueRange e) -> Value {
          return arith::MulFOp::create(builder, scope.location, e[0], e[1]);
        });
  Value rescaled = scope.mapReal(
      {perPair(o), perQuery(alpha)}, {tq, width}, [&](ValueRange e) -> Value {
        return arith::MulFOp::create(builder, scope.location, e[0], e[1]);
      });
  next.append({mNext, lNext, accumulate(p, start, count, rescaled)});
}

LogicalResult AttendKernel::emitStep(Block *body, bool isFull) {
  tk = isFull ? fullKeys : edgeKeys;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(body);
  Value start = body->getArgument(0);
  Value count = isFull ? Value() : body->getArgument(1);
  ValueRange carried = body->getArguments().drop_front(2);
  SmallVector<Value> dots;
  for (auto [query, view] : llvm::zip(queryTiles, keyViews)) {
    int64_t dim = cast<tile::TileType>(query.getType()).getShape()[1];
    Value keys = load(view, start, tk, dim, isFull);
    dots.push_back(tile::MmaOp::create(
        builder, scope.location, scope.tileType({tq, tk}, builder.getF32Type()),
        query, keys, Value(), Value(),
        /*lhs_transposed=*/false, /*rhs_transposed=*/true,
        /*skip_zeros=*/false));
  }
  Value score, factor, kept;
  Value end =
      isFull ? Value() : scope.toI32(scope.fold<arith::AddIOp>(start, count));
  if (failed(emitWeights(start, end, dots, isFull, score, factor, kept)))
    return failure();
  SmallVector<Value> next;
  if (isSoftmax) {
    emitSoftmaxStep(start, count, score, factor, carried, next);
  } else {
    auto perQueryType = scope.tileType({tq}, builder.getF32Type());
    if (isRatio) {
      auto add = [&](Value old, Value tile) {
        Value sum =
            tile::ReduceOp::create(builder, scope.location, perQueryType,
                                   tile::Combiner::Add, tile, /*dimension=*/1);
        return scope.mapReal(
            {perQuery(old), perQuery(sum)}, {tq}, [&](ValueRange e) -> Value {
              return arith::AddFOp::create(builder, scope.location, e[0], e[1]);
            });
      };
      next.push_back(add(carried[0], score));
      next.push_back(kept ? add(carried[1], kept)
                          : scope.splat(scope.real(1), {tq}));
    }
    Value weights = score;
    if (factor)
      weights = scope.mapReal({perPair(score), perPair(factor)}, {tq, tk},
                              [&](ValueRange e) -> Value {
                                return arith::MulFOp::create(
                                    builder, scope.location, e[0], e[1]);
                              });
    next.push_back(accumulate(weights, start, count, carried.back()));
  }
  tile::YieldOp::create(builder, scope.location, next);
  return success();
}

//===----------------------------------------------------------------------===//
// After the loop
//===----------------------------------------------------------------------===//

/// The rows of this item's block, or of any, in a view of parts.
Value AttendKernel::partRows(Value part) {
  auto type = cast<tile::ViewType>(part.getType());
  return tile::WindowOp::create(
      builder, scope.location,
      tile::ViewType::get(type.getElementType(), type.getRank() - 2), part,
      ValueRange{scope.batch, itemHead});
}

void AttendKernel::storeParts(ValueRange carried) {
  Value row = scope.fold<arith::MulIOp>(scope.block, scope.index(tq));
  for (auto [tile, part] : llvm::zip_equal(carried, results.parts)) {
    SmallVector<Value> offsets(cast<tile::TileType>(tile.getType()).getRank(),
                               scope.index(0));
    offsets[0] = row;
    tile::StoreOp::create(builder, scope.location, tile::StoreMode::Set, tile,
                          partRows(part), offsets);
  }
}

SmallVector<Value> AttendKernel::loadParts(Value split) {
  Value item = scope.fold<arith::AddIOp>(
      scope.fold<arith::MulIOp>(rowBlock, results.splits), split);
  Value row = scope.fold<arith::MulIOp>(item, scope.index(tq));
  SmallVector<Value> tiles;
  for (Value part : results.parts) {
    Value rows = partRows(part);
    bool isMatrix = cast<tile::ViewType>(rows.getType()).getRank() == 2;
    tiles.push_back(isMatrix ? load(rows, row, tq, width, /*isInside=*/true)
                             : loadList(rows, row, tq, /*isInside=*/true));
  }
  return tiles;
}

void AttendKernel::finish(ValueRange carried) {
  Value result = carried.back();
  if (isSoftmax || isRatio) {
    // A row without a pair gives 0. For softmax it has the sum 0, for a ratio a
    // count of 0.
    Value inverse = scope.mapReal(
        {perQuery(carried[0]), perQuery(carried[1])}, {tq},
        [&](ValueRange e) -> Value {
          Value isEmpty = arith::CmpFOp::create(builder, scope.location,
                                                arith::CmpFPredicate::OEQ, e[1],
                                                scope.real(0));
          Value divisor = isSoftmax ? e[1] : e[0];
          if (std::optional<APFloat> epsilon = op.getEpsilon())
            divisor =
                arith::AddFOp::create(builder, scope.location, divisor,
                                      scope.real(epsilon->convertToDouble()));
          Value quotient = arith::DivFOp::create(builder, scope.location,
                                                 scope.real(1), divisor);
          return arith::SelectOp::create(builder, scope.location, isEmpty,
                                         scope.real(0), quotient);
        });
    result = scope.mapReal({perPair(result), perQuery(inverse)}, {tq, width},
                           [&](ValueRange e) -> Value {
                             return arith::MulFOp::create(
                                 builder, scope.location, e[0], e[1]);
                           });
  }
  tile::StoreOp::create(builder, scope.location, tile::StoreMode::Set, result,
                        rowsOfResult(results.out),
                        ValueRange{first, scope.index(0)});
  Value logSum;
  if (isSoftmax)
    logSum = scope.mapReal(
        {perQuery(carried[0]), perQuery(carried[1])}, {tq},
        [&](ValueRange e) -> Value {
          Value natural = arith::MulFOp::create(builder, scope.location,
                                                scaled(e[0]), scope.real(kLn2));
          Value log = math::LogOp::create(builder, scope.location, e[1]);
          Value sum =
              arith::AddFOp::create(builder, scope.location, natural, log);
          Value isEmpty = arith::CmpFOp::create(builder, scope.location,
                                                arith::CmpFPredicate::OEQ, e[1],
                                                scope.real(0));
          return arith::SelectOp::create(builder, scope.location, isEmpty,
                                         scope.real(-kInfinity), sum);
        });
  else
    logSum = scope.splat(scope.real(0), {tq});
  tile::StoreOp::create(builder, scope.location, tile::StoreMode::Set, logSum,
                        rowsOfResult(results.lse), ValueRange{first});
}

LogicalResult AttendKernel::emit(Value table) {
  chooseScale();
  rowBlock = scope.block;
  if (results.splits) {
    rowBlock = scope.fold<arith::DivUIOp>(scope.block, results.splits);
    split = scope.fold<arith::SubIOp>(
        scope.block, scope.fold<arith::MulIOp>(rowBlock, results.splits));
  }
  findRows();
  loadQueries();
  if (queryList && !split)
    prefetch(rowsOfResult(results.out), /*isForStore=*/true);
  SmallVector<Value> initial;
  if (failed(getInitial(initial, /*hasSink=*/!split)))
    return failure();
  auto domain = tile::DomainType::get(builder.getContext());
  Value runs =
      table ? tile::DomainOp::create(builder, scope.location, domain, table,
                                     scope.batch, itemHead, rowBlock)
                  .getResult()
            : tile::RunsOp::create(builder, scope.location, domain,
                                   scope.keyCount, edgeKeys)
                  .getResult();
  if (split) {
    Value keys = results.splitKeys;
    Value from = scope.fold<arith::MulIOp>(split, keys);
    runs = tile::WithinOp::create(builder, scope.location, domain, runs, from,
                                  scope.fold<arith::AddIOp>(from, keys));
  }
  SmallVector<Type> types(ValueRange(initial).getTypes());
  auto loop = tile::ForRunsOp::create(builder, scope.location, types, runs,
                                      fullKeys, edgeKeys, initial);
  // Sums and maxima over keys: few queries read them in several places at once.
  bool isColumns = plan.getCpu() && plan.getCpu().getColumns();
  loop.setUnordered(isColumns);
  for (Region *region : {&loop.getFull(), &loop.getPartial()}) {
    OpBuilder::InsertionGuard guard(builder);
    SmallVector<Type> arguments(2, builder.getIndexType());
    llvm::append_range(arguments, types);
    Block *block = builder.createBlock(
        region, {}, arguments,
        SmallVector<Location>(arguments.size(), scope.location));
    bool isFull = region == &loop.getFull();
    if (isFull && table && isOneStep) // no run is full
      tile::YieldOp::create(builder, scope.location,
                            block->getArguments().drop_front(2));
    else if (failed(emitStep(block, isFull)))
      return failure();
  }
  if (split)
    storeParts(loop.getResults());
  else
    finish(loop.getResults());
  return success();
}

/// Parts are merged in the order of their keys, whoever computed them.
LogicalResult AttendKernel::emitMerge() {
  chooseScale();
  rowBlock = scope.block;
  findRows();
  SmallVector<Value> initial;
  if (failed(getInitial(initial, /*hasSink=*/true)))
    return failure();
  SmallVector<Type> types(ValueRange(initial).getTypes());
  auto loop =
      tile::ForOp::create(builder, scope.location, types, scope.index(0),
                          results.splits, scope.index(1), initial);
  {
    OpBuilder::InsertionGuard guard(builder);
    SmallVector<Type> arguments{builder.getIndexType()};
    llvm::append_range(arguments, types);
    Block *block = builder.createBlock(
        &loop.getBody(), {}, arguments,
        SmallVector<Location>(arguments.size(), scope.location));
    SmallVector<Value> parts = loadParts(block->getArgument(0));
    ValueRange carried = block->getArguments().drop_front();
    SmallVector<Value> next;
    auto scaleOf = [&](Value tile, Value scale) {
      return scope.mapReal({perPair(tile), perQuery(scale)}, {tq, width},
                           [&](ValueRange e) -> Value {
                             return arith::MulFOp::create(
                                 builder, scope.location, e[0], e[1]);
                           });
    };
    auto sumOf = [&](Value a, Value b) {
      SmallVector<int64_t, 2> dims{0};
      SmallVector<int64_t> shape{tq};
      if (cast<tile::TileType>(a.getType()).getRank() == 2) {
        dims.push_back(1);
        shape.push_back(width);
      }
      return scope.mapReal(
          {{a, dims}, {b, dims}}, shape, [&](ValueRange e) -> Value {
            return arith::AddFOp::create(builder, scope.location, e[0], e[1]);
          });
    };
    if (isSoftmax) {
      Value m = maximumOf(carried[0], parts[0]), shift = shiftOf(m);
      Value old = scaleBetween(carried[0], shift);
      Value own = scaleBetween(parts[0], shift);
      Value l = scope.mapReal({perQuery(carried[1]), perQuery(old),
                               perQuery(parts[1]), perQuery(own)},
                              {tq}, [&](ValueRange e) -> Value {
                                Value first = arith::MulFOp::create(
                                    builder, scope.location, e[0], e[1]);
                                return math::FmaOp::create(
                                    builder, scope.location, e[2], e[3], first);
                              });
      next = {m, l, sumOf(scaleOf(carried[2], old), scaleOf(parts[2], own))};
    } else {
      for (auto [a, b] : llvm::zip_equal(carried, parts))
        next.push_back(sumOf(a, b));
    }
    tile::YieldOp::create(builder, scope.location, next);
  }
  finish(loop.getResults());
  return success();
}

SmallVector<SmallVector<int64_t, 1>> getCarriedShapes(attn::AttendOp op) {
  int64_t width =
      cast<RankedTensorType>(op.getValues().getType()).getDimSize(3);
  if (op.getReduction() == attn::Reduction::Sum)
    return {{width}};
  return {{}, {}, {width}};
}

bool tellsHeadsApart(attn::AttendOp op) {
  return !op.getMask().empty() && !op.getMask().getArgument(1).use_empty();
}

LogicalResult emitAttendKernel(KernelScope &scope, attn::AttendOp op,
                               tile::PlanAttr plan, Value table, Value itemHead,
                               const PairLists &lists,
                               const AttendResults &results) {
  return AttendKernel(scope, op, plan, lists, itemHead, results).emit(table);
}

LogicalResult emitMergeKernel(KernelScope &scope, attn::AttendOp op,
                              tile::PlanAttr plan, Value itemHead,
                              Value queries, const AttendResults &results) {
  PairLists lists;
  lists.queries = queries;
  return AttendKernel(scope, op, plan, lists, itemHead, results).emitMerge();
}

} // namespace rapt::conversion
