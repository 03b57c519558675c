// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Regions of pairs over tensors in memory, for the operations whose results
/// are computed whole before anything reads them: weights, selections,
/// aggregates. Internal to the Reference.

#ifndef RAPT_LIB_REFERENCE_PAIREVALUATOR_H
#define RAPT_LIB_REFERENCE_PAIREVALUATOR_H

#include "lib/Reference/AttnGraph.h"

namespace rapt::reference {

/// What a loop over pairs runs over: `queries` [B', H', M, D] and `keys`
/// [B', H', N, D], in pairs that are multiplied, and captured tensors.
struct PairOperands {
  Shape shape;
  std::vector<TensorView> queries, keys, captures;

  Surroundings getSurroundings() const {
    return {captures, shape.heads, shape.queries, shape.keys,
            shape.placement.sequence};
  }
};

/// The levels of the arguments of a region of a pair, and of one of a query.
llvm::SmallVector<Level> getPairLevels(unsigned products);
llvm::SmallVector<Level> getQueryLevels();

/// Runs regions at one place after the other, in one thread.
template <typename Real> class PairEvaluator {
public:
  explicit PairEvaluator(const PairOperands &operands) : operands(operands) {}

  /// Registers a region, of pairs or of queries, and returns its number. Its
  /// program must stay alive.
  unsigned add(const RegionProgram &program, bool isOfPairs = true);

  /// Moves to a query. `moveToPair` then gives its pairs.
  void moveToQuery(int64_t b, int64_t h, int64_t row);
  void moveToPair(int64_t j);

  /// The first cell of the value of a region of a query, or of a pair.
  const Cell<Real> *runQuery(unsigned region);
  const Cell<Real> *runPair(unsigned region);

private:
  struct Activation {
    const RegionProgram *program;
    bool readsDots;
    std::vector<Cell<Real>> cells;
    int64_t b = -1, h = -1, row = -1;
  };
  void start(Activation &activation);
  void computeDots();

  const PairOperands &operands;
  std::vector<Activation> activations;
  std::vector<Real> dots; ///< Of the present pair, once something reads them.
  int64_t b = 0, h = 0, row = 0, j = 0;
};

extern template class PairEvaluator<double>;
extern template class PairEvaluator<float>;

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_PAIREVALUATOR_H
