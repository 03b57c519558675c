// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/CallArguments.h"
#include "lib/Compiler/SpecSource.h"
#include "gtest/gtest.h"

using namespace rapt;

namespace {

/// A call that fits, to be spoilt by each test: kv_heads 2, 3 queries, 5 keys,
/// dim 4, vdim 6.
struct Call : testing::Test {
  void SetUp() override {
    auto spec = Spec::parse("attention x { input doc: i32[batch, keys] "
                            "mask = doc[j] > 0 }");
    ASSERT_TRUE(bool(spec));
    auto checked = analyze(spec->getSource(), {});
    ASSERT_TRUE(bool(checked));
    signature = {checked->arguments, checked->results, {1, 1, 1, 0, 1, 1}};
    arguments = {{"q", view(DType::F32, {1, 4, 3, 4})},
                 {"k", view(DType::F32, {1, 2, 5, 4})},
                 {"v", view(DType::F32, {1, 2, 5, 6})},
                 {"doc", view(DType::I32, {1, 5})}};
    out = view(DType::F32, {1, 4, 3, 6});
    lse = view(DType::F32, {1, 4, 3});
  }
  TensorView view(DType dtype, std::vector<int64_t> sizes) {
    used += 1024;
    return {memory + used - 1024, dtype, std::move(sizes), {}};
  }
  std::string getError() {
    auto bound = bindArguments(signature, arguments, out, &lse);
    return bound ? "none" : toString(bound.takeError());
  }
  void expectError(const char *text) {
    EXPECT_NE(getError().find(text), std::string::npos) << getError();
  }

