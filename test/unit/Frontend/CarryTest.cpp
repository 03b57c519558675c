// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Rows beside one number per pair: keys and values that change on the way, and
// scores for each feature.

#include "RecurrenceFixture.h"

using namespace rapt::frontend;

namespace {

struct CarryTest : RecurrenceFixture {
  /// Scores of keys that `step` carries on at every position after their own.
  void checkCarried(const std::function<Numbers(Numbers key, int64_t b,
                                                int64_t h, int64_t t)> &step,
                    bool isOfValues = false) {
    auto carry = [&](Pair p, Numbers x) {
      for (int64_t t = p.j + 1; t <= p.i; ++t)
        x = step(x, p.b, p.h, t);
      return x;
    };
    AttnEvaluator evaluator = evaluate();
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t h = 0; h < heads; ++h)
        // Backwards, so that nothing can go on from the row before.
        for (int64_t n = queries - 1; n >= 0; --n) {
          int64_t i = n + keys - queries;
          Numbers sum(vdim, 0);
          double total = 0;
          for (int64_t j = 0; j <= i; ++j) {
            Pair p{b, h, n, i, j, 0, 0};
            Numbers k = key(b, h, j), v = value(b, h, j);
            (isOfValues ? v : k) = carry(p, isOfValues ? v : k);
            double weight =
                std::exp(dot(row("q", {b, h, n}), k) / std::sqrt(dim));
            total += weight;
            for (size_t e = 0; e < vdim; ++e)
              sum[e] += weight * v[e];
          }
          Row found = evaluator.evaluateRows(RowIndex{b, h, n}).front();
          for (size_t e = 0; e < vdim; ++e)
            EXPECT_NEAR(found.out[e], sum[e] / total,
                        1e-6 * (1 + std::abs(sum[e] / total)));
        }
  }
};

TEST_F(CarryTest, WallGatesTheFeaturesOfKeys) {
  compile("attention t { input g: f32[batch, kv_heads, keys, dim] "
          "carry k = exp(g) * k   mask = i >= j }");
  checkCarried([&](Numbers k, int64_t b, int64_t h, int64_t t) {
    for (size_t d = 0; d < dim; ++d)
      k[d] *= std::exp(row("g", {b, group(h), t})[d]);
    return k;
  });
}

TEST_F(CarryTest, PathReflectsKeys) {
  compile("attention t { input w: [batch, kv_heads, keys, dim] "
          "input beta: f32[batch, kv_heads, keys] "
          "carry k = k - beta * w * dot(w, k)   mask = i >= j }");
  checkCarried([&](Numbers k, int64_t b, int64_t h, int64_t t) {
    Numbers w = row("w", {b, group(h), t});
    return minus(k, scale(real("beta", {b, group(h), t}) * dot(w, k), w));
  });
}

TEST_F(CarryTest, ValuesAreCarriedToo) {
  compile("attention t { input g: f32[batch, heads, keys] let c = cumsum(g) "
          "carry v = (1 + c[j - 1]) * v + j   mask = i >= j }");
  checkCarried(
      [&](Numbers v, int64_t b, int64_t h, int64_t t) {
        double c = 0;
        for (int64_t j = 0; j < t; ++j)
          c += real("g", {b, h, j});
        for (double &x : v)
          x = (1 + c) * x + double(t);
        return v;
      },
      /*isOfValues=*/true);
}

TEST_F(CarryTest, AttentionFreeTransformer) {
  compile("attention t { input q: [batch, heads, queries, vdim] "
          "input k: [batch, heads, keys, vdim] input w: f32[keys, keys] "
          "score = k + w[i, j]   weight = softmax(score, over = j) "
          "mask = i >= j   out = sigmoid(q) * sum(weight * v, over = j) }");
  ASSERT_EQ(spec->results.size(), 1u);
  checkSteps([&](int64_t, int64_t) {
    return [this](int64_t b, int64_t h, int64_t t) {
      Numbers sum(vdim, 0), total(vdim, 0), q = query(b, h, t);
      for (int64_t j = 0; j <= t; ++j)
        for (size_t e = 0; e < vdim; ++e) {
          double weight = std::exp(row("k", {b, h, j})[e] + real("w", {t, j}));
          total[e] += weight;
          sum[e] += weight * value(b, h, j)[e];
        }
      for (size_t e = 0; e < vdim; ++e)
        sum[e] /= total[e] * (1 + std::exp(-q[e]));
      return sum;
    };
  });
}

TEST_F(CarryTest, Rwkv4DecaysByFeature) {
  compile("attention t { input q: [batch, heads, queries, vdim] "
          "input k: [batch, heads, keys, vdim] input w, u: f32[vdim] "
          "score = where(i == j, u + k, k - (i - 1 - j) * w) "
          "weight = softmax(score, over = j)   mask = i >= j "
          "out = sigmoid(q) * sum(weight * v, over = j) }");
  // The recurrence with a numerator and a denominator for each feature.
  checkSteps([&](int64_t, int64_t) {
    return [this, up = Numbers(vdim, 0),
            down = Numbers(vdim, 0)](int64_t b, int64_t h, int64_t t) mutable {
      Numbers out, q = query(b, h, t), v = value(b, h, t);
      for (size_t e = 0; e < vdim; ++e) {
        double k = row("k", {b, h, t})[e], w = real("w", {int64_t(e)}),
               now = std::exp(real("u", {int64_t(e)}) + k);
        out.push_back((up[e] + now * v[e]) / (down[e] + now) /
                      (1 + std::exp(-q[e])));
        up[e] = std::exp(-w) * up[e] + std::exp(k) * v[e];
        down[e] = std::exp(-w) * down[e] + std::exp(k);
      }
      return out;
    };
  });
}

/// Weights of each feature without a normaliser, and a row without keys.
TEST_F(CarryTest, SumsPerFeature) {
  setLengths(9, 7);
  compile(
      "attention t { input k: [batch, heads, keys, vdim] weight = tanh(k) + "
      "j - h   mask = i >= j   out = sum(weight * v, over = j) + 0 * q[0] }");
  checkSteps([&](int64_t, int64_t) {
    return [this](int64_t b, int64_t h, int64_t t) {
      Numbers sum(vdim, 0);
      for (int64_t j = 0; j <= t; ++j)
        for (size_t e = 0; e < vdim; ++e)
          sum[e] += (std::tanh(row("k", {b, h, j})[e]) + double(j - h)) *
                    value(b, h, j)[e];
      return sum;
    };
  });
  AttnEvaluator evaluator = evaluate();
  EXPECT_EQ(evaluator.evaluateRows(RowIndex{0, 0, 1}).front().out,
            Numbers(vdim, 0));
}

} // namespace
