// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Instructions over numbered cells: what the operations of a region become.

#ifndef RAPT_LIB_REFERENCE_INSTRUCTIONS_H
#define RAPT_LIB_REFERENCE_INSTRUCTIONS_H

#include "lib/Reference/Tensor.h"
#include "mlir/IR/Operation.h"

namespace rapt::reference {

/// How often a value changes: with the head, with the row of queries, or with
/// every pair (every row, in a map). What does not depend on a pair runs once
/// per row, and what depends on the head alone once per head.
enum class Level : uint8_t { Constant, Head, Row, Pair };

/// One number. `Real` is double for the exact evaluation and float for the one
/// that rounds as the kernel's types do; integers are sign-extended to 64 bits,
/// booleans are 0 or 1.
template <typename Real> union Cell {
  Real real;
  int64_t integer;
};

enum class Opcode : uint8_t {
  // One real operand, a real result.
  Neg,
  Abs,
  Exp,
  Exp2,
  ExpM1,
  Log,
  Log2,
  Log10,
  Log1P,
  Sqrt,
  RSqrt,
  Cbrt,
  Tanh,
  Sinh,
  Cosh,
  Sin,
  Cos,
  Tan,
  ASin,
  ACos,
  ATan,
  Erf,
  Floor,
  Ceil,
  Round,
  RoundEven,
  Trunc,
  // Two or three real operands.
  Add,
  Sub,
  Mul,
  Div,
  Rem,
  Maximum,
  Minimum,
  MaxNum,
  MinNum,
  Pow,
  ATan2,
  CopySign,
  Fma,
  CompareReal,
  // Integers.
  AddI,
  SubI,
  MulI,
  DivS,
  RemS,
  FloorDivS,
  FloorModS,
  CeilDivS,
  DivU,
  RemU,
  CeilDivU,
  And,
  Or,
  Xor,
  ShiftLeft,
  ShiftRightS,
  ShiftRightU,
  MaxS,
  MinS,
  MaxU,
  MinU,
  AbsI,
  PowI,
  LeadingZeros,
  TrailingZeros,
  PopulationCount,
  CompareInteger,
  // Conversions.
  ExtendS,
  ExtendU,
  TruncateI,
  RealFromS,
  RealFromU,
  SFromReal,
  UFromReal,
  // Either kind.
  Select,
  Copy,
  Splat,
  Concat,
  Feature,
  // Rows.
  Dot,
  MatVec,
  VecMat,
  Outer,
  Spread, ///< `detail`: the dimension along which the row runs
  ReduceReal,
  ReduceInteger,
  // Rounding to a narrower float type; nothing in double.
  RoundTo,
  // The surroundings. ReadEach takes one index tuple for each cell.
  Read,
  ReadEach,
  Length,
  Extent,
  Share,
  Uniform,
};

struct Instruction {
  Opcode opcode;
  Level level = Level::Constant;
  uint8_t width = 64;       ///< bits of an integer result
  uint8_t sourceWidth = 64; ///< bits of the first integer operand
  int32_t result = 0;       ///< the first cell of the result
  int32_t count = 1;        ///< cells of the result
  int32_t detail = 0;       ///< predicate, tensor, dimension, ..., by opcode
  llvm::SmallVector<int32_t, 3> operands;      ///< first cells
  llvm::SmallVector<int32_t, 1> operandCounts; ///< cells of each operand
};

/// What a region can ask about besides its arguments.
struct Surroundings {
  llvm::ArrayRef<TensorView> captures;
  int64_t heads = 1, queries = 0, keys = 0;
  int64_t firstBatch = 0; ///< see Placement
};

/// Chooses opcode, predicate and widths for an operation of arith, math or attn
/// that works element by element on operands of one shape. False if it is none.
bool chooseElementwise(mlir::Operation *op, Instruction &instruction);

/// The element type of a tensor or view whose elements have `type`; nothing if
/// there is none.
std::optional<support::ElementType> getElementType(mlir::Type type);

/// Executes one instruction.
template <typename Real>
void execute(const Instruction &instruction, Cell<Real> *cells,
             const Surroundings &around);

/// Element `indices` of a tensor; zero or false outside it.
double readReal(const TensorView &view, llvm::ArrayRef<int64_t> indices);
int64_t readInteger(const TensorView &view, llvm::ArrayRef<int64_t> indices);

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_INSTRUCTIONS_H
