// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/NvToNVVM/NvToNVVM.h"
#include "lib/Conversion/NvToNVVM/ThreadLowering.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Approximation.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace rapt {
namespace {

using conversion::ThreadLowering;

LogicalResult lowerKernels(ModuleOp module) {
  OpBuilder builder(module.getContext());
  SmallVector<nv::KernelOp> kernels(module.getOps<nv::KernelOp>());
  builder.setInsertionPointToStart(module.getBody());
  Type byte = builder.getI8Type();
  LLVM::GlobalOp::create(builder, module.getLoc(),
                         LLVM::LLVMArrayType::get(byte, 0),
                         /*isConstant=*/false, LLVM::Linkage::External,
                         conversion::kSharedSymbol, Attribute(),
                         /*alignment=*/1024, /*addrSpace=*/3);
  auto zeros = DenseElementsAttr::get(RankedTensorType::get({16}, byte),
                                      builder.getI8IntegerAttr(0).getValue());
  LLVM::GlobalOp::create(builder, module.getLoc(),
                         LLVM::LLVMArrayType::get(byte, 16),
                         /*isConstant=*/true, LLVM::Linkage::Internal,
                         conversion::kZerosSymbol, zeros, /*alignment=*/16,
                         /*addrSpace=*/1);
  SmallVector<int64_t> threads, shared, maps;
  for (nv::KernelOp kernel : kernels) {
    builder.setInsertionPoint(kernel);
    // The kernel gives its name to the function.
    ThreadLowering lowering(builder, kernel);
    if (failed(lowering.lower()))
      return failure();
    threads.push_back(lowering.getThreads());
    shared.push_back(lowering.getSharedBytes());
    maps.push_back(
        llvm::count_if(kernel.getBody().front().getArgumentTypes(),
                       [](Type type) { return isa<nv::TensorMapType>(type); }));
    kernel.erase();
  }
  module->setAttr("rapt.threads", builder.getDenseI64ArrayAttr(threads));
  module->setAttr("rapt.maps", builder.getDenseI64ArrayAttr(maps));
  module->setAttr("rapt.shared", builder.getDenseI64ArrayAttr(shared));
  return success();
}

/// Functions that no instruction has are polynomials, before anything else.
LogicalResult approximate(ModuleOp module) {
  bool isNeeded = false;
  module.walk([&](Operation *op) {
    isNeeded |= isa<math::ExpM1Op, math::Log1pOp, math::AcosOp>(op);
  });
  if (!isNeeded)
    return success();
  RewritePatternSet patterns(module.getContext());
  populateMathPolynomialApproximationPatterns(
      patterns, MathPolynomialApproximationOptions());
  return applyPatternsGreedily(module, std::move(patterns));
}

LogicalResult lowerControlFlow(ModuleOp module) {
  RewritePatternSet patterns(module.getContext());
  populateSCFToControlFlowConversionPatterns(patterns);
  ConversionTarget target(*module.getContext());
  target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
  target.addIllegalDialect<scf::SCFDialect>();
  return applyPartialConversion(module, target, std::move(patterns));
}

LogicalResult convertToLLVM(ModuleOp module) {
  MLIRContext *context = module.getContext();
  LLVMTypeConverter converter(context);
  RewritePatternSet patterns(context);
  arith::populateCeilFloorDivExpandOpsPatterns(patterns);
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  populateMathToLLVMConversionPatterns(converter, patterns,
                                       /*approximateLog1p=*/false);
  cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
  ConversionTarget target(*context);
  target.addLegalOp<ModuleOp>();
  target.addLegalDialect<LLVM::LLVMDialect, NVVM::NVVMDialect>();
  target.addIllegalDialect<arith::ArithDialect, cf::ControlFlowDialect,
                           math::MathDialect>();
  return applyPartialConversion(module, target, std::move(patterns));
}

struct NvToNVVM : PassWrapper<NvToNVVM, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(NvToNVVM)

  StringRef getArgument() const final { return "nv-to-nvvm"; }
  StringRef getDescription() const final {
    return "Turn kernels of blocks of threads into code of their threads";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry
        .insert<arith::ArithDialect, cf::ControlFlowDialect, LLVM::LLVMDialect,
                math::MathDialect, NVVM::NVVMDialect, scf::SCFDialect>();
  }
  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (failed(lowerKernels(module)) || failed(approximate(module)) ||
        failed(lowerControlFlow(module)) || failed(convertToLLVM(module)))
      signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> createNvToNVVM() { return std::make_unique<NvToNVVM>(); }

void registerNvToNVVMPass() { PassRegistration<NvToNVVM>(); }

} // namespace rapt
