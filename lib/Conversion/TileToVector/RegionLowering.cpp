// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Regions of tile.map on vectors. A value that does not depend on the lane
// stays a scalar; one that does not depend on the row is computed once, before
// the loop over rows.

#include "lib/Conversion/TileToVector/KernelLowering.h"
#include "lib/Conversion/TileToVector/Pointers.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace rapt::conversion {

Value KernelLowering::lookup(Value value,
                             llvm::DenseMap<Value, Value> &values) {
  if (auto known = values.find(value); known != values.end())
    return known->second;
  return scalars.at(value);
}

LogicalResult
KernelLowering::lowerRegion(tile::MapOp op,
                            llvm::DenseMap<Value, Value> &values,
                            llvm::function_ref<bool(Operation *)> wanted) {
  for (Operation &inner : op.getBody().front().without_terminator())
    if (wanted(&inner) && failed(lowerRegionOperation(&inner, values)))
      return failure();
  return success();
}

/// Finds what depends on the row, and computes the rest.
LogicalResult KernelLowering::hoist(tile::MapOp op) {
  llvm::DenseMap<Value, Value> &values = hoisted[op];
  llvm::DenseSet<Operation *> &dependent = rowDependent[op];
  Block &body = op.getBody().front();
  llvm::DenseSet<Value> perRow;
  for (auto [argument, operand] :
       llvm::zip(body.getArguments(), op.getOperands())) {
    if (isVector(operand))
      values[argument] = scalars.at(operand);
    else
      perRow.insert(argument);
  }
  for (Operation &inner : body.without_terminator())
    if (llvm::any_of(inner.getOperands(),
                     [&](Value value) { return perRow.contains(value); })) {
      dependent.insert(&inner);
      perRow.insert(inner.getResults().begin(), inner.getResults().end());
    }
  return lowerRegion(
      op, values, [&](Operation *inner) { return !dependent.contains(inner); });
}

/// The results of a map in one row.
LogicalResult KernelLowering::emitMapRow(tile::MapOp op, const Row &row) {
  llvm::DenseMap<Value, Value> values = hoisted[op];
  Block &body = op.getBody().front();
  bool isOne = isScalars(op.getResult(0));
  unsigned rowDim = isOne ? 0 : 1 - *lanes.getLaneDim(op.getResult(0));
  for (auto [n, operand] : llvm::enumerate(op.getOperands())) {
    if (isVector(operand))
      continue;
    FailureOr<Value> value = failure();
    if (isRows(operand) || isScalars(operand)) {
      value = rowAt(operand, row);
    } else {
      SmallVector<int64_t> dims = op.getOperandDims(n);
      SmallVector<Value> places;
      for (int64_t dim : dims) {
        if (dim != rowDim)
          return op.emitError() << "a tile along the lanes that is not in "
                                   "vectors has no lowering to vectors yet";
        places.push_back(indexOf(row));
      }
      value = elementAt(operand, places);
    }
    if (failed(value))
      return failure();
    values[body.getArgument(n)] = *value;
  }
  const llvm::DenseSet<Operation *> &dependent = rowDependent[op];
  if (failed(lowerRegion(op, values, [&](Operation *inner) {
        return dependent.contains(inner);
      })))
    return failure();
  auto yield = cast<tile::YieldOp>(body.back());
  for (auto [result, value] : llvm::zip(op.getResults(), yield.getValues()))
    registers[{result, row.slot}] = lookup(value, values);
  return success();
}

