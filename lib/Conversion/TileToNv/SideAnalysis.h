// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Which side of a kernel's tiles a tile of rank 1 is along. Internal to the
/// conversion.

#ifndef RAPT_LIB_CONVERSION_TILETONV_SIDEANALYSIS_H
#define RAPT_LIB_CONVERSION_TILETONV_SIDEANALYSIS_H

#include "dialects/Nv/IR/Nv.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/EquivalenceClasses.h"

namespace rapt::conversion {

/// Tiles of rank 1 that a map, a product, a reduction or a loop joins are along
/// one side. What is made anew wherever it is used (splats, positions,
/// constants, loads) may be along both.
class SideAnalysis {
public:
  explicit SideAnalysis(tile::KernelOp kernel);

  /// The side of a tile that a map, a reduction or a loop gives.
  nv::Along getSide(mlir::Value tile) const;
  /// The side that one use wants.
  nv::Along getSide(mlir::OpOperand &use) const;
  /// The sides that the uses of a tile want.
  llvm::SmallVector<nv::Along, 2> getSides(mlir::Value tile) const;
  /// Whether the tile is made anew for each side.
  static bool isMadeAnew(mlir::Value tile);

private:
  void visit(mlir::Operation *op);
  void joinLoop(mlir::ValueRange inits, mlir::ValueRange results,
                mlir::Region &body);
  unsigned number(mlir::Value tile);
  void join(mlir::Value a, mlir::Value b);
  void fix(mlir::Value tile, nv::Along side);

  llvm::DenseMap<mlir::Value, unsigned> numbers;
  llvm::EquivalenceClasses<unsigned> classes;
  llvm::DenseMap<unsigned, nv::Along> sides; ///< by member, then by leader
};

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_TILETONV_SIDEANALYSIS_H
