// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What a score says of distances alone, for all distances of a tile at once.
/// Internal to the conversion.

#ifndef RAPT_LIB_CONVERSION_ATTNTOTILE_DIAGONALTILES_H
#define RAPT_LIB_CONVERSION_ATTNTOTILE_DIAGONALTILES_H

#include "lib/Analysis/Diagonals.h"
#include "lib/Conversion/AttnToTile/KernelScope.h"

namespace rapt::conversion {

/// A tile of queries and keys that follow each other; the firsts are of type
/// index.
struct DiagonalTile {
  int64_t rows = 0, columns = 0;
  mlir::Value firstRow, firstPosition, firstKey;
};

/// Emits a value of a region of `op` as a tile [rows, columns] of f32.
mlir::FailureOr<mlir::Value>
emitDiagonals(KernelScope &scope, attn::AttendOp op, mlir::Region &region,
              const analysis::DiagonalValue &diagonal,
              const DiagonalTile &tile);

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_ATTNTOTILE_DIAGONALTILES_H
