// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Single operations on tiles, against results worked out by hand.

#include "TileFixture.h"

using namespace rapt;
using namespace rapt::reference;

namespace {

using TileOperationsTest = TileFixture;
using Numbers = std::vector<double>;

TEST_F(TileOperationsTest, LoadsAndStoresOutside) {
  // Rows 1 to 4 of a 3x2 view: two of its rows, then zeros; stored from row 1
  // on.
  EXPECT_EQ(runKernel(R"(
    %t = tile.load %in[%c1, %c0] : !tile.view<f64, 2> -> !tile.tile<4x3xf64>
    tile.store set %t, %out[%c1, %c0] : !tile.tile<4x3xf64>, !tile.view<f64, 2>)",
                      4, 3, {1, 2, 3, 4, 5, 6}, 2),
            (Numbers{99, 99, 99, 3, 4, 0, 5, 6, 0, 0, 0, 0}));
}

TEST_F(TileOperationsTest, StoreAdds) {
  EXPECT_EQ(runKernel(R"(
    %t = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> !tile.tile<2x1xf64>
    tile.store add %t, %out[%c0, %c0] : !tile.tile<2x1xf64>, !tile.view<f64, 2>)",
                      2, 1, {1, 2}),
            (Numbers{100, 101}));
}

TEST_F(TileOperationsTest, GatherAndScatter) {
  EXPECT_EQ(runKernel(R"(
    %rows = tile.positions %c2 : !tile.tile<2xi32>
    %t = tile.gather %in[%rows] : !tile.view<f64, 2>, !tile.tile<2xi32> -> !tile.tile<2x2xf64>
    %to = tile.positions %c1 : !tile.tile<2xi32>
    tile.scatter set %t, %out[%to] : !tile.tile<2x2xf64>, !tile.view<f64, 2>, !tile.tile<2xi32>)",
                      2, 2, {1, 2, 3, 4, 5, 6}, 2),
            (Numbers{99, 99, 5, 6}));
}

// The weight 0 of a masked pair must not turn a NaN in its value into one of
// the sum.
TEST_F(TileOperationsTest, ProductWithSkippedZeros) {
  auto product = [&](const std::string &flag) {
    return runKernel(
        R"(
      %a = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> !tile.tile<1x2xf64>
      %b = tile.load %in[%c1, %c0] : !tile.view<f64, 2> -> !tile.tile<2x2xf64>
      %r = tile.mma )" +
            flag +
            R"( %a, %b : (!tile.tile<1x2xf64>, !tile.tile<2x2xf64>) -> !tile.tile<1x2xf64>
      tile.store set %r, %out[%c0, %c0] : !tile.tile<1x2xf64>, !tile.view<f64, 2>)",
        1, 2, {0, 2, NAN, INFINITY, 3, 4}, 2);
  };
  EXPECT_EQ(product("skip_zeros"), (Numbers{6, 8}));
  EXPECT_TRUE(std::isnan(product("")[0]));
}

TEST_F(TileOperationsTest, ProductsInEveryOrientation) {
  // A = [1 2; 3 4; 5 6], B = [1 0 2; 0 1 1]: A B + 1.
  std::string loads = R"(
    %a = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> !tile.tile<3x2xf64>
    %at = tile.transpose %a : !tile.tile<3x2xf64> -> !tile.tile<2x3xf64>
    %three = arith.constant 3 : index
    %bt = tile.load %in[%three, %c0] : !tile.view<f64, 2> -> !tile.tile<3x2xf64>
    %b = tile.transpose %bt : !tile.tile<3x2xf64> -> !tile.tile<2x3xf64>
    %one = arith.constant 1.0 : f64
    %acc = tile.splat %one : f64 -> !tile.tile<3x3xf64>
  )";
  std::string store = R"(
    tile.store set %r, %out[%c0, %c0] : !tile.tile<3x3xf64>, !tile.view<f64, 2>)";
  Numbers input{1, 2, 3, 4, 5, 6, 1, 0, 0, 1, 2, 1};
  Numbers expected{2, 3, 5, 4, 5, 11, 6, 7, 17};
  std::string acc = "onto %acc : ",
              types = ", !tile.tile<3x3xf64>) -> !tile.tile<3x3xf64>";
  EXPECT_EQ(runKernel(loads + "%r = tile.mma %a, %b " + acc +
                          "(!tile.tile<3x2xf64>, !tile.tile<2x3xf64>" + types +
                          store,
                      3, 3, input, 2),
            expected);
  EXPECT_EQ(runKernel(loads + "%r = tile.mma lhs_transposed %at, %b " + acc +
                          "(!tile.tile<2x3xf64>, !tile.tile<2x3xf64>" + types +
                          store,
                      3, 3, input, 2),
            expected);
  EXPECT_EQ(runKernel(loads + "%r = tile.mma rhs_transposed %a, %bt " + acc +
                          "(!tile.tile<3x2xf64>, !tile.tile<3x2xf64>" + types +
                          store,
                      3, 3, input, 2),
            expected);
  EXPECT_EQ(
      runKernel(
          loads + "%r = tile.mma lhs_transposed rhs_transposed %at, %bt " +
              acc + "(!tile.tile<2x3xf64>, !tile.tile<3x2xf64>" + types + store,
          3, 3, input, 2),
      expected);
}

