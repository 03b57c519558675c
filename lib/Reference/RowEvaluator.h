// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// One row of a node of a spec, in one thread. Internal to the Reference.

#ifndef RAPT_LIB_REFERENCE_ROWEVALUATOR_H
#define RAPT_LIB_REFERENCE_ROWEVALUATOR_H

#include "lib/Reference/AttnEvaluator.h"
#include "lib/Reference/AttnGraph.h"
#include <unordered_map>

namespace rapt::reference {

/// The rows [L, D] of one operand of an attend for one head of that operand.
template <typename Real> struct Table {
  int64_t b = -1, h = -1;
  std::vector<Real> rows;
};

/// For every attend its keys in order, then its values. Filled by one thread
/// before others read it.
template <typename Real>
using Tables = std::unordered_map<const AttendNode *, std::vector<Table<Real>>>;

template <typename Real> class RowEvaluator {
public:
  RowEvaluator(const Graph &graph, const Tables<Real> &tables)
      : graph(graph), tables(tables) {}

  /// A row of the spec's results. With `countOnly` only `keptPairs` is set.
  Row evaluate(RowIndex row, bool countOnly);

  /// Row n of an operand, for a head (b, h) of that operand.
  void loadRow(const Source &source, int64_t b, int64_t h, int64_t n,
               Cell<Real> *row);

  /// Row n of the result of a node.
  void computeRow(const Node &node, int64_t b, int64_t h, int64_t n,
                  Cell<Real> *row);

private:
  /// A program and its cells, which remember what was computed for the head.
  struct Activation {
    const RegionProgram *program = nullptr;
    std::vector<Cell<Real>> cells;
    int64_t b = -1, h = -1;
  };
  struct KeptPair {
    int64_t j;
    Real score, factor;
  };
  struct State {
    Activation body, score, mask, factor, sink, carry;
    std::vector<Real> featureScores; ///< Of the kept pairs, if per feature.
    /// The rows of every key and value as carried to `carriedTo`.
    std::vector<std::vector<Real>> carried;
    int64_t carriedBatch = -1, carriedHead = -1, carriedTo = 0;
    std::vector<std::vector<Real>> queries;
    std::vector<Cell<Real>> queryCells;
    std::vector<Real> dots;
    std::vector<KeptPair> kept;
    // The row of an attend computed last.
    int64_t b = -1, h = -1, n = -1;
    std::vector<Real> out;
    std::vector<double> magnitude; ///< sum_j |weight_j * v_je|
    Real lse = 0;
  };

  State &getState(const Node &node);
  void start(Activation &activation, const RegionProgram &program,
             const Surroundings &around, int64_t b, int64_t h);
  void startRow(Activation &activation, const Surroundings &around, int64_t row,
                int64_t i);
  void runPair(Activation &activation, const AttendNode &node, int64_t j,
               llvm::ArrayRef<Real> dots);

  void computeMap(const MapNode &node, int64_t b, int64_t h, int64_t n,
                  Cell<Real> *row);
  void computeAttend(const AttendNode &node, int64_t b, int64_t h, int64_t n);
  void computeMerge(const MergeNode &node, int64_t b, int64_t h, int64_t n,
                    Cell<Real> *row);
  /// The log-sum-exp of row n of an attend or a merge.
  Real computeLse(const Node &node, int64_t b, int64_t h, int64_t n);
  void selectPairs(const AttendNode &node, State &state, int64_t b, int64_t h,
                   int64_t n);
  void computeDots(const AttendNode &node, State &state, int64_t j);
  void sumPairs(const AttendNode &node, State &state,
                llvm::ArrayRef<Real> weights, Real divisor);
  void reducePairs(const AttendNode &node, State &state);
  // Where rows stand beside one number per pair (RowsOfPairs.cpp).
  void carryTo(const AttendNode &node, State &state, int64_t b, int64_t h,
               int64_t i);
  void reduceFeatures(const AttendNode &node, State &state);
  const Real *getKeyRow(const AttendNode &node, const State &state,
                        size_t operand, int64_t j) const;
  double measureScale(RowIndex row, llvm::ArrayRef<Cell<Real>> out);
  Real roundToResult(const Node &node, Real value) const;

  const Graph &graph;
  const Tables<Real> &tables;
  std::vector<State> states; // by node number
  bool countOnly = false;
  int64_t keptPairs = 0;
  /// A small change of every sum, used to measure how maps carry it on: 0 none,
  /// 1 upwards in every feature, 2 up and down in turn.
  int change = 0;
};

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_ROWEVALUATOR_H
