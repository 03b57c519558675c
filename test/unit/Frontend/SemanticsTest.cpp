// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The rules of the language one by one, and mechanisms that lean on them.

#include "MechanismFixture.h"

using namespace rapt::frontend;

namespace {

using SemanticsTest = MechanismFixture;
using Pair = MechanismFixture::Pair;

bool isCausal(Pair p) { return p.i >= p.j; }

//===----------------------------------------------------------------------===//
// Positions and heads
//===----------------------------------------------------------------------===//

TEST_F(SemanticsTest, LastQueryStandsAtLastKey) {
  for (auto [m, n] : {std::pair(3, 9), std::pair(9, 3)}) {
    setLengths(m, n);
    compile("attention t { mask = i == j + 1 | j == keys - 1 & row == 0 }");
    check({.mask = [&](Pair p) {
      return p.i == p.j + 1 || (p.j == keys - 1 && p.row == 0);
    }});
  }
}

TEST_F(SemanticsTest, RowInPlaceOfPosition) {
  setLengths(5, 8);
  compile("attention t { let i = row   mask = i >= j }");
  check({.mask = [](Pair p) { return p.row >= p.j; }});
}

TEST_F(SemanticsTest, HeadOfASharedAxis) {
  heads = 6;
  kvHeads = 3;
  groups = 2;
  compile(R"(attention t {
    input s: f32[kv_heads, 3]   input t: f32[groups]   input u: f32[heads]
    score = dot(q, k) + s[h, 2] * t[h] + s[1] - t + u[h] + s[h + 1, 0]
    mask = h != 1 | b == 0
  })");
  check({.score =
             [&](Pair p) {
               int64_t kv = p.h / 2, group = p.h / 3;
               return p.dot + real("s", {kv, 2}) * real("t", {group}) +
                      real("s", {kv, 1}) - real("t", {group}) +
                      real("u", {p.h}) +
                      real("s", {p.h + 1, 0}); // an index of its own axis
             },
         .mask = [](Pair p) { return p.h != 1 || p.b == 0; }});
}

TEST_F(SemanticsTest, QueryRowsOfInputs) {
  compile(R"(attention t {
    input gate: f32[batch, heads, queries, 3]   input w: f32[keys, keys]
    score = dot(q, k) * gate[1] + w[i, j]
  })");
  check({.score = [&](Pair p) {
    return p.dot * real("gate", {p.b, p.h, p.row, 1}) + real("w", {p.i, p.j});
  }});
}

TEST_F(SemanticsTest, LengthsAndExtents) {
  compile("attention t { score = dot(q, k) / keys + queries * heads - batch "
          "+ kv_heads * h }");
  check({.score = [&](Pair p) {
    return p.dot / keys + queries * heads - batch + kvHeads * p.h;
  }});
}

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

TEST_F(SemanticsTest, QuotientsAndRemaindersOfNegatives) {
  setLengths(17, 7); // positions from -10
  compile("attention t { mask = i / 4 % 3 == (j - 9) / 4 % 3 | (i - j) % 5 == "
          "2 | -i / 3 == 2 }");
  check({.mask = [](Pair p) {
    return modulo(floorDivide(p.i, 4), 3) ==
               modulo(floorDivide(p.j - 9, 4), 3) ||
           modulo(p.i - p.j, 5) == 2 || floorDivide(-p.i, 3) == 2;
  }});
}

TEST_F(SemanticsTest, RunTimeDivisor) {
  setLengths(9, 7);
  compile("attention t { input n: i32[batch]   mask = i / max(1, n) == j % "
          "max(1, n) }");
  setIntegers("n", {3, -5});
  check({.mask = [&](Pair p) {
    int64_t n = std::max<int64_t>(1, integer("n", {p.b}));
    return floorDivide(p.i, n) == modulo(p.j, n);
  }});
}

