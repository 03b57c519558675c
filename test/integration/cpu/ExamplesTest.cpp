// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Every example in every type at several shapes and numbers of threads.

#include "KernelCase.h"
#include "lib/Target/Target.h"

using namespace rapt::testing;
using rapt::support::ElementType;

namespace {

struct ExamplesTest
    : ::testing::TestWithParam<std::tuple<std::string, ElementType>> {};

const Lengths kLengths[] = {
    {1, 1, 1, 1, 1},    {1, 2, 1, 1, 200},  {2, 4, 2, 5, 3},
    {1, 6, 3, 70, 130}, {2, 2, 2, 130, 70}, {1, 1, 1, 257, 257},
};

void runAll(SpecSetting setting, const std::string &plan = "") {
  auto kernel = KernelCase::create(std::move(setting), "host", plan);
  ASSERT_TRUE(kernel);
  uint64_t seed = 1;
  for (const Lengths &lengths : kLengths) {
    resize(*kernel, lengths, seed++);
    KernelCase::Results one = kernel->run(1);
    kernel->compare(one);
    // The same bits whoever computes which items.
    for (unsigned threads : {2, 3}) {
      KernelCase::Results more = kernel->run(threads, /*atFront=*/true);
      EXPECT_EQ(one.out.data, more.out.data) << kernel->spec().describe();
      EXPECT_EQ(one.lse.data, more.lse.data) << kernel->spec().describe();
    }
  }
}

TEST_P(ExamplesTest, SameAsReference) {
  auto [name, type] = GetParam();
  SpecSetting setting = getExample(name);
  setting.type = type;
  setting.extents = {{"dim", 64}, {"vdim", 64}};
  runAll(setting);
  if (type != ElementType::F32 && !isNightly())
    return; // features that do not fill vectors: ExtentsTest
  setting.extents = {{"dim", 10}, {"vdim", 7}};
  runAll(setting);
}

/// With dot products of bf16, whether they are fast here or not.
struct PairsTest : ::testing::TestWithParam<std::string> {};

TEST_P(PairsTest, SameAsReference) {
  if (!rapt::target::getHostTarget().bf16Dots.exist())
    GTEST_SKIP() << "no dot products of bf16";
  SpecSetting setting = getExample(GetParam());
  setting.type = ElementType::BF16;
  setting.extents = {{"dim", 64}, {"vdim", 64}};
  runAll(setting, "pairs=true");
  // Features of a rotary embedding are pairs themselves.
  setting.extents = {{"dim", GetParam() == "llama" ? 34 : 33}, {"vdim", 47}};
  runAll(setting, "pairs=true");
}

INSTANTIATE_TEST_SUITE_P(Cpu, PairsTest,
                         ::testing::Values("full", "causal", "llama", "alibi",
                                           "softcap", "sliding_window",
                                           "sigmoid_attn", "kmeans_routed",
                                           "natten2d", "sinks"),
                         [](const auto &info) { return info.param; });

INSTANTIATE_TEST_SUITE_P(
    Cpu, ExamplesTest,
    ::testing::Combine(::testing::ValuesIn(getExampleNames()),
                       ::testing::Values(ElementType::F32, ElementType::BF16,
                                         ElementType::F16)),
    [](const auto &info) {
      return std::get<0>(info.param) + "_" +
             getTypeName(std::get<1>(info.param));
    });

} // namespace
