// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What each instruction of a region program does.

#include "dialects/Attn/IR/Attn.h"
#include "lib/Reference/Numbers.h"
#include "lib/Reference/Philox.h"
#include "lib/Reference/RegionProgram.h"
#include <bit>
#include <cmath>

// A product and a sum are two roundings, never one.
#pragma STDC FP_CONTRACT OFF

namespace rapt::reference {

//===----------------------------------------------------------------------===//
// Reading tensors
//===----------------------------------------------------------------------===//

/// The place of an element, in elements from the start; nothing if it lies
/// outside the tensor.
static std::optional<int64_t> findElement(const TensorView &view,
                                          llvm::ArrayRef<int64_t> indices) {
  int64_t offset = 0;
  for (auto [dimension, index] : llvm::enumerate(indices)) {
    if (index < 0 || index >= view.sizes[dimension])
      return std::nullopt;
    offset += index * view.strides[dimension];
  }
  return offset;
}

double readReal(const TensorView &view, llvm::ArrayRef<int64_t> indices) {
  std::optional<int64_t> place = findElement(view, indices);
  return place ? support::loadReal(view.type, view.data, *place) : 0;
}

int64_t readInteger(const TensorView &view, llvm::ArrayRef<int64_t> indices) {
  std::optional<int64_t> place = findElement(view, indices);
  return place ? support::loadInteger(view.type, view.data, *place) : 0;
}

//===----------------------------------------------------------------------===//
// The interpreter
//===----------------------------------------------------------------------===//

namespace {
/// One instruction at a time on the cells of one thread.
template <typename Real> class Interpreter {
public:
  Interpreter(const Instruction &instruction, Cell<Real> *cells,
              const Surroundings &around)
      : instruction(instruction), cells(cells), around(around) {}

  void run();

private:
  Cell<Real> *operand(unsigned index) {
    return cells + instruction.operands[index];
  }
  Cell<Real> *result() { return cells + instruction.result; }

  template <typename F> void mapReal(F f) {
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k].real = f(operand(0)[k].real);
  }
  template <typename F> void mapReals(F f) {
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k].real = f(operand(0)[k].real, operand(1)[k].real);
  }
  template <typename F> void mapInteger(F f) {
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k].integer = wrap(f(operand(0)[k].integer), instruction.width);
  }
  template <typename F> void mapIntegers(F f) {
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k].integer = wrap(
          f(operand(0)[k].integer, operand(1)[k].integer), instruction.width);
  }

  void runRow();
  void runSurroundings();
  void read();
  void readEach();
  template <typename Access> void reduce(Access access);

  const Instruction &instruction;
  Cell<Real> *cells;
  const Surroundings &around;
};
} // namespace

