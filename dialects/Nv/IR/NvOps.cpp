// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of the nv operations. A comment such as `mma_c1` names the
// constraint of the definition that a check is for.

#include "dialects/Nv/IR/Nv.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace rapt::nv;

#define GET_OP_CLASSES
#include "dialects/Nv/IR/NvOps.cpp.inc"

LogicalResult KernelOp::verify() {
  // kernel_c1
  if (static_cast<int64_t>(getWarps()) <= 0)
    return emitOpError() << "must have a positive number of warps, got "
                         << static_cast<int64_t>(getWarps());
  if (getProducers() && static_cast<int64_t>(*getProducers()) <= 0)
    return emitOpError() << "must have a positive number of producers, got "
                         << static_cast<int64_t>(*getProducers());
  for (Type type : getBody().front().getArgumentTypes())
    if (!isa<IndexType, rapt::tile::ViewType, TensorMapType>(type))
      return emitOpError() << "arguments must be indices, views or maps, got "
                           << type;
  return success();
}

/// Whether a fragment that a value of `whole` is made from fits it.
static bool fits(FragmentType part, FragmentType whole) {
  if (part.hasRows() && (!whole.hasRows() || part.getRows() != whole.getRows()))
    return false;
  return !part.hasColumns() ||
         (whole.hasColumns() && part.getColumns() == whole.getColumns());
}

LogicalResult MapOp::verify() {
  // map_c1
  if (getResults().empty())
    return emitOpError() << "must have a result";
  auto first = cast<FragmentType>(getResults().front().getType());
  for (Type type : getResults().getTypes())
    if (cast<FragmentType>(type).clone(first.getElementType()) != first)
      return emitOpError() << "results must have one shape, got " << first
                           << " and " << type;
  for (Type type : getOperands().getTypes())
    if (!fits(cast<FragmentType>(type), first))
      return emitOpError() << "operand " << type << " does not fit the result "
                           << first;
  // map_c2
  auto elements = [](TypeRange types) {
    return llvm::map_to_vector(types, [](Type type) {
      return cast<FragmentType>(type).getElementType();
    });
  };
  Block &block = getBody().front();
  auto yield = block.empty() ? rapt::tile::YieldOp()
                             : dyn_cast<rapt::tile::YieldOp>(block.back());
  if (!yield)
    return emitOpError() << "region must end with tile.yield";
  if (!llvm::equal(block.getArgumentTypes(),
                   elements(getOperands().getTypes())))
    return emitOpError() << "region must have the element types of the "
                            "operands as arguments";
  if (!llvm::equal(yield.getValues().getTypes(),
                   elements(getResults().getTypes())))
    return emitOpError() << "region must yield the element types of the "
                            "results";
  return success();
}

LogicalResult ReduceOp::verify() {
  // reduce_c1
  FragmentType source = getSource().getType(), result = getResult().getType();
  if (source.getAlong() != Along::Both || result.getAlong() != Along::Rows ||
      source.getRows() != result.getRows() ||
      source.getElementType() != result.getElementType())
    return emitOpError() << "result must have the rows and the element type "
                            "of the source, got "
                         << source << " and " << result;
  return success();
}

LogicalResult PositionsOp::verify() {
  // positions_c1
  FragmentType type = getResult().getType();
  if (type.getAlong() == Along::Both || !type.getElementType().isInteger())
    return emitOpError() << "result must be integers along one side, got "
                         << type;
  return success();
}

LogicalResult ConstantOp::verify() {
  // constant_c1
  FragmentType type = getResult().getType();
  ShapedType value = getValue().getShapedType();
  if (type.getAlong() == Along::Both || value.getShape() != type.getShape() ||
      value.getElementType() != type.getElementType())
    return emitOpError() << "value " << value
                         << " must have the form of the result " << type;
  return success();
}

