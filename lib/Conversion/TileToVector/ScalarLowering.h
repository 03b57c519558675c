// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Operations on single numbers and on elements of views: what the plan of a
/// call is computed with. Internal to the conversion.

#ifndef RAPT_LIB_CONVERSION_TILETOVECTOR_SCALARLOWERING_H
#define RAPT_LIB_CONVERSION_TILETOVECTOR_SCALARLOWERING_H

#include "dialects/Tile/IR/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace rapt::conversion {

/// The minima and maxima of one dimension of a view, as a binary tree for every
/// line of elements along it. Leaves are blocks of kLeaf elements; node n has
/// the children 2n and 2n + 1, the root is node 1, and leaf number k is node
/// `capacity + k`. Words 2n and 2n + 1 of a tree are the least and the largest
/// element below node n.
struct PyramidMemory {
  static constexpr int64_t kLeaf = 32;
  mlir::Value view; ///< memref, the elements
  mlir::Value tree; ///< memref of i64, all trees one after the other
  /// index: leaves of one tree, a power of two; null: no tree is needed, as all
  /// ranges lie inside leaves
  mlir::Value capacity;
  int64_t dimension = 0;
};

/// Short names for scalar operations at the insertion point.
struct ScalarBuilder {
  using Value = mlir::Value;
  mlir::OpBuilder &builder;
  mlir::Location location;

  Value index(int64_t value);
  Value i64(int64_t value);
  Value boolean(bool value);
  Value toIndex(Value value);
  Value toI64(Value value);
  template <typename Op> Value op(Value a, Value b) {
    return builder.createOrFold<Op>(location, a, b);
  }
  Value add(Value a, Value b) { return op<mlir::arith::AddIOp>(a, b); }
  Value subtract(Value a, Value b) { return op<mlir::arith::SubIOp>(a, b); }
  Value multiply(Value a, Value b) { return op<mlir::arith::MulIOp>(a, b); }
  Value minimum(Value a, Value b) { return op<mlir::arith::MinSIOp>(a, b); }
  Value maximum(Value a, Value b) { return op<mlir::arith::MaxSIOp>(a, b); }
  Value both(Value a, Value b) { return op<mlir::arith::AndIOp>(a, b); }
  Value either(Value a, Value b) { return op<mlir::arith::OrIOp>(a, b); }
  Value negate(Value condition);
  Value compare(mlir::arith::CmpIPredicate predicate, Value a, Value b) {
    return builder.createOrFold<mlir::arith::CmpIOp>(location, predicate, a, b);
  }
  Value less(Value a, Value b) {
    return compare(mlir::arith::CmpIPredicate::slt, a, b);
  }
  Value equal(Value a, Value b) {
    return compare(mlir::arith::CmpIPredicate::eq, a, b);
  }
  Value select(Value condition, Value a, Value b) {
    return builder.createOrFold<mlir::arith::SelectOp>(location, condition, a,
                                                       b);
  }
  /// a / b rounded down, for a positive b.
  Value floorDivide(Value a, Value b);
  /// The least power of two that is at least `value`, which is positive (i64).
  Value ceilPowerOfTwo(Value value);
  Value load(Value memory, Value place);
  void store(Value value, Value memory, Value place);
  /// An integer or boolean as it lies in memory, as a scalar of type `element`.
  Value fromStored(Value value, mlir::Type stored, mlir::Type element);

  using Values = llvm::SmallVector<Value>;
  /// for (i = from; i < to; i += step), index; gives the carried values.
  Values loop(Value from, Value to, Value step, mlir::ValueRange inits,
              llvm::function_ref<Values(Value, mlir::ValueRange)> body);
  Values loop(Value from, Value to, mlir::ValueRange inits,
              llvm::function_ref<Values(Value, mlir::ValueRange)> body) {
    return loop(from, to, index(1), inits, body);
  }
  /// while (condition(carried)) carried = body(carried).
  Values loopWhile(mlir::ValueRange inits,
                   llvm::function_ref<Value(mlir::ValueRange)> condition,
                   llvm::function_ref<Values(mlir::ValueRange)> body);
  /// The least place of `first` to before `end` (index) of which `isBelow` does
  /// not hold, or `end`; it holds of all places before one of which it holds.
  /// Places near `first` are found fastest.
  Value findPlace(Value first, Value end,
                  llvm::function_ref<mlir::Value(mlir::Value)> isBelow);
  /// condition ? yes() : no(), of which only one runs.
  Values choose(Value condition, mlir::TypeRange types,
                llvm::function_ref<Values()> yes,
                llvm::function_ref<Values()> no);
};

/// Lowers scalar operations of a tile program: arith is copied, reads of views
/// and of pyramids become loads.
class ScalarLowering {
public:
  ScalarLowering(mlir::OpBuilder &builder,
                 const llvm::DenseMap<mlir::Value, PyramidMemory> &pyramids)
      : builder(builder), pyramids(pyramids) {}

  llvm::DenseMap<mlir::Value, mlir::Value> values;

  /// Emits `op` at the insertion point; fails with an error on what is not
  /// scalar.
  mlir::LogicalResult lower(mlir::Operation *op);

private:
  mlir::Value read(tile::ReadOp op);
  void readBounds(tile::BoundsOp op);
  mlir::Value find(tile::FindOp op);

  mlir::OpBuilder &builder;
  const llvm::DenseMap<mlir::Value, PyramidMemory> &pyramids;
};

/// Fills the trees of a pyramid.
void fillPyramid(ScalarBuilder emit, tile::PyramidOp op,
                 const PyramidMemory &memory);

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_TILETOVECTOR_SCALARLOWERING_H
