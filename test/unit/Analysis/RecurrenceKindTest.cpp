// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The kind of every recurrence, however it is written, and that its normal form
// means what the scan means.

#include "dialects/Attn/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "test/unit/Frontend/MechanismFixture.h"

using namespace rapt::frontend;
using rapt::attn::AffineScanOp;

namespace {

/// Inputs that the updates below are written with.
const char *const kInputs =
    "input g, w: f32[batch, heads, keys, dim] "
    "input e: f32[batch, heads, keys, vdim] "
    "input beta, a: f32[batch, heads, keys] input decay: f32[heads] "
    "input u: f32[heads, dim] input m: f32[heads, dim, vdim] "
    "input start: bool[batch, keys] ";

struct RecurrenceKindTest : MechanismFixture {
  RecurrenceKindTest() { instance.extents = {{"dim", 4}, {"vdim", 3}}; }

  void normalize() {
    mlir::PassManager passes(&context);
    passes.addPass(rapt::attn::createNormalizeRecurrences());
    ASSERT_TRUE(succeeded(passes.run(*module)));
  }
  std::vector<Numbers> allRows() {
    AttnEvaluator evaluator = evaluate();
    std::vector<Numbers> rows;
    for (int64_t b = 0; b < evaluator.getBatch(); ++b)
      for (int64_t h = 0; h < evaluator.getHeads(); ++h)
        for (int64_t n = 0; n < evaluator.getQueries(); ++n)
          rows.push_back(evaluator.evaluateRows(RowIndex{b, h, n}).front().out);
    return rows;
  }

