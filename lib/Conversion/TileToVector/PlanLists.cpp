// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/TileToVector/PlanLists.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include <limits>

using namespace mlir;

namespace rapt::conversion {
namespace {

using Values = ScalarBuilder::Values;

Value extentOf(ScalarBuilder emit, Value memory, int64_t dimension) {
  return emit.builder.createOrFold<memref::DimOp>(emit.location, memory,
                                                  dimension);
}

Value load(ScalarBuilder emit, Value memory, ValueRange places) {
  return memref::LoadOp::create(emit.builder, emit.location, memory, places);
}

/// Cut to the element type of the memory.
void store(ScalarBuilder emit, Value value, Value memory, ValueRange places) {
  Type element = cast<MemRefType>(memory.getType()).getElementType();
  if (value.getType() != element)
    value =
        arith::TruncIOp::create(emit.builder, emit.location, element, value);
  memref::StoreOp::create(emit.builder, emit.location, value, memory, places);
}

/// One pass of `body` for each line [batch, head] of `memory`.
void forLines(ScalarBuilder emit, Value memory,
              llvm::function_ref<void(Value, Value)> body) {
  Value zero = emit.index(0);
  emit.loop(zero, extentOf(emit, memory, 0), {},
            [&](Value batch, ValueRange) -> Values {
              emit.loop(zero, extentOf(emit, memory, 1), {},
                        [&](Value head, ValueRange) -> Values {
                          body(batch, head);
                          return {};
                        });
              return {};
            });
}

/// One line of a sort by a digit at a time, the lowest first.
class LineSort {
public:
  LineSort(ScalarBuilder emit, Value ids, Value order, Value sorted,
           const SortScratch &scratch, Value batch, Value head)
      : emit(emit), ids(ids), order(order), sorted(sorted), scratch(scratch),
        batch(batch), head(head), length(extentOf(emit, ids, 2)) {}

  void run();

private:
  void forAll(llvm::function_ref<void(Value)> body) {
    emit.loop(emit.index(0), length, {}, [&](Value n, ValueRange) -> Values {
      body(n);
      return {};
    });
  }
  Value idAt(Value n) { return load(emit, ids, {batch, head, n}); }
  void sortByDigit(Value least, Value shift, bool isFirst);