LogicalResult
KernelLowering::lowerRegionOperation(Operation *op,
                                     llvm::DenseMap<Value, Value> &values) {
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(isa<tile::ViewType>(operand.getType())
                           ? Value()
                           : lookup(operand, values));
  if (auto read = dyn_cast<tile::ReadOp>(op)) {
    values[read] = readElement(read, ArrayRef(operands).drop_front());
    return success();
  }
  if (op->getNumResults() != 1 || op->getNumRegions() != 0)
    return op->emitError() << "has no lowering to vectors yet";
  if (isa<arith::FloorDivSIOp>(op)) {
    values[op->getResult(0)] = floorDivide(operands[0], operands[1]);
    return success();
  }
  // A condition that is the same for all lanes may stay a scalar.
  bool isSelect = isa<arith::SelectOp>(op);
  if (isSelect && !isa<VectorType>(operands[0].getType())) {
    SmallVector<Value> chosen{operands[1], operands[2]};
    unifyShapes(chosen);
    operands = {operands[0], chosen[0], chosen[1]};
  } else {
    unifyShapes(operands);
  }
  Type element = op->getResult(0).getType();
  bool isVector = llvm::any_of(
      operands, [](Value value) { return isa<VectorType>(value.getType()); });
  // There are functions of vectors only.
  bool isFunction =
      isa<math::MathDialect>(op->getDialect()) && !isa<math::FmaOp>(op);
  if (isFunction && !isVector && element.isF32()) {
    auto all = VectorType::get({lanes32}, element);
    for (Value &operand : operands)
      operand = vector::BroadcastOp::create(builder, location, all, operand);
    OperationState state(op->getLoc(), op->getName());
    state.addOperands(operands);
    state.addTypes(all);
    state.addAttributes(op->getAttrs());
    values[op->getResult(0)] = vector::ExtractOp::create(
        builder, location, builder.create(state)->getResult(0), 0);
    return success();
  }
  OperationState state(op->getLoc(), op->getName());
  state.addOperands(operands);
  state.addTypes(isVector ? Type(vectorOf(element)) : element);
  state.addAttributes(op->getAttrs());
  values[op->getResult(0)] = builder.create(state)->getResult(0);
  return success();
}

//===----------------------------------------------------------------------===//
// Division
//===----------------------------------------------------------------------===//

/// The quotient rounded down. The divisor is positive in meaning; what is not
/// counts as 1, so that nothing traps.
Value KernelLowering::floorDivide(Value a, Value b) {
  auto constant = [&](Type type, int64_t value) -> Value {
    Attribute attr = builder.getIntegerAttr(getElementTypeOrSelf(type), value);
    if (auto shaped = dyn_cast<VectorType>(type))
      attr = DenseElementsAttr::get(shaped, attr);
    return arith::ConstantOp::create(builder, location, cast<TypedAttr>(attr));
  };
  APInt known;
  bool isConstant = matchPattern(b, m_ConstantInt(&known));
  unsigned bits = getElementTypeOrSelf(a.getType()).getIntOrFloatBitWidth();
  if (isConstant && known.isPowerOf2())
    return arith::ShRSIOp::create(builder, location, a,
                                  constant(a.getType(), known.logBase2()));
  SmallVector<Value> both{a, b};
  unifyShapes(both);
  a = both[0], b = both[1];
  Type type = a.getType();
  if (!isConstant)
    b = arith::MaxSIOp::create(builder, location, b, constant(type, 1));
  if (!isConstant && bits == 32 && isa<VectorType>(type)) {
    // There is no division of integer vectors. Both fit f64, and the quotient
    // is at least 2^-31 of itself away from the next integer.
    auto real = [&](Value value) -> Value {
      return arith::SIToFPOp::create(
          builder, location, cast<VectorType>(type).clone(builder.getF64Type()),
          value);
    };
    Value quotient = arith::DivFOp::create(builder, location, real(a), real(b));
    return arith::FPToSIOp::create(
        builder, location, type,
        math::FloorOp::create(builder, location, quotient));
  }
  // floor(a / b) = ~(~a / b) for negative a, with an unsigned division, which
  // LLVM turns into a multiplication if b is constant.
  Value sign =
      arith::ShRSIOp::create(builder, location, a, constant(type, bits - 1));
  Value folded = arith::XOrIOp::create(builder, location, a, sign);
  Value quotient = arith::DivUIOp::create(builder, location, folded, b);
  return arith::XOrIOp::create(builder, location, quotient, sign);
}

//===----------------------------------------------------------------------===//
// Reads
//===----------------------------------------------------------------------===//

