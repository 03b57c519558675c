// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Tiles that the copy engine cannot fetch, by the threads of producers: loops
// of few registers, which is what producers have.

#include "lib/Conversion/NvToNVVM/ThreadLowering.h"

using namespace mlir;

namespace rapt::conversion {

/// Parts of a row side by side go to threads side by side.
void ThreadLowering::fetchRows(const TileCopy &copy) {
  const View &view = views.at(copy.view);
  auto type = cast<nv::BufferType>(copy.buffer.getType());
  int64_t perPart = 16 / bytesOf(type.getElementType());
  int64_t parts = type.getPaddedColumns() / perPart;
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
