// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Reference/MaskEvaluator.h"
#include "lib/Reference/AttnGraph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/STLExtras.h"
#include <thread>

using llvm::Expected;

namespace rapt::reference {

using Cells = std::vector<Cell<double>>;

namespace {
/// The mask of one loop, with the tensors that it reads.
struct Mask {
  std::optional<RegionProgram> program;
  std::vector<TensorView> captures;
  MaskedLoop loop;

  Surroundings getSurroundings() const {
    return {captures, loop.heads, loop.queries, loop.keys, /*firstBatch=*/0};
  }
};

/// Finds what masks are made of in a spec.
class MaskBuilder {
public:
  MaskBuilder(mlir::func::FuncOp spec, llvm::ArrayRef<NamedTensor> tensors)
      : spec(spec), tensors(tensors) {}

  Expected<Mask> build(attn::AttendOp op);

private:
  /// An argument of the spec; null for what the spec computes.
  Expected<std::optional<TensorView>> getView(mlir::Value value);
  Expected<int64_t> getExtent(mlir::Value value);

  mlir::func::FuncOp spec;
  llvm::ArrayRef<NamedTensor> tensors;
};
} // namespace

Expected<std::optional<TensorView>> MaskBuilder::getView(mlir::Value value) {
  if (auto unsqueeze = value.getDefiningOp<attn::UnsqueezeOp>()) {
    auto view = getView(unsqueeze.getSource());
    if (view && *view) {
      int64_t position = unsqueeze.getPosition();
      (*view)->sizes.insert((*view)->sizes.begin() + position, 1);
      (*view)->strides.insert((*view)->strides.begin() + position, 0);
    }
    return view;
  }
  auto argument = llvm::dyn_cast<mlir::BlockArgument>(value);
  if (!argument)
    return std::nullopt;
  auto name = spec.getArgAttrOfType<mlir::StringAttr>(argument.getArgNumber(),
                                                      attn::kNameAttr);
  auto type = llvm::dyn_cast<mlir::RankedTensorType>(argument.getType());
  if (!name || !type)
    return llvm::createStringError("an argument is not a tensor with a name");
  for (const NamedTensor &tensor : tensors) {
    if (tensor.name != name.getValue())
      continue;
    if (tensor.view.getRank() != type.getRank() ||
        tensor.view.strides.size() != tensor.view.sizes.size())
      return llvm::createStringError(
          "'" + tensor.name + "' has " + std::to_string(tensor.view.getRank()) +
          " dimensions, expected " + std::to_string(type.getRank()));
    return tensor.view;
  }
  return llvm::createStringError("no tensor is given for '" + name.getValue() +
                                 "'");
}

Expected<int64_t> MaskBuilder::getExtent(mlir::Value value) {
  if (auto constant = value.getDefiningOp<mlir::arith::ConstantOp>())
    if (auto number = llvm::dyn_cast<mlir::IntegerAttr>(constant.getValue()))
      return number.getInt();
  if (auto division = value.getDefiningOp<mlir::arith::CeilDivSIOp>()) {
    auto lhs = getExtent(division.getLhs());
    if (!lhs)
      return lhs;
    auto rhs = getExtent(division.getRhs());
    if (!rhs || *rhs >= 1)
      return rhs ? Expected<int64_t>((*lhs + *rhs - 1) / *rhs) : std::move(rhs);
  }
  if (auto axis = value.getDefiningOp<attn::AxisOp>())
    if (auto place = attn::findAxis(spec, axis.getName())) {
      auto view = getView(spec.getArgument(place->argument));
      if (!view)
        return view.takeError();
      if (*view && place->dimension < (*view)->sizes.size())
        return (*view)->sizes[place->dimension];
    }
  return llvm::createStringError(
      "an extent of a spec must be an axis or a constant");
}

Expected<Mask> MaskBuilder::build(attn::AttendOp op) {
  Mask mask;
  MaskedLoop &loop = mask.loop;
  for (auto [value, extent] :
       {std::pair<mlir::Value, int64_t *>{op.getBatch(), &loop.batch},
        {op.getHeads(), &loop.heads},
        {op.getQueryCount(), &loop.queries},
        {op.getKeyCount(), &loop.keys}}) {
    auto found = getExtent(value);
    if (!found)
      return found.takeError();
    *extent = *found;
  }
  loop.hasMask = !op.getMask().empty();
  if (!loop.hasMask)
    return mask;
  // b, h; row, i; j and the products.
  llvm::SmallVector<Level> levels{Level::Head, Level::Head, Level::Row,
                                  Level::Row, Level::Pair};
  levels.append(op.getNumProducts(), Level::Pair);
  auto program = RegionProgram::compile(op.getMask(), levels);
  if (!program)
    return program.takeError();
  for (unsigned product = 0; product < op.getNumProducts(); ++product)
    loop.isKnown &=
        !program->readsArgument(attn::AttendOp::kPairPositions + product);
  loop.readsBatch = program->readsArgument(0);
  loop.readsHead = program->readsArgument(1);
  auto arguments =
      op.getMask().front().getArguments().take_back(op.getCaptures().size());
  for (auto [capture, argument] : llvm::zip(op.getCaptures(), arguments)) {
    auto view = getView(capture);
    if (!view)
      return view.takeError();
    mask.captures.push_back(view->value_or(TensorView()));
    loop.isKnown &= mask.captures.back().data || argument.use_empty();
  }
  mask.program = std::move(*program);
  return mask;
}

struct MaskEvaluator::Implementation {
  std::vector<Mask> masks;
  std::vector<MaskedLoop> loops;
};

Expected<MaskEvaluator>
MaskEvaluator::create(mlir::func::FuncOp spec,
                      llvm::ArrayRef<NamedTensor> tensors) {
  auto implementation = std::make_unique<Implementation>();
  MaskBuilder builder(spec, tensors);
  for (auto attend : spec.getBody().getOps<attn::AttendOp>()) {
    auto mask = builder.build(attend);
    if (!mask)
      return mask.takeError();
    implementation->loops.push_back(mask->loop);
    implementation->masks.push_back(std::move(*mask));
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

/// Calls `visit` with whether each pair of the rectangle is kept, row after
/// row. `cells` are those of one thread, made by the program.
template <typename F>
static void visitPairs(const Mask &mask, const PairRectangle &rectangle,
                       Cells &cells, F visit) {
  const RegionProgram &program = *mask.program;
  Surroundings around = mask.getSurroundings();
  auto argument = [&](unsigned n) -> int64_t & {
    return cells[program.getArgument(n)].integer;
  };
  argument(0) = rectangle.b;
  argument(1) = rectangle.h;
  program.run(Level::Constant, cells.data(), around);
  program.run(Level::Head, cells.data(), around);
  for (int64_t row = rectangle.firstRow; row < rectangle.lastRow; ++row) {
    argument(2) = row;
    argument(3) = row + mask.loop.keys - mask.loop.queries;
    program.run(Level::Row, cells.data(), around);
    for (int64_t key = rectangle.firstKey; key < rectangle.lastKey; ++key) {
      argument(4) = key;
      program.run(Level::Pair, cells.data(), around);
      visit(cells[program.getResult()].integer != 0);
    }
  }
}

std::vector<int64_t>
MaskEvaluator::countPairs(size_t loop, llvm::ArrayRef<PairRectangle> rectangles,
                          unsigned threads) const {
  const Mask &mask = implementation->masks[loop];
  std::vector<int64_t> counts(rectangles.size());
  if (!mask.program) {
    for (auto [count, rectangle] : llvm::zip(counts, rectangles))
      count = rectangle.getPairs();
    return counts;
  }
  if (threads == 0)
    threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<Cells> cells;
  for (unsigned worker = 0; worker < threads; ++worker)
    cells.push_back(mask.program->makeCells<double>());
  parallelFor(counts.size(), threads, [&](unsigned worker, int64_t index) {
    // A sum of its own: neighbours in `counts` share a cache line.
    int64_t kept = 0;
    visitPairs(mask, rectangles[index], cells[worker],
               [&](bool isKept) { kept += isKept; });
    counts[index] = kept;
  });
  return counts;
}

std::vector<bool>
MaskEvaluator::getPairs(size_t loop, const PairRectangle &rectangle) const {
  const Mask &mask = implementation->masks[loop];
  if (!mask.program)
    return std::vector<bool>(rectangle.getPairs(), true);
  std::vector<bool> kept;
  Cells cells = mask.program->makeCells<double>();
  visitPairs(mask, rectangle, cells,
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