  alignas(64) char memory[16 * 1024];
  int64_t used = 0;
  CallSignature signature;
  std::vector<NamedTensor> arguments;
  TensorView out, lse;
};

TEST_F(Call, WordsAreAddressSizesStrides) {
  auto bound = bindArguments(signature, arguments, out, nullptr);
  ASSERT_TRUE(bool(bound)) << toString(bound.takeError());
  // Four tensors of rank 4, one of rank 2, one of rank 3.
  ASSERT_EQ(bound->words.size(), 4 * 9u + 5 + 7);
  std::vector<int64_t> q(bound->words.begin(), bound->words.begin() + 9);
  auto address = reinterpret_cast<intptr_t>(arguments[0].tensor.data);
  // A dimension of one element has the stride 0.
  EXPECT_EQ(q, (std::vector<int64_t>{address, 1, 4, 3, 4, 0, 12, 4, 1}));
  std::vector<int64_t> last(bound->words.end() - 7, bound->words.end());
  EXPECT_EQ(last, std::vector<int64_t>(7, 0));
  EXPECT_FALSE(bound->isEmpty);
}

TEST_F(Call, OrderOfTensorsIsFree) {
  std::swap(arguments[0], arguments[3]);
  EXPECT_EQ(getError(), "none");
}

TEST_F(Call, Names) {
  arguments[1].name = "key";
  expectError("unknown tensor 'key'; the spec reads q, k, v, doc");
  arguments[1].name = "q";
  expectError("tensor 'q' is given twice");
  arguments.erase(arguments.begin() + 1);
  expectError("tensor 'k' [batch, kv_heads, keys, dim] is missing");
}

TEST_F(Call, ResultThatTheSpecDoesNotGive) {
  signature.results.pop_back();
  signature.contiguous.pop_back();
  expectError("'lse' is given, but the spec has the result 'out' alone");
}

TEST_F(Call, Types) {
  arguments[3].tensor.dtype = DType::I64;
  expectError("'doc' has type i64, expected i32");
  arguments[3].tensor.dtype = static_cast<DType>(0x999);
  expectError("'doc' has type unknown type 0x999, expected i32");
}

TEST_F(Call, Shapes) {
  arguments[0].tensor.sizes = {4, 3, 4};
  expectError("'q' has rank 3, expected [batch, heads, queries, dim], rank 4");
  arguments[0].tensor.sizes = {1, 4, -3, 4};
  expectError("'q' has a dimension of size -3");
  arguments[0].tensor.sizes = {1, 3, 3, 4};
  expectError("axis 'heads'");
  arguments[0].tensor.sizes = {1, 4, 3, 4};
  arguments[2].tensor.sizes = {1, 2, 6, 6};
  expectError("axis 'keys' of 'v' has extent 6, expected 5 as in 'k'");
  arguments[2].tensor.sizes = {1, 2, 5, 6};
  out.sizes = {1, 4, 2, 6};
  expectError("axis 'queries' of 'out' has extent 2, expected 3 as in 'q'");
}

TEST_F(Call, HeadsAreAMultiple) {
  arguments[0].tensor.sizes[1] = out.sizes[1] = lse.sizes[1] = 3;
  expectError("axis 'heads' of 'q' has extent 3, expected a multiple of 2, "
              "axis 'kv_heads' of 'k'");
}

// What the front end concludes about b, h and the like holds in every call.
TEST_F(Call, LeadingAxesHaveALimit) {
  constexpr int64_t most = int64_t(1) << 26;
  signature = {{{"x", support::ElementType::F32, {}}}, {}, {false}};
  for (const char *name :
       {"batch", "heads", "kv_heads", "groups", "queries", "keys"}) {
    signature.arguments[0].axes = {{name, false, std::nullopt, nullptr}};
    arguments = {{"x", {memory, DType::F32, {most + 1}, {0}}}};
    auto bound = bindForPlan(signature, arguments);
    ASSERT_FALSE(static_cast<bool>(bound)) << name;
    EXPECT_EQ(toString(bound.takeError()),
              std::string("axis '") + name +
                  "' of 'x' has extent 67108865, expected at most 67108864");
    arguments[0].tensor.sizes = {most};
    bound = bindForPlan(signature, arguments);
    EXPECT_TRUE(static_cast<bool>(bound)) << toString(bound.takeError());
  }
}

TEST_F(Call, LengthsHaveALimit) {
  arguments[0].tensor.sizes[2] = out.sizes[2] = lse.sizes[2] = 1 << 27;
  expectError("expected at most 67108864");
}

TEST_F(Call, Strides) {
  arguments[0].tensor.strides = {12, 4, 1};
  expectError("'q' has 4 sizes, but 3 strides");
  arguments[0].tensor.strides = {0, 12, -4, 1};
  expectError("stride of axis 'queries' of 'q' is -4, expected 0 or more");
  arguments[0].tensor.strides = {0, 24, 8, 2};
  expectError("stride of the last axis 'dim' of 'q' is 2, expected 1");
  // Broadcast heads, and an integer tensor that is read element by element.
  arguments[0].tensor.strides = {0, 0, 4, 1};
  arguments[3].tensor.strides = {10, 2};
  EXPECT_EQ(getError(), "none");
  arguments[0].tensor.strides = {0, INT64_MAX / 2, 4, 1};
  expectError("'q' reaches beyond the address space");
}

TEST_F(Call, Addresses) {
  arguments[0].tensor.data = nullptr;
  expectError("'q' has elements, but no address");
  arguments[0].tensor.data = memory + 2;
  expectError(
      "address of 'q' is not a multiple of 4, the size of its elements");
}

TEST_F(Call, ResultsHaveMemoryOfTheirOwn) {
  TensorView good = out;
  out.data = arguments[1].tensor.data;
  expectError("'out' shares memory with 'k'");
  out = good;
  out.strides = {0, 0, 6, 1};
  expectError("two elements of 'out' may share memory");
  out = good;
  lse.data = out.data;
  expectError("'out' shares memory with 'lse'");
}

TEST_F(Call, EmptyTensorsNeedNoMemory) {
  for (size_t n : {0, 1, 2, 3})
    arguments[n].tensor.sizes[0] = 0;
  out.sizes[0] = lse.sizes[0] = 0;
  arguments[0].tensor.data = nullptr;
  auto bound = bindArguments(signature, arguments, out, &lse);
  ASSERT_TRUE(bool(bound)) << toString(bound.takeError());
  EXPECT_TRUE(bound->isEmpty);
}

TEST_F(Call, NoKeysStillGiveResults) {
  arguments[1].tensor.sizes[2] = arguments[2].tensor.sizes[2] =
      arguments[3].tensor.sizes[1] = 0;
  auto bound = bindArguments(signature, arguments, out, &lse);
  ASSERT_TRUE(bool(bound)) << toString(bound.takeError());
  EXPECT_FALSE(bound->isEmpty);
}

} // namespace
