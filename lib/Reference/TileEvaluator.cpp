// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Reference/TileEvaluator.h"
#include "lib/Reference/TileValues.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using llvm::Error;

namespace rapt::reference {

namespace {
/// Walks a program: launches, loops and the operations inside them.
template <typename Real> class TileEvaluator {
public:
  Error runProgram(tile::ProgramOp program, llvm::ArrayRef<ViewValue> views);

private:
  Error runBlock(Block &block, Environment<Real> &values);
  Error run(Operation *op, Environment<Real> &values);
  Error runWorkspace(tile::WorkspaceOp op, Environment<Real> &values);
  Error runLaunch(tile::LaunchOp op, Environment<Real> &values);
  Error runFor(tile::ForOp op, Environment<Real> &values);
  Error runRuns(tile::RunsOp op, Environment<Real> &values);
  Error runForRuns(tile::ForRunsOp op, Environment<Real> &values);

  static std::vector<RuntimeValue<Real>> getAll(ValueRange operands,
                                                Environment<Real> &values) {
    std::vector<RuntimeValue<Real>> known;
    for (Value operand : operands)
      known.push_back(values.get(operand));
    return known;
  }
  static void setIndex(Value value, int64_t index, Environment<Real> &values) {
    values.set(value, Cell<Real>{.integer = index});
  }
  /// Runs the body of a loop once: takes and gives the carried values.
  Error runBody(Block &body, unsigned firstCarried,
                std::vector<RuntimeValue<Real>> &carried,
                Environment<Real> &values) {
    for (auto [argument, value] :
         llvm::zip_equal(body.getArguments().drop_front(firstCarried), carried))
      values.set(argument, value);
    if (Error error = runBlock(body, values))
      return error;
    carried = getAll(cast<tile::YieldOp>(body.back()).getValues(), values);
    return Error::success();
  }

  std::vector<std::unique_ptr<std::vector<char>>> workspaces;
};
} // namespace

template <typename Real>
Error TileEvaluator<Real>::runProgram(tile::ProgramOp program,
                                      llvm::ArrayRef<ViewValue> views) {
  Block &body = program.getBody().front();
  if (body.getNumArguments() != views.size())
    return llvm::createStringError(
        llvm::formatv("the program has {0} arguments and results, got {1}",
                      body.getNumArguments(), views.size()));
  Environment<Real> values;
  for (auto [argument, view] : llvm::zip_equal(body.getArguments(), views)) {
    auto type = dyn_cast<tile::ViewType>(argument.getType());
    auto element = type ? getElementType(type.getElementType()) : std::nullopt;
    unsigned index = argument.getArgNumber();
    if (!element)
      return llvm::createStringError(
          llvm::formatv("argument {0} of the program is not a view", index));
    bool bothFloat = support::isFloat(*element) && support::isFloat(view.type);
    if (view.type != *element && !(bothFloat && view.isWritable))
      return llvm::createStringError(
          llvm::formatv("argument {0} has element type {1}, expected {2}",
                        index, support::getElementTypeName(view.type),
                        support::getElementTypeName(*element)));
    if (view.sizes.size() != type.getRank() ||
        view.strides.size() != type.getRank())
      return llvm::createStringError(
          llvm::formatv("argument {0} has {1} dimensions, expected {2}", index,
                        view.sizes.size(), type.getRank()));
    values.set(argument, view);
  }
  return runBlock(body, values);
}

template <typename Real>
Error TileEvaluator<Real>::runBlock(Block &block, Environment<Real> &values) {
  for (Operation &op : block)
    if (!isa<tile::YieldOp, tile::ReturnOp>(op))
      if (Error error = run(&op, values))
        return error;
  return Error::success();
}

template <typename Real>
Error TileEvaluator<Real>::run(Operation *op, Environment<Real> &values) {
  bool isKnown = true;
  Error error =
      llvm::TypeSwitch<Operation *, Error>(op)
          .Case([&](tile::WorkspaceOp op) { return runWorkspace(op, values); })
          .Case([&](tile::LaunchOp op) { return runLaunch(op, values); })
          .Case([&](tile::ForOp op) { return runFor(op, values); })
          .Case([&](tile::RunsOp op) { return runRuns(op, values); })
          .Case([&](tile::ForRunsOp op) { return runForRuns(op, values); })
          .Case([&](tile::MapOp op) { return executeMap(op, values); })
          .Default([&](Operation *op) -> Error {
            if (Error error = executeTileOperation(op, values, isKnown))
              return error;
            return isKnown ? Error::success()
                           : executeScalar(op, values, isKnown);
          });
  if (error)
    return error;
  if (!isKnown)
    return llvm::createStringError("the Reference cannot evaluate " +
                                   op->getName().getStringRef() +
                                   ": not an operation of a tile program");
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

template <typename Real>
Error TileEvaluator<Real>::runWorkspace(tile::WorkspaceOp op,
                                        Environment<Real> &values) {
  ViewValue view;
  auto type = cast<tile::ViewType>(op.getView().getType());
  auto element = getElementType(type.getElementType());
  if (!element)
    return llvm::createStringError("a workspace must have numbers as elements");
  // In double nothing is rounded on the way through memory either.
  bool isWide = std::is_same_v<Real, double> && support::isFloat(*element);
  view.type = isWide ? support::ElementType::F64 : *element;
  view.isWritable = true;
  int64_t bytes = support::getElementSize(view.type);
  for (Value extent : op.getExtents()) {
    view.sizes.push_back(values.getInteger(extent));
    if (view.sizes.back() < 0 ||
        llvm::MulOverflow(bytes, view.sizes.back(), bytes) ||
        bytes > (int64_t(1) << 40))
      return llvm::createStringError("a workspace has a wrong extent");
  }
  view.strides = TensorView::getDenseStrides(view.sizes);
  // All bits set: a NaN in every float type.
  workspaces.push_back(std::make_unique<std::vector<char>>(bytes, '\xff'));
  view.data = workspaces.back()->data();
  values.set(op.getView(), view);
  return Error::success();
}

template <typename Real>
Error TileEvaluator<Real>::runLaunch(tile::LaunchOp op,
                                     Environment<Real> &values) {
  auto kernel = SymbolTable::lookupNearestSymbolFrom<tile::KernelOp>(
      op->getParentOp(), op.getKernelAttr());
  if (!kernel)
    return llvm::createStringError("tile.launch names no kernel: " +
                                   op.getKernel());
  Block &body = kernel.getBody().front();
  int64_t last = values.getInteger(op.getZ());
  for (int64_t x = 0; x < values.getInteger(op.getX()); ++x)
    for (int64_t y = 0; y < values.getInteger(op.getY()); ++y)
      for (int64_t z = 0; z < last; ++z) {
        Environment<Real> own; // kernels are isolated from above
        setIndex(body.getArgument(0), x, own);
        setIndex(body.getArgument(1), y, own);
        setIndex(body.getArgument(2), op.getDescending() ? last - 1 - z : z,
                 own);
        for (auto [argument, value] :
             llvm::zip_equal(body.getArguments().drop_front(3), op.getArgs()))
          own.set(argument, values.get(value));
        if (Error error = runBlock(body, own))
          return error;
      }
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

template <typename Real>
Error TileEvaluator<Real>::runFor(tile::ForOp op, Environment<Real> &values) {
  Block &body = op.getBody().front();
  int64_t step = values.getInteger(op.getStep());
  if (step <= 0)
    return llvm::createStringError(
        llvm::formatv("tile.for must have a positive step, got {0}", step));
  std::vector<RuntimeValue<Real>> carried = getAll(op.getInits(), values);
  int64_t upper = values.getInteger(op.getUpper());
  for (int64_t k = values.getInteger(op.getLower()); k < upper; k += step) {
    setIndex(body.getArgument(0), k, values);
    if (Error error = runBody(body, 1, carried, values))
      return error;
  }
  for (auto [result, value] : llvm::zip_equal(op.getResults(), carried))
    values.set(result, value);
  return Error::success();
}

template <typename Real>
Error TileEvaluator<Real>::runRuns(tile::RunsOp op, Environment<Real> &values) {
  int64_t extent = values.getInteger(op.getExtent());
  auto step = static_cast<int64_t>(op.getStep());
  auto runs = std::make_shared<std::vector<Run>>();
  for (int64_t start = 0; start < extent; start += step) {
    int64_t length = std::min(step, extent - start);
    bool any = true, all = true;
    if (!op.getClassify().empty()) {
      Block &body = op.getClassify().front();
      setIndex(body.getArgument(0), start, values);
      setIndex(body.getArgument(1), start + length - 1, values);
      if (Error error = runBlock(body, values))
        return error;
      auto yield = cast<tile::YieldOp>(body.back());
      any = values.getInteger(yield.getValues()[0]);
      all = values.getInteger(yield.getValues()[1]);
    }
    if (any)
      runs->push_back({start, length, all && length == step});
  }
  values.set(op.getDomain(), std::shared_ptr<const std::vector<Run>>(runs));
  return Error::success();
}

template <typename Real>
Error TileEvaluator<Real>::runForRuns(tile::ForRunsOp op,
                                      Environment<Real> &values) {
  auto runs = std::get<std::shared_ptr<const std::vector<Run>>>(
      values.get(op.getDomain()));
  std::vector<RuntimeValue<Real>> carried = getAll(op.getInits(), values);
  for (const Run &run : *runs) {
    Block &body = run.isFull ? op.getFull().front() : op.getPartial().front();
    setIndex(body.getArgument(0), run.start, values);
    setIndex(body.getArgument(1), run.length, values);
    if (Error error = runBody(body, 2, carried, values))
      return error;
  }
  for (auto [result, value] : llvm::zip_equal(op.getResults(), carried))
    values.set(result, value);
  return Error::success();
}

Error evaluateTileProgram(tile::ProgramOp program,
                          llvm::ArrayRef<TensorView> arguments,
                          llvm::ArrayRef<ResultView> results,
                          Precision precision) {
  std::vector<ViewValue> views;
  for (const TensorView &view : arguments) // not writable, so never written
    views.push_back({static_cast<char *>(const_cast<void *>(view.data)), false,
                     view.type, view.sizes, view.strides});
  for (const ResultView &view : results)
    views.push_back({static_cast<char *>(view.data), true, view.type,
                     view.sizes, view.strides});
  if (precision == Precision::Exact)
    return TileEvaluator<double>().runProgram(program, views);
  return TileEvaluator<float>().runProgram(program, views);
}

} // namespace rapt::reference