/// A value as it lies in memory to what a region computes with.
Value KernelLowering::fromMemory(Value value, Type stored, Type element) {
  auto shaped = [&](Type type) -> Type {
    if (auto vector = dyn_cast<VectorType>(value.getType()))
      return vector.clone(type);
    return type;
  };
  if (stored.isInteger(1)) {
    Type type = value.getType();
    return arith::CmpIOp::create(builder, location, arith::CmpIPredicate::ne,
                                 value, zero(type));
  }
  if (stored == element)
    return value;
  if (stored.isBF16()) {
    // The upper half of an f32; not every target has the conversion.
    Value bits = arith::BitcastOp::create(builder, location,
                                          shaped(builder.getI16Type()), value);
    bits = arith::ExtUIOp::create(builder, location,
                                  shaped(builder.getI32Type()), bits);
    Attribute sixteen = builder.getI32IntegerAttr(16);
    if (auto vector = dyn_cast<VectorType>(bits.getType()))
      sixteen = DenseElementsAttr::get(vector, sixteen);
    Value shift =
        arith::ConstantOp::create(builder, location, cast<TypedAttr>(sixteen));
    bits = arith::ShLIOp::create(builder, location, bits, shift);
    return arith::BitcastOp::create(builder, location,
                                    shaped(builder.getF32Type()), bits);
  }
  if (isa<FloatType>(stored))
    return arith::ExtFOp::create(builder, location, shaped(element), value);
  if (stored.isUnsignedInteger())
    return arith::ExtUIOp::create(builder, location, shaped(element), value);
  return arith::ExtSIOp::create(builder, location, shaped(element), value);
}

