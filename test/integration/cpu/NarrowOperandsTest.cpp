// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Values of 16 bits, of which products widen some columns at a time: widths and
// blocks where these begin inside of a vector, or the last are fewer.

#include "KernelCase.h"
#include "lib/Target/Target.h"

using namespace rapt;
using namespace rapt::testing;
using support::ElementType;

namespace {

struct NarrowOperandsTest
    : ::testing::TestWithParam<std::tuple<std::string, ElementType, bool>> {};

TEST_P(NarrowOperandsTest, EveryColumnIsItsOwn) {
  auto [name, type, hasPairs] = GetParam();
  auto target = target::findTarget(name);
  ASSERT_TRUE(static_cast<bool>(target));
  if (!target::runsOnHost(*target))
    GTEST_SKIP() << "this machine does not run code for " << name;
  if (hasPairs && !target->bf16Dots.exist())
    GTEST_SKIP() << name << " has no dot products of bf16";
  SpecSetting setting = getExample("causal");
  setting.type = type;
  int64_t lanes = target->getLanes32();
  for (int64_t rows : {5, 7, 9, 10, 12, 22}) {
    if (rows + 4 > target->vectorRegisters)
      continue;
    for (int64_t width : {5 * lanes, 6 * lanes, 8 * lanes, 9 * lanes + 3}) {
      setting.extents = {{"dim", 40}, {"vdim", width}};
      std::string plan =
          "queries=" + std::to_string(lanes) + ",rows=" + std::to_string(rows) +
          ",sweep=" + std::to_string(rows) + (hasPairs ? ",pairs=true" : "");
      SCOPED_TRACE(plan + ", width " + std::to_string(width));
      auto kernel = KernelCase::create(setting, name, plan);
      ASSERT_TRUE(kernel);
      resize(*kernel, {1, 2, 1, 35, 35}, 1);
      kernel->check();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cpu, NarrowOperandsTest,
    ::testing::Values(std::tuple("host", ElementType::BF16, false),
                      std::tuple("host", ElementType::F16, false),
                      std::tuple("host", ElementType::BF16, true),
                      std::tuple("x86-64-v3", ElementType::F16, false)),
    [](const auto &info) {
      std::string name = std::get<0>(info.param) + "_" +
                         getTypeName(std::get<1>(info.param)) +
                         (std::get<2>(info.param) ? "_pairs" : "");
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

} // namespace
