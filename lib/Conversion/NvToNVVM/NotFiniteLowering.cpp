// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Values that are infinite or NaN. What runs in every call is one look at the
// sums; the rest is for calls that have such values, in loops of little code.

#include "lib/Conversion/NvToNVVM/ThreadLowering.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace rapt::conversion {

/// Barriers of a block: 0 is that of all threads, 1 that of producers.
static constexpr int64_t kOwnBarrier = 2;
/// Of a flag: a barrier, then the bit.
static constexpr int64_t kBitOffset = 8;

/// Whether one of the warps of fragments says so; they wait for each other.
Value ThreadLowering::isAny(Value condition) {
  Value word = arith::ExtUIOp::create(builder, location, builder.getI32Type(),
                                      condition);
  Value any = assembly("{ .reg .pred own, any; setp.ne.b32 own, $1, 0; "
                       "bar.red.or.pred any, " +
                           std::to_string(kOwnBarrier) + ", " +
                           std::to_string(32 * warps) +
                           ", own; selp.b32 $0, 1, 0, any; }",
                       "=r,r", word, builder.getI32Type())
                  .front();
  return compare(arith::CmpIPredicate::ne, any, i32(0));
}

/// A product with 0 is 0, or NaN.
void ThreadLowering::findNotFinite(nv::AnyNotFiniteOp op) {
  Value none = zero(builder.getF32Type());
  constexpr size_t chains = 4;
  Registers sums(chains, none);
  size_t next = 0;
  for (Value source : op.getSources())
    for (Value value : registers.at(source)) {
      Value &sum = sums[next++ % chains];
      sum = math::FmaOp::create(builder, location, value, none, sum);
    }
  Value all = sums.front();
  for (Value sum : ArrayRef<Value>(sums).drop_front())
    all = this->op<arith::AddFOp>(all, sum);
  scalars[op] = isAny(arith::CmpFOp::create(
      builder, location, arith::CmpFPredicate::UNO, all, all));
}

/// Of a part of 16 bytes.
static constexpr int64_t kWords = 4;

/// Which halves of a word are infinite or NaN: all bits of those.
static Value findHalves(OpBuilder &builder, Location location, Value word,
                        Type element) {
  int64_t exponent = element.isBF16() ? 0x7F80 : 0x7C00;
  Value mask;
  for (int64_t half : {0, 1}) {
    auto constant = [&](int64_t value) -> Value {
      return arith::ConstantOp::create(
          builder, location,
          builder.getI32IntegerAttr(static_cast<int32_t>(value)));
    };
    Value ones = constant(exponent << (16 * half));
    Value isNotFinite = arith::CmpIOp::create(
        builder, location, arith::CmpIPredicate::eq,
        arith::AndIOp::create(builder, location, word, ones), ones);
    Value own =
        arith::SelectOp::create(builder, location, isNotFinite,
                                constant(0xFFFF << (16 * half)), constant(0));
    mask = mask ? arith::OrIOp::create(builder, location, mask, own).getResult()
                : own;
  }
  return mask;
}

