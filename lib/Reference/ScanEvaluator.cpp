// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Reference/ScanEvaluator.h"

namespace rapt::reference {

namespace {
template <typename Real> class HeadScan {
public:
  HeadScan(const ScanNode &node, llvm::ArrayRef<Real *> outputs,
           llvm::ArrayRef<Real *> finals)
      : node(node), outputs(outputs), finals(finals) {}

  void run(int64_t b, int64_t h);

private:
  void load(const TensorView &view, int64_t b, int64_t h, int64_t n,
            unsigned argument);
  void step(int64_t b, int64_t h, int64_t j);

  const ScanNode &node;
  llvm::ArrayRef<Real *> outputs, finals;
  std::vector<Cell<Real>> cells, next;
};
} // namespace

/// Row n of an operand to an argument of the body; zero if there is no row n.
template <typename Real>
void HeadScan<Real>::load(const TensorView &view, int64_t b, int64_t h,
                          int64_t n, unsigned argument) {
  Cell<Real> *row = &cells[node.body.getArgument(argument)];
  int64_t indices[] = {b * view.sizes[0] / node.shape.batch,
                       h * view.sizes[1] / node.shape.heads, n, 0};
  for (int64_t &d = indices[3]; d < view.sizes[3]; ++d)
    if (support::isFloat(view.type))
      row[d].real = static_cast<Real>(readReal(view, indices));
    else
      row[d].integer = readInteger(view, indices);
}

template <typename Real>
void HeadScan<Real>::step(int64_t b, int64_t h, int64_t j) {
  int64_t row = j - (node.shape.keys - node.shape.queries);
  cells[node.body.getArgument(2)].integer = row;
  cells[node.body.getArgument(3)].integer = j;
  unsigned argument = attn::ScanOp::kPositions + node.states;
  for (const TensorView &view : node.queries)
    load(view, b, h, row, argument++);
  for (const TensorView &view : node.keys)
    load(view, b, h, j, argument++);
  node.body.run(Level::Pair, cells.data(), node.getSurroundings());
  llvm::ArrayRef<RegionProgram::Result> results = node.body.getResults();
  if (row >= 0)
    for (auto [p, result] : llvm::enumerate(results.drop_front(node.states)))
      for (int32_t d = 0; d < result.count; ++d) {
        Real value = cells[result.cell + d].real;
        if constexpr (std::is_same_v<Real, float>)
          value =
              static_cast<float>(support::roundTo(node.outputTypes[p], value));
        outputs[p][((b * node.shape.heads + h) * node.shape.queries + row) *
                       result.count +
                   d] = value;
      }
  // All states at once: one may be what another was.
  next.clear();
  for (const RegionProgram::Result &result : results.take_front(node.states))
    for (int32_t d = 0; d < result.count; ++d)
      next.push_back(cells[result.cell + d]);
  size_t place = 0;
  for (auto [s, result] : llvm::enumerate(results.take_front(node.states)))
    for (int32_t d = 0; d < result.count; ++d)
      cells[node.body.getArgument(attn::ScanOp::kPositions + s) + d] =
          next[place++];
}

template <typename Real> void HeadScan<Real>::run(int64_t b, int64_t h) {
  Surroundings around = node.getSurroundings();
  auto start = [&](const RegionProgram &program,
                   std::vector<Cell<Real>> &place) {
    place = program.makeCells<Real>();
    program.run(Level::Constant, place.data(), around);
    place[program.getArgument(0)].integer = b;
    place[program.getArgument(1)].integer = h;
    program.run(Level::Head, place.data(), around);
  };
  std::vector<Cell<Real>> initial;
  start(node.initial, initial);
  start(node.body, cells);
  for (auto [s, result] : llvm::enumerate(node.initial.getResults()))
    for (int32_t d = 0; d < result.count; ++d)
      cells[node.body.getArgument(attn::ScanOp::kPositions + s) + d] =
          initial[result.cell + d];
  for (int64_t n = 0; n < node.shape.keys; ++n)
    step(b, h, node.isReverse ? node.shape.keys - 1 - n : n);
  for (auto [s, result] : llvm::enumerate(node.initial.getResults()))
    for (int32_t d = 0; d < result.count; ++d)
      finals[s][(b * node.shape.heads + h) * result.count + d] =
          cells[node.body.getArgument(attn::ScanOp::kPositions + s) + d].real;
}

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
       node.body.getResults().drop_front(node.states))
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
