// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// One tile.kernel to one nv.kernel. Internal to the conversion.

#ifndef RAPT_LIB_CONVERSION_TILETONV_KERNELTONV_H
#define RAPT_LIB_CONVERSION_TILETONV_KERNELTONV_H

#include "dialects/Tile/IR/FetchedTiles.h"
#include "lib/Conversion/TileToNv/SideAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

namespace rapt::conversion {

/// The runs of a tile.plan_runs as a kernel gets them.
struct DeviceTable {
  mlir::Value offsets, order, runs;   ///< views of rank 1 of i64
  mlir::Value heads, blocks, columns; ///< index
  int64_t columnStep = 0;
  bool usesBatch = false, usesHead = false;
};

class KernelToNv {
public:
  KernelToNv(mlir::OpBuilder &builder, tile::LaunchOp launch,
             tile::KernelOp kernel)
      : builder(builder), launch(launch), kernel(kernel),
        location(kernel.getLoc()), sides(kernel) {}

  /// Emits the kernel `name` at the insertion point.
  mlir::LogicalResult lower(llvm::StringRef name);

private:
  using Value = mlir::Value;
  using Operation = mlir::Operation;
  using LogicalResult = mlir::LogicalResult;

  Value index(int64_t value);
  template <typename Op> Value op(Value a, Value b) {
    return builder.createOrFold<Op>(location, a, b);
  }
  Value less(Value a, Value b);
  Value readWord(Value view, Value place);
  Value placeOf(const DeviceTable &table, Value batch, Value head, Value block);
  nv::FragmentType fragmentType(tile::TileType type, nv::Along side);
  LogicalResult notLowered(Operation *op, const llvm::Twine &what);

  // KernelToNv.cpp
  void bindArguments(mlir::Block *body);
  void bindItem(Value item);
  LogicalResult lowerBlock(mlir::Block &block);
  LogicalResult lowerOperation(Operation *op);
  LogicalResult lowerMap(tile::MapOp op);
  LogicalResult lowerProduct(tile::MmaOp op);
  LogicalResult lowerLoad(tile::LoadOp op);
  mlir::FailureOr<Value> makeBuffer(tile::LoadOp op, int64_t stages,
                                    bool isSwizzled = false);
  void copy(tile::LoadOp op, Value row, Value buffer, Value stage);
  void awaitCopies();
  /// The fragment of a tile for one use.
  Value fragmentFor(mlir::OpOperand &use);
  void bindLine(Value tile, nv::Along side, Value fragment) {
    lines[{tile, static_cast<unsigned>(side)}] = fragment;
  }

  // RunLoop.cpp
  struct Step {
    Value run, position, end, isFull;
  };
  struct Domain {
    Value first, last; ///< words of the runs, or 0 and 1
    Value extent;      ///< of all keys as one run; else null
    const DeviceTable *table = nullptr;
  };
  /// A load whose tile the step before has begun to copy.
  struct StagedLoad {
    tile::LoadOp load;
    Value buffer;
  };
  LogicalResult lowerDomain(tile::DomainOp op);
  LogicalResult lowerForRuns(tile::ForRunsOp op);
  LogicalResult findStaged(tile::ForRunsOp op,
                           llvm::SmallVectorImpl<StagedLoad> &staged);
  Step beginRun(const Domain &domain, Value run);
  Step advance(const Domain &domain, const Step &step, Value width);
  Value isLeft(const Domain &domain, const Step &step) {
    return less(step.run, domain.last);
  }
  void copyStaged(llvm::ArrayRef<StagedLoad> staged, Value isWanted, Value row,
                  Value stage);
  mlir::FailureOr<Domain> findDomain(tile::ForRunsOp op);
  /// How a step of a loop ends: the next one, and what the loop carries.
  struct StepEnd {
    Step next;
    Value number;
    llvm::SmallVector<Value> tiles;
  };
  /// The steps from `first` to the end of the domain in a loop that carries a
  /// number and tiles, both of which it gives. `emit` gets those of a step.
  llvm::SmallVector<Value>
  walkSteps(const Domain &domain, const Step &first, Value number,
            mlir::ValueRange tiles,
            llvm::function_ref<StepEnd(const Step &step, Value number,
                                       mlir::ValueRange tiles)>
                emit);
  llvm::SmallVector<Value> lowerInits(tile::ForRunsOp op);
  void bindCarried(Value tile, Value fragment);
  mlir::FailureOr<llvm::SmallVector<Value>> lowerBody(tile::ForRunsOp op,
                                                      mlir::Region &region,
                                                      Value start, Value length,
                                                      mlir::ValueRange carried);

