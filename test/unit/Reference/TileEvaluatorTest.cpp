// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Loops, runs, plans and workspaces of tile programs, and programs that are
// refused.

#include "TileFixture.h"

using namespace rapt;
using namespace rapt::reference;

namespace {

using TileEvaluatorTest = TileFixture;
using Numbers = std::vector<double>;

TEST_F(TileEvaluatorTest, ForCarriesTiles) {
  EXPECT_EQ(runKernel(R"(
    %t = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> !tile.tile<1x1xf64>
    %r = tile.for %c0 to %c4 step %c1 carry(%t) : (!tile.tile<1x1xf64>) -> (!tile.tile<1x1xf64>) {
    ^bb0(%n: index, %a: !tile.tile<1x1xf64>):
      %i = arith.index_cast %n : index to i32
      %b = tile.map(%a) dims [[0, 1]] : (!tile.tile<1x1xf64>) -> !tile.tile<1x1xf64> {
      ^bb0(%e: f64):
        %f = arith.sitofp %i : i32 to f64
        %two = arith.constant 2.0 : f64
        %g = arith.mulf %e, %two : f64
        %h = arith.addf %g, %f : f64
        tile.yield %h : f64
      }
      tile.yield %b : !tile.tile<1x1xf64>
    }
    tile.store set %r, %out[%c0, %c0] : !tile.tile<1x1xf64>, !tile.view<f64, 2>)",
                      1, 1, {1}),
            (Numbers{27})); // 1 -> 2 -> 5 -> 12 -> 27
}

/// A loop over the runs of %d that adds 100 for each full one and its end for
/// each partial one.
const char *const kWalk = R"(
    %t = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> !tile.tile<1x1xf64>
    %r = tile.for_runs %d by 4, 4 carry(%t) : (!tile.tile<1x1xf64>) -> (!tile.tile<1x1xf64>)
    full {
    ^bb0(%s: index, %n: index, %a: !tile.tile<1x1xf64>):
      %b = tile.map(%a) dims [[0, 1]] : (!tile.tile<1x1xf64>) -> !tile.tile<1x1xf64> {
      ^bb0(%e: f64):
        %hundred = arith.constant 100.0 : f64
        %f = arith.addf %e, %hundred : f64
        tile.yield %f : f64
      }
      tile.yield %b : !tile.tile<1x1xf64>
    } partial {
    ^bb0(%s: index, %n: index, %a: !tile.tile<1x1xf64>):
      %i = arith.addi %s, %n : index
      %b = tile.map(%a) dims [[0, 1]] : (!tile.tile<1x1xf64>) -> !tile.tile<1x1xf64> {
      ^bb0(%e: f64):
        %x = arith.index_cast %i : index to i32
        %y = arith.sitofp %x : i32 to f64
        %f = arith.addf %e, %y : f64
        tile.yield %f : f64
      }
      tile.yield %b : !tile.tile<1x1xf64>
    }
    tile.store set %r, %out[%c0, %c0] : !tile.tile<1x1xf64>, !tile.view<f64, 2>)";

TEST_F(TileEvaluatorTest, RunsAreCut) {
  // 10 keys in runs of 4: the last one, of 2, is partial.
  EXPECT_EQ(runKernel(std::string(R"(
    %ten = arith.constant 10 : index
    %d = tile.runs %ten step 4)") +
                          kWalk,
                      1, 1, {0}),
            (Numbers{100 + 100 + 10}));
}