LogicalResult SliceOp::verify() {
  // slice_c1
  FragmentType source = getSource().getType(), result = getResult().getType();
  auto offset = static_cast<int64_t>(getOffset());
  if (!source.hasColumns() || source.getAlong() != result.getAlong() ||
      source.getRows() != result.getRows() ||
      source.getElementType() != result.getElementType())
    return emitOpError() << "result must have the rows and the element type "
                            "of the source, got "
                         << source << " and " << result;
  if (offset < 0 || offset % 8 != 0 ||
      offset + result.getColumns() > source.getColumns())
    return emitOpError() << "columns " << offset << " to "
                         << offset + result.getColumns()
                         << " must begin at a multiple of 8 and lie inside "
                         << source;
  return success();
}

LogicalResult ConcatOp::verify() {
  // concat_c1
  FragmentType result = getResult().getType();
  int64_t columns = 0;
  for (Type type : getSources().getTypes()) {
    auto source = cast<FragmentType>(type);
    if (!source.hasColumns() || source.getAlong() != result.getAlong() ||
        source.getRows() != result.getRows() ||
        source.getElementType() != result.getElementType())
      return emitOpError() << "sources must have the rows and the element type "
                              "of the result, got "
                           << source << " and " << result;
    columns += source.getColumns();
  }
  if (columns != result.getColumns())
    return emitOpError() << "columns of the sources must add up to "
                         << result.getColumns() << ", got " << columns;
  return success();
}

LogicalResult MmaOp::verify() {
  // mma_c1
  FragmentType result = getResult().getType();
  BufferType rhs = getRhs().getType();
  int64_t depth = getRhsTransposed() ? rhs.getColumns() : rhs.getRows();
  int64_t width = getRhsTransposed() ? rhs.getRows() : rhs.getColumns();
  int64_t rows = 0, lhsDepth = 0;
  if (auto lhs = dyn_cast<BufferType>(getLhs().getType())) {
    rows = lhs.getRows();
    lhsDepth = lhs.getColumns();
    if (lhs.getElementType() != rhs.getElementType())
      return emitOpError() << "buffers must have one element type, got " << lhs
                           << " and " << rhs;
    if (!getLhsStage())
      return emitOpError() << "must say the stage of its left operand";
  } else if (auto lhs = dyn_cast<FragmentType>(getLhs().getType());
             lhs && lhs.getAlong() == Along::Both) {
    rows = lhs.getRows();
    lhsDepth = lhs.getColumns();
  } else {
    return emitOpError() << "left operand must be a buffer or a fragment with "
                            "both sides, got "
                         << getLhs().getType();
  }
  if (rhs.getElementType().getIntOrFloatBitWidth() != 16)
    return emitOpError() << "operands must have elements of 16 bits, got "
                         << rhs.getElementType();
  if (result.getAlong() != Along::Both || rows != result.getRows() ||
      width != result.getColumns() || depth != lhsDepth)
    return emitOpError() << "operands and result must agree, got "
                         << getLhs().getType() << ", " << rhs << " and "
                         << result;
  if (getAccumulator() && getAccumulator().getType() != result)
    return emitOpError() << "accumulator must have the type of the result";
  return success();
}

LogicalResult CopyOp::verify() {
  // copy_c1
  rapt::tile::ViewType view = getView().getType();
  if (view.getRank() != 2 || getOffsets().size() != 2 ||
      !isa<FloatType>(view.getElementType()))
    return emitOpError() << "view must have rank 2 and floats, got " << view;
  return success();
}

static LogicalResult verifyOffsets(Operation *op, rapt::tile::ViewType view,
                                   size_t offsets, FragmentType fragment) {
  if (view.getRank() != offsets || view.getRank() != fragment.getShape().size())
    return op->emitOpError()
           << "view rank, number of offsets and fragment rank must be equal, "
              "got "
           << view.getRank() << ", " << offsets << " and "
           << fragment.getShape().size();
  return success();
}

LogicalResult LoadOp::verify() {
  // load_c1
  return verifyOffsets(*this, getView().getType(), getOffsets().size(),
                       getResult().getType());
}

LogicalResult StoreOp::verify() {
  // store_c1
  return verifyOffsets(*this, getView().getType(), getOffsets().size(),
                       getFragment().getType());
}
