// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Runtime/CudaMemory.h"
#include "lib/Runtime/CudaModule.h"
#include "lib/Support/LaunchWords.h"
#include "test/tools/fake-cuda/FakeCuda.h"
#include "llvm/ADT/STLExtras.h"
#include "gtest/gtest.h"
#include <cstdlib>

using namespace rapt::runtime;

namespace {

constexpr const char *code = ".version 8.0\n.entry one\n.entry two\n";

/// The driver is the fake one in all tests of this program.
struct CudaTest : testing::Test {
  static void SetUpTestSuite() { setenv("RAPT_LIBCUDA", FAKE_CUDA, 1); }
  void SetUp() override { fakeCudaReset(); }
  void TearDown() override {
    EXPECT_EQ(fakeCudaCountAllocations(), 0);
    EXPECT_EQ(fakeCudaCountModules(), 0);
    EXPECT_EQ(fakeCudaCountPushedContexts(), 0);
  }
  static CudaContext find(CudaStreamHandle stream = nullptr,
                          std::optional<int> ordinal = std::nullopt) {
    return llvm::cantFail(CudaContext::find(stream, ordinal));
  }
};

std::string getText(llvm::Error error) {
  return error ? toString(std::move(error)) : "no error";
}

TEST_F(CudaTest, ListsGpus) {
  auto gpus = llvm::cantFail(listCudaGpus());
  ASSERT_EQ(gpus.size(), 2u);
  EXPECT_EQ(gpus[1].ordinal, 1);
  EXPECT_EQ(gpus[1].name, "Fake GPU");
  EXPECT_EQ(gpus[1].capability, 90);
  EXPECT_EQ(gpus[1].multiprocessors, 132);
}

TEST_F(CudaTest, TakesTheContextOfTheCaller) {
  CudaContext primary = find();
  EXPECT_EQ(primary.ordinal, 0);
  EXPECT_EQ(find(nullptr, 1).ordinal, 1);
  EXPECT_EQ(find().id, primary.id);

  // A stream belongs to a context.
  void *stream = fakeCudaMakeStream(1);
  EXPECT_EQ(find(stream).ordinal, 1);
  EXPECT_EQ(find(stream).id, find(nullptr, 1).id);

  // The current context, where it is on the right GPU.
  CudaContext own;
  own.handle = fakeCudaMakeContext(1);
  {
    CudaScope scope = llvm::cantFail(CudaScope::enter(own));
    EXPECT_EQ(find().handle, own.handle);
    EXPECT_EQ(find(nullptr, 1).handle, own.handle);
    EXPECT_EQ(find(nullptr, 0).id, primary.id);
    EXPECT_EQ(llvm::cantFail(getCurrentCudaGpu()).ordinal, 1);
  }
  EXPECT_EQ(find().id, primary.id);
}

TEST_F(CudaTest, KnowsWhereMemoryLies) {
  CudaMemory memory = llvm::cantFail(CudaMemory::allocate(find(nullptr, 1), 8));
  int local = 0;
  EXPECT_EQ(llvm::cantFail(findCudaDevice(memory.getAddress())), 1);
  EXPECT_EQ(llvm::cantFail(findCudaDevice(memory.getAddress() + 7)), 1);
  EXPECT_EQ(
      llvm::cantFail(findCudaDevice(reinterpret_cast<CudaAddress>(&local))),
      std::nullopt);
}

TEST_F(CudaTest, MovesMemory) {
  CudaMemory a = llvm::cantFail(CudaMemory::allocate(find(), 4));
  CudaMemory b = llvm::cantFail(CudaMemory::allocate(find(), 8));
  CudaAddress address = b.getAddress();
  a = std::move(b);
  EXPECT_EQ(a.getAddress(), address);
  EXPECT_EQ(a.getBytes(), 8);
  CudaMemory c = std::move(a);
  EXPECT_EQ(c.getAddress(), address);
}

TEST_F(CudaTest, LoadsAndLaunches) {
  static std::vector<std::string> seen;
  seen.clear();
  fakeCudaOnLaunch([](const FakeCudaLaunch &launch) {
    seen.push_back(std::string(launch.kernel) + " " +
                   std::to_string(launch.blocks) + " " +
                   std::to_string(launch.threads) + " " +
                   std::to_string(launch.sharedBytes));
  });
  const CudaDriver &driver = *llvm::cantFail(CudaDriver::get());
  std::vector<DeviceKernel> kernels = {{"one", 128, 100000, 0},
                                       {"two", 384, 8, 0}};
  auto module = llvm::cantFail(CudaModule::load(find(), code, kernels));
  CudaScope scope = llvm::cantFail(CudaScope::enter(find()));
  std::vector<int64_t> words = {2, 3, 5};
  auto start = [&](size_t n) {
    return launch(driver, kernels[n], module->getFunction(n), words, nullptr);
  };
  EXPECT_EQ(getText(start(0)), "no error");
  EXPECT_EQ(getText(start(1)), "no error");
  EXPECT_EQ(seen,
            (std::vector<std::string>{"one 30 128 100000", "two 30 384 8"}));
  // Nothing to do is no launch, which a driver would refuse.
  words = {2, 0, 5};
  EXPECT_EQ(getText(start(0)), "no error");
  words = {1 << 16, 1 << 15, 1};
  EXPECT_EQ(getText(start(0)), "kernel 'one' has more than 2147483647 items, "
                               "the most that a GPU takes in one launch");
  EXPECT_EQ(seen.size(), 2u);
}

TEST_F(CudaTest, SaysWhatALaunchLacks) {
  std::vector<DeviceKernel> kernels = {{"three", 128, 0, 0}};
  auto module = CudaModule::load(find(), code, kernels);
  EXPECT_EQ(getText(module.takeError()),
            "cuModuleGetFunction of 'three' failed with CUDA_ERROR_OF_THE_FAKE "
            "(500): the fake driver says no");
  kernels = {{"two", 128, 1 << 20, 0}};
  module = CudaModule::load(find(), code, kernels);
  EXPECT_EQ(getText(module.takeError()),
            "cuFuncSetAttribute of 1048576 bytes of shared memory for 'two' "
            "failed with CUDA_ERROR_OF_THE_FAKE (1): the fake driver says no");
}

TEST_F(CudaTest, EncodesMapsAtTheEndOfTheWords) {
  using namespace rapt::support;
  const CudaDriver &driver = *llvm::cantFail(CudaDriver::get());
  CudaMemory memory = llvm::cantFail(CudaMemory::allocate(find(), 1024));
  DeviceKernel kernel{"one", 128, 0, 3};
  std::vector<int64_t> words(8 + 3 * kMapWords, 7);
  // The first can be encoded, the second has an address that the driver does
  // not know, and the third has no map to begin with.
  int64_t address = static_cast<int64_t>(memory.getAddress());
  int64_t *first = &words[8], *second = first + kMapWords,
          *third = second + kMapWords;
  first[kMapAddress] = address;
  second[kMapAddress] = 1;
  for (int64_t *map : {first, second})
    map[kMapRank] = 3;
  third[kMapRank] = 0;
  encodeMaps(driver, kernel, words);
  for (int n = 0; n < 16; ++n)
    EXPECT_EQ(first[n], 0) << n;
  EXPECT_EQ(first[kMapRank], 3);
  EXPECT_EQ(second[kMapRank], 0);
  EXPECT_EQ(third[kMapRank], 0);
  EXPECT_EQ(fakeCudaCountCallsOf("cuTensorMapEncodeTiled"), 2);
  for (int n = 0; n < 8; ++n)
    EXPECT_EQ(words[n], 7);
}

TEST_F(CudaTest, AssemblesByTheDriver) {
  std::string cubin = llvm::cantFail(assembleByDriver(find(), code));
  EXPECT_EQ(std::string(cubin.c_str()), code);
}

/// Every call of the driver fails once: there is an error that names a
/// function, and nothing is left behind.
TEST_F(CudaTest, EveryFailureIsAnError) {
  std::vector<DeviceKernel> kernels = {{"one", 128, 0, 0}};
  auto work = [&]() -> llvm::Error {
    auto gpus = listCudaGpus();
    if (!gpus)
      return gpus.takeError();
    auto gpu = getCurrentCudaGpu();
    if (!gpu)
      return gpu.takeError();
    auto context = CudaContext::find(fakeCudaMakeStream(1), std::nullopt);
    if (!context)
      return context.takeError();
    auto cubin = assembleByDriver(*context, code);
    if (!cubin)
      return cubin.takeError();
    auto module = CudaModule::load(*context, *cubin, kernels);
    if (!module)
      return module.takeError();
    auto memory = CudaMemory::allocate(*context, 64);
    if (!memory)
      return memory.takeError();
    if (llvm::Error error = memory->upload(code, 16, nullptr))
      return error;
    auto scope = CudaScope::enter(*context);
    if (!scope)
      return scope.takeError();
    char text[16];
    if (llvm::Error error =
            downloadCuda(text, memory->getAddress(), 16, nullptr))
      return error;
    EXPECT_EQ(std::string(text, 16), std::string(code, 16));
    std::vector<int64_t> words = {1, 1, 1};
    return launch(*llvm::cantFail(CudaDriver::get()), kernels[0],
                  (*module)->getFunction(0), words, nullptr);
  };
  fakeCudaReset();
  ASSERT_EQ(getText(work()), "no error");
  int calls = fakeCudaCountCalls(), errors = 0;
  ASSERT_GT(calls, 20);
  for (int n = 1; n <= calls; ++n) {
    fakeCudaReset();
    fakeCudaFailCall(n);
    std::string text = getText(work());
    // Giving back has nobody to tell, and goes on.
    if (text == "no error")
      continue;
    ++errors;
    EXPECT_EQ(text.substr(0, 2), "cu") << text;
    EXPECT_NE(text.find(" failed with CUDA_ERROR_UNKNOWN (999): the fake "
                        "driver says no"),
              std::string::npos)
        << text;
  }
  EXPECT_GT(errors, calls - 6);
  fakeCudaReset();
  EXPECT_EQ(getText(work()), "no error");
}

} // namespace
