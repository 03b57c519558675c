// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Matrices and the loop over tokens that recurrent definitions are compared
/// with.

#ifndef RAPT_TEST_UNIT_FRONTEND_RECURRENCEFIXTURE_H
#define RAPT_TEST_UNIT_FRONTEND_RECURRENCEFIXTURE_H

#include "MechanismFixture.h"

namespace rapt::frontend {

/// A matrix [rows][columns].
using Matrix = std::vector<Numbers>;

inline Matrix zeros(size_t rows, size_t columns) {
  return Matrix(rows, Numbers(columns, 0));
}
/// x^T M.
inline Numbers read(const Numbers &x, const Matrix &m) {
  Numbers y(m.front().size(), 0);
  for (size_t r = 0; r < m.size(); ++r)
    for (size_t c = 0; c < y.size(); ++c)
      y[c] += x[r] * m[r][c];
  return y;
}
inline double dot(const Numbers &a, const Numbers &b) {
  double sum = 0;
  for (size_t d = 0; d < a.size(); ++d)
    sum += a[d] * b[d];
  return sum;
}
inline void addOuter(Matrix &m, const Numbers &a, const Numbers &b) {
  for (size_t r = 0; r < a.size(); ++r)
    for (size_t c = 0; c < b.size(); ++c)
      m[r][c] += a[r] * b[c];
}
inline Numbers scale(double factor, Numbers x) {
  for (double &value : x)
    value *= factor;
  return x;
}
inline Numbers minus(Numbers a, const Numbers &b) {
  for (size_t d = 0; d < a.size(); ++d)
    a[d] -= b[d];
  return a;
}
inline Numbers apply(Numbers x, double (*function)(double)) {
  for (double &value : x)
    value = function(value);
  return x;
}
inline Numbers l2norm(const Numbers &x) {
  return scale(1 / std::sqrt(dot(x, x) + 1e-6), x);
}
inline Numbers softmax(Numbers x) {
  double sum = 0;
  for (double &value : x)
    sum += value = std::exp(value);
  return scale(1 / sum, x);
}

inline double elu1(double x) { return x > 0 ? x + 1 : std::exp(x); }
inline double logSigmoid(double x) { return -std::log1p(std::exp(-x)); }

struct RecurrenceFixture : MechanismFixture {
  /// What a token adds to a loop, and the row that it gives.
  using Step = std::function<Numbers(int64_t b, int64_t h, int64_t t)>;

  int64_t group(int64_t h) const { return h * kvHeads / heads; }
  Numbers key(int64_t b, int64_t h, int64_t t) const {
    return row("k", {b, group(h), t});
  }
  Numbers value(int64_t b, int64_t h, int64_t t) const {
    return row("v", {b, group(h), t});
  }
  /// The query that stands at token t; zeros before the first one.
  Numbers query(int64_t b, int64_t h, int64_t t) const {
    int64_t n = t - (keys - queries);
    return row("q", {b, h, n});
  }

  /// Every row against the loop that `start` begins for each batch and head.
  void checkSteps(const std::function<Step(int64_t b, int64_t h)> &start,
                  bool isReverse = false, double tolerance = 1e-6) {
    ASSERT_TRUE(static_cast<bool>(module));
    AttnEvaluator evaluator = evaluate();
    ASSERT_EQ(evaluator.getBatch(), batch);
    ASSERT_EQ(evaluator.getHeads(), heads);
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t h = 0; h < heads; ++h) {
        Step step = start(b, h);
        for (int64_t s = 0; s < keys; ++s) {
          int64_t t = isReverse ? keys - 1 - s : s;
          Numbers expected = step(b, h, t);
          int64_t n = t - (keys - evaluator.getQueries());
          if (n < 0)
            continue;
          SCOPED_TRACE("row " + std::to_string(b) + ", " + std::to_string(h) +
                       ", " + std::to_string(n));
          Row found = evaluator.evaluateRows(RowIndex{b, h, n}).front();
          ASSERT_EQ(found.out.size(), expected.size());
          for (size_t e = 0; e < expected.size(); ++e)
            EXPECT_NEAR(found.out[e], expected[e],
                        tolerance * (1 + std::abs(expected[e])));
        }
      }
  }
  size_t dim = 8, vdim = 6;
};

} // namespace rapt::frontend

#endif // RAPT_TEST_UNIT_FRONTEND_RECURRENCEFIXTURE_H
