// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Every extent of features, alone and with another one of values.

#include "KernelCase.h"

using namespace rapt::testing;
using rapt::support::ElementType;

namespace {

struct Features {
  int64_t dim, vdim;
  ElementType type;
};

struct ExtentsTest : ::testing::TestWithParam<Features> {};

TEST_P(ExtentsTest, SameAsReference) {
  SpecSetting setting{.text = "attention x { mask = i >= j }"};
  setting.type = GetParam().type;
  setting.extents = {{"dim", GetParam().dim}, {"vdim", GetParam().vdim}};
  auto kernel = KernelCase::create(setting);
  ASSERT_TRUE(kernel);
  uint64_t seed = 1;
  for (const Lengths &lengths :
       {Lengths{1, 2, 1, 65, 65}, Lengths{2, 1, 1, 3, 131}}) {
    resize(*kernel, lengths, seed++);
    kernel->check();
  }
}

std::vector<Features> getFeatures() {
  std::vector<Features> features;
  const ElementType types[] = {ElementType::F32, ElementType::BF16,
                               ElementType::F16};
  if (isNightly()) {
    for (int64_t dim = 1; dim <= 512; ++dim)
      features.push_back({dim, 1 + dim * 7 % 512, types[dim % 3]});
    return features;
  }
  const int64_t dims[] = {1,   2,   3,   5,   8,   15,  16,  17,  31,
                          32,  33,  63,  65,  80,  96,  127, 128, 129,
                          192, 255, 256, 257, 384, 511, 512};
  const size_t count = std::size(dims);
  for (size_t n = 0; n < count; ++n)
    features.push_back({dims[n], dims[(n * 7 + 3) % count], types[n % 3]});
  for (ElementType type : types) {
    features.push_back({1, 1, type});
    features.push_back({33, 33, type});
    features.push_back({512, 512, type});
  }
  return features;
}

INSTANTIATE_TEST_SUITE_P(Cpu, ExtentsTest, ::testing::ValuesIn(getFeatures()),
                         [](const auto &info) {
                           return std::to_string(info.param.dim) + "_" +
                                  std::to_string(info.param.vdim) + "_" +
                                  getTypeName(info.param.type);
                         });

// Maps with tables of features, where there are more tiles of features than of
// rows.
const char *const kMaps[] = {
    "attention x { input w: f32[dim]  let q = q * w  let k = l2norm(k * w) }",
    "attention x { input u: f32[heads, dim]  let q = rmsnorm(q) + u  let k = "
    "layernorm(k) }",
    "attention x { input w: f32[dim]  let q = softmax(q * w)  let k = "
    "concat(relu(k), w)[0:dim]  mask = i >= j }",
    "attention x { let q = roll(q, 1) * sum(q)  let k = silu(k) / (1 + "
    "max(abs(k))) }",
    "attention x { input w: f32[dim, dim]  let q = matmul(w, q)  let k = "
    "matmul(w, k) / dim  mask = i >= j }",
    "attention x { input g: [batch, heads, queries, vdim]  input bias: "
    "f32[vdim]  "
    "out = sigmoid(g) * sum(weight * v, over = j) + bias }",
    "attention x { let v = v * exp(-abs(v))  let k = k / (1 + sqrt(dot(k, k))) "
    " out = rmsnorm(sum(weight * v, over = j)) }",
};

struct MapsTest : ::testing::TestWithParam<std::tuple<const char *, int64_t>> {
};

TEST_P(MapsTest, SameAsReference) {
  auto [text, dim] = GetParam();
  SpecSetting setting{.text = text};
  setting.extents = {{"dim", dim}, {"vdim", dim + 3}};
  auto kernel = KernelCase::create(setting);
  ASSERT_TRUE(kernel);
  resize(*kernel, Lengths{2, 2, 1, 70, 131}, 1);
  kernel->check();
}

INSTANTIATE_TEST_SUITE_P(Cpu, MapsTest,
                         ::testing::Combine(::testing::ValuesIn(kMaps),
                                            ::testing::Values(2, 33, 80)));

} // namespace
