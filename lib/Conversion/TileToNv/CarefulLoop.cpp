// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Loops with a mask. A pair that is masked contributes nothing whatever its
// value, but matrix units multiply its weight, 0, with a value that may be
// infinite or NaN. No step looks for such values: the loop ends with a look at
// its sums, and where one is not finite all is done once more by another loop,
// which takes these values out of every step. A branch in the first loop
// instead of the second one cost 8 to 18 % of the time on an H100.

#include "lib/Conversion/TileToNv/KernelToNv.h"

using namespace mlir;

namespace rapt::conversion {

bool KernelToNv::mayMask(tile::ForRunsOp op) {
  // Steps of so much code (random numbers of each pair) leave no registers to a
  // second loop: their values are not looked at.
  constexpr int64_t mostOperations = 400;
  int64_t operations = 0;
  op.getPartial().walk([&](Operation *) { ++operations; });
  if (operations > mostOperations)
    return false;
  return llvm::any_of(
      op.getPartial().front().getOps<tile::MmaOp>(),
      [](tile::MmaOp product) { return product.getSkipZeros(); });
}

Value KernelToNv::truth(bool value) {
  return arith::ConstantOp::create(builder, location,
                                   builder.getBoolAttr(value));
}

/// The sums with what is not finite added, which the buffer then has no more.
Value KernelToNv::takeNotFinite(Value weights, Value buffer, Value stage,
                                Value sums) {
  if (auto fragment = dyn_cast<nv::FragmentType>(weights.getType()))
    weights = nv::PackOp::create(
        builder, location,
        nv::OperandType::get(
            builder.getContext(), fragment.getRows(), fragment.getColumns(),
            cast<nv::BufferType>(buffer.getType()).getElementType()),
        weights);
  return nv::TakeNotFiniteOp::create(builder, location, sums.getType(), weights,
                                     buffer, stage, sums);
}

SmallVector<Value> KernelToNv::walkWithCare(
    tile::ForRunsOp op,
    llvm::function_ref<SmallVector<Value>(bool isCareful, Value number)> emit) {
  SmallVector<Value> done = emit(false, index(0));
  Value number = done.pop_back_val();
  if (!mayMask(op))
    return done;
  auto isSum = [](Value value) {
    auto type = dyn_cast<nv::FragmentType>(value.getType());
    return type && type.getAlong() == nv::Along::Both &&
           type.getElementType().isF32();
  };
  SmallVector<Value> sums(llvm::make_filter_range(done, isSum));
  Value isWrong =
      nv::AnyNotFiniteOp::create(builder, location, builder.getI1Type(), sums);
  if (Value flag = flags.lookup(op))
    nv::SetFlagOp::create(builder, location, flag, isWrong);
  auto branch =
      scf::IfOp::create(builder, location, ValueRange(done).getTypes(), isWrong,
                        /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  SmallVector<Value> again = emit(true, number);
  again.pop_back();
  scf::YieldOp::create(builder, location, again);
  builder.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(builder, location, done);
  return SmallVector<Value>(branch.getResults());
}

/// What producers fetch for a loop, as often as consumers walk it. `emit` gets
/// the number of the first step and gives that after the last.
void KernelToNv::fetchAsOften(tile::ForRunsOp op,
                              llvm::function_ref<Value(Value number)> emit) {
  Value number = emit(index(0));
  Value flag = flags.lookup(op);
  if (!flag)
    return;
  Value again = nv::AwaitFlagOp::create(builder, location, builder.getI1Type(),
                                        flag, index(0));
  auto branch = scf::IfOp::create(builder, location, again,
                                  /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  emit(number);
}

} // namespace rapt::conversion
