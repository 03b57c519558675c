// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Reference/MaskEvaluator.h"
#include "lib/Reference/AttnGraph.h"
#include "llvm/ADT/STLExtras.h"
#include <thread>

using llvm::Expected;

namespace rapt::reference {

using Cells = std::vector<Cell<double>>;

struct MaskEvaluator::Implementation {
  Graph graph;
  std::vector<const AttendNode *> nodes;
  std::vector<MaskedLoop> loops;

  /// Calls `visit` with whether each pair of the rectangle is kept, row after
  /// row. `cells` are those of one thread, made by the program.
  template <typename F>
  void visitPairs(const AttendNode &node, const PairRectangle &rectangle,
                  Cells &cells, F visit) const;
};

/// Whether nothing that the mask reads has still to be computed.
static bool isKnown(const AttendNode &node) {
  const RegionProgram &mask = *node.mask;
  unsigned next = attn::AttendOp::kPairPositions;
  for (size_t product = 0; product < node.queries.size(); ++product)
    if (mask.readsArgument(next++))
      return false;
  return true;
}

Expected<MaskEvaluator>
MaskEvaluator::create(mlir::func::FuncOp spec,
                      llvm::ArrayRef<NamedTensor> tensors) {
  // Numbers that a kernel computes are places without data.
  auto rows = [](const Node &node) {
    int64_t sizes[] = {node.shape.batch, node.shape.heads, node.length,
                       node.features};
    return TensorView::getDense(nullptr, node.resultType, sizes);
  };
  auto scan = [](const ScanNode &) { return std::vector<TensorView>(); };
  if (!spec.getBody().getOps<attn::ScanOp>().empty())
    return llvm::createStringError("a recurrence has no mask");
  auto implementation = std::make_unique<Implementation>();
  Graph &graph = implementation->graph;
  if (llvm::Error error = buildGraph(spec, tensors, graph, {rows, scan}))
    return std::move(error);
  std::vector<attn::AttendOp> attends;
  for (auto attend : spec.getBody().getOps<attn::AttendOp>())
    attends.push_back(attend);
  for (const auto &node : graph.nodes) {
    auto *attend = dynamic_cast<const AttendNode *>(node.get());
    if (!attend)
      continue;
    MaskedLoop loop{attend->shape.batch,      attend->shape.heads,
                    attend->shape.queries,    attend->shape.keys,
                    attend->mask.has_value(), true};
    if (loop.hasMask) {
      mlir::Region &mask = attends[implementation->nodes.size()].getMask();
      auto captures =
          mask.front().getArguments().take_back(attend->captures.size());
      loop.isKnown = isKnown(*attend);
      for (auto [view, argument] : llvm::zip(attend->captures, captures))
        loop.isKnown &= view.data || argument.use_empty();
    }
    implementation->nodes.push_back(attend);
    implementation->loops.push_back(loop);
  }
  return MaskEvaluator(std::move(implementation));
}

MaskEvaluator::MaskEvaluator(std::unique_ptr<Implementation> implementation)
    : implementation(std::move(implementation)) {}
MaskEvaluator::MaskEvaluator(MaskEvaluator &&) = default;
MaskEvaluator &MaskEvaluator::operator=(MaskEvaluator &&) = default;
MaskEvaluator::~MaskEvaluator() = default;

llvm::ArrayRef<MaskedLoop> MaskEvaluator::getLoops() const {
  return implementation->loops;
}

template <typename F>
void MaskEvaluator::Implementation::visitPairs(const AttendNode &node,
                                               const PairRectangle &rectangle,
                                               Cells &cells, F visit) const {
  const RegionProgram &mask = *node.mask;
  Surroundings around = node.getSurroundings();
  auto argument = [&](unsigned n) -> int64_t & {
    return cells[mask.getArgument(n)].integer;
  };
  argument(0) = rectangle.b;
  argument(1) = rectangle.h;
  mask.run(Level::Constant, cells.data(), around);
  mask.run(Level::Head, cells.data(), around);
  for (int64_t row = rectangle.firstRow; row < rectangle.lastRow; ++row) {
    argument(2) = row;
    argument(3) = row + node.shape.keys - node.shape.queries;
    mask.run(Level::Row, cells.data(), around);
    for (int64_t key = rectangle.firstKey; key < rectangle.lastKey; ++key) {
      argument(4) = key;
      mask.run(Level::Pair, cells.data(), around);
      visit(cells[mask.getResult()].integer != 0);
    }
  }
}

std::vector<int64_t>
MaskEvaluator::countPairs(size_t loop, llvm::ArrayRef<PairRectangle> rectangles,
                          unsigned threads) const {
  const AttendNode &node = *implementation->nodes[loop];
  std::vector<int64_t> counts(rectangles.size());
  if (!node.mask) {
    for (auto [count, rectangle] : llvm::zip(counts, rectangles))
      count = rectangle.getPairs();
    return counts;
  }
  if (threads == 0)
    threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<Cells> cells;
  for (unsigned worker = 0; worker < threads; ++worker)
    cells.push_back(node.mask->makeCells<double>());
  parallelFor(counts.size(), threads, [&](unsigned worker, int64_t index) {
    // A sum of its own: neighbours in `counts` share a cache line.
    int64_t kept = 0;
    implementation->visitPairs(node, rectangles[index], cells[worker],
                               [&](bool isKept) { kept += isKept; });
    counts[index] = kept;
  });
  return counts;
}

std::vector<bool>
MaskEvaluator::getPairs(size_t loop, const PairRectangle &rectangle) const {
  const AttendNode &node = *implementation->nodes[loop];
  if (!node.mask)
    return std::vector<bool>(rectangle.getPairs(), true);
  std::vector<bool> kept;
  Cells cells = node.mask->makeCells<double>();
  implementation->visitPairs(node, rectangle, cells,
                             [&](bool isKept) { kept.push_back(isKept); });
  return kept;
}

std::vector<std::string> getMaskArguments(mlir::func::FuncOp spec) {
  std::vector<std::string> names;
  spec.walk([&](attn::AttendOp attend) {
    if (attend.getMask().empty())
      return;
    auto arguments = attend.getMask().front().getArguments().take_back(
        attend.getCaptures().size());
    for (auto [capture, argument] :
         llvm::zip(attend.getCaptures(), arguments)) {
      if (argument.use_empty())
        continue;
      mlir::Value tensor = capture;
      while (auto unsqueeze = tensor.getDefiningOp<attn::UnsqueezeOp>())
        tensor = unsqueeze.getSource();
      auto own = llvm::dyn_cast<mlir::BlockArgument>(tensor);
      if (!own)
        continue;
      auto name = spec.getArgAttrOfType<mlir::StringAttr>(own.getArgNumber(),
                                                          attn::kNameAttr);
      if (name && !llvm::is_contained(names, name.str()))
        names.push_back(name.str());
    }
  });
  return names;
}

} // namespace rapt::reference
