// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/TileToNv/TileToNv.h"
#include "lib/Conversion/TileToNv/KernelToNv.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace rapt {
namespace {

LogicalResult lowerProgram(tile::ProgramOp program) {
  OpBuilder builder(program);
  SmallVector<tile::LaunchOp> launches;
  llvm::append_range(launches, program.getBody().getOps<tile::LaunchOp>());
  llvm::SetVector<tile::KernelOp> kernels; // which several launches may share
  for (auto [n, launch] : llvm::enumerate(launches)) {
    auto kernel = SymbolTable::lookupNearestSymbolFrom<tile::KernelOp>(
        program->getParentOp(), launch.getKernelAttr());
    std::string name = (program.getSymName() + "_launch" + Twine(n)).str();
    if (failed(conversion::KernelToNv(builder, launch, kernel).lower(name)))
      return failure();
    kernels.insert(kernel);
  }
  program.erase();
  for (tile::KernelOp kernel : kernels)
    kernel.erase();
  return success();
}

struct TileToNv : PassWrapper<TileToNv, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TileToNv)

  StringRef getArgument() const final { return "tile-to-nv"; }
  StringRef getDescription() const final {
    return "Turn tile programs into kernels for an NVIDIA GPU";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, nv::NvDialect, scf::SCFDialect>();
  }
  void runOnOperation() override {
    SmallVector<tile::ProgramOp> programs;
    llvm::append_range(programs, getOperation().getOps<tile::ProgramOp>());
    for (tile::ProgramOp program : programs)
      if (failed(lowerProgram(program)))
        return signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> createTileToNv() { return std::make_unique<TileToNv>(); }

void registerTileToNvPass() { PassRegistration<TileToNv>(); }

} // namespace rapt
