// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Kernels for a GPU, with a driver that computes nothing: what is compiled,
// kept, planned, copied and launched, and where.

#include "lib/Runtime/CudaMemory.h"
#include "rapt/Kernel.h"
#include "test/tools/fake-cuda/FakeCuda.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "gtest/gtest.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>

using namespace rapt;

namespace {

constexpr const char *causal = "attention causal { mask = i >= j }";

struct Launch {
  std::string kernel;
  int64_t blocks = 0;
  int device = 0;
  void *stream = nullptr;
  std::vector<int64_t> words; ///< the first ones
};
std::vector<Launch> launches;

struct CudaKernelTest : testing::Test {
  static void SetUpTestSuite() {
    setenv("RAPT_LIBCUDA", FAKE_CUDA, 1);
    // The driver assembles, where there is ptxas as well as where there is not.
    path = std::getenv("PATH") ? std::getenv("PATH") : "";
    for (const char *name : {"CUDA_HOME", "CUDA_PATH"})
      unsetenv(name);
    setenv("PATH", "/nowhere", 1);
  }
  static void TearDownTestSuite() { setenv("PATH", path.c_str(), 1); }

  void SetUp() override {
    fakeCudaReset();
    launches.clear();
    fakeCudaOnLaunch([](const FakeCudaLaunch &launch) {
      launches.push_back({launch.kernel,
                          launch.blocks,
                          launch.device,
                          launch.stream,
                          {launch.words, launch.words + 12}});
    });
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("rapt", directory));
    options.cacheDirectory = directory.str().str();
    options.extents = {{"dim", 64}, {"vdim", 64}};
    options.dtype = DType::BF16;
    options.target = "cuda";
  }
  void TearDown() override {
    llvm::sys::fs::remove_directories(directory);
    EXPECT_EQ(fakeCudaCountAllocations(), 0);
    EXPECT_EQ(fakeCudaCountModules(), 0);
    EXPECT_EQ(fakeCudaCountPushedContexts(), 0);
  }

  Result<Kernel> compile(const std::string &text = causal) const {
    auto spec = Spec::parse(text, "test.attn");
    if (!spec)
      return spec.error();
    return Kernel::compile(*spec, options);
  }

  static std::string path;
  llvm::SmallString<128> directory;
  CompileOptions options;
};
std::string CudaKernelTest::path;

/// Tensors of one head in the memory of a GPU.
struct Problem {
  explicit Problem(int64_t tokens, int device = 0) : tokens(tokens) {
    auto context = llvm::cantFail(runtime::CudaContext::find(nullptr, device));
    for (runtime::CudaMemory *memory : {&q, &k, &v, &out, &lse, &ids})
      *memory = llvm::cantFail(
          runtime::CudaMemory::allocate(context, tokens * 64 * 2));
  }
  static void *at(const runtime::CudaMemory &memory) {
    return reinterpret_cast<void *>(memory.getAddress());
  }
  TensorView view(const runtime::CudaMemory &memory) const {
    return {at(memory), DType::BF16, {1, 1, tokens, 64}, {}};
  }
  std::vector<NamedTensor> getArguments() const {
    return {{"q", view(q)}, {"k", view(k)}, {"v", view(v)}};
  }
  /// With documents of equal lengths.
  std::vector<NamedTensor> getDocuments(int64_t length) const {
    // Memory of the fake GPU can be written to.
    for (int64_t n = 0; n < tokens; ++n)
      static_cast<int32_t *>(at(ids))[n] = static_cast<int32_t>(n / length);
    auto arguments = getArguments();
    arguments.push_back({"doc", {at(ids), DType::I32, {1, tokens}, {}}});
    return arguments;
  }
  TensorView getOut() const { return view(out); }

  int64_t tokens;
  runtime::CudaMemory q, k, v, out, lse, ids;
};

std::string getText(const Result<void> &result) {
  return result ? "no error" : result.error().message;
}

TEST_F(CudaKernelTest, Launches) {
  auto kernel = compile();
  ASSERT_TRUE(kernel) << kernel.error().message;
  EXPECT_EQ(kernel->getTarget(), "sm_90a");
  EXPECT_FALSE(kernel->isFromCache());
  Problem problem(300);
  ASSERT_EQ(getText(kernel->run(problem.getArguments(), problem.getOut())),
            "no error");
  ASSERT_EQ(launches.size(), 1u);
  EXPECT_EQ(launches[0].kernel, "causal_launch0");
  const std::vector<int64_t> &words = launches[0].words;
  EXPECT_EQ(words[0] * words[1] * words[2], launches[0].blocks);
  EXPECT_NE(std::find(words.begin(), words.end(),
                      static_cast<int64_t>(problem.q.getAddress())),
            words.end());

  // The same sizes again: planned, and other memory is taken over.
  int copies = fakeCudaCountCallsOf("cuMemcpyHtoDAsync_v2");
  Problem other(300);
  ASSERT_EQ(getText(kernel->run(other.getArguments(), other.getOut())),
            "no error");
  EXPECT_EQ(fakeCudaCountCallsOf("cuMemcpyHtoDAsync_v2"), copies);
  ASSERT_EQ(launches.size(), 2u);
  EXPECT_NE(std::find(launches[1].words.begin(), launches[1].words.end(),
                      static_cast<int64_t>(other.q.getAddress())),
            launches[1].words.end());
  // Other sizes.
  Problem longer(700);
  ASSERT_EQ(getText(kernel->run(longer.getArguments(), longer.getOut())),
            "no error");
  EXPECT_EQ(fakeCudaCountCallsOf("cuMemcpyHtoDAsync_v2"), copies + 1);
  EXPECT_GT(launches[2].blocks, launches[1].blocks);
}

