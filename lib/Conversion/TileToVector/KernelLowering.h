// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// One tile.kernel to loops over vectors. Internal to the conversion.
///
/// A tile with a dimension along the lanes is *rows*: row r is a vector with
/// one lane for each index of that dimension. A tile of rank 1 along the lanes
/// is one vector. Other tiles are *uniform*: read element by element.
///
/// Operations on rows with the same number of rows are gathered in a group as
/// long as each needs only the same row of the others. A group becomes one loop
/// over blocks of rows in which values stay in registers; only what is used
/// outside it is stored. For softmax attention that makes three loops: scores
/// and their maximum, weights and their sum, and the weighted sum.
///
/// Where columns run along the lanes (`#tile.cpu<columns>`) every tile has its
/// own number of lanes, a tile with one element for each row is *scalars*, and
/// products stand in loops of their own (ColumnProducts.cpp).

#ifndef RAPT_LIB_CONVERSION_TILETOVECTOR_KERNELLOWERING_H
#define RAPT_LIB_CONVERSION_TILETOVECTOR_KERNELLOWERING_H

#include "dialects/Tile/IR/Tile.h"
#include "lib/Conversion/TileToVector/LaneAnalysis.h"
#include "lib/Conversion/TileToVector/RunTables.h"
#include "lib/Conversion/TileToVector/TileToVector.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"

namespace rapt::conversion {

class KernelLowering {
public:
  /// `entry` is where the function begins: tiles in memory are allocated there.
  KernelLowering(mlir::OpBuilder &builder, tile::KernelOp kernel,
                 LaneAnalysis lanes, const VectorTarget &machine,
                 mlir::Block *entry);

  /// What an argument of the kernel is: an index or a memref.
  void bind(mlir::Value argument, mlir::Value value) {
    scalars[argument] = value;
  }
  void bindTable(mlir::Value argument, const RunTable &table) {
    tables[argument] = table;
  }
  /// Emits the body at the insertion point.
  mlir::LogicalResult lower();

  /// A carried value: in a register, or a tile in memory of its own.
  struct Carried {
    mlir::Value value, buffer;
  };

private:
  using Value = mlir::Value;
  using Type = mlir::Type;
  using Operation = mlir::Operation;
  using LogicalResult = mlir::LogicalResult;

  /// Row `base + offset`; `slot` is its number in the block of rows.
  struct Row {
    Value base;
    int64_t offset = 0;
    int64_t slot = 0;
  };
  /// What a reduction has so far; argmax also the index.
  struct Partial {
    Value value, index;
  };
  struct Group {
    llvm::SmallVector<Operation *> ops;
    int64_t rows = 0;
    bool contains(Operation *op) const { return llvm::is_contained(ops, op); }
  };

  // Shapes.
  static tile::TileType typeOf(Value tile) {
    return llvm::cast<tile::TileType>(tile.getType());
  }
  bool isVector(Value tile) const;  ///< rank 1, along the lanes
  bool isRows(Value tile) const;    ///< rank 2, one dimension along the lanes
  bool isScalars(Value tile) const; ///< rank 1, where columns are the lanes
  bool isUniform(Value tile) const;
  int64_t rowCount(Value tile) const;
  int64_t lanesOf(Value tile) const;
  llvm::SmallVector<int64_t, 2> memoryShape(Value tile) const;
  /// The operations that follow are on vectors as wide as those of `tile`.
  void setWidth(Value tile);
  mlir::VectorType vectorOf(Type element) const;
  Type memoryType(Type element) const;

  // Small values.
  Value index(int64_t value);
  Value indexOf(const Row &row);
  Value add(Value base, int64_t offset);
  Value zero(Type type);
  Value broadcast(Value scalar);
  /// Gives all the same shape: scalars become vectors if there is one.
  void unifyShapes(llvm::SmallVectorImpl<Value> &values);
  Value allocate(llvm::ArrayRef<int64_t> shape, Type element);

