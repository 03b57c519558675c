// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Products of warpgroups: wgmma (PTX ISA 8.0, 9.7.14). A product is one piece
// of assembly with its fence and its commit; a wait gives the registers that
// products write anew, so that nothing reads them before it.

#include "lib/Conversion/NvToNVVM/ThreadLowering.h"

using namespace mlir;

namespace rapt::conversion {

/// The words of all steps of 16 columns, in order.
void ThreadLowering::lowerPack(nv::PackOp op) {
  nv::OperandType type = op.getResult().getType();
  Registers packed;
  int64_t rowBlocks = type.getRows() / (16 * warps);
  for (int64_t m = 0; m < rowBlocks; ++m)
    for (int64_t step = 0; step < type.getColumns() / 16; ++step)
      llvm::append_range(
          packed, packOperand(op.getSource(), type.getElementType(), m, step));
  registers[op] = packed;
}

/// The descriptor of a matrix in shared memory: where it begins, in units of 16
/// bytes, how far apart pieces of columns and groups of 8 rows are, and that
/// its rows of 128 bytes are swizzled (9.7.14.5.1.2).
Value ThreadLowering::describe(Value buffer, Value stage, Value offset,
                               int64_t nextColumns) {
  constexpr int64_t addresses = 0x3FFFF, unitBits = 4, eightRows = 1024;
  Value start = stageStart(buffer, stage);
  if (offset)
    start = add(start, offset);
  Value place = both(sharedNumber(start), i32(addresses));
  place = op<arith::ShRUIOp>(place, i32(unitBits));
  Value wide =
      arith::ExtUIOp::create(builder, location, builder.getI64Type(), place);
  int64_t rest = (nextColumns >> unitBits) << 16 |
                 (eightRows >> unitBits) << 32 | int64_t(1) << 62;
  return op<arith::OrIOp>(wide, i64(rest));
}

/// Register i of an accumulator of a warpgroup as a slot of a fragment: 8
/// columns at a time, two of one row, then of the other.
static int64_t getSlot(int64_t i, int64_t columnSlots) {
  return i % 4 / 2 * columnSlots + 2 * (i / 4) + i % 2;
}

LogicalResult ThreadLowering::beginProduct(nv::MmaAsyncOp op) {
  nv::FragmentType type = op.getResult().getType().getFragment();
  nv::BufferType right = op.getRhs().getType();
  auto left = dyn_cast<nv::BufferType>(op.getLhs().getType());
  bool isTransposed = op.getRhsTransposed();
  int64_t columns = type.getColumns(), columnSlots = columns / 4;
  int64_t count = columns / 2;
  int64_t steps = (isTransposed ? right.getColumns() : right.getRows()) / 16;
  std::string element = right.getElementType().isBF16() ? "bf16" : "f16";

  // Results, then operands on the left, the descriptor on the right, what is
  // added to.
  Registers operands;
  std::string constraints;
  auto constrain = [&](int64_t n, StringRef constraint) {
    for (int64_t k = 0; k < n; ++k)
      constraints += (constraints.empty() ? "" : ",") + constraint.str();
  };
  constrain(count, "=f");
  Registers held;
  if (left) {
    // 64 rows of each warpgroup.
    constexpr int64_t groupBytes = 64 * 128;
    Value group = this->op<arith::ShRUIOp>(warp, i32(2));
    operands.push_back(describe(op.getLhs(), scalars.at(op.getLhsStage()),
                                multiply(group, i32(groupBytes)), 16));
    constrain(1, "l");
  } else {
    held = registers.at(op.getLhs());
    llvm::append_range(operands, held);
    constrain(static_cast<int64_t>(held.size()), "r");
  }
  int64_t rightNumber = count + static_cast<int64_t>(operands.size());
  operands.push_back(describe(op.getRhs(), scalars.at(op.getRhsStage()),
                              Value(),
                              isTransposed ? 16 : right.getPieceBytes()));
  constrain(1, "l");
  if (op.getAccumulator()) {
    const Registers &sums = registers.at(op.getAccumulator());
    for (int64_t i = 0; i < count; ++i) {
      operands.push_back(sums[getSlot(i, columnSlots)]);
      constrain(1, std::to_string(i));
    }
  }

  std::string results;
  for (int64_t i = 0; i < count; ++i)
    results += (i ? ", $" : "$") + std::to_string(i);
  /// Units from one step of 16 columns to its place in a K-major matrix.
  auto columnOffset = [](nv::BufferType buffer, int64_t step) {
    return (step / 4 * buffer.getPieceBytes() + step % 4 * 32) / 16;
  };
  std::string text = "{ .reg .pred no, yes; .reg .b64 a, b; "
                     "setp.ne.b32 no, 0, 0; setp.eq.b32 yes, 0, 0; "
                     "wgmma.fence.sync.aligned; ";
  for (int64_t step = 0; step < steps; ++step) {
    constexpr int64_t rowsOffset = 16 * 128 / 16;
    int64_t offset =
        isTransposed ? columnOffset(right, step) : rowsOffset * step;
    text += "add.s64 b, $" + std::to_string(rightNumber) + ", " +
            std::to_string(offset) + "; ";
    std::string lhs = "a";
    if (left) {
      text += "add.s64 a, $" + std::to_string(count) + ", " +
              std::to_string(columnOffset(left, step)) + "; ";
    } else {
      lhs = "{";
      for (int64_t i = 0; i < 4; ++i)
        lhs += (i ? ", $" : "$") + std::to_string(count + 4 * step + i);
      lhs += "}";
    }
    bool isAdded = step > 0 || op.getAccumulator();
    text += "wgmma.mma_async.sync.aligned.m64n" + std::to_string(columns) +
            "k16.f32." + element + "." + element + " {" + results + "}, " +
            lhs + ", b, " + (isAdded ? "yes" : "no") + ", 1, 1, " +
            (left ? "0, " : "") + (isTransposed ? "0" : "1") + "; ";
  }
  text += "wgmma.commit_group.sync.aligned; }";
  Registers written = assembly(text, constraints, operands,
                               SmallVector<Type>(count, builder.getF32Type()));
  registers[op] = written;
  operandsInFlight[op.getResult()] = held;
  return success();
}

/// The registers that the products read stay theirs until here.
void ThreadLowering::awaitProducts(nv::MmaWaitOp op) {
  Registers written, held;
  for (Value product : op.getProducts()) {
    llvm::append_range(written, registers.at(product));
    llvm::append_range(held, operandsInFlight.at(product));
  }
  std::string constraints;
  auto constrain = [&](const std::string &constraint) {
    constraints += (constraints.empty() ? "" : ",") + constraint;
  };
  for (size_t i = 0; i < written.size(); ++i)
    constrain("=f");
  for (size_t i = 0; i < held.size(); ++i)
    constrain("r");
  for (size_t i = 0; i < written.size(); ++i)
    constrain(std::to_string(i));
  Registers operands(held);
  llvm::append_range(operands, written);
  Registers done = assembly(
      "wgmma.wait_group.sync.aligned " + std::to_string(op.getPending()) + ";",
      constraints, operands,
      SmallVector<Type>(written.size(), builder.getF32Type()));
  ValueRange left = done;
  for (Value result : op.getResults()) {
    Slots slots = slotsOf(result);
    Registers own(slots.count());
    for (int64_t i = 0; i < slots.count(); ++i)
      own[getSlot(i, slots.columns)] = left[i];
    registers[result] = own;
    left = left.drop_front(slots.count());
  }
}

} // namespace rapt::conversion
