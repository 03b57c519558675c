// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Kernels for other CPUs of the table that this machine can run: other vectors,
// and fewer registers.

#include "KernelCase.h"
#include "lib/Target/Target.h"

using namespace rapt;
using namespace rapt::testing;
using support::ElementType;

namespace {

struct TargetsTest
    : ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(TargetsTest, SameAsReference) {
  auto [target, name] = GetParam();
  auto found = target::findTarget(target);
  ASSERT_TRUE(static_cast<bool>(found));
  if (!target::runsOnHost(*found))
    GTEST_SKIP() << "this machine does not run code for " << target;
  SpecSetting setting = getExample(name);
  setting.extents = {{"dim", 34}, {"vdim", 21}};
  // Not every pair of example and type, but every example and every type.
  const ElementType types[] = {ElementType::F32, ElementType::BF16,
                               ElementType::F16};
  for (size_t n = 0; n < std::size(types); ++n) {
    if (!isNightly() && std::hash<std::string>()(target + name) % 3 != n)
      continue;
    setting.type = types[n];
    auto kernel = KernelCase::create(setting, target);
    ASSERT_TRUE(kernel);
    resize(*kernel, {1, 4, 2, 70, 131}, 1);
    kernel->check();
    resize(*kernel, {2, 2, 1, 1, 40}, 2);
    kernel->check(2);
  }
}

std::vector<std::string> getTargetNames() {
  if (!isNightly()) // AVX2 and 16 registers; the host has the others
    return {"x86-64-v3"};
  std::vector<std::string> names;
  for (const target::CpuTarget &target : target::getKnownTargets())
    names.push_back(target.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(
    Cpu, TargetsTest,
    ::testing::Combine(::testing::ValuesIn(getTargetNames()),
                       ::testing::ValuesIn(getExampleNames())),
    [](const auto &info) {
      std::string name =
          std::get<0>(info.param) + "_" + std::get<1>(info.param);
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

} // namespace
