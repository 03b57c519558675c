// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Running sums over the keys, and rows of earlier positions.

#include "RecurrenceFixture.h"

using namespace rapt::frontend;

namespace {

using RunningSumsTest = RecurrenceFixture;

/// A running sum is a scan of its own, and read at any key.
TEST_F(RunningSumsTest, ForgettingAttention) {
  compile("attention t { input f: f32[batch, heads, keys] "
          "let g = cumsum(logsigmoid(f)) "
          "score = dot(q, k) / sqrt(dim) + g[i] - g[j]   mask = i >= j }");
  check({.score =
             [&](Pair p) {
               double score = p.dot / std::sqrt(p.width);
               for (int64_t t = p.j + 1; t <= p.i; ++t)
                 score += logSigmoid(real("f", {p.b, p.h, t}));
               return score;
             },
         .mask = [](Pair p) { return p.i >= p.j; }});
}

TEST_F(RunningSumsTest, LogLinearAttention) {
  instance.extents["levels"] = 5;
  compile("attention t { input g: f32[batch, heads, keys] "
          "input lam: f32[batch, heads, queries, levels] let G = cumsum(g) "
          "weight = lam[where(i == j, 0, 1 + log2floor(xor(i, j)))] * "
          "exp(G[i] - G[j]) * dot(q, k) mask = i >= j }");
  check({.score =
             [&](Pair p) {
               int64_t level =
                   p.i == p.j ? 0 : 1 + std::ilogb(double(p.i ^ p.j));
               double gate = 0;
               for (int64_t t = p.j + 1; t <= p.i; ++t)
                 gate += real("g", {p.b, p.h, t});
               return real("lam", {p.b, p.h, p.row, level}) * std::exp(gate) *
                      p.dot;
             },
         .mask = [](Pair p) { return p.i >= p.j; },
         .weight = Weight::Sum});
}

/// Rows are summed feature by feature, inside a map and at another key too.
TEST_F(RunningSumsTest, RunningSumsOfRows) {
  compile("attention t { let c = cumsum(k) let k = c - shift(c, 3) "
          "let v = cumsum(v) mask = i >= j }");
  auto sum = [&](const std::string &name, int64_t b, int64_t h, int64_t from,
                 int64_t to) {
    Matrix total = zeros(1, name == "k" ? dim : vdim);
    for (int64_t t = std::max<int64_t>(from, 0); t <= to; ++t)
      addOuter(total, {1}, row(name, {b, group(h), t}));
    return total[0];
  };
  check({.k = [&](int64_t b, int64_t h,
                  int64_t j) { return sum("k", b, h, j - 2, j); },
         .v = [&](int64_t b, int64_t h,
                  int64_t j) { return sum("v", b, h, 0, j); },
         .mask = [](Pair p) { return p.i >= p.j; }});
}

/// A running sum inside a state.
TEST_F(RunningSumsTest, StatesReadRunningSums) {
  compile("attention t { input g: f32[batch, heads, keys] let c = cumsum(g) "
          "state S = S + outer(k, c * v) + c[j - 2] out = dot(q, S) }");
  checkSteps([&](int64_t, int64_t) {
    return
        [this, S = zeros(dim, vdim)](int64_t b, int64_t h, int64_t t) mutable {
          double now = 0, before = 0;
          for (int64_t j = 0; j <= t; ++j) {
            now += real("g", {b, h, j});
            before += j <= t - 2 ? real("g", {b, h, j}) : 0;
          }
          addOuter(S, key(b, h, t), scale(now, value(b, h, t)));
          for (Numbers &r : S)
            for (double &x : r)
              x += before;
          return read(query(b, h, t), S);
        };
  });
}

/// Convolutions of queries and keys before the loop: zero before the first
/// token, and before the first query that is given.
TEST_F(RunningSumsTest, ShiftsOfBothSides) {
  compile("attention t { let q = l2norm(q) + 2 * shift(q, 1) + "
          "shift(exp(q), 2) let k = k + shift(k, 1) "
          "state S = S + outer(k, v) out = dot(q, S) }");
  checkSteps([&](int64_t, int64_t) {
    return [this, S = zeros(dim, vdim)](int64_t b, int64_t h,
                                        int64_t t) mutable {
      Numbers k = minus(key(b, h, t), scale(-1, key(b, h, t - 1)));
      addOuter(S, k, value(b, h, t));
      Numbers q = minus(l2norm(query(b, h, t)), scale(-2, query(b, h, t - 1)));
      if (t - 2 >= keys - queries)
        q = minus(q, scale(-1, apply(query(b, h, t - 2), std::exp)));
      return read(q, S);
    };
  });
}

TEST_F(RunningSumsTest, ShiftsOfQueriesInPairs) {
  compile("attention t { input g: f32[batch, heads, queries] "
          "let q = q - shift(q, 1) score = dot(q, k) * shift(g, 2) }");
  check({.q =
             [&](int64_t b, int64_t h, int64_t n, int64_t) {
               return minus(row("q", {b, h, n}), row("q", {b, h, n - 1}));
             },
         .score =
             [&](Pair p) { return p.dot * real("g", {p.b, p.h, p.row - 2}); }});
}

} // namespace
