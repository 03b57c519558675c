// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Causal sums of separable weights as recurrences: the same rows, and the kinds
// that one would write by hand.

#include "dialects/Attn/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "test/unit/Frontend/MechanismFixture.h"

using namespace rapt::frontend;
using rapt::attn::AffineScanOp;

namespace {

struct SeparableWeightsTest : MechanismFixture {
  SeparableWeightsTest() { instance.extents = {{"dim", 4}, {"vdim", 3}}; }

  std::vector<Row> allRows() {
    AttnEvaluator evaluator = evaluate();
    std::vector<RowIndex> indices;
    for (int64_t b = 0; b < evaluator.getBatch(); ++b)
      for (int64_t h = 0; h < evaluator.getHeads(); ++h)
        for (int64_t n = 0; n < evaluator.getQueries(); ++n)
          indices.push_back({b, h, n});
    return evaluator.evaluateRows(indices);
  }

  /// The kinds of the states that the weights become, "attend" if they stay.
  std::vector<std::string> getKinds(const std::string &body) {
    SCOPED_TRACE(body);
    module = nullptr;
    compile("attention t { input g: f32[batch, heads, keys] "
            "input slope: f32[heads] " +
            body + " mask = i >= j }");
    if (!module)
      return {};
    std::vector<Row> expected = allRows();
    mlir::PassManager passes(&context);
    passes.addPass(rapt::attn::createRecurSeparableWeights());
    passes.addPass(rapt::attn::createNormalizeRecurrences());
    EXPECT_TRUE(succeeded(passes.run(*module)));
    std::vector<Row> found = allRows();
    EXPECT_EQ(found.size(), expected.size());
    for (size_t r = 0; r < expected.size(); ++r) {
      EXPECT_EQ(found[r].lse, expected[r].lse);
      for (size_t e = 0; e < expected[r].out.size(); ++e)
        EXPECT_NEAR(found[r].out[e], expected[r].out[e],
                    1e-8 * (1 + std::abs(expected[r].out[e])));
    }
    std::vector<std::string> kinds;
    bool isRecurrence = false;
    module->walk([&](AffineScanOp op) {
      for (unsigned state = 0; state < op.getNumStates(); ++state) {
        if (op.getStateName(state) == "sum")
          continue; // of a running sum
        isRecurrence = true;
        kinds.push_back(op.getTransition(state).getDescription());
      }
    });
    if (!isRecurrence)
      kinds.push_back("attend");
    return kinds;
  }
};

using Kinds = std::vector<std::string>;

TEST_F(SeparableWeightsTest, LinearTransformer) {
  EXPECT_EQ(getKinds("let fq = elu(q) + 1 let fk = elu(k) + 1 "
                     "weight = normalize(dot(fq, fk))"),
            (Kinds{"identity", "identity"}));
  EXPECT_EQ(getKinds("weight = dot(q, k) / sqrt(dim)"), (Kinds{"identity"}));
}

TEST_F(SeparableWeightsTest, DecaysOfPositions) {
  EXPECT_EQ(getKinds("weight = exp(slope[h] * (j - i)) * dot(q, k)"),
            (Kinds{"constant per head"}));
  EXPECT_EQ(getKinds("weight = dot(q, k) * exp((i - j) / -8.0)"),
            (Kinds{"constant per head"}));
}

TEST_F(SeparableWeightsTest, RunningGates) {
  EXPECT_EQ(getKinds("let G = cumsum(g) weight = exp(G[i] - G[j]) * dot(q, k)"),
            (Kinds{"scalar per step"}));
  EXPECT_EQ(getKinds("let G = cumsum(g) weight = normalize(exp(G[i] - G[j]) * "
                     "dot(q, k), eps = 5)"),
            (Kinds{"scalar per step", "scalar per step"}));
}

TEST_F(SeparableWeightsTest, SumsAndFactors) {
  EXPECT_EQ(getKinds("weight = 1 + dot(q, k) * sigmoid(g[j]) - sum(q) * g[j]"),
            (Kinds{"identity", "identity", "identity"}));
  EXPECT_EQ(getKinds("weight = normalize(2 + g[i] * dot(q, k), eps = 30)"),
            (Kinds{"identity", "identity", "identity", "identity"}));
  EXPECT_EQ(getKinds("weight = (1 + g[i]) * (dot(q, k) - 3) / (2 + h)"),
            (Kinds{"identity", "identity"}));
}

/// The other way: a recurrence with one decay is a sum over keys, and back.
struct AttendRecurrencesTest : SeparableWeightsTest {
  bool isAttended(const std::string &body) {
    SCOPED_TRACE(body);
    module = nullptr;
    compile("attention t { input g: f32[batch, heads, keys] "
            "input slope: f32[heads] " +
            body + " }");
    if (!module)
      return false;
    std::vector<Row> expected = allRows();
    mlir::PassManager passes(&context);
    passes.addPass(rapt::attn::createNormalizeRecurrences());
    passes.addPass(rapt::attn::createAttendRecurrences());
    EXPECT_TRUE(succeeded(passes.run(*module)));
    bool isFound = false;
    module->walk([&](rapt::attn::AttendOp) { isFound = true; });
    for (int back : {0, 1}) {
      std::vector<Row> found = allRows();
      for (size_t r = 0; r < expected.size(); ++r)
        for (size_t e = 0; e < expected[r].out.size(); ++e)
          EXPECT_NEAR(found[r].out[e], expected[r].out[e],
                      1e-8 * (1 + std::abs(expected[r].out[e])))
              << "back " << back;
      if (back == 0) {
        mlir::PassManager again(&context);
        again.addPass(rapt::attn::createRecurSeparableWeights());
        EXPECT_TRUE(succeeded(again.run(*module)));
      }
    }
    return isFound;
  }
};

TEST_F(AttendRecurrencesTest, OneDecay) {
  EXPECT_TRUE(isAttended("state S = S + outer(k, v) out = dot(q, S)"));
  EXPECT_TRUE(isAttended("let k = l2norm(k) state S = exp(slope) * S + "
                         "outer(rope(k), g * v) out = dot(rope(q), S) / 3"));
  EXPECT_TRUE(isAttended("state S = exp(-abs(g)) * S + g * outer(k, v) "
                         "out = layernorm(dot(q, S)) + q[0]"));
  EXPECT_TRUE(isAttended("out = dot(q, S) "
                         "state S = exp(-abs(g)) * S + outer(k, v)"));
  setLengths(9, 7); // queries before the first key
  EXPECT_TRUE(isAttended("state S = exp(-abs(g)) * S + outer(k, v) "
                         "out = dot(q, S) + q[1]"));
}

TEST_F(AttendRecurrencesTest, Others) {
  EXPECT_FALSE(
      isAttended("state S = exp(k) * S + outer(k, v) out = dot(q, S)"));
  EXPECT_FALSE(isAttended("state S = g * S + outer(k, v) out = dot(q, S)"));
  EXPECT_FALSE(isAttended("state S from 1 = S + outer(k, v) out = dot(q, S)"));
  EXPECT_FALSE(isAttended("state S = S + outer(k, v) out = dot(k, S)"));
  EXPECT_FALSE(isAttended("state S = S + outer(k, v) out = dot(q, S) + v"));
  EXPECT_FALSE(isAttended("reverse state S = S + outer(k, v) out = dot(q, S)"));
  EXPECT_FALSE(isAttended("state S = S + outer(k, v - dot(k, S)) "
                          "out = dot(q, S)"));
}

TEST_F(SeparableWeightsTest, NotSeparable) {
  for (const char *weight :
       {"weight = sigmoid(dot(q, k))", "weight = dot(q, k) * dot(q, k)",
        "weight = softmax(score)", "weight = max(i - j, 3) * dot(q, k)",
        "weight = exp(dot(q, k))",
        "weight = normalize(dot(q, k), eps = 9) * g[j]"})
    EXPECT_EQ(getKinds(weight), (Kinds{"attend"})) << weight;
}

} // namespace
