// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Calls of few queries against many keys, as in decoding: the heads that share
// keys are the rows of a tile, and the keys are split over items.

#include "KernelCase.h"
#include "lib/Compiler/ElementTypes.h"
#include <cmath>

using namespace rapt;
using namespace rapt::testing;
using support::ElementType;

namespace {

struct Few {
  const char *name, *text;
};

const Few kSpecs[] = {
    {"causal", "attention x { mask = i >= j }"},
    {"full", "attention x { }"},
    {"window", "attention x { mask = i >= j & i - j < 37 }"},
    {"sinks", "attention x { mask = i >= j & (i - j < 50 | j < 3) }"},
    {"documents", "attention x { input doc: i32[batch, keys]  "
                  "mask = doc[i] == doc[j] & i >= j }"},
    {"alibi",
     "attention x { input slope: f32[heads]  "
     "score = dot(q, k) / 8 - slope[h] * real(i - j)  mask = i >= j }"},
    {"key_bias", "attention x { input bias: f32[batch, kv_heads, keys]  "
                 "score = dot(q, k) / 8 + bias[j] }"},
    {"heads_of_a_mask", "attention x { mask = i >= j + 5 * h }"},
    {"full_and_streaming_heads",
     "attention x { input full: bool[heads]  "
     "mask = i >= j & (full[h] | i - j < 40 | j < 3) }"},
    {"strided_and_near_heads",
     "attention x { mask = i >= j & "
     "where(h % 2 == 0, i - j < 33, (i - j) % 33 == 0) }"},
    {"blocks_of_heads",
     "attention x { input on: bool[heads, blocks]  "
     "mask = i >= j & (on[h, j / 32 % 5] | j / 32 == i / 32) }"},
    {"sink_weight", "attention x { input s: f32[heads]  "
                    "weight = softmax(score, sink = s[h])  mask = i >= j }"},
    {"factor", "attention x { weight = softmax(score) * "
               "where(j % 3 == h % 3, 0.5, 1)  mask = i >= j }"},
    {"sigmoid", "attention x { weight = sigmoid(score)  mask = i >= j }"},
    {"ratio", "attention x { weight = normalize(exp(tanh(score)))  "
              "mask = i >= j }"},
    {"rotary", "attention x { let q = rope(q)  let k = rope(k)  "
               "mask = i >= j }"},
};

struct FewQueriesTest : ::testing::TestWithParam<std::tuple<Few, ElementType>> {
};

/// A row of `dim` features of bf16 is read as words if it fills them.
void checkFew(const Few &spec, ElementType type, int64_t dim, int64_t vdim,
              llvm::ArrayRef<Lengths> all) {
  SpecSetting setting{.text = spec.text};
  setting.type = type;
  setting.extents = {{"dim", dim}, {"vdim", vdim}};
  auto kernel = KernelCase::create(setting);
  ASSERT_TRUE(kernel);
  uint64_t seed = 1;
  for (const Lengths &lengths : all) {
    resize(*kernel, lengths, seed++);
    kernel->check(seed % 3 + 1);
  }
}

TEST_P(FewQueriesTest, SameAsReference) {
  auto [spec, type] = GetParam();
  // Forms for 4, 8, 16, 32 and 64 rows, the last with several blocks; one item
  // has all keys, or there are several splits, the last of them short.
  checkFew(spec, type, 40, 72,
           {Lengths{1, 4, 1, 1, 700}, Lengths{2, 4, 2, 3, 1300},
            Lengths{1, 6, 3, 7, 300}, Lengths{1, 2, 2, 1, 8},
            Lengths{1, 8, 2, 5, 2100}, Lengths{2, 4, 2, 40, 400}});
}

TEST_P(FewQueriesTest, RowsOfWholeVectors) {
  auto [spec, type] = GetParam();
  checkFew(spec, type, 64, 32,
           {Lengths{1, 4, 1, 1, 700}, Lengths{2, 4, 2, 3, 1300},
            Lengths{1, 8, 1, 1, 333}, Lengths{1, 2, 2, 1, 8}});
}

std::string
getName(const ::testing::TestParamInfo<std::tuple<Few, ElementType>> &info) {
  return std::string(std::get<0>(info.param).name) + "_" +
         getTypeName(std::get<1>(info.param));
}

INSTANTIATE_TEST_SUITE_P(
    Cpu, FewQueriesTest,
    ::testing::Combine(::testing::ValuesIn(kSpecs),
                       ::testing::Values(ElementType::F32, ElementType::BF16)),
    getName);

std::vector<NamedTensor> getArguments(KernelCase &kernel) {
  std::vector<NamedTensor> arguments;
  for (SpecTensor &tensor : kernel.spec().tensors)
    arguments.push_back({tensor.name,
                         {tensor.data.data(), getDType(tensor.type),
                          tensor.sizes, tensor.strides}});
  return arguments;
}

TEST(FewQueriesTest, ChoosesTheFormByTheRowsThatShareKeys) {
  auto kernel = KernelCase::create({.text = "attention x { mask = i >= j }"});
  ASSERT_TRUE(kernel);
  auto planOf = [&](const Lengths &lengths) {
    resize(*kernel, lengths, 1);
    auto chosen = kernel->getKernel().selectFor(getArguments(*kernel));
    EXPECT_TRUE(static_cast<bool>(chosen));
    return chosen ? chosen->getForm() : std::string();
  };
  std::string many = kernel->getKernel().getForm();
  EXPECT_EQ(planOf({1, 4, 2, 70, 4000}), many);
  EXPECT_EQ(planOf({1, 4, 2, 16, 100}), many); // keys are not most of it
  EXPECT_NE(planOf({1, 4, 1, 1, 100}).find(" 4 queries"), std::string::npos);
  EXPECT_NE(planOf({1, 8, 1, 1, 100}).find(" 8 queries"), std::string::npos);
  EXPECT_NE(planOf({1, 4, 2, 9, 100}).find(" 32 queries"), std::string::npos);
}

// What each split finds is merged in the order of the keys, in every form: the
// rows of 2 heads for each query, and those of many queries last.
TEST(FewQueriesTest, SameForAnyNumberOfThreads) {
  for (ElementType type : {ElementType::F32, ElementType::BF16}) {
    SpecSetting setting{.text = "attention x { mask = i >= j & j % 7 < 5 }"};
    setting.type = type;
    setting.extents = {{"dim", 32}, {"vdim", 32}};
    auto kernel = KernelCase::create(setting);
    ASSERT_TRUE(kernel);
    for (int64_t queries : {1, 4, 8, 16, 30, 70}) {
      resize(*kernel, {1, 4, 2, queries, 3000}, 3);
      KernelCase::Results one = kernel->run(1);
      for (unsigned threads : {2, 3, 7}) {
        KernelCase::Results other = kernel->run(threads);
        EXPECT_EQ(one.out.data, other.out.data) << queries << ' ' << threads;
        EXPECT_EQ(one.lse.data, other.lse.data) << queries << ' ' << threads;
      }
    }
  }
}

// Splits of long keys are longer: 2048, and 17 of them, the last one short.
TEST(FewQueriesTest, LongKeys) {
  auto kernel = KernelCase::create({.text = "attention x { mask = i >= j }"});
  ASSERT_TRUE(kernel);
  resize(*kernel, {1, 4, 1, 1, 32768 + 70}, 5);
  kernel->check(2);
}

// Fewer keys may have more splits than all of them: 30 here.
TEST(FewQueriesTest, MoreSplitsOfFewerKeys) {
  auto kernel =
      KernelCase::create({.text = "attention x { mask = i >= j & j >= 3000 }"});
  ASSERT_TRUE(kernel);
  resize(*kernel, {1, 4, 1, 1, 32768 + 70}, 5);
  kernel->check(2);
}

// Keys are shared by heads 0 to 2, values by heads 0 and 1.
TEST(FewQueriesTest, HeadsSharedInTwoWays) {
  SpecSetting setting{
      .text = "attention x { input v: [batch, groups, keys, vdim] }"};
  setting.groups = 3;
  auto kernel = KernelCase::create(setting);
  ASSERT_TRUE(kernel);
  resize(*kernel, {1, 6, 2, 1, 300}, 5);
  kernel->check();
}

// A NaN in a value whose key the mask drops is in no row.
TEST(FewQueriesTest, DroppedValuesDoNotCount) {
  auto kernel =
      KernelCase::create({.text = "attention x { mask = i >= j & j != 9 }"});
  ASSERT_TRUE(kernel);
  for (int64_t queries : {1, 20}) {
    resize(*kernel, {1, 2, 1, queries, 400}, 4);
    SpecTensor *values = kernel->spec().find("v");
    ASSERT_TRUE(values);
    values->set(9 * values->sizes.back(), std::nan(""));
    kernel->check();
  }
}

TEST(FewQueriesTest, RefusesMoreRowsThanAFormHas) {
  auto spec = Spec::parse("attention x { }");
  ASSERT_TRUE(static_cast<bool>(spec));
  CompileOptions options;
  options.extents = {{"dim", 8}, {"vdim", 8}};
  options.fewRows = 65;
  auto kernel = Kernel::compile(*spec, options);
  ASSERT_FALSE(static_cast<bool>(kernel));
  EXPECT_EQ(kernel.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(kernel.error().message, "few rows are 65, expected 0 to 64");
}

} // namespace
