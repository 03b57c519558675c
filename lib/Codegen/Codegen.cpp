// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Codegen/Codegen.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Target/TargetOptions.h"
#include <mutex>

using llvm::Error;
using llvm::Expected;
using rapt::target::CpuTarget;

namespace rapt::codegen {

//===----------------------------------------------------------------------===//
// The target machine
//===----------------------------------------------------------------------===//

static void initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
  });
}

static Expected<std::unique_ptr<llvm::TargetMachine>>
createTargetMachine(const CpuTarget &target) {
  initializeTargets();
  llvm::Triple triple(target.triple);
  std::string error;
  const llvm::Target *backend =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!backend)
    return llvm::createStringError("target '" + target.name +
                                   "': no code generator for '" +
                                   target.triple + "'");
  // A target machine takes any CPU and prints a warning for one it does not
  // know.
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget(
      backend->createMCSubtargetInfo(triple, "", ""));
  if (!subtarget || !subtarget->isCPUStringValid(target.cpu))
    return llvm::createStringError(
        "target '" + target.name + "': unknown CPU '" + target.cpu + "' for " +
        llvm::Triple::getArchTypeName(triple.getArch()));
  // Left to themselves JIT users get the large code model and static
  // relocation, whose objects no linker likes.
  std::unique_ptr<llvm::TargetMachine> machine(backend->createTargetMachine(
      triple, target.cpu, target.features, llvm::TargetOptions(),
      llvm::Reloc::PIC_, llvm::CodeModel::Small,
      llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    return llvm::createStringError("target '" + target.name +
                                   "': cannot create its code generator");
  return machine;
}

/// Says in the module what it is compiled for: the middle end decides by these
/// attributes, not by the target machine.
static void setTarget(llvm::Module &module, const CpuTarget &target,
                      const llvm::TargetMachine &machine) {
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.cpu);
    if (target.features.empty())
      function.removeFnAttr("target-features");
    else
      function.addFnAttr("target-features", target.features);
    function.addFnAttr("prefer-vector-width",
                       std::to_string(target.vectorBits));
  }
}

//===----------------------------------------------------------------------===//
// Errors of LLVM
//===----------------------------------------------------------------------===//

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

/// Runs `work` and returns what LLVM reports as errors meanwhile.
static Error collectErrors(llvm::LLVMContext &context,
                           llvm::function_ref<void()> work) {
  std::string errors;
  std::unique_ptr<llvm::DiagnosticHandler> before =
      context.getDiagnosticHandler();
  context.setDiagnosticHandler(std::make_unique<ErrorCollector>(errors));
  work();
  context.setDiagnosticHandler(std::move(before));
  if (errors.empty())
    return Error::success();
  return llvm::createStringError("code generation failed: " + errors);
}

//===----------------------------------------------------------------------===//
// The steps
//===----------------------------------------------------------------------===//

Error optimize(llvm::Module &module, const CpuTarget &target) {
  auto machine = createTargetMachine(target);
  if (!machine)
    return machine.takeError();
  setTarget(module, target, **machine);

  std::string invalid;
  llvm::raw_string_ostream stream(invalid);
  if (llvm::verifyModule(module, &stream))
    return llvm::createStringError("invalid LLVM IR: " +
                                   llvm::StringRef(invalid).trim());

  llvm::PassBuilder builder(machine->get());
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  // The kernels come unrolled and in vectors. What is left: the pieces of
  // descriptors, addresses and values that do not change in a loop. The code is
  // as fast as after O1, which takes seven times as long.
  llvm::ModulePassManager passes;
  if (llvm::Error error = builder.parsePassPipeline(
          passes, "function(sroa,early-cse<memssa>,simplifycfg,"
                  "loop-mssa(licm),instcombine<no-verify-fixpoint>,"
                  "simplifycfg,adce)"))
    return error;
  return collectErrors(module.getContext(),
                       [&] { passes.run(module, modules); });
}

namespace {
/// Leaves out what costs a fifth of the time of code generation and gains
/// kernels nothing: their loops step through memory by constants, and addresses
/// that do not change are outside of them already.
class KernelPasses final : public llvm::legacy::PassManager {
public:
  void add(llvm::Pass *pass) override {
    llvm::StringRef name = pass->getPassName();
    if (name == "Loop Strength Reduction" ||
        name == "Canonicalize Freeze Instructions in Loops")
      delete pass; // which the manager would have done
    else
      llvm::legacy::PassManager::add(pass);
  }
};
} // namespace

static Error emit(llvm::Module &module, const CpuTarget &target,
                  llvm::CodeGenFileType kind, llvm::raw_pwrite_stream &stream) {
  auto machine = createTargetMachine(target);
  if (!machine)
    return machine.takeError();
  setTarget(module, target, **machine);
  KernelPasses passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr, kind))
    return llvm::createStringError("target '" + target.name +
                                   "': cannot write this kind of file");
  return collectErrors(module.getContext(), [&] { passes.run(module); });
}

Expected<std::unique_ptr<llvm::MemoryBuffer>>
emitObject(llvm::Module &module, const CpuTarget &target) {
  llvm::SmallVector<char, 0> bytes;
  {
    llvm::raw_svector_ostream stream(bytes);
    if (Error error =
            emit(module, target, llvm::CodeGenFileType::ObjectFile, stream))
      return error;
  }
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(
      std::move(bytes), module.getModuleIdentifier(),
      /*RequiresNullTerminator=*/false);
}

Expected<std::string> emitAssembly(llvm::Module &module,
                                   const CpuTarget &target) {
  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  if (Error error =
          emit(module, target, llvm::CodeGenFileType::AssemblyFile, stream))
    return error;
  return stream.str().str();
}

} // namespace rapt::codegen
