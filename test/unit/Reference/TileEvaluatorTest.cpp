// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Tile programs against the loops of the definition, and single operations
// against results worked out by hand.

#include "lib/Reference/TileEvaluator.h"
#include "SpecFixture.h"

using namespace rapt;
using namespace rapt::reference;
using rapt::support::ElementType;

namespace {

struct TileTest : SpecFixture {
  TileTest() { context.loadDialect<tile::TileDialect>(); }

  llvm::Error run(const std::string &text, llvm::ArrayRef<TensorView> arguments,
                  llvm::ArrayRef<ResultView> results,
                  Precision precision = Precision::Exact) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      return llvm::createStringError("the text does not parse:\n" + text);
    return evaluateTileProgram(*module->getOps<tile::ProgramOp>().begin(),
                               arguments, results, precision);
  }

  /// Runs operations in a kernel of one item, with the views %in and %out of
  /// rank 2 and the indices %c0 .. %c4; the result is [rows, columns].
  std::vector<double> runKernel(const std::string &body, int64_t rows,
                                int64_t columns,
                                llvm::ArrayRef<double> input = {},
                                int64_t inputColumns = 1,
                                Precision precision = Precision::Exact) {
    std::string constants;
    for (int k = 0; k < 5; ++k)
      constants += "%c" + std::to_string(k) + " = arith.constant " +
                   std::to_string(k) + " : index\n";
    std::string text = R"(
      tile.program @p {
      ^bb0(%in: !tile.view<f64, 2>, %out: !tile.view<f64, 2>):
        %one = arith.constant 1 : index
        tile.launch @k items(%one, %one, %one) args(%in, %out) : !tile.view<f64, 2>, !tile.view<f64, 2>
      }
      tile.kernel @k {
      ^bb0(%item0: index, %item1: index, %item2: index, %in: !tile.view<f64, 2>, %out: !tile.view<f64, 2>):
    )" + constants + body +
                       "\ntile.return\n}";
    std::vector<double> output(rows * columns, 99);
    int64_t inputRows = static_cast<int64_t>(input.size()) / inputColumns;
    llvm::Error error =
        run(text,
            TensorView::getDense(input.data(), ElementType::F64,
                                 {inputRows, inputColumns}),
            ResultView{
                output.data(), ElementType::F64, {rows, columns}, {columns, 1}},
            precision);
    EXPECT_FALSE(static_cast<bool>(error)) << toString(std::move(error));
    return output;
  }
};

using Numbers = std::vector<double>;

//===----------------------------------------------------------------------===//
// Flash attention
//===----------------------------------------------------------------------===//

std::string replaceAll(std::string text, const std::string &from,
                       const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

/// One step over keys; %sm are the scores, masked or not.
const char *const kStep = R"(
    %mx = tile.reduce max %sm along 1 : !tile.tile<TQxTKxf32> -> !tile.tile<TQxf32>
    %mn = tile.map(%m, %mx) dims [[0], [0]] : (!tile.tile<TQxf32>, !tile.tile<TQxf32>) -> !tile.tile<TQxf32> {
    ^bb0(%a: f32, %e: f32):
      %r = arith.maximumf %a, %e : f32
      tile.yield %r : f32
    }
    %p = tile.map(%sm, %mn) dims [[0, 1], [0]] : (!tile.tile<TQxTKxf32>, !tile.tile<TQxf32>) -> !tile.tile<TQxTKxf32> {
    ^bb0(%a: f32, %e: f32):
      %none = arith.cmpf oeq, %a, %ninf : f32
      %d = arith.subf %a, %e : f32
      %x = math.exp %d : f32
      %r = arith.select %none, %zero, %x : f32
      tile.yield %r : f32
    }
    %al = tile.map(%m, %mn) dims [[0], [0]] : (!tile.tile<TQxf32>, !tile.tile<TQxf32>) -> !tile.tile<TQxf32> {
    ^bb0(%a: f32, %e: f32):
      %none = arith.cmpf oeq, %a, %ninf : f32
      %d = arith.subf %a, %e : f32
      %x = math.exp %d : f32
      %r = arith.select %none, %zero, %x : f32
      tile.yield %r : f32
    }
    %ls = tile.reduce add %p along 1 : !tile.tile<TQxTKxf32> -> !tile.tile<TQxf32>
    %ln = tile.map(%l, %al, %ls) dims [[0], [0], [0]] : (!tile.tile<TQxf32>, !tile.tile<TQxf32>, !tile.tile<TQxf32>) -> !tile.tile<TQxf32> {
    ^bb0(%a: f32, %e: f32, %f: f32):
      %s0 = arith.mulf %a, %e : f32
      %r = arith.addf %s0, %f : f32
      tile.yield %r : f32
    }
    %os = tile.map(%o, %al) dims [[0, 1], [0]] : (!tile.tile<TQxVDIMxf32>, !tile.tile<TQxf32>) -> !tile.tile<TQxVDIMxf32> {
    ^bb0(%a: f32, %e: f32):
      %r = arith.mulf %a, %e : f32
      tile.yield %r : f32
    }
    %vt = tile.load %vw[%start, %c0] : !tile.view<f32, 2> -> !tile.tile<TKxVDIMxf32>
    %on = tile.mma %p, %vt onto %os : (!tile.tile<TQxTKxf32>, !tile.tile<TKxVDIMxf32>, !tile.tile<TQxVDIMxf32>) -> !tile.tile<TQxVDIMxf32>
    tile.yield %mn, %ln, %on : !tile.tile<TQxf32>, !tile.tile<TQxf32>, !tile.tile<TQxVDIMxf32>
)";

