// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Tensors that do not lie in C order: nothing is copied, and nothing is written
// between the rows of a result.

#include "KernelCase.h"

using namespace rapt::testing;
using rapt::support::ElementType;

namespace {

struct ViewsTest : ::testing::TestWithParam<ElementType> {
  std::unique_ptr<KernelCase> make(const char *text) {
    SpecSetting setting{.text = text};
    setting.type = GetParam();
    setting.extents = {{"dim", 24}, {"vdim", 13}};
    auto kernel = KernelCase::create(setting);
    if (kernel)
      resize(*kernel, {2, 4, 2, 70, 75}, 7);
    return kernel;
  }

  /// Runs into results of this layout, and checks them and what lies between.
  void checkInto(KernelCase &kernel, llvm::ArrayRef<unsigned> order,
                 int64_t gap) {
    KernelCase::Results results = kernel.makeResults();
    results.out.arrange(order, gap);
    std::vector<char> before = results.out.data;
    kernel.runInto(results, 2, false);
    kernel.compare(results);
    // Put back what may be written: the rest is as before.
    SpecTensor after = results.out;
    SpecTensor start = results.out;
    start.data = before;
    for (int64_t n = 0; n < after.count(); ++n)
      after.set(n, start.get(n));
    EXPECT_TRUE(after.data == before) << "written between the rows";
  }
};

TEST_P(ViewsTest, HeadsInsideTokens) {
  auto kernel = make("attention x { mask = i >= j }");
  ASSERT_TRUE(kernel);
  for (SpecTensor &tensor : kernel->spec().tensors)
    tensor.arrange({0, 2, 1, 3});
  checkInto(*kernel, {0, 2, 1, 3}, 0);
}

TEST_P(ViewsTest, GapsBehindRows) {
  auto kernel = make("attention x { mask = i >= j }");
  ASSERT_TRUE(kernel);
  for (SpecTensor &tensor : kernel->spec().tensors)
    tensor.arrange({0, 1, 2, 3}, 5);
  checkInto(*kernel, {0, 1, 2, 3}, 3);
}

TEST_P(ViewsTest, TokensOutermost) {
  auto kernel = make("attention x { }");
  ASSERT_TRUE(kernel);
  kernel->spec().find("k")->arrange({2, 1, 0, 3}, 1);
  kernel->spec().find("v")->arrange({1, 2, 0, 3});
  kernel->spec().find("q")->arrange({2, 0, 1, 3}, 40);
  checkInto(*kernel, {2, 1, 0, 3}, 1);
}

// One batch and one head of keys for all, by strides of 0.
TEST_P(ViewsTest, StridesOfZero) {
  auto kernel = make("attention x { mask = i >= j }");
  ASSERT_TRUE(kernel);
  for (const char *name : {"k", "v"}) {
    SpecTensor &tensor = *kernel->spec().find(name);
    tensor.strides[0] = 0;
    tensor.strides[1] = 0;
    tensor.data.resize(tensor.sizes[2] * tensor.sizes[3] *
                       rapt::support::getElementSize(tensor.type));
  }
  kernel->check(2);
}

// Inputs that are read element by element may have any strides.
TEST_P(ViewsTest, InputsInAnyOrder) {
  auto kernel = make("attention x { input bias: [heads, queries, keys] "
                     "input doc: i32[batch, keys] input s: f32[heads] "
                     "score = dot(q, k) / 8 + bias[i, j] - s[h] * abs(i - j) "
                     "mask = doc[i] <= doc[j] }");
  ASSERT_TRUE(kernel);
  kernel->spec().find("bias")->arrange({2, 0, 1}, 3);
  kernel->spec().find("doc")->arrange({1, 0}, 2);
  kernel->spec().find("s")->arrange({0}, 0);
  kernel->check(3);
}

// What maps compute goes through memory of the kernel's own.
TEST_P(ViewsTest, MapsReadViews) {
  auto kernel = make("attention x { let q = rope(q) let k = rope(l2norm(k)) "
                     "let v = v * 0.5 mask = i >= j }");
  ASSERT_TRUE(kernel);
  for (SpecTensor &tensor : kernel->spec().tensors)
    tensor.arrange({0, 2, 1, 3}, 2);
  checkInto(*kernel, {0, 2, 1, 3}, 7);
}

INSTANTIATE_TEST_SUITE_P(Cpu, ViewsTest,
                         ::testing::Values(ElementType::F32, ElementType::BF16,
                                           ElementType::F16),
                         [](const auto &info) {
                           return getTypeName(info.param);
                         });

} // namespace