TEST_F(TileOperationsTest, ReductionsAndScans) {
  auto reduce = [&](std::string kind, int dimension, std::string result) {
    std::string type = "!tile.tile<" + result + ">";
    bool isInteger = kind == "argmax";
    int64_t count = dimension == 0 ? 3 : 2;
    std::string cast = isInteger ? "arith.sitofp %e : i32 to f64"
                                 : "arith.addf %e, %nought : f64";
    return runKernel(
        R"(%nought = arith.constant 0.0 : f64
           %t = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> !tile.tile<2x3xf64>
           %r = tile.reduce )" +
            kind + " %t along " + std::to_string(dimension) +
            " : !tile.tile<2x3xf64> -> " + type + R"(
           %w = tile.map(%r) dims [[0]] : ()" +
            type + ") -> !tile.tile<" + std::to_string(count) +
            "x1xf64> {\n^bb0(%e: " + (isInteger ? "i32" : "f64") +
            "):\n%f = " + cast +
            "\ntile.yield %f : f64\n}\ntile.store set %w, %out[%c0, %c0] : "
            "!tile.tile<" +
            std::to_string(count) + "x1xf64>, !tile.view<f64, 2>",
        count, 1, {1, 5, 2, 4, 5, 3}, 3);
  };
  EXPECT_EQ(reduce("add", 0, "3xf64"), (Numbers{5, 10, 5}));
  EXPECT_EQ(reduce("add", 1, "2xf64"), (Numbers{8, 12}));
  EXPECT_EQ(reduce("mul", 1, "2xf64"), (Numbers{10, 60}));
  EXPECT_EQ(reduce("max", 0, "3xf64"), (Numbers{4, 5, 3}));
  EXPECT_EQ(reduce("min", 1, "2xf64"), (Numbers{1, 3}));
  EXPECT_EQ(reduce("argmax", 0, "3xi32"), (Numbers{1, 0, 1}));
  EXPECT_EQ(reduce("argmax", 1, "2xi32"), (Numbers{1, 1}));

  auto scan = [&](std::string kind, int dimension) {
    return runKernel("%t = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> "
                     "!tile.tile<2x3xf64>\n"
                     "%r = tile.scan " +
                         kind + " %t along " + std::to_string(dimension) +
                         " : !tile.tile<2x3xf64> -> !tile.tile<2x3xf64>\n"
                         "tile.store set %r, %out[%c0, %c0] : "
                         "!tile.tile<2x3xf64>, !tile.view<f64, 2>",
                     2, 3, {1, 5, 2, 4, 5, 3}, 3);
  };
  EXPECT_EQ(scan("add", 1), (Numbers{1, 6, 8, 4, 9, 12}));
  EXPECT_EQ(scan("add exclusive", 1), (Numbers{0, 1, 6, 0, 4, 9}));
  EXPECT_EQ(scan("max", 0), (Numbers{1, 5, 2, 4, 5, 3}));
}

TEST_F(TileOperationsTest, SliceConcatTranspose) {
  EXPECT_EQ(runKernel(R"(
    %t = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> !tile.tile<2x3xf64>
    %a = tile.slice %t along 1 from 2 : !tile.tile<2x3xf64> -> !tile.tile<2x1xf64>
    %b = tile.slice %t along 1 from 0 : !tile.tile<2x3xf64> -> !tile.tile<2x2xf64>
    %c = tile.concat %a, %b along 1 : (!tile.tile<2x1xf64>, !tile.tile<2x2xf64>) -> !tile.tile<2x3xf64>
    %d = tile.transpose %c : !tile.tile<2x3xf64> -> !tile.tile<3x2xf64>
    %e = tile.pack %d : !tile.tile<3x2xf64> -> !tile.tile<3x2xf64>
    tile.store set %e, %out[%c0, %c0] : !tile.tile<3x2xf64>, !tile.view<f64, 2>)",
                      3, 2, {1, 2, 3, 4, 5, 6}, 3),
            (Numbers{3, 6, 1, 4, 2, 5}));
}

