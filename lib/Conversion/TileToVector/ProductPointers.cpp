// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/TileToVector/ProductPointers.h"
#include "lib/Conversion/TileToVector/Pointers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace rapt::conversion {

Value ProductPointers::toI64(Value number) {
  return builder->createOrFold<arith::IndexCastOp>(
      location, builder->getI64Type(), number);
}

/// Where row `number` (index) of a matrix begins, in elements.
Value ProductPointers::multiply(Value number, const Matrix &matrix) {
  return LLVM::MulOp::create(*builder, location, toI64(number), matrix.rowStep);
}

Value ProductPointers::move(Value pointer, Value elements) {
  return LLVM::GEPOp::create(*builder, location, pointer.getType(),
                             builder->getF32Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{elements});
}

/// What lies a number of elements behind a pointer.
Value ProductPointers::load(Value pointer, int64_t elements, Type type) {
  if (elements != 0)
    pointer = LLVM::GEPOp::create(
        *builder, location, pointer.getType(), builder->getF32Type(), pointer,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(elements)});
  return LLVM::LoadOp::create(*builder, location, type, pointer,
                              /*alignment=*/sizeof(float));
}

std::optional<ProductPointers::Matrix>
ProductPointers::makeMatrix(const Place &place) {
  auto type = dyn_cast<MemRefType>(place.memory.getType());
  int64_t offset;
  SmallVector<int64_t> strides;
  if (!type || type.getRank() != 2 || !type.getElementType().isF32() ||
      failed(type.getStridesAndOffset(strides, offset)) || strides[1] != 1)
    return std::nullopt;
  MemRefParts parts = takeApart(*builder, location, place.memory);
  Matrix matrix{parts.pointer, parts.strides[0], {}};
  if (strides[0] != ShapedType::kDynamic)
    matrix.knownStep = strides[0];
  if (parts.offset)
    matrix.pointer = move(matrix.pointer, parts.offset);
  if (place.row)
    matrix.pointer = move(matrix.pointer, multiply(place.row, matrix));
  if (place.column)
    matrix.pointer = move(matrix.pointer, toI64(place.column));
  return matrix;
}

std::optional<ProductPointers>
ProductPointers::create(OpBuilder &builder, Location location,
                        const Place &lanes, const Place &elements,
                        bool isDepthFirst, Value base, int64_t count) {
  ProductPointers result(builder, location);
  std::optional<Matrix> first = result.makeMatrix(lanes);
  std::optional<Matrix> second = result.makeMatrix(elements);
  if (!first || !first->knownStep || !second)
    return std::nullopt;
  result.lanes = *first;
  result.elements = *second;
  result.isDepthFirst = isDepthFirst;
  if (isDepthFirst) {
    result.rows.push_back(result.move(second->pointer, result.toI64(base)));
    return result;
  }
  result.rows.push_back(
      result.move(second->pointer, result.multiply(base, *second)));
  while (static_cast<int64_t>(result.rows.size()) < count)
    result.rows.push_back(result.move(result.rows.back(), second->rowStep));
  return result;
}

SmallVector<Value> ProductPointers::carry(Value depth) {
  SmallVector<Value> carried{move(lanes.pointer, multiply(depth, lanes))};
  if (isDepthFirst)
    carried.push_back(move(rows.front(), multiply(depth, elements)));
  return carried;
}

void ProductPointers::enter(Value depth, ValueRange carried) {
  lanePointer = carried[0];
  pointers.clear();
  if (isDepthFirst)
    pointers.push_back(carried[1]);
  else
    for (Value row : rows)
      pointers.push_back(move(row, toI64(depth)));
}

void ProductPointers::advance(int64_t steps, MutableArrayRef<Value> carried) {
  auto times = [&](const Matrix &matrix) {
    return multiply(arith::ConstantIndexOp::create(*builder, location, steps),
                    matrix);
  };
  carried[0] = move(carried[0], times(lanes));
  if (isDepthFirst)
    carried[1] = move(carried[1], times(elements));
}

Value ProductPointers::loadLanes(int64_t step, VectorType type, int64_t lane) {
  return load(lanePointer, step * *lanes.knownStep + lane, type);
}

Value ProductPointers::loadElement(int64_t step, int64_t slot) {
  Type f32 = builder->getF32Type();
  if (!isDepthFirst)
    return load(pointers[slot], step, f32);
  if (elements.knownStep)
    return load(pointers.front(), step * *elements.knownStep + slot, f32);
  // From row to row: one pointer in a register.
  while (static_cast<int64_t>(pointers.size()) <= step)
    pointers.push_back(move(pointers.back(), elements.rowStep));
  return load(pointers[step], slot, f32);
}

} // namespace rapt::conversion
