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

Value ThreadLowering::sharedAddress(Value byte) {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), 3);
  Value base =
      LLVM::AddressOfOp::create(builder, location, pointer, kSharedSymbol);
  return LLVM::GEPOp::create(builder, location, pointer, builder.getI8Type(),
                             base, ArrayRef<LLVM::GEPArg>{byte});
}

/// Parts of a row side by side go to threads side by side. Where rows do not
/// begin at multiples of 16 bytes, or elements are converted, a thread reads
/// the elements of its part one by one.
LogicalResult ThreadLowering::lowerCopy(nv::CopyOp op) {
  const View view = views.at(op.getView());
  nv::BufferType type = op.getBuffer().getType();
  Type element = type.getElementType();
  int64_t perPart = 16 / bytesOf(element);
  int64_t parts = type.getPaddedColumns() / perPart;
  int64_t total = type.getRows() * parts;
  Value firstRow = toI64(scalars.at(op.getOffsets()[0]));
  Value firstColumn = toI64(scalars.at(op.getOffsets()[1]));
  Value start = stageStart(op.getBuffer(), scalars.at(op.getStage()));
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), 1);

  auto copyAll = [&](bool isAsync) {
    for (int64_t begin = 0; begin < total; begin += getThreads()) {
      Value number = add(thread, i32(begin));
      auto copyPart = [&] {
        Value row = op.getBuffer().getType().getRows() == 1
                        ? i32(0)
                        : this->op<arith::DivUIOp>(number, i32(parts));
        Value part = this->op<arith::RemUIOp>(number, i32(parts));
        Value column = multiply(part, i32(perPart));
        Value to =
            sharedAddress(add(start, add(multiply(row, i32(type.getPitch())),
                                         multiply(part, i32(16)))));
        auto [memoryRow, isRow] = findRow(view, add(firstRow, toI64(row)));
        Value isWanted =
            compare(arith::CmpIPredicate::ult, column, i32(type.getColumns()));
        Value fromColumn = add(firstColumn, toI64(column));
        if (isAsync) {
          // The width of the view ends with a part here.
          Value isColumn =
              compare(arith::CmpIPredicate::ult, fromColumn, view.sizes[1]);
          Value isThere = both(both(isRow, isWanted), isColumn);
          Value place = add(multiply(memoryRow, view.strides[0]), fromColumn);
          Value from = LLVM::SelectOp::create(
              builder, location, isThere,
              address(view.base, place, view.element),
              LLVM::AddressOfOp::create(builder, location, pointer,
                                        kZerosSymbol));
          // Fewer bytes than 16 leave zeros.
          callIntrinsic(builder, location,
                        "llvm.nvvm.cp.async.cg.shared.global.16.s",
                        {to, from, select(isThere, i32(16), i32(0))});
          return;
        }
        Value packed = LLVM::PoisonOp::create(
            builder, location, VectorType::get({perPart}, element));
        for (int64_t e = 0; e < perPart; ++e) {
          Value isColumn = compare(arith::CmpIPredicate::ult,
                                   add(column, i32(e)), i32(type.getColumns()));
          Value own = add(fromColumn, i64(e));
          isColumn = both(
              isColumn, compare(arith::CmpIPredicate::ult, own, view.sizes[1]));
          Value place = add(multiply(memoryRow, view.strides[0]),
                            multiply(own, view.strides[1]));
          Value from = LLVM::SelectOp::create(
              builder, location, both(isRow, isColumn),
              address(view.base, place, view.element),
              LLVM::AddressOfOp::create(builder, location, pointer,
                                        kZerosSymbol));
          Value value = LLVM::LoadOp::create(builder, location,
                                             memoryType(view.element), from);
          if (view.element != element) {
            Value wide = fromMemory(value, view.element, builder.getF32Type());
            value = toMemory(wide, element);
          }
          packed = LLVM::InsertElementOp::create(builder, location, packed,
                                                 value, i32(e));
        }
        LLVM::StoreOp::create(builder, location, packed, to, /*alignment=*/16);
      };
      if (begin + getThreads() <= total)
        copyPart();
      else
        doIf(compare(arith::CmpIPredicate::ult, number, i32(total)), copyPart);
    }
  };
  if (view.element != element) {
    copyAll(false);
    return success();
  }
  Value rest = both(this->op<arith::OrIOp>(firstColumn, view.sizes[1]),
                    i64(perPart - 1));
  Value isAsync = both(isAligned(view, 16),
                       compare(arith::CmpIPredicate::eq, rest, i64(0)));
  auto branch = scf::IfOp::create(builder, location, isAsync,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  copyAll(true);
  builder.setInsertionPointToStart(branch.elseBlock());
  copyAll(false);
  return success();
}

} // namespace rapt::conversion
