// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Tiles that the copy engine cannot fetch, by the threads of producers: loops
// of few registers, which is what producers have.

#include "lib/Conversion/NvToNVVM/DeviceMath.h"
#include "lib/Conversion/NvToNVVM/ThreadLowering.h"

using namespace mlir;

namespace rapt::conversion {

/// Where a part of 16 bytes of a row of a swizzled buffer begins.
Value ThreadLowering::partByte(nv::BufferType type, Value start, Value row,
                               Value part) {
  constexpr int64_t perPiece = 8;
  Value piece = op<arith::DivUIOp>(part, i32(perPiece));
  Value own = op<arith::XOrIOp>(op<arith::RemUIOp>(part, i32(perPiece)),
                                both(row, i32(7)));
  Value inRow =
      add(multiply(piece, i32(type.getPieceBytes())), multiply(own, i32(16)));
  return add(start, add(multiply(row, i32(type.getPitch())), inRow));
}

/// Several iterations at once would need registers that a producer does not
/// have (PTX ISA 8.0, 11.5).
void ThreadLowering::beginShortLoop() {
  assembly(".pragma \"nounroll\";", "", {}, {});
}

/// Parts of a row side by side go to threads side by side.
void ThreadLowering::copyRowParts(const TileCopy &copy) {
  const View &view = views.at(copy.view);
  auto type = cast<nv::BufferType>(copy.buffer.getType());
  int64_t perPart = 16 / bytesOf(type.getElementType());
  int64_t parts = type.getPaddedColumns() / perPart;
  Value start = stageStart(copy.buffer, copy.stage);
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), 1);
  scf::ForOp::create(
      builder, location, copy.own, i32(type.getRows() * parts),
      i32(32 * producers), ValueRange(),
      [&](OpBuilder &, Location, Value number, ValueRange) {
        beginShortLoop();
        Value row = op<arith::DivUIOp>(number, i32(parts));
        Value part = op<arith::RemUIOp>(number, i32(parts));
        Value column = multiply(part, i32(perPart));
        Value fromColumn = add(toI64(copy.column), toI64(column));
        auto [memoryRow, isRow] =
            findRow(view, add(toI64(copy.row), toI64(row)));
        // The width of the view ends with a part here.
        Value isColumn = both(
            compare(arith::CmpIPredicate::ult, column, i32(type.getColumns())),
            compare(arith::CmpIPredicate::ult, fromColumn, view.sizes[1]));
        Value isThere = both(isRow, isColumn);
        Value place = add(multiply(memoryRow, view.strides[0]), fromColumn);
        Value from = LLVM::SelectOp::create(
            builder, location, isThere, address(view.base, place, view.element),
            LLVM::AddressOfOp::create(builder, location, pointer,
                                      kZerosSymbol));
        // Fewer bytes than 16 leave zeros.
        callIntrinsic(builder, location,
                      "llvm.nvvm.cp.async.cg.shared.global.16.s",
                      {sharedAddress(partByte(type, start, row, part)), from,
                       select(isThere, i32(16), i32(0))});
        scf::YieldOp::create(builder, location);
      });
}

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
      i32(32 * producers), ValueRange(),
      [&](OpBuilder &, Location, Value number, ValueRange) {
        beginShortLoop();
        Value row = op<arith::DivUIOp>(number, i32(columns));
        Value column = op<arith::RemUIOp>(number, i32(columns));
        auto [memoryRow, isRow] =
            findRow(view, add(toI64(copy.row), toI64(row)));
        Value fromColumn = add(toI64(copy.column), toI64(column));
        Value isColumn = both(
            compare(arith::CmpIPredicate::ult, column, i32(type.getColumns())),
            compare(arith::CmpIPredicate::ult, fromColumn, view.sizes[1]));
        Value place = add(multiply(memoryRow, view.strides[0]),
                          multiply(fromColumn, view.strides[1]));
        Value from = LLVM::SelectOp::create(
            builder, location, both(isRow, isColumn),
            address(view.base, place, view.element),
            LLVM::AddressOfOp::create(builder, location, pointer,
                                      kZerosSymbol));
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

/// Parts where rows begin at multiples of 16 bytes and nothing is converted.
void ThreadLowering::copyTile(const TileCopy &copy) {
  const View &view = views.at(copy.view);
  Type element = cast<nv::BufferType>(copy.buffer.getType()).getElementType();
  if (view.element != element)
    return copyEachElement(copy);
  int64_t perPart = 16 / bytesOf(element);
  Value rest = both(op<arith::OrIOp>(toI64(copy.column), view.sizes[1]),
                    i64(perPart - 1));
  Value isWhole = both(isAligned(view, 16),
                       compare(arith::CmpIPredicate::eq, rest, i64(0)));
  auto branch = scf::IfOp::create(builder, location, isWhole,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  copyRowParts(copy);
  builder.setInsertionPointToStart(branch.elseBlock());
  copyEachElement(copy);
}

} // namespace rapt::conversion
