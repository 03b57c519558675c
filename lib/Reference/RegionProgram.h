// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A region of scalar and row operations as a flat list of instructions over
/// numbered cells, compiled once and interpreted for every pair or row.

#ifndef RAPT_LIB_REFERENCE_REGIONPROGRAM_H
#define RAPT_LIB_REFERENCE_REGIONPROGRAM_H

#include "lib/Reference/Tensor.h"
#include "mlir/IR/Region.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace rapt::reference {

/// How often a value changes: with the head, with the row of queries, or with
/// every pair (every row, in a map). What does not depend on a pair runs once
/// per row, and what depends on the head alone once per head.
enum class Level : uint8_t { Constant, Head, Row, Pair };

/// One number. `Real` is double for the exact evaluation and float for the one
/// that rounds as the kernel's types do; integers are sign-extended to 64 bits,
/// booleans are 0 or 1.
template <typename Real>
union Cell {
  Real real;
  int64_t integer;
};

enum class Opcode : uint8_t {
  // One real operand, a real result.
  Neg, Abs, Exp, Exp2, ExpM1, Log, Log2, Log10, Log1P, Sqrt, RSqrt, Cbrt, Tanh,
  Sinh, Cosh, Sin, Cos, Tan, ASin, ACos, ATan, Erf, Floor, Ceil, Round,
  RoundEven, Trunc,
  // Two or three real operands.
  Add, Sub, Mul, Div, Rem, Maximum, Minimum, MaxNum, MinNum, Pow, ATan2,
  CopySign, Fma, CompareReal,
  // Integers.
  AddI, SubI, MulI, DivS, RemS, FloorDivS, FloorModS, CeilDivS, DivU, RemU, And, Or, Xor,
  ShiftLeft, ShiftRightS, ShiftRightU, MaxS, MinS, MaxU, MinU, AbsI, PowI,
  LeadingZeros, TrailingZeros, PopulationCount, CompareInteger,
  // Conversions.
  ExtendS, ExtendU, TruncateI, RealFromS, RealFromU, SFromReal, UFromReal,
  // Either kind.
  Select, Copy, Splat, Concat, Feature,
  // Rows.
  Dot, MatVec, ReduceReal, ReduceInteger,
  // The surroundings.
  Read, Length, Extent, Share, Uniform,
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
};

class RegionProgram {
public:
  /// Compiles a region of one block whose first `levels.size()` arguments are
  /// numbers or rows, changing as often as given, and whose other arguments are
  /// the captured tensors. Fails on an operation that has no meaning here.
  static llvm::Expected<RegionProgram> compile(mlir::Region &region,
                                               llvm::ArrayRef<Level> levels);

  /// The first cell of an argument.
  int32_t getArgument(unsigned index) const { return arguments[index]; }
  /// Whether anything in the region reads the argument.
  bool readsArgument(unsigned index) const { return argumentRead[index]; }
  int32_t getResult() const { return result; }
  int32_t getResultCount() const { return resultCount; }
  bool isResultInteger() const { return resultIsInteger; }

  /// Cells for one thread, with the constants in place.
  template <typename Real>
  std::vector<Cell<Real>> makeCells() const;

  /// Runs the instructions of one level on cells whose arguments are set.
  /// Levels run in ascending order.
  template <typename Real>
  void run(Level level, Cell<Real> *cells, const Surroundings &around) const;

private:
  friend class RegionCompiler;

  struct Constant {
    int32_t cell;
    bool isInteger;
    double real;
    int64_t integer;
  };

  std::vector<Instruction> instructions[4]; // by level
  std::vector<Constant> constants;
  llvm::SmallVector<int32_t> arguments;
  llvm::SmallVector<bool> argumentRead;
  int32_t cellCount = 0, result = 0, resultCount = 1;
  bool resultIsInteger = false;
};

/// Element `indices` of a tensor; zero or false outside it.
double readReal(const TensorView &view, llvm::ArrayRef<int64_t> indices);
int64_t readInteger(const TensorView &view, llvm::ArrayRef<int64_t> indices);

/// The quotient rounded down, and the remainder that goes with it, which has the
/// sign of the divisor. 0 if the divisor is 0, for which there is no meaning.
int64_t floorDivide(int64_t value, int64_t divisor);
int64_t floorModulo(int64_t value, int64_t divisor);

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_REGIONPROGRAM_H