template <typename Real> void Interpreter<Real>::run() {
  unsigned width = instruction.width, sourceWidth = instruction.sourceWidth;
  switch (instruction.opcode) {
  case Opcode::Neg:
    return mapReal([](Real x) { return -x; });
  case Opcode::Abs:
    return mapReal([](Real x) { return std::abs(x); });
  case Opcode::Exp:
    return mapReal([](Real x) { return std::exp(x); });
  case Opcode::Exp2:
    return mapReal([](Real x) { return std::exp2(x); });
  case Opcode::ExpM1:
    return mapReal([](Real x) { return std::expm1(x); });
  case Opcode::Log:
    return mapReal([](Real x) { return std::log(x); });
  case Opcode::Log2:
    return mapReal([](Real x) { return std::log2(x); });
  case Opcode::Log10:
    return mapReal([](Real x) { return std::log10(x); });
  case Opcode::Log1P:
    return mapReal([](Real x) { return std::log1p(x); });
  case Opcode::Sqrt:
    return mapReal([](Real x) { return std::sqrt(x); });
  case Opcode::RSqrt:
    return mapReal([](Real x) { return 1 / std::sqrt(x); });
  case Opcode::Cbrt:
    return mapReal([](Real x) { return std::cbrt(x); });
  case Opcode::Tanh:
    return mapReal([](Real x) { return std::tanh(x); });
  case Opcode::Sinh:
    return mapReal([](Real x) { return std::sinh(x); });
  case Opcode::Cosh:
    return mapReal([](Real x) { return std::cosh(x); });
  case Opcode::Sin:
    return mapReal([](Real x) { return std::sin(x); });
  case Opcode::Cos:
    return mapReal([](Real x) { return std::cos(x); });
  case Opcode::Tan:
    return mapReal([](Real x) { return std::tan(x); });
  case Opcode::ASin:
    return mapReal([](Real x) { return std::asin(x); });
  case Opcode::ACos:
    return mapReal([](Real x) { return std::acos(x); });
  case Opcode::ATan:
    return mapReal([](Real x) { return std::atan(x); });
  case Opcode::Erf:
    return mapReal([](Real x) { return std::erf(x); });
  case Opcode::Floor:
    return mapReal([](Real x) { return std::floor(x); });
  case Opcode::Ceil:
    return mapReal([](Real x) { return std::ceil(x); });
  case Opcode::Round:
    return mapReal([](Real x) { return std::round(x); });
  case Opcode::RoundEven:
    return mapReal([](Real x) { return std::nearbyint(x); });
  case Opcode::Trunc:
    return mapReal([](Real x) { return std::trunc(x); });

  case Opcode::Add:
    return mapReals([](Real x, Real y) { return x + y; });
  case Opcode::Sub:
    return mapReals([](Real x, Real y) { return x - y; });
  case Opcode::Mul:
    return mapReals([](Real x, Real y) { return x * y; });
  case Opcode::Div:
    return mapReals([](Real x, Real y) { return x / y; });
  case Opcode::Rem:
    return mapReals([](Real x, Real y) { return std::fmod(x, y); });
  case Opcode::Maximum:
    return mapReals([](Real x, Real y) { return maximum(x, y); });
  case Opcode::Minimum:
    return mapReals([](Real x, Real y) { return minimum(x, y); });
  case Opcode::MaxNum:
    return mapReals([](Real x, Real y) { return std::fmax(x, y); });
  case Opcode::MinNum:
    return mapReals([](Real x, Real y) { return std::fmin(x, y); });
  case Opcode::Pow:
    return mapReals([](Real x, Real y) { return std::pow(x, y); });
  case Opcode::ATan2:
    return mapReals([](Real x, Real y) { return std::atan2(x, y); });
  case Opcode::CopySign:
    return mapReals([](Real x, Real y) { return std::copysign(x, y); });
  case Opcode::Fma:
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k].real =
          std::fma(operand(0)[k].real, operand(1)[k].real, operand(2)[k].real);
    return;
  case Opcode::CompareReal:
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k].integer = compareReals(
          static_cast<mlir::arith::CmpFPredicate>(instruction.detail),
          operand(0)[k].real, operand(1)[k].real);
    return;

  case Opcode::AddI:
    return mapIntegers(addWrapped);
  case Opcode::SubI:
    return mapIntegers(subWrapped);
  case Opcode::MulI:
    return mapIntegers(mulWrapped);
  case Opcode::DivS:
    return mapIntegers(divide);
  case Opcode::RemS:
    return mapIntegers(remainder);
  case Opcode::FloorDivS:
    return mapIntegers(floorDivide);
  case Opcode::FloorModS:
    return mapIntegers(floorModulo);
  case Opcode::CeilDivS:
    return mapIntegers(ceilDivide);
  case Opcode::DivU:
    return mapIntegers([=](int64_t a, int64_t b) -> int64_t {
      return b ? asUnsigned(a, width) / asUnsigned(b, width) : 0;
    });
  case Opcode::RemU:
    return mapIntegers([=](int64_t a, int64_t b) -> int64_t {
      return b ? asUnsigned(a, width) % asUnsigned(b, width) : 0;
    });
  case Opcode::CeilDivU:
    return mapIntegers([=](int64_t a, int64_t b) -> int64_t {
      uint64_t dividend = asUnsigned(a, width), divisor = asUnsigned(b, width);
      return b ? dividend / divisor + (dividend % divisor != 0) : 0;
    });
  case Opcode::And:
    return mapIntegers([](int64_t a, int64_t b) { return a & b; });
  case Opcode::Or:
    return mapIntegers([](int64_t a, int64_t b) { return a | b; });
  case Opcode::Xor:
    return mapIntegers([](int64_t a, int64_t b) { return a ^ b; });
  case Opcode::ShiftLeft:
    return mapIntegers([=](int64_t a, int64_t b) -> int64_t {
      return uint64_t(b) < width ? uint64_t(a) << b : 0;
    });
  case Opcode::ShiftRightS:
    return mapIntegers([=](int64_t a, int64_t b) -> int64_t {
      return uint64_t(b) < width ? a >> b : 0;
    });
  case Opcode::ShiftRightU:
    return mapIntegers([=](int64_t a, int64_t b) -> int64_t {
      return uint64_t(b) < width ? asUnsigned(a, width) >> b : 0;
    });
  case Opcode::MaxS:
    return mapIntegers([=](int64_t a, int64_t b) {
      return asSigned(a, width) > asSigned(b, width) ? a : b;
    });
  case Opcode::MinS:
    return mapIntegers([=](int64_t a, int64_t b) {
      return asSigned(a, width) < asSigned(b, width) ? a : b;
    });
  case Opcode::MaxU:
    return mapIntegers([=](int64_t a, int64_t b) {
      return asUnsigned(a, width) > asUnsigned(b, width) ? a : b;
    });
  case Opcode::MinU:
    return mapIntegers([=](int64_t a, int64_t b) {
      return asUnsigned(a, width) < asUnsigned(b, width) ? a : b;
    });
  case Opcode::AbsI:
    return mapInteger([](int64_t a) { return a < 0 ? subWrapped(0, a) : a; });
  case Opcode::PowI:
    return mapIntegers(power);
  case Opcode::LeadingZeros:
    return mapInteger([=](int64_t a) -> int64_t {
      return std::countl_zero(asUnsigned(a, width)) - (64 - int(width));
    });
  case Opcode::TrailingZeros:
    return mapInteger([=](int64_t a) -> int64_t {
      return std::min<int64_t>(std::countr_zero(asUnsigned(a, width)), width);
    });
  case Opcode::PopulationCount:
    return mapInteger([=](int64_t a) -> int64_t {
      return std::popcount(asUnsigned(a, width));
    });
  case Opcode::CompareInteger:
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k].integer = compareIntegers(
          static_cast<mlir::arith::CmpIPredicate>(instruction.detail),
          operand(0)[k].integer, operand(1)[k].integer, sourceWidth);
    return;

  case Opcode::ExtendS:
    return mapInteger([=](int64_t a) { return asSigned(a, sourceWidth); });
  case Opcode::ExtendU:
    return mapInteger(
        [=](int64_t a) -> int64_t { return asUnsigned(a, sourceWidth); });
  case Opcode::TruncateI:
    return mapInteger([](int64_t a) { return a; });
  case Opcode::RealFromS:
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k].real =
          static_cast<Real>(asSigned(operand(0)[k].integer, sourceWidth));
    return;
  case Opcode::RealFromU:
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k].real =
          static_cast<Real>(asUnsigned(operand(0)[k].integer, sourceWidth));
    return;
  case Opcode::SFromReal:
  case Opcode::UFromReal:
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k].integer =
          wrap(support::convertToInteger(operand(0)[k].real), width);
    return;
  default:
    return runRow();
  }
}

