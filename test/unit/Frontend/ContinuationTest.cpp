// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A sequence in parts, each going on from the states of the part before, gives
// the rows of one long pass.

#include "MechanismFixture.h"

using namespace rapt::frontend;

namespace {

struct ContinuationTest : MechanismFixture {
  ContinuationTest() { instance.extents = {{"dim", 4}, {"vdim", 4}}; }

  /// The tokens [begin, end) of a tensor.
  static OwnedTensor cut(const OwnedTensor &whole,
                         const TensorSignature &signature, int64_t begin,
                         int64_t end) {
    size_t d = 0;
    for (; d < signature.axes.size(); ++d)
      if (signature.axes[d].name == "keys" ||
          signature.axes[d].name == "queries")
        break;
    if (d == signature.axes.size())
      return whole;
    std::vector<int64_t> sizes = whole.sizes;
    sizes[d] = end - begin;
    OwnedTensor part(whole.name, "", whole.type, sizes);
    int64_t inner = 1, count = 0;
    for (size_t e = d + 1; e < sizes.size(); ++e)
      inner *= sizes[e];
    for (int64_t n = 0; n < part.count(); ++n, ++count) {
      int64_t token = n / inner % sizes[d], outer = n / inner / sizes[d];
      int64_t place =
          (outer * whole.sizes[d] + begin + token) * inner + n % inner;
      part.set(n,
               rapt::support::loadReal(whole.type, whole.data.data(), place));
    }
    return part;
  }

  std::vector<Numbers> rows(AttnEvaluator &evaluator) const {
    std::vector<Numbers> result;
    for (int64_t n = 0; n < evaluator.getQueries(); ++n)
      for (int64_t b = 0; b < evaluator.getBatch(); ++b)
        for (int64_t h = 0; h < evaluator.getHeads(); ++h)
          result.push_back(
              evaluator.evaluateRows(RowIndex{b, h, n}).front().out);
    return result;
  }

  /// `text` over all tokens, and over parts that end at these.
  void check(const std::string &text, std::vector<int64_t> ends) {
    setLengths(ends.back(), ends.back());
    compile(text);
    std::map<std::string, OwnedTensor> whole = tensors;
    AttnEvaluator once = evaluate();
    std::vector<Numbers> expected = rows(once), found;
    std::vector<OwnedTensor> states;
    int64_t begin = 0;
    for (int64_t end : ends) {
      instance.takesStates = begin > 0;
      instance.givesStates = true;
      compile(text);
      tensors.clear();
      for (const TensorSignature &argument : spec->arguments)
        if (auto given = whole.find(argument.name); given != whole.end())
          tensors.insert_or_assign(argument.name,
                                   cut(given->second, argument, begin, end));
      for (OwnedTensor &state : states)
        tensors.insert_or_assign(state.name, state);
      OwnedTensor start("start", "", ElementType::I32, {});
      rapt::support::storeInteger(start.type, start.data.data(), 0, begin);
      tensors.insert_or_assign("start", start);
      AttnEvaluator part = evaluate();
      for (Numbers &row : rows(part))
        found.push_back(std::move(row));
      states.clear();
      std::vector<rapt::reference::NamedTensor> given = part.getStates();
      ASSERT_EQ(given.size() + 1, spec->results.size());
      for (const auto &[name, view] : given) {
        states.emplace_back(
            name, "", ElementType::F32,
            std::vector<int64_t>(view.sizes.begin(), view.sizes.end()));
        for (int64_t n = 0; n < states.back().count(); ++n)
          states.back().set(n,
                            rapt::support::loadReal(view.type, view.data, n));
      }
      begin = end;
    }
    ASSERT_EQ(found.size(), expected.size());
    for (size_t r = 0; r < found.size(); ++r)
      for (size_t e = 0; e < found[r].size(); ++e)
        // States are handed over in f32.
        EXPECT_NEAR(found[r][e], expected[r][e],
                    1e-5 * (1 + std::abs(expected[r][e])));
  }
};

TEST_F(ContinuationTest, MatricesRowsAndNumbers) {
  check("attention t { input f, g: f32[batch, heads, keys] let m0 = m "
        "state m from -inf = max(logsigmoid(f) + m, g) "
        "state C = exp(logsigmoid(f) + m0 - m) * C + exp(g - m) * outer(k, v) "
        "state z = exp(logsigmoid(f) + m0 - m) * z + exp(g - m) * k "
        "out = dot(q, C) / max(abs(dot(q, z)), exp(-m)) }",
        {5, 6, 7, 11});
}

TEST_F(ContinuationTest, PositionsGoOn) {
  check("attention t { input decay: f32[heads] "
        "state S = exp(decay) * S + outer(rope(k), v) out = dot(rope(q), S) }",
        {3, 4, 9});
}

/// Parts that end inside a run: what is held is a state too.
TEST_F(ContinuationTest, RunsGoOn) {
  check("attention t { input W0: f32[heads, dim, vdim] "
        "state W from W0 = W - outer(k, dot(k, hold(W, 3)) - v) / 8 "
        "out = dot(q, W) }",
        {2, 3, 7, 8});
}

TEST_F(ContinuationTest, DeltaRuleTokenByToken) {
  check("attention t { input beta: f32[batch, heads, keys] let k = l2norm(k) "
        "state S = S + beta * outer(k, v - dot(k, S)) out = dot(q, S) }",
        {1, 2, 3, 4, 5});
}

} // namespace
