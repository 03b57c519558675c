// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What is planned while a call runs: lists and runs that are made of what
// kernels before them compute, as the clusters that queries and keys are
// assigned to. Each such part of a program is a launch of one item, so that
// nothing that runs a call has to know of it. Its memory is taken with that of
// everything else, before what it holds is known: a block that has more runs
// than expected has them joined.

#include "lib/Conversion/TileToVector/ProgramLowering.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace rapt::conversion {

static bool isPlanned(Operation &op) {
  return isa<tile::TabulateOp, tile::SortRowsOp, tile::ListMarkedOp,
             tile::PyramidOp, tile::PlanRunsOp>(op);
}

/// Whether `op` or what is nested in it reads a workspace, which a launch has
/// filled, or what is planned late.
static bool readsResults(Operation &op,
                         const llvm::DenseMap<Operation *, int64_t> &late) {
  return op
      .walk([&](Operation *inner) {
        for (Value operand : inner->getOperands()) {
          Operation *source = operand.getDefiningOp();
          if (source &&
              (isa<tile::WorkspaceOp>(source) || late.contains(source)))
            return WalkResult::interrupt();
        }
        return WalkResult::advance();
      })
      .wasInterrupted();
}

LogicalResult ProgramLowering::findSteps() {
  SmallVector<Operation *> pending;
  for (Operation &op : program.getBody().front()) {
    if (auto launch = dyn_cast<tile::LaunchOp>(op)) {
      if (!pending.empty())
        steps.push_back({launch, /*isPlan=*/true});
      pending.clear();
      steps.push_back({launch, /*isPlan=*/false});
      continue;
    }
    if (!isPlanned(op) || !readsResults(op, late))
      continue;
    if (isForDevice)
      return op.emitError("reads what a kernel computes, expected what is "
                          "known when the call is planned");
    late[&op] = static_cast<int64_t>(steps.size());
    pending.push_back(&op);
  }
  return success();
}

LogicalResult ProgramLowering::emitLatePlan(int64_t number) {
  Type i64Type = builder.getI64Type();
  func::FuncOp function = createFunction(
      ("_launch" + llvm::Twine(number)).str(),
      {pointer, pointer, i64Type, i64Type}, {}, /*isPrivate=*/true);
  planStep = number;
  capacity = i64(0);
  LogicalResult result = copyProgram(
      function.getArgument(0), function.getArgument(1), steps[number].launch);
  planStep.reset();
  capacity = nullptr;
  func::ReturnOp::create(builder, location);
  return result;
}

} // namespace rapt::conversion
