// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// For each block of rows the search goes down a binary tree over the columns
// and splits only what is partial, so that it takes a number of steps
// proportional to the runs that it finds, times the logarithm of their number.
// Where a region says in closed form which column is next, it goes from one to
// the next. Where only rows and columns of one group meet, it does so for each
// group of the block, whose columns are near those of the group before.

#include "lib/Conversion/TileToVector/RunTables.h"
#include "lib/Support/WorkspaceHead.h"
#include "llvm/ADT/DenseSet.h"
#include <limits>

using namespace mlir;

namespace rapt::conversion {

RunTable::RunTable(tile::PlanRunsOp op)
    : usesBatch(op.usesBatch()), usesHead(op.usesHead()) {}

Value RunTable::getPlace(ScalarBuilder emit, Value batch, Value head,
                         Value block) const {
  Value group = usesBatch ? batch : emit.index(0);
  group = emit.multiply(group, heads);
  if (usesHead)
    group = emit.add(group, head);
  return emit.add(emit.multiply(group, blocks), block);
}

/// The first of each group in the order has the most.
Value RunTable::getLongest(ScalarBuilder emit) const {
  Value groups = emit.multiply(batches, heads);
  Value most =
      emit.loop(emit.index(0), groups, emit.i64(0),
                [&](Value group, ValueRange found) -> ScalarBuilder::Values {
                  Value first = emit.multiply(group, blocks);
                  Value block = emit.toIndex(emit.load(order, first));
                  Value cost = emit.load(costs, emit.add(first, block));
                  return {emit.maximum(found[0], cost)};
                })[0];
  return emit.multiply(emit.toIndex(most), columnStep);
}

namespace {

/// The state of the search along one block of rows, i64 but for `isFull`.
struct Search {
  enum {
    Position,  ///< the first step that is not decided; behind the open run
    Size,      ///< steps of the subtree that begins there, or the column
    Cursor,    ///< the first free word of the runs
    RunStart,  ///< the run that is not stored yet
    RunCount,  ///< 0: there is none
    RunIsFull, ///< i1
    Cost,      ///< steps of all runs of the block
    Count
  };
};

class RunSearch {
public:
  using Values = ScalarBuilder::Values;
  RunSearch(ScalarBuilder emit, tile::PlanRunsOp op, const RunTable &table,
            ScalarLowering &lower, Value capacity)
      : emit(emit), op(op), table(table), lower(lower), capacity(capacity),
        body(op.getNext().empty() ? op.getClassify().front()
                                  : op.getNext().front()) {}

  /// What is carried along the blocks of one batch and head: the first free
  /// word of the runs and, with groups, which one the last columns belong to
  /// and their range.
  enum Line { Cursor, Group, GroupStart, GroupEnd };
  Values beginLine(Value cursor);
  LogicalResult findBlock(Value batch, Value head, Value block, Values &line);
  void sortBlocks(Value batch, Value head);

private:
  bool hasGroups() { return !op.getGroups().empty(); }
  LogicalResult lowerRegion(bool isInner);
  using Join = llvm::function_ref<Value(unsigned, Value, Value)>;
  LogicalResult askHeads(Values &answers, ArrayRef<Value> neutral, Join join);
  Value store(Value isWanted, Value cursor, ValueRange search);
  void widen(ValueRange search, Value isOpen, Value &joins, Value &isFull);
  LogicalResult step(ValueRange search, Values &next);
  LogicalResult hop(ValueRange search, Value limit, Value mayBeFull,
                    Values &next);
  LogicalResult findRuns(Value first, Value last, Values &search);
  LogicalResult findRunsOfGroups(Value first, Value last, Values &search,
                                 Values &line);
  Value groupOf(bool isRow, Value place);
  Value firstBeyond(bool isRow, Value from, Value to, Value group,
                    bool isInclusive);