TEST_F(SemanticsTest, WideIntegers) {
  compile("attention t { input id: i64[batch, keys]   mask = id[i] / 3 == "
          "id[j] / 3 | xor(id[i], id[j]) == 5 }");
  setIntegers("id", {1l << 40, 5, (1l << 40) + 5, 5, 0});
  check({.mask = [&](Pair p) {
    int64_t a = integer("id", {p.b, p.i}), c = integer("id", {p.b, p.j});
    return a / 3 == c / 3 || (a ^ c) == 5;
  }});
}

TEST_F(SemanticsTest, BitsOfIntegers) {
  setLengths(11, 9);
  compile("attention t { mask = log2floor(i - j) == 2 | log2floor(xor(i, j)) < "
          "1 | xor(i, j) % 4 == 3 }");
  auto log2Floor = [](int64_t x) { return x > 0 ? std::ilogb(x) : -1; };
  check({.mask = [&](Pair p) {
    return log2Floor(p.i - p.j) == 2 || log2Floor(p.i ^ p.j) < 1 ||
           modulo(p.i ^ p.j, 4) == 3;
  }});
}

TEST_F(SemanticsTest, FloorOfReals) {
  setLengths(9, 7);
  compile("attention t { mask = floor(real(i) * 0.75) == floor(real(j) / 2 - "
          "0.25) | floor(i / 2) * 1.5 > j }");
  check({.mask = [](Pair p) {
    return std::floor(p.i * 0.75) == std::floor(p.j / 2.0 - 0.25) ||
           static_cast<double>(floorDivide(p.i, 2)) * 1.5 > p.j;
  }});
}

TEST_F(SemanticsTest, PowersAndLimitsOfFloor) {
  setLengths(9, 7);
  compile(
      "attention t { let far = floor(real(i - j) * 1e30)   "
      "mask = far == 1073741824 | far == -1073741824 & j > 2 | i == j   "
      "score = pow(dot(q, k) / 8 - 1, 3) + pow(j / 8.0, 2) + pow(2, 0.5) }");
  check({.score =
             [](Pair p) {
               double x = p.dot / 8 - 1;
               return x * x * x + p.j * p.j / 64.0 + std::sqrt(2);
             },
         .mask = [](Pair p) { return p.i >= p.j || p.j > 2; }});
}

/// A constant is clamped as what is known at run time is.
TEST_F(SemanticsTest, FloorOfConstants) {
  compile("attention t { let inf = 1e308 * 10   let least = -1073741824   "
          "mask = floor(sqrt(-1.0)) == least & floor(inf - inf) == least & "
          "floor(0 - inf) == least & floor(inf) == 0 - least & floor(-1.5) == "
          "-2 & i >= j }");
  check({.mask = isCausal});
}

/// A row of ones, whatever is in the row.
TEST_F(SemanticsTest, RowsToThePowerOfZero) {
  compile(
      "attention t { input d: i32[heads, 3]   score = dot(q, k) + sum(pow(q "
      "* k, 0)) + sum(pow(log(q - q), 0)) + sum(pow(d, 0)) * j }");
  check({.score = [](Pair p) { return p.dot + 8 + 8 + 3 * p.j; }});
}

//===----------------------------------------------------------------------===//
// Reads
//===----------------------------------------------------------------------===//

TEST_F(SemanticsTest, ReadsOutsideGiveZero) {
  setLengths(9, 7); // i from -2
  compile("attention t { input d: i32[batch, keys]   input flag: bool[batch, "
          "keys]   input t: i32[heads, 4] "
          "mask = d[i] == d[j + 2] | flag[i - 3] | t[h, j - 1] == 2 }");
  check({.mask = [&](Pair p) {
    return integer("d", {p.b, p.i}) == integer("d", {p.b, p.j + 2}) ||
           integer("flag", {p.b, p.i - 3}) || integer("t", {p.h, p.j - 1}) == 2;
  }});
}

