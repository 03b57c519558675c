// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What the kernel of one attn operation is made from: its work item, its views
/// and the shape of the operation. Internal to the conversion.

#ifndef RAPT_LIB_CONVERSION_ATTNTOTILE_KERNELSCOPE_H
#define RAPT_LIB_CONVERSION_ATTNTOTILE_KERNELSCOPE_H

#include "dialects/Attn/IR/Attn.h"
#include "dialects/Tile/IR/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <functional>

namespace rapt::conversion {

/// A tensor of the spec as a view. `dims[d]` is the view's dimension that
/// dimension d of the tensor is, or -1 if it has the extent 1 and no memory.
struct TensorPlace {
  mlir::Value view;
  llvm::SmallVector<int64_t, 4> dims;
  /// A view of i32 of rank 1: the row of `view` that each row of the tensor is,
  /// along the dimension before the last. Null: they are the same.
  mlir::Value rows = nullptr;

  bool isWhole() const { return !llvm::is_contained(dims, -1); }
  /// Whether rows of dimension `d` of the tensor are listed.
  bool isListed(size_t d) const {
    auto type = llvm::cast<tile::ViewType>(view.getType());
    return rows && dims[d] == static_cast<int64_t>(type.getRank()) - 2;
  }
};

/// An operand of a tile.map and the dimensions of the result that it has.
struct MapOperand {
  mlir::Value tile;
  llvm::SmallVector<int64_t, 2> dims;
};

/// Emits the body of one kernel.
class KernelScope {
public:
  KernelScope(mlir::OpBuilder &builder, mlir::Location location)
      : builder(builder), location(location) {}

  mlir::OpBuilder &builder;
  mlir::Location location;
  /// The work item, and the extents of the operation's shape; type index.
  mlir::Value batch, head, block;
  mlir::Value batches, heads, queryCount, keyCount;
  /// How many heads share an item, of which `head` is the first; null: one.
  mlir::Value group;
  /// The operation's tensors.
  llvm::DenseMap<mlir::Value, TensorPlace> places;
  /// Whether lists and runs may be made of what earlier launches compute. The
  /// processor that plans for a GPU does not see the results of launches.
  bool seesResults = true;

  /// Whether the elements of a tensor can be read outside of kernels.
  bool isSeen(const TensorPlace &place) const {
    return seesResults || mlir::isa<mlir::BlockArgument>(place.view);
  }

  mlir::Value index(int64_t value);
  mlir::Value real(double value);
  mlir::Value toI32(mlir::Value index);
  mlir::Value toI64(mlir::Value index);
  template <typename Op> mlir::Value fold(mlir::Value a, mlir::Value b) {
    return builder.createOrFold<Op>(location, a, b);
  }
  mlir::Value extent(mlir::Value view, int64_t dimension);
  /// That of dimension `d` of the tensor; 1 if it has no memory.
  mlir::Value extent(const TensorPlace &place, int64_t d);
  /// The index along dimension `d` of the tensor as one of its view; one
  /// outside stays outside. What is needed above a tile.map is put before it,
  /// if `above` is not null.
  mlir::Value placeIndex(const TensorPlace &place, size_t d, mlir::Value index,
                         mlir::Operation *above);

  /// `item * extent / of`: the index along a shared dimension.
  mlir::Value share(mlir::Value item, mlir::Value view, int64_t dimension,
                    mlir::Value of);
  /// The rows [length, features] of a rank 4 tensor for this item, in the order
  /// of `list`, of the tensor's own if it has one, or as they lie.
  mlir::Value rowsOfItem(mlir::Value tensor, mlir::Value list = nullptr);
  /// The rows of a view in the order of a list; the view itself without one.
  mlir::Value listed(mlir::Value view, mlir::Value list,
                     tile::RowMap rows = tile::RowMap::Listed);

