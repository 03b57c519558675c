// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Which tensors the copy engine of a GPU may read for a kernel. The host,
/// which describes them to the driver, and the kernel, which names them, must
/// agree.

#ifndef RAPT_DIALECTS_TILE_IR_FETCHEDTILES_H
#define RAPT_DIALECTS_TILE_IR_FETCHEDTILES_H

#include "dialects/Tile/IR/Tile.h"
#include <optional>

namespace rapt::tile {

/// Columns of a box: 128 bytes of elements of 16 bits.
inline constexpr int64_t kFetchedColumns = 64;

/// Boxes of `rows` rows of an argument of a launch.
struct FetchedTensor {
  unsigned argument; ///< of the launch's `args`
  int64_t rows;
  bool operator==(const FetchedTensor &other) const {
    return argument == other.argument && rows == other.rows;
  }
};

/// A tile of a matrix of such a tensor; `outer` are the indices of the matrix.
struct FetchedTile {
  FetchedTensor tensor;
  llvm::SmallVector<mlir::Value, 4> outer;
};

/// Whether products read the tile, and nothing else.
bool isOperandOfProducts(LoadOp load);

/// Where the copy engine finds the tile; none if its rows are listed or
/// converted, or its tensor has too many dimensions.
std::optional<FetchedTile> findFetched(LoadOp load);

/// Of all operands of products in a kernel whose plan has warpgroups, in the
/// order of the kernel, each once.
llvm::SmallVector<FetchedTensor> getFetchedTensors(KernelOp kernel);

} // namespace rapt::tile

#endif // RAPT_DIALECTS_TILE_IR_FETCHEDTILES_H