TEST_F(SemanticsTest, FeaturesOutsideAComputedRowAreZero) {
  setLengths(9, 12); // i from 3, j to 11, 8 features
  compile("attention t { score = dot(q, k) + exp(q)[j] + q[2:5][i - 5] + "
          "exp(k)[i - j] }");
  check({.score = [&](Pair p) {
    auto exp = [&](const char *name, std::vector<int64_t> at) {
      return at.back() < 0 || at.back() >= 8 ? 0 : std::exp(real(name, at));
    };
    bool isInside = p.i >= 5 && p.i < 8;
    return p.dot + exp("q", {p.b, p.h, p.row, p.j}) +
           (isInside ? real("q", {p.b, p.h, p.row, p.i - 3}) : 0) +
           exp("k", {p.b, p.h / 2, p.j, p.i - p.j});
  }});
}

TEST_F(SemanticsTest, ComputedValuesOfAnotherKey) {
  setLengths(9, 7);
  compile("attention t { input d: i32[batch, keys]   let e = d + 1   let n = "
          "l2norm(k)   mask = e[i] == e[j - 1] | e == 2   score = dot(q, n[j - "
          "1, :]) }");
  auto e = [&](int64_t b, int64_t j) {
    return j < 0 || j >= keys ? 0 : integer("d", {b, j}) + 1;
  };
  check({.k =
             [&](int64_t b, int64_t h, int64_t j) {
               if (j == 0)
                 return Numbers(8, 0.0);
               Numbers k = row("k", {b, h / 2, j - 1});
               double sum = 1e-6;
               for (double x : k)
                 sum += x * x;
               for (double &x : k)
                 x /= std::sqrt(sum);
               return k;
             },
         .score = [](Pair p) { return p.dot; },
         .mask =
             [&](Pair p) {
               return e(p.b, p.i) == e(p.b, p.j - 1) || e(p.b, p.j) == 2;
             }});
}

/// Before the start a shifted value is zero, whatever the expression is there.
TEST_F(SemanticsTest, ShiftStartsWithZero) {
  compile("attention t { input d: i32[batch, 4]   let e = d[j % 4]   mask = "
          "shift(e, 2) == 1 | shift(j, 3) == 0 }");
  setIntegers("d", {0, 2, 1, 1, 1, 0, 1, 1});
  check({.mask = [&](Pair p) {
    int64_t before = p.j < 2 ? 0 : integer("d", {p.b, (p.j - 2) % 4});
    return before == 1 || p.j <= 3;
  }});
}

TEST_F(SemanticsTest, ShortConvolution) {
  compile(R"(attention short_conv { input taps: f32[heads, 3, dim]
    let k = silu(taps[0, :] * k + taps[1, :] * shift(k, 1) + taps[2, :] * shift(k, 2))
    mask = i >= j })");
  check({.k =
             [&](int64_t b, int64_t h, int64_t j) {
               Numbers result;
               for (int64_t d = 0; d < 8; ++d) {
                 double x = 0;
                 for (int64_t t = 0; t < 3; ++t)
                   x += real("taps", {h, t, d}) *
                        real("k", {b, h / 2, j - t, d});
                 result.push_back(x / (1 + std::exp(-x)));
               }
               return result;
             },
         .mask = isCausal});
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

TEST_F(SemanticsTest, Normalisations) {
  compile("attention t { score = dot(rmsnorm(q), layernorm(k, eps = 0.1)) + "
          "mean(k) * var(q) + max(k) - min(q) }");
  auto mean = [](const Numbers &x, auto f) {
    double sum = 0;
    for (double e : x)
      sum += f(e);
    return sum / static_cast<double>(x.size());
  };
  auto variance = [&](const Numbers &x) {
    double m = mean(x, [](double e) { return e; });
    return mean(x, [&](double e) { return (e - m) * (e - m); });
  };
  check({.score = [&](Pair p) {
    Numbers q = row("q", {p.b, p.h, p.row}), k = row("k", {p.b, p.h / 2, p.j});
    double square = mean(q, [](double e) { return e * e; });
    double middle = mean(k, [](double e) { return e; });
    double dot = 0;
    for (size_t d = 0; d < q.size(); ++d)
      dot += q[d] / std::sqrt(square + 1e-5) * (k[d] - middle) /
             std::sqrt(variance(k) + 0.1);
    return dot + middle * variance(q) + *std::max_element(k.begin(), k.end()) -
           *std::min_element(q.begin(), q.end());
  }});
}

