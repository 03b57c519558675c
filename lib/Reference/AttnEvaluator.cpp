// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Reference/AttnEvaluator.h"
#include "lib/Reference/RowEvaluator.h"
#include "lib/Reference/ScanEvaluator.h"
#include <thread>

using llvm::Error;
using llvm::Expected;

namespace rapt::reference {

/// What does not depend on the type of reals.
struct AttnEvaluator::Implementation {
  virtual ~Implementation() = default;
  virtual Error build(mlir::func::FuncOp spec,
                      llvm::ArrayRef<NamedTensor> tensors) = 0;
  virtual std::vector<Row> evaluateRows(llvm::ArrayRef<RowIndex> rows,
                                        bool countOnly) = 0;
  Graph graph;
};

namespace {
template <typename Real>
class TypedImplementation : public AttnEvaluator::Implementation {
public:
  explicit TypedImplementation(unsigned threads) : threads(threads) {
    for (unsigned worker = 0; worker < threads; ++worker)
      evaluators.push_back(std::make_unique<RowEvaluator<Real>>(graph, tables));
  }

  Error build(mlir::func::FuncOp spec,
              llvm::ArrayRef<NamedTensor> tensors) override {
    graph.isRounded = std::is_same_v<Real, float>;
    graph.threads = threads;
    return buildGraph(spec, tensors, graph,
                      {[this](const Node &node) { return materialize(node); },
                       [this](const ScanNode &node) {
                         return evaluateScan<Real>(node, threads,
                                                   graph.storage);
                       }});
  }

  std::vector<Row> evaluateRows(llvm::ArrayRef<RowIndex> rows,
                                bool countOnly) override {
    std::vector<Row> result(rows.size());
    for (size_t begin = 0, end; begin < rows.size(); begin = end) {
      int64_t b = rows[begin].b, h = rows[begin].h;
      for (end = begin; end < rows.size(); ++end)
        if (rows[end].b != b || rows[end].h != h)
          break;
      prepare(graph.output, graph.output.batch, graph.output.heads, b, h);
      if (graph.lse)
        prepareNode(*graph.lse, b, h);
      parallelFor(end - begin, threads, [&](unsigned worker, int64_t index) {
        result[begin + index] =
            evaluators[worker]->evaluate(rows[begin + index], countOnly);
      });
    }
    return result;
  }

private:
  /// Builds the tables that the rows (b, h, ...) of a node read.
  void prepareNode(const Node &node, int64_t b, int64_t h) {
    const Shape &shape = node.shape;
    if (auto *map = dynamic_cast<const MapNode *>(&node)) {
      for (const Source &row : map->rows)
        prepare(row, shape.batch, shape.heads, b, h);
      return;
    }
    if (auto *merge = dynamic_cast<const MergeNode *>(&node)) {
      for (const Source &branch : merge->branches)
        prepare(branch, shape.batch, shape.heads, b, h);
      for (const Node *lse : merge->lses)
        prepareNode(*lse, b, h);
      return;
    }
    auto &attend = static_cast<const AttendNode &>(node);
    std::vector<Table<Real>> &own = tables[&attend];
    own.resize(attend.keys.size() + 1);
    for (auto [index, key] : llvm::enumerate(attend.keys))
      fillTable(own[index], key, shape, b, h);
    fillTable(own.back(), attend.values, shape, b, h);
    for (const Source &query : attend.queries)
      prepare(query, shape.batch, shape.heads, b, h);
  }

  void prepare(const Source &source, int64_t batch, int64_t heads, int64_t b,
               int64_t h) {
    if (source.node)
      prepareNode(*source.node, b * source.batch / batch,
                  h * source.heads / heads);
  }

  /// All rows of an operand of an attend for one head, as reals.
  void fillTable(Table<Real> &table, const Source &source, const Shape &shape,
                 int64_t b, int64_t h) {
    b = b * source.batch / shape.batch;
    h = h * source.heads / shape.heads;
    if (table.b == b && table.h == h)
      return;
    table.b = b;
    table.h = h;
    prepare(source, source.batch, source.heads, b, h);
    table.rows.resize(source.length * source.features);
    std::vector<std::vector<Cell<Real>>> cells(
        threads, std::vector<Cell<Real>>(source.features));
    parallelFor(source.length, threads, [&](unsigned worker, int64_t n) {
      Cell<Real> *row = cells[worker].data();
      evaluators[worker]->loadRow(source, b, h, n, row);
      Real *target = &table.rows[n * source.features];
      for (int64_t d = 0; d < source.features; ++d)
        target[d] = roundOperand(graph, source.isInteger
                                            ? static_cast<Real>(row[d].integer)
                                            : row[d].real);
    });
  }

