// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The values of a tile program and what the operations on them compute.
/// Internal to the Reference.

#ifndef RAPT_LIB_REFERENCE_TILEVALUES_H
#define RAPT_LIB_REFERENCE_TILEVALUES_H

#include "dialects/Tile/IR/Tile.h"
#include "lib/Reference/Instructions.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <variant>

namespace rapt::reference {

/// The elements of a tile in row-major order.
template <typename Real> struct TileValue {
  llvm::SmallVector<int64_t, 3> shape;
  bool isInteger = false;
  std::vector<Cell<Real>> cells;

  explicit TileValue(tile::TileType type);
  int64_t count() const { return static_cast<int64_t>(cells.size()); }
};

/// A window of memory.
struct ViewValue {
  char *data = nullptr;
  bool isWritable = false;
  support::ElementType type = support::ElementType::F32;
  llvm::SmallVector<int64_t, 4> sizes;
  llvm::SmallVector<int64_t, 4> strides;
  /// Which rows of memory the rows are, if they are listed, and how many rows
  /// the memory has.
  std::shared_ptr<const std::vector<int64_t>> list;
  int64_t memoryRows = 0;

  /// For reading.
  TensorView asTensor() const { return {data, type, sizes, strides}; }
  /// The same without the list.
  TensorView asMemory() const {
    TensorView memory = asTensor();
    if (list)
      memory.sizes[0] = memoryRows;
    return memory;
  }
};

/// A run of keys: full if every pair is kept.
struct Run {
  int64_t start = 0, length = 0;
  bool isFull = false;
};

/// The runs of every block of rows.
struct RunTable {
  int64_t heads = 0, blocks = 0;
  /// One for each batch, head and block, the block varying fastest.
  std::vector<std::shared_ptr<const std::vector<Run>>> domains;
};

template <typename Real>
using TilePointer = std::shared_ptr<const TileValue<Real>>;

template <typename Real>
using RuntimeValue = std::variant<Cell<Real>, TilePointer<Real>, ViewValue,
                                  std::shared_ptr<const std::vector<Run>>,
                                  std::shared_ptr<const RunTable>>;

/// The values that are known at one point of a program.
template <typename Real> class Environment {
public:
  void set(mlir::Value value, RuntimeValue<Real> known) {
    values[value] = std::move(known);
  }
  const RuntimeValue<Real> &get(mlir::Value value) const {
    return values.at(value);
  }
  Cell<Real> getScalar(mlir::Value value) const {
    return std::get<Cell<Real>>(get(value));
  }
  int64_t getInteger(mlir::Value value) const {
    return getScalar(value).integer;
  }
  const TileValue<Real> &getTile(mlir::Value value) const {
    return *std::get<TilePointer<Real>>(get(value));
  }
  const ViewValue &getView(mlir::Value value) const {
    return std::get<ViewValue>(get(value));
  }

private:
  llvm::DenseMap<mlir::Value, RuntimeValue<Real>> values;
};

/// Executes an operation on tiles and memory and sets its results: `isKnown` is
/// false if it is none of those.
template <typename Real>
llvm::Error executeTileOperation(mlir::Operation *op, Environment<Real> &values,
                                 bool &isKnown);

/// Executes tile.map: its region on all elements at once.
template <typename Real>
llvm::Error executeMap(tile::MapOp op, Environment<Real> &values);

/// Executes an operation on scalars: arith, math, and tile.read. `isKnown` is
/// false if it is none of those.
template <typename Real>
llvm::Error executeScalar(mlir::Operation *op, Environment<Real> &values,
                          bool &isKnown);

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_TILEVALUES_H
