// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Which instruction an operation is.

#include "lib/Reference/Instructions.h"
#include "dialects/Attn/IR/Attn.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace rapt::reference {

/// Operations whose operands and results have one shape and whose meaning is
/// that of one opcode, element by element.
static std::optional<Opcode> getElementwiseOpcode(StringRef name) {
  return llvm::StringSwitch<std::optional<Opcode>>(name)
      .Case("arith.negf", Opcode::Neg)
      .Case("math.absf", Opcode::Abs)
      .Case("math.exp", Opcode::Exp)
      .Case("math.exp2", Opcode::Exp2)
      .Case("math.expm1", Opcode::ExpM1)
      .Case("math.log", Opcode::Log)
      .Case("math.log2", Opcode::Log2)
      .Case("math.log10", Opcode::Log10)
      .Case("math.log1p", Opcode::Log1P)
      .Case("math.sqrt", Opcode::Sqrt)
      .Case("math.rsqrt", Opcode::RSqrt)
      .Case("math.cbrt", Opcode::Cbrt)
      .Case("math.tanh", Opcode::Tanh)
      .Case("math.sinh", Opcode::Sinh)
      .Case("math.cosh", Opcode::Cosh)
      .Case("math.sin", Opcode::Sin)
      .Case("math.cos", Opcode::Cos)
      .Case("math.tan", Opcode::Tan)
      .Case("math.asin", Opcode::ASin)
      .Case("math.acos", Opcode::ACos)
      .Case("math.atan", Opcode::ATan)
      .Case("math.erf", Opcode::Erf)
      .Case("math.floor", Opcode::Floor)
      .Case("math.ceil", Opcode::Ceil)
      .Case("math.round", Opcode::Round)
      .Case("math.roundeven", Opcode::RoundEven)
      .Case("math.trunc", Opcode::Trunc)
      .Case("arith.addf", Opcode::Add)
      .Case("arith.subf", Opcode::Sub)
      .Case("arith.mulf", Opcode::Mul)
      .Case("arith.divf", Opcode::Div)
      .Case("arith.remf", Opcode::Rem)
      .Case("arith.maximumf", Opcode::Maximum)
      .Case("arith.minimumf", Opcode::Minimum)
      .Case("arith.maxnumf", Opcode::MaxNum)
      .Case("arith.minnumf", Opcode::MinNum)
      .Case("math.powf", Opcode::Pow)
      .Case("math.atan2", Opcode::ATan2)
      .Case("math.copysign", Opcode::CopySign)
      .Case("math.fma", Opcode::Fma)
      .Case("arith.addi", Opcode::AddI)
      .Case("arith.subi", Opcode::SubI)
      .Case("arith.muli", Opcode::MulI)
      .Case("arith.divsi", Opcode::DivS)
      .Case("arith.remsi", Opcode::RemS)
      .Cases({"attn.floordiv", "arith.floordivsi"}, Opcode::FloorDivS)
      .Case("attn.mod", Opcode::FloorModS)
      .Case("arith.ceildivsi", Opcode::CeilDivS)
      .Case("arith.divui", Opcode::DivU)
      .Case("arith.remui", Opcode::RemU)
      .Case("arith.ceildivui", Opcode::CeilDivU)
      .Case("arith.andi", Opcode::And)
      .Case("arith.ori", Opcode::Or)
      .Case("arith.xori", Opcode::Xor)
      .Case("arith.shli", Opcode::ShiftLeft)
      .Case("arith.shrsi", Opcode::ShiftRightS)
      .Case("arith.shrui", Opcode::ShiftRightU)
      .Case("arith.maxsi", Opcode::MaxS)
      .Case("arith.minsi", Opcode::MinS)
      .Case("arith.maxui", Opcode::MaxU)
      .Case("arith.minui", Opcode::MinU)
      .Case("math.absi", Opcode::AbsI)
      .Case("math.ipowi", Opcode::PowI)
      .Case("math.ctlz", Opcode::LeadingZeros)
      .Case("math.cttz", Opcode::TrailingZeros)
      .Case("math.ctpop", Opcode::PopulationCount)
      .Cases({"arith.extsi", "arith.index_cast"}, Opcode::ExtendS)
      .Cases({"arith.extui", "arith.index_castui"}, Opcode::ExtendU)
      .Case("arith.trunci", Opcode::TruncateI)
      .Case("arith.sitofp", Opcode::RealFromS)
      .Case("arith.uitofp", Opcode::RealFromU)
      .Case("arith.fptosi", Opcode::SFromReal)
      .Case("arith.fptoui", Opcode::UFromReal)
      .Case("arith.select", Opcode::Select)
      .Case("attn.uniform", Opcode::Uniform)
      .Default(std::nullopt);
}

static unsigned getWidth(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isInteger() ? element.getIntOrFloatBitWidth() : 64;
}

bool chooseElementwise(Operation *op, Instruction &instruction) {
  if (op->getNumResults() != 1)
    return false;
  instruction.width = getWidth(op->getResult(0).getType());
  if (op->getNumOperands() > 0)
    instruction.sourceWidth = getWidth(op->getOperand(0).getType());
  if (auto cmp = dyn_cast<arith::CmpFOp>(op)) {
    instruction.opcode = Opcode::CompareReal;
    instruction.detail = static_cast<int32_t>(cmp.getPredicate());
    return true;
  }
  if (auto cmp = dyn_cast<arith::CmpIOp>(op)) {
    instruction.opcode = Opcode::CompareInteger;
    instruction.detail = static_cast<int32_t>(cmp.getPredicate());
    return true;
  }
  auto opcode = getElementwiseOpcode(op->getName().getStringRef());
  if (opcode)
    instruction.opcode = *opcode;
  return opcode.has_value();
}

std::optional<support::ElementType> getElementType(Type type) {
  using support::ElementType;
  if (type.isF16())
    return ElementType::F16;
  if (type.isBF16())
    return ElementType::BF16;
  if (type.isF32())
    return ElementType::F32;
  if (type.isF64())
    return ElementType::F64;
  if (type.isUnsignedInteger(8))
    return ElementType::U8;
  if (type.isInteger(1))
    return ElementType::Boolean;
  if (type.isInteger(8))
    return ElementType::I8;
  if (type.isInteger(16))
    return ElementType::I16;
  if (type.isInteger(32))
    return ElementType::I32;
  if (type.isInteger(64) || type.isIndex())
    return ElementType::I64;
  return std::nullopt;
}

} // namespace rapt::reference