/// The sum, the extreme or the place of the extreme of a row.
template <typename Real>
template <typename Access>
void Interpreter<Real>::reduce(Access access) {
  auto kind = static_cast<attn::RowReduction>(instruction.detail);
  Cell<Real> *row = operand(0);
  auto value = access(row[0]);
  int64_t place = 0;
  for (int32_t k = 1; k < instruction.operandCounts[0]; ++k) {
    auto element = access(row[k]);
    switch (kind) {
    case attn::RowReduction::Add:
      value += element;
      break;
    case attn::RowReduction::Max:
    case attn::RowReduction::Min:
      if constexpr (std::is_floating_point_v<decltype(value)>)
        value = kind == attn::RowReduction::Max ? maximum(value, element)
                                                : minimum(value, element);
      else
        value = kind == attn::RowReduction::Max ? std::max(value, element)
                                                : std::min(value, element);
      break;
    case attn::RowReduction::Argmax:
      if (element > value) {
        value = element;
        place = k;
      }
      break;
    }
  }
  if (kind == attn::RowReduction::Argmax)
    result()->integer = place;
  else if constexpr (std::is_floating_point_v<decltype(value)>)
    result()->real = value;
  else
    result()->integer = wrap(value, instruction.width);
}

template <typename Real> void Interpreter<Real>::runRow() {
  switch (instruction.opcode) {
  case Opcode::Select: {
    // One condition may choose between whole rows.
    int32_t step = instruction.operandCounts[0] == 1 ? 0 : 1;
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k] =
          operand(0)[k * step].integer ? operand(1)[k] : operand(2)[k];
    return;
  }
  case Opcode::RoundTo:
    if constexpr (std::is_same_v<Real, float>)
      return mapReal([this](Real x) {
        auto type = static_cast<support::ElementType>(instruction.detail);
        return static_cast<Real>(support::roundTo(type, x));
      });
    return mapReal([](Real x) { return x; });
  case Opcode::Copy:
    std::copy_n(operand(0), instruction.count, result());
    return;
  case Opcode::Splat:
    std::fill_n(result(), instruction.count, *operand(0));
    return;
  case Opcode::Concat: {
    Cell<Real> *target = result();
    for (auto [index, count] : llvm::enumerate(instruction.operandCounts))
      target = std::copy_n(operand(index), count, target);
    return;
  }
  case Opcode::Feature:
    for (int32_t k = 0; k < instruction.count; ++k)
      if (instruction.detail)
        result()[k].real = static_cast<Real>(k);
      else
        result()[k].integer = k;
    return;
  case Opcode::Dot:
  case Opcode::MatVec: {
    // The matrix [R, C] times the row [C]; a dot product is the case R = 1.
    int32_t columns = instruction.operandCounts[1];
    for (int32_t r = 0; r < instruction.count; ++r) {
      Real sum = 0;
      for (int32_t c = 0; c < columns; ++c)
        sum += operand(0)[r * columns + c].real * operand(1)[c].real;
      result()[r].real = sum;
    }
    return;
  }
  case Opcode::VecMat: {
    // The row [R] times the matrix [R, C].
    int32_t rows = instruction.operandCounts[0];
    for (int32_t c = 0; c < instruction.count; ++c) {
      Real sum = 0;
      for (int32_t r = 0; r < rows; ++r)
        sum += operand(0)[r].real * operand(1)[r * instruction.count + c].real;
      result()[c].real = sum;
    }
    return;
  }
  case Opcode::Outer: {
    int32_t columns = instruction.operandCounts[1];
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k].real =
          operand(0)[k / columns].real * operand(1)[k % columns].real;
    return;
  }
  case Opcode::Spread: {
    // Along the first dimension an element stands in a whole row, along the
    // second in a whole column.
    int32_t extent = instruction.operandCounts[0];
    int32_t columns = instruction.detail ? extent : instruction.count / extent;
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k] = operand(0)[instruction.detail ? k % columns : k / columns];
    return;
  }
  case Opcode::ReduceReal:
    return reduce([](Cell<Real> cell) { return cell.real; });
  case Opcode::ReduceInteger:
    return reduce([](Cell<Real> cell) { return cell.integer; });
  default:
    return runSurroundings();
  }
}