/// Causal attention, a tile of queries for each item.
const char *const kFlash = R"(
tile.program @flash {
^bb0(%q: !tile.view<f32, 4>, %k: !tile.view<f32, 4>, %v: !tile.view<f32, 4>, %out: !tile.view<f32, 4>, %lse: !tile.view<f32, 3>):
  %B = tile.extent %q[0] : !tile.view<f32, 4>
  %H = tile.extent %q[1] : !tile.view<f32, 4>
  %M = tile.extent %q[2] : !tile.view<f32, 4>
  %tile = arith.constant TQ : index
  %tiles = arith.ceildivui %M, %tile : index
  %N = tile.extent %k[2] : !tile.view<f32, 4>
  %shift = arith.subi %N, %M : index
  %table = tile.plan_runs for(%B, %H) rows %M step TQ columns %N step TK classify {
  ^bb0(%b: index, %h: index, %r0: index, %r1: index, %low: index, %high: index):
    %i0 = arith.addi %r0, %shift : index
    %i1 = arith.addi %r1, %shift : index
    %any = arith.cmpi sge, %i1, %low : index
    %all = arith.cmpi sge, %i0, %high : index
    tile.yield %any, %all : i1, i1
  }
  tile.launch @forward items(%B, %H, %tiles) order %table args(%q, %k, %v, %out, %lse, %table) : !tile.view<f32, 4>, !tile.view<f32, 4>, !tile.view<f32, 4>, !tile.view<f32, 4>, !tile.view<f32, 3>, !tile.run_table
}
tile.kernel @forward {
^bb0(%b: index, %h: index, %t: index, %q: !tile.view<f32, 4>, %k: !tile.view<f32, 4>, %v: !tile.view<f32, 4>, %out: !tile.view<f32, 4>, %lse: !tile.view<f32, 3>, %table: !tile.run_table):
  %c0 = arith.constant 0 : index
  %tile = arith.constant TQ : index
  %zero = arith.constant 0.0 : f32
  %ninf = arith.constant 0xFF800000 : f32
  %H = tile.extent %q[1] : !tile.view<f32, 4>
  %G = tile.extent %k[1] : !tile.view<f32, 4>
  %M = tile.extent %q[2] : !tile.view<f32, 4>
  %N = tile.extent %k[2] : !tile.view<f32, 4>
  %hg = arith.muli %h, %G : index
  %g = arith.divui %hg, %H : index
  %qw = tile.window %q[%b, %h] : !tile.view<f32, 4> -> !tile.view<f32, 2>
  %kw = tile.window %k[%b, %g] : !tile.view<f32, 4> -> !tile.view<f32, 2>
  %vw = tile.window %v[%b, %g] : !tile.view<f32, 4> -> !tile.view<f32, 2>
  %ow = tile.window %out[%b, %h] : !tile.view<f32, 4> -> !tile.view<f32, 2>
  %lw = tile.window %lse[%b, %h] : !tile.view<f32, 3> -> !tile.view<f32, 1>
  %first = arith.muli %t, %tile : index
  %shift = arith.subi %N, %M : index
  %i0 = arith.addi %first, %shift : index
  %n32 = arith.index_cast %N : index to i32
  %qt = tile.load %qw[%first, %c0] : !tile.view<f32, 2> -> !tile.tile<TQxDIMxf32>
  %i = tile.positions %i0 : !tile.tile<TQxi32>
  %m0 = tile.splat %ninf : f32 -> !tile.tile<TQxf32>
  %l0 = tile.splat %zero : f32 -> !tile.tile<TQxf32>
  %o0 = tile.splat %zero : f32 -> !tile.tile<TQxVDIMxf32>
  %runs = tile.domain %table[%b, %h, %t]
  %me, %le, %oe = tile.for_runs %runs by TK, TK carry(%m0, %l0, %o0) : (!tile.tile<TQxf32>, !tile.tile<TQxf32>, !tile.tile<TQxVDIMxf32>) -> (!tile.tile<TQxf32>, !tile.tile<TQxf32>, !tile.tile<TQxVDIMxf32>)
  full {
  ^bb0(%start: index, %length: index, %m: !tile.tile<TQxf32>, %l: !tile.tile<TQxf32>, %o: !tile.tile<TQxVDIMxf32>):
    %kt = tile.load %kw[%start, %c0] : !tile.view<f32, 2> -> !tile.tile<TKxDIMxf32>
    %sm = tile.mma rhs_transposed %qt, %kt : (!tile.tile<TQxDIMxf32>, !tile.tile<TKxDIMxf32>) -> !tile.tile<TQxTKxf32>
    STEP
  } partial {
  ^bb0(%start: index, %length: index, %m: !tile.tile<TQxf32>, %l: !tile.tile<TQxf32>, %o: !tile.tile<TQxVDIMxf32>):
    %kt = tile.load %kw[%start, %c0] : !tile.view<f32, 2> -> !tile.tile<TKxDIMxf32>
    %s = tile.mma rhs_transposed %qt, %kt : (!tile.tile<TQxDIMxf32>, !tile.tile<TKxDIMxf32>) -> !tile.tile<TQxTKxf32>
    %j = tile.positions %start : !tile.tile<TKxi32>
    %sm = tile.map(%i, %j, %s) dims [[0], [1], [0, 1]] : (!tile.tile<TQxi32>, !tile.tile<TKxi32>, !tile.tile<TQxTKxf32>) -> !tile.tile<TQxTKxf32> {
    ^bb0(%a: i32, %e: i32, %x: f32):
      %causal = arith.cmpi sge, %a, %e : i32
      %inside = arith.cmpi slt, %e, %n32 : i32
      %keep = arith.andi %causal, %inside : i1
      %r = arith.select %keep, %x, %ninf : f32
      tile.yield %r : f32
    }
    STEP
  }
  %result = tile.map(%oe, %le) dims [[0, 1], [0]] : (!tile.tile<TQxVDIMxf32>, !tile.tile<TQxf32>) -> !tile.tile<TQxVDIMxf32> {
  ^bb0(%a: f32, %e: f32):
    %empty = arith.cmpf oeq, %e, %zero : f32
    %d = arith.divf %a, %e : f32
    %r = arith.select %empty, %zero, %d : f32
    tile.yield %r : f32
  }
  %logsum = tile.map(%me, %le) dims [[0], [0]] : (!tile.tile<TQxf32>, !tile.tile<TQxf32>) -> !tile.tile<TQxf32> {
  ^bb0(%a: f32, %e: f32):
    %x = math.log %e : f32
    %r = arith.addf %a, %x : f32
    tile.yield %r : f32
  }
  tile.store set %result, %ow[%first, %c0] : !tile.tile<TQxVDIMxf32>, !tile.view<f32, 2>
  tile.store set %logsum, %lw[%first] : !tile.tile<TQxf32>, !tile.view<f32, 1>
  tile.return
}
)";