  ScalarBuilder emit;
  Value ids, order, sorted;
  SortScratch scratch;
  Value batch, head, length;
};

} // namespace

/// Sorts by the digit at `shift`. The first pass takes the ids as they were
/// given, the others what the pass before them left.
void LineSort::sortByDigit(Value least, Value shift, bool isFirst) {
  Value zero = emit.index(0), none = emit.i64(0), one = emit.i64(1);
  Value digits = emit.index(SortScratch::kDigits);
  auto digitOf = [&](Value id) {
    Value rest = emit.op<arith::ShRUIOp>(emit.subtract(id, least), shift);
    return emit.toIndex(emit.both(rest, emit.i64(SortScratch::kDigits - 1)));
  };
  auto next = [&](Value n) {
    return isFirst ? idAt(n) : load(emit, sorted, {batch, head, n});
  };
  emit.loop(zero, digits, {}, [&](Value digit, ValueRange) -> Values {
    emit.store(none, scratch.histogram, digit);
    return {};
  });
  forAll([&](Value n) {
    Value digit = digitOf(next(n));
    Value count = emit.load(scratch.histogram, digit);
    emit.store(emit.add(count, one), scratch.histogram, digit);
  });
  emit.loop(zero, digits, none, [&](Value digit, ValueRange sum) -> Values {
    Value count = emit.load(scratch.histogram, digit);
    emit.store(sum[0], scratch.histogram, digit);
    return {emit.add(sum[0], count)};
  });
  forAll([&](Value n) {
    Value id = next(n);
    Value digit = digitOf(id);
    Value word = emit.load(scratch.histogram, digit);
    emit.store(emit.add(word, one), scratch.histogram, digit);
    Value place = emit.toIndex(word);
    if (isFirst) {
      store(emit, id, sorted, {batch, head, place});
      store(emit, emit.toI64(n), order, {batch, head, place});
      return;
    }
    emit.store(id, scratch.ids, place);
    Value number = load(emit, order, {batch, head, n});
    number = arith::ExtSIOp::create(emit.builder, emit.location,
                                    emit.builder.getI64Type(), number);
    emit.store(number, scratch.numbers, place);
  });
  if (isFirst)
    return;
  forAll([&](Value n) {
    store(emit, emit.load(scratch.ids, n), sorted, {batch, head, n});
    store(emit, emit.load(scratch.numbers, n), order, {batch, head, n});
  });
}

void LineSort::run() {
  constexpr int64_t largest = std::numeric_limits<int64_t>::max();
  constexpr int64_t least = std::numeric_limits<int64_t>::min();
  Value isOrdered = arith::ConstantOp::create(emit.builder, emit.location,
                                              emit.builder.getBoolAttr(true));
  // Whether they are in order, and their range.
  Values seen = emit.loop(
      emit.index(0), length,
      {emit.i64(least), emit.i64(largest), emit.i64(least), isOrdered},
      [&](Value n, ValueRange so) -> Values {
        Value id = idAt(n);
        Value rises = emit.compare(arith::CmpIPredicate::sge, id, so[0]);
        return {id, emit.minimum(so[1], id), emit.maximum(so[2], id),
                emit.both(so[3], rises)};
      });
  auto keep = [&]() -> Values {
    forAll([&](Value n) {
      store(emit, idAt(n), sorted, {batch, head, n});
      store(emit, emit.toI64(n), order, {batch, head, n});
    });
    return {};
  };
  auto sort = [&]() -> Values {
    Value range = emit.subtract(seen[2], seen[1]);
    sortByDigit(seen[1], emit.i64(0), /*isFirst=*/true);
    emit.loopWhile(
        emit.i64(SortScratch::kDigitBits),
        [&](ValueRange shift) {
          // Of 64 bits or more nothing is left, and no shift is defined.
          Value isDefined = emit.less(shift[0], emit.i64(64));
          Value safe = emit.minimum(shift[0], emit.i64(63));
          Value rest = emit.op<arith::ShRUIOp>(range, safe);
          return emit.both(isDefined, emit.compare(arith::CmpIPredicate::ne,
                                                   rest, emit.i64(0)));
        },
        [&](ValueRange shift) -> Values {
          sortByDigit(seen[1], shift[0], /*isFirst=*/false);
          return {emit.add(shift[0], emit.i64(SortScratch::kDigitBits))};
        });
    return {};
  };
  emit.choose(seen[3], {}, keep, sort);
}

LogicalResult fillTable(ScalarBuilder emit, tile::TabulateOp op, Value table,
                        ScalarLowering &lower) {
  LogicalResult result = success();
  Block &body = op.getBody().front();
  forLines(emit, table, [&](Value batch, Value head) {
    emit.loop(emit.index(0), extentOf(emit, table, 2), {},
              [&](Value n, ValueRange) -> Values {
                Value arguments[] = {batch, head, n};
                for (auto [argument, value] :
                     llvm::zip_equal(body.getArguments(), arguments))
                  lower.values[argument] = value;
                for (Operation &inner : body.without_terminator())
                  if (succeeded(result))
                    result = lower.lower(&inner);
                if (failed(result))
                  return {};
                auto yield = cast<tile::YieldOp>(body.back());
                store(emit, lower.values.at(yield.getValues()[0]), table,
                      {batch, head, n});
                return {};
              });
  });
  return result;
}

void sortLines(ScalarBuilder emit, Value ids, Value order, Value sorted,
               const SortScratch &scratch) {
  forLines(emit, ids, [&](Value batch, Value head) {
    LineSort(emit, ids, order, sorted, scratch, batch, head).run();
  });
}

void listMarked(ScalarBuilder emit, Value marks, Value order, Value segment) {
  Value length = extentOf(emit, marks, 2), zero = emit.index(0);
  forLines(emit, marks, [&](Value batch, Value head) {
    auto append = [&](Value place, Value number, int64_t kind) {
      store(emit, emit.toI64(number), order, {batch, head, place});
      store(emit, emit.i64(kind), segment, {batch, head, place});
    };
    Values end = emit.loop(
        zero, length, length, [&](Value n, ValueRange next) -> Values {
          append(n, n, 0);
          Value mark = load(emit, marks, {batch, head, n});
          Value isMarked =
              emit.compare(arith::CmpIPredicate::ne, mark, emit.i64(0));
          return emit.choose(
              isMarked, emit.builder.getIndexType(),
              [&]() -> Values {
                append(next[0], n, 1);
                return {emit.add(next[0], emit.index(1))};
              },
              [&]() -> Values { return {next[0]}; });
        });
    emit.loop(end[0], extentOf(emit, order, 2), {},
              [&](Value place, ValueRange) -> Values {
                append(place, zero, 2);
                return {};
              });
  });
}

} // namespace rapt::conversion