template <typename Real> void Interpreter<Real>::read() {
  const TensorView &view = around.captures[instruction.detail];
  size_t indexCount = instruction.operands.size();
  llvm::SmallVector<int64_t, 6> indices(view.sizes.size(), 0);
  for (size_t d = 0; d < indexCount; ++d)
    indices[d] = operand(d)->integer;
  // The kept dimensions are walked like the digits of a number.
  for (int32_t k = 0; k < instruction.count; ++k) {
    if (support::isFloat(view.type))
      result()[k].real = static_cast<Real>(readReal(view, indices));
    else
      result()[k].integer = readInteger(view, indices);
    for (size_t d = indices.size(); d-- > indexCount;) {
      if (++indices[d] < view.sizes[d])
        break;
      indices[d] = 0;
    }
  }
}

template <typename Real> void Interpreter<Real>::readEach() {
  const TensorView &view = around.captures[instruction.detail];
  llvm::SmallVector<int64_t, 6> indices(view.sizes.size());
  for (int32_t k = 0; k < instruction.count; ++k) {
    for (size_t d = 0; d < indices.size(); ++d)
      indices[d] = operand(d)[k].integer;
    if (support::isFloat(view.type))
      result()[k].real = static_cast<Real>(readReal(view, indices));
    else
      result()[k].integer = readInteger(view, indices);
  }
}

template <typename Real> void Interpreter<Real>::runSurroundings() {
  switch (instruction.opcode) {
  case Opcode::Read:
    return read();
  case Opcode::Length:
    result()->integer = instruction.detail ? around.keys : around.queries;
    return;
  case Opcode::Extent:
    result()->integer =
        around.captures[instruction.detail].sizes[instruction.operands[0]];
    return;
  case Opcode::Share: {
    int64_t extent =
        around.captures[instruction.detail].sizes[instruction.operands[1]];
    result()->integer = operand(0)->integer * extent / around.heads;
    return;
  }
  case Opcode::Uniform:
    for (int32_t k = 0; k < instruction.count; ++k)
      result()[k].real = static_cast<Real>(uniform(
          operand(0)[k].integer, operand(1)[k].integer + around.firstBatch,
          operand(2)[k].integer, operand(3)[k].integer, operand(4)[k].integer));
    return;
  case Opcode::ReadEach:
    return readEach();
  default:
    llvm_unreachable("every opcode has a meaning");
  }
}

template <typename Real>
void execute(const Instruction &instruction, Cell<Real> *cells,
             const Surroundings &around) {
  Interpreter<Real>(instruction, cells, around).run();
}

template void execute<double>(const Instruction &, Cell<double> *,
                              const Surroundings &);
template void execute<float>(const Instruction &, Cell<float> *,
                             const Surroundings &);

template <typename Real>
void RegionProgram::run(Level level, Cell<Real> *cells,
                        const Surroundings &around) const {
  for (const Instruction &instruction : instructions[static_cast<int>(level)])
    execute(instruction, cells, around);
}

template void RegionProgram::run<double>(Level, Cell<double> *,
                                         const Surroundings &) const;
template void RegionProgram::run<float>(Level, Cell<float> *,
                                        const Surroundings &) const;

} // namespace rapt::reference