  ScalarBuilder emit;
  tile::PlanRunsOp op;
  const RunTable &table;
  ScalarLowering &lower;
  Value capacity;
  Value lastRun; ///< that the block has memory for (i64); null: no such limit
  Block &body;
  Value firstHead; ///< of the item, which has several; index; null: it has one
  llvm::DenseSet<Value> ofColumns;
  LogicalResult result = success();
};

} // namespace

/// What does not depend on the columns is computed once for a block of rows.
LogicalResult RunSearch::lowerRegion(bool isInner) {
  for (Operation &inner : body.without_terminator()) {
    bool depends = llvm::any_of(inner.getOperands(), [&](Value operand) {
      return ofColumns.contains(operand);
    });
    if (depends)
      ofColumns.insert(inner.getResults().begin(), inner.getResults().end());
    if (depends == isInner && failed(lower.lower(&inner)))
      return failure();
  }
  return success();
}

/// What the region answers for the columns that are bound. Of heads that share
/// an item the answers are joined, beginning with `neutral`; what depends on
/// the head is computed for each column, that is once for a few heads.
LogicalResult RunSearch::askHeads(Values &answers, ArrayRef<Value> neutral,
                                  Join join) {
  auto yield = cast<tile::YieldOp>(body.back());
  auto ask = [&]() -> Values {
    result = lowerRegion(/*isInner=*/true);
    if (failed(result))
      return Values(neutral);
    return llvm::map_to_vector(yield.getValues(), [&](Value value) -> Value {
      return lower.values.at(value);
    });
  };
  if (!firstHead) {
    answers = ask();
    return result;
  }
  answers = emit.loop(emit.index(0), lower.values.at(op.getGroup()), neutral,
                      [&](Value number, ValueRange before) -> Values {
                        lower.values[body.getArgument(1)] =
                            emit.add(firstHead, number);
                        Values own = ask();
                        for (auto [n, answer] : llvm::enumerate(own))
                          answer = join(n, before[n], answer);
                        return own;
                      });
  return result;
}

/// Stores the open run if `isWanted`, and gives the next free word.
Value RunSearch::store(Value isWanted, Value cursor, ValueRange search) {
  Value fits = isWanted;
  if (capacity)
    fits = emit.both(isWanted, emit.less(cursor, capacity));
  emit.choose(
      fits, {},
      [&]() -> Values {
        Value start = emit.op<arith::ShLIOp>(search[Search::RunStart],
                                             emit.i64(support::kRunStartBit));
        Value count = emit.op<arith::ShLIOp>(search[Search::RunCount],
                                             emit.i64(support::kRunCountBit));
        Value isFull = arith::ExtUIOp::create(emit.builder, emit.location,
                                              emit.builder.getI64Type(),
                                              search[Search::RunIsFull]);
        emit.store(emit.either(emit.either(start, count), isFull), table.runs,
                   cursor);
        return {};
      },
      []() -> Values { return {}; });
  Value more = arith::ExtUIOp::create(emit.builder, emit.location,
                                      emit.builder.getI64Type(), isWanted);
  return emit.add(cursor, more);
}

/// Where the open run is the last that the block has room for, a run that
/// begins joins it and what lies between, so that the whole is partial.
void RunSearch::widen(ValueRange search, Value isOpen, Value &joins,
                      Value &isFull) {
  if (!lastRun)
    return;
  Value isLast = emit.both(isOpen, emit.equal(search[Search::Cursor], lastRun));
  isFull = emit.both(isFull, emit.either(joins, emit.negate(isLast)));
  joins = emit.either(joins, isLast);
}

/// Asks about one subtree: splits it, or joins it to the open run, or leaves it
/// out.
LogicalResult RunSearch::step(ValueRange search, Values &next) {
  Value position = search[Search::Position], size = search[Search::Size];
  Value steps = emit.toI64(table.steps);
  Value columns = emit.toI64(lower.values.at(op.getColumns()));
  Value columnStep = emit.i64(static_cast<int64_t>(op.getColumnStep()));
  Value one = emit.i64(1), zero = emit.i64(0);
  Value after = emit.add(position, size);
  Value end = emit.multiply(after, columnStep);
  lower.values[body.getArgument(4)] =
      emit.toIndex(emit.multiply(position, columnStep));
  lower.values[body.getArgument(5)] =
      emit.toIndex(emit.subtract(emit.minimum(end, columns), one));
  Values answers;
  if (failed(askHeads(answers, {emit.boolean(false), emit.boolean(true)},
                      [&](unsigned n, Value a, Value b) {
                        return n == 0 ? emit.either(a, b) : emit.both(a, b);
                      })))
    return failure();
  Value any = answers[0], all = answers[1];
  // A last run that is short is never full.
  Value isWhole = emit.compare(arith::CmpIPredicate::sle, end, columns);
  Value isFull = emit.both(emit.both(any, all), isWhole);
  Value isDecided =
      emit.either(emit.either(emit.negate(any), isFull), emit.equal(size, one));
  Value isFound = emit.both(isDecided, any);

  Value count = emit.subtract(emit.minimum(after, steps), position);
  Value runStart = search[Search::RunStart];
  Value runCount = search[Search::RunCount];
  Value runIsFull = search[Search::RunIsFull];
  Value isOpen = emit.compare(arith::CmpIPredicate::ne, runCount, zero);
  Value touches = emit.equal(emit.add(runStart, runCount), position);
  Value joins =
      emit.both(emit.both(isOpen, touches), emit.equal(runIsFull, isFull));
  widen(search, isOpen, joins, isFull);
  Value begins = emit.both(isFound, emit.negate(joins));
  Value cursor =
      store(emit.both(begins, isOpen), search[Search::Cursor], search);
  Value grown = emit.subtract(emit.add(position, count), runStart);
  Value found = emit.select(
      isFound, emit.select(begins, count, emit.subtract(grown, runCount)),
      zero);

  Value largest = emit.both(after, emit.subtract(zero, after));
  next.resize(Search::Count);
  next[Search::Position] = emit.select(isDecided, after, position);
  next[Search::Size] =
      emit.select(isDecided, largest, emit.op<arith::ShRSIOp>(size, one));
  next[Search::Cursor] = cursor;
  next[Search::RunStart] = emit.select(begins, position, runStart);
  next[Search::RunCount] =
      emit.select(begins, count, emit.select(isFound, grown, runCount));
  next[Search::RunIsFull] = emit.select(isFound, isFull, runIsFull);
  next[Search::Cost] = emit.add(search[Search::Cost], found);
  return success();
}

/// Goes from one column to the next of which a pair may be kept, and to the end
/// of the run that begins there, which lies before `limit` (i64). The size of
/// the search is the column. `mayBeFull` may be null: runs may.
LogicalResult RunSearch::hop(ValueRange search, Value limit, Value mayBeFull,
                             Values &next) {
  Value one = emit.i64(1), zero = emit.i64(0);
  Value column = search[Search::Size], runCount = search[Search::RunCount];
  auto stepSize = static_cast<int64_t>(op.getColumnStep());
  Value step = emit.i64(stepSize);
  auto floor = [&](Value place) { return emit.floorDivide(place, step); };
  lower.values[body.getArgument(4)] = emit.toIndex(column);
  // The next column of any head; and the end that reaches the farthest, up to
  // which one head has all columns. Another may go on from there.
  Values answers;
  Value most = emit.i64(std::numeric_limits<int64_t>::max());
  if (failed(askHeads(answers, {most, column, most, column},
                      [&](unsigned n, Value a, Value b) {
                        return n % 2 == 0 ? emit.minimum(a, b)
                                          : emit.maximum(a, b);
                      })))
    return failure();
  Value nextKept = answers[0], endKept = answers[1];
  Value nextDropped = answers[2], endDropped = answers[3];

  // A column that is not kept: the one that may be is asked next.
  Value isKept = emit.equal(nextKept, column);
  Values away(search);
  away[Search::Size] = nextKept;

  // Whole steps from here on of which nothing is dropped.
  Value position = floor(column);
  Value begins = emit.equal(emit.multiply(position, step), column);
  Value whole =
      emit.subtract(floor(emit.minimum(nextDropped, limit)), position);
  whole = emit.select(begins, whole, zero);
  if (mayBeFull) {
    // Where none may be full, what is dropped cuts no run.
    whole = emit.select(mayBeFull, whole, zero);
    endDropped = emit.select(mayBeFull, endDropped, limit);
  }
  Value isFull = emit.compare(arith::CmpIPredicate::sgt, whole, zero);
  // Or those to the end, or to where nothing is dropped again.
  Value end = emit.minimum(emit.minimum(endKept, endDropped), limit);
  Value some =
      emit.subtract(floor(emit.add(end, emit.i64(stepSize - 1))), position);
  Value count = emit.select(isFull, whole, emit.maximum(some, one));
  Value after = emit.add(position, count);

  Value runStart = search[Search::RunStart];
  Value isOpen = emit.compare(arith::CmpIPredicate::ne, runCount, zero);
  Value touches =
      emit.both(isOpen, emit.equal(emit.add(runStart, runCount), position));
  Value joins =
      emit.both(touches, emit.equal(search[Search::RunIsFull], isFull));
  widen(search, isOpen, joins, isFull);
  Value opens = emit.both(isKept, emit.negate(joins));
  Value cursor =
      store(emit.both(opens, isOpen), search[Search::Cursor], search);
  Values here(search);
  here[Search::Position] = after;
  here[Search::Size] = emit.multiply(after, step);
  here[Search::RunStart] = emit.select(opens, position, runStart);
  Value grown = emit.subtract(after, runStart);
  here[Search::RunCount] = emit.select(opens, count, grown);
  here[Search::RunIsFull] = isFull;
  Value more = emit.select(opens, count, emit.subtract(grown, runCount));
  here[Search::Cost] = emit.add(search[Search::Cost], more);
  next.clear();
  for (auto [yes, no] : llvm::zip_equal(here, away))
    next.push_back(emit.select(isKept, yes, no));
  next[Search::Cursor] = cursor;
  return success();
}

/// Along all columns, for rows `first` to `last`.
LogicalResult RunSearch::findRuns(Value first, Value last, Values &search) {
  lower.values[body.getArgument(2)] = first;
  lower.values[body.getArgument(3)] = last;
  if (failed(lowerRegion(/*isInner=*/false)))
    return failure();
  bool hasNext = !op.getNext().empty();
  Value steps = emit.toI64(table.steps);
  Value columns = emit.toI64(lower.values.at(op.getColumns()));
  if (!hasNext)
    search[Search::Size] = emit.ceilPowerOfTwo(steps);
  search = emit.loopWhile(
      search,
      [&](ValueRange so) {
        return hasNext ? emit.less(so[Search::Size], columns)
                       : emit.less(so[Search::Position], steps);
      },
      [&](ValueRange so) -> Values {
        Values next;
        result = hasNext ? hop(so, columns, nullptr, next) : step(so, next);
        return succeeded(result) ? next : Values(so);
      });
  return result;
}

/// The group of a row or column at a place of its list.
Value RunSearch::groupOf(bool isRow, Value place) {
  Block &groups = op.getGroups().front();
  Value yielded = cast<tile::YieldOp>(groups.back()).getValues()[isRow ? 0 : 1];
  Value other = groups.getArgument(isRow ? 3 : 2);
  lower.values[groups.getArgument(0)] = lower.values.at(body.getArgument(0));
  lower.values[groups.getArgument(1)] = lower.values.at(body.getArgument(1));
  lower.values[groups.getArgument(isRow ? 2 : 3)] = place;
  llvm::DenseSet<Value> ofOther{other};
  for (Operation &inner : groups.without_terminator()) {
    if (llvm::any_of(inner.getOperands(), [&](Value operand) {
          return ofOther.contains(operand);
        })) {
      ofOther.insert(inner.getResults().begin(), inner.getResults().end());
      continue;
    }
    if (failed(lower.lower(&inner))) {
      result = failure();
      return emit.i64(0);
    }
  }
  return lower.values.at(yielded);
}

/// The first place in [from, to) of a group that is larger, or not smaller.
Value RunSearch::firstBeyond(bool isRow, Value from, Value to, Value group,
                             bool isInclusive) {
  return emit.findPlace(from, to, [&](Value place) {
    return emit.compare(isInclusive ? arith::CmpIPredicate::slt
                                    : arith::CmpIPredicate::sle,
                        groupOf(isRow, place), group);
  });
}

/// Along the columns of each group that rows `first` to `last` have.
LogicalResult RunSearch::findRunsOfGroups(Value first, Value last,
                                          Values &search, Values &line) {
  Value end = emit.add(last, emit.index(1));
  Value lastGroup = groupOf(/*isRow=*/true, last);
  Value columns = lower.values.at(op.getColumns());
  auto step = emit.i64(static_cast<int64_t>(op.getColumnStep()));
  Values carried{first, line[Group], line[GroupStart], line[GroupEnd]};
  llvm::append_range(carried, search);
  carried = emit.loopWhile(
      carried, [&](ValueRange so) { return emit.less(so[0], end); },
      [&](ValueRange so) -> Values {
        Value row = so[0], start = so[2], stop = so[3];
        Value group = groupOf(/*isRow=*/true, row);
        Value isSame =
            emit.both(emit.equal(group, so[1]), emit.less(start, stop));
        Type index = emit.builder.getIndexType();
        Values range = emit.choose(
            isSame, {index, index}, [&]() -> Values { return {start, stop}; },
            [&]() -> Values {
              Value next = firstBeyond(false, stop, columns, group, true);
              return {next, firstBeyond(false, next, columns, group, false)};
            });
        Value rowEnd = emit.choose(
            emit.equal(group, lastGroup), index,
            [&]() -> Values { return {end}; },
            [&]() -> Values {
              return {firstBeyond(true, row, last, group, false)};
            })[0];
        Value mayBeFull =
            emit.both(emit.equal(row, first), emit.equal(rowEnd, end));
        lower.values[body.getArgument(2)] = row;
        lower.values[body.getArgument(3)] =
            emit.subtract(rowEnd, emit.index(1));
        lower.values[body.getArgument(5)] = range[1];
        if (failed(lowerRegion(/*isInner=*/false)))
          result = failure();
        Values inside(so.drop_front(4));
        // What an open run takes of the first step is there already.
        inside[Search::Size] =
            emit.maximum(emit.toI64(range[0]),
                         emit.multiply(inside[Search::Position], step));
        Value limit = emit.toI64(range[1]);
        if (succeeded(result))
          inside = emit.loopWhile(
              inside,
              [&](ValueRange so) { return emit.less(so[Search::Size], limit); },
              [&](ValueRange so) -> Values {
                Values next;
                if (failed(hop(so, limit, mayBeFull, next)))
                  result = failure();
                return succeeded(result) ? next : Values(so);
              });
        Values next{rowEnd, group, range[0], range[1]};
        llvm::append_range(next, inside);
        return next;
      });
  line[Group] = carried[1];
  line[GroupStart] = carried[2];
  line[GroupEnd] = carried[3];
  search = Values(ArrayRef<Value>(carried).drop_front(4));
  return result;
}

RunSearch::Values RunSearch::beginLine(Value cursor) {
  if (!hasGroups())
    return {cursor};
  // No group: the range is empty.
  return {cursor, emit.i64(0), emit.index(0), emit.index(0)};
}

LogicalResult RunSearch::findBlock(Value batch, Value head, Value block,
                                   Values &line) {
  Value place = table.getPlace(emit, batch, head, block);
  emit.store(line[Cursor], table.offsets, place);
  if (table.mostRuns > 0)
    lastRun = emit.add(line[Cursor], emit.i64(table.mostRuns - 1));
  Value rows = lower.values.at(op.getRows());
  Value rowStep = emit.index(static_cast<int64_t>(op.getRowStep()));
  Value first = emit.multiply(block, rowStep);
  Value last = emit.subtract(emit.minimum(emit.add(first, rowStep), rows),
                             emit.index(1));
  lower.values[body.getArgument(0)] = batch;
  lower.values[body.getArgument(1)] = head;
  ofColumns.clear();
  for (Value column : body.getArguments().drop_front(4))
    ofColumns.insert(column);
  if (op.getGroup()) {
    firstHead = emit.multiply(head, lower.values.at(op.getGroup()));
    ofColumns.insert(body.getArgument(1));
  }
  Value zero = emit.i64(0);
  Value isFull = emit.boolean(false);
  Values search{zero, zero, line[Cursor], zero, zero, isFull, zero};
  if (failed(hasGroups() ? findRunsOfGroups(first, last, search, line)
                         : findRuns(first, last, search)))
    return failure();
  Value isOpen =
      emit.compare(arith::CmpIPredicate::ne, search[Search::RunCount], zero);
  line[Cursor] = store(isOpen, search[Search::Cursor], search);
  emit.store(search[Search::Cost], table.costs, place);
  return success();
}

/// Counts how often each cost occurs and gives the largest ones the first
/// places; blocks of one cost stay in their order. Few masks have a block that
/// costs all steps: only the costs up to the largest are counted.
void RunSearch::sortBlocks(Value batch, Value head) {
  Value zero = emit.index(0), one = emit.index(1), none = emit.i64(0);
  Value first = table.getPlace(emit, batch, head, zero);
  auto costOf = [&](Value block) {
    return emit.load(table.costs, emit.add(first, block));
  };
  auto forBlocks = [&](llvm::function_ref<void(Value, Value)> body) {
    emit.loop(zero, table.blocks, {}, [&](Value block, ValueRange) -> Values {
      body(block, costOf(block));
      return {};
    });
  };
  Value most = emit.loop(zero, table.blocks, none,
                         [&](Value block, ValueRange found) -> Values {
                           return {emit.maximum(found[0], costOf(block))};
                         })[0];
  Value costs = emit.add(emit.toIndex(most), one);
  emit.loop(zero, costs, {}, [&](Value cost, ValueRange) -> Values {
    emit.store(none, table.histogram, cost);
    return {};
  });
  forBlocks([&](Value, Value cost) {
    Value count = emit.load(table.histogram, cost);
    emit.store(emit.add(count, emit.i64(1)), table.histogram, cost);
  });
  emit.loop(zero, costs, none, [&](Value n, ValueRange place) -> Values {
    Value cost = emit.subtract(emit.toIndex(most), n);
    Value count = emit.load(table.histogram, cost);
    emit.store(place[0], table.histogram, cost);
    return {emit.add(place[0], count)};
  });
  forBlocks([&](Value block, Value cost) {
    Value place = emit.load(table.histogram, cost);
    emit.store(emit.add(place, emit.i64(1)), table.histogram, cost);
    emit.store(emit.toI64(block), table.order,
               emit.add(first, emit.toIndex(place)));
  });
}

FailureOr<Value> emitRuns(ScalarBuilder emit, tile::PlanRunsOp op,
                          const RunTable &table, ScalarLowering &lower,
                          Value cursor, Value capacity) {
  using Values = ScalarBuilder::Values;
  RunSearch search(emit, op, table, lower, capacity);
  LogicalResult result = success();
  Value zero = emit.index(0);
  Values last = emit.loop(
      zero, table.batches, cursor,
      [&](Value batch, ValueRange outer) -> Values {
        return emit.loop(zero, table.heads, outer,
                         [&](Value head, ValueRange middle) -> Values {
                           Values found = emit.loop(
                               zero, table.blocks, search.beginLine(middle[0]),
                               [&](Value block, ValueRange inner) -> Values {
                                 Values next(inner);
                                 result =
                                     search.findBlock(batch, head, block, next);
                                 return next;
                               });
                           search.sortBlocks(batch, head);
                           return {found[RunSearch::Cursor]};
                         });
      });
  Value groups = emit.multiply(table.batches, table.heads);
  emit.store(last[0], table.offsets, emit.multiply(groups, table.blocks));
  if (failed(result))
    return failure();
  return last[0];
}

} // namespace rapt::conversion
