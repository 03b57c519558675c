// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// LLVM IR to object code or assembly.

#ifndef RAPT_LIB_CODEGEN_CODEGEN_H
#define RAPT_LIB_CODEGEN_CODEGEN_H

#include "lib/Target/Target.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>

namespace llvm {
class MemoryBuffer;
class Module;
} // namespace llvm

namespace rapt::codegen {

/// Sets triple, data layout, `target-cpu`, `target-features` and
/// `prefer-vector-width` of the module and its functions and cleans up what the
/// lowerings leave.
llvm::Error optimize(llvm::Module &module, const target::CpuTarget &target);

/// A position-independent object file for the small code model.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
emitObject(llvm::Module &module, const target::CpuTarget &target);

llvm::Expected<std::string> emitAssembly(llvm::Module &module,
                                         const target::CpuTarget &target);

/// Links one object into a shared object at `path` with the system's linker.
llvm::Error linkSharedObject(const llvm::MemoryBuffer &object,
                             llvm::StringRef path);

} // namespace rapt::codegen

#endif // RAPT_LIB_CODEGEN_CODEGEN_H
