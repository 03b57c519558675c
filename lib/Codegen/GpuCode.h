// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// LLVM IR to PTX, and PTX to the code of a GPU.

#ifndef RAPT_LIB_CODEGEN_GPUCODE_H
#define RAPT_LIB_CODEGEN_GPUCODE_H

#include "lib/Target/GpuTarget.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace llvm {
class Module;
} // namespace llvm

namespace rapt::codegen {

/// Cleans up what the lowerings leave and writes PTX. Fails, beside LLVM's own
/// errors, if the code calls a function of a library: there is none to link.
llvm::Expected<std::string> emitPtx(llvm::Module &module,
                                    const target::GpuTarget &target);

/// Adds a constant to a module of the host, which C knows as
/// `const unsigned char NAME[]`.
void embedCode(llvm::Module &module, llvm::StringRef name,
               llvm::StringRef bytes);

/// What the assembler says about one kernel.
struct KernelResources {
  std::string name;
  int64_t registers = 0;  ///< of one thread
  int64_t spillBytes = 0; ///< stored and loaded, of one thread
  int64_t localBytes = 0; ///< stack of one thread
};

struct GpuBinary {
  std::string cubin;
  std::vector<KernelResources> kernels;
  /// Warnings and notes, a line each.
  std::vector<std::string> messages;
};

/// The path of ptxas: below CUDA_HOME, or on the path; nothing if there is
/// none.
std::optional<std::string> findAssembler();

/// Runs ptxas. Fails if there is none, or with what it reports. The code is for
/// `architecture`, by default that of the target.
llvm::Expected<GpuBinary> assemble(llvm::StringRef ptx,
                                   const target::GpuTarget &target,
                                   llvm::StringRef architecture = "");

/// What a user should know: messages, and kernels that do not keep everything
/// in registers.
std::vector<std::string> getWarnings(const GpuBinary &binary);

} // namespace rapt::codegen

#endif // RAPT_LIB_CODEGEN_GPUCODE_H