  // CarefulLoop.cpp
  static bool mayMask(tile::ForRunsOp op);
  Value truth(bool value);
  Value takeNotFinite(Value weights, Value buffer, Value stage, Value sums);
  /// The results of a loop. `emit` gives those of one walk that begins with a
  /// number, and the number after that of its last step.
  llvm::SmallVector<Value> walkWithCare(
      tile::ForRunsOp op,
      llvm::function_ref<llvm::SmallVector<Value>(bool isCareful, Value number)>
          emit);
  void fetchAsOften(tile::ForRunsOp op,
                    llvm::function_ref<Value(Value number)> emit);
  bool isCarefulNow = false; ///< in the loop that is being emitted

  // Roles.cpp
  /// A buffer that producers fill and consumers empty, stage by stage.
  struct Ring {
    tile::LoadOp load; ///< of the tiles
    Value buffer, full, empty;
    int64_t stages;
    Value map; ///< null: filled by threads
  };
  LogicalResult lowerRoles();
  mlir::FailureOr<unsigned> makeRing(tile::LoadOp load, int64_t stages);
  LogicalResult makeRings(tile::ForRunsOp op);
  Value haveMaps();
  Value canMap;               ///< whether the copy engine does; null: never
  bool isThroughMaps = false; ///< what producers do now
  LogicalResult produce(mlir::Block &block);
  void produceRuns(tile::ForRunsOp op);
  void fetch(const Ring &ring, Value row, Value stage);
  void awaitOnce(tile::LoadOp op);
  Value stageOf(const Ring &ring, Value step);
  Value phaseOf(const Ring &ring, Value step);
  void awaitFull(const Ring &ring, Value step);
  void release(const Ring &ring, Value step);

  // PipelinedLoop.cpp
  /// The products of a step: of what is in memory, and that of the weights.
  struct StepProducts {
    llvm::SmallVector<tile::MmaOp> first;
    tile::MmaOp last;
    unsigned result; ///< what the loop carries of the last one
  };
  /// A weighted product that is put off to the next step.
  struct PutOff {
    Value weights, accumulator;
  };
  mlir::FailureOr<StepProducts> findProducts(tile::ForRunsOp op,
                                             mlir::Region &region);
  LogicalResult lowerPipelined(tile::ForRunsOp op);
  llvm::SmallVector<Value> beginFirst(const StepProducts &products, Value step);
  void releaseFirst(const StepProducts &products, Value step);
  Value beginLast(const StepProducts &products, const PutOff &last, Value step);
  /// The step between its products: what the loop carries, with what is put
  /// off in the place of its result.
  mlir::FailureOr<llvm::SmallVector<Value>>
  lowerStep(tile::ForRunsOp op, mlir::Region &region,
            const StepProducts &products, Value start, Value length,
            mlir::ValueRange scores, mlir::ValueRange carried,
            llvm::function_ref<Value()> awaitAccumulated);

  mlir::OpBuilder &builder;
  tile::LaunchOp launch;
  tile::KernelOp kernel;
  mlir::Location location;
  SideAnalysis sides;
  mlir::IRMapping values; ///< scalars, views, fragments
  llvm::DenseMap<std::pair<Value, unsigned>, Value> lines;
  llvm::DenseMap<Value, DeviceTable> tables;
  llvm::DenseMap<Value, Domain> domains;
  /// Tiles in shared memory, and the stage that holds them now.
  struct Buffered {
    Value buffer, stage;
  };
  llvm::DenseMap<Value, Buffered> buffers;
  mlir::Block *entry = nullptr;
  bool hasPendingCopies = false;
  /// Extents of the items.
  Value itemsX, itemsY, itemsZ;
  /// With warps of roles: the rings, and which one a load reads.
  llvm::SmallVector<Ring> rings;
  llvm::DenseMap<Value, unsigned> ringOf;
  /// Of loops: whether they are walked again.
  llvm::DenseMap<Operation *, Value> flags;
  /// Arguments for tensors that the copy engine reads.
  llvm::SmallVector<std::pair<tile::FetchedTensor, Value>> maps;
};

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_TILETONV_KERNELTONV_H
