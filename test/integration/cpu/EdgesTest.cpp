// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Rows without pairs, values that are not finite, and lengths of 0 and 1.

#include "KernelCase.h"
#include <cmath>
#include <limits>

using namespace rapt::testing;
using rapt::support::ElementType;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct EdgesTest : ::testing::TestWithParam<ElementType> {
  std::unique_ptr<KernelCase> make(const char *text) {
    SpecSetting setting{.text = text};
    setting.type = GetParam();
    setting.extents = {{"dim", 16}, {"vdim", 9}};
    return KernelCase::create(setting);
  }
};

void expectEmptyRows(const KernelCase::Results &results, int64_t first,
                     int64_t last, double lse) {
  int64_t width = results.out.sizes[3];
  for (int64_t row = first; row < last; ++row) {
    for (int64_t e = 0; e < width; ++e)
      ASSERT_EQ(results.out.get(row * width + e), 0) << "row " << row;
    ASSERT_EQ(results.lse.get(row), lse) << "row " << row;
  }
}

// The first queries stand before the first key.
TEST_P(EdgesTest, RowsWithoutPairs) {
  auto kernel = make("attention x { mask = i >= j }");
  ASSERT_TRUE(kernel);
  resize(*kernel, {1, 1, 1, 150, 20}, 3);
  KernelCase::Results results = kernel->run(2);
  kernel->compare(results);
  expectEmptyRows(results, 0, 130, -kInfinity);
}

// A factor of the weight that is not finite for pairs that are not kept, or
// behind the last key, where what is read is 0.
TEST_P(EdgesTest, FactorsOfMaskedPairs) {
  for (const char *text :
       {"attention x { weight = softmax(score) * (1 / real(i - j)) "
        "mask = i > j }",
        "attention x { input s: f32[keys] weight = softmax(score) / s[j] }",
        "attention x { input s: f32[keys] "
        "weight = normalize(exp(tanh(score))) / s[j] mask = i >= j }"}) {
    auto kernel = make(text);
    ASSERT_TRUE(kernel);
    for (int64_t queries : {1, 70}) {
      resize(*kernel, {1, 2, 1, queries, 77}, 5);
      if (SpecTensor *s = kernel->spec().find("s"))
        for (int64_t j = 0; j < s->count(); ++j)
          s->set(j, 1 + 0.25 * (j % 5));
      kernel->check(2);
    }
  }
}

TEST_P(EdgesTest, NothingIsKept) {
  for (auto [text, lse] :
       {std::pair("attention x { mask = i != i }", -kInfinity),
        std::pair("attention x { input none: i32[batch] mask = j < none[b] }",
                  -kInfinity),
        std::pair("attention x { weight = sigmoid(score) mask = j > keys }",
                  0.0),
        std::pair("attention x { weight = normalize(exp(score)) "
                  "mask = j - i > keys + queries }",
                  0.0)}) {
    auto kernel = make(text);
    ASSERT_TRUE(kernel);
    resize(*kernel, {1, 2, 1, 33, 40}, 4);
    if (SpecTensor *none = kernel->spec().find("none"))
      none->set(0, 0);
    KernelCase::Results results = kernel->run();
    kernel->compare(results);
    expectEmptyRows(results, 0, 66, lse);
  }
}

TEST_P(EdgesTest, NoKeys) {
  for (auto [text, lse] :
       {std::pair("attention x { }", -kInfinity),
        std::pair("attention x { mask = i >= j }", -kInfinity),
        std::pair("attention x { let k = l2norm(k) let v = 2 * v }",
                  -kInfinity),
        std::pair("attention x { weight = sigmoid(score) }", 0.0)}) {
    auto kernel = make(text);
    ASSERT_TRUE(kernel);
    resize(*kernel, {2, 2, 1, 21, 0}, 5);
    expectEmptyRows(kernel->run(2), 0, 84, lse);
  }
}

TEST_P(EdgesTest, NothingToCompute) {
  auto kernel = make("attention x { let q = l2norm(q) mask = i >= j }");
  ASSERT_TRUE(kernel);
  for (const Lengths &lengths :
       {Lengths{1, 2, 2, 0, 30}, Lengths{0, 2, 1, 4, 4},
        Lengths{0, 1, 1, 0, 0}}) {
    resize(*kernel, lengths, 6);
    kernel->run(2);
  }
}

TEST_P(EdgesTest, OneQuery) {
  auto kernel = make("attention x { mask = i >= j & i - j < 100 }");
  ASSERT_TRUE(kernel);
  for (int64_t keys : {1, 2, 31, 128, 1000}) {
    resize(*kernel, {3, 4, 2, 1, keys}, keys);
    kernel->check(2);
  }
}

