// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Tiles that the copy engine cannot fetch, by the threads of producers: loops
// of few registers, which is what producers have.

#include "lib/Conversion/NvToNVVM/ThreadLowering.h"

using namespace mlir;

namespace rapt::conversion {

/// Rows that a list names. The lanes of a warp read the list for 32 rows at
/// once and tell each other, so that no copy waits for a read of its own; what
/// the list says of the rows after the tile is on its way by then.
void ThreadLowering::fetchListed(const TileCopy &copy) {
  const View &view = views.at(copy.view);
  auto type = cast<nv::BufferType>(copy.buffer.getType());
  Type i32Type = builder.getI32Type();
  int64_t rows = type.getRows(), perPart = 16 / bytesOf(type.getElementType());
  int64_t parts = type.getPaddedColumns() / perPart, perWarp = 32 / parts;
  Value start = stageStart(copy.buffer, copy.stage);
  Value part = op<arith::RemUIOp>(lane, i32(parts));
  Value ownRow = op<arith::DivUIOp>(lane, i32(parts));
  Value column = multiply(part, i32(perPart));
  Value fromColumn = add(toI64(copy.column), toI64(column));
  Value isColumn = isPart(type, view, column, fromColumn);
  scf::ForOp::create(
      builder, location, both(copy.own, i32(~int64_t(31))), i32(rows),
      i32(copy.threads), ValueRange(),
      [&](OpBuilder &, Location, Value first, ValueRange) {
        beginShortLoop();
        Value listed = add(toI64(copy.row), toI64(add(first, lane)));
        auto [memoryRow, isRow] = findRow(view, listed);
        Value named = select(isRow, toI32(memoryRow), i32(-1));
        const View &list = *view.list;
        Value later = op<arith::MinUIOp>(
            add(listed, i64(rows)), op<arith::SubIOp>(list.sizes[0], i64(1)));
        assembly("prefetch.global.L1 [$0];", "l",
                 {address(list.base, multiply(later, list.strides[0]),
                          list.element)},
                 {});
        scf::ForOp::create(
            builder, location, i32(0), i32(32), i32(perWarp), ValueRange(),
            [&](OpBuilder &, Location, Value group, ValueRange) {
              beginShortLoop();
              Value place = add(group, ownRow);
              Value own = call(i32Type, "llvm.nvvm.shfl.sync.idx.i32",
                               {i32(-1), named, place, i32(31)});
              Value row = add(first, place);
              auto copyRow = [&] {
                Value isThere = both(
                    isColumn, compare(arith::CmpIPredicate::sge, own, i32(0)));
                copyPartOfRow(view, toI64(own), isThere, fromColumn,
                              sharedAddress(partByte(type, start, row, part)));
              };
              if (rows % 32 == 0)
                copyRow();
              else
                doIf(compare(arith::CmpIPredicate::ult, row, i32(rows)),
                     copyRow);
              scf::YieldOp::create(builder, location);
            });
        scf::YieldOp::create(builder, location);
      });
}

/// Parts of a row side by side go to threads side by side.
void ThreadLowering::fetchRows(const TileCopy &copy) {
  const View &view = views.at(copy.view);
  auto type = cast<nv::BufferType>(copy.buffer.getType());
  int64_t perPart = 16 / bytesOf(type.getElementType());
  int64_t parts = type.getPaddedColumns() / perPart;
  if (view.list && !view.list->list && 32 % parts == 0)
    return fetchListed(copy);
  Value start = stageStart(copy.buffer, copy.stage);
  scf::ForOp::create(
      builder, location, copy.own, i32(type.getRows() * parts),
      i32(copy.threads), ValueRange(),
      [&](OpBuilder &, Location, Value number, ValueRange) {
        beginShortLoop();
        Value row = op<arith::DivUIOp>(number, i32(parts));
        Value part = op<arith::RemUIOp>(number, i32(parts));
        Value column = multiply(part, i32(perPart));
        Value fromColumn = add(toI64(copy.column), toI64(column));
        // The width of the view ends with a part here.
        copyPart(view, add(toI64(copy.row), toI64(row)), fromColumn,
                 isPart(type, view, column, fromColumn),
                 sharedAddress(partByte(type, start, row, part)));
        scf::YieldOp::create(builder, location);
      });
}

} // namespace rapt::conversion