Value KernelLowering::readElement(tile::ReadOp op, ArrayRef<Value> indices) {
  auto view = cast<tile::ViewType>(op.getView().getType());
  Value memory = scalars.at(op.getView());
  Type stored = view.getElementType(), element = op.getResult().getType();
  bool isPerLane = llvm::any_of(
      indices, [](Value value) { return isa<VectorType>(value.getType()); });
  if (isPerLane)
    return gather(memory, indices, stored, element);
  SmallVector<Value> places;
  Value isInside;
  for (auto [d, position] : llvm::enumerate(indices)) {
    Value place = position;
    if (!place.getType().isIndex())
      place = arith::IndexCastOp::create(builder, location,
                                         builder.getIndexType(), place);
    places.push_back(place);
    // As an unsigned number what is below 0 is too large.
    Value extent = builder.createOrFold<memref::DimOp>(location, memory, d);
    Value isBelow = arith::CmpIOp::create(
        builder, location, arith::CmpIPredicate::ult, place, extent);
    isInside =
        isInside
            ? Value(arith::AndIOp::create(builder, location, isInside, isBelow))
            : isBelow;
  }
  auto load = [&]() -> Value {
    Value value = memref::LoadOp::create(builder, location, memory, places);
    return fromMemory(value, stored, element);
  };
  if (!isInside)
    return load();
  auto branch = scf::IfOp::create(builder, location, element, isInside,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(builder, location, load());
  builder.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(builder, location, zero(element));
  return branch.getResult(0);
}

/// One element for each lane. Offsets are 64 bits wide: a tensor over pairs may
/// have more elements than 32 bits count.
Value KernelLowering::gather(Value memory, ArrayRef<Value> indices, Type stored,
                             Type element) {
  Type i64 = builder.getI64Type();
  VectorType wide = vectorOf(i64);
  auto toWide = [&](Value value) -> Value {
    Type type = getElementTypeOrSelf(value.getType());
    if (type.isIndex())
      value = arith::IndexCastOp::create(
          builder, location,
          isa<VectorType>(value.getType()) ? Type(wide) : i64, value);
    else if (!type.isInteger(64))
      value = arith::ExtSIOp::create(
          builder, location,
          isa<VectorType>(value.getType()) ? Type(wide) : i64, value);
    return value;
  };
  auto metadata =
      memref::ExtractStridedMetadataOp::create(builder, location, memory);
  Value offset, mask;
  for (auto [d, position] : llvm::enumerate(indices)) {
    Value place = toWide(position);
    Value extent = toWide(metadata.getSizes()[d]);
    Value stride = toWide(metadata.getStrides()[d]);
    SmallVector<Value> compared{place, extent}, scaled{place, stride};
    unifyShapes(compared);
    unifyShapes(scaled);
    Value isBelow = arith::CmpIOp::create(
        builder, location, arith::CmpIPredicate::ult, compared[0], compared[1]);
    Value part = arith::MulIOp::create(builder, location, scaled[0], scaled[1]);
    auto combine = [&]<typename Op>(Value a, Value b) -> Value {
      SmallVector<Value> both{a, b};
      unifyShapes(both);
      return Op::create(builder, location, both[0], both[1]);
    };
    mask = mask ? combine.operator()<arith::AndIOp>(mask, isBelow) : isBelow;
    offset = offset ? combine.operator()<arith::AddIOp>(offset, part) : part;
  }
  mask = broadcast(mask);
  offset = broadcast(offset);
  unsigned bits = memoryType(stored).getIntOrFloatBitWidth();
  if (bits < 32)
    return gatherNarrow(memory, offset, mask, stored, element);
  Value base = memref::ReinterpretCastOp::create(
      builder, location,
      MemRefType::get({ShapedType::kDynamic}, stored,
                      StridedLayoutAttr::get(builder.getContext(),
                                             ShapedType::kDynamic, {1})),
      metadata.getBaseBuffer(), OpFoldResult(metadata.getOffset()),
      ArrayRef<OpFoldResult>{OpFoldResult(index(1))},
      ArrayRef<OpFoldResult>{OpFoldResult(builder.getIndexAttr(1))});
  Value value = vector::GatherOp::create(builder, location, vectorOf(stored),
                                         base, ValueRange{index(0)}, offset,
                                         mask, zero(vectorOf(stored)));
  return fromMemory(value, stored, element);
}

/// There are no gathers of 8 or 16 bits: takes the aligned 32 bits around each
/// element, which lie on one page with it, and shifts.
Value KernelLowering::gatherNarrow(Value memory, Value offset, Value mask,
                                   Type stored, Type element) {
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  unsigned bits = memoryType(stored).getIntOrFloatBitWidth();
  auto constant = [&](Type type, int64_t value) -> Value {
    return broadcast(arith::ConstantOp::create(
        builder, location, builder.getIntegerAttr(type, value)));
  };
  Value address =
      arith::IndexCastOp::create(builder, location, i64,
                                 memref::ExtractAlignedPointerAsIndexOp::create(
                                     builder, location, memory));
  Value misplaced = arith::AndIOp::create(
      builder, location, address,
      arith::ConstantOp::create(builder, location,
                                builder.getI64IntegerAttr(3)));
  Value aligned = arith::SubIOp::create(builder, location, address, misplaced);
  Value byte =
      arith::MulIOp::create(builder, location, offset, constant(i64, bits / 8));
  byte = arith::AddIOp::create(builder, location, byte, broadcast(misplaced));
  Value word =
      arith::ShRSIOp::create(builder, location, byte, constant(i64, 2));
  Value shift = arith::ShLIOp::create(
      builder, location,
      arith::AndIOp::create(builder, location, byte, constant(i64, 3)),
      constant(i64, 3));
  Value words = vector::GatherOp::create(
      builder, location, vectorOf(i32), makeWords(builder, location, aligned),
      ValueRange{index(0)}, word, mask, zero(vectorOf(i32)));
  Value shifted = arith::ShRUIOp::create(
      builder, location, words,
      arith::TruncIOp::create(builder, location, vectorOf(i32), shift));
  Type narrowType = builder.getIntegerType(bits);
  Value value =
      arith::TruncIOp::create(builder, location, vectorOf(narrowType), shifted);
  if (isa<FloatType>(stored))
    value =
        arith::BitcastOp::create(builder, location, vectorOf(stored), value);
  return fromMemory(value, stored, element);
}

} // namespace rapt::conversion
