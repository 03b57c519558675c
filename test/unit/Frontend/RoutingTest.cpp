// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Pools, sets, ranks and reductions of pairs, rule by rule, against plain
// loops.

#include "MechanismFixture.h"

using namespace rapt::frontend;

namespace {

using Pair = MechanismFixture::Pair;

struct RoutingTest : MechanismFixture {
  double dot(int64_t b, int64_t h, int64_t row, const Numbers &key) const {
    double sum = 0;
    for (size_t d = 0; d < key.size(); ++d)
      sum += real("q", {b, h, row, static_cast<int64_t>(d)}) * key[d];
    return sum;
  }
  Numbers key(int64_t b, int64_t h, int64_t j) const {
    return row("k", {b, h * kvHeads / heads, j});
  }
  int64_t position(int64_t row) const { return row + keys - queries; }

  /// The keys of window t, combined feature by feature.
  Numbers pooled(int64_t b, int64_t h, int64_t t, int64_t size, int64_t stride,
                 const std::function<double(const Numbers &)> &combine) const {
    Numbers result;
    for (int64_t d = 0; d < 8; ++d) {
      Numbers column;
      for (int64_t j = t * stride; j < std::min(t * stride + size, keys); ++j)
        column.push_back(key(b, h, j)[d]);
      result.push_back(combine(column));
    }
    return result;
  }
  static double mean(const Numbers &x) {
    double sum = 0;
    for (double element : x)
      sum += element;
    return sum / static_cast<double>(x.size());
  }

  /// The first n of the admitted candidates: forced ones, then by score.
  static std::vector<int64_t> top(size_t n, const Numbers &scores,
                                  const std::function<bool(int64_t)> &admits,
                                  const std::function<bool(int64_t)> &forces) {
    std::vector<int64_t> order;
    for (int64_t c = 0; c < static_cast<int64_t>(scores.size()); ++c)
      if (admits(c))
        order.push_back(c);
    std::sort(order.begin(), order.end(), [&](int64_t x, int64_t y) {
      if (forces(x) != forces(y))
        return forces(x);
      return scores[x] != scores[y] ? scores[x] > scores[y] : x < y;
    });
    size_t forced = std::count_if(order.begin(), order.end(), forces);
    order.resize(std::min(order.size(), std::max(n, forced)));
    return order;
  }
  static std::vector<int64_t> top(size_t n, const Numbers &scores) {
    auto always = [](int64_t) { return true; };
    return top(n, scores, always, [](int64_t) { return false; });
  }
  static bool has(const std::vector<int64_t> &set, int64_t element) {
    return std::find(set.begin(), set.end(), element) != set.end();
  }
  int64_t blocks(int64_t size) const { return (keys + size - 1) / size; }

