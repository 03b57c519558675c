// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/AttnToTile/KernelScope.h"

using namespace mlir;

namespace rapt::conversion {

// The region answers for any rectangle, whichever side is cut into blocks.
tile::PlanRunsOp emitTransposedRuns(OpBuilder &builder, tile::PlanRunsOp op,
                                    int64_t rowStep, int64_t columnStep) {
  auto runs = tile::PlanRunsOp::create(
      builder, op.getLoc(), tile::RunTableType::get(builder.getContext()),
      op.getBatches(), op.getHeads(), op.getColumns(), op.getRows(),
      op.getGroup(), rowStep, columnStep);
  OpBuilder::InsertionGuard guard(builder);
  Block &source = op.getClassify().front();
  Block *block = builder.createBlock(
      &runs.getClassify(), {}, SmallVector<Type>(source.getArgumentTypes()),
      SmallVector<Location>(source.getNumArguments(), op.getLoc()));
  // (batch, head, first row, last row, first column, last column)
  constexpr unsigned from[] = {0, 1, 4, 5, 2, 3};
  IRMapping mapping;
  for (auto [argument, number] : llvm::zip_equal(source.getArguments(), from))
    mapping.map(argument, block->getArgument(number));
  for (Operation &inner : source)
    builder.clone(inner, mapping);
  return runs;
}

} // namespace rapt::conversion
