// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Regions of nv.map. What is the same for all elements of a row or of a column
// is computed once for each; the rest element by element, so that few values
// are live at a time.

#include "lib/Conversion/NvToNVVM/DeviceMath.h"
#include "lib/Conversion/NvToNVVM/ThreadLowering.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace rapt::conversion {

/// About how many instructions an operation becomes.
static int64_t estimateCost(Operation &op) {
  return isa<math::SinOp, math::CosOp>(op) ? 30 : 1;
}

LogicalResult ThreadLowering::lowerMap(nv::MapOp op) {
  Block &body = op.getBody().front();
  Slots slots = slotsOf(op.getResult(0));
  /// Which sides a value of the region varies over.
  struct Sides {
    bool rows = false, columns = false;
  };
  llvm::DenseMap<Value, Sides> sides;
  for (auto [argument, operand] :
       llvm::zip(body.getArguments(), op.getOperands())) {
    auto type = cast<nv::FragmentType>(operand.getType());
    sides[argument] = {type.hasRows(), type.hasColumns()};
  }
  for (Operation &inner : body.without_terminator()) {
    Sides joined;
    for (Value operand : inner.getOperands()) {
      Sides one = sides.lookup(operand);
      joined.rows |= one.rows;
      joined.columns |= one.columns;
    }
    for (Value result : inner.getResults())
      sides[result] = joined;
  }
  // Every element is code of its own; the assembler takes minutes for more.
  constexpr int64_t most = 40000;
  int64_t cost = 0;
  for (Operation &inner : body.without_terminator())
    if (Sides own =
            inner.getNumResults() ? sides.lookup(inner.getResult(0)) : Sides();
        own.rows && own.columns)
      cost += estimateCost(inner);
  if (cost * slots.count() > most)
    return op.emitError()
           << "about " << cost << " instructions for each of " << slots.count()
           << " elements of a thread are too much code, expected "
              "at most "
           << most << " in all";
  auto operandAt = [&](unsigned n, int64_t r, int64_t c) {
    auto type = cast<nv::FragmentType>(op.getOperands()[n].getType());
    Slots own(type, warps);
    return registers.at(
        op.getOperands()[n])[(type.hasRows() ? r : 0) * own.columns +
                             (type.hasColumns() ? c : 0)];
  };
  /// Values at row slot r and column slot c of what varies over exactly these
  /// sides.
  llvm::DenseMap<Value, Value> fixed;
  SmallVector<llvm::DenseMap<Value, Value>> perRow(slots.rows),
      perColumn(slots.columns);
  auto emit = [&](Sides wanted, int64_t r, int64_t c,
                  llvm::DenseMap<Value, Value> &values) -> LogicalResult {
    for (auto [n, argument] : llvm::enumerate(body.getArguments())) {
      Sides own = sides.lookup(argument);
      if (own.rows == wanted.rows && own.columns == wanted.columns)
        values[argument] = operandAt(n, r, c);
    }
    for (Operation &inner : body.without_terminator()) {
      Sides own =
          inner.getNumResults() ? sides.lookup(inner.getResult(0)) : Sides();
      if (own.rows == wanted.rows && own.columns == wanted.columns &&
          failed(lowerScalar(&inner, values)))
        return failure();
    }
    return success();
  };
  if (failed(emit({false, false}, 0, 0, fixed)))
    return failure();
  for (int64_t r = 0; r < slots.rows; ++r) {
    perRow[r] = fixed;
    if (failed(emit({true, false}, r, 0, perRow[r])))
      return failure();
  }
  for (int64_t c = 0; c < slots.columns; ++c) {
    perColumn[c] = fixed;
    if (failed(emit({false, true}, 0, c, perColumn[c])))
      return failure();
  }
  for (Value result : op.getResults())
    registers[result] = {};
  auto yield = cast<tile::YieldOp>(body.back());
  for (int64_t r = 0; r < slots.rows; ++r)
    for (int64_t c = 0; c < slots.columns; ++c) {
      llvm::DenseMap<Value, Value> values = perRow[r];
      for (auto [key, value] : perColumn[c])
        values[key] = value;
      if (failed(emit({true, true}, r, c, values)))
        return failure();
      for (auto [result, value] : llvm::zip(op.getResults(), yield.getValues()))
        registers[result].push_back(lookup(value, values));
    }
  return success();
}

/// The quotient rounded down. The divisor is positive in meaning; what is not
/// counts as 1, so that nothing is undefined.
Value ThreadLowering::floorDivide(Value a, Value b) {
  Type type = a.getType();
  unsigned bits = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(builder, location,
                                     builder.getIntegerAttr(type, value));
  };
  APInt known;
  bool isConstant = matchPattern(b, m_ConstantInt(&known));
  if (isConstant && known.isPowerOf2())
    return op<arith::ShRSIOp>(a, constant(known.logBase2()));
  if (!isConstant)
    b = op<arith::MaxSIOp>(b, constant(1));
  // floor(a / b) = ~(~a / b) for negative a, with an unsigned division.
  Value sign = op<arith::ShRSIOp>(a, constant(bits - 1));
  Value quotient = op<arith::DivUIOp>(op<arith::XOrIOp>(a, sign), b);
  return op<arith::XOrIOp>(quotient, sign);
}

/// An operation on scalars; its results are added to `inside`.
LogicalResult
ThreadLowering::lowerScalar(Operation *op,
                            llvm::DenseMap<Value, Value> &inside) {
  Location outer = location;
  location = op->getLoc();
  if (auto read = dyn_cast<tile::ReadOp>(op)) {
    SmallVector<Value> indices;
    for (Value position : read.getIndices())
      indices.push_back(lookup(position, inside));
    inside[read] = readElement(views.at(read.getView()), indices,
                               read.getResult().getType());
    location = outer;
    return success();
  }
  if (op->getNumResults() != 1 || op->getNumRegions() != 0 ||
      isa<tile::TileDialect, nv::NvDialect>(op->getDialect()))
    return notLowered(op);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(lookup(operand, inside));
  Value value;
  if (isa<arith::FloorDivSIOp>(op))
    value = floorDivide(operands[0], operands[1]);
  else
    value = lowerMath(builder, op, operands);
  if (!value) {
    OperationState state(location, op->getName());
    state.addOperands(operands);
    state.addTypes(op->getResultTypes());
    state.addAttributes(op->getAttrs());
    value = builder.create(state)->getResult(0);
  }
  inside[op->getResult(0)] = value;
  location = outer;
  return success();
}

} // namespace rapt::conversion
