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

/// One line of a sort by a digit at a time, the lowest first. Between two
/// digits an id and its number lie in one word where the range of the ids
/// allows it, and in two arrays where it does not.
class LineSort {
public:
  LineSort(ScalarBuilder emit, Value ids, Value order,
           const SortScratch &scratch, Value batch, Value head)
      : emit(emit), ids(ids), order(order), scratch(scratch), batch(batch),
        head(head), length(extentOf(emit, ids, 2)) {}

  void run();

private:
  /// An id, less the least one, and its number in the line.
  struct Entry {
    Value id, number;
  };
  using Read = llvm::function_ref<Entry(Value n)>;
  using Write = llvm::function_ref<void(Value place, Entry)>;

  void forAll(llvm::function_ref<void(Value)> body) {
    emit.loop(emit.index(0), length, {}, [&](Value n, ValueRange) -> Values {
      body(n);
      return {};
    });
  }
  Value idAt(Value n) {
    Value id = load(emit, ids, {batch, head, n});
    if (id.getType().isInteger(64))
      return id;
    return arith::ExtSIOp::create(emit.builder, emit.location,
                                  emit.builder.getI64Type(), id);
  }
  void sortByDigit(Value shift, Value digits, Read read, Write write);
  void finish(Value place, Value number) {
    store(emit, number, order, {batch, head, place});
  }
  void sortPacked(Value range);
  void sortWide(Value range);

  ScalarBuilder emit;
  Value ids, order;
  SortScratch scratch;
  Value batch, head, length;
  Value least;
};

} // namespace

constexpr int64_t kNumberBits = 32;

/// Writes every entry to its place in the order of the digit at `shift`, which
/// is one of `digits` (index); a null shift: the id itself.
void LineSort::sortByDigit(Value shift, Value digits, Read read, Write write) {
  Value zero = emit.index(0), none = emit.i64(0), one = emit.i64(1);
  auto digitOf = [&](Value id) {
    if (!shift)
      return emit.toIndex(id);
    Value rest = emit.op<arith::ShRUIOp>(id, shift);
    return emit.toIndex(emit.both(rest, emit.i64(SortScratch::kDigits - 1)));
  };
  emit.loop(zero, digits, {}, [&](Value digit, ValueRange) -> Values {
    emit.store(none, scratch.histogram, digit);
    return {};
  });
  forAll([&](Value n) {
    Value digit = digitOf(read(n).id);
    Value count = emit.load(scratch.histogram, digit);
    emit.store(emit.add(count, one), scratch.histogram, digit);
  });
  emit.loop(zero, digits, none, [&](Value digit, ValueRange sum) -> Values {
    Value count = emit.load(scratch.histogram, digit);
    emit.store(sum[0], scratch.histogram, digit);
    return {emit.add(sum[0], count)};
  });
  forAll([&](Value n) {
    Entry entry = read(n);
    Value digit = digitOf(entry.id);
    Value word = emit.load(scratch.histogram, digit);
    emit.store(emit.add(word, one), scratch.histogram, digit);
    write(emit.toIndex(word), entry);
  });
}

/// All but the last digit go from one array of words to another.
void LineSort::sortPacked(Value range) {
  Value bits = emit.i64(SortScratch::kDigitBits);
  auto first = [&](Value n) -> Entry {
    return {emit.subtract(idAt(n), least), emit.toI64(n)};
  };
  auto readFrom = [&](Value words) {
    return [=, this](Value n) -> Entry {
      Value word = emit.load(words, n);
      Value mask = emit.i64((int64_t(1) << kNumberBits) - 1);
      return {emit.op<arith::ShRUIOp>(word, emit.i64(kNumberBits)),
              emit.both(word, mask)};
    };
  };
  auto writeTo = [&](Value words) {
    return [=, this](Value place, Entry entry) {
      Value high = emit.op<arith::ShLIOp>(entry.id, emit.i64(kNumberBits));
      emit.store(emit.either(high, entry.number), words, place);
    };
  };
  auto toEnd = [&](Value place, Entry entry) { finish(place, entry.number); };
  // More digits than numbers to sort would take longer than a second pass.
  Value most =
      emit.minimum(emit.maximum(emit.multiply(emit.i64(4), emit.toI64(length)),
                                emit.i64(SortScratch::kDigits)),
                   emit.i64(SortScratch::kMostDigits));
  Value isShort = emit.less(range, most);
  Value digits = emit.index(SortScratch::kDigits);
  emit.choose(
      isShort, {},
      [&]() -> Values {
        Value all = emit.toIndex(emit.add(range, emit.i64(1)));
        sortByDigit(nullptr, all, first, toEnd);
        return {};
      },
      [&]() -> Values {
        Value a = scratch.ids, b = scratch.numbers;
        sortByDigit(emit.i64(0), digits, first, writeTo(a));
        Values last = emit.loopWhile(
            {bits, a, b},
            [&](ValueRange so) {
              Value next =
                  emit.op<arith::ShRUIOp>(range, emit.add(so[0], bits));
              return emit.compare(arith::CmpIPredicate::ne, next, emit.i64(0));
            },
            [&](ValueRange so) -> Values {
              sortByDigit(so[0], digits, readFrom(so[1]), writeTo(so[2]));
              return {emit.add(so[0], bits), so[2], so[1]};
            });
        sortByDigit(last[0], digits, readFrom(last[1]), toEnd);
        return {};
      });
}