TEST_F(SemanticsTest, FeaturesMovedAndMeasured) {
  compile(R"(attention t { input c: f32[heads, 5, dim]
    let near = argmax(matmul(c, q))
    score = dot(roll(q, 3), concat(k[4:8], k[0:4])) + sum(softmax(k) * q[0:8]) + near
    mask = near == argmax(matmul(c, k)) | count(q > k) >= 4 })");
  auto nearest = [&](int64_t h, const Numbers &x) {
    Numbers products;
    for (int64_t r = 0; r < 5; ++r) {
      products.push_back(0);
      for (int64_t d = 0; d < 8; ++d)
        products.back() += real("c", {h, r, d}) * x[d];
    }
    return std::max_element(products.begin(), products.end()) -
           products.begin();
  };
  check({.score =
             [&](Pair p) {
               Numbers q = row("q", {p.b, p.h, p.row});
               Numbers k = row("k", {p.b, p.h / 2, p.j});
               double sum = 0, exps = 0, result = nearest(p.h, q);
               for (double x : k)
                 exps += std::exp(x);
               for (size_t d = 0; d < 8; ++d) {
                 result += q[(d + 5) % 8] * k[(d + 4) % 8];
                 sum += std::exp(k[d]) / exps * q[d];
               }
               return result + sum;
             },
         .mask =
             [&](Pair p) {
               Numbers q = row("q", {p.b, p.h, p.row});
               Numbers k = row("k", {p.b, p.h / 2, p.j});
               int64_t larger = 0;
               for (size_t d = 0; d < 8; ++d)
                 larger += q[d] > k[d];
               return nearest(p.h, q) == nearest(p.h, k) || larger >= 4;
             }});
}

TEST_F(SemanticsTest, RopeAtAPosition) {
  compile("attention t { let q = rope(q, at = where(row < 2, 3, row), theta = "
          "100)   let k = rope(k[0:8], at = 2 * j, theta = 100) }");
  auto turn = [](const Numbers &x, double position) {
    Numbers y(8);
    for (size_t d = 0; d < 4; ++d) {
      double angle = position * std::pow(100, -static_cast<double>(d) / 4);
      y[d] = x[d] * std::cos(angle) - x[d + 4] * std::sin(angle);
      y[d + 4] = x[d] * std::sin(angle) + x[d + 4] * std::cos(angle);
    }
    return y;
  };
  check({.q = [&](int64_t b, int64_t h, int64_t n,
                  int64_t) { return turn(row("q", {b, h, n}), n < 2 ? 3 : n); },
         .k = [&](int64_t b, int64_t h,
                  int64_t j) { return turn(row("k", {b, h / 2, j}), 2 * j); }});
}

TEST_F(SemanticsTest, Activations) {
  compile("attention t { score = dot(elu(q) + 1, relu(k)) + "
          "logsigmoid(dot(q, k)) + softplus(4 * dot(q, k)) + "
          "sum(silu(k)) * sigmoid(sum(q)) + pow(dot(q, k), 3) / 50 }");
  check({.score = [&](Pair p) {
    Numbers q = row("q", {p.b, p.h, p.row}), k = row("k", {p.b, p.h / 2, p.j});
    double result = 0, dot = 0, silu = 0, sum = 0;
    for (size_t d = 0; d < 8; ++d) {
      result += (q[d] > 0 ? q[d] + 1 : std::exp(q[d])) * std::max(k[d], 0.0);
      dot += q[d] * k[d];
      silu += k[d] / (1 + std::exp(-k[d]));
      sum += q[d];
    }
    return result - std::log1p(std::exp(-dot)) + std::log1p(std::exp(4 * dot)) +
           silu / (1 + std::exp(-sum)) + dot * dot * dot / 50;
  }});
}

