// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A definition in the attention language over random tensors: what the
/// Reference makes of its attn program, against loops written from the formula.

#ifndef RAPT_TEST_UNIT_FRONTEND_MECHANISMFIXTURE_H
#define RAPT_TEST_UNIT_FRONTEND_MECHANISMFIXTURE_H

#include "lib/Frontend/EmitAttn.h"
#include "lib/Frontend/Parser.h"
#include "test/unit/Reference/SpecFixture.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cmath>

namespace rapt::frontend {

using Numbers = std::vector<double>;
using reference::AttnEvaluator;
using reference::OwnedTensor;
using reference::Row;
using reference::RowIndex;
using support::ElementType;

struct MechanismFixture : testing::Test {
  MechanismFixture() { instance.extents = {{"dim", 8}, {"vdim", 6}}; }

  int64_t batch = 2, heads = 4, kvHeads = 2, groups = 2, queries = 5, keys = 7;
  Instance instance;
  std::optional<Spec> spec;
  std::map<std::string, OwnedTensor> tensors;

  //===--------------------------------------------------------------------===//
  // From text to an evaluator
  //===--------------------------------------------------------------------===//

  /// Compiles a file that holds one definition, and makes its tensors.
  void compile(const std::string &text) {
    support::SourceFile source("test.attn", text);
    support::DiagnosticEngine diags(source);
    file = parse(diags);
    if (file)
      spec = analyze(*file, instance, diags);
    if (spec)
      module = emitAttn(*spec, context, diags);
    ASSERT_TRUE(static_cast<bool>(module)) << diags.str();
    ASSERT_TRUE(diags.diagnostics().empty()) << diags.str();
    tensors.clear();
    for (const TensorSignature &argument : spec->arguments)
      makeTensor(argument);
  }
  void compileExample(const std::string &name) {
    auto buffer =
        llvm::MemoryBuffer::getFile(RAPT_EXAMPLES_DIR "/" + name + ".attn");
    ASSERT_TRUE(static_cast<bool>(buffer)) << name;
    compile((*buffer)->getBuffer().str());
  }
  AttnEvaluator evaluate() {
    std::vector<reference::NamedTensor> named;
    for (const TensorSignature &argument : spec->arguments)
      named.push_back(tensors.at(argument.name).named());
    auto function = *module->getOps<mlir::func::FuncOp>().begin();
    auto evaluator =
        AttnEvaluator::create(function, named, reference::Precision::Exact, 2);
    if (!evaluator)
      llvm::report_fatal_error(evaluator.takeError());
    return std::move(*evaluator);
  }

  int64_t getExtent(const TensorAxis &axis) const {
    if (axis.isFeature)
      return *axis.extent;
    return axis.name == "batch"      ? batch
           : axis.name == "heads"    ? heads
           : axis.name == "kv_heads" ? kvHeads
           : axis.name == "groups"   ? groups
           : axis.name == "queries"  ? queries
                                     : keys;
  }
  /// Reals are normal, integers below 3, booleans fair.
  void makeTensor(const TensorSignature &argument) {
    std::vector<int64_t> sizes;
    for (const TensorAxis &axis : argument.axes)
      sizes.push_back(getExtent(axis));
    OwnedTensor tensor(argument.name, "", argument.elementType, sizes);
    unsigned seed = tensors.size() + 1;
    if (support::isFloat(argument.elementType))
      tensor.fillRandom(seed);
    else
      for (int64_t n = 0; n < tensor.count(); ++n)
        support::storeInteger(
            argument.elementType, tensor.data.data(), n,
            (n * 7 + seed) / 3 %
                (argument.elementType == ElementType::Boolean ? 2 : 3));
    tensors.insert_or_assign(argument.name, std::move(tensor));
  }
  /// Fills an integer tensor, repeating the values.
  void setIntegers(const std::string &name, std::vector<int64_t> values) {
    OwnedTensor &tensor = tensors.at(name);
    for (int64_t n = 0; n < tensor.count(); ++n)
      support::storeInteger(tensor.type, tensor.data.data(), n,
                            values[n % values.size()]);
  }

  //===--------------------------------------------------------------------===//
  // Reading tensors; zero outside
  //===--------------------------------------------------------------------===//

  std::optional<int64_t> getPlace(const std::string &name,
                                  llvm::ArrayRef<int64_t> indices) const {
    const OwnedTensor &tensor = tensors.at(name);
    int64_t place = 0;
    for (size_t d = 0; d < indices.size(); ++d) {
      if (indices[d] < 0 || indices[d] >= tensor.sizes[d])
        return std::nullopt;
      place = place * tensor.sizes[d] + indices[d];
    }
    return place;
  }
  double real(const std::string &name, llvm::ArrayRef<int64_t> indices) const {
    auto place = getPlace(name, indices);
    const OwnedTensor &tensor = tensors.at(name);
    return place ? support::loadReal(tensor.type, tensor.data.data(), *place)
                 : 0;
  }
  int64_t integer(const std::string &name,
                  llvm::ArrayRef<int64_t> indices) const {
    auto place = getPlace(name, indices);
    const OwnedTensor &tensor = tensors.at(name);
    return place ? support::loadInteger(tensor.type, tensor.data.data(), *place)
                 : 0;
  }
  /// The features at leading indices.
  Numbers row(const std::string &name, std::vector<int64_t> leading) const {
    Numbers result;
    leading.push_back(0);
    for (int64_t &d = leading.back(); d < tensors.at(name).sizes.back(); ++d)
      result.push_back(real(name, leading));
    return result;
  }

  //===--------------------------------------------------------------------===//
  // The loops of the definition
  //===--------------------------------------------------------------------===//

