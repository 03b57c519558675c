// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Tiles from global to shared memory, 16 bytes at a time.

#include "lib/Conversion/NvToNVVM/DeviceMath.h"
#include "lib/Conversion/NvToNVVM/ThreadLowering.h"

using namespace mlir;

namespace rapt::conversion {

Value ThreadLowering::stageStart(Value buffer, Value stage) {
  auto type = cast<nv::BufferType>(buffer.getType());
  Value start = i32(bufferStarts.at(buffer));
  if (type.getStages() == 1)
    return start;
  return add(start, multiply(toI32(stage), i32(type.getStageBytes())));
}

Value ThreadLowering::sharedAddress(Value byte, int64_t offset) {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), 3);
  Value base =
      LLVM::AddressOfOp::create(builder, location, pointer, kSharedSymbol);
  base = LLVM::GEPOp::create(builder, location, pointer, builder.getI8Type(),
                             base, ArrayRef<LLVM::GEPArg>{byte});
  return LLVM::GEPOp::create(
      builder, location, pointer, builder.getI8Type(), base,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
}

/// A part is what 16 bytes of shared memory hold. Parts of a row side by side
/// go to threads side by side, and a thread has the same part of every row that
/// it copies, so that only the row moves.
void ThreadLowering::copyParts(nv::CopyOp op, const CopyPlace &at) {
  const View &view = views.at(op.getView());
  nv::BufferType type = op.getBuffer().getType();
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), 1);
  int64_t rows = type.getRows(), step = getThreads() / at.parts;
  Value part = this->op<arith::RemUIOp>(thread, i32(at.parts));
  Value firstRow = this->op<arith::DivUIOp>(thread, i32(at.parts));
  Value column = multiply(part, i32(at.perPart));
  Value fromColumn = add(at.firstColumn, toI64(column));
  // The width of the view ends with a part here.
  Value isColumn =
      both(compare(arith::CmpIPredicate::ult, column, i32(type.getColumns())),
           compare(arith::CmpIPredicate::ult, fromColumn, view.sizes[1]));
  Value to = add(at.start, add(multiply(firstRow, i32(type.getPitch())),
                               multiply(part, i32(16))));
  auto copyRows = [&] {
    for (int64_t begin = 0; begin < rows; begin += step) {
      Value row = add(firstRow, i32(begin));
      auto copyRow = [&] {
        auto [memoryRow, isRow] = findRow(view, add(at.firstRow, toI64(row)));
        Value isThere = both(isRow, isColumn);
        Value place = add(multiply(memoryRow, view.strides[0]), fromColumn);
        Value from = LLVM::SelectOp::create(
            builder, location, isThere, address(view.base, place, view.element),
            LLVM::AddressOfOp::create(builder, location, pointer,
                                      kZerosSymbol));
        // Fewer bytes than 16 leave zeros.
        callIntrinsic(builder, location,
                      "llvm.nvvm.cp.async.cg.shared.global.16.s",
                      {sharedAddress(to, begin * type.getPitch()), from,
                       select(isThere, i32(16), i32(0))});
      };
      if (begin + step <= rows)
        copyRow();
      else
        doIf(compare(arith::CmpIPredicate::ult, row, i32(rows)), copyRow);
    }
  };
  if (getThreads() % at.parts == 0)
    copyRows();
  else
    doIf(compare(arith::CmpIPredicate::ult, firstRow, i32(step)), copyRows);
}

/// Elements one by one, in a loop: this is for tensors that do not begin rows
/// at multiples of 16 bytes or that are converted, and must not take registers
/// from those that do, so that nothing of it is computed ahead.
void ThreadLowering::copyElements(nv::CopyOp op, const CopyPlace &at) {
  View view = views.at(op.getView());
  for (auto *words : {&view.sizes, &view.strides})
    for (Value &word : *words)
      word = hide(word);
  nv::BufferType type = op.getBuffer().getType();
  Type element = type.getElementType();
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), 1);
  int64_t columns = type.getPaddedColumns();
  auto loop =
      scf::ForOp::create(builder, location, thread,
                         i32(type.getRows() * columns), i32(getThreads()));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value number = loop.getInductionVar();
  Value row = this->op<arith::DivUIOp>(number, i32(columns));
  Value column = this->op<arith::RemUIOp>(number, i32(columns));
  Value fromColumn = add(at.firstColumn, toI64(column));
  Value isColumn =
      both(compare(arith::CmpIPredicate::ult, column, i32(type.getColumns())),
           compare(arith::CmpIPredicate::ult, fromColumn, view.sizes[1]));
  auto [memoryRow, isRow] = findRow(view, add(at.firstRow, toI64(row)));
  Value place = add(multiply(memoryRow, view.strides[0]),
                    multiply(fromColumn, view.strides[1]));
  Value from = LLVM::SelectOp::create(
      builder, location, both(isRow, isColumn),
      address(view.base, place, view.element),
      LLVM::AddressOfOp::create(builder, location, pointer, kZerosSymbol));
  Value value =
      LLVM::LoadOp::create(builder, location, memoryType(view.element), from);
  if (view.element != element)
    value = toMemory(fromMemory(value, view.element, builder.getF32Type()),
                     element);
  Value to = sharedAddress(
      add(at.start, add(multiply(row, i32(type.getPitch())),
                        multiply(column, i32(bytesOf(element))))));
  LLVM::StoreOp::create(builder, location, value, to);
}

LogicalResult ThreadLowering::lowerCopy(nv::CopyOp op) {
  const View view = views.at(op.getView());
  nv::BufferType type = op.getBuffer().getType();
  CopyPlace at;
  at.perPart = 16 / bytesOf(type.getElementType());
  at.parts = type.getPaddedColumns() / at.perPart;
  at.firstRow = toI64(scalars.at(op.getOffsets()[0]));
  at.firstColumn = toI64(scalars.at(op.getOffsets()[1]));
  at.start = stageStart(op.getBuffer(), scalars.at(op.getStage()));
  if (view.element != type.getElementType() || at.parts > getThreads()) {
    copyElements(op, at);
    return success();
  }
  Value rest = both(this->op<arith::OrIOp>(at.firstColumn, view.sizes[1]),
                    i64(at.perPart - 1));
  Value isAsync = both(isAligned(view, 16),
                       compare(arith::CmpIPredicate::eq, rest, i64(0)));
  auto branch = scf::IfOp::create(builder, location, isAsync,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  copyParts(op, at);
  builder.setInsertionPointToStart(branch.elseBlock());
  copyElements(op, at);
  return success();
}

} // namespace rapt::conversion
