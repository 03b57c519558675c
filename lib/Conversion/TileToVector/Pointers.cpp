// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/TileToVector/Pointers.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace rapt::conversion {

static Value constant(OpBuilder &builder, Location location, int64_t value) {
  return LLVM::ConstantOp::create(builder, location, builder.getI64Type(),
                                  builder.getI64IntegerAttr(value));
}

/// What the conversion to LLVM makes of a memref.
static LLVM::LLVMStructType getDescriptorType(MemRefType type) {
  MLIRContext *context = type.getContext();
  Type i64 = IntegerType::get(context, 64);
  auto pointer = LLVM::LLVMPointerType::get(context);
  SmallVector<Type> fields{pointer, pointer, i64};
  if (type.getRank() > 0)
    fields.append(2, LLVM::LLVMArrayType::get(i64, type.getRank()));
  return LLVM::LLVMStructType::getLiteral(context, fields);
}

/// The memref dialect has no way to make memory from an address, so this writes
/// the descriptor.
Value makeMemRef(OpBuilder &builder, Location location, MemRefType type,
                 Value pointer, ArrayRef<Value> sizes,
                 ArrayRef<Value> strides) {
  LLVM::LLVMStructType structType = getDescriptorType(type);
  Value descriptor = LLVM::UndefOp::create(builder, location, structType);
  auto insert = [&](Value value, ArrayRef<int64_t> position) {
    descriptor = LLVM::InsertValueOp::create(builder, location, descriptor,
                                             value, position);
  };
  insert(pointer, {0});
  insert(pointer, {1});
  insert(constant(builder, location, 0), {2});
  for (int64_t d = 0; d < type.getRank(); ++d) {
    insert(sizes[d], {3, d});
    insert(strides[d], {4, d});
  }
  return UnrealizedConversionCastOp::create(builder, location, type, descriptor)
      .getResult(0);
}

Value makeWords(OpBuilder &builder, Location location, Value address) {
  Value pointer = LLVM::IntToPtrOp::create(
      builder, location, LLVM::LLVMPointerType::get(builder.getContext()),
      address);
  Value one = constant(builder, location, 1);
  return makeMemRef(
      builder, location,
      MemRefType::get({ShapedType::kDynamic}, builder.getI32Type()), pointer,
      one, one);
}

Value loadWord(OpBuilder &builder, Location location, Value array,
               int64_t number) {
  Value place = LLVM::GEPOp::create(
      builder, location, array.getType(), builder.getI64Type(), array,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)});
  return LLVM::LoadOp::create(builder, location, builder.getI64Type(), place);
}

Value movePointer(OpBuilder &builder, Location location, Value pointer,
                  Value bytes) {
  return LLVM::GEPOp::create(builder, location, pointer.getType(),
                             builder.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

MemRefParts takeApart(OpBuilder &builder, Location location, Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  int64_t offset;
  SmallVector<int64_t> strides;
  bool isStrided = succeeded(type.getStridesAndOffset(strides, offset));
  assert(isStrided && "memrefs of kernels have strides");
  (void)isStrided;
  Value descriptor = UnrealizedConversionCastOp::create(
                         builder, location, getDescriptorType(type), memref)
                         .getResult(0);
  auto extract = [&](ArrayRef<int64_t> position) -> Value {
    return LLVM::ExtractValueOp::create(builder, location, descriptor,
                                        position);
  };
  auto get = [&](int64_t known, ArrayRef<int64_t> position) {
    return known == ShapedType::kDynamic ? extract(position)
                                         : constant(builder, location, known);
  };
  MemRefParts parts{extract({1}), {}, {}};
  if (offset != 0)
    parts.offset = get(offset, {2});
  for (auto [d, stride] : llvm::enumerate(strides))
    parts.strides.push_back(get(stride, {4, static_cast<int64_t>(d)}));
  return parts;
}

} // namespace rapt::conversion
