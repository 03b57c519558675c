// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Branches and how they are joined, rule by rule, against plain loops.

#include "MechanismFixture.h"

using namespace rapt::frontend;

namespace {

using Pair = MechanismFixture::Pair;

struct BranchTest : MechanismFixture {
  Row attend(const Formula &formula, int64_t b, int64_t h, int64_t row) const {
    return bruteForce(formula, {b, h, row});
  }
  /// Branches over any keys in one softmax.
  static Row merge(const std::vector<Row> &parts) {
    double sum = 0;
    Row result;
    result.out.resize(parts.front().out.size());
    for (const Row &part : parts)
      sum += std::exp(part.lse);
    result.lse = std::log(sum);
    for (const Row &part : parts)
      for (size_t e = 0; e < result.out.size() && sum != 0; ++e)
        result.out[e] += std::exp(part.lse) / sum * part.out[e];
    return result;
  }
  /// a * x + c * y, feature by feature.
  static Row combine(double a, const Row &x, double c, const Row &y) {
    Row result = x;
    for (size_t e = 0; e < x.out.size(); ++e)
      result.out[e] = a * x.out[e] + c * y.out[e];
    return result;
  }
};

bool isCausal(Pair p) { return p.i >= p.j; }
bool isNear(Pair p) { return p.i >= p.j && p.i - p.j < 3; }
bool isFar(Pair p) { return p.i - p.j >= 3; }

//===----------------------------------------------------------------------===//
// Joining
//===----------------------------------------------------------------------===//

/// Over keys that no other branch has, a merge is one softmax. Rows that are
/// empty in one branch, or in both, are no exception.
TEST_F(BranchTest, MergeIsOneSoftmax) {
  setLengths(9, 7); // two queries before the first key
  compile(R"(attention t {
    branch near { mask = i >= j & i - j < 3 }
    branch far  { mask = i - j >= 3 }
    out = merge(near, far) })");
  checkRows([&](int64_t b, int64_t h,
                int64_t row) { return attend({.mask = isCausal}, b, h, row); },
            /*hasLse=*/true);
}

/// A key that is in several branches counts several times.
TEST_F(BranchTest, MergeOfBranchesThatOverlap) {
  compile(R"(attention t {
    branch all  { score = dot(q, k) / 4 }
    branch near { mask = i >= j & i - j < 3 }
    out = merge(all, near) })");
  checkRows(
      [&](int64_t b, int64_t h, int64_t row) {
        return merge(
            {attend({.score = [](Pair p) { return p.dot / 4; }}, b, h, row),
             attend({.mask = isNear}, b, h, row)});
      },
      /*hasLse=*/true);
}

TEST_F(BranchTest, SumsWithGates) {
  compile(R"(attention t {
    input gate: f32[batch, heads, queries, 2]
    branch near { mask = i >= j & i - j < 3 }
    branch far  { mask = i - j >= 3 }
    out = gate[0] * near - exp(gate[1]) * far })");
  checkRows([&](int64_t b, int64_t h, int64_t row) {
    return combine(real("gate", {b, h, row, 0}),
                   attend({.mask = isNear}, b, h, row),
                   -std::exp(real("gate", {b, h, row, 1})),
                   attend({.mask = isFar}, b, h, row));
  });
}

TEST_F(BranchTest, OneOfTwoForEachQuery) {
  setLengths(7, 7);
  compile(R"(attention t {
    input g: bool[batch, keys]
    branch near { mask = i >= j & i - j < 3 }
    branch all  { mask = i >= j }
    out = where(g[i], all, near) })");
  checkRows([&](int64_t b, int64_t h, int64_t row) {
    return attend({.mask = integer("g", {b, row}) ? isCausal : isNear}, b, h,
                  row);
  });
}

/// The definition's own loop and branches in one result.
TEST_F(BranchTest, BesideTheLoopOfTheDefinition) {
  compile(R"(attention t {
    branch near { mask = i >= j & i - j < 3 }
    mask = i >= j
    out = sum(weight * v, over = j) - 0.5 * near })");
  checkRows(
      [&](int64_t b, int64_t h, int64_t row) {
        Row all = attend({.mask = isCausal}, b, h, row);
        Row result = combine(1, all, -0.5, attend({.mask = isNear}, b, h, row));
        result.lse = all.lse;
        return result;
      },
      /*hasLse=*/true);
}

/// What a branch makes of its sum is its result.
TEST_F(BranchTest, ABranchHasAnOutOfItsOwn) {
  compile(R"(attention t {
    branch near { mask = i >= j & i - j < 3   out = 2 * sum(weight * v, over = j) + 1 }
    out = near * near })");
  checkRows([&](int64_t b, int64_t h, int64_t row) {
    Row result = attend({.mask = isNear}, b, h, row);
    for (double &x : result.out)
      x = (2 * x + 1) * (2 * x + 1);
    return result;
  });
}

