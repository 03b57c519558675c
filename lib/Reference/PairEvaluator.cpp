// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Reference/PairEvaluator.h"

// A product and a sum are two roundings, never one.
#pragma STDC FP_CONTRACT OFF

namespace rapt::reference {

llvm::SmallVector<Level> getPairLevels(unsigned products) {
  llvm::SmallVector<Level> levels{Level::Head, Level::Head, Level::Row,
                                  Level::Row, Level::Pair};
  levels.append(products, Level::Pair);
  return levels;
}

llvm::SmallVector<Level> getQueryLevels() {
  return {Level::Head, Level::Head, Level::Row, Level::Row};
}

template <typename Real>
unsigned PairEvaluator<Real>::add(const RegionProgram &program,
                                  bool isOfPairs) {
  bool readsDots = false;
  for (unsigned p = 0; isOfPairs && p < operands.queries.size(); ++p)
    readsDots |= program.readsArgument(attn::AttendOp::kPairPositions + p);
  activations.push_back({&program, readsDots, program.makeCells<Real>()});
  program.run(Level::Constant, activations.back().cells.data(),
              operands.getSurroundings());
  return activations.size() - 1;
}

template <typename Real>
void PairEvaluator<Real>::moveToQuery(int64_t b, int64_t h, int64_t row) {
  this->b = b;
  this->h = h;
  this->row = row;
}

/// Element d of row n of an operand that batches and heads may share.
static double getElement(const TensorView &view, const Shape &shape, int64_t b,
                         int64_t h, int64_t n, int64_t d) {
  return readReal(view, {b * view.sizes[0] / shape.batch,
                         h * view.sizes[1] / shape.heads, n, d});
}

template <typename Real> void PairEvaluator<Real>::moveToPair(int64_t j) {
  this->j = j;
  dots.clear();
}

template <typename Real> void PairEvaluator<Real>::computeDots() {
  for (auto [query, key] : llvm::zip(operands.queries, operands.keys)) {
    Real sum = 0;
    for (int64_t d = 0; d < query.sizes[3]; ++d)
      sum +=
          static_cast<Real>(getElement(query, operands.shape, b, h, row, d)) *
          static_cast<Real>(getElement(key, operands.shape, b, h, j, d));
    dots.push_back(sum);
  }
}

template <typename Real>
void PairEvaluator<Real>::start(Activation &activation) {
  const RegionProgram &program = *activation.program;
  Cell<Real> *cells = activation.cells.data();
  Surroundings around = operands.getSurroundings();
  bool isSameHead = activation.b == b && activation.h == h;
  if (!isSameHead) {
    cells[program.getArgument(0)].integer = b;
    cells[program.getArgument(1)].integer = h;
    program.run(Level::Head, cells, around);
  }
  if (isSameHead && activation.row == row)
    return;
  activation.b = b;
  activation.h = h;
  activation.row = row;
  cells[program.getArgument(2)].integer = row;
  cells[program.getArgument(3)].integer = operands.shape.getPosition(row);
  program.run(Level::Row, cells, around);
}

template <typename Real>
const Cell<Real> *PairEvaluator<Real>::runQuery(unsigned region) {
  Activation &activation = activations[region];
  start(activation);
  return &activation.cells[activation.program->getResult()];
}

template <typename Real>
const Cell<Real> *PairEvaluator<Real>::runPair(unsigned region) {
  Activation &activation = activations[region];
  start(activation);
  const RegionProgram &program = *activation.program;
  constexpr unsigned positions = attn::AttendOp::kPairPositions;
  activation.cells[program.getArgument(4)].integer = j;
  if (activation.readsDots && dots.empty())
    computeDots();
  for (auto [index, dot] : llvm::enumerate(dots))
    activation.cells[program.getArgument(positions + index)].real = dot;
  program.run(Level::Pair, activation.cells.data(), operands.getSurroundings());
  return &activation.cells[program.getResult()];
}

template class PairEvaluator<double>;
template class PairEvaluator<float>;

} // namespace rapt::reference
