// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Every recurrent mechanism of the language's design, against the loop over its
// tokens.

#include "MechanismFixture.h"

using namespace rapt::frontend;

namespace {

/// A matrix [rows][columns].
using Matrix = std::vector<Numbers>;

Matrix zeros(size_t rows, size_t columns) {
  return Matrix(rows, Numbers(columns, 0));
}
/// x^T M.
Numbers read(const Numbers &x, const Matrix &m) {
  Numbers y(m.front().size(), 0);
  for (size_t r = 0; r < m.size(); ++r)
    for (size_t c = 0; c < y.size(); ++c)
      y[c] += x[r] * m[r][c];
  return y;
}
double dot(const Numbers &a, const Numbers &b) {
  double sum = 0;
  for (size_t d = 0; d < a.size(); ++d)
    sum += a[d] * b[d];
  return sum;
}
void addOuter(Matrix &m, const Numbers &a, const Numbers &b) {
  for (size_t r = 0; r < a.size(); ++r)
    for (size_t c = 0; c < b.size(); ++c)
      m[r][c] += a[r] * b[c];
}
Numbers scale(double factor, Numbers x) {
  for (double &value : x)
    value *= factor;
  return x;
}
Numbers minus(Numbers a, const Numbers &b) {
  for (size_t d = 0; d < a.size(); ++d)
    a[d] -= b[d];
  return a;
}
Numbers apply(Numbers x, double (*function)(double)) {
  for (double &value : x)
    value = function(value);
  return x;
}
Numbers l2norm(const Numbers &x) {
  return scale(1 / std::sqrt(dot(x, x) + 1e-6), x);
}
Numbers softmax(Numbers x) {
  double sum = 0;
  for (double &value : x)
    sum += value = std::exp(value);
  return scale(1 / sum, x);
}
double elu1(double x) { return x > 0 ? x + 1 : std::exp(x); }
double logSigmoid(double x) { return -std::log1p(std::exp(-x)); }

struct RecurrenceTest : MechanismFixture {
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

TEST_F(RecurrenceTest, LinearTransformer) {
  compile("attention t { let fq = elu(q) + 1 let fk = elu(k) + 1 "
          "state S = S + outer(fk, v) state z = z + fk "
          "out = dot(fq, S) / dot(fq, z) }");
  checkSteps([&](int64_t, int64_t) {
    return [this, S = zeros(dim, vdim),
            z = Numbers(dim, 0)](int64_t b, int64_t h, int64_t t) mutable {
      Numbers fk = apply(key(b, h, t), elu1), fq = apply(query(b, h, t), elu1);
      addOuter(S, fk, value(b, h, t));
      for (size_t d = 0; d < dim; ++d)
        z[d] += fk[d];
      return scale(1 / dot(fq, z), read(fq, S));
    };
  });
}

TEST_F(RecurrenceTest, MoreQueriesThanKeys) {
  setLengths(9, 7);
  compile("attention t { state S from 1 = S + outer(k, v) out = dot(q, S) }");
  // The loop never sees the first two queries.
  AttnEvaluator evaluator = evaluate();
  for (int64_t n = 0; n < 2; ++n)
    EXPECT_EQ(evaluator.evaluateRows(RowIndex{0, 0, n}).front().out,
              Numbers(vdim, 0));
  checkSteps([&](int64_t, int64_t) {
    return [this, S = Matrix(dim, Numbers(vdim, 1))](int64_t b, int64_t h,
                                                     int64_t t) mutable {
      addOuter(S, key(b, h, t), value(b, h, t));
      return read(query(b, h, t), S);
    };
  });
}

TEST_F(RecurrenceTest, Retention) {
  compile("attention t { input decay: f32[heads] "
          "state S = exp(decay) * S + outer(k, v) out = dot(q, S) }");
  checkSteps([&](int64_t, int64_t) {
    return
        [this, S = zeros(dim, vdim)](int64_t b, int64_t h, int64_t t) mutable {
          for (Numbers &r : S)
            r = scale(std::exp(real("decay", {h})), r);
          addOuter(S, key(b, h, t), value(b, h, t));
          return read(query(b, h, t), S);
        };
  });
}

TEST_F(RecurrenceTest, GatedLinearAttention) {
  compile("attention t { input g: [batch, heads, keys, dim] "
          "state S = exp(g) * S + outer(k, v) out = dot(q, S) / sqrt(dim) }");
  checkSteps([&](int64_t, int64_t) {
    return
        [this, S = zeros(dim, vdim)](int64_t b, int64_t h, int64_t t) mutable {
          for (size_t d = 0; d < dim; ++d)
            S[d] = scale(std::exp(row("g", {b, h, t})[d]), S[d]);
          addOuter(S, key(b, h, t), value(b, h, t));
          return scale(1 / std::sqrt(dim), read(query(b, h, t), S));
        };
  });
}

/// A gate along the other axis of the state, which its name tells.
TEST_F(RecurrenceTest, GateOfValues) {
  instance.extents = {{"dim", 6}, {"vdim", 6}};
  dim = 6;
  compile("attention t { input g: [batch, heads, keys, vdim] "
          "state S = exp(g) * S + outer(k, v) out = dot(q, S) }");
  checkSteps([&](int64_t, int64_t) {
    return
        [this, S = zeros(dim, vdim)](int64_t b, int64_t h, int64_t t) mutable {
          for (size_t d = 0; d < dim; ++d)
            for (size_t e = 0; e < vdim; ++e)
              S[d][e] *= std::exp(row("g", {b, h, t})[e]);
          addOuter(S, key(b, h, t), value(b, h, t));
          return read(query(b, h, t), S);
        };
  });
}

TEST_F(RecurrenceTest, GatedDeltaNet) {
  compile("attention t { input g: f32[batch, heads, keys] "
          "input beta: f32[batch, heads, keys] let k = l2norm(k) "
          "state S = exp(g) * S "
          "state S = S + beta * outer(k, v - dot(k, S)) "
          "out = dot(q, S) / sqrt(dim) }");
  checkSteps([&](int64_t, int64_t) {
    return
        [this, S = zeros(dim, vdim)](int64_t b, int64_t h, int64_t t) mutable {
          for (Numbers &r : S)
            r = scale(std::exp(real("g", {b, h, t})), r);
          Numbers k = l2norm(key(b, h, t));
          addOuter(S, scale(real("beta", {b, h, t}), k),
                   minus(value(b, h, t), read(k, S)));
          return scale(1 / std::sqrt(dim), read(query(b, h, t), S));
        };
  });
}

TEST_F(RecurrenceTest, Rwkv6ReadsBeforeItWrites) {
  compile("attention t { input w: [batch, heads, keys, dim] "
          "input u: f32[heads, dim] out = dot(q, S + outer(u * k, v)) "
          "state S = exp(w) * S + outer(k, v) }");
  checkSteps([&](int64_t, int64_t) {
    return
        [this, S = zeros(dim, vdim)](int64_t b, int64_t h, int64_t t) mutable {
          Numbers k = key(b, h, t), uk = k;
          for (size_t d = 0; d < dim; ++d)
            uk[d] *= row("u", {h})[d];
          Matrix bonus = S;
          addOuter(bonus, uk, value(b, h, t));
          Numbers out = read(query(b, h, t), bonus);
          for (size_t d = 0; d < dim; ++d)
            S[d] = scale(std::exp(row("w", {b, h, t})[d]), S[d]);
          addOuter(S, k, value(b, h, t));
          return out;
        };
  });
}

TEST_F(RecurrenceTest, ReadsBetweenTwoLines) {
  compile("attention t { input g: f32[batch, heads, keys] "
          "state S = exp(g) * S out = dot(q, S) state S = S + outer(k, v) }");
  checkSteps([&](int64_t, int64_t) {
    return
        [this, S = zeros(dim, vdim)](int64_t b, int64_t h, int64_t t) mutable {
          for (Numbers &r : S)
            r = scale(std::exp(real("g", {b, h, t})), r);
          Numbers out = read(query(b, h, t), S);
          addOuter(S, key(b, h, t), value(b, h, t));
          return out;
        };
  });
}

TEST_F(RecurrenceTest, Mlstm) {
  compile("attention t { input f, g: f32[batch, heads, keys] "
          "let k = k / sqrt(dim)   let m0 = m "
          "state m from -inf = max(logsigmoid(f) + m, g) "
          "state C = exp(logsigmoid(f) + m0 - m) * C + exp(g - m) * "
          "outer(k, v) "
          "state z = exp(logsigmoid(f) + m0 - m) * z + exp(g - m) * k "
          "out = dot(q, C) / max(abs(dot(q, z)), exp(-m)) }");
  checkSteps([&](int64_t, int64_t) {
    return [this, C = zeros(dim, vdim), z = zeros(1, dim),
            m = -double(INFINITY)](int64_t b, int64_t h, int64_t t) mutable {
      double f = logSigmoid(real("f", {b, h, t})), g = real("g", {b, h, t});
      double next = std::max(f + m, g), decay = std::exp(f + m - next);
      m = next;
      Numbers k = scale(std::exp(g - m) / std::sqrt(dim), key(b, h, t));
      for (Numbers &r : C)
        r = scale(decay, r);
      addOuter(C, k, value(b, h, t));
      z[0] = scale(decay, z[0]);
      addOuter(z, {1}, k);
      Numbers q = query(b, h, t);
      return scale(1 / std::max(std::abs(dot(q, z[0])), std::exp(-m)),
                   read(q, C));
    };
  });
}

TEST_F(RecurrenceTest, Rwkv7) {
  compile("attention t { input w, a, kk, r: f32[batch, heads, keys, dim] "
          "let kk = l2norm(kk) "
          "state S = exp(w) * S - outer(a * kk, dot(kk, S)) + outer(k, v) "
          "out = dot(q, S) }");
  checkSteps([&](int64_t, int64_t) {
    return
        [this, S = zeros(dim, vdim)](int64_t b, int64_t h, int64_t t) mutable {
          Numbers kk = l2norm(row("kk", {b, h, t})), akk = kk;
          for (size_t d = 0; d < dim; ++d)
            akk[d] *= -row("a", {b, h, t})[d];
          Numbers found = read(kk, S);
          for (size_t d = 0; d < dim; ++d)
            S[d] = scale(std::exp(row("w", {b, h, t})[d]), S[d]);
          addOuter(S, akk, found);
          addOuter(S, key(b, h, t), value(b, h, t));
          return read(query(b, h, t), S);
        };
  });
}

TEST_F(RecurrenceTest, DeltaProductRepeatsSteps) {
  compile("attention t { param steps = 2 "
          "input k: [batch, heads, keys, steps, dim] "
          "input v: [batch, heads, keys, steps, vdim] "
          "input beta: f32[batch, heads, keys, steps] "
          "repeat n < steps { state S = S + beta[n] * outer(k[n, :], v[n, :] - "
          "dot(k[n, :], S)) } out = dot(q, S) }");
  checkSteps([&](int64_t, int64_t) {
    return
        [this, S = zeros(dim, vdim)](int64_t b, int64_t h, int64_t t) mutable {
          for (int64_t n = 0; n < 2; ++n) {
            Numbers k = row("k", {b, h, t, n});
            addOuter(S, scale(real("beta", {b, h, t, n}), k),
                     minus(row("v", {b, h, t, n}), read(k, S)));
          }
          return read(query(b, h, t), S);
        };
  });
}

TEST_F(RecurrenceTest, AttentionWithBoundedMemory) {
  instance.extents["slots"] = 3;
  compile("attention t { input s: f32[batch, heads, keys, slots] "
          "state K = K + outer(exp(s), k)   state V = V + outer(exp(s), v) "
          "state n = n + exp(s) "
          "let p = softmax(matmul(K, q) / n / sqrt(dim)) "
          "out = dot(p / n, V) }");
  checkSteps([&](int64_t, int64_t) {
    return [this, K = zeros(3, dim), V = zeros(3, vdim),
            n = Numbers(3, 0)](int64_t b, int64_t h, int64_t t) mutable {
      Numbers s = apply(row("s", {b, h, t}), std::exp), p;
      addOuter(K, s, key(b, h, t));
      addOuter(V, s, value(b, h, t));
      for (size_t m = 0; m < 3; ++m) {
        n[m] += s[m];
        p.push_back(dot(K[m], query(b, h, t)) / n[m] / std::sqrt(dim));
      }
      p = softmax(p);
      for (size_t m = 0; m < 3; ++m)
        p[m] /= n[m];
      return read(p, V);
    };
  });
}

TEST_F(RecurrenceTest, GatedSlots) {
  instance.extents["slots"] = 3;
  compile("attention t { input g: f32[batch, heads, keys, slots] "
          "state K = exp(g) * K + outer(1 - exp(g), k) "
          "state V = exp(g) * V + outer(1 - exp(g), v) "
          "out = dot(softmax(matmul(K, q) / sqrt(dim)), V) }");
  checkSteps([&](int64_t, int64_t) {
    return [this, K = zeros(3, dim), V = zeros(3, vdim)](int64_t b, int64_t h,
                                                         int64_t t) mutable {
      Numbers g = apply(row("g", {b, h, t}), std::exp), rest, p;
      for (size_t m = 0; m < 3; ++m) {
        K[m] = scale(g[m], K[m]);
        V[m] = scale(g[m], V[m]);
        rest.push_back(1 - g[m]);
      }
      addOuter(K, rest, key(b, h, t));
      addOuter(V, rest, value(b, h, t));
      for (size_t m = 0; m < 3; ++m)
        p.push_back(dot(K[m], query(b, h, t)) / std::sqrt(dim));
      return read(softmax(p), V);
    };
  });
}

TEST_F(RecurrenceTest, MambaDecaysElementByElement) {
  compile("attention t { input a: f32[dim, vdim] "
          "input delta: f32[batch, heads, keys, vdim] "
          "input d: f32[heads, vdim] "
          "state S = exp(delta * a) * S + outer(k, delta * v) "
          "out = dot(q, S) + d * v }");
  checkSteps([&](int64_t, int64_t) {
    return [this, S = zeros(dim, vdim)](int64_t b, int64_t h,
                                        int64_t t) mutable {
      Numbers delta = row("delta", {b, h, t}), k = key(b, h, t),
              v = value(b, h, t), d = row("d", {h});
      for (size_t x = 0; x < dim; ++x)
        for (size_t e = 0; e < vdim; ++e)
          S[x][e] = std::exp(delta[e] * real("a", {int64_t(x), int64_t(e)})) *
                        S[x][e] +
                    k[x] * delta[e] * v[e];
      Numbers out = read(query(b, h, t), S);
      for (size_t e = 0; e < vdim; ++e)
        out[e] += d[e] * v[e];
      return out;
    };
  });
}

TEST_F(RecurrenceTest, Mamba2SharesKeysByGroupsAndHasNoQueries) {
  compile("attention t { input q, k: [batch, groups, keys, dim] "
          "input v: [batch, heads, keys, vdim] "
          "input g, delta: f32[batch, heads, keys] "
          "state S = exp(g) * S + outer(k, delta * v) out = dot(q, S) }");
  ASSERT_EQ(spec->results.size(), 1u);
  EXPECT_EQ(spec->results[0].axes[2].name, "keys");
  checkSteps([&](int64_t, int64_t) {
    return
        [this, S = zeros(dim, vdim)](int64_t b, int64_t h, int64_t t) mutable {
          int64_t g = h * groups / heads;
          for (Numbers &r : S)
            r = scale(std::exp(real("g", {b, h, t})), r);
          addOuter(S, row("k", {b, g, t}),
                   scale(real("delta", {b, h, t}), row("v", {b, h, t})));
          return read(row("q", {b, g, t}), S);
        };
  });
}

TEST_F(RecurrenceTest, GateLoopTurnsPairsOfStates) {
  compile("attention t { input g, th: f32[batch, heads, keys, dim] "
          "let R0 = R "
          "state R = exp(g) * (cos(th) * R - sin(th) * I) + outer(k, v) "
          "state I = exp(g) * (sin(th) * R0 + cos(th) * I) out = dot(q, R) }");
  checkSteps([&](int64_t, int64_t) {
    return [this, R = zeros(dim, vdim),
            I = zeros(dim, vdim)](int64_t b, int64_t h, int64_t t) mutable {
      for (size_t d = 0; d < dim; ++d) {
        double g = std::exp(row("g", {b, h, t})[d]),
               th = row("th", {b, h, t})[d];
        for (size_t e = 0; e < vdim; ++e) {
          double re = R[d][e], im = I[d][e];
          R[d][e] = g * (std::cos(th) * re - std::sin(th) * im);
          I[d][e] = g * (std::sin(th) * re + std::cos(th) * im);
        }
      }
      addOuter(R, key(b, h, t), value(b, h, t));
      return read(query(b, h, t), R);
    };
  });
}

TEST_F(RecurrenceTest, DpfpKeysHaveNoNames) {
  compile("attention t { let r = concat(relu(k), relu(-k)) "
          "let f = sumnorm(concat(r * roll(r, 1), r * roll(r, 2))) "
          "input beta: f32[batch, heads, keys] "
          "let rq = concat(relu(q), relu(-q)) "
          "let fq = sumnorm(concat(rq * roll(rq, 1), rq * roll(rq, 2))) "
          "state S = S + beta * outer(f, v - dot(f, S)) out = dot(fq, S) }");
  auto features = [](const Numbers &x) {
    Numbers r, f;
    for (double sign : {1.0, -1.0})
      for (double value : x)
        r.push_back(std::max(0.0, sign * value));
    double sum = 0;
    for (size_t n : {1, 2})
      for (size_t d = 0; d < r.size(); ++d) {
        f.push_back(r[d] * r[(d + r.size() - n) % r.size()]);
        sum += f.back();
      }
    return scale(1 / sum, f);
  };
  checkSteps([&](int64_t, int64_t) {
    return [this, features, S = zeros(4 * dim, vdim)](int64_t b, int64_t h,
                                                      int64_t t) mutable {
      Numbers f = features(key(b, h, t));
      addOuter(S, scale(real("beta", {b, h, t}), f),
               minus(value(b, h, t), read(f, S)));
      Numbers q = query(b, h, t);
      return t < keys - queries ? Numbers() : read(features(q), S);
    };
  });
}

TEST_F(RecurrenceTest, TttLinearHoldsTheStateOfItsChunk) {
  instance.extents = {{"dim", 6}, {"vdim", 6}};
  dim = 6;
  setLengths(8, 8);
  compile("attention t { param chunk = 3 input eta: f32[batch, heads, keys] "
          "input W0: f32[heads, dim, vdim] input gamma, beta: f32[heads, vdim] "
          "let e = v - as(k, vdim) let z = dot(k, hold(W, chunk)) "
          "let x = (z - mean(z)) / sqrt(var(z) + 0.000001) "
          "let y = (gamma * x + beta - e) * gamma "
          "let gr = (y - mean(y) - x * mean(x * y)) / sqrt(var(z) + 0.000001) "
          "state W from W0 = W - eta * outer(k, gr) "
          "out = as(q, vdim) + layernorm(dot(q, W)) }");
  auto normalize = [](Numbers z, double epsilon, double &deviation) {
    double mean = 0, variance = 0;
    for (double value : z)
      mean += value / z.size();
    for (double value : z)
      variance += (value - mean) * (value - mean) / z.size();
    deviation = std::sqrt(variance + epsilon);
    for (double &value : z)
      value = (value - mean) / deviation;
    return z;
  };
  checkSteps([&](int64_t, int64_t h) {
    Matrix W0;
    for (int64_t d = 0; d < int64_t(dim); ++d)
      W0.push_back(row("W0", {h, d}));
    return [this, normalize, W = W0, held = W0](int64_t b, int64_t h,
                                                int64_t t) mutable {
      if (t % 3 == 0)
        held = W;
      Numbers k = key(b, h, t), e = minus(value(b, h, t), k);
      double deviation = 0;
      Numbers x = normalize(read(k, held), 1e-6, deviation), y;
      Numbers gamma = row("gamma", {h}), beta = row("beta", {h});
      double meanY = 0, meanXY = 0;
      for (size_t c = 0; c < vdim; ++c) {
        y.push_back((gamma[c] * x[c] + beta[c] - e[c]) * gamma[c]);
        meanY += y[c] / vdim;
        meanXY += x[c] * y[c] / vdim;
      }
      Numbers gradient;
      for (size_t c = 0; c < vdim; ++c)
        gradient.push_back((y[c] - meanY - x[c] * meanXY) / deviation);
      addOuter(W, scale(-real("eta", {b, h, t}), k), gradient);
      Numbers q = query(b, h, t), out = normalize(read(q, W), 1e-5, deviation);
      for (size_t c = 0; c < vdim; ++c)
        out[c] += q[c];
      return out;
    };
  });
}

TEST_F(RecurrenceTest, ReverseRunsBackwards) {
  setLengths(7, 7);
  compile("attention t { input g: f32[batch, heads, keys] "
          "reverse state S = exp(g) * S + outer(k, v) out = dot(q, S) }");
  checkSteps(
      [&](int64_t, int64_t) {
        return [this, S = zeros(dim, vdim)](int64_t b, int64_t h,
                                            int64_t t) mutable {
          for (Numbers &r : S)
            r = scale(std::exp(real("g", {b, h, t})), r);
          addOuter(S, key(b, h, t), value(b, h, t));
          return read(query(b, h, t), S);
        };
      },
      /*isReverse=*/true);
}

/// Both directions: a scan each, joined row by row.
TEST_F(RecurrenceTest, BothDirections) {
  setLengths(5, 7);
  compile("attention t { let fq = elu(q) + 1 let fk = elu(k) + 1 "
          "state S = S + outer(fk, v) state z = z + fk "
          "out = (dot(fq, S) + dot(fq, R)) / (dot(fq, z) + dot(fq, y)) + "
          "sum(k) * v "
          "reverse state R = R + outer(fk, v) reverse state y = y + fk }");
  ASSERT_TRUE(static_cast<bool>(module));
  checkSteps([&](int64_t, int64_t) {
    return [this](int64_t b, int64_t h, int64_t t) {
      // All tokens before and with this one, and all after it: the reverse
      // states are read before they are written.
      Matrix S = zeros(dim, vdim), z = zeros(1, dim);
      for (int64_t j = 0; j < keys; ++j) {
        Numbers fk = apply(key(b, h, j), elu1);
        addOuter(S, fk, value(b, h, j));
        addOuter(z, {1}, fk);
      }
      Numbers fq = apply(query(b, h, t), elu1);
      Numbers out = scale(1 / dot(fq, z[0]), read(fq, S));
      Numbers k = key(b, h, t), v = value(b, h, t);
      double sum = 0;
      for (double x : k)
        sum += x;
      for (size_t e = 0; e < vdim; ++e)
        out[e] += sum * v[e];
      return out;
    };
  });
}

/// Convolutions of queries and keys before the loop: zero before the first
/// token, and before the first query that is given.
TEST_F(RecurrenceTest, ShiftsOfBothSides) {
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

TEST_F(RecurrenceTest, ShiftsOfQueriesInPairs) {
  compile("attention t { input g: f32[batch, heads, queries] "
          "let q = q - shift(q, 1) score = dot(q, k) * shift(g, 2) }");
  check({.q =
             [&](int64_t b, int64_t h, int64_t n, int64_t) {
               return minus(row("q", {b, h, n}), row("q", {b, h, n - 1}));
             },
         .score =
             [&](Pair p) { return p.dot * real("g", {p.b, p.h, p.row - 2}); }});
}

/// A branch may be a recurrence; two of them may have states of one name.
TEST_F(RecurrenceTest, StatesInBranches) {
  compile("attention t { input g: f32[batch, heads, keys] "
          "branch a { state S = exp(g) * S + outer(k, v) out = dot(q, S) } "
          "branch c[n < 2] { repeat m < n + 1 { state S = S + outer(k, v) } "
          "out = dot(q, S) } "
          "branch soft { mask = i >= j } out = a * c[1] - c[0] + 0 * soft }");
  checkSteps([&](int64_t, int64_t) {
    return [this, S = zeros(dim, vdim),
            T = zeros(dim, vdim)](int64_t b, int64_t h, int64_t t) mutable {
      for (Numbers &r : S)
        r = scale(std::exp(real("g", {b, h, t})), r);
      addOuter(S, key(b, h, t), value(b, h, t));
      addOuter(T, key(b, h, t), value(b, h, t));
      Numbers out = read(query(b, h, t), S), c = read(query(b, h, t), T);
      for (size_t e = 0; e < vdim; ++e)
        out[e] = out[e] * 2 * c[e] - c[e];
      return out;
    };
  });
}

/// A running sum is a scan of its own, and read at any key.
TEST_F(RecurrenceTest, ForgettingAttention) {
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

TEST_F(RecurrenceTest, LogLinearAttention) {
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
TEST_F(RecurrenceTest, RunningSumsOfRows) {
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
TEST_F(RecurrenceTest, StatesReadRunningSums) {
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

//===----------------------------------------------------------------------===//
// Rows beside one number per pair
//===----------------------------------------------------------------------===//

struct CarryTest : RecurrenceTest {
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
