// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Plans that were measured to be faster than those that are chosen, kept
/// beside the kernels.

#ifndef RAPT_LIB_COMPILER_TUNEDPLANS_H
#define RAPT_LIB_COMPILER_TUNEDPLANS_H

#include "lib/Compiler/Compilation.h"
#include "lib/Runtime/KernelCache.h"

namespace rapt {

/// What CompileOptions::plan shall say of such a kernel on this kind of
/// machine; empty: nothing was kept. Fails if the entry is corrupt.
llvm::Expected<std::string> findTunedPlan(const runtime::KernelCache &cache,
                                          const Compilation &compilation);

/// Keeps a plan, in place of an earlier one; an empty text means the plan that
/// is chosen. It outlives versions of the compiler.
llvm::Error storeTunedPlan(const runtime::KernelCache &cache,
                           const Compilation &compilation,
                           llvm::StringRef plan);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_TUNEDPLANS_H
