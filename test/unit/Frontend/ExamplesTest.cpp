// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Every example against its formula.

#include "MechanismFixture.h"
#include "lib/Reference/Philox.h"

using namespace rapt::frontend;

namespace {

using ExampleTest = MechanismFixture;
using Pair = MechanismFixture::Pair;

bool isCausal(Pair p) { return p.i >= p.j; }

/// Pairs (d, d + D / 2) turned by position * theta^(-2 d / D).
Numbers rope(const Numbers &x, double position, double theta) {
  Numbers result(x.size());
  size_t half = x.size() / 2;
  for (size_t d = 0; d < half; ++d) {
    double angle = position * std::pow(theta, -2.0 * d / x.size());
    result[d] = x[d] * std::cos(angle) - x[d + half] * std::sin(angle);
    result[d + half] = x[d] * std::sin(angle) + x[d + half] * std::cos(angle);
  }
  return result;
}

Numbers l2norm(Numbers x) {
  double sum = 1e-6;
  for (double e : x)
    sum += e * e;
  for (double &e : x)
    e /= std::sqrt(sum);
  return x;
}

TEST_F(ExampleTest, Full) {
  compileExample("full");
  check({});
}

TEST_F(ExampleTest, Causal) {
  // More queries than keys: the first ones stand before every key.
  for (auto [m, n] : {std::pair(5, 7), std::pair(9, 6), std::pair(1, 1)}) {
    setLengths(m, n);
    compileExample("causal");
    check({.mask = isCausal});
  }
}

TEST_F(ExampleTest, SlidingWindow) {
  setLengths(12, 14);
  instance.params = {{"window", "3"}, {"sinks", "2"}};
  compileExample("sliding_window");
  check({.mask = [](Pair p) {
    return p.i >= p.j && (p.i - p.j < 3 || p.j < 2);
  }});
}

TEST_F(ExampleTest, Softcap) {
  instance.params = {{"cap", "1.5"}};
  compileExample("softcap");
  check({.score =
             [](Pair p) { return 1.5 * std::tanh(p.dot / std::sqrt(8) / 1.5); },
         .mask = isCausal});
}

TEST_F(ExampleTest, Gemma2Local) {
  setLengths(3, 4100);
  compileExample("gemma2_local");
  check({.score =
             [](Pair p) { return 50 * std::tanh(p.dot / std::sqrt(8) / 50); },
         .mask = [](Pair p) { return p.i >= p.j && p.i - p.j < 4096; }});
}

TEST_F(ExampleTest, Alibi) {
  compileExample("alibi");
  check({.score =
             [&](Pair p) {
               return p.dot / std::sqrt(8) -
                      real("slopes", {p.h}) * (p.i - p.j);
             },
         .mask = isCausal});
}

TEST_F(ExampleTest, Documents) {
  compileExample("documents");
  setIntegers("doc", {0, 0, 0, 1, 1, 2, 2});
  check({.mask = [&](Pair p) {
    return p.i >= p.j &&
           integer("doc", {p.b, p.i}) == integer("doc", {p.b, p.j});
  }});
}

TEST_F(ExampleTest, PrefixLm) {
  compileExample("prefix_lm");
  setIntegers("prefix", {4, 0});
  check({.mask = [&](Pair p) {
    return p.i >= p.j || p.j < integer("prefix", {p.b});
  }});
}

TEST_F(ExampleTest, Dilated) {
  setLengths(2, 4200);
  compileExample("dilated");
  check({.mask = [](Pair p) {
    return p.i >= p.j && (p.i - p.j) % 16 == 0 && p.i - p.j < 4096;
  }});
}

TEST_F(ExampleTest, Strided) {
  setLengths(30, 33);
  instance.params = {{"s", "8"}};
  compileExample("strided");
  check({.mask = [](Pair p) {
    return p.i >= p.j && (p.i - p.j < 8 || p.j % 8 >= 4);
  }});
}

TEST_F(ExampleTest, Natten2d) {
  instance.params = {{"w", "5"}, {"r", "1"}};
  // The second with positions before the first key.
  for (auto [m, n] : {std::pair(20, 20), std::pair(23, 11)}) {
    setLengths(m, n);
    compileExample("natten2d");
    check({.mask = [](Pair p) {
      return std::abs(floorDivide(p.i, 5) - floorDivide(p.j, 5)) <= 1 &&
             std::abs(modulo(p.i, 5) - modulo(p.j, 5)) <= 1;
    }});
  }
}

TEST_F(ExampleTest, Duo) {
  setLengths(2, 300);
  compileExample("duo");
  setIntegers("full", {1, 0, 0, 1});
  check({.mask = [&](Pair p) {
    return p.i >= p.j && (integer("full", {p.h}) || p.i - p.j < 256 || p.j < 4);
  }});
}

TEST_F(ExampleTest, Sinks) {
  setLengths(9, 6); // a row with a sink only has an lse
  compileExample("sinks");
  check(
      {.mask = isCausal, .sink = [&](Pair p) { return real("sink", {p.h}); }});
}

TEST_F(ExampleTest, SigmoidAttention) {
  compileExample("sigmoid_attn");
  check({.score =
             [&](Pair p) {
               double score = p.dot / std::sqrt(8) - std::log(keys);
               return 1 / (1 + std::exp(-score));
             },
         .weight = Weight::Sum});
}

TEST_F(ExampleTest, RelativeBias) {
  setLengths(40, 36);
  compileExample("relative_bias");
  check({.score = [&](Pair p) {
    int64_t bucket = std::min<int64_t>(31, std::abs(p.i - p.j));
    return p.dot + real("bias", {p.h, bucket});
  }});
}

TEST_F(ExampleTest, Cross) {
  compileExample("cross");
  check({});
}

TEST_F(ExampleTest, Dropout) {
  setLengths(40, 43);
  instance.params = {{"p", "0.25"}};
  compileExample("dropout");
  int64_t seed = 0x123456789abcdef;
  setIntegers("seed", {seed});
  int64_t dropped = 0;
  check({.mask = isCausal, .factor = [&](Pair p) {
           bool isDropped =
               rapt::reference::uniform(seed, p.b, p.h, p.i, p.j) < 0.25;
           dropped += isDropped;
           return isDropped ? 0 : 1 / 0.75;
         }});
  EXPECT_GT(dropped, 0);
}

TEST_F(ExampleTest, Llama) {
  setLengths(6, 9);
  compileExample("llama");
  check(
      {.q = [&](int64_t b, int64_t h, int64_t n,
                int64_t i) { return rope(row("q", {b, h, n}), i, 500000); },
       .k = [&](int64_t b, int64_t h,
                int64_t j) { return rope(row("k", {b, h / 2, j}), j, 500000); },
       .mask = isCausal});
}

TEST_F(ExampleTest, QkNorm) {
  compileExample("qk_norm");
  // A row of zeros stays one: the epsilon is under the root.
  std::fill(tensors.at("q").data.begin(), tensors.at("q").data.begin() + 32, 0);
  check({.q = [&](int64_t b, int64_t h, int64_t n,
                  int64_t) { return l2norm(row("q", {b, h, n})); },
         .k = [&](int64_t b, int64_t h,
                  int64_t j) { return l2norm(row("k", {b, h / 2, j})); },
         .score = [&](Pair p) { return real("tau", {p.h}) * p.dot; },
         .mask = isCausal});
}

TEST_F(ExampleTest, Mla) {
  instance.params = {{"nope", "6"}, {"rotary", "4"}, {"latent", "5"}};
  compileExample("mla");
  auto multiply = [&](const char *matrix, int64_t b, int64_t h, int64_t j) {
    Numbers result;
    for (int64_t r = 0; r < 6; ++r) {
      result.push_back(0);
      for (int64_t c = 0; c < 5; ++c)
        result.back() += real(matrix, {h, r, c}) * real("c", {b, j, c});
    }
    return result;
  };
  auto join = [](Numbers a, const Numbers &b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  check({.q =
             [&](int64_t b, int64_t h, int64_t n, int64_t i) {
               Numbers q = row("q", {b, h, n});
               return join(Numbers(q.begin(), q.begin() + 6),
                           rope(Numbers(q.begin() + 6, q.end()), i, 10000));
             },
         .k =
             [&](int64_t b, int64_t h, int64_t j) {
               return join(multiply("wk", b, h, j),
                           rope(row("kr", {b, j}), j, 10000));
             },
         .v = [&](int64_t b, int64_t h,
                  int64_t j) { return multiply("wv", b, h, j); },
         .mask = isCausal});
}

} // namespace
