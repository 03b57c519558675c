// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Every operation of a region, on numbers whose results are known.

#include "SpecFixture.h"
#include <cmath>

using namespace rapt::reference;
using rapt::support::ElementType;

namespace {

/// out[row, j] is the score of the pair: a plain sum over values that are the
/// rows of the identity.
struct RegionTest : SpecFixture {
  RegionTest() {
    batch = heads = kvHeads = 1;
    queries = 4;
    keys = 9;
    vdim = 9;
    reduction = "sum";
    makeTensors();
    for (int64_t j = 0; j < keys; ++j)
      for (int64_t e = 0; e < vdim; ++e)
        tensors[2].set(j * vdim + e, j == e);
    // The products are 0.5 * (row + 1) * (j - 4): both signs and zero.
    for (int64_t k = 0; k < tensors[0].count(); ++k)
      tensors[0].set(k, k % 3 == 0 ? 0.5 * static_cast<double>(k / 3 + 1) : 0);
    for (int64_t k = 0; k < tensors[1].count(); ++k)
      tensors[1].set(k, k % 3 == 0 ? static_cast<double>(k / 3 - 4) : 1);
  }
  void expectScores(const std::string &body,
                    llvm::function_ref<double(Pair)> expected) {
    SCOPED_TRACE(body);
    score = body;
    auto evaluator = tryCreate(getSpec());
    ASSERT_TRUE(static_cast<bool>(evaluator))
        << toString(evaluator.takeError());
    for (RowIndex index : allRows()) {
      Row row = evaluator->evaluateRows({index})[0];
      for (int64_t j = 0; j < keys; ++j) {
        double dot = 0.5 * static_cast<double>((index.i + 1) * (j - 4));
        double value =
            expected({0, 0, index.i, index.i + keys - queries, j, dot});
        if (std::isnan(value)) // the identity spreads it over the row
          EXPECT_TRUE(std::isnan(row.out[j]));
        else
          EXPECT_NEAR(row.out[j], value, 1e-12 * (1 + std::abs(value)));
      }
    }
  }
  /// `%r = <op>` of i32 or f32, and what it gives.
  void expectInteger(const std::string &op,
                     llvm::function_ref<double(Pair)> expected) {
    expectScores(op +
                     "\n%s = arith.sitofp %r : i32 to f32\nattn.yield %s : f32",
                 expected);
  }
  void expectReal(const std::string &op,
                  llvm::function_ref<double(Pair)> expected) {
    expectScores(op + "\nattn.yield %r : f32", expected);
  }
};

TEST_F(RegionTest, RealFunctions) {
  const std::pair<const char *, double (*)(double)> functions[] = {
      {"arith.negf", [](double x) { return -x; }},
      {"math.absf", [](double x) { return std::abs(x); }},
      {"math.exp", [](double x) { return std::exp(x); }},
      {"math.exp2", [](double x) { return std::exp2(x); }},
      {"math.expm1", [](double x) { return std::expm1(x); }},
      {"math.cbrt", [](double x) { return std::cbrt(x); }},
      {"math.tanh", [](double x) { return std::tanh(x); }},
      {"math.sinh", [](double x) { return std::sinh(x); }},
      {"math.cosh", [](double x) { return std::cosh(x); }},
      {"math.sin", [](double x) { return std::sin(x); }},
      {"math.cos", [](double x) { return std::cos(x); }},
      {"math.tan", [](double x) { return std::tan(x); }},
      {"math.atan", [](double x) { return std::atan(x); }},
      {"math.erf", [](double x) { return std::erf(x); }},
      {"math.floor", [](double x) { return std::floor(x); }},
      {"math.ceil", [](double x) { return std::ceil(x); }},
      {"math.trunc", [](double x) { return std::trunc(x); }},
  };
  for (auto [name, function] : functions)
    expectReal("%r = " + std::string(name) + " %dot : f32",
               [&](Pair p) { return function(p.dot); });
  expectReal("%r = math.round %dot : f32",
             [](Pair p) { return std::round(p.dot); });
  expectReal("%r = math.roundeven %dot : f32", [](Pair p) {
    double low = std::floor(p.dot);
    double high = std::fmod(low, 2) == 0 ? low : low + 1;
    return p.dot - low == 0.5 ? high : std::round(p.dot);
  });
  std::string positive = R"(
    %a = math.absf %dot : f32
    %one = arith.constant 1.000000e+00 : f32
    %x = arith.addf %a, %one : f32
    %y = arith.divf %one, %x : f32
  )";
  auto x = [](Pair p) { return std::abs(p.dot) + 1; };
  expectReal(positive + "%r = math.log %x : f32",
             [&](Pair p) { return std::log(x(p)); });
  expectReal(positive + "%r = math.log2 %x : f32",
             [&](Pair p) { return std::log2(x(p)); });
  expectReal(positive + "%r = math.log10 %x : f32",
             [&](Pair p) { return std::log10(x(p)); });
  expectReal(positive + "%r = math.log1p %x : f32",
             [&](Pair p) { return std::log1p(x(p)); });
  expectReal(positive + "%r = math.sqrt %x : f32",
             [&](Pair p) { return std::sqrt(x(p)); });
  expectReal(positive + "%r = math.rsqrt %x : f32",
             [&](Pair p) { return 1 / std::sqrt(x(p)); });
  expectReal(positive + "%r = math.asin %y : f32",
             [&](Pair p) { return std::asin(1 / x(p)); });
  expectReal(positive + "%r = math.acos %y : f32",
             [&](Pair p) { return std::acos(1 / x(p)); });
  expectReal(positive + "%r = math.powf %x, %dot : f32",
             [&](Pair p) { return std::pow(x(p), p.dot); });
  expectReal(positive + "%r = math.atan2 %dot, %x : f32",
             [&](Pair p) { return std::atan2(p.dot, x(p)); });
  expectReal(positive + "%r = math.copysign %x, %dot : f32",
             [&](Pair p) { return std::copysign(x(p), p.dot); });
  expectReal(positive + "%r = math.fma %x, %y, %dot : f32",
             [&](Pair p) { return 1 + p.dot; });
}

