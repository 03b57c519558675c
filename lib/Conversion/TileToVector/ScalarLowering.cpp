// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/TileToVector/ScalarLowering.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace rapt::conversion {

//===----------------------------------------------------------------------===//
// Small operations
//===----------------------------------------------------------------------===//

Value ScalarBuilder::index(int64_t value) {
  return arith::ConstantIndexOp::create(builder, location, value);
}

Value ScalarBuilder::i64(int64_t value) {
  return arith::ConstantOp::create(builder, location,
                                   builder.getI64IntegerAttr(value));
}

Value ScalarBuilder::boolean(bool value) {
  return arith::ConstantOp::create(builder, location,
                                   builder.getBoolAttr(value));
}

Value ScalarBuilder::toIndex(Value value) {
  if (value.getType().isIndex())
    return value;
  return builder.createOrFold<arith::IndexCastOp>(
      location, builder.getIndexType(), value);
}

Value ScalarBuilder::toI64(Value value) {
  if (value.getType().isInteger(64))
    return value;
  return builder.createOrFold<arith::IndexCastOp>(location,
                                                  builder.getI64Type(), value);
}

Value ScalarBuilder::negate(Value condition) {
  return op<arith::XOrIOp>(condition, boolean(true));
}

Value ScalarBuilder::floorDivide(Value a, Value b) {
  Type type = a.getType();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(builder, location,
                                     builder.getIntegerAttr(type, value));
  };
  APInt known;
  if (matchPattern(b, m_ConstantInt(&known)) && known.isPowerOf2())
    return op<arith::ShRSIOp>(a, constant(known.logBase2()));
  // floor(a / b) = ~(~a / b) for negative a.
  unsigned bits = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  Value sign = op<arith::ShRSIOp>(a, constant(bits - 1));
  Value quotient = op<arith::DivUIOp>(op<arith::XOrIOp>(a, sign), b);
  return op<arith::XOrIOp>(quotient, sign);
}

Value ScalarBuilder::ceilPowerOfTwo(Value value) {
  Value zeros = math::CountLeadingZerosOp::create(builder, location,
                                                  subtract(value, i64(1)));
  Value bits = subtract(i64(64), zeros);
  return op<arith::ShLIOp>(i64(1), bits);
}

Value ScalarBuilder::load(Value memory, Value place) {
  return memref::LoadOp::create(builder, location, memory, toIndex(place));
}

void ScalarBuilder::store(Value value, Value memory, Value place) {
  memref::StoreOp::create(builder, location, value, memory, toIndex(place));
}

Value ScalarBuilder::fromStored(Value value, Type stored, Type element) {
  if (stored.isInteger(1)) {
    Value zero = arith::ConstantOp::create(
        builder, location, builder.getIntegerAttr(value.getType(), 0));
    Value holds = compare(arith::CmpIPredicate::ne, value, zero);
    return element.isInteger(1) ? holds
                                : Value(arith::ExtUIOp::create(
                                      builder, location, element, holds));
  }
  if (value.getType() == element)
    return value;
  if (stored.isUnsignedInteger())
    return arith::ExtUIOp::create(builder, location, element, value);
  return arith::ExtSIOp::create(builder, location, element, value);
}

