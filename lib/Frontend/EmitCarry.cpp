// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Keys and values of the pairwise loop that change from step to step.

#include "lib/Frontend/SpecEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace rapt::frontend {

/// One step of every carried row; the others stay.
void SpecEmitter::emitCarryRegion(attn::AttendOp op, const Loop &loop,
                                  const RegionPlan &plan,
                                  llvm::StringRef headAxis) {
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Node *> carried;
  for (Node *product : plan.products)
    carried.push_back(product->operands[0]->variesOver(VariesKey)
                          ? product->operands[0]
                          : product->operands[1]);
  carried.push_back(loop.values);
  SmallVector<Type> types(attn::AttendOp::kCarryPositions,
                          builder.getI32Type());
  for (const auto &rows : {carried, plan.keyRows})
    for (Node *row : rows)
      types.push_back(getRegionType(*row, builder.getContext()));
  llvm::append_range(types, op.getCaptures().getTypes());
  Block *block = builder.createBlock(
      &op.getCarry(), {}, types, SmallVector<Location>(types.size(), location));
  RegionContext context;
  context.headAxis = headAxis.str();
  context.batch = block->getArgument(0);
  context.head = block->getArgument(1);
  constexpr Op places[] = {Op::Batch, Op::Head, Op::KeyPosition};
  for (auto [n, place] : llvm::enumerate(places))
    context.values[nodes.place(place)] = block->getArgument(n);
  unsigned rows = attn::AttendOp::kCarryPositions;
  unsigned next = rows + carried.size();
  for (Node *row : plan.keyRows)
    context.values[row] = block->getArgument(next++);
  bindCaptures(plan, *block, next, context);
  SmallVector<Value> values;
  for (auto [n, row] : llvm::enumerate(carried)) {
    Value before = block->getArgument(rows + n);
    if (row->op == Op::Carried) {
      Node *step = row->operands[1];
      walk(step, [&](Node *node) {
        if (node->op == Op::Carry)
          context.values[node] = before;
      });
      RegionEmitter emitter(builder, diags.source(), context, location);
      before = emitter.emitAs(step, builder.getF32Type(), row);
    }
    values.push_back(before);
  }
  attn::YieldOp::create(builder, location, values);
}

} // namespace rapt::frontend
