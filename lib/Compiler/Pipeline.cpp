// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/Pipeline.h"
#include "dialects/Attn/IR/Attn.h"
#include "dialects/Tile/IR/Tile.h"
#include "lib/Compiler/LowerToLLVM.h"
#include "lib/Conversion/AttnToTile/AttnToTile.h"
#include "lib/Conversion/TileToVector/TileToVector.h"
#include "lib/Tuning/CpuPlans.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/Module.h"

using namespace mlir;

namespace rapt {

std::unique_ptr<MLIRContext> createContext() {
  DialectRegistry registry;
  registry.insert<attn::AttnDialect, tile::TileDialect>();
  registerLoweringDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  auto context =
      std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  context->loadAllAvailableDialects();
  return context;
}

/// Runs passes; what they report is the error.
static llvm::Error runPasses(PassManager &passes, ModuleOp module) {
#ifdef NDEBUG
  // Half of the time of small modules.
  passes.enableVerifier(false);
#endif
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
  PassManager passes(module.getContext(), ModuleOp::getOperationName());
  passes.addPass(std::move(pass));
  return runPasses(passes, module);
}

llvm::Error lower(ModuleOp module, Stage last, const target::CpuTarget &target,
                  int64_t fewRows) {
  if (last == Stage::Attn)
    return llvm::Error::success();
  if (llvm::Error error = tuning::assignPlans(module, target, fewRows))
    return error;
  PassManager passes(module.getContext(), ModuleOp::getOperationName());
  passes.addPass(createAttnToTile());
  passes.addPass(createCSEPass());
  passes.addPass(createCanonicalizerPass());
  if (last >= Stage::Vector) {
    passes.addPass(createTileToVector(target.getLanes32()));
    passes.addPass(createCanonicalizerPass());
    passes.addPass(createCSEPass());
  }
  if (last >= Stage::LLVM) {
    passes.addPass(createLowerToLLVM());
    passes.addPass(createCSEPass());
  }
  return runPasses(passes, module);
}

llvm::Expected<std::unique_ptr<llvm::Module>>
translateToLLVM(ModuleOp module, llvm::LLVMContext &context) {
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(module, context, "kernel");
  if (!translated)
    return llvm::createStringError("the module does not translate to LLVM IR");
  return translated;
}

} // namespace rapt