  /// The score of every block of keys by its pooled key.
  Numbers gates(Pair p, int64_t size,
                const std::function<double(const Numbers &)> &combine) const {
    Numbers result;
    for (int64_t c = 0; c < blocks(size); ++c)
      result.push_back(
          dot(p.b, p.h, p.row, pooled(p.b, p.h, c, size, size, combine)));
    return result;
  }
  Numbers scores(Pair p) const {
    Numbers result;
    for (int64_t j = 0; j < keys; ++j)
      result.push_back(dot(p.b, p.h, p.row, key(p.b, p.h, j)));
    return result;
  }
};

//===----------------------------------------------------------------------===//
// Pools
//===----------------------------------------------------------------------===//

TEST_F(RoutingTest, PoolsOfBlocks) {
  std::map<std::string, std::function<double(const Numbers &)>> ways = {
      {"mean", mean},
      {"sum",
       [](const Numbers &x) {
         return mean(x) * static_cast<double>(x.size());
       }},
      {"max",
       [](const Numbers &x) { return *std::max_element(x.begin(), x.end()); }},
      {"min",
       [](const Numbers &x) { return *std::min_element(x.begin(), x.end()); }}};
  for (auto [m, n] : {std::pair(11, 11), std::pair(4, 11), std::pair(9, 6)}) {
    setLengths(m, n);
    for (const auto &[name, combine] : ways) {
      compile("attention t { mask = j / 4 in top(1, dot(q, pool(k, " + name +
              ", 4))) }");
      check({.mask = [&, combine = combine](Pair p) {
        return has(top(1, gates(p, 4, combine)), p.j / 4);
      }});
    }
  }
}

/// There is a window for each start below the number of keys; those at the end
/// hold fewer.
TEST_F(RoutingTest, WindowsOverlapAndEndWithTheKeys) {
  setLengths(5, 9);
  compile("attention t { let g = dot(q, pool(k, mean, 4, stride = 2)) "
          "mask = j in above(0.2, g) }");
  check({.mask = [&](Pair p) {
    return p.j < blocks(2) &&
           dot(p.b, p.h, p.row, pooled(p.b, p.h, p.j, 4, 2, mean)) > 0.2;
  }});
}

TEST_F(RoutingTest, PoolsByAWeightPerToken) {
  setLengths(6, 10);
  compile("attention t { input w: f32[batch, heads, keys] "
          "mask = j in above(0, dot(q, pool(k, w, 3))) }");
  check({.mask = [&](Pair p) {
    double score = 0, total = 0;
    for (int64_t j = 3 * p.j; j < std::min(3 * p.j + 3, keys); ++j) {
      score +=
          real("w", {p.b, p.h, j}) * dot(p.b, p.h, p.row, key(p.b, p.h, j));
      total += real("w", {p.b, p.h, j});
    }
    return p.j < blocks(3) && score / total > 0;
  }});
}

/// Blocks of queries are those of positions, however many queries there are.
TEST_F(RoutingTest, SetsOfBlocksOfQueries) {
  for (auto [m, n] : {std::pair(8, 8), std::pair(5, 8)}) {
    setLengths(m, n);
    compile("attention t { let a = pool(dot(q, k), sum, 3, over = i) "
            "mask = j in top(2, a)[i / 3] }");
    check({.mask = [&](Pair p) {
      Numbers sums;
      for (int64_t j = 0; j < keys; ++j) {
        double sum = 0;
        for (int64_t row = 0; row < queries; ++row)
          if (position(row) / 3 == p.i / 3)
            sum += dot(p.b, p.h, row, key(p.b, p.h, j));
        sums.push_back(sum);
      }
      return has(top(2, sums), p.j);
    }});
  }
}

TEST_F(RoutingTest, PooledKeysAreWhatJCounts) {
  setLengths(7, 10);
  compile(R"(attention t {
    let k = pool(k, mean, 4)   let v = pool(v, max, 4)
    mask = 4 * j + 3 <= i })");
  AttnEvaluator evaluator = evaluate();
  for (int64_t n = 0; n < queries; ++n) {
    Row found = evaluator.evaluateRows(RowIndex{1, 2, n}).front();
    EXPECT_EQ(found.keptPairs, (position(n) + 1) / 4);
  }
}

/// Windows are shifted by windows, not by tokens.
TEST_F(RoutingTest, ShiftsOfPools) {
  setLengths(5, 10);
  compile("attention t { let k = shift(pool(k, mean, 4), 1) "
          "let v = shift(pool(v, mean, 4), 1) }");
  auto earlier = [&](const char *name, Pair p, int64_t c, int64_t width) {
    Numbers sum(width);
    int64_t last = std::min(4 * c, keys);
    for (int64_t j = 4 * (c - 1); c > 0 && j < last; ++j)
      for (int64_t d = 0; d < width; ++d)
        sum[d] += real(name, {p.b, p.h / 2, j, d}) / double(last - 4 * c + 4);
    return sum;
  };
  checkRows(
      [&](int64_t b, int64_t h, int64_t n) {
        Pair p{b, h, n, position(n), 0, 0, 8};
        Row result;
        result.out.resize(6);
        double total = 0;
        for (int64_t c = 0; c < blocks(4); ++c) {
          double weight =
              std::exp(dot(b, h, n, earlier("k", p, c, 8)) / std::sqrt(8));
          total += weight;
          Numbers v = earlier("v", p, c, 6);
          for (int64_t e = 0; e < 6; ++e)
            result.out[e] += weight * v[e];
        }
        for (double &x : result.out)
          x /= total;
        result.lse = std::log(total);
        return result;
      },
      /*hasLse=*/true);
}

