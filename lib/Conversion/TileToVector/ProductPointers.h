// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Operands of a product of f32 as pointers. Internal to the conversion.
///
/// A product reads hundreds of elements at constant distances. As loads from
/// memrefs each would be half a dozen operations which every pass up to the
/// code generator folds again, and a third of the time of a compilation; from a
/// pointer it is one address and one load.

#ifndef RAPT_LIB_CONVERSION_TILETOVECTOR_PRODUCTPOINTERS_H
#define RAPT_LIB_CONVERSION_TILETOVECTOR_PRODUCTPOINTERS_H

#include "mlir/IR/Builders.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace rapt::conversion {

class ProductPointers {
public:
  /// A matrix in a memref of rank 2 from (`row`, `column`) on (null: 0).
  struct Place {
    mlir::Value memory, row, column;
  };

  /// For `count` rows of the result from `base` on. Of the operand along the
  /// lanes each row is a step of the depth; of the other each row is one if
  /// `isDepthFirst`, else each column. Nothing if an operand is not of f32 or
  /// the elements of its rows are no neighbours.
  static std::optional<ProductPointers>
  create(mlir::OpBuilder &builder, mlir::Location location, const Place &lanes,
         const Place &elements, bool isDepthFirst, mlir::Value base,
         int64_t count);

  /// What a loop over the depth carries: pointers that go from step to step, at
  /// `depth` (index). With an index alone each address would be a sum of three
  /// parts, which make instructions long.
  llvm::SmallVector<mlir::Value> carry(mlir::Value depth);
  /// What follows is read from step `depth` on, where `carried` is.
  void enter(mlir::Value depth, mlir::ValueRange carried);
  /// Moves what a loop carries by a number of steps.
  void advance(int64_t steps, llvm::MutableArrayRef<mlir::Value> carried);

  /// The row of lanes of the step that lies `step` behind, from `lane` on.
  mlir::Value loadLanes(int64_t step, mlir::VectorType type, int64_t lane = 0);
  /// The element of that step that row `slot` of the block is multiplied by.
  mlir::Value loadElement(int64_t step, int64_t slot);

private:
  /// An LLVM pointer to the first element and the elements from one row to the
  /// next: i64, and as a number where it is known.
  struct Matrix {
    mlir::Value pointer, rowStep;
    std::optional<int64_t> knownStep;
  };

  ProductPointers(mlir::OpBuilder &builder, mlir::Location location)
      : builder(&builder), location(location) {}
  std::optional<Matrix> makeMatrix(const Place &place);
  mlir::Value toI64(mlir::Value number);
  mlir::Value multiply(mlir::Value number, const Matrix &matrix);
  mlir::Value move(mlir::Value pointer, mlir::Value elements);
  mlir::Value load(mlir::Value pointer, int64_t elements, mlir::Type type);

  mlir::OpBuilder *builder;
  mlir::Location location;
  Matrix lanes, elements;
  bool isDepthFirst = false;
  /// Of the operand without lanes: to the first row if that is a step, else to
  /// that of each row of the block.
  llvm::SmallVector<mlir::Value> rows;
  /// The same, and that of the lanes, at the depth that is read.
  mlir::Value lanePointer;
  llvm::SmallVector<mlir::Value> pointers;
};

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_TILETOVECTOR_PRODUCTPOINTERS_H
