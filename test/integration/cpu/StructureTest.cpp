// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Kernels that go through queries and keys in another order than that of their
// positions, and read the rows that a list names.

#include "KernelCase.h"
#include "StructuredMasks.h"

using namespace rapt;
using namespace rapt::testing;
using rapt::support::ElementType;

namespace {

struct StructureTest
    : ::testing::TestWithParam<std::tuple<StructuredMask, ElementType>> {};

TEST_P(StructureTest, SameAsItsSpec) {
  auto [mask, type] = GetParam();
  SpecSetting setting{.text = mask.text};
  setting.type = type;
  setting.extents = {{"dim", 20}, {"vdim", 24}};
  auto kernel = KernelCase::create(setting);
  ASSERT_TRUE(kernel);
  uint64_t seed = 1;
  for (const Lengths &lengths :
       {Lengths{2, 4, 2, 150, 150}, Lengths{1, 2, 2, 70, 301},
        Lengths{2, 1, 1, 1, 40}, Lengths{1, 2, 1, 90, 17},
        Lengths{1, 1, 1, 700, 700}}) {
    resize(*kernel, lengths, seed++);
    kernel->check(1 + seed % 2);
  }
}

// Classes that are sorted already, all the same, or far apart.
TEST(StructureTest, OrdersOfClasses) {
  SpecSetting setting{.text = kStructuredMasks[0].text};
  auto kernel = KernelCase::create(setting);
  ASSERT_TRUE(kernel);
  resize(*kernel, {2, 2, 1, 333, 333}, 5);
  SpecTensor *classes = kernel->spec().find("doc");
  ASSERT_TRUE(classes);
  using Order = std::function<int64_t(int64_t)>;
  for (const Order &order :
       {Order([](int64_t n) { return n / 50; }),
        Order([](int64_t) { return -3; }),
        Order([](int64_t n) { return -n / 7; }),
        Order([](int64_t n) { return n % 2 ? 2147483647 : -2147483648LL; }),
        Order([](int64_t n) { return n * 7919 % 100003 * 21474; })}) {
    for (int64_t n = 0; n < classes->count(); ++n)
      classes->set(n, static_cast<double>(order(n)));
    kernel->check(2);
  }
}

// Classes so far apart that a class and a number do not fit into one word.
TEST(StructureTest, ClassesOfWideIntegers) {
  SpecSetting setting{.text = "attention x { input c: i64[batch, keys] "
                              "mask = c[j] == c[i] & i - j < 200 }"};
  auto kernel = KernelCase::create(setting);
  ASSERT_TRUE(kernel);
  resize(*kernel, {2, 2, 1, 333, 333}, 6);
  SpecTensor *classes = kernel->spec().find("c");
  ASSERT_TRUE(classes);
  for (double apart : {1.0, 0x1p20, 0x1p33, 0x1p50})
    for (int64_t count : {2, 9}) {
      for (int64_t n = 0; n < classes->count(); ++n) {
        int64_t id = n * 7919 % 101 % count - count / 2;
        classes->set(n, static_cast<double>(id) * apart);
      }
      kernel->check(2);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Kernels, StructureTest,
    ::testing::Combine(::testing::ValuesIn(kStructuredMasks),
                       ::testing::Values(ElementType::F32, ElementType::BF16)),
    [](const auto &info) {
      return std::string(std::get<0>(info.param).name) + "_" +
             getTypeName(std::get<1>(info.param));
    });

} // namespace
