// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// One definition on its way from text to code.

#ifndef RAPT_LIB_COMPILER_COMPILATION_H
#define RAPT_LIB_COMPILER_COMPILATION_H

#include "lib/Compiler/KernelManifest.h"
#include "lib/Compiler/Pipeline.h"
#include "lib/Compiler/SpecSource.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace rapt {

/// A checked definition, all of whose extents are known, and a target.
struct Compilation {
  const Spec::Source *source = nullptr; ///< Not owned.
  frontend::Spec spec;
  /// For a GPU, the machine that plans calls: this one.
  target::CpuTarget target;
  /// What the kernel takes after the arguments of the spec.
  SequenceForm sequences;
  std::vector<frontend::TensorSignature> sequenceArguments;
  PlanWish plan;
  const target::GpuTarget *gpu = nullptr; ///< Null: the target is a CPU.
  /// Everything that the code depends on but the version and the plan, as text.
  std::string description;
  /// Everything that it depends on.
  std::string cacheKey;

  /// Arguments, further ones and results.
  size_t countTensors() const {
    return spec.arguments.size() + sequenceArguments.size() +
           spec.results.size();
  }
};

/// Everything that needs no dialect: milliseconds at most.
llvm::Expected<Compilation> prepare(const Spec::Source &source,
                                    const CompileOptions &options,
                                    StateRequest states = {});

/// Sets the plan of loops over keys, see CompileOptions::plan.
llvm::Error setPlan(Compilation &compilation, llvm::StringRef plan);

/// What is known before lowering.
KernelManifest makeManifest(const Compilation &compilation);

/// A module and what it lives in.
struct LoweredModule {
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// Emits the definition and lowers it down to `last`.
llvm::Expected<LoweredModule> lowerTo(Stage last,
                                      const Compilation &compilation);

/// Emits the definition in the attn dialect for the Reference: its constants
/// are not rounded to the types of kernels.
llvm::Expected<LoweredModule> emitForReference(const Compilation &compilation);

/// LLVM IR after the middle end.
struct GeneratedModule {
  GeneratedModule();
  GeneratedModule(GeneratedModule &&);
  ~GeneratedModule();
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  LoweringFacts facts;
};

/// For a GPU, the part of the host, whose facts name the kernels.
llvm::Expected<GeneratedModule> generate(const Compilation &compilation);

/// A GPU's kernels down to a step of their road.
llvm::Expected<LoweredModule> lowerKernelsTo(DeviceStage last,
                                             const Compilation &compilation);

/// Code for a GPU and what the host does for it.
struct GeneratedGpuCode {
  GeneratedModule host;
  std::string ptx;
};

/// `whenPtxIsThere` is called before the part of the host is made, which takes
/// about as long as assembling does.
llvm::Expected<GeneratedGpuCode> generateForGpu(
    const Compilation &compilation,
    llvm::function_ref<void(llvm::StringRef ptx)> whenPtxIsThere = nullptr);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_COMPILATION_H
