// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The meaning of attn.map and attn.attend for one row, as their definitions
// say.

#include "lib/Reference/RowEvaluator.h"
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

// A product and a sum are two roundings, never one.
#pragma STDC FP_CONTRACT OFF

namespace rapt::reference {

/// The size of the change by which measureScale probes a map.
static constexpr double kProbe = 0x1p-12;

void parallelFor(int64_t count, unsigned threads,
                 llvm::function_ref<void(unsigned, int64_t)> body,
                 int64_t chunk) {
  std::atomic<int64_t> next = 0;
  auto work = [&](unsigned worker) {
    for (int64_t begin; (begin = next.fetch_add(chunk)) < count;)
      for (int64_t k = begin; k < std::min(begin + chunk, count); ++k)
        body(worker, k);
  };
  auto useful = static_cast<unsigned>(
      std::min<int64_t>(threads, (count + chunk - 1) / chunk));
  std::vector<std::thread> others;
  for (unsigned worker = 1; worker < useful; ++worker)
    others.emplace_back(work, worker);
  work(0);
  for (std::thread &other : others)
    other.join();
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

template <typename Real>
auto RowEvaluator<Real>::getState(const Node &node) -> State & {
  if (states.size() < graph.nodes.size())
    states.resize(graph.nodes.size());
  return states[node.number];
}

template <typename Real>
Real RowEvaluator<Real>::roundToResult(const Node &node, Real value) const {
  if constexpr (std::is_same_v<Real, float>)
    return static_cast<float>(support::roundTo(node.resultType, value));
  return value;
}

template <typename Real>
void RowEvaluator<Real>::loadRow(const Source &source, int64_t b, int64_t h,
                                 int64_t n, Cell<Real> *row) {
  if (source.node)
    return computeRow(*source.node, b, h, n, row);
  const TensorView &view = source.view;
  int64_t offset =
      b * view.strides[0] + h * view.strides[1] + n * view.strides[2];
  for (int64_t d = 0; d < source.features; ++d, offset += view.strides[3])
    if (source.isInteger)
      row[d].integer = support::loadInteger(view.type, view.data, offset);
    else
      row[d].real =
          static_cast<Real>(support::loadReal(view.type, view.data, offset));
}

template <typename Real>
void RowEvaluator<Real>::computeRow(const Node &node, int64_t b, int64_t h,
                                    int64_t n, Cell<Real> *row) {
  if (auto *map = dynamic_cast<const MapNode *>(&node))
    return computeMap(*map, b, h, n, row);
  if (auto *merge = dynamic_cast<const MergeNode *>(&node))
    return computeMerge(*merge, b, h, n, row);
  computeAttend(static_cast<const AttendNode &>(node), b, h, n);
  State &state = getState(node);
  for (int64_t e = 0; e < node.features; ++e) {
    row[e].real = state.out[e];
    if (change != 0) {
      double sign = change == 2 && e % 2 ? -1 : 1;
      row[e].real += static_cast<Real>(sign * kProbe * state.magnitude[e]);
    }
  }
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

/// Sets the batch and head of a program and computes what depends on them
/// alone.
template <typename Real>
void RowEvaluator<Real>::start(Activation &activation,
                               const RegionProgram &program,
                               const Surroundings &around, int64_t b,
                               int64_t h) {
  if (!activation.program) {
    activation.program = &program;
    activation.cells = program.makeCells<Real>();
    program.run(Level::Constant, activation.cells.data(), around);
  }
  if (activation.b == b && activation.h == h)
    return;
  activation.b = b;
  activation.h = h;
  activation.cells[program.getArgument(0)].integer = b;
  activation.cells[program.getArgument(1)].integer = h;
  program.run(Level::Head, activation.cells.data(), around);
}

template <typename Real>
void RowEvaluator<Real>::startRow(Activation &activation,
                                  const Surroundings &around, int64_t row,
                                  int64_t i) {
  const RegionProgram &program = *activation.program;
  activation.cells[program.getArgument(2)].integer = row;
  activation.cells[program.getArgument(3)].integer = i;
  program.run(Level::Row, activation.cells.data(), around);
}

template <typename Real>
void RowEvaluator<Real>::runPair(Activation &activation, const AttendNode &node,
                                 int64_t j, llvm::ArrayRef<Real> dots) {
  const RegionProgram &program = *activation.program;
  constexpr unsigned positions = attn::AttendOp::kPairPositions;
  activation.cells[program.getArgument(4)].integer = j;
  for (auto [index, dot] : llvm::enumerate(dots))
    activation.cells[program.getArgument(positions + index)].real = dot;
  program.run(Level::Pair, activation.cells.data(), node.getSurroundings());
}

//===----------------------------------------------------------------------===//
// attn.map
//===----------------------------------------------------------------------===//

template <typename Real>
void RowEvaluator<Real>::computeMap(const MapNode &node, int64_t b, int64_t h,
                                    int64_t n, Cell<Real> *row) {
  Surroundings around = node.getSurroundings();
  Activation &body = getState(node).body;
  start(body, node.body, around, b, h);
  Cell<Real> *cells = body.cells.data();
  int64_t position = node.overKeys ? n : node.shape.getPosition(n);
  cells[node.body.getArgument(2)].integer = n;
  cells[node.body.getArgument(3)].integer = position;
  for (auto [index, source] : llvm::enumerate(node.rows)) {
    unsigned argument = attn::MapOp::kRowPositions + index;
    loadRow(source, b * source.batch / node.shape.batch,
            h * source.heads / node.shape.heads, n,
            cells + node.body.getArgument(argument));
  }
  node.body.run(Level::Row, cells, around);
  node.body.run(Level::Pair, cells, around);
  for (int64_t d = 0; d < node.features; ++d) {
    row[d] = cells[node.body.getResult() + d];
    if (!node.body.isResultInteger())
      row[d].real = roundToResult(node, row[d].real);
  }
}

//===----------------------------------------------------------------------===//
// attn.attend
//===----------------------------------------------------------------------===//

/// The scalar product, one term after the other in float. In double the order
/// makes no difference that matters, and eight partial sums are faster.
static float dotRows(const float *a, const float *b, int64_t count) {
  float sum = 0;
  for (int64_t d = 0; d < count; ++d)
    sum += a[d] * b[d];
  return sum;
}
static double dotRows(const double *a, const double *b, int64_t count) {
  double sums[8] = {};
  int64_t d = 0;
  for (; d + 8 <= count; d += 8)
    for (int64_t k = 0; k < 8; ++k)
      sums[k] += a[d + k] * b[d + k];
  double sum = 0;
  for (double partial : sums)
    sum += partial;
  for (; d < count; ++d)
    sum += a[d] * b[d];
  return sum;
}

template <typename Real>
void RowEvaluator<Real>::computeDots(const AttendNode &node, State &state,
                                     int64_t j) {
  for (auto [index, query] : llvm::enumerate(state.queries))
    state.dots[index] = dotRows(query.data(), getKeyRow(node, state, index, j),
                                static_cast<int64_t>(query.size()));
}

/// Fills `kept` with the pairs whose mask is true, their scores and factors.
template <typename Real>
void RowEvaluator<Real>::selectPairs(const AttendNode &node, State &state,
                                     int64_t b, int64_t h, int64_t n) {
  Surroundings around = node.getSurroundings();
  int64_t i = node.shape.getPosition(n);
  bool maskReadsDots = false;
  if (node.mask)
    for (unsigned p = 0; p < state.dots.size(); ++p)
      maskReadsDots |=
          node.mask->readsArgument(attn::AttendOp::kPairPositions + p);

  auto begin = [&](Activation &activation, const RegionProgram &program) {
    start(activation, program, around, b, h);
    startRow(activation, around, n, i);
  };
  if (node.mask)
    begin(state.mask, *node.mask);
  begin(state.score, node.score);
  if (node.factor)
    begin(state.factor, *node.factor);

  state.kept.clear();
  state.featureScores.clear();
  for (int64_t j = 0; j < node.shape.keys; ++j) {
    bool haveDots = false;
    if (node.mask) {
      if (maskReadsDots) {
        computeDots(node, state, j);
        haveDots = true;
      }
      runPair(state.mask, node, j, state.dots);
      if (!state.mask.cells[node.mask->getResult()].integer)
        continue;
    }
    ++keptPairs;
    if (countOnly)
      continue;
    if (!haveDots)
      computeDots(node, state, j);
    runPair(state.score, node, j, state.dots);
    KeptPair pair{j, state.score.cells[node.score.getResult()].real, 1};
    if (node.isPerFeature)
      for (int64_t e = 0; e < node.features; ++e)
        state.featureScores.push_back(
            state.score.cells[node.score.getResult() + e].real);
    if (node.factor) {
      runPair(state.factor, node, j, state.dots);
      pair.factor = state.factor.cells[node.factor->getResult()].real;
    }
    state.kept.push_back(pair);
  }
}

/// out_e = sum_j factor_j * weights_j * v_je / divisor.
template <typename Real>
void RowEvaluator<Real>::sumPairs(const AttendNode &node, State &state,
                                  llvm::ArrayRef<Real> weights, Real divisor) {
  for (auto [pair, weight] : llvm::zip(state.kept, weights)) {
    Real factored =
        roundOperand(graph, node.factor ? pair.factor * weight : weight);
    const Real *v = getKeyRow(node, state, node.keys.size(), pair.j);
    for (int64_t e = 0; e < node.features; ++e)
      state.out[e] += factored * v[e];
    if constexpr (std::is_same_v<Real, double>)
      for (int64_t e = 0; e < node.features; ++e)
        state.magnitude[e] += std::abs(factored * v[e]);
  }
  for (int64_t e = 0; e < node.features; ++e) {
    state.out[e] = roundToResult(node, state.out[e] / divisor);
    state.magnitude[e] /= std::abs(static_cast<double>(divisor));
  }
}

/// From scores to the row, by the reduction of the attend.
template <typename Real>
void RowEvaluator<Real>::reducePairs(const AttendNode &node, State &state) {
  if (node.isPerFeature)
    return reduceFeatures(node, state);
  std::vector<Real> weights;
  weights.reserve(state.kept.size());
  if (node.reduction != attn::Reduction::Softmax) {
    Real sum = 0;
    for (const KeptPair &pair : state.kept) {
      weights.push_back(pair.score);
      sum += pair.score;
    }
    bool isRatio = node.reduction == attn::Reduction::Ratio;
    Real divisor = isRatio ? sum + static_cast<Real>(node.epsilon) : Real(1);
    if (!state.kept.empty())
      sumPairs(node, state, weights, divisor);
    return;
  }

  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  Real sink =
      node.sink ? state.sink.cells[node.sink->getResult()].real : -infinity;
  // First pass: the largest exponent. Second pass: the weights and their sum.
  Real largest = sink;
  for (const KeptPair &pair : state.kept)
    if (!(pair.score <= largest)) // also takes a NaN
      largest = pair.score;
  if (largest == -infinity) { // every exponential is 0, as in an empty row
    state.lse = -infinity;
    return;
  }
  Real sum = 0;
  for (const KeptPair &pair : state.kept) {
    weights.push_back(std::exp(pair.score - largest));
    sum += weights.back();
  }
  if (node.sink)
    sum += std::exp(sink - largest);
  state.lse = largest + std::log(sum);
  if (!state.kept.empty())
    sumPairs(node, state, weights, sum);
}

template <typename Real>
void RowEvaluator<Real>::computeAttend(const AttendNode &node, int64_t b,
                                       int64_t h, int64_t n) {
  State &state = getState(node);
  if (state.b == b && state.h == h && state.n == n)
    return; // read again by another map, or by log-sum-exp
  state.b = b;
  state.h = h;
  state.n = n;
  state.queries.resize(node.queries.size());
  state.dots.assign(node.queries.size(), 0);
  for (auto [index, source] : llvm::enumerate(node.queries)) {
    state.queryCells.resize(source.features);
    loadRow(source, b * source.batch / node.shape.batch,
            h * source.heads / node.shape.heads, n, state.queryCells.data());
    state.queries[index].clear();
    for (Cell<Real> cell : state.queryCells)
      state.queries[index].push_back(
          roundOperand(graph, source.isInteger ? static_cast<Real>(cell.integer)
                                               : cell.real));
  }
  if (node.sink) {
    start(state.sink, *node.sink, node.getSurroundings(), b, h);
    startRow(state.sink, node.getSurroundings(), n, node.shape.getPosition(n));
  }
  if (node.carry)
    carryTo(node, state, b, h, node.shape.getPosition(n));
  selectPairs(node, state, b, h, n);
  state.out.assign(node.features, 0);
  state.magnitude.assign(node.features, 0);
  state.lse = 0;
  if (!countOnly)
    reducePairs(node, state);
}

//===----------------------------------------------------------------------===//
// attn.merge
//===----------------------------------------------------------------------===//

template <typename Real>
Real RowEvaluator<Real>::computeLse(const Node &node, int64_t b, int64_t h,
                                    int64_t n) {
  auto *merge = dynamic_cast<const MergeNode *>(&node);
  if (!merge) {
    computeAttend(static_cast<const AttendNode &>(node), b, h, n);
    return getState(node).lse;
  }
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  std::vector<Real> lses;
  Real largest = -infinity, sum = 0;
  for (const Node *branch : merge->lses) {
    lses.push_back(computeLse(*branch, b, h, n));
    if (!(lses.back() <= largest)) // also takes a NaN
      largest = lses.back();
  }
  if (largest == -infinity)
    return -infinity;
  for (Real lse : lses)
    sum += std::exp(lse - largest);
  return largest + std::log(sum);
}

template <typename Real>
void RowEvaluator<Real>::computeMerge(const MergeNode &node, int64_t b,
                                      int64_t h, int64_t n, Cell<Real> *row) {
  for (int64_t e = 0; e < node.features; ++e)
    row[e].real = 0;
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  Real lse = computeLse(node, b, h, n);
  std::vector<Cell<Real>> part(node.features);
  for (auto [branch, source] : llvm::zip(node.branches, node.lses)) {
    Real own = computeLse(*source, b, h, n);
    if (own == -infinity)
      continue;
    Real weight = std::exp(own - lse);
    loadRow(branch, b * branch.batch / node.shape.batch,
            h * branch.heads / node.shape.heads, n, part.data());
    for (int64_t e = 0; e < node.features; ++e)
      row[e].real += weight * part[e].real;
  }
  for (int64_t e = 0; e < node.features; ++e)
    row[e].real = roundToResult(node, row[e].real);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// The scale of a row (see Row::scale). An attend knows its own; what maps make
/// of it is measured by changing the sums a little.
template <typename Real>
double RowEvaluator<Real>::measureScale(RowIndex row,
                                        llvm::ArrayRef<Cell<Real>> out) {
  const Node *node = graph.output.node;
  double scale = 0;
  if (auto *attend = dynamic_cast<const AttendNode *>(node)) {
    for (double magnitude : getState(*attend).magnitude)
      if (std::isfinite(magnitude))
        scale = std::max(scale, magnitude);
    return scale;
  }
  for (Cell<Real> cell : out)
    if (std::isfinite(cell.real))
      scale = std::max(scale, std::abs(static_cast<double>(cell.real)));
  if (!node)
    return scale;
  std::vector<Cell<Real>> changed(out.size());
  for (change = 1; change <= 2; ++change) {
    computeRow(*node, row.b, row.h, row.i, changed.data());
    for (auto [a, b] : llvm::zip(out, changed)) {
      double slope = std::abs(static_cast<double>(b.real) - a.real) / kProbe;
      if (std::isfinite(slope))
        scale = std::max(scale, slope);
    }
  }
  change = 0;
  return scale;
}

template <typename Real>
Row RowEvaluator<Real>::evaluate(RowIndex row, bool countOnly) {
  this->countOnly = countOnly;
  keptPairs = 0;
  for (State &state : states)
    state.n = -1; // what was computed before was for other results
  std::vector<Cell<Real>> out(graph.output.features);
  loadRow(graph.output, row.b, row.h, row.i, out.data());
  Row result;
  if (graph.lse) {
    result.lse = computeLse(*graph.lse, row.b, row.h, row.i);
  }
  result.keptPairs = keptPairs;
  if (countOnly)
    return result;
  for (Cell<Real> cell : out)
    result.out.push_back(graph.output.isInteger
                             ? static_cast<double>(cell.integer)
                             : static_cast<double>(cell.real));
  if constexpr (std::is_same_v<Real, double>)
    if (!graph.output.isInteger)
      result.scale = measureScale(row, out);
  return result;
}

template class RowEvaluator<double>;
template class RowEvaluator<float>;

} // namespace rapt::reference
