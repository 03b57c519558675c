// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// One nv.kernel to the code of a thread. Internal to the conversion.
///
/// A thread has of a fragment two rows of every 16 of its warp and two columns
/// of every 8. Its rows are numbered by *row slots*, its columns by *column
/// slots*; slot numbers are constants, so that each element is a value.

#ifndef RAPT_LIB_CONVERSION_NVTONVVM_THREADLOWERING_H
#define RAPT_LIB_CONVERSION_NVTONVVM_THREADLOWERING_H

#include "dialects/Nv/IR/Nv.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace rapt::conversion {

/// How many slots a thread has of a fragment.
struct Slots {
  int64_t rows = 1, columns = 1;
  Slots(nv::FragmentType type, int64_t warps)
      : rows(type.hasRows() ? type.getRows() / (8 * warps) : 1),
        columns(type.hasColumns() ? type.getColumns() / 4 : 1) {}
  int64_t count() const { return rows * columns; }
};

class ThreadLowering {
public:
  ThreadLowering(mlir::OpBuilder &builder, nv::KernelOp kernel);

  /// Emits the function at the insertion point.
  mlir::LogicalResult lower();
  /// Of all warps, those of producers too.
  int64_t getThreads() const { return 32 * (warps + producers); }
  /// Bytes of shared memory; after lower().
  int64_t getSharedBytes() const { return sharedBytes; }

private:
  using Value = mlir::Value;
  using Type = mlir::Type;
  using Operation = mlir::Operation;
  using LogicalResult = mlir::LogicalResult;
  using Registers = llvm::SmallVector<Value>;

  /// Memory with run-time extents and strides (i64, in elements). The rows of
  /// one with a list are those that the list names.
  struct View {
    Type element;
    Value base; ///< a pointer into global memory
    llvm::SmallVector<Value, 4> sizes, strides;
    std::shared_ptr<View> list;
  };

  // ThreadLowering.cpp
  void bindArguments();
  LogicalResult lowerBlock(mlir::Block &block);
  LogicalResult lowerOperation(Operation *op);
  LogicalResult lowerIf(mlir::scf::IfOp op);
  LogicalResult lowerWhile(mlir::scf::WhileOp op);
  LogicalResult lowerInside(mlir::Block &from, mlir::Block *to);
  void reduce(nv::ReduceOp op);
  Registers flatten(mlir::ValueRange values);
  llvm::SmallVector<Type> flattenTypes(mlir::TypeRange types);
  /// Binds values to as many scalars as they have; `scalars` in order.
  void bindFlat(mlir::ValueRange values, mlir::ValueRange scalars);
  LogicalResult notLowered(Operation *op);

  // Small values.
  Value i32(int64_t value);
  Value i64(int64_t value);
  Value toI64(Value value);
  Value toI32(Value value);
  Value toIndex(Value value);
  Value zero(Type type);
  template <typename Op> Value op(Value a, Value b) {
    return builder.createOrFold<Op>(location, a, b);
  }
  Value add(Value a, Value b) { return op<mlir::arith::AddIOp>(a, b); }
  Value multiply(Value a, Value b) { return op<mlir::arith::MulIOp>(a, b); }
  Value both(Value a, Value b) { return op<mlir::arith::AndIOp>(a, b); }
  Value compare(mlir::arith::CmpIPredicate predicate, Value a, Value b) {
    return builder.createOrFold<mlir::arith::CmpIOp>(location, predicate, a, b);
  }
  Value select(Value condition, Value a, Value b) {
    return mlir::arith::SelectOp::create(builder, location, condition, a, b);
  }
  /// The same number, of which LLVM knows nothing.
  Value hide(Value value);
  Value call(Type result, llvm::StringRef name, mlir::ValueRange arguments);
  void doIf(Value condition, llvm::function_ref<void()> emit);
  void doEither(Value condition, llvm::function_ref<void()> emitThen,
                llvm::function_ref<void()> emitElse);
  /// if (condition) a() else b(), with the results of both.
  Registers choose(Value condition, mlir::TypeRange types,
                   llvm::function_ref<Registers()> a,
                   llvm::function_ref<Registers()> b);
  Slots slotsOf(Value fragment) {
    return Slots(llvm::cast<nv::FragmentType>(fragment.getType()), warps);
  }
  /// Row or column of a slot (i32), in the whole fragment.
  Value rowOf(int64_t slot, int64_t rowSlots);
  Value columnOf(int64_t slot);
  int64_t columnOffset(int64_t slot) { return 8 * (slot / 2) + slot % 2; }

  // MapLowering.cpp
  LogicalResult lowerMap(nv::MapOp op);
  LogicalResult lowerMapAsLoop(nv::MapOp op);
  LogicalResult lowerScalar(Operation *op,
                            llvm::DenseMap<Value, Value> &inside);
  Value lookup(Value value, const llvm::DenseMap<Value, Value> &inside) {
    auto known = inside.find(value);
    return known != inside.end() ? known->second : scalars.at(value);
  }
  Value floorDivide(Value a, Value b);