TEST_F(RoutingTest, PoolsByAMatrix) {
  setLengths(4, 7);
  instance.extents["m"] = 3;
  compile("attention t { input e: f32[m, keys]   let k = pool(k, e)   let v = "
          "pool(v, e)   mask = j < 2 }");
  AttnEvaluator evaluator = evaluate();
  Row found = evaluator.evaluateRows(RowIndex{1, 3, 2}).front();
  Numbers expected(6);
  double total = 0;
  for (int64_t r = 0; r < 2; ++r) {
    Numbers k(8), v(6);
    for (int64_t j = 0; j < keys; ++j) {
      for (int64_t d = 0; d < 8; ++d)
        k[d] += real("e", {r, j}) * real("k", {1, 1, j, d});
      for (int64_t d = 0; d < 6; ++d)
        v[d] += real("e", {r, j}) * real("v", {1, 1, j, d});
    }
    double weight = std::exp(dot(1, 3, 2, k) / std::sqrt(8));
    total += weight;
    for (int64_t d = 0; d < 6; ++d)
      expected[d] += weight * v[d];
  }
  for (int64_t d = 0; d < 6; ++d)
    EXPECT_NEAR(found.out[d], expected[d] / total, 1e-6);
}

//===----------------------------------------------------------------------===//
// Sets
//===----------------------------------------------------------------------===//

TEST_F(RoutingTest, EqualScoresGoToTheSmallerIndex) {
  setLengths(4, 9);
  compile("attention t { input x: i32[batch, keys]   mask = j in top(4, x) }");
  setIntegers("x", {1, 2, 2, 1, 2, 2, 2, 0, 2});
  check({.mask = [&](Pair p) {
    Numbers scores;
    for (int64_t j = 0; j < keys; ++j)
      scores.push_back(static_cast<double>(integer("x", {p.b, j})));
    return has(top(4, scores), p.j);
  }});
}

/// Forced ones are admitted ones and count among the n; more of them than n are
/// all chosen.
TEST_F(RoutingTest, ForcedCandidatesComeFirst) {
  setLengths(10, 10);
  for (int64_t n : {1, 3, 6}) {
    compile("attention t { mask = j in top(" + std::to_string(n) +
            ", dot(q, k), where = c <= i, force = c == 0 | c >= i - 1) }");
    check({.mask = [&](Pair p) {
      auto admits = [&](int64_t c) { return c <= p.i; };
      auto forces = [&](int64_t c) { return c == 0 || c >= p.i - 1; };
      return has(top(n, scores(p), admits, forces), p.j);
    }});
  }
}

TEST_F(RoutingTest, NumbersOfElementsMayVary) {
  setLengths(6, 9);
  compile("attention t { input n: i32[batch, heads] "
          "mask = j in top(n[h] + keys / 4, dot(q, k)) }");
  setIntegers("n", {0, 1, -5, 40});
  check({.mask = [&](Pair p) {
    int64_t n = std::max<int64_t>(0, integer("n", {p.b, p.h}) + keys / 4);
    return has(top(n, scores(p)), p.j);
  }});
}

TEST_F(RoutingTest, ANanIsChosenLast) {
  setLengths(3, 6);
  compile("attention t { input x: f32[batch, keys]   mask = j in top(3, x) | "
          "j in above(-inf, x) & j == 0 }");
  OwnedTensor &x = tensors.at("x");
  for (int64_t n = 0; n < x.count(); ++n)
    rapt::support::storeReal(x.type, x.data.data(), n,
                             n % 6 == 0   ? NAN
                             : n % 6 == 3 ? -INFINITY
                                          : static_cast<double>(n % 6));
  check({.mask = [&](Pair p) { return p.j == 2 || p.j >= 4; }});
}

TEST_F(RoutingTest, CoverIsTheShortestBeginning) {
  setLengths(5, 8);
  for (const char *mass : {"0.0", "0.4", "0.9", "1.0"}) {
    compile(std::string("attention t { mask = j in cover(") + mass +
            ", exp(dot(q, k)), where = c < 7, force = c == 1) }");
    double part = std::atof(mass);
    check({.mask = [&](Pair p) {
      Numbers x = scores(p);
      double total = 0;
      for (int64_t c = 0; c < 7; ++c)
        total += x[c] = std::exp(x[c]);
      auto order = top(
          8, x, [](int64_t c) { return c < 7; },
          [](int64_t c) { return c == 1; });
      double sum = 0;
      std::vector<int64_t> set;
      for (int64_t c : order) {
        if (!set.empty() && sum >= part * total)
          break; // the forced one is in, whatever the mass
        set.push_back(c);
        sum += x[c];
      }
      return has(set, p.j);
    }});
  }
}