/// They neither overflow nor lose what is small.
TEST_F(SemanticsTest, ActivationsOfLargeNumbers) {
  compile("attention t { let x = 100 * dot(q, k)   score = where(x > 0, "
          "softplus(x) - x, logsigmoid(x) - x) + sigmoid(x) }");
  check({.score = [](Pair p) {
    double x = 100 * p.dot;
    return std::log1p(std::exp(-std::abs(x))) * (x > 0 ? 1 : -1) +
           (x > 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)));
  }});
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

TEST_F(SemanticsTest, NoPairAtAll) {
  compile("attention t { mask = i < 0 - 100 }");
  check({.mask = [](Pair) { return false; }});
}

TEST_F(SemanticsTest, NoPairAtAllAndASum) {
  compile("attention t { mask = j < 0   weight = sigmoid(score) }");
  check({.mask = [](Pair) { return false; }, .weight = Weight::Sum});
}

TEST_F(SemanticsTest, MaskedPairsContributeNothing) {
  compile("attention t { score = where(i >= j, dot(q, k), 0 / (real(i) - i)) "
          "mask = i >= j }");
  check({.score = [](Pair p) { return p.dot; }, .mask = isCausal});
}

TEST_F(SemanticsTest, SinkOfAQuery) {
  compile("attention t { weight = 2 * softmax(score, sink = sum(q) + i) / "
          "(1 + h) }");
  check({.factor = [](Pair p) { return 2.0 / (1 + p.h); },
         .sink =
             [&](Pair p) {
               double sum = p.i;
               for (double x : row("q", {p.b, p.h, p.row}))
                 sum += x;
               return sum;
             }});
}

TEST_F(SemanticsTest, Based) {
  compile("attention based { let s = dot(q, k) / sqrt(dim)   weight = "
          "normalize(1 + s + s * s / 2)   mask = i >= j }");
  check({.score =
             [](Pair p) {
               double s = p.dot / std::sqrt(8);
               return 1 + s + s * s / 2;
             },
         .mask = isCausal,
         .weight = Weight::Ratio});
}

TEST_F(SemanticsTest, Cosformer) {
  compile(R"(attention cosformer { param length = 64
    let fq = concat(relu(q) * cos(pi * i / (2 * length)), relu(q) * sin(pi * i / (2 * length)))
    let fk = concat(relu(k) * cos(pi * j / (2 * length)), relu(k) * sin(pi * j / (2 * length)))
    weight = normalize(dot(fq, fk), eps = 0.5)   mask = i >= j })");
  check({.score =
             [&](Pair p) {
               double sum = 0;
               for (int64_t d = 0; d < 8; ++d)
                 sum += std::max(0.0, real("q", {p.b, p.h, p.row, d})) *
                        std::max(0.0, real("k", {p.b, p.h / 2, p.j, d}));
               return sum * std::cos(M_PI * (p.i - p.j) / 128);
             },
         .mask = isCausal,
         .weight = Weight::Ratio,
         .epsilon = 0.5});
}

TEST_F(SemanticsTest, OutOfTheWeightedSum) {
  instance.extents["vdim"] = 8;
  compile("attention t { input q: [batch, heads, queries, vdim]   input k: "
          "[batch, kv_heads, keys, vdim]   let w = 2 * weight   out = "
          "sigmoid(q) * sum(w * v, over = j) + q }");
  AttnEvaluator evaluator = evaluate();
  for (const Row &found : evaluator.evaluateRows({{1, 3, 4}})) {
    Row sum = bruteForce({}, {1, 3, 4});
    Numbers q = row("q", {1, 3, 4});
    for (size_t e = 0; e < 8; ++e)
      EXPECT_NEAR(found.out[e], 2 * sum.out[e] / (1 + std::exp(-q[e])) + q[e],
                  1e-6);
  }
}