//===----------------------------------------------------------------------===//
// Families
//===----------------------------------------------------------------------===//

TEST_F(BranchTest, FamiliesAreMergedOrNamedByNumber) {
  for (bool isMerged : {true, false}) {
    compile(std::string(R"(attention t {
      param count = 3
      branch round[n < count] { score = dot(q, k) * (n + 1) / 8.0   mask = (i + j) % count == n }
      out = )") +
            (isMerged ? "merge(round) }" : "round[2] - round[0] }"));
    auto part = [&](int64_t n, int64_t b, int64_t h, int64_t row) {
      return attend(
          {.score =
               [=](Pair p) { return p.dot * static_cast<double>(n + 1) / 8; },
           .mask = [=](Pair p) { return modulo(p.i + p.j, 3) == n; }},
          b, h, row);
    };
    checkRows(
        [&](int64_t b, int64_t h, int64_t row) {
          return isMerged
                     ? merge({part(0, b, h, row), part(1, b, h, row),
                              part(2, b, h, row)})
                     : combine(1, part(2, b, h, row), -1, part(0, b, h, row));
        },
        isMerged);
  }
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

/// A branch sees the names around it; what it names ends with it. Roles given
/// outside are not its own.
TEST_F(BranchTest, NamesInsideAndAround) {
  compile(R"(attention t {
    let s = 2   let w = 3
    branch a { let w = 1   let k = k * s   mask = i - j < w & i >= j }
    mask = i - j < w & i >= j
    out = a + sum(weight * v, over = j) })");
  checkRows(
      [&](int64_t b, int64_t h, int64_t row) {
        Row own = attend({.mask = isNear}, b, h, row);
        Row inner =
            attend({.score = [](Pair p) { return 2 * p.dot / std::sqrt(8); },
                    .mask = [](Pair p) { return p.i == p.j; }},
                   b, h, row);
        Row result = combine(1, own, 1, inner);
        result.lse = own.lse;
        return result;
      },
      /*hasLse=*/true);
}

TEST_F(BranchTest, BranchesInBranches) {
  compile(R"(attention t {
    branch outer {
      branch near { mask = i >= j & i - j < 3 }
      branch far  { mask = i - j >= 3 }
      out = near - far }
    out = 2 * outer })");
  checkRows([&](int64_t b, int64_t h, int64_t row) {
    return combine(2, attend({.mask = isNear}, b, h, row), -2,
                   attend({.mask = isFar}, b, h, row));
  });
}

//===----------------------------------------------------------------------===//
// Weights and two passes
//===----------------------------------------------------------------------===//

/// With the mask, the sink and the factor of the branch.
TEST_F(BranchTest, WeightsOfABranch) {
  compile(R"(attention t {
    input s: f32[heads]
    branch a { mask = i >= j   weight = softmax(score, sink = s[h]) * 2 }
    score = a.weight[i, j] + a.weight }
  )");
  auto weight = [&](Pair p) {
    double sum = std::exp(real("s", {p.h}));
    double own = 0;
    for (int64_t j = 0; j <= std::min(p.i, keys - 1); ++j) {
      double dot = 0;
      for (int64_t d = 0; d < 8; ++d)
        dot +=
            real("q", {p.b, p.h, p.row, d}) * real("k", {p.b, p.h / 2, j, d});
      sum += std::exp(dot / std::sqrt(8));
      if (j == p.j)
        own = std::exp(dot / std::sqrt(8));
    }
    return 2 * own / sum;
  };
  check({.score = [&](Pair p) { return 2 * weight(p); }});
}

/// Keys that are a product of two rows, and one whose rows are scaled by an
/// unnamed row.
TEST_F(BranchTest, RowsOfAnOuterProduct) {
  instance.extents["slots"] = 3;
  for (bool isScaled : {false, true}) {
    compile(std::string("attention t { input p: [slots, dim]   "
                        "input a: f32[slots]   input c: f32[dim]   "
                        "input d: f32[3]   branch pack { let q = p }   "
                        "let k = outer(a, c)") +
            (isScaled ? " * d" : "") + "   let v = pack }");
    AttnEvaluator evaluator = evaluate();
    Numbers expected(6);
    double total = 0;
    for (int64_t s = 0; s < 3; ++s) {
      Numbers weights;
      double sum = 0, score = 0;
      for (int64_t j = 0; j < keys; ++j) {
        double dot = 0;
        for (int64_t d = 0; d < 8; ++d)
          dot += real("p", {s, d}) * real("k", {1, 1, j, d});
        weights.push_back(std::exp(dot / std::sqrt(8)));
        sum += weights.back();
      }
      for (int64_t d = 0; d < 8; ++d)
        score += real("q", {1, 2, 2, d}) * real("a", {s}) * real("c", {d}) *
                 (isScaled ? real("d", {s}) : 1) / std::sqrt(8);
      total += std::exp(score);
      for (int64_t j = 0; j < keys; ++j)
        for (int64_t e = 0; e < 6; ++e)
          expected[e] +=
              std::exp(score) * weights[j] / sum * real("v", {1, 1, j, e});
    }
    Row found = evaluator.evaluateRows(RowIndex{1, 2, 2}).front();
    for (int64_t e = 0; e < 6; ++e)
      EXPECT_NEAR(found.out[e], expected[e] / total, 1e-6);
  }
}

