// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "rapt/Kernel.h"
#include "lib/Compiler/CHeader.h"
#include "lib/Compiler/TunedPlans.h"
#include "lib/Compiler/WorkspacePool.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "gtest/gtest.h"
#include <cmath>
#include <fstream>
#include <thread>

using namespace rapt;

namespace {

/// Kernels in a cache of their own.
struct KernelTest : testing::Test {
  void SetUp() override {
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("rapt", directory));
    options.cacheDirectory = directory.str().str();
    options.extents = {{"dim", 4}, {"vdim", 4}};
  }
  void TearDown() override { llvm::sys::fs::remove_directories(directory); }

  Result<Kernel> compile(const std::string &text) {
    auto spec = Spec::parse(text, "test.attn");
    if (!spec)
      return spec.error();
    return Kernel::compile(*spec, options);
  }
  std::string getError(const std::string &text) {
    auto kernel = compile(text);
    return kernel ? "none" : kernel.error().message;
  }
  std::vector<std::string> listCache() {
    std::vector<std::string> files;
    std::error_code code;
    for (llvm::sys::fs::directory_iterator at(directory, code), end; at != end;
         at.increment(code))
      files.push_back(at->path());
    return files;
  }

  llvm::SmallString<128> directory;
  CompileOptions options;
};

/// One head, and its tensors.
struct Problem {
  explicit Problem(int64_t queries, int64_t keys)
      : q(queries * 4), k(keys * 4), v(keys * 4), out(queries * 4, -1),
        lse(queries, -1), queries(queries), keys(keys) {
    for (size_t n = 0; n < q.size(); ++n)
      q[n] = std::sin(double(n));
    for (size_t n = 0; n < k.size(); ++n) {
      k[n] = std::cos(3.0 * n);
      v[n] = std::cos(5.0 * n);
    }
  }
  std::vector<NamedTensor> getArguments() {
    return {{"q", {q.data(), DType::F32, {1, 1, queries, 4}, {}}},
            {"k", {k.data(), DType::F32, {1, 1, keys, 4}, {}}},
            {"v", {v.data(), DType::F32, {1, 1, keys, 4}, {}}}};
  }
  TensorView getOut() {
    return {out.data(), DType::F32, {1, 1, queries, 4}, {}};
  }
  TensorView getLse() { return {lse.data(), DType::F32, {1, 1, queries}, {}}; }

  /// The result of causal attention, from its definition.
  void expectCausal() {
    expect([&](int64_t i, int64_t j) { return j <= i + keys - queries; });
  }
  /// That of attention with a mask.
  void expect(llvm::function_ref<bool(int64_t, int64_t)> keeps) {
    for (int64_t i = 0; i < queries; ++i) {
      double sum = 0, values[4] = {};
      for (int64_t j = 0; j < keys; ++j) {
        if (!keeps(i, j))
          continue;
        double score = 0;
        for (int d = 0; d < 4; ++d)
          score += double(q[i * 4 + d]) * k[j * 4 + d];
        double weight = std::exp(score / 2);
        sum += weight;
        for (int d = 0; d < 4; ++d)
          values[d] += weight * v[j * 4 + d];
      }
      if (sum == 0) {
        EXPECT_EQ(lse[i], -INFINITY);
        EXPECT_EQ(std::count(&out[i * 4], &out[i * 4] + 4, 0.0f), 4);
        continue;
      }
      EXPECT_NEAR(lse[i], std::log(sum), 1e-5);
      for (int d = 0; d < 4; ++d)
        EXPECT_NEAR(out[i * 4 + d], values[d] / sum, 1e-5);
    }
  }

  std::vector<float> q, k, v, out, lse;
  int64_t queries, keys;
};

const char *causal = "attention causal { mask = i >= j }";

TEST_F(KernelTest, ComputesOutAndLse) {
  auto kernel = compile(causal);
  ASSERT_TRUE(bool(kernel)) << kernel.error().message;
  for (auto [queries, keys] :
       {std::pair(1, 1), {3, 5}, {70, 130}, {200, 200}}) {
    Problem problem(queries, keys);
    TensorView lse = problem.getLse();
    auto done = kernel->run(problem.getArguments(), problem.getOut(), &lse);
    ASSERT_TRUE(bool(done)) << done.error().message;
    problem.expectCausal();
  }
}

