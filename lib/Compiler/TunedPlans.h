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

/// Chooses the plan again, because of `error`, which becomes a warning.
void dropTunedPlan(Compilation &compilation, llvm::Error error,
                   std::vector<std::string> &warnings);

/// Gives `compilation` the plan that was kept for such kernels, if there is
/// one. Returns whether there is; what is wrong with it becomes a warning.
bool useTunedPlan(const runtime::KernelCache &cache, Compilation &compilation,
                  std::vector<std::string> &warnings);

/// Calls `generate` for `compilation`, and once more with a chosen plan if that
/// fails with a tuned one: a plan outlives versions of the compiler, which may
/// ask more of plans.
template <typename Generate>
auto withUsablePlan(Compilation &compilation, bool isTuned,
                    std::vector<std::string> &warnings, Generate generate)
    -> decltype(generate(compilation)) {
  auto generated = generate(compilation);
  if (generated || !isTuned)
    return generated;
  dropTunedPlan(compilation, generated.takeError(), warnings);
  return generate(compilation);
}

/// Keeps a plan, in place of an earlier one; an empty text means the plan that
/// is chosen. It outlives versions of the compiler.
llvm::Error storeTunedPlan(const runtime::KernelCache &cache,
                           const Compilation &compilation,
                           llvm::StringRef plan);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_TUNEDPLANS_H
