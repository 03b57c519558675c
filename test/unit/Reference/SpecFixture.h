// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Specs as attn text over random tensors, for the tests of the Reference.

#ifndef RAPT_TEST_UNIT_REFERENCE_SPECFIXTURE_H
#define RAPT_TEST_UNIT_REFERENCE_SPECFIXTURE_H

#include "dialects/Attn/IR/Attn.h"
#include "lib/Reference/AttnEvaluator.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"
#include <random>

namespace rapt::reference {

/// A tensor that owns its elements; `at` gives them as double.
struct OwnedTensor {
  std::string name;
  std::string axes; ///< as attn text: "batch", "heads", ...
  support::ElementType type;
  std::vector<int64_t> sizes;
  std::vector<char> data;

  OwnedTensor(std::string name, std::string axes, support::ElementType type,
              std::vector<int64_t> sizes)
      : name(std::move(name)), axes(std::move(axes)), type(type),
        sizes(std::move(sizes)), data(count() * support::getElementSize(type)) {
  }

  int64_t count() const {
    int64_t result = 1;
    for (int64_t size : sizes)
      result *= size;
    return result;
  }
  OwnedTensor &fillRandom(unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    for (int64_t k = 0; k < count(); ++k)
      set(k, normal(random));
    return *this;
  }
  void set(int64_t k, double value) {
    support::storeReal(type, data.data(), k, value);
  }
  double at(llvm::ArrayRef<int64_t> indices) const {
    int64_t place = 0;
    for (size_t d = 0; d < indices.size(); ++d)
      place = place * sizes[d] + indices[d];
    return support::loadReal(type, data.data(), place);
  }
  NamedTensor named() const {
    return {name, TensorView::getDense(data.data(), type, sizes)};
  }
  /// The tensor type in attn text: all dimensions dynamic but `features` last
  /// ones.
  std::string typeText(unsigned features) const {
    std::string text = "tensor<";
    for (size_t d = 0; d < sizes.size(); ++d)
      text +=
          (d + features >= sizes.size() ? std::to_string(sizes[d]) : "?") + "x";
    std::string element = support::getElementTypeName(type).str();
    return text + (element == "bool" ? "i1" : element) + ">";
  }
};

/// A spec with q, k and v, an attend over them, and captures.
struct SpecFixture : testing::Test {
  SpecFixture() {
    context.loadDialect<attn::AttnDialect, mlir::func::FuncDialect,
                        mlir::arith::ArithDialect, mlir::math::MathDialect>();
  }

  int64_t batch = 2, heads = 4, kvHeads = 2, queries = 5, keys = 7, dim = 3,
          vdim = 5;
  support::ElementType type = support::ElementType::F32;
  std::vector<OwnedTensor> tensors; ///< q, k, v, then the captures
  std::vector<unsigned> captureFeatures;
  std::string reduction = "softmax";
  // Regions; the arguments are %b %h %row %i %j %dot %c0 %c1 ...
  std::string score = "attn.yield %dot : f32";
  std::string mask, factor, sink;
  std::string resultType; ///< element type of the result, default that of v

  void makeTensors() {
    tensors.clear();
    tensors.push_back(OwnedTensor("q", R"("batch","heads","queries","dim")",
                                  type, {batch, heads, queries, dim})
                          .fillRandom(1));
    tensors.push_back(OwnedTensor("k", R"("batch","kv_heads","keys","dim")",
                                  type, {batch, kvHeads, keys, dim})
                          .fillRandom(2));
    tensors.push_back(OwnedTensor("v", R"("batch","kv_heads","keys","vdim")",
                                  type, {batch, kvHeads, keys, vdim})
                          .fillRandom(3));
  }
  OwnedTensor &addCapture(std::string name, std::string axes,
                          support::ElementType type, std::vector<int64_t> sizes,
                          unsigned features = 0) {
    tensors.push_back(
        OwnedTensor(std::move(name), std::move(axes), type, std::move(sizes))
            .fillRandom(10 + tensors.size()));
    captureFeatures.push_back(features);
    return tensors.back();
  }

