// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Whoever runs the items of a batch of sequences, and whatever else runs at the
// same time, results are the same bit by bit.

#include "SequenceCase.h"
#include <atomic>
#include <random>
#include <thread>

using namespace rapt;
using namespace rapt::testing;

namespace {

/// Runs items one by one in an order of its own, some on a second thread.
struct Shuffled : Executor {
  explicit Shuffled(uint64_t seed) : random(seed) {}
  void run(int64_t count,
           const std::function<void(int64_t, int64_t)> &task) override {
    std::vector<int64_t> order(count);
    for (int64_t n = 0; n < count; ++n)
      order[n] = n;
    std::shuffle(order.begin(), order.end(), random);
    std::atomic<size_t> next = 0;
    auto work = [&] {
      for (size_t n = next++; n < order.size(); n = next++)
        task(order[n], order[n] + 1);
    };
    std::thread other(work);
    work();
    other.join();
    ++calls;
  }
  std::mt19937_64 random;
  int calls = 0;
};

/// Several launches, lists of keys, and pages.
SequenceSetting makeSetting() {
  SequenceSetting setting;
  setting.spec.text = "attention x { input doc: i32[batch, keys] "
                      "let k = rope(k) mask = i >= j & doc[i] == doc[j] }";
  setting.spec.heads = 4;
  setting.spec.kvHeads = 2;
  setting.spec.extents = {{"dim", 16}, {"vdim", 24}};
  setting.lengths = {{5, 17}, {130, 130}, {1, 300}, {0, 9}, {3, 0}, {33, 64}};
  setting.packsQueries = true;
  setting.pageSize = 16;
  return setting;
}

struct SequenceThreadsTest : ::testing::Test {
  void SetUp() override {
    call = SequenceCase::create(makeSetting());
    ASSERT_TRUE(call);
    sequences = call->sequences();
    options.sequences = &sequences;
    options.threads = 1;
    expected = run(options);
  }
  /// The bytes of the output of one call.
  std::vector<char> run(const RunOptions &how, const Plan *plan = nullptr) {
    SpecTensor out = call->out;
    TensorView view = call->view(out);
    auto done =
        plan ? call->getKernel().run(*plan, call->arguments(), view, nullptr,
                                     how)
             : call->getKernel().run(call->arguments(), view, nullptr, how);
    EXPECT_TRUE(static_cast<bool>(done)) << done.error().message;
    return out.data;
  }

  std::unique_ptr<SequenceCase> call;
  Sequences sequences;
  RunOptions options;
  std::vector<char> expected;
};

TEST_F(SequenceThreadsTest, AnyNumberOfThreads) {
  for (unsigned threads : {1, 2, 3, 8}) {
    options.threads = threads;
    EXPECT_EQ(run(options), expected) << threads << " threads";
  }
}

TEST_F(SequenceThreadsTest, TheCallersExecutor) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Shuffled executor(seed);
    options.executor = &executor;
    EXPECT_EQ(run(options), expected) << "seed " << seed;
    // Planning, and a launch for each operation of the spec.
    EXPECT_GE(executor.calls, 3);
  }
}

TEST_F(SequenceThreadsTest, CallsAtOnce) {
  auto plan = call->getKernel().plan(call->arguments(), options);
  ASSERT_TRUE(static_cast<bool>(plan)) << plan.error().message;
  std::vector<std::thread> threads;
  std::atomic<int> different = 0;
  for (unsigned n = 0; n < 6; ++n)
    threads.emplace_back([&, n] {
      for (int round = 0; round < 20; ++round) {
        RunOptions own = options;
        own.threads = 1 + n % 3;
        // Half of them share a plan and take turns.
        if (run(own, n % 2 ? &*plan : nullptr) != expected)
          ++different;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(different, 0);
}

// Two kernels share the pool, and an executor that the caller has for both; one
// of them splits keys over items.
TEST_F(SequenceThreadsTest, TwoKernelsAtOnce) {
  SequenceSetting decoding = makeSetting();
  decoding.spec.text =
      "attention x { mask = i >= j & (h % 2 == 0 | j % 3 < 2) }";
  decoding.lengths = {{1, 3000}, {2, 40}, {1, 2050}};
  auto other = SequenceCase::create(decoding);
  ASSERT_TRUE(other);
  Sequences ofOther = other->sequences();
  auto runOther = [&](RunOptions how) {
    how.sequences = &ofOther;
    SpecTensor out = other->out;
    auto done = other->getKernel().run(other->arguments(), other->view(out),
                                       nullptr, how);
    EXPECT_TRUE(static_cast<bool>(done)) << done.error().message;
    return out.data;
  };
  std::vector<char> expectedOfOther = runOther({.threads = 1});
  std::atomic<int> different = 0;
  auto repeat = [&](bool isOther, unsigned seed) {
    Shuffled executor(seed);
    for (unsigned round = 0; round < 12; ++round) {
      RunOptions how = options;
      how.threads = 1 + (round + seed) % 4;
      how.executor = round % 3 == 0 ? &executor : nullptr;
      if (isOther ? runOther(how) != expectedOfOther : run(how) != expected)
        ++different;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned n = 0; n < 4; ++n)
    threads.emplace_back(repeat, n % 2 == 0, n);
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(different, 0);
}

// A plan outlives its kernel, and its tables do not refer to what was given.
TEST_F(SequenceThreadsTest, PlansKeepWhatTheyNeed) {
  auto plan = call->getKernel().plan(call->arguments(), options);
  ASSERT_TRUE(static_cast<bool>(plan)) << plan.error().message;
  for (auto &[name, tensor] : call->given)
    std::fill(tensor.data.begin(), tensor.data.end(), '\x7f');
  options.sequences = nullptr;
  for (int round = 0; round < 3; ++round)
    EXPECT_EQ(run(options, &*plan), expected);
  Plan copy = *plan;
  call.reset();
  EXPECT_GT(copy.getBytes(), 0);
}

} // namespace