TEST_F(TileTest, FlashAttentionAtOddShapes) {
  struct Case {
    int64_t queries, keys, tileQueries, tileKeys, dim, vdim;
  };
  for (Case c : {Case{1, 1, 4, 3, 3, 5}, Case{5, 7, 4, 3, 3, 5},
                 Case{17, 17, 8, 4, 1, 2}, Case{9, 7, 4, 4, 3, 1},
                 Case{6, 33, 2, 16, 7, 4}}) {
    queries = c.queries;
    keys = c.keys;
    dim = c.dim;
    vdim = c.vdim;
    makeTensors();
    std::string text = replaceAll(kFlash, "STEP", kStep);
    text = replaceAll(text, "TQ", std::to_string(c.tileQueries));
    text = replaceAll(text, "TK", std::to_string(c.tileKeys));
    text = replaceAll(text, "VDIM", std::to_string(vdim));
    text = replaceAll(text, "DIM", std::to_string(dim));
    for (Precision precision : {Precision::Exact, Precision::Rounded}) {
      std::vector<double> out(batch * heads * queries * vdim, 99);
      std::vector<double> lse(batch * heads * queries, 99);
      llvm::SmallVector<int64_t, 4> sizes{batch, heads, queries, vdim};
      ResultView results[] = {
          {out.data(), ElementType::F64, sizes,
           TensorView::getDenseStrides(sizes)},
          {lse.data(),
           ElementType::F64,
           {batch, heads, queries},
           TensorView::getDenseStrides({batch, heads, queries})}};
      llvm::SmallVector<TensorView> arguments;
      for (const NamedTensor &tensor : getNamed())
        arguments.push_back(tensor.view);
      llvm::Error error = run(text, arguments, results, precision);
      ASSERT_FALSE(static_cast<bool>(error)) << toString(std::move(error));
      double largest = 0;
      for (RowIndex row : allRows()) {
        Row expected =
            bruteForce({.mask = [](Pair p) { return p.i >= p.j; }}, row);
        int64_t place = (row.b * heads + row.h) * queries + row.i;
        for (int64_t e = 0; e < vdim; ++e)
          largest = std::max(largest,
                             std::abs(out[place * vdim + e] - expected.out[e]));
        if (std::isinf(expected.lse))
          EXPECT_EQ(lse[place], expected.lse);
        else
          largest = std::max(largest, std::abs(lse[place] - expected.lse));
      }
      EXPECT_LT(largest, precision == Precision::Exact ? 1e-12 : 1e-5);
      if (precision == Precision::Rounded && keys > 1)
        EXPECT_GT(largest, 1e-12); // the two precisions are not the same
    }
  }
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

TEST_F(TileTest, LoadsAndStoresOutside) {
  // Rows 1 to 4 of a 3x2 view: two of its rows, then zeros; stored from row 1
  // on.
  EXPECT_EQ(runKernel(R"(
    %t = tile.load %in[%c1, %c0] : !tile.view<f64, 2> -> !tile.tile<4x3xf64>
    tile.store set %t, %out[%c1, %c0] : !tile.tile<4x3xf64>, !tile.view<f64, 2>)",
                      4, 3, {1, 2, 3, 4, 5, 6}, 2),
            (Numbers{99, 99, 99, 3, 4, 0, 5, 6, 0, 0, 0, 0}));
}