TEST_F(TileEvaluatorTest, RunsAreClassified) {
  // 10 columns in runs of 4 for rows 6 to 7 of 8, the third block of 3 rows, of
  // head 1 of 2: a run shorter than 4 is partial, as are those that the
  // classification does not know to be full; those without pairs are left out.
  auto run = [&](std::string any, std::string all) {
    std::string text = R"(
    tile.program @p {
    ^bb0(%in: !tile.view<f64, 2>, %out: !tile.view<f64, 2>):
      %one = arith.constant 1 : index
      %two = arith.constant 2 : index
      %rows = arith.constant 8 : index
      %columns = arith.constant 10 : index
      %table = tile.plan_runs for(%one, %two) rows %rows step 3 columns %columns step 4 classify {
      ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j0: index, %j1: index):
        %c0 = arith.constant 0 : index
        %nine = arith.constant 9 : index
        %any = )" + any +
                       R"(
        %all = )" + all +
                       R"(
        tile.yield %any, %all : i1, i1
      }
      tile.launch @k items(%one, %one, %one) args(%in, %out, %table) : !tile.view<f64, 2>, !tile.view<f64, 2>, !tile.run_table
    }
    tile.kernel @k {
    ^bb0(%item0: index, %item1: index, %item2: index, %in: !tile.view<f64, 2>, %out: !tile.view<f64, 2>, %table: !tile.run_table):
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %d = tile.domain %table[%c0, %c1, %c2]
      )" + kWalk + R"(
      tile.return
    })";
    double input = 0, output = 99;
    llvm::Error error =
        this->run(text, TensorView::getDense(&input, ElementType::F64, {1, 1}),
                  ResultView{&output, ElementType::F64, {1, 1}, {1, 1}});
    EXPECT_FALSE(static_cast<bool>(error)) << toString(std::move(error));
    return output;
  };
  std::string yes = "arith.constant true", no = "arith.constant false";
  EXPECT_EQ(run(yes, yes), 210);
  EXPECT_EQ(run(yes, no), 4 + 8 + 10);
  EXPECT_EQ(run(no, no), 0);
  EXPECT_EQ(run("arith.cmpi sge, %j1, %nine : index", yes), 10);
  EXPECT_EQ(run("arith.cmpi sle, %j0, %c0 : index", yes), 100);
  EXPECT_EQ(run("arith.cmpi sle, %j0, %i0 : index", yes), 200);
  EXPECT_EQ(run(yes, "arith.cmpi sle, %j1, %i1 : index"), 100 + 100 + 10);
  EXPECT_EQ(run(yes, "arith.cmpi slt, %j1, %i1 : index"), 100 + 8 + 10);
  EXPECT_EQ(run("arith.cmpi eq, %h, %c0 : index", yes), 0);
}

TEST_F(TileEvaluatorTest, BoundsOfRanges) {
  // Of the columns 1 to 2 of rows `first` to `last` of [[3, 5], [-2, 7], [4,
  // 0]] along the rows; what lies outside is 0.
  std::string message;
  auto run = [&](int64_t column, int64_t first, int64_t last,
                 std::string promise = "") {
    std::string text = R"(
    tile.program @p {
    ^bb0(%in: !tile.view<i32, 2>, %out: !tile.view<i64, 1>):
      %one = arith.constant 1 : index
      %pyramid = tile.pyramid %in along 0 : <i32, 2>
      %column = arith.constant )" +
                       std::to_string(column) + R"( : i64
      %first = arith.constant )" +
                       std::to_string(first) + R"( : i64
      %yes = arith.constant true
      %last = arith.constant )" +
                       std::to_string(last) + R"( : i64
      %least, %largest = tile.bounds %pyramid[%column] from %first to %last)" +
                       promise + R"(
      tile.launch @k items(%one, %one, %one) args(%least, %largest, %out) : i64, i64, !tile.view<i64, 1>
    }
    tile.kernel @k {
    ^bb0(%x: index, %y: index, %z: index, %least: i64, %largest: i64, %out: !tile.view<i64, 1>):
      %a = tile.splat %least : i64 -> <1xi64>
      %b = tile.splat %largest : i64 -> <1xi64>
      %c = tile.concat %a, %b along 0 : (!tile.tile<1xi64>, !tile.tile<1xi64>) -> !tile.tile<2xi64>
      %c0 = arith.constant 0 : index
      tile.store set %c, %out[%c0] : <2xi64>, <i64, 1>
      tile.return
    })";
    int32_t input[] = {3, 5, -2, 7, 4, 0};
    int64_t output[] = {99, 99};
    llvm::Error error =
        this->run(text, TensorView::getDense(input, ElementType::I32, {3, 2}),
                  ResultView{output, ElementType::I64, {2}, {1}});
    if (promise.empty())
      EXPECT_FALSE(static_cast<bool>(error));
    message = toString(std::move(error));
    return std::pair(output[0], output[1]);
  };
  EXPECT_EQ(run(0, 0, 2), std::pair(int64_t(-2), int64_t(4)));
  EXPECT_EQ(run(0, 0, 0), std::pair(int64_t(3), int64_t(3)));
  EXPECT_EQ(run(1, 0, 1), std::pair(int64_t(5), int64_t(7)));
  EXPECT_EQ(run(1, 0, 3), std::pair(int64_t(0), int64_t(7)));
  EXPECT_EQ(run(0, -1, 0), std::pair(int64_t(0), int64_t(3)));
  EXPECT_EQ(run(2, 0, 2), std::pair(int64_t(0), int64_t(0)));
  // A promise is kept or found out.
  std::string promise = " ascending if %yes";
  EXPECT_EQ(run(1, 0, 1, promise), std::pair(int64_t(5), int64_t(7)));
  EXPECT_EQ(message, "");
  run(1, 0, 2, promise);
  EXPECT_EQ(message, "tile.bounds promises a range that ascends, but from 0 to "
                     "2 it does not");
  run(1, 1, 3, promise);
  EXPECT_NE(message, "");
}