TEST_F(RegionTest, RealArithmetic) {
  std::string two = "%c = arith.constant 1.500000e+00 : f32\n";
  const std::pair<const char *, double (*)(double)> functions[] = {
      {"arith.addf", [](double x) { return x + 1.5; }},
      {"arith.subf", [](double x) { return x - 1.5; }},
      {"arith.mulf", [](double x) { return x * 1.5; }},
      {"arith.divf", [](double x) { return x / 1.5; }},
      {"arith.remf", [](double x) { return std::fmod(x, 1.5); }},
      {"arith.maximumf", [](double x) { return std::max(x, 1.5); }},
      {"arith.minimumf", [](double x) { return std::min(x, 1.5); }},
      {"arith.maxnumf", [](double x) { return std::max(x, 1.5); }},
      {"arith.minnumf", [](double x) { return std::min(x, 1.5); }},
  };
  for (auto [name, function] : functions)
    expectReal(two + "%r = " + name + " %dot, %c : f32",
               [&](Pair p) { return function(p.dot); });
}

TEST_F(RegionTest, NotANumber) {
  std::string nan = "%n = arith.constant 0x7FC00000 : f32\n";
  expectReal(nan + "%r = arith.maximumf %n, %dot : f32",
             [](Pair) { return std::nan(""); });
  expectReal(nan + "%r = arith.minimumf %dot, %n : f32",
             [](Pair) { return std::nan(""); });
  expectReal(nan + "%r = arith.maxnumf %n, %dot : f32",
             [](Pair p) { return p.dot; });
  expectReal(nan + "%r = arith.minnumf %dot, %n : f32",
             [](Pair p) { return p.dot; });
  // Comparisons with a NaN: only the unordered ones hold.
  const std::pair<const char *, bool> predicates[] = {
      {"oeq", false}, {"olt", false}, {"oge", false},  {"one", false},
      {"ord", false}, {"ueq", true},  {"ult", true},   {"une", true},
      {"uno", true},  {"true", true}, {"false", false}};
  for (auto [predicate, holds] : predicates)
    expectReal(nan + "%c = arith.cmpf " + predicate +
                   ", %n, %dot : f32\n%r = arith.uitofp %c : i1 to f32",
               [&](Pair) { return holds; });
}

