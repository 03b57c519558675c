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

void dropTunedPlan(Compilation &compilation, llvm::Error error,
                   std::vector<std::string> &warnings) {
  warnings.push_back("tuned plan is not usable: " + toString(std::move(error)) +
                     "; choosing one");
  llvm::cantFail(setPlan(compilation, ""), "an empty text asks for nothing");
}

bool useTunedPlan(const runtime::KernelCache &cache, Compilation &compilation,
                  std::vector<std::string> &warnings) {
  llvm::Expected<std::string> plan = findTunedPlan(cache, compilation);
  llvm::Error error = plan ? setPlan(compilation, *plan) : plan.takeError();
  if (error)
    dropTunedPlan(compilation, std::move(error), warnings);
  else
    return !plan->empty();
  return false;
}

llvm::Error storeTunedPlan(const runtime::KernelCache &cache,
                           const Compilation &compilation,
                           llvm::StringRef plan) {
  return cache.store(getKey(compilation), {plan.str(), ""});
}

} // namespace rapt
