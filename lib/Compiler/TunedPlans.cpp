// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/TunedPlans.h"

namespace rapt {

/// No key of a kernel begins so.
static std::string getKey(const Compilation &compilation) {
  return "tuned plan\n" + compilation.description;
}

llvm::Expected<std::string> findTunedPlan(const runtime::KernelCache &cache,
                                          const Compilation &compilation) {
  auto found = cache.find(getKey(compilation));
  if (!found)
    return found.takeError();
  return *found ? (*found)->manifest : std::string();
}

llvm::Error storeTunedPlan(const runtime::KernelCache &cache,
                           const Compilation &compilation,
                           llvm::StringRef plan) {
  return cache.store(getKey(compilation), {plan.str(), ""});
}

} // namespace rapt