TEST_F(CudaKernelTest, NoResultIsNoLaunch) {
  auto kernel = compile();
  ASSERT_TRUE(kernel) << kernel.error().message;
  Problem problem(4);
  auto arguments = problem.getArguments();
  arguments[0].tensor.sizes[2] = 0;
  TensorView out = problem.getOut();
  out.sizes[2] = 0;
  EXPECT_EQ(getText(kernel->run(arguments, out)), "no error");
  EXPECT_TRUE(launches.empty());
}

TEST_F(CudaKernelTest, GraphsCapturePlannedCalls) {
  auto kernel = compile();
  ASSERT_TRUE(kernel) << kernel.error().message;
  Problem problem(300), other(301);
  auto plan = kernel->plan(problem.getArguments());
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_GT(plan->getBytes(), 0);
  fakeCudaCapture(true);
  EXPECT_EQ(
      getText(kernel->run(*plan, problem.getArguments(), problem.getOut())),
      "no error");
  EXPECT_EQ(launches.size(), 1u);
  const char *message = "the stream captures a graph, and planning a call "
                        "allocates and copies; plan it before";
  EXPECT_EQ(getText(kernel->run(problem.getArguments(), problem.getOut())),
            message);
  auto again = kernel->plan(problem.getArguments());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, message);
  // A call like one before the capture needs no plan of its own.
  fakeCudaCapture(false);
  ASSERT_EQ(getText(kernel->run(problem.getArguments(), problem.getOut())),
            "no error");
  fakeCudaCapture(true);
  EXPECT_EQ(getText(kernel->run(problem.getArguments(), problem.getOut())),
            "no error");
  EXPECT_EQ(launches.size(), 3u);
  // Sizes are those of the plan.
  EXPECT_EQ(getText(kernel->run(*plan, other.getArguments(), other.getOut())),
            "axis 'queries' of 'q' has extent 301, but was planned with 300");
  fakeCudaCapture(false);
}

constexpr const char *documents = "attention documents {\n"
                                  "  input doc: i32[batch, keys]\n"
                                  "  mask = i >= j & doc[i] == doc[j]\n"
                                  "}\n";

TEST_F(CudaKernelTest, IntegersAreReadWhenACallIsPlanned) {
  auto kernel = compile(documents);
  ASSERT_TRUE(kernel) << kernel.error().message;
  Problem problem(512);
  auto count = [&](int64_t length) {
    auto tables = kernel->planRuns(problem.getDocuments(length));
    EXPECT_TRUE(tables) << (tables ? "" : tables.error().message);
    return tables ? tables->at(0).runs.size() : 0;
  };
  EXPECT_NE(count(512), count(16));
  // A call plans anew, as the ids may have changed; a planned one does not.
  auto countPlans = [] { return fakeCudaCountCallsOf("cuMemcpyHtoDAsync_v2"); };
  int before = countPlans();
  for (int n = 1; n <= 2; ++n) {
    ASSERT_EQ(getText(kernel->run(problem.getDocuments(16), problem.getOut())),
              "no error");
    EXPECT_EQ(countPlans(), before + n);
  }
  auto plan = kernel->plan(problem.getDocuments(16));
  ASSERT_TRUE(plan) << plan.error().message;
  before = countPlans();
  ASSERT_EQ(
      getText(kernel->run(*plan, problem.getDocuments(16), problem.getOut())),
      "no error");
  EXPECT_EQ(countPlans(), before);
}

TEST_F(CudaKernelTest, RunsWhereTensorsAndStreamsAre) {
  auto kernel = compile();
  ASSERT_TRUE(kernel) << kernel.error().message;
  Problem first(64, 0), second(64, 1);
  ASSERT_EQ(getText(kernel->run(second.getArguments(), second.getOut())),
            "no error");
  EXPECT_EQ(launches.back().device, 1);
  ASSERT_EQ(getText(kernel->run(first.getArguments(), first.getOut())),
            "no error");
  EXPECT_EQ(launches.back().device, 0);
  EXPECT_EQ(fakeCudaCountModules(), 2);
  RunOptions on;
  on.stream = fakeCudaMakeStream(1);
  ASSERT_EQ(
      getText(kernel->run(second.getArguments(), second.getOut(), nullptr, on)),
      "no error");
  EXPECT_EQ(launches.back().stream, on.stream);
  EXPECT_EQ(launches.back().device, 1);
  EXPECT_EQ(fakeCudaCountModules(), 2);

  EXPECT_EQ(
      getText(kernel->run(first.getArguments(), first.getOut(), nullptr, on)),
      "the tensors are in the memory of GPU 0, but the stream is one of GPU 1");
  auto arguments = first.getArguments();
  arguments[1].tensor.data = Problem::at(second.k);
  EXPECT_EQ(getText(kernel->run(arguments, first.getOut())),
            "'k' is in the memory of GPU 1, but 'q' in that of GPU 0");
  std::vector<char> memory(64 * 64 * 2);
  arguments[1].tensor.data = memory.data();
  EXPECT_EQ(getText(kernel->run(arguments, first.getOut())),
            "'k' is not in the memory of a GPU");
  auto plan = kernel->plan(first.getArguments());
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(
      getText(kernel->run(*plan, second.getArguments(), second.getOut())),
      "the tensors are in the memory of GPU 1, but the call was planned for "
      "GPU 0");
}