TEST_F(RoutingTest, AboveIsStrict) {
  compile("attention t { input x: i32[batch, keys] "
          "mask = j in above(1, x, force = c == 2) }");
  check({.mask = [&](Pair p) {
    return integer("x", {p.b, p.j}) > 1 || p.j == 2;
  }});
}

/// Any integer can be asked for; what is no candidate is in no set.
TEST_F(RoutingTest, AnyIntegerMayBeInASet) {
  setLengths(9, 6);
  compile("attention t { mask = i - j in top(3, dot(q, k)) | 2 * j in top(2, "
          "dot(q, k)) }");
  check({.mask = [&](Pair p) {
    return has(top(3, scores(p)), p.i - p.j) || has(top(2, scores(p)), 2 * p.j);
  }});
}

TEST_F(RoutingTest, RowsOfIntegersAreSets) {
  compile("attention t { input table: i32[heads, 4, 3]   mask = j in table[i % "
          "4, :] }");
  setIntegers("table", {0, 3, 3, 1, -1, 9, 6, 5, 4});
  check({.mask = [&](Pair p) {
    bool isIn = false;
    for (int64_t n = 0; n < 3; ++n)
      isIn |= integer("table", {p.h, modulo(p.i, 4), n}) == p.j;
    return isIn;
  }});
}

/// The heads of a group share a set that is chosen by what is summed over them.
TEST_F(RoutingTest, GroupsShareASet) {
  compile("attention t { mask = j in top(2, sum(exp(dot(q, k)), over = group)) "
          "}");
  check({.mask = [&](Pair p) {
    Numbers sums(keys);
    for (int64_t h = 0; h < heads; ++h)
      if (h * kvHeads / heads == p.h * kvHeads / heads)
        for (int64_t j = 0; j < keys; ++j)
          sums[j] += std::exp(dot(p.b, h, p.row, key(p.b, h, j)));
    return has(top(2, sums), p.j);
  }});
}

//===----------------------------------------------------------------------===//
// Ranks
//===----------------------------------------------------------------------===//

