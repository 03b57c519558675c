// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Kernels of one block of threads to what each of its threads does.

#ifndef RAPT_LIB_CONVERSION_NVTONVVM_NVTONVVM_H
#define RAPT_LIB_CONVERSION_NVTONVVM_NVTONVVM_H

#include <memory>

namespace mlir {
class Pass;
} // namespace mlir

namespace rapt {

/// Needs: a module of nv.kernel operations. Ensures: a module of the LLVM and
/// NVVM dialects with one entry point for each, whose one parameter is the
/// array of words of lib/Support/LaunchWords.h; and on the module
/// `rapt.threads` and `rapt.shared`, the threads of a block and the bytes of
/// dynamic shared memory of each kernel. Cost: linear in the number of
/// elements that a thread has of the fragments.
///
/// Everything that a thread has of a fragment is in registers of its own, so
/// that elements have names. Nothing calls a library.
std::unique_ptr<mlir::Pass> createNvToNVVM();

/// Registers the pass as `nv-to-nvvm`.
void registerNvToNVVMPass();

} // namespace rapt

#endif // RAPT_LIB_CONVERSION_NVTONVVM_NVTONVVM_H