  // MemoryLowering.cpp
  void lowerWindow(mlir::Operation *op);
  View listRows(Value source, Value list);
  Value readElement(const View &view, mlir::ValueRange indices, Type element);
  Value fromMemory(Value value, Type stored, Type element);
  Value toMemory(Value value, Type stored);
  Type memoryType(Type element);
  int64_t bytesOf(Type element);
  Value address(Value base, Value elements, Type element);
  /// The row of memory that row `row` of a view is, and whether there is one.
  std::pair<Value, Value> findRow(const View &view, Value row);
  Value isAligned(const View &view, int64_t bytes);
  LogicalResult lowerLoad(nv::LoadOp op);
  LogicalResult lowerStore(nv::StoreOp op);

  // CopyLowering.cpp
  /// A tile of a view to a stage of a buffer by `threads` threads, of which
  /// this one is number `own`.
  struct TileCopy {
    Value view, row, column, buffer, stage, own;
    int64_t threads;
  };
  LogicalResult lowerCopy(nv::CopyOp op);
  void copyTile(const TileCopy &copy, llvm::function_ref<void()> copyWhole,
                llvm::function_ref<void()> copyEach);
  void copyRows(const TileCopy &copy);
  void copyEachElement(const TileCopy &copy);
  /// 16 bytes from a row and column of the view, zeros where there are none, to
  /// a place in shared memory.
  void copyPart(const View &view, Value row, Value column, Value isColumn,
                Value to);
  /// The same from a row of memory.
  void copyPartOfRow(const View &view, Value memoryRow, Value isThere,
                     Value column, Value to);
  /// Whether a part of 16 bytes that begins at `column` of a tile, and at
  /// `fromColumn` of the view, has elements.
  Value isPart(nv::BufferType type, const View &view, Value column,
               Value fromColumn);
  /// At which byte of shared memory a part of a row of a buffer begins.
  Value partByte(nv::BufferType type, Value start, Value row, Value part);
  /// Several iterations at once would take registers from what is around.
  void beginShortLoop();
  /// Byte of shared memory at which a stage of a buffer begins.
  Value stageStart(Value buffer, Value stage);
  /// Of byte `byte` + `offset`. What is constant is apart, so that it becomes a
  /// part of the instruction and not an address of its own.
  Value sharedAddress(Value byte, int64_t offset = 0);

  // ProductLowering.cpp
  LogicalResult lowerProduct(nv::MmaOp op);
  Registers loadMatrix(Value byte, int64_t offset, bool isTransposed);
  Registers packOperand(Value fragment, Type element, int64_t rowBlock,
                        int64_t step);

  // FetchLowering.cpp
  void fetchRows(const TileCopy &copy);
  void fetchListed(const TileCopy &copy);

  // RoleLowering.cpp
  void placeShared();
  LogicalResult lowerRoles(nv::RolesOp op);
  void lowerBarriers(nv::BarriersOp op);
  void lowerAwait(nv::AwaitOp op);
  void lowerArrive(nv::ArriveOp op);
  void lowerFetch(nv::FetchOp op);
  Value barrierAddress(Value barriers, Value stage);
  /// A number of 32 bits that instructions take for an address in shared
  /// memory.
  Value sharedNumber(Value byte);

  void initBarriers(int64_t start, int64_t stages, int64_t arrivals);
  void awaitPhase(Value barrier, Value phase);

  // NotFiniteLowering.cpp
  Value isAny(Value condition);
  void meet();
  Value widenHalf(Value word, Type element);
  void findNotFinite(nv::AnyNotFiniteOp op);
  void takeNotFinite(nv::TakeNotFiniteOp op);
  void lowerFlag(nv::FlagOp op);
  void setFlag(nv::SetFlagOp op);
  void awaitFlag(nv::AwaitFlagOp op);

  // WarpgroupLowering.cpp
  void lowerPack(nv::PackOp op);
  LogicalResult beginProduct(nv::MmaAsyncOp op);
  void awaitProducts(nv::MmaWaitOp op);
  Value describe(Value buffer, Value stage, Value offset, int64_t nextColumns);
  /// Assembly that reads and writes memory; `types` are those of its results.
  Registers assembly(llvm::StringRef text, llvm::StringRef constraints,
                     mlir::ValueRange operands, mlir::TypeRange types);
  /// The registers of a value in the order in which they are passed on.
  std::pair<int64_t, Type> registersOf(Type type);

  mlir::OpBuilder &builder;
  nv::KernelOp kernel;
  mlir::Location location;
  int64_t warps, producers;
  int64_t sharedBytes = 0;
  Value words; ///< pointer to the parameter
  Value thread, lane, warp;
  llvm::DenseMap<Value, Value> scalars;
  llvm::DenseMap<Value, View> views;
  llvm::DenseMap<Value, Registers> registers;
  llvm::DenseMap<Value, int64_t> bufferStarts; ///< also of barriers
  struct TensorMap {
    Value address, isThere;
  };
  llvm::DenseMap<Value, TensorMap> maps;
  llvm::DenseMap<Value, Registers> operandsInFlight;
};

/// Names of the module's variables: dynamic shared memory, and zeros in global
/// memory that reads outside of views are directed to.
inline constexpr llvm::StringLiteral kSharedSymbol = "rapt_shared";
inline constexpr llvm::StringLiteral kZerosSymbol = "rapt_zeros";

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_NVTONVVM_THREADLOWERING_H