TEST_F(RoutingTest, RankIsThePlaceInAStableSort) {
  setLengths(8, 8);
  compile("attention t { input x: i32[batch, keys]   let r = rank(x)   mask = "
          "r[i] / 3 == r[j] / 3 }");
  auto rank = [&](int64_t b, int64_t n) {
    int64_t place = 0;
    for (int64_t j = 0; j < keys; ++j) {
      int64_t x = integer("x", {b, j}), own = integer("x", {b, n});
      place += x < own || (x == own && j < n);
    }
    return place;
  };
  check({.mask = [&](Pair p) {
    return rank(p.b, p.i) / 3 == rank(p.b, p.j) / 3;
  }});
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

TEST_F(RoutingTest, ReductionsOverKeys) {
  compile("attention t { score = dot(q, k) - max(dot(q, k)) + mean(dot(q, k), "
          "over = j) * argmax(dot(q, k)) + count(dot(q, k) > 0) / 8.0 - "
          "min(k[0]) + var(dot(q, k)) }");
  check({.score = [&](Pair p) {
    Numbers x = scores(p);
    auto largest = std::max_element(x.begin(), x.end());
    double least = INFINITY, variance = 0;
    for (int64_t j = 0; j < keys; ++j) {
      least = std::min(least, key(p.b, p.h, j)[0]);
      variance += (x[j] - mean(x)) * (x[j] - mean(x)) / keys;
    }
    auto positive = std::count_if(x.begin(), x.end(),
                                  [](double score) { return score > 0; });
    return p.dot - *largest +
           mean(x) * static_cast<double>(largest - x.begin()) +
           static_cast<double>(positive) / 8 - least + variance;
  }});
}

/// Rows are reduced feature by feature where `over` says keys.
TEST_F(RoutingTest, RowsReducedOverKeys) {
  compile("attention t { let k = k - mean(k, over = j) }");
  check({.k = [&](int64_t b, int64_t h, int64_t j) {
    Numbers result = key(b, h, j);
    for (int64_t d = 0; d < 8; ++d) {
      double sum = 0;
      for (int64_t n = 0; n < keys; ++n)
        sum += key(b, h, n)[d];
      result[d] -= sum / static_cast<double>(keys);
    }
    return result;
  }});
}

TEST_F(RoutingTest, ReductionsOverQueries) {
  setLengths(4, 7);
  compile("attention t { score = dot(q, k) + sum(dot(q, k), over = i) - "
          "max(dot(q, k), over = i) + softmax(dot(q, k), over = i) }");
  check({.score = [&](Pair p) {
    double sum = 0, largest = -INFINITY, total = 0;
    for (int64_t row = 0; row < queries; ++row) {
      double x = dot(p.b, p.h, row, key(p.b, p.h, p.j));
      sum += x;
      total += std::exp(x);
      largest = std::max(largest, x);
    }
    return p.dot + sum - largest + std::exp(p.dot) / total;
  }});
}

TEST_F(RoutingTest, ReductionsOverAGroup) {
  compile("attention t { score = dot(q, k) + mean(dot(q, k), over = group) * "
          "max(q[0], over = group) }");
  check({.score = [&](Pair p) {
    double sum = 0, largest = -INFINITY;
    int64_t count = 0;
    for (int64_t h = 0; h < heads; ++h)
      if (h * kvHeads / heads == p.h * kvHeads / heads) {
        sum += dot(p.b, h, p.row, key(p.b, h, p.j));
        largest = std::max(largest, real("q", {p.b, h, p.row, 0}));
        ++count;
      }
    return p.dot + sum / static_cast<double>(count) * largest;
  }});
}

/// One result for each value from 0 to keys - 1; other values are left out.
TEST_F(RoutingTest, ReductionsByAnInteger) {
  setLengths(5, 7);
  compile("attention t { let diagonal = sum(dot(q, k), over = i, by = i - j) "
          "let size = count(i > 2, over = i, by = j / 2) "
          "let top = max(dot(q, k), over = i, by = i - j) "
          "score = dot(q, k) + diagonal[i - j] + size[j] + where(i >= j, top[i "
          "- j], 0) }");
  check({.score = [&](Pair p) {
    double diagonal = 0, top = -INFINITY;
    int64_t size = 0;
    for (int64_t row = 0; row < queries; ++row)
      for (int64_t j = 0; j < keys; ++j) {
        if (p.i >= p.j && position(row) - j == p.i - p.j) {
          double product = dot(p.b, p.h, row, key(p.b, p.h, j));
          diagonal += product;
          top = std::max(top, product);
        }
        size += j / 2 == p.j && position(row) > 2;
      }
    return p.dot + diagonal + static_cast<double>(size) +
           (p.i >= p.j ? top : 0);
  }});
}

TEST_F(RoutingTest, RegroupSharesOutByOverlap) {
  setLengths(6, 11);
  compile(R"(attention t {
    branch a { let k = pool(k, mean, 4, stride = 2)
               let v = pool(v, mean, 4, stride = 2)   mask = 2 * j <= i }
    mask = j / 3 in top(2, regroup(a.weight, 3)) })");
  check({.mask = [&](Pair p) {
    Numbers weights, sums(blocks(3));
    double total = 0;
    for (int64_t t = 0; t < blocks(2); ++t) {
      double x = dot(p.b, p.h, p.row, pooled(p.b, p.h, t, 4, 2, mean));
      weights.push_back(2 * t <= p.i ? std::exp(x / std::sqrt(8)) : 0);
      total += weights.back();
    }
    for (int64_t t = 0; t < blocks(2); ++t) {
      int64_t last = std::min(2 * t + 4, keys);
      for (int64_t j = 2 * t; j < last; ++j)
        sums[j / 3] += weights[t] / total / static_cast<double>(last - 2 * t);
    }
    return has(top(2, sums), p.j / 3);
  }});
}

//===----------------------------------------------------------------------===//
// Normalised values
//===----------------------------------------------------------------------===//

/// Inside a score a softmax runs over all keys; in the weight over those that
/// the mask keeps.
TEST_F(RoutingTest, SoftmaxInsideAnotherValue) {
  compile("attention t { mask = i >= j   score = softmax(dot(q, k)) }");
  auto weight = [&](Pair p, bool isMasked) {
    Numbers x = scores(p);
    double sum = 0;
    for (int64_t j = 0; j < keys; ++j)
      sum += isMasked && j > p.i ? 0 : std::exp(x[j]);
    return std::exp(x[p.j]) / sum;
  };
  auto causal = [](Pair p) { return p.i >= p.j; };
  check({.score = [&](Pair p) { return weight(p, false); }, .mask = causal});

  compile("attention t { mask = i >= j   weight = softmax(dot(q, k)) - 0.5 }");
  check({.score = [&](Pair p) { return weight(p, true) - 0.5; },
         .mask = causal,
         .weight = Weight::Sum});
}

} // namespace