TEST_F(TileTest, StoreAdds) {
  EXPECT_EQ(runKernel(R"(
    %t = tile.load %in[%c0, %c0] : !tile.view<f64, 2> -> !tile.tile<2x1xf64>
    tile.store add %t, %out[%c0, %c0] : !tile.tile<2x1xf64>, !tile.view<f64, 2>)",
                      2, 1, {1, 2}),
            (Numbers{100, 101}));
}

TEST_F(TileTest, GatherAndScatter) {
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
TEST_F(TileTest, ProductWithSkippedZeros) {
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

TEST_F(TileTest, ProductsInEveryOrientation) {
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

TEST_F(TileTest, ReductionsAndScans) {
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

TEST_F(TileTest, SliceConcatTranspose) {
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

TEST_F(TileTest, SolveTopSort) {
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

TEST_F(TileTest, ForCarriesTiles) {
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

TEST_F(TileTest, RunsAreCut) {
  // 10 keys in runs of 4: the last one, of 2, is partial.
  EXPECT_EQ(runKernel(std::string(R"(
    %ten = arith.constant 10 : index
    %d = tile.runs %ten step 4)") +
                          kWalk,
                      1, 1, {0}),
            (Numbers{100 + 100 + 10}));
}

TEST_F(TileTest, RunsAreClassified) {
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

TEST_F(TileTest, BoundsOfRanges) {
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

TEST_F(TileTest, ProductsOfPromisedDepth) {
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

TEST_F(TileTest, ListsOfRows) {
  // Rows of 5 numbers in the order of n * n mod 5, and then with the even ones
  // listed again; 9 is what is not written.
  auto run = [&](std::string list, int64_t rows) {
    std::string text =
        R"(
    tile.program @p {
    ^bb0(%in: !tile.view<i64, 1>, %out: !tile.view<i64, 1>):
      %one = arith.constant 1 : index
      %n = tile.extent %in[0] : <i64, 1>
      %ids = tile.tabulate for(%one, %one) length %n : <i64, 3> {
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
  EXPECT_EQ(run(R"(%id : i64
      }
      %order, %sorted = tile.sort_rows %ids : <i64, 3> -> <i32, 3>, <i64, 3>)",
                6),
            (std::vector<int64_t>{10, 11, 14, 12, 13, 0}));
  EXPECT_EQ(run(R"(%mark : i64
      }
      %order, %segment = tile.list_marked %ids : <i64, 3> -> <i32, 3>, <i64, 3>)",
                11),
            (std::vector<int64_t>{10, 11, 12, 13, 14, 10, 12, 14, 10, 10, 0}));
}

TEST_F(TileTest, ReadInsideAMapAndRounding) {
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

TEST_F(TileTest, Workspace) {
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

TEST_F(TileTest, Errors) {
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
TEST_F(TileTest, LoadsKeepTheirPromise) {
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