  /// All rows of a node as a tensor in memory.
  TensorView materialize(const Node &node) {
    using support::ElementType;
    bool isInteger = !support::isFloat(node.resultType);
    ElementType type = isInteger                      ? ElementType::I64
                       : std::is_same_v<Real, double> ? ElementType::F64
                                                      : ElementType::F32;
    int64_t sizes[4] = {node.shape.batch, node.shape.heads, node.length,
                        node.features};
    int64_t rowBytes = node.features * support::getElementSize(type);
    graph.storage.push_back(std::make_unique<std::vector<char>>(
        sizes[0] * sizes[1] * sizes[2] * rowBytes));
    char *data = graph.storage.back()->data();
    std::vector<std::vector<Cell<Real>>> cells(
        threads, std::vector<Cell<Real>>(node.features));
    for (int64_t b = 0; b < sizes[0]; ++b) {
      for (int64_t h = 0; h < sizes[1]; ++h) {
        prepareNode(node, b, h);
        char *head = data + (b * sizes[1] + h) * sizes[2] * rowBytes;
        parallelFor(sizes[2], threads, [&](unsigned worker, int64_t n) {
          Cell<Real> *row = cells[worker].data();
          evaluators[worker]->computeRow(node, b, h, n, row);
          char *target = head + n * rowBytes;
          for (int64_t d = 0; d < node.features; ++d)
            if (isInteger)
              support::storeInteger(type, target, d, row[d].integer);
            else
              support::storeReal(type, target, d, row[d].real);
        });
      }
    }
    return TensorView::getDense(data, type, sizes);
  }

  unsigned threads;
  Tables<Real> tables;
  std::vector<std::unique_ptr<RowEvaluator<Real>>> evaluators; // one per thread
};
} // namespace

Expected<AttnEvaluator> AttnEvaluator::create(
    mlir::func::FuncOp spec, llvm::ArrayRef<NamedTensor> tensors,
    Arithmetic arithmetic, unsigned threads, Placement placement) {
  if (threads == 0)
    threads = std::max(1u, std::thread::hardware_concurrency());
  std::unique_ptr<Implementation> implementation;
  if (arithmetic.precision == Precision::Exact)
    implementation = std::make_unique<TypedImplementation<double>>(threads);
  else
    implementation = std::make_unique<TypedImplementation<float>>(threads);
  implementation->graph.placement = placement;
  implementation->graph.operands = arithmetic.operands;
  if (Error error = implementation->build(spec, tensors))
    return error;
  return AttnEvaluator(std::move(implementation));
}

AttnEvaluator::AttnEvaluator(std::unique_ptr<Implementation> implementation)
    : implementation(std::move(implementation)) {}
AttnEvaluator::AttnEvaluator(AttnEvaluator &&) = default;
AttnEvaluator &AttnEvaluator::operator=(AttnEvaluator &&) = default;
AttnEvaluator::~AttnEvaluator() = default;

int64_t AttnEvaluator::getBatch() const {
  return implementation->graph.output.batch;
}
int64_t AttnEvaluator::getHeads() const {
  return implementation->graph.output.heads;
}
int64_t AttnEvaluator::getQueries() const {
  return implementation->graph.output.length;
}
int64_t AttnEvaluator::getFeatures() const {
  return implementation->graph.output.features;
}
support::ElementType AttnEvaluator::getResultType() const {
  return implementation->graph.outputType;
}
bool AttnEvaluator::hasLse() const {
  return implementation->graph.lse != nullptr;
}

std::vector<NamedTensor> AttnEvaluator::getStates() const {
  std::vector<NamedTensor> states;
  for (const FinalState &state : implementation->graph.states)
    states.push_back({state.name, state.view});
  return states;
}

std::vector<Row> AttnEvaluator::evaluateRows(llvm::ArrayRef<RowIndex> rows) {
  return implementation->evaluateRows(rows, /*countOnly=*/false);
}

std::vector<int64_t> AttnEvaluator::countPairs(llvm::ArrayRef<RowIndex> rows) {
  std::vector<int64_t> counts;
  for (const Row &row : implementation->evaluateRows(rows, /*countOnly=*/true))
    counts.push_back(row.keptPairs);
  return counts;
}

} // namespace rapt::reference