  // Blocks and groups (KernelLowering.cpp).
  LogicalResult lowerBlock(mlir::Block &block);
  LogicalResult lowerOperation(Operation *op);
  LogicalResult lowerConcat(tile::ConcatOp op);
  LogicalResult lowerVectorMap(tile::MapOp op);
  Value lanePositions(tile::PositionsOp op);
  Value createGlobal(tile::ConstantOp op);
  bool needsFlush(Operation *op) const;
  LogicalResult addToGroup(Operation *op, int64_t rows);
  LogicalResult flush();
  Value chooseBuffer(Value result);
  bool isLastUse(Value tile) const;
  LogicalResult emitRows(Value base, int64_t count,
                         llvm::DenseMap<Operation *, Partial> &partials);

  // Loops (LoopLowering.cpp).
  LogicalResult lowerFor(tile::ForOp op);
  LogicalResult lowerForRuns(tile::ForRunsOp op);
  bool canSpread(tile::ForRunsOp op);
  LogicalResult beginLoop(mlir::ValueRange inits,
                          llvm::SmallVectorImpl<Carried> &slots);
  void bindCarried(mlir::ValueRange tiles, llvm::ArrayRef<Carried> slots,
                   mlir::ValueRange values);
  LogicalResult lowerLoopBody(mlir::Block &body, unsigned first,
                              llvm::ArrayRef<Carried> slots,
                              mlir::ValueRange values,
                              llvm::SmallVectorImpl<Value> &next);
  LogicalResult lowerDomain(tile::DomainOp op);

  // Products and reductions (ProductLowering.cpp).
  /// Where the first element of a tile lies, and the others as they are.
  struct ElementPlace {
    Value memory, row, column; ///< row and column null: 0
    bool isTransposed = false;
  };
  std::optional<ElementPlace> findElements(Value tile) const;
  LogicalResult emitProduct(tile::MmaOp op, Value base, int64_t count);
  Value findFinite(tile::MmaOp op);
  tile::LoadOp findRunLoad(Value tile) const;
  Value isLong(tile::LoadOp load);
  void prefetchNextRun(tile::LoadOp load, Value base, int64_t count,
                       int64_t all, Value k, int64_t steps, int64_t depth);
  Value reduceLanes(tile::ReduceOp op, Value row);
  Value combine(tile::Combiner kind, Value a, Value b);

  // Operands of 16 bits (NarrowOperands.cpp).
  tile::LoadOp findNarrow(Value tile) const;
  tile::LoadOp findPanelLoad(tile::MmaOp op) const;
  bool isDepthFirst(tile::MmaOp op) const;
  /// Vectors of a row of memory.
  struct NarrowRow {
    Value memory;
    llvm::SmallVector<Value> columns, masks; ///< a mask is null: all lanes
  };
  NarrowRow findNarrowRow(tile::LoadOp load, Value firstColumn,
                          int64_t columns);
  Value findNarrowRow(tile::LoadOp load, Value row);
  void widen(tile::LoadOp load, Value firstRow, int64_t rows, Value firstColumn,
             Value buffer);
  int64_t getPanelColumns(int64_t block, int64_t all) const;
  Value startOfPanel(Value first, int64_t columns);
  void fillPanels(Value first, int64_t columns);

  // Products of pairs of bf16 (PairProducts.cpp).
  bool isPaired(tile::MmaOp op) const;
  bool isReadAsPairs(Value tile, mlir::OpOperand &use) const;
  Value packPair(Value even, Value odd);
  void packRows(Value tile);
  void storePairs(Value result, Value buffer, Value base, int64_t count);
  void copyWords(tile::LoadOp load, Value firstRow, int64_t rows, Value buffer);
  void packPanel(tile::LoadOp load, Value firstColumn, Value buffer);
  Value multiplyPairs(Value lhs, Value rhs, Value sum);
  Value multiplyApart(Value lhs, Value rhs, Value sum);
  llvm::SmallVector<Value> splitLanes(Value vector);
  Value joinLanes(llvm::ArrayRef<Value> parts);