TEST_F(TileOperationsTest, Skew) {
  // The line is 1 4 2 5 3 6; the first row ends where it begins.
  EXPECT_EQ(runKernel(R"(
    %t = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> !tile.tile<2x3xf64>
    %s = tile.skew %t : !tile.tile<2x3xf64> -> !tile.tile<2x4xf64>
    tile.store set %s, %out[%c0, %c0] : !tile.tile<2x4xf64>, !tile.view<f64, 2>)",
                      2, 4, {1, 2, 3, 4, 5, 6}, 3),
            (Numbers{5, 2, 4, 1, 3, 5, 2, 4}));
}

TEST_F(TileOperationsTest, SolveTopSort) {
  // (I + [0 0; 2 0]) X = [1; 5]
  EXPECT_EQ(runKernel(R"(
    %l = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> !tile.tile<2x2xf64>
    %r = tile.load %in[%c2, %c0] : !tile.view<f64, 2> -> !tile.tile<2x1xf64>
    %x = tile.solve %l, %r : !tile.tile<2x2xf64>, !tile.tile<2x1xf64> -> !tile.tile<2x1xf64>
    tile.store set %x, %out[%c0, %c0] : !tile.tile<2x1xf64>, !tile.view<f64, 2>)",
                      2, 1, {7, 7, 2, 7, 1, 0, 5, 0}, 2),
            (Numbers{1, 3}));
  std::string widen = R"(
    %w = tile.map(%r) dims [[0, 1]] : (!tile.tile<2x2xi32>) -> !tile.tile<2x2xf64> {
    ^bb0(%e: i32):
      %f = arith.sitofp %e : i32 to f64
      tile.yield %f : f64
    }
    tile.store set %w, %out[%c0, %c0] : !tile.tile<2x2xf64>, !tile.view<f64, 2>)";
  EXPECT_EQ(runKernel(R"(
    %t = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> !tile.tile<2x4xf64>
    %r = tile.top %t : !tile.tile<2x4xf64> -> !tile.tile<2x2xi32>)" +
                          widen,
                      2, 2, {1, 3, 2, 3, 5, 5, 5, 4}, 4),
            (Numbers{1, 3, 0, 1}));
  EXPECT_EQ(runKernel(R"(
    %t = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> !tile.tile<1x4xf64>
    %v = tile.reduce add %t along 0 : !tile.tile<1x4xf64> -> !tile.tile<4xf64>
    %s = tile.sort %v : !tile.tile<4xf64> -> !tile.tile<4xi32>
    %w = tile.map(%s) dims [[1]] : (!tile.tile<4xi32>) -> !tile.tile<1x4xf64> {
    ^bb0(%e: i32):
      %f = arith.sitofp %e : i32 to f64
      tile.yield %f : f64
    }
    tile.store set %w, %out[%c0, %c0] : !tile.tile<1x4xf64>, !tile.view<f64, 2>)",
                      1, 4, {3, 1, 3, 0}, 4),
            (Numbers{3, 1, 0, 2}));
}

TEST_F(TileOperationsTest, ProductsOfPromisedDepth) {
  auto body = [](std::string depth) {
    return R"(
    %a = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> !tile.tile<1x3xf64>
    %p = tile.mma rhs_transposed %a, %a depth %c)" +
           depth +
           R"( : (!tile.tile<1x3xf64>, !tile.tile<1x3xf64>, index) -> !tile.tile<1x1xf64>
    tile.store set %p, %out[%c0, %c0] : !tile.tile<1x1xf64>, !tile.view<f64, 2>)";
  };
  EXPECT_EQ(runKernel(body("2"), 1, 1, {3, 4, 0}, 3), (Numbers{25}));
  EXPECT_EQ(runKernel(body("4"), 1, 1, {3, 4, 1}, 3), (Numbers{26}));
}

TEST_F(TileOperationsTest, ReadInsideAMapAndRounding) {
  std::string body = R"(
    %p = tile.positions %c1 : !tile.tile<3xi32>
    %w = tile.map(%p) dims [[0]] : (!tile.tile<3xi32>) -> !tile.tile<3x1xf64> {
    ^bb0(%i: i32):
      %col = arith.constant 0 : i32
      %e = tile.read %in[%i, %col] : (!tile.view<f64, 2>, i32, i32) -> f64
      %n = arith.truncf %e : f64 to bf16
      %f = arith.extf %n : bf16 to f64
      tile.yield %f : f64
    }
    tile.store set %w, %out[%c0, %c0] : !tile.tile<3x1xf64>, !tile.view<f64, 2>)";
  Numbers input{1, 1.00390625, 3}; // the second needs 9 bits
  EXPECT_EQ(runKernel(body, 3, 1, input), (Numbers{1.00390625, 3, 0}));
  EXPECT_EQ(runKernel(body, 3, 1, input, 1, Precision::Rounded),
            (Numbers{1, 3, 0}));
}

} // namespace
