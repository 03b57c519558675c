// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of what Hopper adds. They are the rules that the hardware has for
// asynchronous products and warps with roles: what breaks them runs and is
// wrong, or is serialized by the assembler.

#include "dialects/Nv/IR/Nv.h"
#include "lib/Target/WarpRoles.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace rapt::nv;

LogicalResult RolesOp::verify() {
  // roles_c1
  auto kernel = (*this)->getParentOfType<KernelOp>();
  if (!kernel)
    return emitOpError() << "must be in a kernel";
  auto warps = static_cast<int64_t>(kernel.getWarps());
  auto producers = static_cast<int64_t>(kernel.getProducers().value_or(0));
  if (producers <= 0 || producers % 4 != 0 || warps % 4 != 0)
    return emitOpError() << "needs multiples of 4 warps of both roles, got "
                         << warps << " and " << producers;
  // roles_c2
  auto own = static_cast<int64_t>(getConsumerRegisters());
  auto other = static_cast<int64_t>(getProducerRegisters());
  for (int64_t count : {own, other})
    if (count < 24 || count > 256 || count % 8 != 0)
      return emitOpError() << "registers must be a multiple of 8 from 24 to "
                              "256, got "
                           << count;
  int64_t most = rapt::target::getRoleRegisters(warps + producers);
  if (int64_t all = warps * own + producers * other; all > most)
    return emitOpError() << "all warps need " << all
                         << " registers for each of their threads, there are "
                         << most;
  return success();
}

LogicalResult BarriersOp::verify() {
  // barriers_c1
  if (static_cast<int64_t>(getArrivals()) <= 0)
    return emitOpError() << "must have a positive number of arrivals, got "
                         << static_cast<int64_t>(getArrivals());
  return success();
}

LogicalResult FetchOp::verify() {
  // fetch_c1
  rapt::tile::ViewType view = getView().getType();
  BufferType buffer = getBuffer().getType();
  if (view.getRank() != 2 || getOffsets().size() != 2 ||
      !isa<FloatType>(view.getElementType()))
    return emitOpError() << "view must have rank 2 and floats, got " << view;
  if (!buffer.getSwizzled())
    return emitOpError() << "buffer must be swizzled, got " << buffer;
  // fetch_c2
  if (getMap()) {
    auto map = cast<TensorMapType>(getMap().getType());
    constexpr int64_t mostRows = 256;
    if (static_cast<int64_t>(getOuter().size()) != map.getRank() - 2)
      return emitOpError() << "must have " << map.getRank() - 2
                           << " outer indices, got " << getOuter().size();
    if (buffer.getRows() > mostRows)
      return emitOpError() << "boxes have at most " << mostRows << " rows, got "
                           << buffer.getRows();
    if (view.getElementType() != buffer.getElementType())
      return emitOpError() << "the copy engine converts nothing, got "
                           << view.getElementType() << " and "
                           << buffer.getElementType();
  }
  // fetch_c3
  auto roles = (*this)->getParentOfType<RolesOp>();
  if (!roles || !roles.getProducers().isAncestor((*this)->getParentRegion()))
    return emitOpError() << "must be among the producers";
  return success();
}

LogicalResult PackOp::verify() {
  // pack_c1
  FragmentType source = getSource().getType();
  OperandType result = getResult().getType();
  if (source.getAlong() != Along::Both || !source.getElementType().isF32() ||
      source.getRows() != result.getRows() ||
      source.getColumns() != result.getColumns())
    return emitOpError() << "source must have both sides, f32 elements and the "
                            "extents of the result, got "
                         << source << " and " << result;
  return success();
}