TEST_F(RegionTest, RealComparisons) {
  const std::pair<const char *, bool (*)(double)> predicates[] = {
      {"oeq", [](double x) { return x == 1; }},
      {"ogt", [](double x) { return x > 1; }},
      {"oge", [](double x) { return x >= 1; }},
      {"olt", [](double x) { return x < 1; }},
      {"ole", [](double x) { return x <= 1; }},
      {"one", [](double x) { return x != 1; }},
      {"ueq", [](double x) { return x == 1; }},
      {"ugt", [](double x) { return x > 1; }},
      {"uge", [](double x) { return x >= 1; }},
      {"ult", [](double x) { return x < 1; }},
      {"ule", [](double x) { return x <= 1; }},
      {"une", [](double x) { return x != 1; }},
      {"ord", [](double) { return true; }},
      {"uno", [](double) { return false; }},
  };
  for (auto [predicate, holds] : predicates)
    expectReal("%one = arith.constant 1.000000e+00 : f32\n%c = arith.cmpf " +
                   std::string(predicate) +
                   ", %dot, %one : f32\n%r = arith.uitofp %c : i1 to f32",
               [&](Pair p) { return holds(p.dot); });
}

TEST_F(RegionTest, Integers) {
  // x = j - 4 has both signs; y = 3.
  std::string operands = R"(
    %four = arith.constant 4 : i32
    %y = arith.constant 3 : i32
    %x = arith.subi %j, %four : i32
  )";
  const std::pair<const char *, int64_t (*)(int64_t)> functions[] = {
      {"arith.addi %x, %y", [](int64_t x) { return x + 3; }},
      {"arith.subi %y, %x", [](int64_t x) { return 3 - x; }},
      {"arith.muli %x, %y", [](int64_t x) { return x * 3; }},
      {"arith.divsi %x, %y", [](int64_t x) { return x / 3; }},
      {"arith.remsi %x, %y", [](int64_t x) { return x % 3; }},
      {"attn.floordiv %x, %y",
       [](int64_t x) { return static_cast<int64_t>(std::floor(x / 3.0)); }},
      {"attn.mod %x, %y", [](int64_t x) { return (x + 6) % 3; }},
      {"arith.floordivsi %x, %y",
       [](int64_t x) { return static_cast<int64_t>(std::floor(x / 3.0)); }},
      {"arith.ceildivsi %x, %y",
       [](int64_t x) { return static_cast<int64_t>(std::ceil(x / 3.0)); }},
      {"arith.divui %x, %y",
       [](int64_t x) { return int64_t(int32_t(uint32_t(x) / 3)); }},
      {"arith.ceildivui %x, %y",
       [](int64_t x) {
         return int64_t(int32_t((int64_t(uint32_t(x)) + 2) / 3));
       }},
      {"arith.remui %x, %y",
       [](int64_t x) { return int64_t(uint32_t(x) % 3); }},
      {"arith.andi %x, %y", [](int64_t x) { return x & 3; }},
      {"arith.ori %x, %y", [](int64_t x) { return x | 3; }},
      {"arith.xori %x, %y", [](int64_t x) { return x ^ 3; }},
      {"arith.shli %x, %y", [](int64_t x) { return x * 8; }},
      {"arith.shrsi %x, %y", [](int64_t x) { return x >> 3; }},
      {"arith.shrui %x, %y",
       [](int64_t x) { return int64_t(uint32_t(x) >> 3); }},
      {"arith.maxsi %x, %y", [](int64_t x) { return std::max<int64_t>(x, 3); }},
      {"arith.minsi %x, %y", [](int64_t x) { return std::min<int64_t>(x, 3); }},
      {"arith.maxui %x, %y",
       [](int64_t x) { return x < 0 ? x : std::max<int64_t>(x, 3); }},
      {"arith.minui %x, %y",
       [](int64_t x) { return x < 0 ? 3 : std::min<int64_t>(x, 3); }},
      {"math.absi %x", [](int64_t x) { return std::abs(x); }},
      {"math.ipowi %x, %y", [](int64_t x) { return x * x * x; }},
      {"math.ctlz %j",
       [](int64_t x) {
         return int64_t(__builtin_clz(uint32_t(x + 4) * 2 + 1)) + 1;
       }},
      {"math.ctpop %x",
       [](int64_t x) { return int64_t(__builtin_popcount(uint32_t(x))); }},
      {"math.cttz %x",
       [](int64_t x) { return x ? int64_t(__builtin_ctz(uint32_t(x))) : 32; }},
  };
  for (auto [op, function] : functions)
    expectInteger(operands + "%r = " + op + " : i32",
                  [&](Pair p) { return double(function(p.j - 4)); });
  const std::pair<const char *, bool (*)(int64_t)> predicates[] = {
      {"eq", [](int64_t x) { return x == 3; }},
      {"ne", [](int64_t x) { return x != 3; }},
      {"slt", [](int64_t x) { return x < 3; }},
      {"sle", [](int64_t x) { return x <= 3; }},
      {"sgt", [](int64_t x) { return x > 3; }},
      {"sge", [](int64_t x) { return x >= 3; }},
      {"ult", [](int64_t x) { return uint32_t(x) < 3; }},
      {"ule", [](int64_t x) { return uint32_t(x) <= 3; }},
      {"ugt", [](int64_t x) { return uint32_t(x) > 3; }},
      {"uge", [](int64_t x) { return uint32_t(x) >= 3; }},
  };
  for (auto [predicate, holds] : predicates)
    expectInteger(operands + "%c = arith.cmpi " + predicate +
                      ", %x, %y : i32\n%r = arith.extui %c : i1 to i32",
                  [&](Pair p) { return holds(p.j - 4); });
}

