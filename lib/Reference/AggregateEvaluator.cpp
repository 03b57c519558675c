// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// attn.aggregate, as its definition says.

#include "lib/Reference/WholeTensors.h"
#include <cmath>
#include <limits>

#pragma STDC FP_CONTRACT OFF

namespace rapt::reference {

using llvm::Error;
using llvm::Expected;

namespace {

/// A reduction in progress.
template <typename Real> class Accumulator {
public:
  Accumulator(attn::RowReduction kind, bool isInteger)
      : kind(kind), isInteger(isInteger) {
    bool isMax = kind != attn::RowReduction::Min;
    constexpr Real infinity = std::numeric_limits<Real>::infinity();
    if (kind == attn::RowReduction::Add)
      isInteger ? void(cell.integer = 0) : void(cell.real = 0);
    else if (isInteger)
      cell.integer = isMax ? std::numeric_limits<int64_t>::min()
                           : std::numeric_limits<int64_t>::max();
    else
      cell.real = isMax ? -infinity : infinity;
  }

  /// Takes the value with this index.
  void take(Cell<Real> value, int64_t number) {
    bool isFirst = !std::exchange(hasValue, true);
    bool isBetter = isInteger ? isLess(value.integer, cell.integer)
                              : isLess(value.real, cell.real);
    switch (kind) {
    case attn::RowReduction::Add:
      isInteger ? void(cell.integer += value.integer)
                : void(cell.real += value.real);
      return;
    case attn::RowReduction::Argmax:
      // A row of NaN alone has its first as the largest, as attn.reduce.
      if (isFirst || isBetter) {
        index = number;
        cell = value;
      }
      return;
    case attn::RowReduction::Max:
    case attn::RowReduction::Min:
      if (isBetter || (!isInteger && std::isnan(value.real)))
        cell = value;
      return;
    }
  }

  int64_t getInteger() const {
    return kind == attn::RowReduction::Argmax ? index : cell.integer;
  }
  Real getReal() const { return cell.real; }

private:
  /// Whether a new value takes the place of the old one.
  template <typename Number> bool isLess(Number value, Number old) const {
    return kind == attn::RowReduction::Min ? value < old : value > old;
  }

  attn::RowReduction kind;
  bool isInteger;
  Cell<Real> cell;
  int64_t index = 0;
  bool hasValue = false;
};

template <typename Real> class Aggregation {
public:
  Aggregation(attn::AggregateOp op, const RegionProgram &body,
              const std::optional<RegionProgram> &by,
              const PairOperands &operands, int64_t into,
              const Workshop &workshop)
      : op(op), shape(operands.shape), body(body), into(into),
        workshop(workshop), width(body.getResultCount()),
        evaluators(workshop.threads, PairEvaluator<Real>(operands)) {
    for (PairEvaluator<Real> &evaluator : evaluators) {
      bodyRegion = evaluator.add(body);
      if (by)
        byRegion = evaluator.add(*by);
    }
  }

  TensorView run() {
    bool isRow = mlir::isa<mlir::RankedTensorType>(
        mlir::cast<attn::YieldOp>(op.getBody().front().back())
            .getValue()
            .getType());
    switch (op.getOver()) {
    case attn::Over::Queries:
      allocate({shape.batch, shape.heads, shape.keys, width});
      return forEach(shape.batch * shape.heads * shape.keys,
                     [&](unsigned worker, int64_t n, Accumulators &results) {
                       int64_t head = n / shape.keys;
                       for (int64_t row = 0; row < shape.queries; ++row)
                         take(worker, head / shape.heads, head % shape.heads,
                              row, n % shape.keys, row, results);
                     });
    case attn::Over::Keys:
      allocate({shape.batch, shape.heads, shape.queries, width});
      return forEach(shape.batch * shape.heads * shape.queries,
                     [&](unsigned worker, int64_t n, Accumulators &results) {
                       int64_t head = n / shape.queries;
                       for (int64_t j = 0; j < shape.keys; ++j)
                         take(worker, head / shape.heads, head % shape.heads,
                              n % shape.queries, j, j, results);
                     });
    case attn::Over::Group:
      if (isRow)
        allocate({shape.batch, into, shape.queries * shape.keys, width});
      else
        allocate({shape.batch, into, shape.queries, shape.keys});
      return forEach(shape.batch * into * shape.queries * shape.keys,
                     [&](unsigned worker, int64_t n, Accumulators &results) {
                       int64_t pairs = shape.queries * shape.keys;
                       int64_t group = n / pairs;
                       for (int64_t h = 0; h < shape.heads; ++h)
                         if (h * into / shape.heads == group % into)
                           take(worker, group / into, h, n % pairs / shape.keys,
                                n % shape.keys, h, results);
                     });
    case attn::Over::Pairs:
      allocate({shape.batch, shape.heads, into, 1});
      return bins();
    }
    llvm_unreachable("every direction has a case");
  }

private:
  using Accumulators = std::vector<Accumulator<Real>>;

  Accumulators start(int64_t count) {
    return Accumulators(count, {op.getKind(), body.isResultInteger()});
  }

  void allocate(llvm::ArrayRef<int64_t> sizes) {
    bool isInteger =
        body.isResultInteger() || op.getKind() == attn::RowReduction::Argmax;
    result = workshop.allocate(
        isInteger ? support::ElementType::I64 : workshop.getRealType(), sizes);
  }

  void take(unsigned worker, int64_t b, int64_t h, int64_t row, int64_t j,
            int64_t number, Accumulators &results) {
    evaluators[worker].moveToQuery(b, h, row);
    evaluators[worker].moveToPair(j);
    const Cell<Real> *value = evaluators[worker].runPair(bodyRegion);
    for (int64_t d = 0; d < width; ++d)
      results[d].take(value[d], number);
  }

  void store(int64_t first, const Accumulators &results) {
    void *data = const_cast<void *>(result.data);
    for (auto [d, accumulator] : llvm::enumerate(results))
      if (support::isFloat(result.type))
        support::storeReal(result.type, data, first + d, accumulator.getReal());
      else
        support::storeInteger(result.type, data, first + d,
                              accumulator.getInteger());
  }

  TensorView
  forEach(int64_t count,
          llvm::function_ref<void(unsigned, int64_t, Accumulators &)> reduce) {
    parallelFor(count, workshop.threads, [&](unsigned worker, int64_t n) {
      Accumulators results = start(width);
      reduce(worker, n, results);
      store(n * width, results);
    });
    return result;
  }

  TensorView bins() {
    parallelFor(shape.batch * shape.heads, workshop.threads,
                [&](unsigned worker, int64_t head) {
                  Accumulators results = start(into);
                  PairEvaluator<Real> &evaluator = evaluators[worker];
                  for (int64_t row = 0; row < shape.queries; ++row) {
                    evaluator.moveToQuery(head / shape.heads,
                                          head % shape.heads, row);
                    for (int64_t j = 0; j < shape.keys; ++j) {
                      evaluator.moveToPair(j);
                      int64_t bin = evaluator.runPair(byRegion)->integer;
                      if (bin >= 0 && bin < into)
                        results[bin].take(*evaluator.runPair(bodyRegion), bin);
                    }
                  }
                  store(head * into, results);
                });
    return result;
  }

  attn::AggregateOp op;
  const Shape &shape;
  const RegionProgram &body;
  int64_t into;
  const Workshop &workshop;
  int64_t width;
  std::vector<PairEvaluator<Real>> evaluators; // one per thread
  unsigned bodyRegion = 0, byRegion = 0;
  TensorView result;
};

} // namespace

Expected<TensorView> evaluateAggregate(attn::AggregateOp op,
                                       const PairOperands &operands,
                                       int64_t into, const Workshop &workshop) {
  auto levels = getPairLevels(op.getNumProducts());
  Expected<RegionProgram> body = RegionProgram::compile(op.getBody(), levels);
  if (!body)
    return body.takeError();
  std::optional<RegionProgram> by;
  if (!op.getBy().empty()) {
    Expected<RegionProgram> program =
        RegionProgram::compile(op.getBy(), levels);
    if (!program)
      return program.takeError();
    by = std::move(*program);
  }
  if (workshop.isRounded)
    return Aggregation<float>(op, *body, by, operands, into, workshop).run();
  return Aggregation<double>(op, *body, by, operands, into, workshop).run();
}

} // namespace rapt::reference