LogicalResult MmaAsyncOp::verify() {
  // mma_async_c1
  FragmentType result = getResult().getType().getFragment();
  BufferType rhs = getRhs().getType();
  int64_t depth = getRhsTransposed() ? rhs.getColumns() : rhs.getRows();
  int64_t width = getRhsTransposed() ? rhs.getRows() : rhs.getColumns();
  int64_t rows = 0, lhsDepth = 0;
  Type lhsElement;
  bool isSwizzled = rhs.getSwizzled();
  if (auto lhs = dyn_cast<BufferType>(getLhs().getType())) {
    rows = lhs.getRows();
    lhsDepth = lhs.getColumns();
    lhsElement = lhs.getElementType();
    isSwizzled &= lhs.getSwizzled();
    if (!getLhsStage())
      return emitOpError() << "must say the stage of its left operand";
  } else if (auto lhs = dyn_cast<OperandType>(getLhs().getType())) {
    rows = lhs.getRows();
    lhsDepth = lhs.getColumns();
    lhsElement = lhs.getElementType();
  } else {
    return emitOpError() << "left operand must be a buffer or an operand in "
                            "registers, got "
                         << getLhs().getType();
  }
  if (!isSwizzled)
    return emitOpError() << "buffers must be swizzled, got "
                         << getLhs().getType() << " and " << rhs;
  if (lhsElement != rhs.getElementType() ||
      (!lhsElement.isF16() && !lhsElement.isBF16()))
    return emitOpError() << "operands must have one element type of 16 bits, "
                            "got "
                         << lhsElement << " and " << rhs.getElementType();
  if (result.getAlong() != Along::Both || !result.getElementType().isF32() ||
      rows != result.getRows() || width != result.getColumns() ||
      depth != lhsDepth)
    return emitOpError() << "operands and result must agree, got "
                         << getLhs().getType() << ", " << rhs << " and "
                         << result;
  if (getAccumulator() && getAccumulator().getType() != result)
    return emitOpError() << "accumulator must have the type of the result, got "
                         << getAccumulator().getType() << " and " << result;
  // mma_async_c2
  auto kernel = (*this)->getParentOfType<KernelOp>();
  if (!kernel)
    return emitOpError() << "must be in a kernel";
  auto warps = static_cast<int64_t>(kernel.getWarps());
  if (warps % 4 != 0 || rows != 16 * warps)
    return emitOpError() << "each warp of a warpgroup has 16 rows, got " << rows
                         << " rows and " << warps << " warps";
  if (width % 8 != 0 || width > 256 || depth % 16 != 0)
    return emitOpError() << "width must be a multiple of 8 up to 256 and depth "
                            "one of 16, got "
                         << width << " and " << depth;
  // mma_async_c3
  if (getResult().use_empty() ||
      !llvm::all_of(getResult().getUsers(), llvm::IsaPred<MmaWaitOp>))
    return emitOpError() << "result must be waited for";
  return success();
}

/// How many products begin after `product` and before `wait`. Those in regions
/// between them may not, and do not count.
static int64_t countBetween(Operation *product, Operation *wait) {
  int64_t count = 0;
  Operation *last = wait;
  while (last->getBlock() != product->getBlock()) {
    for (Operation *op = last->getPrevNode(); op; op = op->getPrevNode())
      count += isa<MmaAsyncOp>(op);
    last = last->getParentOp();
    if (!last)
      return 0;
  }
  for (Operation *op = product->getNextNode(); op && op != last;
       op = op->getNextNode())
    count += isa<MmaAsyncOp>(op);
  return count;
}

LogicalResult MmaWaitOp::verify() {
  // mma_wait_c1
  if (getProducts().empty() || getProducts().size() != getResults().size())
    return emitOpError() << "must have a result for each product";
  for (auto [product, result] : llvm::zip(getProducts(), getResults()))
    if (cast<InFlightType>(product.getType()).getFragment() != result.getType())
      return emitOpError() << "result must be the fragment of "
                           << product.getType() << ", got " << result.getType();
  // mma_wait_c2
  for (Value product : getProducts()) {
    auto begin = product.getDefiningOp<MmaAsyncOp>();
    if (!begin)
      return emitOpError() << "products must begin in the same kernel";
    auto pending = static_cast<int64_t>(getPending());
    if (int64_t most = countBetween(begin, *this);
        pending < 0 || pending > most)
      return emitOpError() << "leaves " << pending << " products pending, but "
                           << most << " began after its own";
  }
  return success();
}