  std::vector<NamedTensor> getNamed() const {
    std::vector<NamedTensor> named;
    for (const OwnedTensor &tensor : tensors)
      named.push_back(tensor.named());
    return named;
  }

  std::string getElementText() const {
    return support::getElementTypeName(type).str();
  }
  unsigned getFeatures(size_t tensor) const {
    return tensor < 3 ? 1 : captureFeatures[tensor - 3];
  }
  std::string getArguments() const {
    std::string text;
    for (auto [index, tensor] : llvm::enumerate(tensors))
      text += (index ? ", %" : "%") + tensor.name + ": " +
              tensor.typeText(getFeatures(index)) + " {attn.name = \"" +
              tensor.name + "\", attn.axes = [" + tensor.axes + "]}";
    return text;
  }
  static std::string getExtents() {
    return R"(
      %B = attn.axis "batch"
      %H = attn.axis "heads"
      %M = attn.axis "queries"
      %N = attn.axis "keys"
    )";
  }
  std::string getRegion(const std::string &keyword, const std::string &body,
                        bool isPair) const {
    if (body.empty())
      return "";
    std::string text =
        " " + keyword + " {\n^bb0(%b: i32, %h: i32, %row: i32, %i: i32";
    if (isPair)
      text += ", %j: i32, %dot: f32";
    for (size_t c = 0; c < captureFeatures.size(); ++c)
      text += ", %c" + std::to_string(c) + ": " +
              tensors[3 + c].typeText(captureFeatures[c]);
    return text + "):\n" + body + "\n}";
  }
  /// `%o, %l = attn.attend ...` over the given operands.
  std::string getAttend(const std::string &q = "%q",
                        const std::string &k = "%k",
                        const std::string &v = "%v") const {
    std::string types = "index, index, index, index";
    std::string captures;
    for (size_t t = 0; t < tensors.size(); ++t) {
      types += ", " + tensors[t].typeText(getFeatures(t));
      if (t >= 3)
        captures += (t > 3 ? ", %" : "%") + tensors[t].name;
    }
    std::string result = "tensor<?x?x?x" + std::to_string(vdim) + "x" +
                         (resultType.empty() ? getElementText() : resultType) +
                         ">";
    return "%o, %l = attn.attend " + reduction +
           " shape(%B, %H, %M, %N) queries(" + q + ") keys(" + k + ") values(" +
           v + ")" + (captures.empty() ? "" : " captures(" + captures + ")") +
           " : (" + types + ") -> (" + result + ", tensor<?x?x?xf32>)" +
           getRegion("score", score, true) + getRegion("mask", mask, true) +
           getRegion("factor", factor, true) + getRegion("sink", sink, false) +
           "\n";
  }
  std::string getResultType() const {
    return "tensor<?x?x?x" + std::to_string(vdim) + "x" +
           (resultType.empty() ? getElementText() : resultType) + ">";
  }
  std::string getSpec() const {
    return getSpec(getExtents() + getAttend() + "return %o, %l : " +
                       getResultType() + ", tensor<?x?x?xf32>",
                   getResultType() + ", tensor<?x?x?xf32>");
  }
  std::string getSpec(const std::string &body,
                      const std::string &results) const {
    return "func.func @spec(" + getArguments() + ") -> (" + results +
           ") attributes {attn.spec} {\n" + body + "\n}";
  }

