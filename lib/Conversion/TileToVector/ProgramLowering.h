// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A tile.program to the entries of the kernel contract. Internal to the
/// conversion.

#ifndef RAPT_LIB_CONVERSION_TILETOVECTOR_PROGRAMLOWERING_H
#define RAPT_LIB_CONVERSION_TILETOVECTOR_PROGRAMLOWERING_H

#include "lib/Conversion/TileToVector/RunTables.h"
#include "lib/Conversion/TileToVector/TileToVector.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseSet.h"
#include <optional>

namespace rapt::conversion {

class ProgramLowering {
public:
  using Value = mlir::Value;
  using Operation = mlir::Operation;
  using LogicalResult = mlir::LogicalResult;
  using Type = mlir::Type;

  /// With `isForDevice` kernels are left to a GPU, and there is an entry that
  /// says how they are launched.
  ProgramLowering(tile::ProgramOp program, const VectorTarget &machine,
                  bool isForDevice)
      : program(program), builder(program), location(program.getLoc()),
        machine(machine), lanes32(machine.lanes32), isForDevice(isForDevice),
        module(program->getParentOfType<mlir::ModuleOp>()),
        pointer(mlir::LLVM::LLVMPointerType::get(program.getContext())) {}

  LogicalResult lower();

private:
  static constexpr int64_t kAlignment = 64; ///< of all memory, in bytes

  void findContiguous();
  mlir::MemRefType memoryOf(Value view);
  mlir::func::FuncOp createFunction(llvm::StringRef suffix,
                                    mlir::TypeRange arguments,
                                    mlir::TypeRange results, bool isPrivate);
  Value i64(int64_t value) {
    return mlir::arith::ConstantOp::create(builder, location,
                                           builder.getI64IntegerAttr(value));
  }
  Value toI64(Value index) {
    return mlir::arith::IndexCastOp::create(builder, location,
                                            builder.getI64Type(), index);
  }
  Value index(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(builder, location, value);
  }

  /// Values of the program in the function that is being built: arguments from
  /// their words, workspaces (if there is memory for them) and scalars.
  LogicalResult copyProgram(Value args, Value memory, Operation *until);
  void storeWord(Value array, int64_t number, Value word);
  ScalarBuilder emit() { return {builder, location}; }
  LogicalResult emitWorkspace();
  LogicalResult emitPlan();
  LogicalResult emitLaunch(tile::LaunchOp launch, int64_t number);
  LogicalResult emitRun();

  // ProgramPlans.cpp
  Value takeWorkspace(Value memory, Value bytes);
  Value takeArray(Value memory, Value count);
  Value takeView(Value memory, Value view, llvm::ArrayRef<Value> sizes);
  LogicalResult bindLists(Operation *op, Value memory);
  void callSort(llvm::ArrayRef<Value> arguments);
  void bindPyramid(tile::PyramidOp op, Value memory);
  void bindTable(tile::PlanRunsOp op, Value memory);
  LogicalResult planTable(tile::PlanRunsOp op);
  bool fills(Operation *op) const;

  // LatePlans.cpp
  LogicalResult findSteps();
  LogicalResult emitLatePlan(int64_t number);

  // DeviceLaunches.cpp
  LogicalResult emitDeviceLaunches();
  LogicalResult packLaunch(tile::LaunchOp launch, Value args, Value memory,
                           Value moved, Value words);
  void packMap(Value argument, int64_t rows, Value moved, Value words,
               int64_t first);

  tile::ProgramOp program;
  mlir::OpBuilder builder;
  mlir::Location location;
  VectorTarget machine;
  int64_t lanes32;
  bool isForDevice;
  mlir::ModuleOp module;
  Type pointer;
  llvm::DenseMap<Value, Value> values;
  llvm::DenseMap<Value, PyramidMemory> pyramids;
  llvm::DenseMap<Value, RunTable> tables;
  /// Extents of lists and workspaces, also where there is no memory for them.
  llvm::DenseMap<Value, llvm::SmallVector<Value>> viewSizes;
  llvm::DenseSet<Value> contiguous;
  llvm::SmallVector<tile::LaunchOp> launches;
  /// What a call does one after the other, each a launch of the contract: a
  /// kernel of the program, or what is planned from the results of those
  /// before.
  struct Step {
    tile::LaunchOp launch; ///< of the kernel, or the one that is planned for
    bool isPlan;
  };
  llvm::SmallVector<Step> steps;
  /// What is not planned before the first launch, and the step that plans it.
  llvm::DenseMap<Operation *, int64_t> late;
  llvm::SmallVector<tile::PlanRunsOp> plannedRuns;
  /// Bytes that the head and the workspaces met so far take.
  Value workspaceEnd;
  /// How many runs a workspace has memory for at first.
  Value leastRuns;
  /// How many runs the tables have that are planned late.
  Value lateRuns;
  /// In a function that plans: the step that it is of, or none if it is the
  /// plan entry; the first free run, and how many there may be.
  std::optional<int64_t> planStep;
  Value cursor, capacity;
};

} // namespace rapt::conversion

#endif // RAPT_LIB_CONVERSION_TILETOVECTOR_PROGRAMLOWERING_H
