// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/Pipeline.h"
#include "dialects/Attn/IR/Attn.h"
#include "dialects/Nv/IR/Nv.h"
#include "dialects/Tile/IR/Tile.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/LowerToLLVM.h"
#include "lib/Conversion/AttnToTile/AttnToTile.h"
#include "lib/Conversion/NvToNVVM/NvToNVVM.h"
#include "lib/Conversion/TileToNv/TileToNv.h"
#include "lib/Conversion/TileToVector/TileToVector.h"
#include "lib/Tuning/GpuPlans.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Module.h"

using namespace mlir;

namespace rapt {

std::unique_ptr<MLIRContext> createContext() {
  DialectRegistry registry;
  registry.insert<attn::AttnDialect, nv::NvDialect, NVVM::NVVMDialect,
                  tile::TileDialect>();
  registerLoweringDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
  auto context =
      std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  context->loadAllAvailableDialects();
  return context;
}

/// Runs the passes that `add` adds. What they report is in the error.
static llvm::Error runPasses(ModuleOp module,
                             llvm::function_ref<void(PassManager &)> add) {
  PassManager passes(module.getContext(), ModuleOp::getOperationName());
#ifdef NDEBUG
  // Half of the time of small modules.
  passes.enableVerifier(false);
#endif
  add(passes);
  std::string reports;
  ScopedDiagnosticHandler handler(
      module.getContext(), [&](Diagnostic &diagnostic) {
        if (!reports.empty())
          reports += "\n";
        llvm::raw_string_ostream(reports)
            << diagnostic.getLocation() << ": " << diagnostic;
        return success();
      });
  if (succeeded(passes.run(module)))
    return llvm::Error::success();
  return llvm::createStringError(reports.empty() ? "a pass failed" : reports);
}

llvm::Error runPass(ModuleOp module, std::unique_ptr<Pass> pass) {
  return runPasses(
      module, [&](PassManager &passes) { passes.addPass(std::move(pass)); });
}

static void addTilePasses(PassManager &passes) {
  passes.addPass(createAttnToTile());
  passes.addPass(createCSEPass());
  passes.addPass(createCanonicalizerPass());
}

/// The plans of the kinds of loops over keys.
static void noteTiles(ModuleOp module, ArrayRef<tile::PlanAttr> kinds) {
  llvm::SmallVector<std::string> plans;
  for (tile::PlanAttr plan : kinds)
    plans.push_back(tuning::printPlan(plan));
  std::string separator{tuning::kPlanSeparator, ' '};
  module->setAttr("rapt.tiles", StringAttr::get(module.getContext(),
                                                llvm::join(plans, separator)));
}

static PairProducts getPairProducts(const target::CpuTarget &target) {
  switch (target.bf16Dots.instruction) {
  case target::DotProducts::Instruction::None:
    return PairProducts::None;
  case target::DotProducts::Instruction::Vdpbf16ps:
    return PairProducts::Avx512;
  case target::DotProducts::Instruction::Bfdot:
    return PairProducts::Neon;
  }
  llvm_unreachable("every instruction has a name here");
}

llvm::Error lower(ModuleOp module, Stage last, const target::CpuTarget &target,
                  const PlanWish &wish) {
  if (last == Stage::Attn)
    return llvm::Error::success();
  auto kinds = tuning::assignPlans(module, target, wish.sizes, wish.request);
  if (!kinds)
    return wish.request.isEmpty()
               ? kinds.takeError()
               : withCode(ErrorCode::InvalidArgument, kinds.takeError());
  noteTiles(module, *kinds);
  return runPasses(module, [&](PassManager &passes) {
    addTilePasses(passes);
    if (last == Stage::Tile)
      return;
    passes.addPass(
        createTileToVector({target.getLanes32(), target.l2Bytes,
                            target.scalesByPowers, getPairProducts(target)}));
    // LLVM's middle end cleans up, in a third of the time.
    if (last == Stage::LLVM)
      return passes.addPass(createLowerToLLVM());
    passes.addPass(createCanonicalizerPass());
    passes.addPass(createCSEPass());
  });
}

llvm::Error lowerToTiles(ModuleOp module, const target::GpuTarget &target) {
  if (llvm::Error error = tuning::assignPlans(module, target))
    return error;
  return runPasses(module, addTilePasses);
}

llvm::Error lowerKernels(ModuleOp module, DeviceStage last) {
  return runPasses(module, [&](PassManager &passes) {
    passes.addPass(createTileToNv());
    passes.addPass(createCSEPass());
    passes.addPass(createCanonicalizerPass());
    if (last == DeviceStage::Nv)
      return;
    passes.addPass(createNvToNVVM());
    passes.addPass(createCSEPass());
  });
}

llvm::Error lowerHostPart(ModuleOp module, const target::CpuTarget &target) {
  return runPasses(module, [&](PassManager &passes) {
    passes.addPass(createTileToVectorForDevice(target.getLanes32()));
    passes.addPass(createLowerToLLVM());
  });
}

llvm::Expected<std::unique_ptr<llvm::Module>>
translateToLLVM(ModuleOp module, llvm::LLVMContext &context) {
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(module, context, "kernel",
                              /*disableVerification=*/true); // codegen does
  if (!translated)
    return llvm::createStringError("the module does not translate to LLVM IR");
  return translated;
}

} // namespace rapt