  /// What each state is, "scan" if none has a kind; and that nothing changes.
  std::vector<std::string> getKinds(const std::string &text) {
    SCOPED_TRACE(text);
    module = nullptr;
    compile(text);
    if (!module)
      return {};
    std::vector<Numbers> expected = allRows();
    normalize();
    std::vector<Numbers> found = allRows();
    EXPECT_EQ(found.size(), expected.size());
    for (size_t r = 0; r < expected.size(); ++r)
      for (size_t e = 0; e < expected[r].size(); ++e)
        EXPECT_NEAR(found[r][e], expected[r][e],
                    1e-9 * (1 + std::abs(expected[r][e])));
    std::vector<std::string> kinds;
    module->walk([&](AffineScanOp op) {
      for (unsigned state = 0; state < op.getNumStates(); ++state)
        kinds.push_back(op.getStateName(state) + ": " +
                        op.getTransition(state).getDescription());
    });
    if (kinds.empty())
      kinds.push_back("scan");
    return kinds;
  }
  /// The kind of a matrix S of dim x vdim.
  std::string getKind(const std::string &update) {
    std::vector<std::string> kinds =
        getKinds("attention t { " + std::string(kInputs) + update +
                 " out = dot(q, S) }");
    return kinds.empty() ? "" : kinds.front();
  }
  /// And of a row.
  std::string getRowKind(const std::string &update) {
    std::vector<std::string> kinds =
        getKinds("attention t { " + std::string(kInputs) + update +
                 " out = dot(q, S) * v }");
    return kinds.empty() ? "" : kinds.front();
  }
};

TEST_F(RecurrenceKindTest, Diagonal) {
  EXPECT_EQ(getKind("state S = S + outer(k, v)"), "S: identity");
  EXPECT_EQ(getKind("state S = outer(k, v) + S"), "S: identity");
  EXPECT_EQ(getKind("state S = S - outer(k, v) / 2"), "S: identity");
  EXPECT_EQ(getKind("state S = exp(decay) * S + outer(k, v)"),
            "S: constant per head");
  EXPECT_EQ(getKind("state S = 0.5 * S + outer(k, v)"), "S: constant per head");
  EXPECT_EQ(getKind("state S = exp(a) * S + outer(k, v)"),
            "S: scalar per step");
  EXPECT_EQ(getKind("state S = exp(g) * S + outer(k, v)"), "S: per channel");
  EXPECT_EQ(getKind("state S = exp(e) * S + outer(k, v)"), "S: per channel");
  EXPECT_EQ(getKind("state S = exp(u) * S + outer(k, v)"),
            "S: constant per channel");
  EXPECT_EQ(getKind("state S = exp(m) * S + outer(k, v)"),
            "S: element by element");
  EXPECT_EQ(getKind("state S = exp(e * m) * S + outer(k, e * v)"),
            "S: element by element");
  EXPECT_EQ(getKind("state S = exp(g) * (exp(e) * S) + outer(k, v)"),
            "S: element by element");
  EXPECT_EQ(getKind("state S = S * (1 - outer(k * k, e)) + outer(k, e)"),
            "S: element by element");
  EXPECT_EQ(getKind("state S = outer(k, v)"), "S: reset");
}

/// Factored, distributed, renamed, over several lines.
TEST_F(RecurrenceKindTest, DiagonalObscured) {
  EXPECT_EQ(getKind("state S = exp(a) * (S + exp(-a) * outer(k, v))"),
            "S: scalar per step");
  EXPECT_EQ(getKind("state S = S - (1 - exp(a)) * S + outer(k, v)"),
            "S: scalar per step");
  EXPECT_EQ(getKind("state S = S + beta * (outer(k, v) - S)"),
            "S: scalar per step");
  EXPECT_EQ(getKind("state S = S / (1 + exp(g)) + outer(k, v)"),
            "S: per channel");
  EXPECT_EQ(getKind("let old = S let gate = exp(g) state S = gate * old "
                    "state S = S + outer(k, v)"),
            "S: per channel");
  EXPECT_EQ(getKind("state S = exp(g) * S + (1 - exp(g)) * outer(k, v)"),
            "S: per channel");
  EXPECT_EQ(getKind("state S = exp(a) * S state S = exp(g) * S + outer(k, v) "
                    "state S = beta * S"),
            "S: per channel");
  EXPECT_EQ(getKind("state S = 2 * S - S + outer(k, v) - 0.5 * S"),
            "S: constant per head");
  EXPECT_EQ(getKind("state S = where(start[j], 0, S) + outer(k, v)"),
            "S: scalar per step");
  EXPECT_EQ(getKind("state S = where(beta > 0, S, exp(g) * S + outer(k, v))"),
            "S: per channel");
  EXPECT_EQ(getKind("state S = -(-S - outer(k, v))"), "S: identity");
  EXPECT_EQ(getKind("repeat n < 3 { state S = exp(a) * S + outer(k, v) }"),
            "S: scalar per step");
}

TEST_F(RecurrenceKindTest, LowRank) {
  EXPECT_EQ(getKind("state S = S + beta * outer(k, v - dot(k, S))"),
            "S: identity plus rank one");
  EXPECT_EQ(getKind("state S = S - outer(beta * k, dot(k, S)) + "
                    "outer(beta * k, v)"),
            "S: identity plus rank one");
  EXPECT_EQ(getKind("let error = v - dot(k, S) state S = S + outer(k, error) * "
                    "beta"),
            "S: identity plus rank one");
  EXPECT_EQ(getKind("state S = exp(a) * S "
                    "state S = S + beta * outer(k, v - dot(k, S))"),
            "S: scalar per step plus rank one");
  EXPECT_EQ(getKind("state S = exp(decay) * (S + beta * outer(k, v - dot(k, "
                    "S)))"),
            "S: constant per head plus rank one");
  EXPECT_EQ(getKind("state S = exp(g) * S "
                    "state S = S + beta * outer(k, v - dot(k, S))"),
            "S: diagonal plus rank one");
  EXPECT_EQ(getKind("state S = exp(g) * S - outer(w * k, dot(k, S)) + "
                    "outer(k, v)"),
            "S: diagonal plus rank one");
  EXPECT_EQ(getKind("repeat n < 2 { state S = S + beta * outer(n * w + k, v - "
                    "dot(n * w + k, S)) }"),
            "S: identity plus rank 2");
  // Two corrections that read, or write, in one way are one.
  EXPECT_EQ(getKind("state S = S + outer(k, dot(w, S)) + outer(g, dot(w, S)) + "
                    "outer(k, v)"),
            "S: identity plus rank one");
  EXPECT_EQ(getKind("state S = S + outer(k, dot(w, S) - dot(g, S)) + "
                    "outer(k, v)"),
            "S: identity plus rank one");
  EXPECT_EQ(getKind("state S = outer(k, dot(w, S)) + outer(k, v)"),
            "S: rank one");
  // From the right: the values are corrected.
  EXPECT_EQ(getKind("state S = S - outer(matmul(S, v), v) + outer(k, v)"),
            "S: identity plus rank one");
  EXPECT_EQ(getKind("state S = exp(e) * (S - outer(beta * matmul(S, v), v)) + "
                    "outer(k, v)"),
            "S: diagonal plus rank one");
  EXPECT_EQ(getKind("state S = S - 0.1 * dot(k, S) + outer(k, v)"),
            "S: identity plus rank one");
}

TEST_F(RecurrenceKindTest, Rows) {
  EXPECT_EQ(getRowKind("state S = S + k"), "S: identity");
  EXPECT_EQ(getRowKind("state S = exp(g) * S + k"), "S: per channel");
  EXPECT_EQ(getRowKind("state S = exp(decay) * (S + k)"),
            "S: constant per head");
  EXPECT_EQ(getRowKind("state S = S + beta * k * (1 - dot(k, S))"),
            "S: identity plus rank one");
  EXPECT_EQ(getRowKind("state S = S - mean(S) + k"),
            "S: identity plus rank one");
  EXPECT_EQ(getRowKind("state S = max(S + g, k)"), "S: running maximum");
  EXPECT_EQ(getRowKind("state S from -inf = max(S, max(k, w))"),
            "S: running maximum");
}

TEST_F(RecurrenceKindTest, SeveralStates) {
  using Kinds = std::vector<std::string>;
  std::string inputs = "attention t { " + std::string(kInputs);
  // The maximum of gates is a state of its own, and given to the others.
  EXPECT_EQ(
      getKinds(inputs +
               "let m0 = n state n from -inf = max(logsigmoid(a) + n, beta) "
               "state C = exp(logsigmoid(a) + m0 - n) * C + exp(beta - n) * "
               "outer(k, v) out = dot(q, C) * exp(-abs(n)) }"),
      (Kinds{"n: running maximum", "C: scalar per step"}));
  EXPECT_EQ(getKinds(inputs + "let R0 = R "
                              "state R = exp(g) * (cos(w) * R - sin(w) * I) + "
                              "outer(k, v) "
                              "state I = exp(g) * (sin(w) * R0 + cos(w) * I) "
                              "out = dot(q, R) }"),
            (Kinds{"R: rotation of a pair", "I: rotation of a pair"}));
  // Momentum: the second state feeds on the first, not the other way round.
  EXPECT_EQ(getKinds(inputs + "state M = exp(a) * M + outer(k, v) "
                              "state S = exp(decay) * S + M out = dot(q, S) }"),
            (Kinds{"M: scalar per step", "S: constant per head"}));
  EXPECT_EQ(getKinds(inputs +
                     "let S0 = S state S = beta * S + a * T + outer(k, v) "
                     "state T = exp(g) * S0 - T out = dot(q, S + T) }"),
            (Kinds{"S: coupled states", "T: coupled states"}));
  EXPECT_EQ(getKinds(inputs +
                     "state W = W - beta * outer(k, tanh(dot(k, hold(W, 3))) "
                     "- v) out = dot(q, W) }"),
            (Kinds{"W: identity", "W.hold3: held copy"}));
  EXPECT_EQ(getKinds(inputs + "state N = tanh(N) + outer(k, v) "
                              "state S = exp(g) * S + N out = dot(q, S) }"),
            (Kinds{"N: nonlinear", "S: per channel"}));
}

TEST_F(RecurrenceKindTest, NotAffine) {
  for (const char *update :
       {"state S = tanh(S) + outer(k, v)", "state S = S * S + outer(k, v)",
        "state S = S / (1 + S) + outer(k, v)",
        "state S = max(S, outer(k, v)) + S",
        "state S = S + outer(k, layernorm(dot(k, S)) + v)",
        "state S = where(dot(k, matmul(S, v)) > 0, S, outer(k, v))",
        "state S = dot(k, matmul(S, v)) * S + outer(k, v)"})
    EXPECT_EQ(getKind(update), "scan") << update;
  // Affine, but no transition describes it.
  EXPECT_EQ(getKind("state S = S + outer(k, e * dot(k, S))"), "scan");
  EXPECT_EQ(getKind("state S = exp(g) * S - outer(matmul(S, v), v) + m"),
            "scan");
  EXPECT_EQ(getKind("state S = S - outer(k, dot(k, S)) - "
                    "outer(matmul(S, v), v) + m"),
            "scan");
  EXPECT_EQ(getKind("state S = m * S - outer(k, dot(k, S))"), "scan");
}

/// Random sums, factors and corrections of a state are affine, and mean the
/// same in normal form.
TEST_F(RecurrenceKindTest, RandomUpdates) {
  auto cases = std::getenv("RAPT_CASES");
  auto seed = std::getenv("RAPT_SEED");
  std::mt19937 random(seed ? std::atoi(seed) : 1);
  auto pick = [&](std::vector<std::string> choices) {
    return choices[random() % choices.size()];
  };
  auto number = [&] {
    return pick({"beta", "exp(decay)", "0.5", "sigmoid(a)"});
  };
  auto row = [&] { return pick({"k", "w", "l2norm(k)", "u"}); };
  std::function<std::string(int)> matrix = [&](int depth) -> std::string {
    if (depth == 0)
      return pick({"S", "S", "outer(k, v)", "outer(w, e)", "exp(m)"});
    auto inner = [&] { return matrix(depth - 1); };
    switch (random() % 9) {
    case 0:
      return "(" + inner() + " + " + inner() + ")";
    case 1:
      return "(" + inner() + " - " + inner() + ")";
    case 2:
      return number() + " * " + inner();
    case 3:
      return inner() + " / (2 + " + number() + ")";
    case 4:
      return "sigmoid(g) * " + inner();
    case 5:
      return "-" + inner();
    case 6:
      return "where(start[j], " + inner() + ", " + inner() + ")";
    case 7:
      return number() + " * outer(" + row() + ", v - dot(" + row() + ", " +
             inner() + "))";
    default:
      return "(" + number() + " * S + " + inner() + ")";
    }
  };
  int count = cases ? std::atoi(cases) : 60;
  setLengths(4, 5);
  batch = 1;
  heads = 2;
  kvHeads = 1;
  for (int n = 0; n < count; ++n) {
    std::string update = "state S = outer(k, v) + (" + matrix(3) + ") / 8";
    EXPECT_NE(getKind(update), "scan") << update;
  }
}

/// Bonus reads, reads of the old state, reverse time, final states.
TEST_F(RecurrenceKindTest, ReadsAndResults) {
  using Kinds = std::vector<std::string>;
  std::string inputs = "attention t { " + std::string(kInputs);
  EXPECT_EQ(getKinds(inputs + "out = dot(q, S + outer(u * k, v)) "
                              "state S = exp(w) * S + outer(k, v) }"),
            (Kinds{"S: per channel"}));
  EXPECT_EQ(getKinds(inputs + "state S = exp(w) * S "
                              "out = dot(q, 2 * S - outer(k, dot(k, S))) / 3 "
                              "state S = S + outer(k, v) }"),
            (Kinds{"S: per channel"}));
  EXPECT_EQ(getKinds(inputs + "state S = S + outer(k, v) state z = z + k "
                              "out = dot(q, S) / (2 + abs(dot(q, z + w)))}"),
            (Kinds{"S: identity", "z: identity"}));
  EXPECT_EQ(getKinds(inputs + "reverse state S = exp(w) * S + outer(k, v) "
                              "out = dot(q, S) / sqrt(dim) + v }"),
            (Kinds{"S: per channel"}));
  instance.takesStates = instance.givesStates = true;
  EXPECT_EQ(getKinds(inputs.substr(0, inputs.find("input start")) +
                     "state S = exp(w) * S + outer(rope(k), v) "
                     "state z = z + k out = dot(q, S) / (1 + abs(dot(q, z))) "
                     "}"),
            (Kinds{"S: per channel", "z: identity"}));
}

} // namespace
