// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Reference/WholeTensors.h"
#include "llvm/ADT/TypeSwitch.h"

using llvm::Error;
using llvm::Expected;

namespace rapt::reference {

namespace {
/// The operands of one operation, and the first thing that is wrong with them.
class Operands {
public:
  Operands(const GetView &getView, const GetExtent &getExtent)
      : getView(getView), getExtent(getExtent) {}

  TensorView view(mlir::Value value) {
    Expected<TensorView> view = getView(value);
    if (!view) {
      fail(view.takeError());
      return {};
    }
    if (view->getRank() != 4)
      fail(llvm::createStringError("an operand must have rank 4"));
    return *view;
  }

  int64_t extent(mlir::Value value) {
    Expected<int64_t> extent = getExtent(value);
    if (extent)
      return *extent;
    fail(extent.takeError());
    return 0;
  }

  template <typename Op> PairOperands pairs(Op op) {
    PairOperands operands;
    operands.shape = {extent(op.getBatch()), extent(op.getHeads()),
                      extent(op.getQueryCount()), extent(op.getKeyCount())};
    for (mlir::Value query : op.getQueries())
      operands.queries.push_back(
          rows(query, operands.shape, operands.shape.queries));
    for (mlir::Value key : op.getKeys())
      operands.keys.push_back(rows(key, operands.shape, operands.shape.keys));
    for (mlir::Value capture : op.getCaptures()) {
      Expected<TensorView> view = getView(capture);
      if (!view)
        fail(view.takeError());
      else
        operands.captures.push_back(*view);
    }
    return operands;
  }

  Error takeError() { return std::move(error); }

private:
  void fail(Error next) {
    error = error ? llvm::joinErrors(std::move(error), std::move(next))
                  : std::move(next);
  }

  TensorView rows(mlir::Value value, const Shape &shape, int64_t length) {
    TensorView view = this->view(value);
    if (view.getRank() != 4)
      return view;
    if (view.sizes[2] != length)
      fail(llvm::createStringError(
          "an operand has " + std::to_string(view.sizes[2]) +
          " rows, expected " + std::to_string(length)));
    if (view.sizes[0] > shape.batch || view.sizes[1] > shape.heads)
      fail(llvm::createStringError("an operand has more batches or heads than "
                                   "its operation"));
    return view;
  }

  const GetView &getView;
  const GetExtent &getExtent;
  Error error = Error::success();
};
} // namespace

Expected<TensorView> evaluateWhole(mlir::Operation *op, const GetView &getView,
                                   const GetExtent &getExtent,
                                   const Workshop &workshop) {
  Operands operands(getView, getExtent);
  /// Evaluates once every operand was found.
  auto evaluate = [&](llvm::function_ref<Expected<TensorView>()> body)
      -> Expected<TensorView> {
    if (Error error = operands.takeError())
      return error;
    return body();
  };
  return llvm::TypeSwitch<mlir::Operation *, Expected<TensorView>>(op)
      .Case([&](attn::PoolOp op) {
        TensorView source = operands.view(op.getSource()), weights;
        if (op.getWeights())
          weights = operands.view(op.getWeights());
        int64_t positions = operands.extent(op.getPositions());
        return evaluate([&]() -> Expected<TensorView> {
          if (op.getWeights() && weights.sizes[2] != source.sizes[2])
            return llvm::createStringError("weights and rows of a pool must "
                                           "be equally many");
          return evaluatePool(op, source, op.getWeights() ? &weights : nullptr,
                              positions, workshop);
        });
      })
      .Case([&](attn::RegroupOp op) {
        TensorView source = operands.view(op.getSource());
        int64_t positions = operands.extent(op.getPositions());
        return evaluate([&]() -> Expected<TensorView> {
          return evaluateRegroup(op, source, positions, workshop);
        });
      })
      .Case([&](attn::ReorderOp op) {
        TensorView keys = operands.view(op.getKeys());
        return evaluate([&]() -> Expected<TensorView> {
          return evaluateReorder(op, keys, workshop);
        });
      })
      .Case([&](attn::WeightsOp op) {
        PairOperands pairs = operands.pairs(op);
        return evaluate([&] { return evaluateWeights(op, pairs, workshop); });
      })
      .Case([&](attn::SelectOp op) {
        PairOperands pairs = operands.pairs(op);
        return evaluate([&] { return evaluateSelect(op, pairs, workshop); });
      })
      .Case([&](attn::AggregateOp op) {
        PairOperands pairs = operands.pairs(op);
        int64_t into = op.getInto() ? operands.extent(op.getInto()) : 1;
        return evaluate(
            [&] { return evaluateAggregate(op, pairs, into, workshop); });
      })
      .Default([&](mlir::Operation *op) -> Expected<TensorView> {
        llvm::consumeError(operands.takeError());
        return llvm::createStringError("operation " +
                                       op->getName().getStringRef() +
                                       " is not part of a spec");
      });
}

} // namespace rapt::reference
