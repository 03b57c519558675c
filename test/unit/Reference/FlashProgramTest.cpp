// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Flash attention as a tile program, against the loops of the definition.

#include "TileFixture.h"

using namespace rapt;
using namespace rapt::reference;

namespace {

using FlashProgramTest = TileFixture;

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

TEST_F(FlashProgramTest, FlashAttentionAtOddShapes) {
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

} // namespace