ScalarBuilder::Values
ScalarBuilder::loop(Value from, Value to, Value step, ValueRange inits,
                    llvm::function_ref<Values(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(
      builder, location, from, to, step, inits,
      [&](OpBuilder &, Location, Value i, ValueRange carried) {
        scf::YieldOp::create(builder, location, body(i, carried));
      });
  return Values(loop.getResults());
}

ScalarBuilder::Values
ScalarBuilder::loopWhile(ValueRange inits,
                         llvm::function_ref<Value(ValueRange)> condition,
                         llvm::function_ref<Values(ValueRange)> body) {
  auto loop = scf::WhileOp::create(
      builder, location, inits.getTypes(), inits,
      [&](OpBuilder &, Location, ValueRange carried) {
        scf::ConditionOp::create(builder, location, condition(carried),
                                 carried);
      },
      [&](OpBuilder &, Location, ValueRange carried) {
        scf::YieldOp::create(builder, location, body(carried));
      });
  return Values(loop.getResults());
}

/// The steps double until one goes too far; from then on what is left is
/// halved.
Value ScalarBuilder::findPlace(Value first, Value end,
                               llvm::function_ref<Value(Value)> isBelow) {
  Value one = index(1);
  return loopWhile(
             {first, end, index(0)},
             [&](ValueRange so) { return less(so[0], so[1]); },
             [&](ValueRange so) -> Values {
               Value half = op<arith::ShRUIOp>(subtract(so[1], so[0]), one);
               Value middle = add(so[0], minimum(half, so[2]));
               Value goesOn = isBelow(middle);
               Value wider = add(add(so[2], so[2]), one);
               return {select(goesOn, add(middle, one), so[0]),
                       select(goesOn, so[1], middle),
                       select(goesOn, wider, so[2])};
             })
      .front();
}

ScalarBuilder::Values ScalarBuilder::choose(Value condition, TypeRange types,
                                            llvm::function_ref<Values()> yes,
                                            llvm::function_ref<Values()> no) {
  auto branch = scf::IfOp::create(builder, location, types, condition,
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(builder, location, yes());
  builder.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(builder, location, no());
  return Values(branch.getResults());
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

/// 1 if all places are inside the memory; as an unsigned number what is below 0
/// is too large.
static Value isInside(ScalarBuilder emit, Value memory,
                      ArrayRef<std::pair<unsigned, Value>> places) {
  Value inside;
  for (auto [dimension, place] : places) {
    Value extent = emit.builder.createOrFold<memref::DimOp>(emit.location,
                                                            memory, dimension);
    Value isBelow =
        emit.compare(arith::CmpIPredicate::ult, emit.toIndex(place), extent);
    inside = inside ? emit.both(inside, isBelow) : isBelow;
  }
  return inside;
}

Value ScalarLowering::read(tile::ReadOp op) {
  ScalarBuilder emit{builder, op.getLoc()};
  Value memory = values.at(op.getView());
  Type stored = op.getView().getType().getElementType();
  Type element = op.getResult().getType();
  SmallVector<Value> places;
  SmallVector<std::pair<unsigned, Value>> checked;
  for (auto [d, position] : llvm::enumerate(op.getIndices())) {
    places.push_back(emit.toIndex(values.at(position)));
    checked.push_back({static_cast<unsigned>(d), places.back()});
  }
  auto load = [&]() -> ScalarBuilder::Values {
    Value value = memref::LoadOp::create(builder, op.getLoc(), memory, places);
    return {emit.fromStored(value, stored, element)};
  };
  if (places.empty())
    return load().front();
  auto none = [&]() -> ScalarBuilder::Values {
    return {arith::ConstantOp::create(builder, op.getLoc(),
                                      builder.getZeroAttr(element))};
  };
  return emit.choose(isInside(emit, memory, checked), element, load, none)
      .front();
}

Value ScalarLowering::find(tile::FindOp op) {
  ScalarBuilder emit{builder, op.getLoc()};
  Value memory = values.at(op.getView());
  SmallVector<Value> places;
  for (Value index : op.getIndices())
    places.push_back(values.at(index));
  places.push_back(nullptr);
  Value value = values.at(op.getValue());
  return emit.findPlace(
      values.at(op.getFirst()), values.at(op.getEnd()), [&](Value place) {
        places.back() = place;
        Value element =
            memref::LoadOp::create(builder, op.getLoc(), memory, places);
        element = emit.fromStored(
            element, op.getView().getType().getElementType(), value.getType());
        return emit.less(element, value);
      });
}

//===----------------------------------------------------------------------===//
// Pyramids
//===----------------------------------------------------------------------===//

static constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
static constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();

/// Joins the elements [from, to) along the dimension of a pyramid to `least`
/// and `largest`. `places` has a place for every dimension.
static ScalarBuilder::Values joinElements(ScalarBuilder emit,
                                          tile::PyramidOp op, Value view,
                                          SmallVector<Value> places, Value from,
                                          Value to, Value least,
                                          Value largest) {
  Type stored = op.getView().getType().getElementType();
  return emit.loop(
      emit.toIndex(from), emit.toIndex(to), {least, largest},
      [&](Value n, ValueRange carried) -> ScalarBuilder::Values {
        places[op.getDimension()] = n;
        Value element =
            memref::LoadOp::create(emit.builder, emit.location, view, places);
        element = emit.fromStored(element, stored, emit.builder.getI64Type());
        return {emit.minimum(carried[0], element),
                emit.maximum(carried[1], element)};
      });
}

/// Words of all trees before that of the line at `places`.
static Value getTreeStart(ScalarBuilder emit, const PyramidMemory &memory,
                          ArrayRef<Value> places) {
  Value line = emit.index(0);
  for (auto [d, place] : llvm::enumerate(places)) {
    if (static_cast<int64_t>(d) == memory.dimension)
      continue;
    Value extent =
        emit.builder.createOrFold<memref::DimOp>(emit.location, memory.view, d);
    line = emit.add(emit.multiply(line, extent), place);
  }
  return emit.multiply(line, emit.multiply(memory.capacity, emit.index(4)));
}

void fillPyramid(ScalarBuilder emit, tile::PyramidOp op,
                 const PyramidMemory &memory) {
  OpBuilder &builder = emit.builder;
  unsigned rank = op.getView().getType().getRank();
  constexpr int64_t leaf = PyramidMemory::kLeaf;
  Value extent = builder.createOrFold<memref::DimOp>(emit.location, memory.view,
                                                     memory.dimension);
  // One loop for each other dimension.
  SmallVector<Value> places(rank);
  std::function<void(unsigned)> visit = [&](unsigned d) {
    if (d < rank) {
      if (d == memory.dimension)
        return visit(d + 1);
      Value lines =
          builder.createOrFold<memref::DimOp>(emit.location, memory.view, d);
      emit.loop(emit.index(0), lines, {},
                [&](Value place, ValueRange) -> ScalarBuilder::Values {
                  places[d] = place;
                  visit(d + 1);
                  return {};
                });
      return;
    }
    Value start = getTreeStart(emit, memory, places);
    auto wordOf = [&](Value node) {
      return emit.add(start, emit.multiply(node, emit.index(2)));
    };
    auto setNode = [&](Value node, Value least, Value largest) {
      Value word = wordOf(node);
      emit.store(least, memory.tree, word);
      emit.store(largest, memory.tree, emit.add(word, emit.index(1)));
    };
    emit.loop(emit.index(0), memory.capacity, {},
              [&](Value n, ValueRange) -> ScalarBuilder::Values {
                Value from = emit.multiply(n, emit.index(leaf));
                Value to =
                    emit.minimum(emit.add(from, emit.index(leaf)), extent);
                auto joined =
                    joinElements(emit, op, memory.view, places, from, to,
                                 emit.i64(kLargest), emit.i64(kLeast));
                setNode(emit.add(memory.capacity, n), joined[0], joined[1]);
                return {};
              });
    emit.loop(emit.index(1), memory.capacity, {},
              [&](Value n, ValueRange) -> ScalarBuilder::Values {
                // From the last node to the first.
                Value node = emit.subtract(memory.capacity, n);
                Value child = wordOf(emit.multiply(node, emit.index(2)));
                auto word = [&](int64_t number) {
                  return emit.load(memory.tree,
                                   emit.add(child, emit.index(number)));
                };
                setNode(node, emit.minimum(word(0), word(2)),
                        emit.maximum(word(1), word(3)));
                return {};
              });
  };
  visit(0);
}

/// Goes over the range by the largest blocks that fit, and element by element
/// where it begins or ends inside a leaf.
void ScalarLowering::readBounds(tile::BoundsOp op) {
  ScalarBuilder emit{builder, op.getLoc()};
  const PyramidMemory &memory = pyramids.at(op.getPyramid());
  auto pyramid = op.getPyramid().getDefiningOp<tile::PyramidOp>();
  Type i64 = builder.getI64Type();
  auto along = static_cast<size_t>(memory.dimension);
  SmallVector<Value> places;
  SmallVector<std::pair<unsigned, Value>> checked;
  for (Value index : op.getIndices()) {
    if (places.size() == along)
      places.push_back(emit.index(0));
    checked.push_back(
        {static_cast<unsigned>(places.size()), emit.toIndex(values.at(index))});
    places.push_back(checked.back().second);
  }
  if (places.size() == along)
    places.push_back(emit.index(0));
  Value first = values.at(op.getFirst()), last = values.at(op.getLast());
  Value extent = emit.toI64(builder.createOrFold<memref::DimOp>(
      op.getLoc(), memory.view, memory.dimension));
  Value zero = emit.i64(0), one = emit.i64(1);
  Value isOutside =
      emit.either(emit.less(first, zero),
                  emit.compare(arith::CmpIPredicate::sge, last, extent));
  Value end = emit.minimum(emit.add(last, one), extent);
  if (!checked.empty()) {
    Value inside = isInside(emit, memory.view, checked);
    isOutside = emit.either(isOutside, emit.negate(inside));
    end = emit.select(inside, end, zero);
  }
  auto readEnds = [&]() -> ScalarBuilder::Values {
    ScalarBuilder::Values ends;
    for (Value end : {first, last}) {
      places[along] = emit.toIndex(end);
      Value element =
          memref::LoadOp::create(builder, op.getLoc(), memory.view, places);
      Type stored = pyramid.getView().getType().getElementType();
      ends.push_back(emit.fromStored(element, stored, i64));
    }
    return ends;
  };
  auto joinNodes = [&]() -> ScalarBuilder::Values {
    Value least = emit.select(isOutside, zero, emit.i64(kLargest));
    Value largest = emit.select(isOutside, zero, emit.i64(kLeast));
    Value from = emit.maximum(first, zero);
    if (!memory.capacity)
      return joinElements(emit, pyramid, memory.view, places, from, end, least,
                          largest);
    Value treeStart = getTreeStart(emit, memory, places);
    constexpr int64_t leaf = PyramidMemory::kLeaf;
    int64_t leafBits = llvm::Log2_64(leaf);
    auto joined = emit.loopWhile(
        {from, least, largest},
        [&](ValueRange carried) { return emit.less(carried[0], end); },
        [&](ValueRange carried) -> ScalarBuilder::Values {
          Value at = carried[0];
          // Aligned at `at` and not longer than what is left.
          Value aligned = math::CountTrailingZerosOp::create(
              builder, op.getLoc(), emit.either(at, emit.i64(kLeast)));
          Value length = emit.subtract(end, at);
          Value zeros =
              math::CountLeadingZerosOp::create(builder, op.getLoc(), length);
          Value bits =
              emit.minimum(aligned, emit.subtract(emit.i64(63), zeros));
          Value isShort = emit.less(bits, emit.i64(leafBits));
          return emit.choose(
              isShort, {i64, i64, i64},
              [&]() -> ScalarBuilder::Values {
                Value next = emit.add(emit.either(at, emit.i64(leaf - 1)), one);
                next = emit.minimum(next, end);
                auto part = joinElements(emit, pyramid, memory.view, places, at,
                                         next, carried[1], carried[2]);
                return {next, part[0], part[1]};
              },
              [&]() -> ScalarBuilder::Values {
                Value level = emit.subtract(bits, emit.i64(leafBits));
                Value node = emit.add(
                    emit.op<arith::ShRSIOp>(emit.toI64(memory.capacity), level),
                    emit.op<arith::ShRSIOp>(at, bits));
                Value word =
                    emit.add(treeStart,
                             emit.multiply(emit.toIndex(node), emit.index(2)));
                Value least = emit.load(memory.tree, word);
                Value largest =
                    emit.load(memory.tree, emit.add(word, emit.index(1)));
                return {emit.add(at, emit.op<arith::ShLIOp>(one, bits)),
                        emit.minimum(carried[1], least),
                        emit.maximum(carried[2], largest)};
              });
        });
    return {joined[1], joined[2]};
  };
  auto bounds = op.getAscending() ? emit.choose(values.at(op.getAscending()),
                                                {i64, i64}, readEnds, joinNodes)
                                  : joinNodes();
  values[op.getLeast()] = bounds[0];
  values[op.getLargest()] = bounds[1];
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

LogicalResult ScalarLowering::lower(Operation *op) {
  ScalarBuilder emit{builder, op->getLoc()};
  if (auto read = dyn_cast<tile::ReadOp>(op)) {
    values[read] = this->read(read);
    return success();
  }
  if (auto bounds = dyn_cast<tile::BoundsOp>(op)) {
    readBounds(bounds);
    return success();
  }
  if (auto search = dyn_cast<tile::FindOp>(op)) {
    values[search] = find(search);
    return success();
  }
  if (auto extent = dyn_cast<tile::ExtentOp>(op)) {
    values[extent] = builder.createOrFold<memref::DimOp>(
        op->getLoc(), values.at(extent.getView()), extent.getDimension());
    return success();
  }
  if (isa<arith::FloorDivSIOp>(op)) {
    // A divisor that is not positive has no meaning; it must not trap either.
    Value divisor = values.at(op->getOperand(1));
    Value one = arith::ConstantOp::create(
        builder, op->getLoc(), builder.getIntegerAttr(divisor.getType(), 1));
    values[op->getResult(0)] = emit.floorDivide(values.at(op->getOperand(0)),
                                                emit.maximum(divisor, one));
    return success();
  }
  if (isa<tile::TileDialect>(op->getDialect()) || op->getNumResults() != 1 ||
      op->getNumRegions() != 0)
    return op->emitError() << "has no lowering to scalars";
  IRMapping mapping;
  for (Value operand : op->getOperands())
    mapping.map(operand, values.at(operand));
  values[op->getResult(0)] = builder.clone(*op, mapping)->getResult(0);
  return success();
}

} // namespace rapt::conversion