TEST_F(KernelTest, NoQueriesAndNoKeys) {
  auto kernel = compile(causal);
  ASSERT_TRUE(bool(kernel)) << kernel.error().message;
  Problem none(0, 5);
  EXPECT_TRUE(bool(kernel->run(none.getArguments(), none.getOut())));
  Problem blind(3, 0);
  TensorView lse = blind.getLse();
  ASSERT_TRUE(bool(kernel->run(blind.getArguments(), blind.getOut(), &lse)));
  EXPECT_EQ(blind.out, std::vector<float>(12, 0));
  EXPECT_EQ(blind.lse, std::vector<float>(3, -INFINITY));
}

TEST_F(KernelTest, WritesNothingIfATensorDoesNotFit) {
  auto kernel = compile(causal);
  ASSERT_TRUE(bool(kernel)) << kernel.error().message;
  Problem problem(3, 3);
  auto arguments = problem.getArguments();
  arguments[2].tensor.sizes[2] = 2;
  auto done = kernel->run(arguments, problem.getOut());
  ASSERT_FALSE(bool(done));
  EXPECT_EQ(done.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(problem.out, std::vector<float>(12, -1));
  RunOptions run;
  run.threads = 100000;
  EXPECT_FALSE(bool(
      kernel->run(problem.getArguments(), problem.getOut(), nullptr, run)));
}

TEST_F(KernelTest, ResultSizes) {
  auto kernel = compile(causal);
  ASSERT_TRUE(bool(kernel)) << kernel.error().message;
  Problem problem(3, 5);
  auto sizes = kernel->getResultSizes(problem.getArguments());
  ASSERT_TRUE(bool(sizes));
  EXPECT_EQ(*sizes, (std::vector<int64_t>{1, 1, 3, 4}));
  EXPECT_FALSE(bool(kernel->getResultSizes({})));
}

/// Runs items backwards and one by one.
struct Backwards : Executor {
  void run(int64_t count,
           const std::function<void(int64_t, int64_t)> &task) override {
    ++calls;
    while (count-- > 0)
      task(count, count + 1);
  }
  int calls = 0;
};

/// The feature that is largest.
int64_t findLargest(const std::vector<float> &rows, int64_t row) {
  auto first = rows.begin() + row * 4;
  return std::max_element(first, first + 4) - first;
}

// What the mask reads is computed by the call, so its runs are found then: each
// time, by the same plan, and more of them than a block has memory for.
TEST_F(KernelTest, FindsRunsOfWhatItComputes) {
  for (const char *compare : {"==", "<=", "!="}) {
    auto kernel = compile("attention x { let a = argmax(q) let b = argmax(k) "
                          "mask = b " +
                          std::string(compare) + " a }");
    ASSERT_TRUE(bool(kernel)) << kernel.error().message;
    for (auto [queries, keys] : {std::pair(130, 6000), {1, 700}, {70, 70}}) {
      Problem problem(queries, keys);
      auto plan = kernel->plan(problem.getArguments());
      ASSERT_TRUE(bool(plan)) << plan.error().message;
      auto check = [&] {
        TensorView lse = problem.getLse();
        auto done =
            kernel->run(*plan, problem.getArguments(), problem.getOut(), &lse);
        ASSERT_TRUE(bool(done)) << done.error().message;
        problem.expect([&](int64_t i, int64_t j) {
          int64_t a = findLargest(problem.q, i), b = findLargest(problem.k, j);
          return compare[0] == '='   ? a == b
                 : compare[0] == '!' ? a != b
                                     : b <= a;
        });
      };
      check();
      // Every second tile of keys is full, and every other empty.
      for (size_t n = 0; n < problem.k.size(); ++n)
        problem.k[n] = n / 128 % 2 * 3 == n % 4 ? 2 : std::cos(7.0 * n);
      for (size_t n = 0; n < problem.q.size(); ++n)
        problem.q[n] = n % 4 == 1 ? 2 : std::sin(7.0 * n);
      check();
    }
  }
}

TEST_F(KernelTest, RunsOnTheCallersExecutor) {
  auto kernel = compile(causal);
  ASSERT_TRUE(bool(kernel)) << kernel.error().message;
  Backwards executor;
  RunOptions run;
  run.executor = &executor;
  Problem problem(150, 150);
  TensorView lse = problem.getLse();
  ASSERT_TRUE(
      bool(kernel->run(problem.getArguments(), problem.getOut(), &lse, run)));
  problem.expectCausal();
  EXPECT_GT(executor.calls, 0);
}

TEST_F(KernelTest, SeveralThreadsMayCall) {
  auto kernel = compile(causal);
  ASSERT_TRUE(bool(kernel)) << kernel.error().message;
  std::vector<Problem> problems;
  for (int64_t n = 0; n < 4; ++n)
    problems.emplace_back(100 + n, 110 + 7 * n);
  std::vector<std::thread> threads;
  for (Problem &problem : problems)
    threads.emplace_back([&] {
      TensorView lse = problem.getLse();
      RunOptions run;
      run.threads = 2;
      for (int n = 0; n < 20; ++n)
        EXPECT_TRUE(bool(
            kernel->run(problem.getArguments(), problem.getOut(), &lse, run)));
    });
  for (std::thread &thread : threads)
    thread.join();
  for (Problem &problem : problems)
    problem.expectCausal();
}

TEST_F(KernelTest, IsFoundInTheCache) {
  auto cold = compile(causal);
  ASSERT_TRUE(bool(cold)) << cold.error().message;
  EXPECT_FALSE(cold->isFromCache());
  // Other places and comments, the same definition.
  auto hit = compile("// a comment\nattention causal {\n  mask = (i >= j)\n}");
  ASSERT_TRUE(bool(hit)) << hit.error().message;
  EXPECT_TRUE(hit->isFromCache());
  EXPECT_EQ(hit->getPlan(), cold->getPlan());
  EXPECT_EQ(hit->getManifest(), cold->getManifest());
  Problem problem(9, 9);
  TensorView lse = problem.getLse();
  ASSERT_TRUE(bool(hit->run(problem.getArguments(), problem.getOut(), &lse)));
  problem.expectCausal();
}

TEST_F(KernelTest, KeyOfTheCacheHasEverythingButLengths) {
  const char *text = "attention w { param n = 4 mask = i - j < n }";
  auto isHit = [&] {
    auto kernel = compile(text);
    EXPECT_TRUE(bool(kernel)) << kernel.error().message;
    return kernel && kernel->isFromCache();
  };
  EXPECT_FALSE(isHit());
  EXPECT_TRUE(isHit());
  options.extents["queries"] = 100;
  EXPECT_TRUE(isHit());
  options.params["n"] = "5";
  EXPECT_FALSE(isHit());
  options.dtype = DType::BF16;
  EXPECT_FALSE(isHit());
  options.extents["vdim"] = 5;
  EXPECT_FALSE(isHit());
  text = "attention w { param n = 4 mask = i - j <= n }";
  EXPECT_FALSE(isHit());
  options.useCache = false;
  EXPECT_FALSE(isHit());
}

TEST_F(KernelTest, CorruptEntryIsReplaced) {
  ASSERT_TRUE(bool(compile(causal)));
  ASSERT_EQ(listCache().size(), 1u);
  std::ofstream(listCache().front(), std::ios::in | std::ios::out)
      .seekp(200)
      .write("spoilt", 6);
  auto again = compile(causal);
  ASSERT_TRUE(bool(again)) << again.error().message;
  EXPECT_FALSE(again->isFromCache());
  ASSERT_EQ(again->getWarnings().size(), 1u);
  EXPECT_NE(again->getWarnings()[0].find("compiling again"), std::string::npos);
  EXPECT_TRUE(compile(causal)->isFromCache());
}

TEST_F(KernelTest, TakesATunedPlanIfItFits) {
  auto keep = [&](const char *plan) {
    auto spec = Spec::parse(causal, "test.attn");
    auto compilation = prepare(spec->getSource(), options);
    ASSERT_TRUE(static_cast<bool>(compilation));
    runtime::KernelCache cache(options.cacheDirectory);
    llvm::cantFail(storeTunedPlan(cache, *compilation, plan));
  };
  auto chosen = compile(causal);
  ASSERT_TRUE(chosen) << chosen.error().message;
  keep("keys=64,edge=16");
  auto tuned = compile(causal);
  ASSERT_TRUE(tuned) << tuned.error().message;
  EXPECT_FALSE(tuned->isFromCache());
  EXPECT_NE(tuned->getTiles(), chosen->getTiles());
  EXPECT_NE(tuned->getTiles().find("keys=64,edge=16"), std::string::npos);
  EXPECT_TRUE(tuned->getWarnings().empty());

  // No tile has 24 queries.
  keep("queries=24");
  auto refused = compile(causal);
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_EQ(refused->getTiles(), chosen->getTiles());
  ASSERT_EQ(refused->getWarnings().size(), 1u);
  EXPECT_EQ(refused->getWarnings().front().find("tuned plan is not usable: "),
            0u);
}

TEST_F(KernelTest, CacheThatCannotBeWrittenIsAWarning) {
  std::string file = (directory + "/file").str();
  std::ofstream(file) << "x";
  options.cacheDirectory = file + "/below";
  auto kernel = compile(causal);
  ASSERT_TRUE(bool(kernel)) << kernel.error().message;
  EXPECT_FALSE(kernel->getWarnings().empty());
  Problem problem(2, 2);
  EXPECT_TRUE(bool(kernel->run(problem.getArguments(), problem.getOut())));
}

// A form for few rows is compiled by the call that needs it.
TEST_F(KernelTest, WarningsOfFormsAreThoseOfTheKernel) {
  auto kernel = compile(causal);
  ASSERT_TRUE(bool(kernel)) << kernel.error().message;
  EXPECT_TRUE(kernel->getWarnings().empty());
  llvm::sys::fs::remove_directories(directory);
  std::ofstream(options.cacheDirectory) << "x";
  Problem problem(1, 64);
  for (int n = 0; n < 2; ++n) {
    auto done = kernel->run(problem.getArguments(), problem.getOut());
    EXPECT_TRUE(bool(done)) << done.error().message;
  }
  auto form = kernel->selectFor(problem.getArguments());
  ASSERT_TRUE(bool(form));
  EXPECT_GT(form->getFewRows(), 0);
  EXPECT_FALSE(form->getWarnings().empty());
  EXPECT_EQ(kernel->getWarnings(), form->getWarnings());
  llvm::sys::fs::remove(directory);
}

TEST_F(KernelTest, Refusals) {
  options.target = "pdp11";
  EXPECT_EQ(getError(causal).find("unknown target 'pdp11', expected host"), 0u)
      << getError(causal);
  options.target = "host";
  options.extents["dim"] = 513;
  EXPECT_NE(getError(causal).find("expected at most 512"), std::string::npos);
  options.extents["dim"] = 0;
  EXPECT_NE(getError(causal).find("extent of 'dim' is 0"), std::string::npos)
      << getError(causal);
  options.extents.clear();
  EXPECT_EQ(getError(causal),
            "extents of feature axes are not given: dim, vdim");
  options.extents = {{"dim", 8}, {"vdim", 8}};
  EXPECT_NE(
      getError("attention s { state S = S + outer(k, v) out = dot(q, S) }")
          .find("not compiled yet"),
      std::string::npos);
}

TEST_F(KernelTest, Manifest) {
  auto kernel = compile("attention w { param n = 4 mask = i - j < n }");
  ASSERT_TRUE(bool(kernel)) << kernel.error().message;
  auto value = llvm::json::parse(kernel->getManifest());
  ASSERT_TRUE(bool(value));
  llvm::json::Object &object = *value->getAsObject();
  EXPECT_EQ(object.getString("symbol"), "w");
  EXPECT_EQ(object.getObject("entries")->getString("run"), "w_run");
  EXPECT_EQ(object.getObject("params")->getString("n"), "4");
  EXPECT_EQ(object.getObject("target")->getString("name"), "host");
  EXPECT_EQ(object.getString("form"), llvm::StringRef(kernel->getForm()));
  EXPECT_EQ(object.getString("plan"), llvm::StringRef(kernel->getPlan()));
  EXPECT_GE(*object.getInteger("launches"), 1);
  EXPECT_GT(*object.getInteger("stack_bytes"), 0);
  EXPECT_EQ(object.getArray("arguments")->size(), 3u);
  EXPECT_EQ(object.getArray("results")->size(), 2u);
  auto facts = parseLoweringFacts(kernel->getManifest());
  ASSERT_TRUE(bool(facts));
  EXPECT_EQ(facts->contiguous.size(), 5u);
  ASSERT_EQ(facts->remarks.size(), 1u);
  EXPECT_EQ(facts->remarks.front().kind, RemarkKind::Structure);
  EXPECT_EQ(facts->remarks.front().text, kernel->getRemarks().front().text);
  auto broken = parseLoweringFacts("{\"plan\": 1}");
  EXPECT_FALSE(bool(broken));
  consumeError(broken.takeError());
}

TEST(CHeader, InputsMayBeWordsOfC) {
  KernelManifest manifest;
  manifest.symbol = "x";
  manifest.signature.arguments = {
      {"default", DType::F32, {{"heads", -1, false}}},
      {"seed", DType::I64, {}}};
  manifest.facts.contiguous = {false, false};
  std::string header = makeCHeader(manifest);
  EXPECT_NE(header.find("const void *default_;"), std::string::npos);
  EXPECT_NE(header.find("int64_t default__sizes[1];"), std::string::npos);
  EXPECT_NE(header.find("const void *seed;"), std::string::npos);
  EXPECT_EQ(header.find("seed_sizes"), std::string::npos);
}

// What is added to a name may be the name of another input.
TEST(CHeader, MembersHaveNamesOfTheirOwn) {
  KernelManifest manifest;
  manifest.symbol = "x";
  std::vector<Axis> heads = {{"heads", -1, false}};
  manifest.signature.arguments = {{"q", DType::F32, heads},
                                  {"q_sizes", DType::F32, heads},
                                  {"int", DType::F32, {}},
                                  {"int_", DType::F32, {}}};
  manifest.facts.contiguous = {false, false, false, false};
  std::string header = makeCHeader(manifest);
  llvm::StringRef members = llvm::StringRef(header).split("typedef").second;
  members = members.split("} x_args;").first;
  for (const char *member :
       {"const void *q;", "int64_t q_sizes[1];", "int64_t q_strides[1];",
        "const void *q_sizes_;", "int64_t q_sizes__sizes[1];",
        "int64_t q_sizes__strides[1];", "const void *int_;",
        "const void *int__;"})
    EXPECT_EQ(members.count(member), 1u) << member << "\n" << members.str();
}

TEST(CHeader, SpeaksOfLogSumExpWhereThereIsOne) {
  KernelManifest manifest;
  manifest.symbol = "x";
  manifest.signature.results = {{"out", DType::F32, {{"heads", -1, false}}}};
  manifest.facts.contiguous = {false};
  EXPECT_EQ(makeCHeader(manifest).find("`lse`"), std::string::npos);
  manifest.signature.results.push_back(
      {"lse", DType::F32, {{"heads", -1, false}}});
  manifest.facts.contiguous.push_back(false);
  EXPECT_NE(makeCHeader(manifest).find(
                "`lse` is the log-sum-exp of every row, 0 where the weight is "
                "no softmax;\n * address 0 and sizes 0: not wanted."),
            std::string::npos)
      << makeCHeader(manifest);
}

TEST(WorkspacePool, ReusesMemory) {
  WorkspacePool pool;
  void *first;
  {
    auto lease = pool.take(1000);
    first = lease.getData();
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
    auto second = pool.take(1000);
    EXPECT_NE(second.getData(), first);
  }
  // The one that came back last.
  EXPECT_EQ(pool.take(900).getData(), first);
  auto large = pool.take(100000);
  ASSERT_NE(large.getData(), nullptr);
  static_cast<char *>(large.getData())[99999] = 1;
}

} // namespace