// A NaN that a kept pair reads is in its row; one that the mask drops is not.
TEST_P(EdgesTest, NotANumberOfAKey) {
  auto kernel = make("attention x { mask = i >= j }");
  ASSERT_TRUE(kernel);
  resize(*kernel, {1, 1, 1, 150, 150}, 8);
  kernel->spec().find("k")->set(101 * 16 + 3, std::nan(""));
  KernelCase::Results results = kernel->run();
  kernel->compare(results);
  EXPECT_FALSE(std::isnan(results.out.get(100 * 9)));
  for (int64_t row = 101; row < 150; ++row)
    ASSERT_TRUE(std::isnan(results.out.get(row * 9 + 5))) << "row " << row;
  EXPECT_TRUE(std::isnan(results.lse.get(149)));
}

TEST_P(EdgesTest, NotANumberOfAQuery) {
  auto kernel = make("attention x { mask = i >= j }");
  ASSERT_TRUE(kernel);
  resize(*kernel, {1, 1, 1, 90, 90}, 9);
  kernel->spec().find("q")->set(40 * 16, std::nan(""));
  KernelCase::Results results = kernel->run();
  kernel->compare(results);
  EXPECT_TRUE(std::isnan(results.out.get(40 * 9)));
  EXPECT_FALSE(std::isnan(results.out.get(39 * 9)));
  EXPECT_FALSE(std::isnan(results.out.get(41 * 9)));
}

TEST_P(EdgesTest, NotANumberOfAValue) {
  auto kernel = make("attention x { }");
  ASSERT_TRUE(kernel);
  resize(*kernel, {1, 1, 1, 40, 140}, 10);
  kernel->spec().find("v")->set(139 * 9 + 4, std::nan(""));
  KernelCase::Results results = kernel->run();
  kernel->compare(results);
  EXPECT_TRUE(std::isnan(results.out.get(4)));
  EXPECT_FALSE(std::isnan(results.out.get(5)));
}

// Whatever a masked pair holds, it adds nothing.
TEST_P(EdgesTest, MaskedValues) {
  for (const char *text :
       {"attention x { mask = i >= j }",
        "attention x { weight = sigmoid(score) mask = i >= j }",
        "attention x { weight = normalize(exp(score)) mask = i >= j }",
        "attention x { weight = softmax(score) * where(j % 2 == 0, 0.5, 2) "
        "mask = i >= j }"}) {
    auto kernel = make(text);
    ASSERT_TRUE(kernel);
    resize(*kernel, {1, 1, 1, 150, 150}, 15);
    SpecTensor &values = *kernel->spec().find("v");
    values.set(101 * 9 + 3, std::nan(""));
    values.set(103 * 9 + 3, kInfinity);
    values.set(105 * 9 + 5, -kInfinity);
    KernelCase::Results results = kernel->run();
    kernel->compare(results);
    EXPECT_TRUE(std::isfinite(results.out.get(100 * 9 + 3)));
    EXPECT_TRUE(std::isnan(results.out.get(101 * 9 + 3)));
  }
}

// Scores of infinity and -infinity, and values of infinity.
TEST_P(EdgesTest, Infinities) {
  auto kernel = make("attention x { mask = i >= j }");
  ASSERT_TRUE(kernel);
  resize(*kernel, {1, 1, 1, 80, 80}, 11);
  for (int64_t n = 0; n < kernel->spec().find("q")->count(); ++n)
    kernel->spec().find("q")->set(n, 1 + n % 3);
  kernel->spec().find("k")->set(20 * 16 + 1, -kInfinity);
  kernel->check();
  kernel->spec().find("k")->set(70 * 16 + 1, kInfinity);
  kernel->check();
}

TEST_P(EdgesTest, InfiniteValue) {
  auto kernel = make("attention x { }");
  ASSERT_TRUE(kernel);
  resize(*kernel, {1, 1, 1, 30, 80}, 12);
  kernel->spec().find("v")->set(50 * 9 + 1, -kInfinity);
  KernelCase::Results results = kernel->run();
  kernel->compare(results);
  EXPECT_EQ(results.out.get(1), -kInfinity);
}

// Far from 0 only differences of scores count.
TEST_P(EdgesTest, LargeScores) {
  auto kernel =
      make("attention x { score = dot(q, k) + 30000  mask = i >= j }");
  ASSERT_TRUE(kernel);
  resize(*kernel, {1, 2, 1, 80, 80}, 13);
  kernel->check();
  auto negative = make("attention x { score = dot(q, k) * 50 - 30000 }");
  ASSERT_TRUE(negative);
  resize(*negative, {1, 2, 1, 80, 80}, 14);
  negative->check();
}

INSTANTIATE_TEST_SUITE_P(Cpu, EdgesTest,
                         ::testing::Values(ElementType::F32, ElementType::BF16,
                                           ElementType::F16),
                         [](const auto &info) {
                           return getTypeName(info.param);
                         });

} // namespace
