// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Sums over keys that are more than one sum of weighted rows, and weights per
// feature that are more than a softmax.

#include "MechanismFixture.h"

using namespace rapt::frontend;

namespace {

using Pair = MechanismFixture::Pair;

struct SumsOverKeysTest : MechanismFixture {
  using Pairwise = std::function<double(Pair)>;

  Pair getPair(int64_t b, int64_t h, int64_t n, int64_t j) const {
    Numbers q = row("q", {b, h, n});
    Pair pair{b, h, n, n + keys - queries, j, 0, double(q.size())};
    for (size_t d = 0; d < q.size(); ++d)
      pair.dot += q[d] * real("k", {b, h / 2, j, int64_t(d)});
    return pair;
  }
  /// The softmax of `score` over the keys up to the query.
  Numbers weigh(int64_t b, int64_t h, int64_t n, const Pairwise &score) const {
    Numbers weights(keys);
    double sum = 0;
    for (int64_t j = 0; j <= n + keys - queries && j < keys; ++j)
      sum += weights[j] = std::exp(score(getPair(b, h, n, j)));
    for (double &weight : weights)
      weight = sum == 0 ? 0 : weight / sum;
    return weights;
  }
  static double byDefault(Pair p) { return p.dot / std::sqrt(8); }
  /// Rows of `width` features of a formula of (b, h, query, feature).
  void checkElements(int64_t width,
                     const std::function<double(int64_t, int64_t, int64_t,
                                                int64_t)> &element) {
    checkRows([&](int64_t b, int64_t h, int64_t n) {
      Row result;
      for (int64_t e = 0; e < width; ++e)
        result.out.push_back(element(b, h, n, e));
      return result;
    });
  }
  double v(int64_t b, int64_t h, int64_t j, int64_t e) const {
    return real("v", {b, h / 2, j, e});
  }
};

/// Queries before the first key have no pair: their sums are 0.
TEST_F(SumsOverKeysTest, SeveralSums) {
  setLengths(9, 7);
  compile("attention t { mask = i >= j   out = sum(weight * v, over = j) * "
          "sum(weight * v * v, over = j) }");
  checkElements(6, [&](int64_t b, int64_t h, int64_t n, int64_t e) {
    Numbers weights = weigh(b, h, n, byDefault);
    double first = 0, second = 0;
    for (int64_t j = 0; j < keys; ++j) {
      first += weights[j] * v(b, h, j, e);
      second += weights[j] * v(b, h, j, e) * v(b, h, j, e);
    }
    return first * second;
  });
}

TEST_F(SumsOverKeysTest, SumsOfNumbersAndOfRows) {
  compile("attention t { mask = i >= j   out = sum(weight * j, over = j) * q + "
          "sum(weight * k, over = j) }");
  checkElements(8, [&](int64_t b, int64_t h, int64_t n, int64_t d) {
    Numbers weights = weigh(b, h, n, byDefault);
    double place = 0, sum = 0;
    for (int64_t j = 0; j <= n + keys - queries; ++j) {
      place += weights[j] * j;
      sum += weights[j] * real("k", {b, h / 2, j, d});
    }
    return place * real("q", {b, h, n, d}) + sum;
  });
}

TEST_F(SumsOverKeysTest, ValuesOfPairs) {
  compile("attention t { mask = i >= j   out = sum(weight * abs(k - q), over = "
          "j) }");
  checkElements(8, [&](int64_t b, int64_t h, int64_t n, int64_t d) {
    Numbers weights = weigh(b, h, n, byDefault);
    double sum = 0;
    for (int64_t j = 0; j < keys; ++j)
      sum += weights[j] *
             std::abs(real("k", {b, h / 2, j, d}) - real("q", {b, h, n, d}));
    return sum;
  });
}

TEST_F(SumsOverKeysTest, SeveralWeights) {
  compile("attention t { mask = i >= j   out = sum(weight * softmax(0 - score) "
          "* weight * v, over = j) }");
  checkElements(6, [&](int64_t b, int64_t h, int64_t n, int64_t e) {
    Numbers weights = weigh(b, h, n, byDefault);
    Numbers others = weigh(b, h, n, [](Pair p) { return -byDefault(p); });
    double sum = 0;
    for (int64_t j = 0; j < keys; ++j)
      sum += weights[j] * weights[j] * others[j] * v(b, h, j, e);
    return sum;
  });
}

/// A sum that the weight is no part of is one over all keys.
TEST_F(SumsOverKeysTest, SumsInsideAWeight) {
  compile("attention t { mask = i >= j   score = exp(dot(q, k) / 8)   "
          "weight = score * score / sum(score, over = j) }");
  check({.score =
             [&](Pair p) {
               double sum = 0;
               for (int64_t j = 0; j < keys; ++j)
                 sum += std::exp(getPair(p.b, p.h, p.row, j).dot / 8);
               return std::exp(p.dot / 4) / sum;
             },
         .mask = [](Pair p) { return p.i >= p.j; },
         .weight = Weight::Sum});
}

/// In a mask a sum runs over all keys.
TEST_F(SumsOverKeysTest, SumsInsideAMask) {
  compile("attention t { score = dot(q, k)   mask = score * keys > sum(score, "
          "over = j) }");
  check({.score = [](Pair p) { return p.dot; },
         .mask =
             [&](Pair p) {
               double sum = 0;
               for (int64_t j = 0; j < keys; ++j)
                 sum += getPair(p.b, p.h, p.row, j).dot;
               return p.dot * keys > sum;
             }});
}

TEST_F(SumsOverKeysTest, WithoutASum) {
  compile("attention t { let w = softmax(dot(q, k))   out = q * max(k[0], over "
          "= j) + sum(w * k, over = j) }");
  checkElements(8, [&](int64_t b, int64_t h, int64_t n, int64_t d) {
    double largest = -INFINITY, sum = 0, total = 0;
    for (int64_t j = 0; j < keys; ++j) {
      largest = std::max(largest, real("k", {b, h / 2, j, 0}));
      double weight = std::exp(getPair(b, h, n, j).dot);
      total += weight;
      sum += weight * real("k", {b, h / 2, j, d});
    }
    return real("q", {b, h, n, d}) * largest + sum / total;
  });
}

/// A weight of constants is summed over the keys that there are.
TEST_F(SumsOverKeysTest, WeightsThatAreTheSameForEveryKey) {
  compile("attention t { weight = 0.5   out = q * sum(weight, over = j) * "
          "max(k[0] * 0 + j, over "
          "= j) }");
  checkElements(8, [&](int64_t b, int64_t h, int64_t n, int64_t d) {
    return 0.5 * keys * (keys - 1) * real("q", {b, h, n, d});
  });
}

//===----------------------------------------------------------------------===//
// Weights per feature
//===----------------------------------------------------------------------===//

TEST_F(SumsOverKeysTest, FactorPerFeature) {
  compile("attention t { input g: f32[heads, vdim]   mask = i >= j   "
          "weight = softmax(score) * exp(g) }");
  checkElements(6, [&](int64_t b, int64_t h, int64_t n, int64_t e) {
    Numbers weights = weigh(b, h, n, byDefault);
    double sum = 0;
    for (int64_t j = 0; j < keys; ++j)
      sum += weights[j] * std::exp(real("g", {h, e})) * v(b, h, j, e);
    return sum;
  });
}

/// A score, a factor and a sink for each feature. Nothing reads q: every key is
/// a query.
TEST_F(SumsOverKeysTest, SoftmaxPerFeatureWithSinkAndFactor) {
  setLengths(7, 7);
  compile(
      "attention t { input s: f32[heads, vdim]   mask = i >= j   "
      "score = v * j   weight = softmax(score, sink = s, over = j) * where(j "
      "% 2 == 0, 3, 1) }");
  checkElements(6, [&](int64_t b, int64_t h, int64_t n, int64_t e) {
    double total = std::exp(real("s", {h, e})), sum = 0;
    for (int64_t j = 0; j <= n + keys - queries && j < keys; ++j) {
      double weight = std::exp(v(b, h, j, e) * j);
      total += weight;
      sum += weight * (j % 2 == 0 ? 3 : 1) * v(b, h, j, e);
    }
    return sum / total;
  });
}

/// Computed for itself, a softmax per feature runs over all keys.
TEST_F(SumsOverKeysTest, SoftmaxPerFeatureInsideAnotherValue) {
  compile("attention t { let w = softmax(k, over = j)   out = q + sum(w * k, "
          "over = j) }");
  checkElements(8, [&](int64_t b, int64_t h, int64_t n, int64_t d) {
    double total = 0, sum = 0;
    for (int64_t j = 0; j < keys; ++j) {
      double key = real("k", {b, h / 2, j, d});
      total += std::exp(key);
      sum += std::exp(key) * key;
    }
    return real("q", {b, h, n, d}) + sum / total;
  });
}

/// One feature of it is a softmax of that feature.
TEST_F(SumsOverKeysTest, FeatureOfASoftmaxPerFeature) {
  compile("attention t { input s: f32[heads, dim]   "
          "mask = softmax(q * k, sink = s, over = j)[3] > 0.1 }");
  check({.mask = [&](Pair p) {
    double total = std::exp(real("s", {p.h, 3})), own = 0;
    for (int64_t j = 0; j < keys; ++j) {
      double weight = std::exp(real("q", {p.b, p.h, p.row, 3}) *
                               real("k", {p.b, p.h / 2, j, 3}));
      total += weight;
      if (j == p.j)
        own = weight;
    }
    return own / total > 0.1;
  }});
}

//===----------------------------------------------------------------------===//
// Roles in what is computed whole
//===----------------------------------------------------------------------===//

/// A score given above is that of a choice.
TEST_F(SumsOverKeysTest, ChoicesByTheScore) {
  setLengths(6, 6);
  compile(
      "attention t { score = dot(q, k)   mask = i >= j & j in top(2, score, "
      "where = c <= i) }");
  check({.score = [](Pair p) { return p.dot; },
         .mask =
             [&](Pair p) {
               int64_t before = 0;
               for (int64_t j = 0; j <= p.i; ++j)
                 before += getPair(p.b, p.h, p.row, j).dot > p.dot;
               return p.j <= p.i && before < 2;
             }});
}

} // namespace
