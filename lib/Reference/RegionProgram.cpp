// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// From a region to instructions. What the instructions do is in
// RegionInterpreter.cpp.

#include "lib/Reference/RegionProgram.h"
#include "dialects/Attn/IR/Attn.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace rapt::reference {

static int64_t getCellCount(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? tensor.getNumElements() : 1;
}

static Error makeError(Operation *op, const llvm::Twine &message) {
  return llvm::createStringError("the Reference cannot evaluate " +
                                 op->getName().getStringRef() + ": " + message);
}

/// A type whose values fit cells: f32, f64 (of exact constants), integers and
/// rows or matrices of them.
static Error checkType(Operation *op, Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type);
      tensor && (!tensor.hasStaticShape() || tensor.getNumElements() == 0))
    return makeError(op, "a value without elements or without a static shape");
  Type element = getElementTypeOrSelf(type);
  if (element.isF32() || element.isF64() || element.isIndex() ||
      (element.isSignlessInteger() && element.getIntOrFloatBitWidth() <= 64))
    return Error::success();
  return makeError(op, "element type is neither f32, f64 nor an integer");
}

class RegionCompiler {
public:
  Expected<RegionProgram> compile(Region &region,
                                  llvm::ArrayRef<Level> levels) {
    if (!region.hasOneBlock())
      return llvm::createStringError("a region must have one block");
    Block &block = region.front();
    for (BlockArgument argument : block.getArguments()) {
      unsigned index = argument.getArgNumber();
      program.argumentRead.push_back(!argument.use_empty());
      if (index >= levels.size()) {
        captureNumbers[argument] = index - levels.size();
        continue;
      }
      program.arguments.push_back(allocate(argument, levels[index]));
    }
    for (Operation &op : block) {
      if (auto yield = dyn_cast<attn::YieldOp>(op)) {
        for (Value value : yield.getValues())
          program.results.push_back(
              {places.at(value).cell,
               static_cast<int32_t>(getCellCount(value.getType())),
               !isa<FloatType>(getElementTypeOrSelf(value.getType()))});
        continue;
      }
      if (Error error = compile(&op))
        return error;
    }
    return std::move(program);
  }

private:
  struct Place {
    int32_t cell;
    Level level;
  };

  int32_t allocate(Value value, Level level) {
    int32_t cell = program.cellCount;
    program.cellCount += getCellCount(value.getType());
    places[value] = {cell, level};
    return cell;
  }

  Error compile(Operation *op) {
    if (op->getNumResults() != 1 || op->getNumRegions() != 0)
      return makeError(op, "not an operation of a region of attn");
    Value value = op->getResult(0);
    if (Error error = checkType(op, value.getType()))
      return error;
    if (auto constant = dyn_cast<arith::ConstantOp>(op))
      return compileConstant(constant);

    Instruction instruction;
    instruction.count = getCellCount(value.getType());
    for (Value operand : op->getOperands()) {
      if (captureNumbers.contains(operand))
        continue;
      Place place = places.at(operand);
      instruction.operands.push_back(place.cell);
      instruction.operandCounts.push_back(getCellCount(operand.getType()));
      instruction.level = std::max(instruction.level, place.level);
    }
    if (Error error = chooseOpcode(op, instruction))
      return error;
    instruction.result = allocate(value, instruction.level);
    program.instructions[static_cast<int>(instruction.level)].push_back(
        instruction);
    return Error::success();
  }