  // Operands that are read where they lie (ColumnStreams.cpp).
  /// Rows of an operand of a product where they lie.
  struct Stream {
    Value view, memory, firstRow, rows, firstColumn, columns;
    Value distance; ///< from one place to the next, see Spread; or null
    Type element;
    bool isInside = false; ///< along the rows
    bool isWide = false;   ///< along the columns
    bool isPaired = false; ///< read as words of two elements
  };
  bool isStream(Value tile) const;
  Stream streamOf(Value tile);
  Value rowOfStream(const Stream &stream, Value row, int64_t offset);
  Value placeOfRow(const Stream &stream, Value row);
  Value loadStream(const Stream &stream, Value row, int64_t column,
                   int64_t extent);
  llvm::SmallVector<Value> loadStreamParts(const Stream &stream, Value row,
                                           int64_t column, int64_t count,
                                           int64_t extent);
  void splitPair(Value &first, Value &second);
  void joinPair(Value &even, Value &odd);
  Value copyPaired(Value memory, int64_t firstRow, int64_t rows,
                   int64_t columns);
  Value placeAhead(const Stream &stream, Value row, int64_t columns);
  void prefetch(const Stream &stream, Value place, int64_t column,
                int64_t count, int64_t columns);

  // Products where columns are the lanes (ColumnProducts.cpp).
  LogicalResult lowerColumnProduct(tile::MmaOp op);
  LogicalResult emitDots(tile::MmaOp op, const Stream &keys, Value result);
  LogicalResult emitWeightedRows(tile::MmaOp op, const Stream &rows,
                                 Value result);
  Value sumEach(llvm::SmallVectorImpl<Value> &block);
  Partial startReduction(tile::ReduceOp op);
  void reduceRow(tile::ReduceOp op, const Row &row, Value value,
                 Partial &partial);

  // Values of tiles (TileAccess.cpp).
  mlir::FailureOr<Value> rowAt(Value tile, const Row &row);
  mlir::FailureOr<Value> diagonalsAt(tile::SkewOp op, const Row &row);
  mlir::FailureOr<Value> elementAt(Value tile, llvm::ArrayRef<Value> indices);
  LogicalResult ensureRows(Value tile);
  LogicalResult ensureElements(Value tile);
  LogicalResult fillRows(Value tile, Value buffer, int64_t offset);
  Value resolveRows(Value tile, int64_t &offset);
  void storeRow(Value vector, Value buffer, Value row);
  Value loadRow(Value buffer, Value row, Type element);

  // Memory (MemoryLowering.cpp).
  LogicalResult lowerLoad(tile::LoadOp op);
  LogicalResult lowerStore(tile::StoreOp op);
  LogicalResult lowerWindow(tile::WindowOp op);
  void lowerListRows(tile::ListRowsOp op);
  void lowerGroupRows(tile::GroupRowsOp op);
  Value rowExtentOf(Value view);
  Value findRow(Value view, Value row);
  Value countInMemory(Value view, Value row, Value inside);
  void storeListed(tile::StoreOp op);
  LogicalResult loadTransposed(tile::LoadOp op);
  LogicalResult loadRows(tile::LoadOp op);
  LogicalResult loadInside(tile::LoadOp op);
  Value findRowStep(tile::LoadOp op, Value list, Value firstRow);
  void prefetchRow(mlir::Value view, mlir::Value row, bool isForStore);
  void lowerPrefetch(tile::PrefetchOp op);
  LogicalResult copyElements(tile::LoadOp op);
  LogicalResult storeElements(tile::StoreOp op);
  LogicalResult storeTransposed(tile::StoreOp op);
  LogicalResult storeRows(tile::StoreOp op);
  Value countInside(Value first, int64_t count, Value extent);
  Value countInRow(Value row, Value extent, Value inside);
  void forParts(int64_t extent, int64_t size,
                llvm::function_ref<void(Value first, int64_t count)> emit);
  Value maskOf(Value count, int64_t lanes);
  Value narrow(Value vector, Type element);
  void transposeBlock(llvm::SmallVectorImpl<Value> &block);
  Value loadPart(Value memory, llvm::ArrayRef<Value> position, Value mask,
                 int64_t lanes, Type element);
  void storePart(Value vector, Value memory, llvm::ArrayRef<Value> position,
                 Value mask);