/// Ids so far apart that a number does not fit beside them.
void LineSort::sortWide(Value range) {
  auto read = [&](Value n) -> Entry {
    Value number = load(emit, order, {batch, head, n});
    number = arith::ExtSIOp::create(emit.builder, emit.location,
                                    emit.builder.getI64Type(), number);
    return {emit.subtract(idAt(emit.toIndex(number)), least), number};
  };
  forAll([&](Value n) { store(emit, emit.toI64(n), order, {batch, head, n}); });
  emit.loopWhile(
      emit.i64(0),
      [&](ValueRange shift) {
        // Of 64 bits or more nothing is left, and no shift is defined.
        Value isDefined = emit.less(shift[0], emit.i64(64));
        Value safe = emit.minimum(shift[0], emit.i64(63));
        Value rest = emit.op<arith::ShRUIOp>(range, safe);
        return emit.both(isDefined, emit.compare(arith::CmpIPredicate::ne, rest,
                                                 emit.i64(0)));
      },
      [&](ValueRange shift) -> Values {
        sortByDigit(shift[0], emit.index(SortScratch::kDigits), read,
                    [&](Value place, Entry entry) {
                      emit.store(entry.number, scratch.numbers, place);
                    });
        forAll([&](Value n) {
          store(emit, emit.load(scratch.numbers, n), order, {batch, head, n});
        });
        return {emit.add(shift[0], emit.i64(SortScratch::kDigitBits))};
      });
}

void LineSort::run() {
  constexpr int64_t largest = std::numeric_limits<int64_t>::max();
  constexpr int64_t smallest = std::numeric_limits<int64_t>::min();
  Value isOrdered = arith::ConstantOp::create(emit.builder, emit.location,
                                              emit.builder.getBoolAttr(true));
  // Whether they are in order, and their range.
  Values seen = emit.loop(
      emit.index(0), length,
      {emit.i64(smallest), emit.i64(largest), emit.i64(smallest), isOrdered},
      [&](Value n, ValueRange so) -> Values {
        Value id = idAt(n);
        Value rises = emit.compare(arith::CmpIPredicate::sge, id, so[0]);
        return {id, emit.minimum(so[1], id), emit.maximum(so[2], id),
                emit.both(so[3], rises)};
      });
  least = seen[1];
  // As an unsigned number: it may be more than the largest of i64.
  Value range = emit.subtract(seen[2], least);
  auto keep = [&]() -> Values {
    forAll([&](Value n) { finish(n, emit.toI64(n)); });
    return {};
  };
  auto sort = [&]() -> Values {
    Value high = emit.op<arith::ShRUIOp>(range, emit.i64(kNumberBits));
    emit.choose(
        emit.equal(high, emit.i64(0)), {},
        [&]() -> Values {
          sortPacked(range);
          return {};
        },
        [&]() -> Values {
          sortWide(range);
          return {};
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

void sortLines(ScalarBuilder emit, Value ids, Value order,
               const SortScratch &scratch) {
  forLines(emit, ids, [&](Value batch, Value head) {
    LineSort(emit, ids, order, scratch, batch, head).run();
  });
}

void listMarked(ScalarBuilder emit, Value marks, Value order, Value count) {
  Value length = extentOf(emit, marks, 2), zero = emit.index(0);
  Value unmarked = arith::ConstantOp::create(emit.builder, emit.location,
                                             emit.builder.getI8IntegerAttr(0));
  forLines(emit, marks, [&](Value batch, Value head) {
    auto append = [&](Value place, Value number) {
      store(emit, emit.toI64(number), order, {batch, head, place});
    };
    Values end = emit.loop(
        zero, length, length, [&](Value n, ValueRange next) -> Values {
          append(n, n);
          // Written over by the next one if it is none.
          append(next[0], n);
          Value mark = load(emit, marks, {batch, head, n});
          Value isMarked =
              emit.compare(arith::CmpIPredicate::ne, mark, unmarked);
          Value one = emit.index(1);
          return {emit.add(next[0], emit.select(isMarked, one, zero))};
        });
    store(emit, emit.toI64(emit.subtract(end[0], length)), count,
          {batch, head, zero});
    emit.loop(end[0], extentOf(emit, order, 2), {},
              [&](Value place, ValueRange) -> Values {
                append(place, zero);
                return {};
              });
  });
}

} // namespace rapt::conversion
