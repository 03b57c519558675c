// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Nv/IR/Nv.h"

using namespace mlir;
using namespace rapt::nv;

LogicalResult AnyNotFiniteOp::verify() {
  // any_not_finite_c1
  for (Value source : getSources())
    if (auto type = cast<FragmentType>(source.getType());
        !type.getElementType().isF32())
      return emitOpError() << "sources must have f32 elements, got " << type;
  return success();
}

LogicalResult TakeNotFiniteOp::verify() {
  // take_not_finite_c1
  OperandType weights = getWeights().getType();
  BufferType buffer = getBuffer().getType();
  FragmentType sums = getAccumulator().getType();
  Type element = buffer.getElementType();
  if (sums.getAlong() != Along::Both || !sums.getElementType().isF32() ||
      getResult().getType() != sums || weights.getRows() != sums.getRows() ||
      weights.getColumns() != buffer.getRows() ||
      buffer.getColumns() != sums.getColumns() ||
      weights.getElementType() != element ||
      (!element.isF16() && !element.isBF16()))
    return emitOpError() << "weights, values and sums must agree, got "
                         << weights << ", " << buffer << " and " << sums;
  return success();
}
