// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A kernel of a few instructions, for tests of what makes and runs objects.

#ifndef RAPT_TEST_UNIT_CODEGEN_TINYKERNEL_H
#define RAPT_TEST_UNIT_CODEGEN_TINYKERNEL_H

#include "lib/Support/FloatFormats.h"
#include "lib/Target/Target.h"
#include "llvm/ADT/StringRef.h"
#include <memory>
#include <optional>

namespace llvm {
class LLVMContext;
class MemoryBuffer;
class Module;
} // namespace llvm

namespace rapt::testing {

/// How the kernel differs from a right one.
struct TinyKernelOptions {
  /// Leaves NAME_plan out.
  bool withoutPlan = false;
  /// A function that `run` calls with every element and stores the result of.
  llvm::StringRef callee = "expf";
  /// Rounds to F16 or BF16 and back instead of the call.
  std::optional<support::ElementType> roundTo;
};

/// Entries NAME_workspace, which returns args[1] * 8 + 64; NAME_plan, which
/// stores args[1] in word 0 and zeros (with memset) in the next args[1] words;
/// NAME_run, which computes out[i] = callee(in[i]) for its items, `in` and
/// `out` being args[0] and args[2].
std::unique_ptr<llvm::Module> buildTinyKernel(llvm::LLVMContext &context,
                                              llvm::StringRef name,
                                              TinyKernelOptions options = {});

/// The same as an object, compiled for `target`.
std::unique_ptr<llvm::MemoryBuffer>
compileTinyKernel(llvm::StringRef name, const target::CpuTarget &target,
                  TinyKernelOptions options = {});

} // namespace rapt::testing

#endif // RAPT_TEST_UNIT_CODEGEN_TINYKERNEL_H