TEST_F(TileEvaluatorTest, ListsOfRows) {
  // Rows of 5 numbers in the order of n * n mod 5, and then with the even ones
  // listed again; 9 is what is not written.
  auto run = [&](std::string type, std::string list, int64_t rows) {
    std::string text =
        R"(
    tile.program @p {
    ^bb0(%in: !tile.view<i64, 1>, %out: !tile.view<i64, 1>):
      %one = arith.constant 1 : index
      %n = tile.extent %in[0] : <i64, 1>
)"
        "      %ids = tile.tabulate for(%one, %one) length %n : <" +
        type + R"(, 3> {
      ^bb0(%b: index, %h: index, %place: index):
        %k = arith.index_cast %place : index to i64
        %two = arith.constant 2 : i64
        %five = arith.constant 5 : i64
        %square = arith.muli %k, %k : i64
        %id = arith.remsi %square, %five : i64
        %half = arith.remsi %k, %two : i64
        %isOdd = arith.trunci %half : i64 to i1
        %zero = arith.constant 0 : i64
        %mark = arith.select %isOdd, %zero, %five : i64
        tile.yield )" +
        list +
        R"( tile.launch @k items(%one, %one, %one) args(%in, %order, %out) : !tile.view<i64, 1>, !tile.view<i32, 3>, !tile.view<i64, 1>
    }
    tile.kernel @k {
    ^bb0(%x: index, %y: index, %z: index, %in: !tile.view<i64, 1>, %order: !tile.view<i32, 3>, %out: !tile.view<i64, 1>):
      %list = tile.window %order[%x, %y] : <i32, 3> -> <i32, 1>
      %rows = tile.list_rows %in by %list : <i64, 1>, <i32, 1> -> <i64, 1, rows = listed>
      %t = tile.load %rows[%x] : <i64, 1, rows = listed> -> <12xi64>
      tile.store set %t, %out[%x] : <12xi64>, <i64, 1>
      tile.return
    })";
    int64_t input[] = {10, 11, 12, 13, 14};
    std::vector<int64_t> output(static_cast<size_t>(rows), 9);
    llvm::Error error =
        this->run(text, TensorView::getDense(input, ElementType::I64, {5}),
                  ResultView{output.data(), ElementType::I64, {rows}, {1}});
    EXPECT_FALSE(static_cast<bool>(error)) << toString(std::move(error));
    return output;
  };
  // 0 1 4 4 1 sorted: 0, 1 of 1 and 4, 4 of 2 and 3.
  EXPECT_EQ(run("i64", R"(%id : i64
      }
      %order = tile.sort_rows %ids : <i64, 3> -> <i32, 3>)",
                6),
            (std::vector<int64_t>{10, 11, 14, 12, 13, 0}));
  EXPECT_EQ(run("i8", R"(%mark : i64
      }
      %order, %count = tile.list_marked %ids : <i8, 3> -> <i32, 3>, <i32, 3>)",
                11),
            (std::vector<int64_t>{10, 11, 12, 13, 14, 10, 12, 14, 10, 10, 0}));
}

TEST_F(TileEvaluatorTest, Workspace) {
  // One kernel writes a workspace of 2 rows, the next reads 3: what was never
  // written is outside and reads as 0.
  std::string text = R"(
    tile.program @p {
    ^bb0(%in: !tile.view<f32, 1>, %out: !tile.view<f32, 1>):
      %c1 = arith.constant 1 : index
      %n = tile.extent %in[0] : !tile.view<f32, 1>
      %w = tile.workspace(%n) : !tile.view<f32, 1>
      tile.launch @copy items(%c1, %c1, %n) args(%in, %w) : !tile.view<f32, 1>, !tile.view<f32, 1>
      tile.launch @copy items(%c1, %c1, %n) args(%w, %out) : !tile.view<f32, 1>, !tile.view<f32, 1>
    }
    tile.kernel @copy {
    ^bb0(%x: index, %y: index, %z: index, %from: !tile.view<f32, 1>, %to: !tile.view<f32, 1>):
      %t = tile.load %from[%z] : !tile.view<f32, 1> -> !tile.tile<1xf32>
      tile.store set %t, %to[%z] : !tile.tile<1xf32>, !tile.view<f32, 1>
      tile.return
    })";
  float input[] = {3, 4}, output[] = {0, 0, 9};
  TensorView in = TensorView::getDense(input, ElementType::F32, {2});
  ResultView out{output, ElementType::F32, {3}, {1}};
  llvm::Error error = run(text, in, out, Precision::Rounded);
  ASSERT_FALSE(static_cast<bool>(error)) << toString(std::move(error));
  EXPECT_EQ(output[0], 3);
  EXPECT_EQ(output[1], 4);
  EXPECT_EQ(output[2], 9);

  // A value that no kernel wrote is a NaN.
  std::string unwritten =
      replaceAll(text,
                 "tile.launch @copy items(%c1, %c1, %n) args(%in, %w) : "
                 "!tile.view<f32, 1>, !tile.view<f32, 1>",
                 "");
  error = run(unwritten, in, out);
  ASSERT_FALSE(static_cast<bool>(error)) << toString(std::move(error));
  EXPECT_TRUE(std::isnan(output[0]));
}

