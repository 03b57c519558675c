// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Codegen/GpuCode.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Target/TargetOptions.h"
#include <mutex>

using llvm::Error;
using llvm::Expected;
using rapt::target::GpuTarget;

namespace rapt::codegen {

static Expected<std::unique_ptr<llvm::TargetMachine>>
createMachine(const GpuTarget &target) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  llvm::Triple triple(target::kGpuTriple);
  std::string error;
  const llvm::Target *backend =
      llvm::TargetRegistry::lookupTarget(triple, error);
  std::unique_ptr<llvm::TargetMachine> machine;
  if (backend)
    machine.reset(backend->createTargetMachine(
        triple, target.name, target.features, llvm::TargetOptions(),
        std::nullopt, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    return llvm::createStringError("target '" + target.name +
                                   "': cannot create its code generator");
  return machine;
}

namespace {
/// LLVM's own handler prints an error and ends the process.
struct ErrorCollector : llvm::DiagnosticHandler {
  explicit ErrorCollector(std::string &errors) : errors(errors) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    if (info.getSeverity() != llvm::DS_Error)
      return true;
    llvm::raw_string_ostream stream(errors);
    if (!errors.empty())
      stream << "; ";
    llvm::DiagnosticPrinterRawOStream printer(stream);
    info.print(printer);
    return true;
  }
  std::string &errors;
};
} // namespace

/// A function that is declared and called, and is not one of LLVM's own.
static Error checkCalls(const llvm::Module &module) {
  for (const llvm::Function &function : module)
    if (function.isDeclaration() && !function.isIntrinsic() &&
        !function.use_empty())
      return llvm::createStringError("the code calls '" + function.getName() +
                                     "', which no library here has");
  return Error::success();
}

/// Inline assembly may synchronise threads, but MLIR cannot say so: without the
/// mark LLVM copies a barrier into both sides of a branch.
static void markConvergent(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function))
      if (auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction))
        if (call->isInlineAsm())
          call->setConvergent();
}

Expected<std::string> emitPtx(llvm::Module &module, const GpuTarget &target) {
  auto machine = createMachine(target);
  if (!machine)
    return machine.takeError();
  module.setTargetTriple((*machine)->getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  markConvergent(module);
  std::string invalid;
  llvm::raw_string_ostream stream(invalid);
  if (llvm::verifyModule(module, &stream))
    return llvm::createStringError("invalid LLVM IR: " +
                                   llvm::StringRef(invalid).trim());

  std::string errors;
  std::unique_ptr<llvm::DiagnosticHandler> before =
      module.getContext().getDiagnosticHandler();
  module.getContext().setDiagnosticHandler(
      std::make_unique<ErrorCollector>(errors));
  // What is left as a loop is meant to stay one: unrolled, it would take the
  // registers of the loop around it.
  llvm::PipelineTuningOptions tuning;
  tuning.LoopUnrolling = false;
  llvm::PassBuilder builder(machine->get(), tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2)
      .run(module, modules);

  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream out(text);
  llvm::legacy::PassManager passes;
  bool cannotWrite = (*machine)->addPassesToEmitFile(
      passes, out, nullptr, llvm::CodeGenFileType::AssemblyFile);
  if (!cannotWrite)
    passes.run(module);
  module.getContext().setDiagnosticHandler(std::move(before));
  if (cannotWrite)
    return llvm::createStringError("target '" + target.name +
                                   "': cannot write PTX");
  if (!errors.empty())
    return llvm::createStringError("code generation failed: " + errors);
  if (Error error = checkCalls(module))
    return std::move(error);
  return out.str().str();
}

void embedCode(llvm::Module &module, llvm::StringRef name,
               llvm::StringRef bytes) {
  constexpr uint64_t alignment = 16;
  llvm::Constant *data = llvm::ConstantDataArray::getString(
      module.getContext(), bytes, /*AddNull=*/false);
  auto *variable =
      new llvm::GlobalVariable(module, data->getType(), /*isConstant=*/true,
                               llvm::GlobalValue::ExternalLinkage, data, name);
  variable->setAlignment(llvm::Align(alignment));
}

} // namespace rapt::codegen
