// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// attn.select and attn.weights, as their definitions say.

#include "lib/Reference/WholeTensors.h"
#include <cmath>
#include <limits>

#pragma STDC FP_CONTRACT OFF

namespace rapt::reference {

using llvm::Error;
using llvm::Expected;

static Error compile(mlir::Region &region, llvm::ArrayRef<Level> levels,
                     std::optional<RegionProgram> &program) {
  if (region.empty())
    return Error::success();
  Expected<RegionProgram> compiled = RegionProgram::compile(region, levels);
  if (!compiled)
    return compiled.takeError();
  program = std::move(*compiled);
  return Error::success();
}

/// The number of a region, if the operation has it.
template <typename Real>
static std::optional<unsigned> add(PairEvaluator<Real> &evaluator,
                                   const std::optional<RegionProgram> &program,
                                   bool isOfPairs = true) {
  if (!program)
    return std::nullopt;
  return evaluator.add(*program, isOfPairs);
}

//===----------------------------------------------------------------------===//
// attn.select
//===----------------------------------------------------------------------===//

namespace {
struct SelectPrograms {
  std::optional<RegionProgram> limit, score, where, force;
};

/// An admitted candidate.
template <typename Real> struct Candidate {
  int64_t c;
  Real score;
  bool isForced;
};
} // namespace

/// Forced ones first, then by falling score, equals by number; a NaN is last.
template <typename Real>
static bool standsBefore(const Candidate<Real> &a, const Candidate<Real> &b) {
  if (a.isForced != b.isForced)
    return a.isForced;
  bool aIsNan = std::isnan(a.score), bIsNan = std::isnan(b.score);
  if (aIsNan != bIsNan)
    return bIsNan;
  if (!aIsNan && a.score != b.score)
    return a.score > b.score;
  return a.c < b.c;
}

/// How many of the candidates, in the order of choice, are in the set.
template <typename Real>
static size_t countChosen(attn::Selection kind, Cell<Real> limit,
                          llvm::ArrayRef<Candidate<Real>> candidates) {
  size_t forced = 0;
  Real total = 0;
  for (const Candidate<Real> &candidate : candidates) {
    forced += candidate.isForced;
    total += candidate.score;
  }
  switch (kind) {
  case attn::Selection::Top: {
    size_t most = std::max<int64_t>(limit.integer, 0);
    return std::max(forced, std::min(most, candidates.size()));
  }
  case attn::Selection::Cover: {
    Real sum = 0;
    size_t count = 0;
    while (count < candidates.size() && sum < limit.real * total)
      sum += candidates[count++].score;
    return std::max(forced, count);
  }
  case attn::Selection::Above: {
    size_t count = forced;
    while (count < candidates.size() && candidates[count].score > limit.real)
      ++count;
    return count;
  }
  }
  llvm_unreachable("every selection has a case");
}

template <typename Real>
static TensorView select(attn::SelectOp op, const SelectPrograms &programs,
                         const PairOperands &operands,
                         const Workshop &workshop) {
  const Shape &shape = operands.shape;
  TensorView result =
      workshop.allocate(support::ElementType::Boolean,
                        {shape.batch, shape.heads, shape.queries, shape.keys});
  int64_t rows = shape.batch * shape.heads * shape.queries;
  std::vector<PairEvaluator<Real>> evaluators(workshop.threads,
                                              PairEvaluator<Real>(operands));
  std::optional<unsigned> limit, score, where, force;
  for (PairEvaluator<Real> &evaluator : evaluators) {
    limit = add(evaluator, programs.limit, /*isOfPairs=*/false);
    score = add(evaluator, programs.score);
    where = add(evaluator, programs.where);
    force = add(evaluator, programs.force);
  }
  parallelFor(rows, workshop.threads, [&](unsigned worker, int64_t n) {
    PairEvaluator<Real> &evaluator = evaluators[worker];
    int64_t head = n / shape.queries;
    evaluator.moveToQuery(head / shape.heads, head % shape.heads,
                          n % shape.queries);
    std::vector<Candidate<Real>> candidates;
    for (int64_t c = 0; c < shape.keys; ++c) {
      evaluator.moveToPair(c);
      if (where && !evaluator.runPair(*where)->integer)
        continue;
      bool isForced = force && evaluator.runPair(*force)->integer;
      candidates.push_back({c, evaluator.runPair(*score)->real, isForced});
    }
    std::sort(candidates.begin(), candidates.end(), standsBefore<Real>);
    size_t count = countChosen<Real>(op.getKind(), *evaluator.runQuery(*limit),
                                     candidates);
    for (size_t place = 0; place < count; ++place)
      support::storeInteger(result.type, const_cast<void *>(result.data),
                            n * shape.keys + candidates[place].c, 1);
  });
  return result;
}

Expected<TensorView> evaluateSelect(attn::SelectOp op,
                                    const PairOperands &operands,
                                    const Workshop &workshop) {
  SelectPrograms programs;
  auto pair = getPairLevels(op.getNumProducts());
  if (Error error = compile(op.getLimit(), getQueryLevels(), programs.limit))
    return error;
  if (Error error = compile(op.getScore(), pair, programs.score))
    return error;
  if (Error error = compile(op.getWhere(), pair, programs.where))
    return error;
  if (Error error = compile(op.getForce(), pair, programs.force))
    return error;
  return workshop.isRounded ? select<float>(op, programs, operands, workshop)
                            : select<double>(op, programs, operands, workshop);
}

//===----------------------------------------------------------------------===//
// attn.weights
//===----------------------------------------------------------------------===//

namespace {
struct WeightsPrograms {
  std::optional<RegionProgram> score, mask, factor, sink;
};
} // namespace

/// w_j of the kept pairs of one query, from their scores.
template <typename Real>
static void normalize(attn::WeightsOp op, std::vector<Real> &weights,
                      std::optional<Real> sink) {
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  if (op.getReduction() == attn::Reduction::Sum)
    return;
  Real sum = 0;
  if (op.getReduction() == attn::Reduction::Ratio) {
    for (Real weight : weights)
      sum += weight;
    if (auto epsilon = op.getEpsilon())
      sum += static_cast<Real>(epsilon->convertToDouble());
  } else {
    Real largest = sink.value_or(-infinity);
    for (Real score : weights)
      if (!(score <= largest)) // also takes a NaN
        largest = score;
    if (largest == -infinity) { // every exponential is 0
      std::fill(weights.begin(), weights.end(), Real(0));
      return;
    }
    for (Real &weight : weights) {
      weight = std::exp(weight - largest);
      sum += weight;
    }
    if (sink)
      sum += std::exp(*sink - largest);
  }
  for (Real &weight : weights)
    weight /= sum;
}

template <typename Real>
static TensorView weights(attn::WeightsOp op, const WeightsPrograms &programs,
                          const PairOperands &operands,
                          const Workshop &workshop) {
  const Shape &shape = operands.shape;
  TensorView result =
      workshop.allocate(workshop.getRealType(),
                        {shape.batch, shape.heads, shape.queries, shape.keys});
  int64_t rows = shape.batch * shape.heads * shape.queries;
  std::vector<PairEvaluator<Real>> evaluators(workshop.threads,
                                              PairEvaluator<Real>(operands));
  std::optional<unsigned> score, mask, factor, sink;
  for (PairEvaluator<Real> &evaluator : evaluators) {
    score = add(evaluator, programs.score);
    mask = add(evaluator, programs.mask);
    factor = add(evaluator, programs.factor);
    sink = add(evaluator, programs.sink, /*isOfPairs=*/false);
  }
  parallelFor(rows, workshop.threads, [&](unsigned worker, int64_t n) {
    PairEvaluator<Real> &evaluator = evaluators[worker];
    int64_t head = n / shape.queries;
    evaluator.moveToQuery(head / shape.heads, head % shape.heads,
                          n % shape.queries);
    std::vector<int64_t> kept;
    std::vector<Real> values, factors;
    for (int64_t j = 0; j < shape.keys; ++j) {
      evaluator.moveToPair(j);
      if (mask && !evaluator.runPair(*mask)->integer)
        continue;
      kept.push_back(j);
      values.push_back(evaluator.runPair(*score)->real);
      factors.push_back(factor ? evaluator.runPair(*factor)->real : Real(1));
    }
    std::optional<Real> offset;
    if (sink)
      offset = evaluator.runQuery(*sink)->real;
    normalize(op, values, offset);
    for (size_t place = 0; place < kept.size(); ++place)
      support::storeReal(result.type, const_cast<void *>(result.data),
                         n * shape.keys + kept[place],
                         factors[place] * values[place]);
  });
  return result;
}

Expected<TensorView> evaluateWeights(attn::WeightsOp op,
                                     const PairOperands &operands,
                                     const Workshop &workshop) {
  WeightsPrograms programs;
  auto pair = getPairLevels(op.getNumProducts());
  if (Error error = compile(op.getScore(), pair, programs.score))
    return error;
  if (Error error = compile(op.getMask(), pair, programs.mask))
    return error;
  if (Error error = compile(op.getFactor(), pair, programs.factor))
    return error;
  if (Error error = compile(op.getSink(), getQueryLevels(), programs.sink))
    return error;
  return workshop.isRounded ? weights<float>(op, programs, operands, workshop)
                            : weights<double>(op, programs, operands, workshop);
}

} // namespace rapt::reference
