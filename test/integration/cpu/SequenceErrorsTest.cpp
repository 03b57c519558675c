// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What is wrong with the sequences of a call is said before anything is
// written.

#include "SequenceCase.h"

using namespace rapt;
using namespace rapt::testing;
using rapt::support::ElementType;

namespace {

struct SequenceErrorsTest : ::testing::Test {
  std::unique_ptr<SequenceCase> make(bool isPacked, int64_t pageSize,
                                     bool givesPositions = false) {
    SequenceSetting setting;
    setting.spec.text = "attention x { input bias: f32[heads, queries, keys] "
                        "input near: i32[batch, keys] "
                        "score = dot(q, k) + bias[h, row, j] "
                        "mask = i >= j + near[j] }";
    setting.spec.heads = 2;
    setting.lengths = {{3, 20}, {7, 9}, {2, 40}};
    setting.packsQueries = isPacked;
    setting.packsKeys = isPacked && !pageSize;
    setting.pageSize = pageSize;
    setting.givesPositions = givesPositions;
    return SequenceCase::create(setting);
  }

  /// The call fails with `text`, planned or not, and writes nothing.
  static void expectError(SequenceCase &call, const std::string &text) {
    expectError(call, call.arguments(), call.sequences(), text);
  }
  static void expectError(SequenceCase &call,
                          const std::vector<NamedTensor> &arguments,
                          const Sequences &sequences, const std::string &text) {
    std::vector<char> before = call.out.data;
    RunOptions options;
    options.sequences = &sequences;
    auto done =
        call.getKernel().run(arguments, call.view(call.out), nullptr, options);
    ASSERT_FALSE(static_cast<bool>(done)) << "expected: " << text;
    EXPECT_NE(done.error().message.find(text), std::string::npos)
        << done.error().message << "\nexpected: " << text;
    EXPECT_EQ(done.error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(call.out.data, before);
  }
  /// The same of a plan, made while `out` is as the sequences need it.
  static void expectErrorOfPlan(SequenceCase &call, SpecTensor &out,
                                const std::string &text) {
    Sequences sequences = call.sequences();
    RunOptions options;
    options.sequences = &sequences;
    auto plan = call.getKernel().plan(call.arguments(), options);
    ASSERT_TRUE(static_cast<bool>(plan)) << plan.error().message;
    std::vector<char> before = out.data;
    auto done =
        call.getKernel().run(*plan, call.arguments(), call.view(out), nullptr);
    ASSERT_FALSE(static_cast<bool>(done)) << "expected: " << text;
    EXPECT_NE(done.error().message.find(text), std::string::npos)
        << done.error().message << "\nexpected: " << text;
    EXPECT_EQ(out.data, before);
  }
  /// The same with one element of what is given changed.
  static void expectErrorOf(SequenceCase &call, const char *name,
                            int64_t element, double value,
                            const std::string &text) {
    SpecTensor &tensor = call.given.at(name);
    double before = tensor.get(element);
    tensor.set(element, value);
    expectError(call, text);
    tensor.set(element, before);
  }
};

TEST_F(SequenceErrorsTest, Offsets) {
  auto call = make(true, 0);
  ASSERT_TRUE(call);
  // Queries 2 .. 5 .. 12 .. 14 of 17, keys 1 .. 21 .. 30 .. 70 of 72.
  expectErrorOf(*call, "query_starts", 0, -1,
                "'query_starts'[0] is -1, expected 0 or more");
  expectErrorOf(*call, "query_starts", 2, 4,
                "'query_starts'[2] is 4, expected at least 5, element 1");
  expectErrorOf(*call, "query_starts", 3, 18,
                "'query_starts'[3] is 18, expected at most 17, the queries of "
                "'q'");
  expectErrorOf(*call, "key_starts", 1, 31,
                "'key_starts'[2] is 30, expected at least 31, element 1");
  expectErrorOf(*call, "key_starts", 3, 73,
                "'key_starts'[3] is 73, expected at most 72, the keys of");
  // What has both axes of tokens is read from its beginning.
  expectErrorOf(*call, "query_starts", 1, 16,
                "'query_starts'[2] is 12, expected at least 16, element 1");
  call->given.at("query_starts").set(2, 16);
  call->given.at("query_starts").set(3, 17);
  expectError(*call, "'bias' has 10 queries, but sequence 1 has 11");
}

TEST_F(SequenceErrorsTest, Lengths) {
  auto call = make(false, 0);
  ASSERT_TRUE(call);
  expectErrorOf(*call, "query_lengths", 1, 11,
                "'query_lengths'[1] is 11, expected 0 .. 10, the queries of "
                "'q'");
  expectErrorOf(*call, "key_lengths", 2, 46,
                "'key_lengths'[2] is 46, expected 0 .. 45, the keys of");
  expectErrorOf(*call, "key_lengths", 0, -2,
                "'key_lengths'[0] is -2, expected 0 .. 45");
}

TEST_F(SequenceErrorsTest, Pages) {
  auto call = make(true, 8);
  ASSERT_TRUE(call);
  // Seven pages for each sequence, 23 in all; three, two and five are used.
  expectErrorOf(*call, "page_table", 8, 23,
                "'page_table'[1, 1] is 23, expected 0 .. 22, a page of 'k'");
  expectErrorOf(*call, "page_table", 14, -1,
                "'page_table'[2, 0] is -1, expected 0 .. 22, a page of 'k'");
  expectErrorOf(*call, "key_lengths", 2, 57,
                "'page_table' has 7 pages for each sequence, but "
                "'key_lengths'[2] is 57, which needs 8 pages of 8 keys");
  expectErrorOf(*call, "key_lengths", 0, -1, "'key_lengths'[0] is -1");
  // What is no row of keys is not in pages.
  call->given.at("page_table").set(7 * 2 + 5, 3);
  expectErrorOf(*call, "key_lengths", 2, 46,
                "'bias' has 45 keys, but sequence 2 has 46");

  SpecTensor &k = call->tensors[1];
  ASSERT_EQ(k.name, "k");
  k.strides[0] += 1;
  k.data.resize(k.data.size() * 2);
  expectError(*call, "stride of axis 'cache pages' of 'k' is");
}

TEST_F(SequenceErrorsTest, LengthsHaveALimit) {
  auto call = make(true, 8);
  ASSERT_TRUE(call);
  // A table may have the same page many times.
  for (int length : {-1, (1 << 26) + 1})
    expectErrorOf(*call, "key_lengths", 0, length,
                  "'key_lengths'[0] is " + std::to_string(length) +
                      ", expected 0 .. 67108864, the most that a sequence has");
}

// No argument has the axes that `out` has, so that nothing else is compared
// with it.
TEST_F(SequenceErrorsTest, ResultsThatAreTooSmall) {
  SequenceSetting setting;
  setting.spec.text = "attention x { input q: [heads, queries, dim] }";
  setting.spec.heads = 2;
  setting.lengths = {{2, 5}, {3, 4}};
  setting.packsKeys = true;
  auto call = SequenceCase::create(setting);
  ASSERT_TRUE(call);
  call->out.sizes[0] = 1;
  std::string text = "'out' has 1 sequences, expected 2";
  expectError(*call, text);
  expectErrorOfPlan(*call, call->out, text);

  // Queries 2 .. 4 .. 7 of 10.
  setting.packsKeys = false;
  setting.packsQueries = true;
  call = SequenceCase::create(setting);
  ASSERT_TRUE(call);
  call->out.sizes[1] = 6;
  text = "'out' has 6 queries, but sequence 1 ends at 7";
  expectError(*call, text);
  expectErrorOfPlan(*call, call->out, text);
  call->out.sizes[1] = 7;
  Sequences sequences = call->sequences();
  RunOptions options;
  options.sequences = &sequences;
  auto done = call->getKernel().run(call->arguments(), call->view(call->out),
                                    nullptr, options);
  EXPECT_TRUE(static_cast<bool>(done)) << done.error().message;

  // With positions there is one for every row.
  setting.givesPositions = true;
  call = SequenceCase::create(setting);
  ASSERT_TRUE(call);
  call->check(1, /*isPlanned=*/true);
  call->given.at("query_positions").sizes[0] = 6;
  expectError(*call, "'query_positions' are given for 6 queries, but sequence "
                     "1 ends at 7");
}

TEST_F(SequenceErrorsTest, KeysInThePlaceOfQueries) {
  SequenceSetting setting;
  setting.spec.text = "attention x { let q = k[i, :] mask = i >= j }";
  setting.lengths = {{5, 5}, {4, 4}};
  auto call = SequenceCase::create(setting);
  ASSERT_TRUE(call);
  Sequences sequences = call->sequences();
  sequences.queryLengths = sequences.keyLengths;
  expectError(*call, call->arguments(), sequences,
              "'query_lengths' are given, but the spec has a query at every "
              "key");
  auto spec = Spec::parse(setting.spec.text);
  ASSERT_TRUE(static_cast<bool>(spec));
  CompileOptions options;
  options.extents = setting.spec.extents;
  options.useCache = false;
  options.sequences.hasPositions = true;
  auto kernel = Kernel::compile(*spec, options);
  ASSERT_FALSE(static_cast<bool>(kernel));
  EXPECT_EQ(kernel.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(kernel.error().message,
            "sequences give positions of queries, but 'x' has a query at every "
            "key; expected a spec that reads queries");

  setting.pageSize = 4;
  call = SequenceCase::create(setting);
  ASSERT_TRUE(call);
  call->out.sizes[2] = 4;
  std::string text = "'out' has 4 keys, but sequence 0 has 5";
  expectError(*call, text);
  expectErrorOfPlan(*call, call->out, text);
}

TEST_F(SequenceErrorsTest, SequencesWithoutABatch) {
  SequenceSetting setting;
  setting.spec.text =
      "attention x { input q: [heads, queries, dim] "
      "input k: [kv_heads, keys, dim] input v: [kv_heads, keys, vdim] }";
  setting.lengths = {{2, 5}, {3, 4}, {1, 1}};
  auto call = SequenceCase::create(setting);
  ASSERT_TRUE(call);
  expectError(*call, "'out' has no axis 'batch', but there are 3 sequences, "
                     "expected 1");
}

TEST_F(SequenceErrorsTest, Positions) {
  auto call = make(true, 0, true);
  ASSERT_TRUE(call);
  expectErrorOf(*call, "query_positions", 5, 1 << 26,
                "'query_positions'[5] is 67108864, expected less than 67108864 "
                "from 0");
  Sequences sequences = call->sequences();
  sequences.queryPositions->sizes = {4};
  expectError(*call, call->arguments(), sequences,
              "'query_positions' are given for 4 queries, expected 17 as in "
              "'q'");
}

TEST_F(SequenceErrorsTest, WhatIsGiven) {
  auto call = make(true, 8);
  ASSERT_TRUE(call);
  std::vector<NamedTensor> arguments = call->arguments();
  Sequences sequences = call->sequences();
  sequences.pageTable.reset();
  expectError(*call, arguments, sequences, "'page_table' is missing");
  sequences = call->sequences();
  sequences.keyStarts = sequences.queryStarts;
  expectError(*call, arguments, sequences,
              "'key_starts' and 'page_table' are given, expected one");
  sequences = call->sequences();
  sequences.keyLengths.reset();
  expectError(*call, arguments, sequences, "'key_lengths' are missing");
  sequences = call->sequences();
  sequences.queryPositions = sequences.queryStarts;
  expectError(*call, arguments, sequences,
              "'query_positions' are given, but the kernel was compiled "
              "without positions");
  sequences = call->sequences();
  sequences.keyLengths->dtype = DType::I64;
  expectError(*call, arguments, sequences,
              "'key_lengths' has type i64, expected i32");
  sequences = call->sequences();
  sequences.keyLengths->sizes = {2};
  expectError(*call, arguments, sequences,
              "'key_lengths' has lengths for 2 sequences, expected 3 as in "
              "'near'");
  sequences = call->sequences();
  sequences.queryStarts->sizes = {1, 4};
  expectError(*call, arguments, sequences,
              "'query_starts' has rank 2, expected 1");
  sequences = call->sequences();
  sequences.queryStarts->sizes = {0};
  expectError(*call, arguments, sequences, "'query_starts' is empty");
  sequences = call->sequences();
  sequences.queryStarts->data = nullptr;
  expectError(*call, arguments, sequences,
              "'query_starts' has elements, but no address");
  // A packed tensor has no batch.
  arguments[0].tensor.sizes.insert(arguments[0].tensor.sizes.begin(), 1);
  arguments[0].tensor.strides.clear();
  expectError(*call, arguments, call->sequences(),
              "'q' has rank 4, expected [heads, queries, dim], rank 3");
}

TEST_F(SequenceErrorsTest, ResultInAnArgument) {
  auto call = make(true, 0);
  ASSERT_TRUE(call);
  std::vector<NamedTensor> arguments = call->arguments();
  arguments[0].tensor.data = call->out.data.data();
  expectError(*call, arguments, call->sequences(),
              "'out' shares memory with 'q'");
}

// A tree of drafts behind the text so far: its table reaches the last key.
TEST_F(SequenceErrorsTest, TablesThatAreTooShort) {
  SequenceSetting setting;
  setting.spec.text = "attention x { input base: i32[batch] "
                      "input seen: bool[batch, nodes, nodes] "
                      "mask = j < base | seen[i - base, j - base] }";
  setting.spec.extents = {{"dim", 4}, {"vdim", 4}, {"nodes", 5}};
  setting.lengths = {{3, 20}, {5, 9}};
  setting.packsQueries = true;
  setting.pageSize = 4;
  auto call = SequenceCase::create(setting);
  ASSERT_TRUE(call);
  SpecTensor *base = nullptr;
  for (SpecTensor &tensor : call->tensors)
    if (tensor.name == "base")
      base = &tensor;
  ASSERT_TRUE(base);
  base->set(0, 15);
  base->set(1, 3);
  expectError(*call,
              "'seen' is too short: axis 'nodes' has extent 5, expected at "
              "least 6 for position 8, as 'base'[1] is 3");
  base->set(1, 4);
  Sequences sequences = call->sequences();
  RunOptions options;
  options.sequences = &sequences;
  call->run(options);

  // The same without sequences; what is read at no distance from a start, and
  // ends before it, gives false.
  setting.spec.text += "attention y { input mark: bool[10] "
                       "mask = i >= j & mark[j] }"
                       "attention z { input base: i32[batch] "
                       "input seen: bool[batch, nodes, nodes] "
                       "let q = k[i, :] "
                       "mask = j < base | seen[i - base, j - base] }";
  auto parsed = Spec::parse(setting.spec.text);
  ASSERT_TRUE(static_cast<bool>(parsed));
  for (const char *name : {"x", "y", "z"}) {
    SpecSetting alone = setting.spec;
    alone.definition = name;
    auto kernel = KernelCase::create(alone);
    ASSERT_TRUE(kernel);
    resize(*kernel, {2, 1, 1, name[0] == 'z' ? 20 : 5, 20}, 1);
    if (SpecTensor *bases = kernel->spec().find("base")) {
      bases->set(0, 15);
      bases->set(1, 14);
      KernelCase::Results results = kernel->makeResults();
      std::vector<NamedTensor> arguments;
      for (SpecTensor &tensor : kernel->spec().tensors)
        arguments.push_back({tensor.name, call->view(tensor)});
      auto done = kernel->getKernel().run(arguments, call->view(results.out));
      ASSERT_FALSE(static_cast<bool>(done));
      EXPECT_NE(done.error().message.find("expected at least 6 for position "
                                          "19, as 'base'[1] is 14"),
                std::string::npos)
          << done.error().message;
      bases->set(1, 15);
    }
    kernel->check();
  }
}

TEST_F(SequenceErrorsTest, KernelWithoutSequences) {
  auto kernel = KernelCase::create({.text = "attention x { mask = i >= j }"});
  ASSERT_TRUE(kernel);
  Sequences sequences;
  RunOptions options;
  options.sequences = &sequences;
  auto done = kernel->getKernel().run({}, {}, nullptr, options);
  ASSERT_FALSE(static_cast<bool>(done));
  EXPECT_NE(done.error().message.find("was not compiled for sequences"),
            std::string::npos);
}

TEST_F(SequenceErrorsTest, Plans) {
  auto call = make(true, 8), other = make(true, 8);
  ASSERT_TRUE(call && other);
  Sequences sequences = call->sequences();
  RunOptions options;
  options.sequences = &sequences;
  auto plan = call->getKernel().plan(call->arguments(), options);
  ASSERT_TRUE(static_cast<bool>(plan)) << plan.error().message;
  EXPECT_GT(plan->getBytes(), 0);
  auto expect = [&](const Kernel &kernel, const Plan &used,
                    std::vector<NamedTensor> arguments, const char *text) {
    auto done = kernel.run(used, arguments, call->view(call->out));
    ASSERT_FALSE(static_cast<bool>(done)) << text;
    EXPECT_NE(done.error().message.find(text), std::string::npos)
        << done.error().message;
  };
  expect(other->getKernel(), *plan, call->arguments(),
         "the plan is not one of this kernel");
  expect(call->getKernel(), Plan(), call->arguments(),
         "the plan is not one of this kernel");
  std::vector<NamedTensor> arguments = call->arguments();
  for (NamedTensor &tensor : arguments)
    if (tensor.name == "near")
      tensor.tensor.sizes[1] -= 1;
    else if (tensor.name == "bias")
      tensor.tensor.sizes[2] -= 1;
  expect(
      call->getKernel(), *plan, arguments,
      "axis 'longest keys' of 'bias' has extent 44, but was planned with 45");
}

} // namespace
