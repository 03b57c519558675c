// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// attn.affine_scan, transition by transition as the table of attn.transition
// says.

#include "lib/Reference/HeadScan.h"
#include "lib/Reference/Numbers.h"

// A product and a sum are two roundings, never one.
#pragma STDC FP_CONTRACT OFF

namespace rapt::reference {

using attn::TransitionKind;

/// The state after a step from all states before it and its own values.
template <typename Real>
void HeadScan<Real>::apply(unsigned state,
                           llvm::ArrayRef<RegionProgram::Result> values,
                           Cell<Real> *after) {
  attn::TransitionAttr transition = node.affine->transitions[state];
  const Cell<Real> *before = &states[getOffset(state)];
  size_t count = getCount(state);
  const auto &extents = node.stateExtents[state];
  // A row counts as a matrix with one column, a number as one element.
  int64_t rows = extents.empty() ? 1 : extents[0];
  int64_t columns = extents.size() < 2 ? 1 : extents[1];
  auto next = [&] { // the values in their order
    const Cell<Real> *value = &stepCells[values.front().cell];
    values = values.drop_front();
    return value;
  };
  auto forEach = [&](auto function) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        function(r, c, r * columns + c);
  };

  switch (transition.getKind()) {
  case TransitionKind::Nonlinear:
    std::copy_n(next(), count, after);
    return;
  case TransitionKind::Hold:
    if (next()->integer)
      before = &states[getOffset(transition.getPartners().front())];
    std::copy_n(before, count, after);
    return;
  case TransitionKind::MaxPlus: {
    const Cell<Real> *decay = next(), *write = next();
    for (size_t n = 0; n < count; ++n)
      after[n].real = maximum(before[n].real + decay[n].real, write[n].real);
    return;
  }
  case TransitionKind::Identity:
    std::copy_n(before, count, after);
    break;
  case TransitionKind::Reset:
    for (size_t n = 0; n < count; ++n)
      after[n].real = 0;
    break;
  case TransitionKind::Scalar: {
    Real decay = next()->real;
    for (size_t n = 0; n < count; ++n)
      after[n].real = decay * before[n].real;
    break;
  }
  case TransitionKind::Channel: {
    const Cell<Real> *decay = next();
    forEach([&](int64_t r, int64_t c, int64_t n) {
      after[n].real =
          decay[transition.getAxis() == 0 ? r : c].real * before[n].real;
    });
    break;
  }
  case TransitionKind::Element: {
    const Cell<Real> *decay = next();
    for (size_t n = 0; n < count; ++n)
      after[n].real = decay[n].real * before[n].real;
    break;
  }
  case TransitionKind::Coupled:
  case TransitionKind::Rotation: {
    const Cell<Real> *factor = next();
    for (size_t n = 0; n < count; ++n)
      after[n].real = factor[n].real * before[n].real;
    for (int64_t partner : transition.getPartners()) {
      factor = next();
      const Cell<Real> *other = &states[getOffset(partner)];
      for (size_t n = 0; n < count; ++n)
        after[n].real += factor[n].real * other[n].real;
    }
    break;
  }
  }

  for (int64_t term = 0; term < transition.getRank(); ++term) {
    const Cell<Real> *left = next(), *right = next();
    bool isAlongRows = transition.getAxis() == 0;
    // What the right row reads of the state: a number for each column, or for
    // each row.
    std::vector<Real> read(isAlongRows ? columns : rows, 0);
    forEach([&](int64_t r, int64_t c, int64_t n) {
      read[isAlongRows ? c : r] +=
          right[isAlongRows ? r : c].real * before[n].real;
    });
    forEach([&](int64_t r, int64_t c, int64_t n) {
      after[n].real +=
          left[isAlongRows ? r : c].real * read[isAlongRows ? c : r];
    });
  }
  for (int64_t term = 0; term < transition.getWrites(); ++term) {
    const Cell<Real> *lhs = next(), *rhs = next();
    forEach([&](int64_t r, int64_t c, int64_t n) {
      after[n].real += lhs[r].real * rhs[c].real;
    });
  }
  if (transition.getWrites() < 0) {
    const Cell<Real> *write = next();
    for (size_t n = 0; n < count; ++n)
      after[n].real += write[n].real;
  }
}

template <typename Real>
void HeadScan<Real>::affineStep(int64_t b, int64_t h, int64_t j) {
  const RegionProgram &program = node.affine->step;
  unsigned argument = attn::AffineScanOp::kStepPositions;
  stepCells[program.getArgument(2)].integer = j;
  setStates(program, stepCells, argument, states);
  argument += node.states;
  for (const TensorView &view : node.keys)
    load(program, stepCells, argument++, view, b, h, j);
  program.run(Level::Pair, stepCells.data(), node.getSurroundings());
  Cells after(states.size());
  llvm::ArrayRef<RegionProgram::Result> values = program.getResults();
  for (unsigned s = 0; s < node.states; ++s) {
    size_t count = node.affine->valueCounts[s];
    apply(s, values.take_front(count), &after[getOffset(s)]);
    values = values.drop_front(count);
  }

  const RegionProgram &read = node.affine->read;
  int64_t row = j - (node.shape.keys - node.shape.queries);
  readCells[read.getArgument(2)].integer = row;
  readCells[read.getArgument(3)].integer = j;
  argument = attn::AffineScanOp::kReadPositions;
  setStates(read, readCells, argument, states);
  setStates(read, readCells, argument + node.states, after);
  argument += 2 * node.states;
  for (const TensorView &view : node.queries)
    load(read, readCells, argument++, view, b, h, row);
  for (const TensorView &view : node.keys)
    load(read, readCells, argument++, view, b, h, j);
  read.run(Level::Pair, readCells.data(), node.getSurroundings());
  store(readCells, read.getResults(), b, h, row);
  states = std::move(after);
}

template void HeadScan<double>::affineStep(int64_t, int64_t, int64_t);
template void HeadScan<float>::affineStep(int64_t, int64_t, int64_t);

} // namespace rapt::reference
