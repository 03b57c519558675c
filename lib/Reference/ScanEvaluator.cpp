// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Reference/ScanEvaluator.h"
#include "lib/Reference/HeadScan.h"

namespace rapt::reference {

template <typename Real>
void HeadScan<Real>::start(const RegionProgram &program, Cells &cells,
                           int64_t b, int64_t h) {
  Surroundings around = node.getSurroundings();
  cells = program.makeCells<Real>();
  program.run(Level::Constant, cells.data(), around);
  cells[program.getArgument(0)].integer = b;
  cells[program.getArgument(1)].integer = h;
  program.run(Level::Head, cells.data(), around);
}

/// Row n of an operand to an argument; zero if there is no row n.
template <typename Real>
void HeadScan<Real>::load(const RegionProgram &program, Cells &cells,
                          unsigned argument, const TensorView &view, int64_t b,
                          int64_t h, int64_t n) {
  Cell<Real> *row = &cells[program.getArgument(argument)];
  int64_t indices[] = {b * view.sizes[0] / node.shape.batch,
                       h * view.sizes[1] / node.shape.heads, n, 0};
  for (int64_t &d = indices[3]; d < view.sizes[3]; ++d)
    if (support::isFloat(view.type))
      row[d].real = static_cast<Real>(readReal(view, indices));
    else
      row[d].integer = readInteger(view, indices);
}

/// All states to arguments from `argument` on.
template <typename Real>
void HeadScan<Real>::setStates(const RegionProgram &program, Cells &cells,
                               unsigned argument, const Cells &values) {
  for (unsigned s = 0; s < node.states; ++s)
    std::copy_n(&values[getOffset(s)], getCount(s),
                &cells[program.getArgument(argument + s)]);
}

template <typename Real> size_t HeadScan<Real>::getCount(unsigned state) const {
  return node.initial.getResults()[state].count;
}
template <typename Real>
size_t HeadScan<Real>::getOffset(unsigned state) const {
  size_t offset = 0;
  for (unsigned s = 0; s < state; ++s)
    offset += getCount(s);
  return offset;
}

template <typename Real>
void HeadScan<Real>::store(const Cells &cells,
                           llvm::ArrayRef<RegionProgram::Result> rows,
                           int64_t b, int64_t h, int64_t row) {
  if (row < 0)
    return; // there is no query at this step
  int64_t place = (b * node.shape.heads + h) * node.shape.queries + row;
  for (auto [p, result] : llvm::enumerate(rows))
    for (int32_t d = 0; d < result.count; ++d) {
      Real value = cells[result.cell + d].real;
      if constexpr (std::is_same_v<Real, float>)
        value =
            static_cast<float>(support::roundTo(node.outputTypes[p], value));
      outputs[p][place * result.count + d] = value;
    }
}

template <typename Real>
void HeadScan<Real>::step(int64_t b, int64_t h, int64_t j) {
  int64_t row = j - (node.shape.keys - node.shape.queries);
  const RegionProgram &body = node.body;
  bodyCells[body.getArgument(2)].integer = row;
  bodyCells[body.getArgument(3)].integer = j;
  unsigned argument = attn::ScanOp::kPositions;
  setStates(body, bodyCells, argument, states);
  argument += node.states;
  for (const TensorView &view : node.queries)
    load(body, bodyCells, argument++, view, b, h, row);
  for (const TensorView &view : node.keys)
    load(body, bodyCells, argument++, view, b, h, j);
  body.run(Level::Pair, bodyCells.data(), node.getSurroundings());
  llvm::ArrayRef<RegionProgram::Result> results = body.getResults();
  store(bodyCells, results.drop_front(node.states), b, h, row);
  // All states at once: one may be what another was.
  for (unsigned s = 0; s < node.states; ++s)
    std::copy_n(&bodyCells[results[s].cell], getCount(s),
                &states[getOffset(s)]);
}

template <typename Real> void HeadScan<Real>::run(int64_t b, int64_t h) {
  Cells initial;
  start(node.initial, initial, b, h);
  states.clear();
  for (const RegionProgram::Result &result : node.initial.getResults())
    states.insert(states.end(), initial.begin() + result.cell,
                  initial.begin() + result.cell + result.count);
  if (node.affine) {
    start(node.affine->step, stepCells, b, h);
    start(node.affine->read, readCells, b, h);
  } else {
    start(node.body, bodyCells, b, h);
  }
  for (int64_t n = 0; n < node.shape.keys; ++n) {
    int64_t j = node.isReverse ? node.shape.keys - 1 - n : n;
    if (node.affine)
      affineStep(b, h, j);
    else
      step(b, h, j);
  }
  for (unsigned s = 0; s < node.states; ++s)
    for (size_t d = 0; d < getCount(s); ++d)
      finals[s][(b * node.shape.heads + h) * getCount(s) + d] =
          states[getOffset(s) + d].real;
}

template class HeadScan<double>;
template class HeadScan<float>;

template <typename Real>
std::vector<TensorView>
evaluateScan(const ScanNode &node, unsigned threads,
             std::vector<std::unique_ptr<std::vector<char>>> &storage) {
  const Shape &shape = node.shape;
  constexpr support::ElementType type = std::is_same_v<Real, double>
                                            ? support::ElementType::F64
                                            : support::ElementType::F32;
  std::vector<TensorView> views;
  auto allocate = [&](llvm::ArrayRef<int64_t> sizes) {
    int64_t count = 1;
    for (int64_t size : sizes)
      count *= size;
    storage.push_back(std::make_unique<std::vector<char>>(
        std::max<int64_t>(count, 1) * sizeof(Real)));
    views.push_back(TensorView::getDense(storage.back()->data(), type, sizes));
    return reinterpret_cast<Real *>(storage.back()->data());
  };
  llvm::SmallVector<Real *> outputs, finals;
  for (const RegionProgram::Result &result :
       node.affine ? node.affine->read.getResults()
                   : node.body.getResults().drop_front(node.states))
    outputs.push_back(
        allocate({shape.batch, shape.heads, shape.queries, result.count}));
  for (llvm::ArrayRef<int64_t> extents : node.stateExtents) {
    llvm::SmallVector<int64_t> sizes{shape.batch, shape.heads};
    llvm::append_range(sizes, extents);
    finals.push_back(allocate(sizes));
  }
  std::vector<HeadScan<Real>> scans(threads, {node, outputs, finals});
  parallelFor(
      shape.batch * shape.heads, threads,
      [&](unsigned worker, int64_t index) {
        scans[worker].run(index / shape.heads, index % shape.heads);
      },
      /*chunk=*/1);
  return views;
}

template std::vector<TensorView>
evaluateScan<double>(const ScanNode &, unsigned,
                     std::vector<std::unique_ptr<std::vector<char>>> &);
template std::vector<TensorView>
evaluateScan<float>(const ScanNode &, unsigned,
                    std::vector<std::unique_ptr<std::vector<char>>> &);

} // namespace rapt::reference
