// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Every recurrent mechanism of the language's design, against the loop over its
// tokens.

#include "RecurrenceFixture.h"

using namespace rapt::frontend;

namespace {

using RecurrenceTest = RecurrenceFixture;

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

} // namespace