void ThreadLowering::takeNotFinite(nv::TakeNotFiniteOp op) {
  nv::BufferType type = op.getBuffer().getType();
  Type element = type.getElementType();
  Type i32Type = builder.getI32Type(), f32 = builder.getF32Type();
  auto words = VectorType::get({kWords}, i32Type);
  Value start = stageStart(op.getBuffer(), scalars.at(op.getStage()));
  int64_t parts = type.getPaddedColumns() / 8;
  /// Every word of the buffer that this thread has a share of, four at a time.
  auto forParts =
      [&](ValueRange carried,
          llvm::function_ref<Registers(Value at, ValueRange now)> each) {
        return scf::ForOp::create(
            builder, location, thread, i32(type.getRows() * parts),
            i32(32 * warps), carried,
            [&](OpBuilder &, Location, Value number, ValueRange now) {
              beginShortLoop();
              Value row = this->op<arith::DivUIOp>(number, i32(parts));
              Value part = this->op<arith::RemUIOp>(number, i32(parts));
              Registers next =
                  each(sharedAddress(partByte(type, start, row, part)), now);
              scf::YieldOp::create(builder, location, next);
            });
      };
  auto loadWords = [&](Value at) {
    Value loaded = LLVM::LoadOp::create(builder, location, words, at,
                                        /*alignment=*/16);
    Registers all;
    for (int64_t n = 0; n < kWords; ++n)
      all.push_back(
          LLVM::ExtractElementOp::create(builder, location, loaded, i32(n)));
    return all;
  };
  auto search = forParts(i32(0), [&](Value at, ValueRange now) {
    Value found = now.front();
    for (Value word : loadWords(at))
      found = this->op<arith::OrIOp>(
          found, findHalves(builder, location, word, element));
    return Registers{found};
  });
  Value isSome =
      isAny(compare(arith::CmpIPredicate::ne, search.getResult(0), i32(0)));

  const Registers sums = registers.at(op.getAccumulator());
  const Registers weights = registers.at(op.getWeights());
  Slots slots = slotsOf(op.getResult());
  int64_t rowBlocks = slots.rows / 2;
  int64_t groups = op.getWeights().getType().getColumns() / 8;
  auto add = [&]() -> Registers {
    // Groups of 8 columns of the weights, those of this time in front: of each
    // a word for every two rows.
    Registers carried;
    for (int64_t group = 0; group < groups; ++group)
      for (int64_t m = 0; m < rowBlocks; ++m)
        for (int64_t r = 0; r < 2; ++r)
          carried.push_back(
              weights[m * 2 * groups + group / 2 * 4 + group % 2 * 2 + r]);
    int64_t perGroup = 2 * rowBlocks;
    carried.append(sums.begin(), sums.end());
    auto loop = scf::ForOp::create(
        builder, location, i32(0), i32(groups), i32(1), carried,
        [&](OpBuilder &, Location, Value group, ValueRange now) {
          beginShortLoop();
          ValueRange own = now.take_front(perGroup);
          auto inner = scf::ForOp::create(
              builder, location, i32(0), i32(8), i32(1),
              now.drop_front(groups * perGroup),
              [&](OpBuilder &, Location, Value key, ValueRange sums) {
                beginShortLoop();
                // Of two columns that a lane of the row has.
                Value from = this->op<arith::OrIOp>(
                    both(lane, i32(28)), this->op<arith::ShRUIOp>(key, i32(1)));
                Value shift = multiply(both(key, i32(1)), i32(16));
                Registers factors, isWeight;
                for (Value word : own) {
                  Value other = call(i32Type, "llvm.nvvm.shfl.sync.idx.i32",
                                     {i32(-1), word, from, i32(31)});
                  other = this->op<arith::ShRUIOp>(other, shift);
                  factors.push_back(widenHalf(other, element));
                  constexpr int64_t size = 0x7FFF;
                  isWeight.push_back(compare(arith::CmpIPredicate::ne,
                                             both(other, i32(size)), i32(0)));
                }
                Value row = this->add(multiply(group, i32(8)), key);
                Registers next(sums.begin(), sums.end());
                for (int64_t pair = 0; pair < slots.columns / 2; ++pair) {
                  Value at = this->add(partByte(type, start, row, i32(pair)),
                                       multiply(both(lane, i32(3)), i32(4)));
                  Value word = LLVM::LoadOp::create(builder, location, i32Type,
                                                    sharedAddress(at));
                  Value halves = findHalves(builder, location, word, element);
                  for (int64_t c = 0; c < 2; ++c) {
                    Value isOne = compare(
                        arith::CmpIPredicate::ne,
                        both(halves, i32(int64_t(1) << (16 * c))), i32(0));
                    Value value = widenHalf(
                        this->op<arith::ShRUIOp>(word, i32(16 * c)), element);
                    for (int64_t r = 0; r < slots.rows; ++r) {
                      Value &sum = next[r * slots.columns + 2 * pair + c];
                      sum = select(both(isOne, isWeight[r]),
                                   math::FmaOp::create(builder, location,
                                                       factors[r], value, sum),
                                   sum);
                    }
                  }
                }
                scf::YieldOp::create(builder, location, next);
              });
          Registers next;
          llvm::append_range(
              next, now.take_front(groups * perGroup).drop_front(perGroup));
          llvm::append_range(next, own);
          llvm::append_range(next, inner.getResults());
          scf::YieldOp::create(builder, location, next);
        });
    meet();
    forParts({}, [&](Value at, ValueRange) {
      Value stored = LLVM::PoisonOp::create(builder, location, words);
      for (auto [n, word] : llvm::enumerate(loadWords(at))) {
        Value halves = findHalves(builder, location, word, element);
        Value kept = both(word, this->op<arith::XOrIOp>(halves, i32(-1)));
        stored = LLVM::InsertElementOp::create(builder, location, stored, kept,
                                               i32(static_cast<int64_t>(n)));
      }
      LLVM::StoreOp::create(builder, location, stored, at, /*alignment=*/16);
      return Registers();
    });
    // Products of warpgroups read shared memory by another way.
    if (type.getSwizzled())
      assembly("fence.proxy.async.shared::cta;", "", {}, {});
    meet();
    ValueRange left = loop.getResults();
    left = left.drop_front(groups * perGroup);
    return Registers(left.begin(), left.end());
  };
  registers[op] = choose(isSome, SmallVector<Type>(sums.size(), f32), add,
                         [&] { return sums; });
}

/// The warps of fragments wait for each other.
void ThreadLowering::meet() {
  assembly("bar.sync " + std::to_string(kOwnBarrier) + ", " +
               std::to_string(32 * warps) + ";",
           "", {}, {});
}

/// The number that the low half of a word is.
Value ThreadLowering::widenHalf(Value word, Type element) {
  Value half =
      arith::TruncIOp::create(builder, location, builder.getI16Type(), word);
  Value number = LLVM::BitcastOp::create(builder, location, element, half);
  return arith::ExtFOp::create(builder, location, builder.getF32Type(), number);
}

//===----------------------------------------------------------------------===//
// Flags
//===----------------------------------------------------------------------===//

void ThreadLowering::lowerFlag(nv::FlagOp op) {
  initBarriers(bufferStarts.at(op.getResult()), /*stages=*/1, /*arrivals=*/1);
}

void ThreadLowering::setFlag(nv::SetFlagOp op) {
  int64_t start = bufferStarts.at(op.getFlag());
  doIf(compare(arith::CmpIPredicate::eq, thread, i32(0)), [&] {
    Value word = arith::ExtUIOp::create(builder, location, builder.getI32Type(),
                                        scalars.at(op.getValue()));
    LLVM::StoreOp::create(builder, location, word,
                          sharedAddress(i32(start + kBitOffset)));
    assembly("mbarrier.arrive.shared::cta.b64 _, [$0];", "r",
             {sharedNumber(i32(start))}, {});
  });
}

void ThreadLowering::awaitFlag(nv::AwaitFlagOp op) {
  int64_t start = bufferStarts.at(op.getFlag());
  awaitPhase(sharedNumber(i32(start)), scalars.at(op.getTime()));
  Value word =
      assembly("ld.volatile.shared.b32 $0, [$1];", "=r,r",
               {sharedNumber(i32(start + kBitOffset))}, builder.getI32Type())
          .front();
  scalars[op] = compare(arith::CmpIPredicate::ne, word, i32(0));
}

} // namespace rapt::conversion