  Error chooseOpcode(Operation *op, Instruction &instruction) {
    if (chooseElementwise(op, instruction)) {
      for (Value operand : op->getOperands())
        if (Error error = checkType(op, operand.getType()))
          return error;
      return Error::success();
    }
    auto set = [&](Opcode opcode, int64_t detail = 0) {
      instruction.opcode = opcode;
      instruction.detail = detail;
      return true;
    };
    auto isReal = [](Type type) {
      return isa<FloatType>(getElementTypeOrSelf(type));
    };
    // Asking about the sizes is the same for all pairs, but only the run knows.
    auto once = [&] {
      instruction.level = std::max(instruction.level, Level::Head);
    };
    bool known =
        llvm::TypeSwitch<Operation *, bool>(op)
            .Case([&](attn::SplatOp) { return set(Opcode::Splat); })
            .Case([&](attn::ConcatOp) { return set(Opcode::Concat); })
            .Case([&](attn::FeatureOp feature) {
              return set(Opcode::Feature, isReal(feature.getType()));
            })
            .Case([&](attn::SliceOp slice) {
              instruction.operands[0] += slice.getOffset();
              return set(Opcode::Copy);
            })
            .Case([&](arith::TruncFOp) {
              // A constant that f32 does not hold: a double for the exact
              // evaluation, rounded already for the other one.
              return set(Opcode::Copy);
            })
            .Case([&](attn::DotOp dot) {
              return isReal(dot.getLhs().getType()) && set(Opcode::Dot);
            })
            .Case([&](attn::MatVecOp product) {
              return isReal(product.getMatrix().getType()) &&
                     isReal(product.getRow().getType()) && set(Opcode::MatVec);
            })
            .Case([&](attn::VecMatOp) { return set(Opcode::VecMat); })
            .Case([&](attn::OuterOp) { return set(Opcode::Outer); })
            .Case([&](attn::SpreadOp spread) {
              return set(Opcode::Spread, spread.getAlong());
            })
            .Case([&](attn::ReduceOp reduce) {
              return set(isReal(reduce.getRow().getType())
                             ? Opcode::ReduceReal
                             : Opcode::ReduceInteger,
                         static_cast<int64_t>(reduce.getKind()));
            })
            .Case([&](attn::ReadOp read) {
              once();
              return isCapture(read.getTensor()) &&
                     set(Opcode::Read, captureNumbers[read.getTensor()]);
            })
            .Case([&](attn::LengthOp length) {
              once();
              return set(Opcode::Length, length.getSide() == attn::Side::Keys);
            })
            .Case([&](attn::ExtentOp extent) {
              once();
              instruction.operands = {
                  static_cast<int32_t>(extent.getDimension())};
              return isCapture(extent.getTensor()) &&
                     isDimension(extent.getTensor(), extent.getDimension()) &&
                     set(Opcode::Extent, captureNumbers[extent.getTensor()]);
            })
            .Case([&](attn::ShareOp share) {
              once();
              instruction.operands.push_back(share.getDimension());
              return isCapture(share.getTensor()) &&
                     isDimension(share.getTensor(), share.getDimension()) &&
                     set(Opcode::Share, captureNumbers[share.getTensor()]);
            })
            .Default([](Operation *) { return false; });
    return known ? Error::success()
                 : makeError(op, "not an operation of a region of attn");
  }

  bool isCapture(Value value) { return captureNumbers.contains(value); }
  static bool isDimension(Value tensor, int64_t dimension) {
    return dimension >= 0 &&
           dimension < cast<RankedTensorType>(tensor.getType()).getRank();
  }

  Error compileConstant(arith::ConstantOp op) {
    int32_t cell = allocate(op, Level::Constant);
    auto add = [&](Attribute element) {
      if (auto real = dyn_cast<FloatAttr>(element))
        program.constants.push_back(
            {cell++, false, real.getValueAsDouble(), 0});
      else if (auto boolean = dyn_cast<IntegerAttr>(element);
               boolean && boolean.getType().isInteger(1))
        program.constants.push_back(
            {cell++, true, 0, boolean.getValue().getBoolValue()});
      else
        program.constants.push_back(
            {cell++, true, 0, cast<IntegerAttr>(element).getInt()});
    };
    if (auto dense = dyn_cast<DenseElementsAttr>(op.getValue())) {
      for (Attribute element : dense.getValues<Attribute>())
        add(element);
      return Error::success();
    }
    if (!isa<FloatAttr, IntegerAttr>(op.getValue()))
      return makeError(op, "not a number or a dense row");
    add(op.getValue());
    return Error::success();
  }

  RegionProgram program;
  llvm::DenseMap<Value, Place> places;
  llvm::DenseMap<Value, int64_t> captureNumbers;
};

Expected<RegionProgram> RegionProgram::compile(Region &region,
                                               llvm::ArrayRef<Level> levels) {
  return RegionCompiler().compile(region, levels);
}

template <typename Real>
std::vector<Cell<Real>> RegionProgram::makeCells() const {
  std::vector<Cell<Real>> cells(cellCount, Cell<Real>{.integer = 0});
  for (const Constant &constant : constants)
    if (constant.isInteger)
      cells[constant.cell].integer = constant.integer;
    else
      cells[constant.cell].real = static_cast<Real>(constant.real);
  return cells;
}

template std::vector<Cell<double>> RegionProgram::makeCells<double>() const;
template std::vector<Cell<float>> RegionProgram::makeCells<float>() const;

} // namespace rapt::reference
