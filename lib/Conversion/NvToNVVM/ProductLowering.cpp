// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Matrix products by mma.sync m16n8k16. Operands in shared memory are read by
// ldmatrix, 16 by 16 elements at a time (PTX ISA 8.0, 9.7.13.4.15).

#include "lib/Conversion/NvToNVVM/ThreadLowering.h"

using namespace mlir;

namespace rapt::conversion {

/// Four matrices of 8 by 8 elements of 16 bits; every lane gives the address of
/// one row.
ThreadLowering::Registers ThreadLowering::loadMatrix(Value byte, int64_t offset,
                                                     bool isTransposed) {
  Type i32Type = builder.getI32Type();
  auto four = LLVM::LLVMStructType::getLiteral(builder.getContext(),
                                               SmallVector<Type>(4, i32Type));
  Value loaded =
      call(four,
           isTransposed ? "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16"
                        : "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16",
           sharedAddress(byte, offset));
  Registers values;
  for (int64_t n = 0; n < 4; ++n)
    values.push_back(
        LLVM::ExtractValueOp::create(builder, location, loaded, n));
  return values;
}

/// 16 rows by 16 columns of an accumulator are a left operand once their pairs
/// of columns are rounded and packed: both have one layout.
ThreadLowering::Registers ThreadLowering::packOperand(Value fragment,
                                                      Type element,
                                                      int64_t rowBlock,
                                                      int64_t step) {
  Slots slots = slotsOf(fragment);
  const Registers &values = registers.at(fragment);
  StringRef name =
      element.isBF16() ? "llvm.nvvm.ff2bf16x2.rn" : "llvm.nvvm.ff2f16x2.rn";
  Registers packed;
  for (int64_t half = 0; half < 2; ++half)
    for (int64_t r = 0; r < 2; ++r) {
      int64_t column = 4 * step + 2 * half;
      if (column >= slots.columns) {
        packed.push_back(i32(0));
        continue;
      }
      int64_t place = (2 * rowBlock + r) * slots.columns + column;
      Value pair = call(VectorType::get({2}, element), name,
                        {values[place + 1], values[place]});
      packed.push_back(LLVM::BitcastOp::create(builder, location,
                                               builder.getI32Type(), pair));
    }
  return packed;
}

LogicalResult ThreadLowering::lowerProduct(nv::MmaOp op) {
  nv::FragmentType type = op.getResult().getType();
  nv::BufferType right = op.getRhs().getType();
  Type element = right.getElementType();
  if (!element.isBF16() && !element.isF16())
    return notLowered(op);
  auto left = dyn_cast<nv::BufferType>(op.getLhs().getType());
  if (!left &&
      !cast<nv::FragmentType>(op.getLhs().getType()).getElementType().isF32())
    return notLowered(op);
  bool isTransposed = op.getRhsTransposed();
  Slots slots(type, warps);
  int64_t rowBlocks = slots.rows / 2, columnBlocks = type.getColumns() / 8;
  int64_t depth = isTransposed ? right.getColumns() : right.getRows();
  int64_t steps = llvm::divideCeil(depth, 16);

  Registers sums;
  if (op.getAccumulator())
    sums = registers.at(op.getAccumulator());
  else
    sums.assign(slots.count(), zero(builder.getF32Type()));

  // Where this lane's rows of the matrices lie.
  Value upper = this->op<arith::ShRUIOp>(lane, i32(4)),
        low = both(lane, i32(15));
  Value rightStart = stageStart(op.getRhs(), scalars.at(op.getRhsStage()));
  Value row, column;
  if (isTransposed) {
    row = add(both(lane, i32(7)), multiply(upper, i32(8)));
    column =
        multiply(both(this->op<arith::ShRUIOp>(lane, i32(3)), i32(1)), i32(8));
  } else {
    row = low;
    column = multiply(upper, i32(8));
  }
  Value rightLane = add(rightStart, add(multiply(row, i32(right.getPitch())),
                                        multiply(column, i32(2))));
  Value leftLane;
  if (left) {
    Value leftStart = stageStart(op.getLhs(), scalars.at(op.getLhsStage()));
    Value leftRow = add(multiply(warp, i32(8 * slots.rows)), low);
    leftLane = add(leftStart, add(multiply(leftRow, i32(left.getPitch())),
                                  multiply(upper, i32(16))));
  }

  Type f32 = builder.getF32Type();
  auto result = LLVM::LLVMStructType::getLiteral(builder.getContext(),
                                                 SmallVector<Type>(4, f32));
  auto toOperand = [&](Value word) -> Value {
    if (element.isBF16())
      return word;
    return LLVM::BitcastOp::create(builder, location,
                                   VectorType::get({2}, element), word);
  };
  StringRef name = element.isBF16() ? "llvm.nvvm.mma.m16n8k16.row.col.bf16"
                                    : "llvm.nvvm.mma.m16n8k16.row.col.f32.f32";
  for (int64_t step = 0; step < steps; ++step) {
    SmallVector<Registers> lhs;
    for (int64_t m = 0; m < rowBlocks; ++m) {
      if (left)
        lhs.push_back(
            loadMatrix(leftLane, 16 * m * left.getPitch() + 32 * step, false));
      else
        lhs.push_back(packOperand(op.getLhs(), element, m, step));
      for (Value &word : lhs.back())
        word = toOperand(word);
    }
    for (int64_t n = 0; n < columnBlocks; n += 2) {
      int64_t offset = isTransposed ? 8 * n * right.getPitch() + 32 * step
                                    : 16 * step * right.getPitch() + 16 * n;
      Registers rhs = loadMatrix(rightLane, offset, !isTransposed);
      for (Value &word : rhs)
        word = toOperand(word);
      for (int64_t part = 0; part < 2 && n + part < columnBlocks; ++part)
        for (int64_t m = 0; m < rowBlocks; ++m) {
          // Rows g and g + 8, two columns of each.
          int64_t first = 2 * m * slots.columns + 2 * (n + part);
          int64_t places[] = {first, first + 1, first + slots.columns,
                              first + slots.columns + 1};
          Registers arguments(lhs[m]);
          arguments.push_back(rhs[2 * part]);
          arguments.push_back(rhs[2 * part + 1]);
          for (int64_t place : places)
            arguments.push_back(sums[place]);
          Value sum = call(result, name, arguments);
          for (auto [e, place] : llvm::enumerate(places))
            sums[place] = LLVM::ExtractValueOp::create(builder, location, sum,
                                                       static_cast<int64_t>(e));
        }
    }
  }
  registers[op] = sums;
  return success();
}

} // namespace rapt::conversion