/// The names in force count: `let` before `mask` and after it.
TEST_F(SemanticsTest, OrderOfStatements) {
  compile("attention t { let x = i   mask = x >= j   let x = 0 - j   let q = 2 "
          "* q   let v = v + x }");
  check({.q =
             [&](int64_t b, int64_t h, int64_t n, int64_t) {
               Numbers q = row("q", {b, h, n});
               for (double &e : q)
                 e *= 2;
               return q;
             },
         .v =
             [&](int64_t b, int64_t h, int64_t j) {
               Numbers v = row("v", {b, h / 2, j});
               for (double &e : v)
                 e -= j;
               return v;
             },
         .mask = isCausal});
}

//===----------------------------------------------------------------------===//
// Mechanisms
//===----------------------------------------------------------------------===//

TEST_F(SemanticsTest, TreeOfDrafts) {
  setLengths(4, 9);
  instance.extents["nodes"] = 4;
  compile("attention tree_bitmap { input base: i32[batch]   input seen: "
          "bool[batch, nodes, nodes]   mask = j < base | seen[i - base, j - "
          "base] }");
  setIntegers("base", {5, 4});
  check({.mask = [&](Pair p) {
    int64_t base = integer("base", {p.b});
    return p.j < base || integer("seen", {p.b, p.i - base, p.j - base});
  }});
}

TEST_F(SemanticsTest, Flamingo) {
  setLengths(6, 9);
  compile("attention flamingo { param latents = 3   input media: i32[batch, "
          "queries]   let i = row   mask = j / latents == media - 1 }");
  setIntegers("media", {0, 1, 1, 2, 3, 3});
  check({.mask = [&](Pair p) {
    return p.j / 3 == integer("media", {p.b, p.row}) - 1;
  }});
}

TEST_F(SemanticsTest, BucketsOfT5) {
  setLengths(40, 45);
  compile(
      R"(attention t5 { param near = 8, far = 30   input bias: f32[heads, 16]
    let d = max(i - j, 0)
    let bucket = where(d < near, d, min(15, near + floor(near * log(real(d) / near) / log(real(far) / near))))
    score = dot(q, k) + bias[bucket]   mask = i >= j })");
  check({.score =
             [&](Pair p) {
               int64_t d = p.i - p.j;
               double log = std::log(d / 8.0) / std::log(30 / 8.0);
               int64_t bucket =
                   d < 8 ? d
                         : std::min<int64_t>(15, 8 + static_cast<int64_t>(
                                                         std::floor(8 * log)));
               return p.dot + real("bias", {p.h, bucket});
             },
         .mask = isCausal});
}

TEST_F(SemanticsTest, SinkSlots) {
  setLengths(9, 12);
  compile(R"(attention sink_slots { param window = 4, sinks = 2
    let slot = min(i, sinks + window - 1)
    let k = rope(k, at = where(j < sinks, j, slot - (i - j)))   let q = rope(q, at = slot)
    mask = i >= j & (i - j < window | j < sinks) })");
  auto turn = [](const Numbers &x, double position) {
    Numbers y(8);
    for (size_t d = 0; d < 4; ++d) {
      double angle = position * std::pow(10000, -static_cast<double>(d) / 4);
      y[d] = x[d] * std::cos(angle) - x[d + 4] * std::sin(angle);
      y[d + 4] = x[d] * std::sin(angle) + x[d + 4] * std::cos(angle);
    }
    return y;
  };
  check({.score =
             [&](Pair p) {
               int64_t slot = std::min<int64_t>(p.i, 5);
               Numbers q = turn(row("q", {p.b, p.h, p.row}), slot);
               Numbers k = turn(row("k", {p.b, p.h / 2, p.j}),
                                p.j < 2 ? p.j : slot - (p.i - p.j));
               double dot = 0;
               for (size_t d = 0; d < 8; ++d)
                 dot += q[d] * k[d];
               return dot / std::sqrt(8);
             },
         .mask =
             [](Pair p) { return p.i >= p.j && (p.i - p.j < 4 || p.j < 2); }});
}

} // namespace