TEST_F(TileEvaluatorTest, Errors) {
  std::string text = R"(
    tile.program @p {
    ^bb0(%in: !tile.view<f32, 1>, %out: !tile.view<f32, 1>):
      %c1 = arith.constant 1 : index
      tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 1>, !tile.view<f32, 1>
    }
    tile.kernel @k {
    ^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 1>, %out: !tile.view<f32, 1>):
      %t = tile.load %out[%z] : !tile.view<f32, 1> -> !tile.tile<1xf32>
      tile.store set %t, %in[%z] : !tile.tile<1xf32>, !tile.view<f32, 1>
      tile.return
    })";
  float data[2] = {};
  TensorView in = TensorView::getDense(data, ElementType::F32, {1});
  ResultView out{data, ElementType::F32, {1}, {1}};
  EXPECT_EQ(toString(run(text, in, out)), "tile.store writes an argument");
  EXPECT_EQ(toString(run(text, {}, out)),
            "the program has 2 arguments and results, got 1");
  in.type = ElementType::I32;
  EXPECT_EQ(toString(run(text, in, out)),
            "argument 0 has element type i32, expected f32");
  in = TensorView::getDense(data, ElementType::F32, {1, 1});
  EXPECT_EQ(toString(run(text, in, out)),
            "argument 0 has 2 dimensions, expected 1");
  in = TensorView::getDense(data, ElementType::F32, {1});
  std::string unknown =
      replaceAll(text, "%c1 = arith.constant 1 : index",
                 "%c1 = arith.constant 1 : index\n"
                 "%u = builtin.unrealized_conversion_cast %c1 : index to i32");
  EXPECT_EQ(toString(run(unknown, in, out)),
            "the Reference cannot evaluate builtin.unrealized_conversion_cast: "
            "not an operation of a tile program");
}

/// A kernel that is told that a load stays in bounds does not look.
TEST_F(TileEvaluatorTest, LoadsKeepTheirPromise) {
  auto load = [&](const std::string &offsets, const std::string &promise) {
    std::string text = replaceAll(R"(
      tile.program @p {
      ^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
        %c1 = arith.constant 1 : index
        tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
      }
      tile.kernel @k {
      ^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
        %minus = arith.constant -1 : index
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c2 = arith.constant 2 : index
        %t = tile.load %in[OFFSETS] in_bounds [PROMISE] : <f32, 2> -> <2x4xf32>
        tile.store set %t, %out[%c0, %c0] : <2x4xf32>, <f32, 2>
        tile.return
      })",
                                  "OFFSETS", offsets);
    float input[3 * 4] = {}, output[2 * 4] = {};
    return toString(run(replaceAll(text, "PROMISE", promise),
                        TensorView::getDense(input, ElementType::F32, {3, 4}),
                        ResultView{output, ElementType::F32, {2, 4}, {4, 1}}));
  };
  EXPECT_EQ(load("%c1, %c0", "true, true"), "");
  EXPECT_EQ(load("%c2, %c0", "false, true"), "");
  EXPECT_EQ(load("%c2, %c0", "true, true"),
            "tile.load promises to stay in bounds, but reads 2 to 4 of "
            "dimension 0, whose extent is 3");
  EXPECT_EQ(load("%c0, %c1", "false, true"),
            "tile.load promises to stay in bounds, but reads 1 to 5 of "
            "dimension 1, whose extent is 4");
  EXPECT_EQ(load("%minus, %c0", "true, true"),
            "tile.load promises to stay in bounds, but reads -1 to 1 of "
            "dimension 0, whose extent is 3");
}

} // namespace
