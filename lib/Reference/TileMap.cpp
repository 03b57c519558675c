// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Regions of tile.map and scalars around them, through the same instructions as
// the regions of attn: every value of the region has one cell for each element.

#include "lib/Reference/TileValues.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using llvm::Error;

namespace rapt::reference {

static Error makeError(Operation *op, const llvm::Twine &message) {
  return llvm::createStringError("the Reference cannot evaluate " +
                                 op->getName().getStringRef() + ": " + message);
}

namespace {
/// Interprets scalar operations over a number of lanes.
template <typename Real> class LaneInterpreter {
public:
  LaneInterpreter(int64_t lanes, Environment<Real> &values)
      : lanes(lanes), values(values) {}

  /// Cells for a new value.
  Cell<Real> *define(Value value) {
    int64_t place = cells.size();
    places[value] = place;
    cells.resize(cells.size() + lanes, Cell<Real>{.integer = 0});
    return &cells[place];
  }
  /// The cells of a value of the region, or of a scalar from above it.
  int64_t use(Value value) {
    auto place = places.find(value);
    if (place != places.end())
      return place->second;
    Cell<Real> scalar = values.getScalar(value);
    std::fill_n(define(value), lanes, scalar);
    return places[value];
  }
  const Cell<Real> *get(Value value) { return &cells[use(value)]; }

  Error run(Operation *op, bool &isKnown) {
    isKnown = true;
    if (auto constant = dyn_cast<arith::ConstantOp>(op))
      return runConstant(constant);
    Instruction instruction;
    TensorView view;
    if (auto read = dyn_cast<tile::ReadOp>(op)) {
      instruction.opcode = Opcode::ReadEach;
      view = values.getView(read.getView()).asTensor();
    } else if (!chooseRounding(op, instruction) &&
               !chooseElementwise(op, instruction)) {
      isKnown = false;
      return Error::success();
    }
    if (!op->getResult(0).getType().isIntOrIndexOrFloat())
      return makeError(op, "not a scalar");
    instruction.count = lanes;
    for (Value operand : op->getOperands()) {
      if (isa<tile::ViewType>(operand.getType()))
        continue;
      instruction.operands.push_back(use(operand));
      instruction.operandCounts.push_back(lanes);
    }
    define(op->getResult(0));
    instruction.result = places[op->getResult(0)];
    execute(instruction, cells.data(), Surroundings{view});
    roundResult(op, instruction.result);
    return Error::success();
  }

private:
  /// Conversions between float types keep the value in a cell; a narrower type
  /// rounds it afterwards.
  static bool chooseRounding(Operation *op, Instruction &instruction) {
    if (!isa<arith::ExtFOp, arith::TruncFOp>(op))
      return false;
    instruction.opcode = Opcode::Copy;
    return true;
  }

  /// Every operation on a type narrower than f32 rounds to it.
  void roundResult(Operation *op, int32_t place) {
    Type type = op->getResult(0).getType();
    if (!type.isF16() && !type.isBF16())
      return;
    Instruction rounding;
    rounding.opcode = Opcode::RoundTo;
    rounding.detail = static_cast<int32_t>(*getElementType(type));
    rounding.count = lanes;
    rounding.operands = {place};
    rounding.result = place;
    execute(rounding, cells.data(), Surroundings());
  }

  Error runConstant(arith::ConstantOp op) {
    Cell<Real> value{.integer = 0};
    if (auto real = dyn_cast<FloatAttr>(op.getValue()))
      value.real = static_cast<Real>(real.getValueAsDouble());
    else if (auto integer = dyn_cast<IntegerAttr>(op.getValue()))
      value.integer = integer.getType().isInteger(1)
                          ? integer.getValue().getBoolValue()
                          : integer.getInt();
    else
      return makeError(op, "not a number");
    std::fill_n(define(op), lanes, value);
    return Error::success();
  }

  int64_t lanes;
  Environment<Real> &values;
  llvm::DenseMap<Value, int64_t> places;
  std::vector<Cell<Real>> cells;
};
} // namespace

template <typename Real>
Error executeScalar(Operation *op, Environment<Real> &values, bool &isKnown) {
  LaneInterpreter<Real> interpreter(1, values);
  if (Error error = interpreter.run(op, isKnown))
    return error;
  if (isKnown)
    values.set(op->getResult(0), *interpreter.get(op->getResult(0)));
  return Error::success();
}

template <typename Real>
Error executeMap(tile::MapOp op, Environment<Real> &values) {
  TileValue<Real> shape(op.getResultTile());
  int64_t lanes = shape.count();
  LaneInterpreter<Real> interpreter(lanes, values);
  Block &body = op.getBody().front();
  for (auto [index, operand] : llvm::enumerate(op.getOperands())) {
    const TileValue<Real> &source = values.getTile(operand);
    llvm::SmallVector<int64_t> dims = op.getOperandDims(index);
    Cell<Real> *target = interpreter.define(body.getArgument(index));
    for (int64_t lane = 0; lane < lanes; ++lane) {
      // The element of the result that this lane is, and from it the operand's.
      llvm::SmallVector<int64_t, 3> element(shape.shape.size());
      int64_t rest = lane;
      for (size_t d = element.size(); d-- > 0; rest /= shape.shape[d])
        element[d] = rest % shape.shape[d];
      int64_t place = 0;
      for (auto [d, dim] : llvm::enumerate(dims))
        place = place * source.shape[d] + element[dim];
      target[lane] = source.cells[place];
    }
  }
  for (Operation &inner : body) {
    if (auto yield = dyn_cast<tile::YieldOp>(inner)) {
      for (auto [result, value] :
           llvm::zip(op.getResults(), yield.getValues())) {
        auto tile = std::make_shared<TileValue<Real>>(
            cast<tile::TileType>(result.getType()));
        std::copy_n(interpreter.get(value), lanes, tile->cells.begin());
        values.set(result, TilePointer<Real>(std::move(tile)));
      }
      continue;
    }
    bool isKnown;
    if (Error error = interpreter.run(&inner, isKnown))
      return error;
    if (!isKnown)
      return makeError(&inner, "not an operation of a tile.map");
  }
  return Error::success();
}

template Error executeScalar<double>(Operation *, Environment<double> &,
                                     bool &);
template Error executeScalar<float>(Operation *, Environment<float> &, bool &);
template Error executeMap<double>(tile::MapOp, Environment<double> &);
template Error executeMap<float>(tile::MapOp, Environment<float> &);

} // namespace rapt::reference