  tile::TileType tileType(llvm::ArrayRef<int64_t> shape, mlir::Type element);
  mlir::Value splat(mlir::Value scalar, llvm::ArrayRef<int64_t> shape);
  mlir::Value positions(mlir::Value first, int64_t count);

  using MapBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      tile::MapOp map, mlir::ValueRange elements)>;
  /// A tile.map; the body is emitted inside it. Operands that it does not use
  /// are dropped.
  tile::MapOp map(llvm::ArrayRef<MapOperand> operands,
                  llvm::ArrayRef<int64_t> shape,
                  llvm::ArrayRef<mlir::Type> elements, MapBody body);
  /// A tile.map of one result of type f32.
  mlir::Value
  mapReal(llvm::ArrayRef<MapOperand> operands, llvm::ArrayRef<int64_t> shape,
          llvm::function_ref<mlir::Value(mlir::ValueRange elements)> body);
};

/// Copies scalar operations of an attn region into a kernel: reads become
/// tile.read, shapes become values of the kernel, and what only attn has
/// becomes arithmetic.
class RegionCopier {
public:
  /// Values of the kernel that are needed above are put before `above`, or at
  /// the insertion point if it is null.
  RegionCopier(KernelScope &scope, mlir::Operation *above)
      : scope(scope), above(above) {}

  /// What a value of the region is in the kernel: a scalar.
  void bind(mlir::Value value, mlir::Value scalar) {
    mapping.map(value, scalar);
  }
  /// The head of a region that is copied, where it differs from row to row:
  /// i32.
  void bindRowHead(mlir::Value value, mlir::Value scalar) {
    bind(value, scalar);
    rowHead = scalar;
  }
  /// A captured tensor of the region.
  void bindTensor(mlir::Value argument, TensorPlace place) {
    tensors[argument] = std::move(place);
  }
  mlir::Value lookup(mlir::Value value) { return mapping.lookup(value); }

  /// Copies everything before the terminator. Fails, with an error, on an
  /// operation on rows.
  mlir::LogicalResult copy(mlir::Block &block);
  mlir::LogicalResult copy(mlir::Operation *op);

private:
  mlir::Value read(attn::ReadOp op);
  mlir::Value uniform(attn::UniformOp op);

  KernelScope &scope;
  mlir::Operation *above;
  mlir::IRMapping mapping;
  mlir::Value rowHead;
  llvm::DenseMap<mlir::Value, TensorPlace> tensors;
};

/// `attn.length`, `attn.extent` or `attn.share` as an index of the kernel;
/// null for any other operation. `getPlace` gives the place of a tensor.
mlir::Value
evaluateShape(KernelScope &scope, mlir::Operation *op,
              llvm::function_ref<TensorPlace(mlir::Value)> getPlace);

/// In which order a kernel goes through queries and keys, if not in that of
/// their positions. Lists are views [batch or 1, head or 1, length].
struct PairLists {
  mlir::Value queries, keys; ///< numbers of rows, i32; null: all in order
  mlir::Value keyCount;      ///< length of the list of keys, or the keys; index
  /// Sorted by class: what emits the class, i64, of a query or key for the
  /// batch and head of a scope, and the comparison in the mask.
  using EmitClass =
      std::function<mlir::Value(KernelScope &, mlir::Value number)>;
  EmitClass queryClass, keyClass;
  mlir::Value equal;
  /// Marked keys listed once more: how many they are, a list of one element,
  /// and the condition in the mask. A pair is kept in its place if it is kept
  /// even if its key is not marked, else with the marked ones.
  mlir::Value markedCount, marked;
  /// Values of the mask region that depend on the query, and what they are in
  /// the order of the list, i64.
  struct Known {
    mlir::Value value, table;
  };
  llvm::SmallVector<Known> known;
  /// Made of what earlier launches compute.
  bool areLate = false;
  /// For every tensor of rows of keys, then for the values: the rows of memory
  /// that the keys of the list are. Null if those are the keys themselves.
  llvm::SmallVector<mlir::Value> rows;