TEST_F(RegionTest, Conversions) {
  expectInteger("%r = arith.fptosi %dot : f32 to i32",
                [](Pair p) { return std::trunc(p.dot); });
  expectInteger(
      "%c = arith.cmpi eq, %i, %j : i32\n%r = arith.extsi %c : i1 to i32",
      [](Pair p) { return p.i == p.j ? -1 : 0; });
  // 2^20 * 2^20 is 0 in 32 bits and 2^40 in 64.
  expectInteger(R"(
    %x = arith.constant 1048576 : i32
    %r = arith.muli %x, %x : i32)",
                [](Pair) { return 0; });
  expectReal(R"(
    %x = arith.constant 1048576 : i32
    %w = arith.extsi %x : i32 to i64
    %y = arith.muli %w, %w : i64
    %r = arith.sitofp %y : i64 to f32)",
             [](Pair) { return 0x1p40; });
  expectInteger(R"(
    %x = arith.constant 4294967301 : i64
    %r = arith.trunci %x : i64 to i32)",
                [](Pair) { return 5; });
  // Division by zero has no meaning, but must not stop the program.
  expectInteger(R"(
    %zero = arith.subi %j, %j : i32
    %r = attn.floordiv %i, %zero : i32)",
                [](Pair) { return 0; });
}