/// Learned queries pack the keys, which then are the keys of a second pass.
TEST_F(BranchTest, TwoPasses) {
  instance.extents["slots"] = 3;
  compile(R"(attention t {
    input p: [slots, dim]
    branch packk { let q = p   let v = k }
    branch packv { let q = p }
    let k = packk   let v = packv   mask = j != 1 })");
  AttnEvaluator evaluator = evaluate();
  for (int64_t h = 0; h < heads; ++h) {
    Numbers expected(6);
    double total = 0;
    for (int64_t s = 0; s < 3; ++s) {
      if (s == 1)
        continue;
      Numbers weights, k(8), v(6);
      double sum = 0, score = 0;
      for (int64_t j = 0; j < keys; ++j) {
        double dot = 0;
        for (int64_t d = 0; d < 8; ++d)
          dot += real("p", {s, d}) * real("k", {1, h / 2, j, d});
        weights.push_back(std::exp(dot / std::sqrt(8)));
        sum += weights.back();
      }
      for (int64_t j = 0; j < keys; ++j) {
        for (int64_t d = 0; d < 8; ++d)
          k[d] += weights[j] / sum * real("k", {1, h / 2, j, d});
        for (int64_t d = 0; d < 6; ++d)
          v[d] += weights[j] / sum * real("v", {1, h / 2, j, d});
      }
      for (int64_t d = 0; d < 8; ++d)
        score += real("q", {1, h, 2, d}) * k[d] / std::sqrt(8);
      total += std::exp(score);
      for (int64_t d = 0; d < 6; ++d)
        expected[d] += std::exp(score) * v[d];
    }
    Row found = evaluator.evaluateRows(RowIndex{1, h, 2}).front();
    for (int64_t d = 0; d < 6; ++d)
      EXPECT_NEAR(found.out[d], expected[d] / total, 1e-6);
  }
}

/// Rows over keys given to q are those at the query's position.
TEST_F(BranchTest, KeysInThePlaceOfQueries) {
  setLengths(7, 7);
  heads = kvHeads = 2;
  compile("attention t { let q = k   mask = i >= j }");
  check({.q = [&](int64_t b, int64_t h, int64_t,
                  int64_t i) { return row("k", {b, h, i}); },
         .mask = isCausal});
}

/// Rows over queries given to k or v are those of the query at the key, 0 where
/// there is none: a second pass over the results of a first.
TEST_F(BranchTest, QueriesInThePlaceOfKeys) {
  instance.extents["vdim"] = 8;
  for (auto [m, n] : {std::pair(7, 7), std::pair(4, 7)}) {
    setLengths(m, n);
    compile(R"(attention t {
      branch near { mask = i >= j & i - j < 3 }
      let k = as(near, dim)   let v = l2norm(q) * i })");
    check({.k =
               [&](int64_t b, int64_t h, int64_t j) {
                 int64_t at = j - (keys - queries);
                 return at < 0 ? Numbers(8)
                               : attend({.mask = isNear}, b, h, at).out;
               },
           .v =
               [&](int64_t b, int64_t h, int64_t j) {
                 int64_t at = j - (keys - queries);
                 if (at < 0)
                   return Numbers(8);
                 Numbers q = row("q", {b, h, at});
                 double sum = 1e-6;
                 for (double x : q)
                   sum += x * x;
                 for (double &x : q)
                   x *= static_cast<double>(j) / std::sqrt(sum);
                 return q;
               }});
  }
}

/// In a cut the name of the row's axis is its extent.
TEST_F(BranchTest, CutsToTheEndOfARow) {
  compile("attention t { let q = q[2:dim]   let k = k[2:dim] }");
  check({.q =
             [&](int64_t b, int64_t h, int64_t n, int64_t) {
               Numbers q = row("q", {b, h, n});
               return Numbers(q.begin() + 2, q.end());
             },
         .k =
             [&](int64_t b, int64_t h, int64_t j) {
               Numbers k = row("k", {b, h / 2, j});
               return Numbers(k.begin() + 2, k.end());
             }});
}

} // namespace