  /// Every list that a kernel takes, in one order.
  template <typename Callback> void forEachList(Callback callback) {
    for (mlir::Value *list : {&queries, &keys, &markedCount})
      if (*list)
        callback(*list);
    for (mlir::Value &list : rows)
      if (list)
        callback(list);
  }
};

/// Emits, in the program, the lists for the mask of `op`.
mlir::FailureOr<PairLists> emitPairLists(KernelScope &program,
                                         attn::AttendOp op);

/// For the user, after the rest of a kernel's form; empty without lists.
llvm::StringRef describeOrder(const PairLists &lists);

/// The list [length] of this item.
mlir::Value getListOfItem(KernelScope &scope, mlir::Value lists);

/// The pyramids of a program: one for each view and dimension that masks ask
/// about.
class Pyramids {
public:
  explicit Pyramids(mlir::OpBuilder &builder) : builder(builder) {}
  /// New ones are made before `op`, an operation of the program.
  void putBefore(mlir::Operation *op) { above = op; }
  mlir::Value get(mlir::Value view, int64_t dimension);

private:
  mlir::OpBuilder &builder;
  mlir::Operation *above = nullptr;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::Value> made;
};

/// Emits, in the program, which runs of keys the mask of `op` leaves to each
/// block of queries. The places and extents of `program` are those of the
/// operation; `itemHeads` counts its heads, or groups of heads.
mlir::Value emitRunTable(KernelScope &program, mlir::Value itemHeads,
                         attn::AttendOp op, tile::PlanAttr plan,
                         const PairLists &lists, Pyramids &pyramids);

/// The same question with the sides exchanged, which rows each block of
/// columns meets: the columns of `op` become the rows, in blocks of `rowStep`,
/// and its rows the columns, in runs of `columnStep`.
tile::PlanRunsOp emitTransposedRuns(mlir::OpBuilder &builder,
                                    tile::PlanRunsOp op, int64_t rowStep,
                                    int64_t columnStep);

/// What the kernels of an attend write: `out` and `lse` are whole views of the
/// results. Where keys are split over items, each writes its part of what the
/// loop over keys carries to `parts`, views [batch, heads, rows] or [batch,
/// heads, rows, features] with one block of rows for each item.
struct AttendResults {
  mlir::Value out, lse;
  mlir::Value splits; ///< how many; index; null: keys are not split
  llvm::SmallVector<mlir::Value> parts;
  mlir::Value splitKeys; ///< how many a split takes; index
};

/// The shapes of a row of what the loop over keys of an attend carries.
llvm::SmallVector<llvm::SmallVector<int64_t, 1>>
getCarriedShapes(attn::AttendOp op);

/// Whether the mask keeps other pairs in one head than in another.
bool tellsHeadsApart(attn::AttendOp op);

/// Emits the body of the kernel of an attend; the last index of the item is the
/// block of queries, times the splits and with the number of the split. `table`
/// has the runs of keys; null: all of them. `itemHead` is the item's index
/// there. `lists` are the kernel's own.
mlir::LogicalResult emitAttendKernel(KernelScope &scope, attn::AttendOp op,
                                     tile::PlanAttr plan, mlir::Value table,
                                     mlir::Value itemHead,
                                     const PairLists &lists,
                                     const AttendResults &results);

/// Emits the body of the kernel that merges the splits of a block of queries.
/// `queries` is the list of these, if they are not in order.
mlir::LogicalResult emitMergeKernel(KernelScope &scope, attn::AttendOp op,
                                    tile::PlanAttr plan, mlir::Value itemHead,
                                    mlir::Value queries,
                                    const AttendResults &results);

/// Emits the body of the kernel of a map, whose rows are written to `out`.
mlir::LogicalResult emitMapKernel(KernelScope &scope, attn::MapOp op,
                                  tile::PlanAttr plan, mlir::Value out);

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_ATTNTOTILE_KERNELSCOPE_H
