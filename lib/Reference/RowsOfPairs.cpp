// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// attn.attend where rows stand beside one number per pair: keys and values that
// are carried from step to step, and scores of each feature.

#include "lib/Reference/RowEvaluator.h"
#include <cmath>
#include <limits>

// A product and a sum are two roundings, never one.
#pragma STDC FP_CONTRACT OFF

namespace rapt::reference {

template <typename Real>
const Real *RowEvaluator<Real>::getKeyRow(const AttendNode &node,
                                          const State &state, size_t operand,
                                          int64_t j) const {
  const Source &source =
      operand < node.keys.size() ? node.keys[operand] : node.values;
  const std::vector<Real> &rows =
      node.carry ? state.carried[operand] : tables.at(&node)[operand].rows;
  return rows.data() + j * source.features;
}

/// Carries every key up to position i: one step at each position after its own.
/// Goes on from where the last query was, or begins anew.
template <typename Real>
void RowEvaluator<Real>::carryTo(const AttendNode &node, State &state,
                                 int64_t b, int64_t h, int64_t i) {
  bool isNew =
      state.carriedBatch != b || state.carriedHead != h || state.carriedTo > i;
  if (isNew) {
    state.carriedBatch = b;
    state.carriedHead = h;
    state.carriedTo = 0;
    state.carried.clear();
    for (const Table<Real> &table : tables.at(&node))
      state.carried.push_back(table.rows);
  }
  Surroundings around = node.getSurroundings();
  const RegionProgram &program = *node.carry;
  start(state.carry, program, around, b, h);
  Cell<Real> *cells = state.carry.cells.data();
  auto argument = [&](size_t n) { return cells + program.getArgument(n); };
  for (int64_t t = state.carriedTo + 1; t <= i; ++t) {
    argument(2)->integer = t;
    size_t next = attn::AttendOp::kCarryPositions + state.carried.size();
    for (const TensorView &view : node.steps) {
      int64_t indices[] = {b * view.sizes[0] / node.shape.batch,
                           h * view.sizes[1] / node.shape.heads, t, 0};
      Cell<Real> *row = argument(next++);
      for (int64_t &d = indices[3]; d < view.sizes[3]; ++d)
        if (support::isFloat(view.type))
          row[d].real = static_cast<Real>(readReal(view, indices));
        else
          row[d].integer = readInteger(view, indices);
    }
    for (int64_t j = 0; j < t && j < node.shape.keys; ++j) {
      for (auto [operand, result] : llvm::enumerate(program.getResults())) {
        const Real *row = getKeyRow(node, state, operand, j);
        Cell<Real> *cell = argument(attn::AttendOp::kCarryPositions + operand);
        for (int32_t d = 0; d < result.count; ++d)
          cell[d].real = row[d];
      }
      program.run(Level::Row, cells, around);
      program.run(Level::Pair, cells, around);
      for (auto [operand, result] : llvm::enumerate(program.getResults()))
        for (int32_t d = 0; d < result.count; ++d)
          state.carried[operand][j * result.count + d] =
              cells[result.cell + d].real;
    }
  }
  state.carriedTo = std::max<int64_t>(i, 0);
}

/// From the scores of each feature to the row, feature by feature.
template <typename Real>
void RowEvaluator<Real>::reduceFeatures(const AttendNode &node, State &state) {
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  bool isSoftmax = node.reduction == attn::Reduction::Softmax;
  for (int64_t e = 0; e < node.features; ++e) {
    auto getScore = [&](size_t pair) {
      return state.featureScores[pair * node.features + e];
    };
    Real largest = isSoftmax ? -infinity : 0;
    if (isSoftmax)
      for (size_t pair = 0; pair < state.kept.size(); ++pair)
        if (!(getScore(pair) <= largest)) // also takes a NaN
          largest = getScore(pair);
    if (largest == -infinity)
      continue; // every exponential is 0, as in an empty row
    Real total = 0, sum = 0;
    double magnitude = 0;
    for (auto [number, pair] : llvm::enumerate(state.kept)) {
      Real weight =
          isSoftmax ? std::exp(getScore(number) - largest) : getScore(number);
      Real term = weight * getKeyRow(node, state, node.keys.size(), pair.j)[e];
      total += weight;
      sum += term;
      magnitude += std::abs(static_cast<double>(term));
    }
    Real divisor = isSoftmax ? total
                   : node.reduction == attn::Reduction::Ratio
                       ? total + static_cast<Real>(node.epsilon)
                       : Real(1);
    if (state.kept.empty())
      continue;
    state.out[e] = roundToResult(node, sum / divisor);
    state.magnitude[e] = magnitude / std::abs(static_cast<double>(divisor));
  }
}

#define RAPT_INSTANTIATE(Real)                                                 \
  template const Real *RowEvaluator<Real>::getKeyRow(                          \
      const AttendNode &, const State &, size_t, int64_t) const;               \
  template void RowEvaluator<Real>::carryTo(const AttendNode &, State &,       \
                                            int64_t, int64_t, int64_t);        \
  template void RowEvaluator<Real>::reduceFeatures(const AttendNode &, State &);
RAPT_INSTANTIATE(double)
RAPT_INSTANTIATE(float)
#undef RAPT_INSTANTIATE

} // namespace rapt::reference