TEST_F(CudaKernelTest, CodeIsSharedAndKept) {
  Problem problem(64);
  auto run = [&](const Kernel &kernel) {
    EXPECT_EQ(getText(kernel.run(problem.getArguments(), problem.getOut())),
              "no error");
  };
  auto countAssembled = [] { return fakeCudaCountCallsOf("cuLinkComplete"); };
  {
    auto first = compile();
    ASSERT_TRUE(first) << first.error().message;
    run(*first);
    auto second = compile();
    ASSERT_TRUE(second);
    EXPECT_TRUE(second->isFromCache());
    run(*second);
    EXPECT_EQ(fakeCudaCountModules(), 1);
    EXPECT_EQ(countAssembled(), 1);
  }
  EXPECT_EQ(fakeCudaCountModules(), 0);
  {
    auto third = compile(); // from the disk
    ASSERT_TRUE(third);
    EXPECT_TRUE(third->isFromCache());
    EXPECT_TRUE(third->getWarnings().empty());
    run(*third);
    EXPECT_EQ(countAssembled(), 1);
  }
  // Code for another GPU is other code.
  options.target = "sm_80";
  {
    auto generic = compile();
    ASSERT_TRUE(generic) << generic.error().message;
    EXPECT_FALSE(generic->isFromCache());
    run(*generic);
  }
  fakeCudaSetCapability(80);
  {
    auto generic = compile();
    ASSERT_TRUE(generic) << generic.error().message;
    EXPECT_FALSE(generic->isFromCache());
  }
  // Without a cache everything is made anew.
  options.useCache = false;
  auto alone = compile(), other = compile();
  ASSERT_TRUE(alone && other);
  EXPECT_FALSE(other->isFromCache());
}

TEST_F(CudaKernelTest, RefusesWhatDoesNotRun) {
  fakeCudaSetCapability(80);
  options.target = "sm_90a";
  auto kernel = compile();
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().message,
            "target 'sm_90a' does not run on GPU 0, Fake GPU with compute "
            "capability 8.0");
  EXPECT_EQ(kernel.error().code, ErrorCode::InvalidArgument);
  fakeCudaSetCapability(70);
  options.target = "cuda";
  kernel = compile();
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().message,
            "there is no target for GPU 0, Fake GPU with compute capability "
            "7.0; 'rapt targets' lists what there is");
  fakeCudaSetCapability(90);
  options.sequences.isGiven = true;
  kernel = compile();
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().code, ErrorCode::NotSupported);
}

/// Every call of the driver fails once, from the cache on disk to the launch.
TEST_F(CudaKernelTest, EveryFailureIsAnError) {
  {
    ASSERT_TRUE(compile(documents));
  }
  Problem problem(256);
  RunOptions on;
  on.stream = fakeCudaMakeStream(0);
  auto work = [&]() -> Result<void> {
    auto kernel = compile(documents);
    if (!kernel)
      return kernel.error();
    EXPECT_TRUE(kernel->isFromCache());
    auto arguments = problem.getDocuments(16);
    auto plan = kernel->plan(arguments, on);
    if (!plan)
      return plan.error();
    if (auto done =
            kernel->run(*plan, arguments, problem.getOut(), nullptr, on);
        !done)
      return done;
    return kernel->run(arguments, problem.getOut(), nullptr, on);
  };
  fakeCudaReset();
  ASSERT_EQ(getText(work()), "no error");
  int calls = fakeCudaCountCalls(), errors = 0;
  ASSERT_GT(calls, 40);
  for (int n = 1; n <= calls; ++n) {
    fakeCudaReset();
    fakeCudaFailCall(n);
    auto done = work();
    if (done) // giving back, or a map that the kernel does without
      continue;
    ++errors;
    EXPECT_EQ(done.error().code, ErrorCode::Device) << done.error().message;
    EXPECT_NE(done.error().message.find(" failed with CUDA_ERROR_UNKNOWN"),
              std::string::npos)
        << done.error().message;
    EXPECT_EQ(fakeCudaCountModules(), 0);
    EXPECT_EQ(fakeCudaCountPushedContexts(), 0);
  }
  EXPECT_GT(errors, calls / 2);
  fakeCudaReset();
  EXPECT_EQ(getText(work()), "no error");
}

} // namespace