  // Regions of tile.map (RegionLowering.cpp).
  LogicalResult lowerRegionOperation(Operation *op,
                                     llvm::DenseMap<Value, Value> &values);
  LogicalResult lowerRegion(tile::MapOp op,
                            llvm::DenseMap<Value, Value> &values,
                            llvm::function_ref<bool(Operation *)> wanted);
  Value lookup(Value value, llvm::DenseMap<Value, Value> &values);
  Value readElement(tile::ReadOp op, llvm::ArrayRef<Value> indices);
  Value gather(Value memory, llvm::ArrayRef<Value> indices, Type stored,
               Type element);
  Value gatherNarrow(Value memory, Value offset, Value mask, Type stored,
                     Type element);
  Value fromMemory(Value value, Type stored, Type element);
  Value floorDivide(Value a, Value b);
  LogicalResult hoist(tile::MapOp op);
  LogicalResult emitMapRow(tile::MapOp op, const Row &row);

  mlir::OpBuilder &builder;
  tile::KernelOp kernel;
  LaneAnalysis lanes;
  int64_t width; ///< lanes of the vectors that are being emitted
  VectorTarget machine;
  int64_t lanes32;
  mlir::Block *entry;
  mlir::Location location;

  /// The words of the table's runs that a domain is; type index.
  struct Domain {
    Value first, end, runs;
  };
  /// A step of a loop over runs takes as many keys from each of kPlaces places
  /// of its run, `distance` apart: key k of a tile is key
  /// `start` + k % kPlaces * `distance` + k / kPlaces.
  struct Spread {
    Value start; ///< the argument of the body
    Value distance;
  };
  static constexpr int64_t kPlaces = 4;
  Spread spread; ///< of the body that is being lowered; or nulls
  /// Keys outside are not visited.
  struct KeyRange {
    Value first, end;
  };
  llvm::DenseMap<Value, KeyRange> ranges; ///< of domains that are parts

  llvm::DenseMap<Value, Value> scalars; ///< scalars, views, vectors
  llvm::DenseMap<Value, RunTable> tables;
  llvm::DenseMap<Value, Domain> domains;
  llvm::DenseMap<Value, Value> lists; ///< of views whose rows are listed
  /// Views of the rows of several heads, see tile.group_rows, and the steps in
  /// memory from one head and one position to the next. A row of memory is one
  /// element there.
  struct GroupedRows {
    Value first, count, of, heads, headStep, rowStep;
  };
  llvm::DenseMap<Value, GroupedRows> groupedRows;
  llvm::DenseMap<Value, Value> buffers; ///< tiles in memory
  /// Tiles of rows, two of them in one row of words, see PairProducts.cpp.
  llvm::DenseMap<Value, Value> pairBuffers;
  llvm::DenseSet<Operation *> lowered; ///< of the blocks being lowered
  Group group;
  /// Rows of the group that are in registers, by their slot.
  llvm::DenseMap<std::pair<Value, int64_t>, Value> registers;
  /// What the regions of the group's maps compute once for all rows.
  llvm::DenseMap<Operation *, llvm::DenseMap<Value, Value>> hoisted;
  llvm::DenseMap<Operation *, llvm::DenseSet<Operation *>> rowDependent;
  /// For products of the group that skip zeros, see findFinite().
  llvm::DenseMap<Operation *, Value> finite;
  /// Of products of the group that read columns of narrow tiles: those columns
  /// from `panelStart` on, widened.
  llvm::DenseMap<Operation *, Value> panelBuffers;
  Value panelStart;
  /// Results of the group that are stored, and memory it takes over.
  llvm::MapVector<Value, Value> pending;
  llvm::MapVector<Value, Value> pendingPairs; ///< those stored as pairs
  llvm::SmallVector<Value> takenBuffers;
  /// Memory that nothing uses any more, by type; what the innermost body has.
  llvm::DenseMap<Type, llvm::SmallVector<Value>> freeBuffers;
  llvm::SmallVector<Value> allocated;
};

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_TILETOVECTOR_KERNELLOWERING_H
