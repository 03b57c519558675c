// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Analysis/Diagonals.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace rapt::analysis {
namespace {

/// How a value depends on the positions of a pair: as a sum of multiples of
/// them, if it is one.
struct PositionDependence {
  enum Kind { Uniform, Diagonal, Other } kind = Other;
  bool isSum = false;
  int64_t query = 0, key = 0;

  static PositionDependence sum(int64_t query, int64_t key) {
    Kind kind = query == 0 && key == 0 ? Uniform
                : query == -key        ? Diagonal
                                       : Other;
    return {kind, true, query, key};
  }
};

class DiagonalFinder {
public:
  DiagonalFinder(attn::AttendOp op, Region &region)
      : block(region.front()), captures(op.getCaptures().size()) {}

  SmallVector<DiagonalValue> find();

private:
  PositionDependence get(Value value) {
    auto known = dependences.find(value);
    if (known != dependences.end())
      return known->second;
    PositionDependence result = compute(value);
    return dependences[value] = result;
  }
  PositionDependence compute(Value value);
  void collect(Value value, llvm::DenseSet<Operation *> &needed);

  Block &block;
  unsigned captures;
  llvm::DenseMap<Value, PositionDependence> dependences;
};

} // namespace

PositionDependence DiagonalFinder::compute(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    unsigned number = argument.getArgNumber();
    if (number < 2)
      return PositionDependence::sum(0, 0);
    // The row of a query and its position differ by what all pairs share.
    if (number < attn::AttendOp::kPairPositions)
      return number == 4 ? PositionDependence::sum(0, 1)
                         : PositionDependence::sum(1, 0);
    bool isTensor = number >= block.getNumArguments() - captures;
    return {isTensor ? PositionDependence::Uniform : PositionDependence::Other};
  }
  Operation *op = value.getDefiningOp();
  if (isa<attn::UniformOp>(op)) // a number for each pair
    return {};
  SmallVector<PositionDependence> operands;
  for (Value operand : op->getOperands())
    operands.push_back(get(operand));
  if (isa<arith::AddIOp, arith::SubIOp>(op) && operands[0].isSum &&
      operands[1].isSum) {
    int64_t sign = isa<arith::SubIOp>(op) ? -1 : 1;
    return PositionDependence::sum(operands[0].query + sign * operands[1].query,
                                   operands[0].key + sign * operands[1].key);
  }
  if (isa<arith::ExtSIOp>(op))
    return operands[0];
  if (isa<arith::MulIOp>(op))
    for (unsigned n : {0, 1}) {
      APInt factor;
      // Small enough that no sum of a few overflows.
      if (operands[n].isSum &&
          matchPattern(op->getOperand(1 - n), m_ConstantInt(&factor)) &&
          factor.abs().ule(1 << 20) && std::abs(operands[n].query) < 1 << 20 &&
          std::abs(operands[n].key) < 1 << 20)
        return PositionDependence::sum(factor.getSExtValue() *
                                           operands[n].query,
                                       factor.getSExtValue() * operands[n].key);
    }
  PositionDependence result{PositionDependence::Uniform};
  for (PositionDependence operand : operands)
    result.kind = std::max(result.kind, operand.kind);
  // A number that is the same everywhere adds nothing to a sum.
  result.isSum =
      result.kind == PositionDependence::Uniform && value.getType().isInteger();
  return result;
}

void DiagonalFinder::collect(Value value, llvm::DenseSet<Operation *> &needed) {
  SmallVector<Value> stack{value};
  while (!stack.empty()) {
    Operation *op = stack.pop_back_val().getDefiningOp();
    if (op && needed.insert(op).second)
      llvm::append_range(stack, op->getOperands());
  }
}

SmallVector<DiagonalValue> DiagonalFinder::find() {
  SmallVector<DiagonalValue> found;
  for (Operation &op : block.without_terminator()) {
    if (op.getNumResults() != 1 || !op.getResult(0).getType().isF32() ||
        get(op.getResult(0)).kind != PositionDependence::Diagonal)
      continue;
    bool isLargest = llvm::any_of(op.getUsers(), [&](Operation *user) {
      return isa<attn::YieldOp>(user) ||
             get(user->getResult(0)).kind == PositionDependence::Other;
    });
    if (!isLargest)
      continue;
    llvm::DenseSet<Operation *> needed;
    collect(op.getResult(0), needed);
    DiagonalValue value{op.getResult(0), {}};
    // Reading it for a pair takes one operation, a few more are worth nothing.
    constexpr int64_t leastWeight = 8;
    int64_t weight = 0;
    for (Operation &inner : block.without_terminator()) {
      if (!needed.contains(&inner))
        continue;
      value.operations.push_back(&inner);
      if (get(inner.getResult(0)).kind != PositionDependence::Diagonal)
        continue;
      bool isFunction = isa<math::MathDialect>(inner.getDialect()) &&
                        !isa<math::AbsIOp, math::AbsFOp, math::FmaOp>(inner);
      weight += isa<attn::ReadOp>(inner) || isFunction ? leastWeight : 1;
    }
    if (weight >= leastWeight)
      found.push_back(std::move(value));
  }
  return found;
}

SmallVector<DiagonalValue> findDiagonals(attn::AttendOp op, Region &region) {
  return DiagonalFinder(op, region).find();
}

} // namespace rapt::analysis
