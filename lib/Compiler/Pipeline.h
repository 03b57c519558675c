// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The ladder of dialects, from an emitted spec to LLVM IR. The driver can stop
/// after every step.

#ifndef RAPT_LIB_COMPILER_PIPELINE_H
#define RAPT_LIB_COMPILER_PIPELINE_H

#include "lib/Target/GpuTarget.h"
#include "lib/Target/Target.h"
#include "lib/Tuning/CpuPlans.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace rapt {

/// A step of the road, in its order, named after what it leaves.
enum class Stage { Attn, Tile, Vector, LLVM };

/// A context with every dialect of the road, without threads of its own: a
/// kernel is too small for them.
std::unique_ptr<mlir::MLIRContext> createContext();

/// Runs one pass. What it reports is in the error.
llvm::Error runPass(mlir::ModuleOp module, std::unique_ptr<mlir::Pass> pass);

/// What plans are chosen for; see tuning::assignPlans.
struct PlanWish {
  tuning::CallSizes sizes;
  tuning::PlanRequest request;
};

/// Lowers `module`, which is at Stage::Attn, down to `last`. What passes report
/// is in the error. Below Stage::Attn the module says the tiles of its loops
/// over keys in the attribute `rapt.tiles`, as text.
llvm::Error lower(mlir::ModuleOp module, Stage last,
                  const target::CpuTarget &target, const PlanWish &wish = {});

/// A step of the road to an NVIDIA GPU, behind Stage::Tile.
enum class DeviceStage { Nv, NVVM };

/// Lowers a module from Stage::Attn to Stage::Tile, with plans for a GPU.
llvm::Error lowerToTiles(mlir::ModuleOp module,
                         const target::GpuTarget &target);

/// Lowers the kernels of such a module down to `last`.
llvm::Error lowerKernels(mlir::ModuleOp module, DeviceStage last);

/// Lowers what the host does for the kernels of such a module to Stage::LLVM.
llvm::Error lowerHostPart(mlir::ModuleOp module,
                          const target::CpuTarget &target);

/// The LLVM IR of a module at Stage::LLVM or DeviceStage::NVVM.
llvm::Expected<std::unique_ptr<llvm::Module>>
translateToLLVM(mlir::ModuleOp module, llvm::LLVMContext &context);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_PIPELINE_H
