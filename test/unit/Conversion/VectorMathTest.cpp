// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The functions that VectorMath expands, compiled for this machine, against
// those of the C library in double. RAPT_NIGHTLY=1 takes every f32.

#include "SpecCase.h"
#include "lib/Codegen/Codegen.h"
#include "lib/Compiler/Pipeline.h"
#include "lib/Runtime/KernelLoader.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/bit.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include "gtest/gtest.h"
#include <cmath>
#include <limits>

using namespace rapt;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr int64_t kLanes = 16, kFeatures = 8;

/// A kernel that applies `operation` to every element, e.g. `math.exp %e :
/// f32`.
std::string makeProgram(const std::string &operation) {
  return R"(
tile.program @apply {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %rows = tile.extent %in[0] : <f32, 2>
  %blocks = arith.ceildivui %rows, %c16 : index
  tile.launch @map items(%c1, %c1, %blocks) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @map plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %first = arith.muli %z, %c16 : index
  %t = tile.load %in[%first, %c0] : <f32, 2> -> <16x8xf32>
  %f = tile.map(%t) dims [[0, 1]] : (!tile.tile<16x8xf32>) -> !tile.tile<16x8xf32> {
  ^bb0(%e: f32):
    %value = )" +
         operation +
         R"(
    tile.yield %value : f32
  }
  tile.store set %f, %out[%first, %c0] : <16x8xf32>, <f32, 2>
  tile.return
})";
}

/// A compiled function of one number.
class VectorFunction {
public:
  explicit VectorFunction(const std::string &operation) {
    auto context = createContext();
    auto module = mlir::parseSourceString<mlir::ModuleOp>(
        makeProgram(operation), context.get());
    const target::CpuTarget &target = target::getHostTarget();
    llvm::cantFail(lower(*module, Stage::LLVM, target));
    llvm::LLVMContext llvmContext;
    auto translated = llvm::cantFail(translateToLLVM(*module, llvmContext));
    llvm::cantFail(codegen::optimize(*translated, target));
    kernel = llvm::cantFail(runtime::LoadedKernel::load(
        llvm::cantFail(codegen::emitObject(*translated, target)), "apply"));
  }

  std::vector<float> operator()(std::vector<float> in) const {
    size_t count = in.size();
    int64_t rows = (count + kFeatures - 1) / kFeatures;
    in.resize(rows * kFeatures);
    std::vector<float> out(in.size());
    auto address = [](const std::vector<float> &data) {
      return static_cast<int64_t>(reinterpret_cast<intptr_t>(data.data()));
    };
    int64_t words[] = {address(in),  rows, kFeatures, kFeatures, 1,
                       address(out), rows, kFeatures, kFeatures, 1};
    const runtime::KernelEntries &entries = kernel->getEntries();
    std::vector<int64_t> workspace(entries.workspace(words) / 8 + 8);
    entries.plan(words, workspace.data(), entries.workspace(words));
    entries.run(words, workspace.data(), 0, 0, (rows + kLanes - 1) / kLanes);
    out.resize(count);
    return out;
  }
  float operator()(float x) const {
    return (*this)(std::vector<float>{x}).front();
  }

private:
  std::unique_ptr<runtime::LoadedKernel> kernel;
};

/// The distance between two neighbours among the f32 at `value`.
double getSpacing(double value) {
  double size = std::max(std::abs(value), 0x1p-126);
  return std::ldexp(1.0, std::ilogb(size) - 23);
}

/// Calls `check(x, f(x))` for every f32 between the bounds, or as many as take
/// a second.
void sweep(const VectorFunction &function, float low, float high,
           llvm::function_ref<void(float, float)> check) {
  uint64_t step = rapt::testing::isNightly() ? 1 : 2503;
  std::vector<float> chunk;
  auto flush = [&] {
    std::vector<float> values = function(chunk);
    for (size_t n = 0; n < chunk.size(); ++n)
      check(chunk[n], values[n]);
    chunk.clear();
  };
  for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += step) {
    float x = llvm::bit_cast<float>(static_cast<uint32_t>(bits));
    if (!(x >= low && x <= high))
      continue;
    chunk.push_back(x);
    if (chunk.size() == 65536)
      flush();
  }
  flush();
}

/// The largest error of all in spacings of the expected value.
double getWorstSpacing(const VectorFunction &function, float low, float high,
                       double (*expected)(double)) {
  double worst = 0;
  sweep(function, low, high, [&](float x, float found) {
    double value = expected(x);
    double error = std::abs(found - value) / getSpacing(value);
    worst = std::isnan(error) ? std::numeric_limits<double>::infinity()
                              : std::max(worst, error);
  });
  return worst;
}

