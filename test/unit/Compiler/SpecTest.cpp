// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/SpecSource.h"
#include "gtest/gtest.h"

using namespace rapt;

namespace {

Spec parse(const char *text) {
  auto spec = Spec::parse(text, "test.attn");
  EXPECT_TRUE(bool(spec)) << (spec ? "" : spec.error().message);
  return *spec;
}

TEST(Spec, SyntaxErrorHasItsPlace) {
  auto spec = Spec::parse("attention x { mask = }", "some.attn");
  ASSERT_FALSE(bool(spec));
  EXPECT_EQ(spec.error().code, ErrorCode::InvalidSpec);
  EXPECT_EQ(spec.error().message.find("some.attn:1:22: error: "), 0u)
      << spec.error().message;
}

TEST(Spec, MissingFile) {
  auto spec = Spec::loadFile("/nonexistent/x.attn");
  ASSERT_FALSE(bool(spec));
  EXPECT_EQ(spec.error().code, ErrorCode::InputOutput);
}

TEST(Spec, Definitions) {
  Spec spec = parse("attention a { mask = i >= j } attention b { }");
  EXPECT_EQ(spec.getDefinitions(), (std::vector<std::string>{"a", "b"}));
  CompileOptions options;
  EXPECT_FALSE(bool(spec.getSignature(options)));
  options.definition = "b";
  EXPECT_TRUE(bool(spec.getSignature(options)));
  options.definition = "c";
  auto unknown = spec.getSignature(options);
  ASSERT_FALSE(bool(unknown));
  EXPECT_NE(unknown.error().message.find("no definition 'c'"),
            std::string::npos);
}

TEST(Spec, Signature) {
  Spec spec = parse("attention x { input slopes: f32[heads]  input seed: i64 "
                    "score = dot(q, k) - slopes[h] * uniform(seed) }");
  CompileOptions options;
  options.dtype = DType::BF16;
  options.extents["dim"] = 64;
  auto signature = spec.getSignature(options);
  ASSERT_TRUE(bool(signature)) << signature.error().message;
  ASSERT_EQ(signature->arguments.size(), 5u);
  const TensorSignature &q = signature->arguments[0];
  EXPECT_EQ(q.name, "q");
  EXPECT_EQ(q.dtype, DType::BF16);
  ASSERT_EQ(q.axes.size(), 4u);
  EXPECT_EQ(q.axes[2].name, "queries");
  EXPECT_FALSE(q.axes[2].isFeature);
  EXPECT_EQ(q.axes[2].extent, -1);
  EXPECT_TRUE(q.axes[3].isFeature);
  EXPECT_EQ(q.axes[3].extent, 64);
  EXPECT_EQ(signature->arguments[3].dtype, DType::F32);
  EXPECT_EQ(signature->arguments[4].dtype, DType::I64);
  EXPECT_TRUE(signature->arguments[4].axes.empty());
  EXPECT_EQ(signature->missingExtents, std::vector<std::string>{"vdim"});
  EXPECT_EQ(signature->results[0].dtype, DType::BF16);
  EXPECT_EQ(signature->results[1].dtype, DType::F32);
}

TEST(Spec, OnlyFloatsAreTypesOfQ) {
  CompileOptions options;
  options.dtype = DType::I32;
  auto signature = parse("attention x { }").getSignature(options);
  ASSERT_FALSE(bool(signature));
  EXPECT_EQ(signature.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(signature.error().message,
            "type of q is i32, expected f32, bf16 or f16");
}

TEST(Spec, ParamsAreChecked) {
  Spec spec = parse("attention x { param w = 4 in 1 .. 9  mask = i - j < w }");
  CompileOptions options;
  options.params["w"] = "10";
  EXPECT_FALSE(bool(spec.getSignature(options)));
  options.params["w"] = "9";
  EXPECT_TRUE(bool(spec.getSignature(options)));
  options.params["v"] = "1";
  EXPECT_FALSE(bool(spec.getSignature(options)));
}

TEST(Spec, InfersExtents) {
  Spec spec = parse("attention x { }");
  CompileOptions options;
  TensorView q{nullptr, DType::F32, {1, 2, 3, 40}, {}};
  TensorView v{nullptr, DType::F32, {1, 2, 3, 50}, {}};
  ASSERT_TRUE(bool(spec.inferExtents(options, {{"q", q}, {"v", v}})));
  EXPECT_EQ(options.extents,
            (std::map<std::string, int64_t>{{"dim", 40}, {"vdim", 50}}));

  CompileOptions other;
  TensorView k{nullptr, DType::F32, {1, 2, 3, 41}, {}};
  auto disagree = spec.inferExtents(other, {{"q", q}, {"k", k}});
  ASSERT_FALSE(bool(disagree));
  EXPECT_EQ(disagree.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(disagree.error().message,
            "axis 'dim' of 'k' has extent 41, expected 40 as in 'q'");
  TensorView flat{nullptr, DType::F32, {3, 40}, {}};
  EXPECT_FALSE(bool(spec.inferExtents(other, {{"q", flat}})));
}

} // namespace
