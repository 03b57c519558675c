// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Analysis/AffineForm.h"
#include "lib/Analysis/RecurrenceKind.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <functional>

using namespace mlir;

namespace rapt::analysis {

/// factor * (right^T S) and the like, as one product with the state itself.
static Value emitRead(const FunctionalTerm &term, Value state, Type type,
                      CoefficientBuilder &coefficients, OpBuilder &builder,
                      Location location) {
  auto shape = cast<RankedTensorType>(state.getType());
  if (shape.getRank() == 1) {
    Value number = coefficients.multiply(term.factor.scalar,
                                         coefficients.dot(term.right, state));
    return term.factor.isNegative ? coefficients.negate(number) : number;
  }
  Value row = term.axis == 0
                  ? Value(attn::VecMatOp::create(builder, location, type,
                                                 term.right, state))
                  : Value(attn::MatVecOp::create(builder, location, type, state,
                                                 term.right));
  return coefficients.scaleRow(row, term.factor, 0);
}

void normalizeReads(Block &block, ValueRange states) {
  SmallVector<Value> all(states);
  AffineInterpreter interpreter(block, all, {});
  CoefficientBuilder &coefficients = interpreter.getCoefficients();
  OpBuilder builder(block.getTerminator());
  SmallVector<Operation *> reads;
  for (Operation &op : block.without_terminator())
    if (isa<attn::VecMatOp, attn::MatVecOp, attn::DotOp>(op) &&
        interpreter.dependsOnStates(op.getResult(0)))
      reads.push_back(&op);
  for (Operation *op : reads) {
    // Products with a state itself are what is wanted.
    if (llvm::any_of(op->getOperands(), [&](Value operand) {
          return llvm::is_contained(all, operand);
        }))
      continue;
    std::optional<AffineForm> form = interpreter.getForm(op->getResult(0));
    if (!form || !form->diagonal.empty() || !form->lowRank.empty() ||
        !form->outers.empty())
      continue;
    Type type = op->getResult(0).getType();
    Value sum = form->rest;
    for (const FunctionalTerm &term : form->functionals)
      sum =
          coefficients.add(sum, emitRead(term, all[term.state], type,
                                         coefficients, builder, op->getLoc()));
    if (!sum)
      continue;
    op->getResult(0).replaceAllUsesWith(sum);
  }
  // Values were added at the end: order them before what uses them.
  SmallVector<Operation *> pending;
  for (Operation &op : block.without_terminator())
    pending.push_back(&op);
  llvm::DenseSet<Operation *> placed;
  std::function<void(Operation *)> place = [&](Operation *op) {
    if (!placed.insert(op).second)
      return;
    for (Value operand : op->getOperands())
      if (Operation *before = operand.getDefiningOp();
          before && before->getBlock() == &block)
        place(before);
    op->moveBefore(block.getTerminator());
  };
  for (Operation *op : pending)
    place(op);
}

} // namespace rapt::analysis