// Bounds are those that VectorMath.h states.

TEST(VectorMathTest, Exp2) {
  for (const char *text :
       {"math.exp2 %e : f32", "math.exp2 %e {tile.nonpositive} : f32"}) {
    VectorFunction exp2(text);
    bool isNonPositive = llvm::StringRef(text).contains("nonpositive");
    double worst = 0;
    float high = isNonPositive ? 0 : std::nextafter(128.0f, 0.0f);
    sweep(exp2, -126, high, [&](float x, float found) {
      double expected = std::exp2(static_cast<double>(x));
      worst = std::max(worst, std::abs(found - expected) / expected);
    });
    EXPECT_LE(worst, 2.0e-7) << text;
    // Where results would be subnormal there is nothing between.
    sweep(exp2, -127, std::nextafter(-126.0f, -127.0f),
          [&](float x, float found) {
            ASSERT_GE(found, 0) << x;
            ASSERT_LE(found, 0x1p-126f * 1.0000002f) << x;
          });
    for (float x : {-1000.0f, -3e38f, -kInfinity})
      EXPECT_EQ(exp2(x), 0) << x;
    // Those are subnormal in the form that knows such numbers.
    bool hasSubnormals = target::getHostTarget().scalesByPowers;
    for (float x : {-127.0f, -128.0f, -149.0f})
      EXPECT_EQ(exp2(x), hasSubnormals ? std::exp2(x) : 0) << x;
    EXPECT_EQ(exp2(0.0f), 1);
    EXPECT_EQ(exp2(-0.0f), 1);
    EXPECT_NEAR(exp2(-1e-40f), 1, 1.2e-7);
    EXPECT_EQ(exp2(-1.0f), 0.5f);
    EXPECT_TRUE(std::isnan(exp2(kNaN)));
    EXPECT_TRUE(std::isnan(exp2(-kNaN)));
    if (isNonPositive)
      continue;
    for (float x : {128.0f, 129.0f, 1000.0f, 3e38f, kInfinity})
      EXPECT_EQ(exp2(x), kInfinity) << x;
    EXPECT_EQ(exp2(10.0f), 1024);
  }
}

TEST(VectorMathTest, Exp) {
  VectorFunction exp("math.exp %e : f32");
  double (*expected)(double) = std::exp;
  EXPECT_LE(getWorstSpacing(exp, -110, 88.72283f, expected), 1.1);
  for (float x : {88.7229f, 89.0f, 1000.0f, 3e38f, kInfinity})
    EXPECT_EQ(exp(x), kInfinity) << x;
  for (float x : {-104.0f, -1000.0f, -3e38f, -kInfinity})
    EXPECT_EQ(exp(x), 0) << x;
  EXPECT_EQ(exp(0.0f), 1);
  EXPECT_EQ(exp(1e-40f), 1);
  EXPECT_GT(exp(-100.0f), 0); // subnormal
  EXPECT_TRUE(std::isnan(exp(kNaN)));
}

TEST(VectorMathTest, SinAndCos) {
  VectorFunction sin("math.sin %e : f32"), cos("math.cos %e : f32");
  constexpr float last = 2147483520.0f; // the last f32 below 2^31
  EXPECT_LE(getWorstSpacing(sin, -last, last, std::sin), 1.6);
  EXPECT_LE(getWorstSpacing(cos, -last, last, std::cos), 1.6);
  // Next to multiples of pi/2, where nothing but the reduction is left.
  for (int n = 1; n < 100000; n += 7)
    for (int side = -1; side <= 1; ++side) {
      float x = static_cast<float>(n * 1.57079632679489661923);
      x = side == 0 ? x : std::nextafter(x, side * kInfinity);
      for (auto [function, expected] :
           {std::pair(&sin, std::sin(static_cast<double>(x))),
            std::pair(&cos, std::cos(static_cast<double>(x)))})
        if (n % 1000 == 1 || n < 2000)
          ASSERT_LE(std::abs((*function)(x)-expected),
                    1.6 * getSpacing(expected))
              << x;
    }
  for (const VectorFunction *function : {&sin, &cos})
    for (float x : {kNaN, kInfinity, -kInfinity})
      EXPECT_TRUE(std::isnan((*function)(x))) << x;
  EXPECT_EQ(sin(0.0f), 0);
  EXPECT_EQ(cos(0.0f), 1);
  EXPECT_EQ(sin(1e-40f), 1e-40f);
  EXPECT_EQ(cos(1e-40f), 1);
}

} // namespace