  llvm::Expected<AttnEvaluator>
  tryCreate(const std::string &text, Precision precision = Precision::Exact,
            unsigned threads = 2) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      return llvm::createStringError("the text does not parse:\n" + text);
    auto spec = *module->getOps<mlir::func::FuncOp>().begin();
    return AttnEvaluator::create(spec, getNamed(), precision, threads);
  }
  AttnEvaluator create(const std::string &text,
                       Precision precision = Precision::Exact,
                       unsigned threads = 2) {
    llvm::Expected<AttnEvaluator> evaluator =
        tryCreate(text, precision, threads);
    if (!evaluator)
      llvm::report_fatal_error(evaluator.takeError());
    return std::move(*evaluator);
  }
  std::vector<RowIndex> allRows() const {
    std::vector<RowIndex> rows;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t i = 0; i < queries; ++i)
          rows.push_back({b, h, i});
    return rows;
  }

  /// One pair of the brute-force loops.
  struct Pair {
    int64_t b, h, row, i, j;
    double dot;
  };
  struct Formula {
    std::function<double(Pair)> score = [](Pair p) { return p.dot; };
    std::function<bool(Pair)> mask = [](Pair) { return true; };
    std::function<double(Pair)> factor = [](Pair) { return 1.0; };
    std::function<double(Pair)> sink = {}; ///< of b, h, row, i
    double epsilon = 0;
  };

  /// The loops of the definition, written out over q, k and v.
  Row bruteForce(const Formula &formula, RowIndex index) const {
    const OwnedTensor &q = tensors[0], &k = tensors[1], &v = tensors[2];
    auto [b, h, row] = index;
    int64_t g = h * kvHeads / heads, i = row + keys - queries;
    std::vector<double> weights, factors;
    std::vector<int64_t> kept;
    double normalizer = 0;
    for (int64_t j = 0; j < keys; ++j) {
      Pair pair{b, h, row, i, j, 0};
      for (int64_t d = 0; d < dim; ++d)
        pair.dot += q.at({b, h, row, d}) * k.at({b, g, j, d});
      if (!formula.mask(pair))
        continue;
      kept.push_back(j);
      double s = formula.score(pair);
      weights.push_back(reduction == "softmax" ? std::exp(s) : s);
      factors.push_back(formula.factor(pair));
      normalizer += weights.back();
    }
    if (formula.sink)
      normalizer += std::exp(formula.sink({b, h, row, i, 0, 0}));
    double divisor = reduction == "softmax" ? normalizer
                     : reduction.rfind("ratio", 0) == 0
                         ? normalizer + formula.epsilon
                         : 1;
    Row result;
    result.out.assign(vdim, 0);
    std::vector<double> magnitude(vdim, 0);
    for (size_t p = 0; p < kept.size(); ++p)
      for (int64_t e = 0; e < vdim; ++e) {
        double term =
            factors[p] * weights[p] / divisor * v.at({b, g, kept[p], e});
        result.out[e] += term;
        magnitude[e] += std::abs(term);
      }
    result.scale = *std::max_element(magnitude.begin(), magnitude.end());
    result.lse = reduction == "softmax" ? std::log(normalizer) : 0;
    result.keptPairs = kept.size();
    return result;
  }

  void expectRow(const Row &found, const Row &expected, RowIndex index,
                 double tolerance = 1e-12) {
    SCOPED_TRACE("row " + std::to_string(index.b) + ", " +
                 std::to_string(index.h) + ", " + std::to_string(index.i));
    ASSERT_EQ(found.out.size(), expected.out.size());
    for (size_t e = 0; e < expected.out.size(); ++e)
      EXPECT_NEAR(found.out[e], expected.out[e],
                  tolerance * (1 + std::abs(expected.out[e])));
    if (std::isinf(expected.lse))
      EXPECT_EQ(found.lse, expected.lse);
    else
      EXPECT_NEAR(found.lse, expected.lse,
                  tolerance * (1 + std::abs(expected.lse)));
    EXPECT_EQ(found.keptPairs, expected.keptPairs);
  }

  /// The attend of the fixture against the formula, in all rows.
  void check(const Formula &formula) {
    AttnEvaluator evaluator = create(getSpec());
    std::vector<RowIndex> rows = allRows();
    std::vector<Row> found = evaluator.evaluateRows(rows);
    for (size_t r = 0; r < rows.size(); ++r) {
      Row expected = bruteForce(formula, rows[r]);
      expectRow(found[r], expected, rows[r]);
      EXPECT_NEAR(found[r].scale, expected.scale, 1e-12 * (1 + expected.scale));
    }
    std::vector<int64_t> counts = evaluator.countPairs(rows);
    for (size_t r = 0; r < rows.size(); ++r)
      EXPECT_EQ(counts[r], found[r].keptPairs);
  }

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
};

} // namespace rapt::reference

#endif // RAPT_TEST_UNIT_REFERENCE_SPECFIXTURE_H
