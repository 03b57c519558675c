// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The pass.

#include "lib/Conversion/TileToVector/TileToVector.h"
#include "lib/Conversion/TileToVector/ProgramLowering.h"
#include "lib/Conversion/TileToVector/VectorMath.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace rapt {
namespace {
struct TileToVector : PassWrapper<TileToVector, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TileToVector)

  TileToVector() = default;
  TileToVector(const VectorTarget &target, bool isHostPart) {
    lanes32 = target.lanes32;
    l2Bytes = target.l2Bytes;
    scalesByPowers = target.scalesByPowers;
    pairProducts = target.pairProducts;
    isForDevice = isHostPart;
  }
  TileToVector(const TileToVector &other) : PassWrapper(other) {
    lanes32 = other.lanes32.getValue();
    l2Bytes = other.l2Bytes.getValue();
    scalesByPowers = other.scalesByPowers.getValue();
    pairProducts = other.pairProducts.getValue();
    isForDevice = other.isForDevice.getValue();
  }

  StringRef getArgument() const final { return "tile-to-vector"; }
  StringRef getDescription() const final {
    return "Turn tile programs into vector code for a CPU";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect,
                    math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                    vector::VectorDialect>();
  }
  void runOnOperation() override {
    VectorTarget target{lanes32, l2Bytes, scalesByPowers, pairProducts};
    SmallVector<tile::ProgramOp> programs;
    llvm::append_range(programs, getOperation().getOps<tile::ProgramOp>());
    for (tile::ProgramOp program : programs)
      if (failed(conversion::ProgramLowering(program, target, isForDevice)
                     .lower()))
        return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    conversion::populateVectorMathPatterns(patterns, scalesByPowers);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
  }

  Option<int64_t> lanes32{
      *this, "lanes", llvm::cl::init(16),
      llvm::cl::desc("lanes of 32 bits in one vector register")};
  Option<int64_t> l2Bytes{
      *this, "l2", llvm::cl::init(1048576),
      llvm::cl::desc("bytes of a core's second level cache")};
  Option<bool> scalesByPowers{
      *this, "scale-by-powers", llvm::cl::init(false),
      llvm::cl::desc("2^x by the instructions of AVX-512 for powers of two")};
  Option<PairProducts> pairProducts{
      *this, "pairs", llvm::cl::init(PairProducts::None),
      llvm::cl::desc("instructions for products of pairs of bf16"),
      llvm::cl::values(clEnumValN(PairProducts::None, "none", "there are none"),
                       clEnumValN(PairProducts::Avx512, "avx512", "VDPBF16PS"),
                       clEnumValN(PairProducts::Neon, "neon", "BFDOT"))};
  Option<bool> isForDevice{
      *this, "for-device", llvm::cl::init(false),
      llvm::cl::desc("only what plans and launches kernels of a GPU")};
};
} // namespace

std::unique_ptr<Pass> createTileToVector(const VectorTarget &target) {
  return std::make_unique<TileToVector>(target, /*isHostPart=*/false);
}

std::unique_ptr<Pass> createTileToVectorForDevice(int64_t lanes32) {
  return std::make_unique<TileToVector>(VectorTarget{lanes32},
                                        /*isHostPart=*/true);
}

void registerTileToVectorPass() { PassRegistration<TileToVector>(); }

} // namespace rapt
