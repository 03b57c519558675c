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

Value ThreadLowering::partByte(nv::BufferType type, Value start, Value row,
                               Value part) {
  start = add(start, multiply(row, i32(type.getPitch())));
  if (!type.getSwizzled())
    return add(start, multiply(part, i32(16)));
  constexpr int64_t perPiece = 8;
  Value piece = op<arith::DivUIOp>(part, i32(perPiece));
  Value own = op<arith::XOrIOp>(op<arith::RemUIOp>(part, i32(perPiece)),
                                both(row, i32(7)));
  return add(start, add(multiply(piece, i32(type.getPieceBytes())),
                        multiply(own, i32(16))));
}

/// PTX ISA 8.0, 11.5.
void ThreadLowering::beginShortLoop() {
  assembly(".pragma \"nounroll\";", "", {}, {});
}

Value ThreadLowering::isPart(nv::BufferType type, const View &view,
                             Value column, Value fromColumn) {
  return both(
      compare(arith::CmpIPredicate::ult, column, i32(type.getColumns())),
      compare(arith::CmpIPredicate::ult, fromColumn, view.sizes[1]));
}

void ThreadLowering::copyPart(const View &view, Value row, Value column,
                              Value isColumn, Value to) {
  auto [memoryRow, isRow] = findRow(view, row);
  copyPartOfRow(view, memoryRow, both(isRow, isColumn), column, to);
}

void ThreadLowering::copyPartOfRow(const View &view, Value memoryRow,
                                   Value isThere, Value column, Value to) {
  Value place = add(multiply(memoryRow, view.strides[0]), column);
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), 1);
  Value zeros =
      LLVM::AddressOfOp::create(builder, location, pointer, kZerosSymbol);
  Value from =
      LLVM::SelectOp::create(builder, location, isThere,
                             address(view.base, place, view.element), zeros);
  // Fewer bytes than 16 leave zeros.
  callIntrinsic(builder, location, "llvm.nvvm.cp.async.cg.shared.global.16.s",
                {to, from, select(isThere, i32(16), i32(0))});
}

/// Parts of a row side by side go to threads side by side, and a thread has the
/// same part of every row that it copies, so that only the row moves.
void ThreadLowering::copyRows(const TileCopy &copy) {
  const View &view = views.at(copy.view);
  auto type = cast<nv::BufferType>(copy.buffer.getType());
  int64_t perPart = 16 / bytesOf(type.getElementType());
  int64_t parts = type.getPaddedColumns() / perPart;
  int64_t rows = type.getRows(), step = copy.threads / parts;
  Value part = op<arith::RemUIOp>(copy.own, i32(parts));
  Value firstRow = op<arith::DivUIOp>(copy.own, i32(parts));
  Value column = multiply(part, i32(perPart));
  Value fromColumn = add(toI64(copy.column), toI64(column));
  // The width of the view ends with a part here.
  Value isColumn = isPart(type, view, column, fromColumn);
  Value to =
      partByte(type, stageStart(copy.buffer, copy.stage), firstRow, part);
  auto emit = [&] {
    for (int64_t begin = 0; begin < rows; begin += step) {
      Value row = add(firstRow, i32(begin));
      auto copyRow = [&] {
        copyPart(view, add(toI64(copy.row), toI64(row)), fromColumn, isColumn,
                 sharedAddress(to, begin * type.getPitch()));
      };
      if (begin + step <= rows)
        copyRow();
      else
        doIf(compare(arith::CmpIPredicate::ult, row, i32(rows)), copyRow);
    }
  };
  if (copy.threads % parts == 0)
    emit();
  else
    doIf(compare(arith::CmpIPredicate::ult, firstRow, i32(step)), emit);
}

/// Elements one by one, in a loop: this is for tensors that do not begin rows
/// at multiples of 16 bytes or that are converted, and must not take registers
/// from those that do, so that nothing of it is computed ahead.
void ThreadLowering::copyEachElement(const TileCopy &copy) {
  View view = views.at(copy.view);
  for (auto *words : {&view.sizes, &view.strides})
    for (Value &word : *words)
      word = hide(word);
  auto type = cast<nv::BufferType>(copy.buffer.getType());
  Type element = type.getElementType();
  int64_t columns = type.getPaddedColumns();
  int64_t bytes = bytesOf(element), perPart = 16 / bytes;
  Value start = stageStart(copy.buffer, copy.stage);
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), 1);
  scf::ForOp::create(
      builder, location, copy.own, i32(type.getRows() * columns),
      i32(copy.threads), ValueRange(),
      [&](OpBuilder &, Location, Value number, ValueRange) {
        beginShortLoop();
        Value row = op<arith::DivUIOp>(number, i32(columns));
        Value column = op<arith::RemUIOp>(number, i32(columns));
        auto [memoryRow, isRow] =
            findRow(view, add(toI64(copy.row), toI64(row)));
        Value fromColumn = add(toI64(copy.column), toI64(column));
        Value place = add(multiply(memoryRow, view.strides[0]),
                          multiply(fromColumn, view.strides[1]));
        Value zeros =
            LLVM::AddressOfOp::create(builder, location, pointer, kZerosSymbol);
        Value from = LLVM::SelectOp::create(
            builder, location,
            both(isRow, isPart(type, view, column, fromColumn)),
            address(view.base, place, view.element), zeros);
        Value value = LLVM::LoadOp::create(builder, location,
                                           memoryType(view.element), from);
        if (view.element != element)
          value = toMemory(
              fromMemory(value, view.element, builder.getF32Type()), element);
        Value part = op<arith::DivUIOp>(column, i32(perPart));
        Value rest = op<arith::RemUIOp>(column, i32(perPart));
        Value to =
            add(partByte(type, start, row, part), multiply(rest, i32(bytes)));
        LLVM::StoreOp::create(builder, location, value, sharedAddress(to));
        scf::YieldOp::create(builder, location);
      });
}

/// Whole parts where rows begin at multiples of 16 bytes and nothing is
/// converted.
void ThreadLowering::copyTile(const TileCopy &copy,
                              llvm::function_ref<void()> copyWhole,
                              llvm::function_ref<void()> copyEach) {
  const View &view = views.at(copy.view);
  Type element = cast<nv::BufferType>(copy.buffer.getType()).getElementType();
  if (view.element != element)
    return copyEach();
  int64_t perPart = 16 / bytesOf(element);
  Value rest = both(op<arith::OrIOp>(toI64(copy.column), view.sizes[1]),
                    i64(perPart - 1));
  Value isWhole = both(isAligned(view, 16),
                       compare(arith::CmpIPredicate::eq, rest, i64(0)));
  doEither(isWhole, copyWhole, copyEach);
}

LogicalResult ThreadLowering::lowerCopy(nv::CopyOp op) {
  TileCopy copy{op.getView(),
                scalars.at(op.getOffsets()[0]),
                scalars.at(op.getOffsets()[1]),
                op.getBuffer(),
                scalars.at(op.getStage()),
                thread,
                getThreads()};
  nv::BufferType type = op.getBuffer().getType();
  int64_t parts = type.getPaddedColumns() * bytesOf(type.getElementType()) / 16;
  if (parts > copy.threads)
    copyEachElement(copy);
  else
    copyTile(copy, [&] { copyRows(copy); }, [&] { copyEachElement(copy); });
  return success();
}

} // namespace rapt::conversion