  struct Pair {
    int64_t b, h, row, i, j;
    double dot;
    double width; ///< features of q
  };
  enum class Weight { Softmax, Ratio, Sum };
  struct Formula {
    std::function<Numbers(int64_t b, int64_t h, int64_t row, int64_t i)> q = {};
    std::function<Numbers(int64_t b, int64_t h, int64_t j)> k = {}, v = {};
    std::function<double(Pair)> score = [](Pair p) {
      return p.dot / std::sqrt(p.width);
    };
    std::function<bool(Pair)> mask = [](Pair) { return true; };
    std::function<double(Pair)> factor = [](Pair) { return 1.0; };
    std::function<double(Pair)> sink = {}; ///< of b, h, row, i
    Weight weight = Weight::Softmax;
    double epsilon = 0;
  };

  Row bruteForce(const Formula &formula, RowIndex index) const {
    auto [b, h, number] = index;
    int64_t i = number + keys - queries, g = h * kvHeads / heads;
    Numbers q =
        formula.q ? formula.q(b, h, number, i) : row("q", {b, h, number});
    Row result;
    std::vector<std::pair<double, Numbers>> terms;
    double sum = 0, largest = -INFINITY;
    for (int64_t j = 0; j < keys; ++j) {
      Pair pair{b, h, number, i, j, 0, static_cast<double>(q.size())};
      Numbers k = formula.k ? formula.k(b, h, j) : row("k", {b, g, j});
      for (size_t d = 0; d < q.size(); ++d)
        pair.dot += q[d] * k[d];
      Numbers v = formula.v ? formula.v(b, h, j) : row("v", {b, g, j});
      result.out.resize(v.size());
      if (!formula.mask(pair))
        continue;
      ++result.keptPairs;
      double score = formula.score(pair);
      double weight =
          formula.weight == Weight::Softmax ? std::exp(score) : score;
      sum += weight;
      largest = std::max(largest, score);
      for (double &x : v)
        x *= formula.factor(pair);
      terms.emplace_back(weight, v);
    }
    Pair query{b, h, number, i, 0, 0, 0};
    if (formula.sink)
      sum += std::exp(formula.sink(query));
    double divisor = formula.weight == Weight::Sum ? 1 : sum + formula.epsilon;
    for (const auto &[weight, v] : terms)
      for (size_t e = 0; e < v.size(); ++e)
        result.out[e] += weight / divisor * v[e];
    result.lse = formula.weight == Weight::Softmax ? std::log(sum) : 0;
    return result;
  }

  /// Every row; constants of the program are f32, so the last digits differ.
  void check(const Formula &formula, double tolerance = 1e-6) {
    ASSERT_TRUE(static_cast<bool>(module));
    AttnEvaluator evaluator = evaluate();
    std::vector<RowIndex> rows;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t n = 0; n < queries; ++n)
          rows.push_back({b, h, n});
    std::vector<Row> found = evaluator.evaluateRows(rows);
    for (auto [row, index] : llvm::zip(found, rows)) {
      SCOPED_TRACE("row " + std::to_string(index.b) + ", " +
                   std::to_string(index.h) + ", " + std::to_string(index.i));
      Row expected = bruteForce(formula, index);
      EXPECT_EQ(row.keptPairs, expected.keptPairs);
      ASSERT_EQ(row.out.size(), expected.out.size());
      for (size_t e = 0; e < row.out.size(); ++e)
        EXPECT_NEAR(row.out[e], expected.out[e],
                    tolerance * (1 + std::abs(expected.out[e])));
      if (std::isinf(expected.lse))
        EXPECT_EQ(row.lse, expected.lse);
      else
        EXPECT_NEAR(row.lse, expected.lse,
                    tolerance * (1 + std::abs(expected.lse)));
    }
  }
  /// Every row against what `expected` gives for batch, head and query.
  using Expected = std::function<Row(int64_t b, int64_t h, int64_t row)>;
  void checkRows(const Expected &expected, bool hasLse = false) {
    ASSERT_TRUE(static_cast<bool>(module));
    AttnEvaluator evaluator = evaluate();
    EXPECT_EQ(evaluator.hasLse(), hasLse);
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t n = 0; n < queries; ++n) {
          SCOPED_TRACE("row " + std::to_string(b) + ", " + std::to_string(h) +
                       ", " + std::to_string(n));
          Row found = evaluator.evaluateRows(RowIndex{b, h, n}).front();
          Row row = expected(b, h, n);
          ASSERT_EQ(found.out.size(), row.out.size());
          for (size_t e = 0; e < row.out.size(); ++e)
            EXPECT_NEAR(found.out[e], row.out[e],
                        1e-6 * (1 + std::abs(row.out[e])));
          if (hasLse && std::isinf(row.lse))
            EXPECT_EQ(found.lse, row.lse);
          else if (hasLse)
            EXPECT_NEAR(found.lse, row.lse, 1e-6 * (1 + std::abs(row.lse)));
        }
  }
  void setLengths(int64_t newQueries, int64_t newKeys) {
    queries = newQueries;
    keys = newKeys;
  }

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  std::optional<File> file;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// Rounded down; the remainder is never negative.
inline int64_t floorDivide(int64_t a, int64_t b) {
  return static_cast<int64_t>(
      std::floor(static_cast<double>(a) / static_cast<double>(b)));
}
inline int64_t modulo(int64_t a, int64_t b) { return ((a % b) + b) % b; }

} // namespace rapt::frontend

#endif // RAPT_TEST_UNIT_FRONTEND_MECHANISMFIXTURE_H