TEST_F(RegionTest, Rows) {
  std::string row = R"(
    %x = arith.constant dense<[3.0, -1.0, 4.0, 4.0]> : tensor<4xf32>
    %n = arith.constant dense<[3, -1, 4, 4]> : tensor<4xi32>
    %d = attn.splat %dot : f32 -> tensor<4xf32>
    %y = arith.mulf %x, %d : tensor<4xf32>
  )";
  expectReal(row + "%r = attn.reduce add %y : (tensor<4xf32>) -> f32",
             [](Pair p) { return 10 * p.dot; });
  expectReal(row + "%r = attn.reduce max %y : (tensor<4xf32>) -> f32",
             [](Pair p) { return std::max(4 * p.dot, -p.dot); });
  expectReal(row + "%r = attn.reduce min %y : (tensor<4xf32>) -> f32",
             [](Pair p) { return std::min(4 * p.dot, -p.dot); });
  expectInteger(row + "%r = attn.reduce argmax %y : (tensor<4xf32>) -> i32",
                [](Pair p) { return p.dot > 0   ? 2
                                    : p.dot < 0 ? 1
                                                : 0; });
  expectInteger(row + "%r = attn.reduce add %n : (tensor<4xi32>) -> i32",
                [](Pair) { return 10; });
  expectInteger(row + "%r = attn.reduce argmax %n : (tensor<4xi32>) -> i32",
                [](Pair) { return 2; });
  expectReal(row + "%r = attn.dot %x, %y : tensor<4xf32>",
             [](Pair p) { return 42 * p.dot; });
  expectReal(row + R"(
    %f = attn.feature : tensor<4xf32>
    %r = attn.dot %x, %f : tensor<4xf32>)",
             [](Pair) { return 19; });
  expectInteger(row + R"(
    %f = attn.feature : tensor<4xi32>
    %m = arith.muli %n, %f : tensor<4xi32>
    %r = attn.reduce add %m : (tensor<4xi32>) -> i32)",
                [](Pair) { return 19; });
  expectReal(row + R"(
    %s = attn.slice %y from 1 : tensor<4xf32> -> tensor<2xf32>
    %r = attn.reduce add %s : (tensor<2xf32>) -> f32)",
             [](Pair p) { return 3 * p.dot; });
  // One condition for a whole row, and one for each feature.
  expectReal(row + R"(
    %zero = arith.constant 0.000000e+00 : f32
    %c = arith.cmpf ogt, %dot, %zero : f32
    %t = arith.select %c, %x, %y : tensor<4xf32>
    %r = attn.reduce add %t : (tensor<4xf32>) -> f32)",
             [](Pair p) { return p.dot > 0 ? 10 : 10 * p.dot; });
  expectReal(row + R"(
    %c = arith.cmpf ogt, %x, %d : tensor<4xf32>
    %t = arith.select %c, %x, %d : tensor<4xi1>, tensor<4xf32>
    %r = attn.reduce add %t : (tensor<4xf32>) -> f32)",
             [](Pair p) {
               return std::max(3.0, p.dot) + std::max(-1.0, p.dot) +
                      2 * std::max(4.0, p.dot);
             });
}

TEST_F(RegionTest, Surroundings) {
  expectInteger("%r = attn.length queries", [](Pair) { return 4; });
  expectInteger("%r = attn.length keys", [](Pair) { return 9; });
  const OwnedTensor table =
      addCapture("table", R"("rows","columns")", ElementType::F32, {6, 2}, 1);
  expectInteger("%r = attn.extent %c0[0] : tensor<?x2xf32>",
                [](Pair) { return 6; });
  expectReal(R"(
    %x = attn.read %c0[%j] : (tensor<?x2xf32>, i32) -> tensor<2xf32>
    %r = attn.reduce add %x : (tensor<2xf32>) -> f32)",
             [&](Pair p) {
               return p.j < 6 ? table.at({p.j, 0}) + table.at({p.j, 1}) : 0;
             });
  expectReal(R"(
    %x = attn.read %c0[%row, %j] : (tensor<?x2xf32>, i32, i32) -> f32
    %y = attn.read %c0[%row, %row] : (tensor<?x2xf32>, i32, i32) -> f32
    %r = arith.subf %x, %y : f32)",
             [&](Pair p) {
               double x = p.j < 2 ? table.at({p.row, p.j}) : 0;
               return x - (p.row < 2 ? table.at({p.row, p.row}) : 0);
             });
}

} // namespace
