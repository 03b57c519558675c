// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/EmitRegion.h"
#include "dialects/Attn/IR/Attn.h"
#include "lib/Frontend/Computed.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinOps.h"
#include <cmath>

using namespace mlir;

namespace rapt::frontend {

Type getStorageType(support::ElementType type, MLIRContext *context) {
  using support::ElementType;
  switch (type) {
  case ElementType::F16:
    return Float16Type::get(context);
  case ElementType::BF16:
    return BFloat16Type::get(context);
  case ElementType::F32:
    return Float32Type::get(context);
  case ElementType::F64:
    return Float64Type::get(context);
  case ElementType::Boolean:
    return IntegerType::get(context, 1);
  default:
    return IntegerType::get(context, 8 * support::getElementSize(type));
  }
}

Type getElementType(const Node &node, MLIRContext *context) {
  switch (node.scalar) {
  case Scalar::Boolean:
    return IntegerType::get(context, 1);
  case Scalar::Integer: {
    // What an i64 input holds is read as such, whatever is known of its range.
    bool isWide = !node.range.fits(32);
    return IntegerType::get(context, isWide ? 64 : 32);
  }
  default:
    return Float32Type::get(context);
  }
}

RegionEmitter::RegionEmitter(OpBuilder &builder,
                             const support::SourceFile &source,
                             const RegionContext &context, Location location)
    : builder(builder), source(source), context(context), location(location) {
  if (Operation *parent = builder.getInsertionBlock()->getParentOp())
    if (auto module = parent->getParentOfType<ModuleOp>())
      hasExactReals = module->hasAttr(exactRealsAttr);
}

static Type addFeatures(Type element, const Node &node) {
  if (node.isScalar())
    return element;
  SmallVector<int64_t> extents;
  for (const Feature &feature : node.features)
    extents.push_back(feature.extent);
  return RankedTensorType::get(extents, element);
}

Type getRegionType(const Node &node, MLIRContext *context) {
  return addFeatures(getElementType(node, context), node);
}

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

Type RegionEmitter::withShape(Type element, const Node *shape) {
  return shape ? addFeatures(element, *shape) : element;
}

Value RegionEmitter::emitConstant(Attribute value, const Node *shape) {
  auto typed = cast<TypedAttr>(value);
  Type type = withShape(typed.getType(), shape);
  Value &known =
      converted[{value.getAsOpaquePointer(), {type.getAsOpaquePointer(), -1}}];
  if (known)
    return known;
  if (auto shaped = dyn_cast<ShapedType>(type))
    typed = DenseElementsAttr::get(shaped, value);
  return known = arith::ConstantOp::create(builder, location, typed);
}

/// One real for a scalar or for every feature of `shape`, or the features of a
/// row.
Value RegionEmitter::emitReals(ArrayRef<double> reals, const Node *shape) {
  bool isHeld = llvm::all_of(reals, [](double real) {
    return std::isnan(real) || static_cast<float>(real) == real;
  });
  Type element = builder.getF32Type();
  if (hasExactReals && !isHeld)
    element = builder.getF64Type();
  TypedAttr value;
  if (shape && !shape->isScalar()) {
    SmallVector<Attribute> elements;
    for (double real : reals)
      elements.push_back(FloatAttr::get(
          element, element.isF64() ? real : static_cast<float>(real)));
    value = DenseElementsAttr::get(cast<ShapedType>(withShape(element, shape)),
                                   elements);
  } else {
    value = FloatAttr::get(element, element.isF64()
                                        ? reals.front()
                                        : static_cast<float>(reals.front()));
  }
  Value &known = converted[{value.getAsOpaquePointer(), {nullptr, 0}}];
  if (known)
    return known;
  known = arith::ConstantOp::create(builder, location, value);
  if (element.isF64())
    known = arith::TruncFOp::create(
        builder, location, withShape(builder.getF32Type(), shape), known);
  return known;
}

Value RegionEmitter::emitIndex(int64_t value) {
  return emitConstant(builder.getI32IntegerAttr(value), nullptr);
}

Value RegionEmitter::resize(Value value, Type element) {
  Type found = getElementTypeOrSelf(value.getType());
  if (found == element || !isa<IntegerType>(element))
    return value;
  Type type = element;
  if (auto row = dyn_cast<RankedTensorType>(value.getType()))
    type = row.clone(element);
  if (found.getIntOrFloatBitWidth() < element.getIntOrFloatBitWidth())
    return arith::ExtSIOp::create(builder, location, type, value);
  return arith::TruncIOp::create(builder, location, type, value);
}

Value RegionEmitter::emitAs(const Node *node, Type element, const Node *shape) {
  if (node->op == Op::Integer)
    return emitConstant(IntegerAttr::get(element, node->integer), shape);
  if (node->op == Op::Real)
    return emitReals(node->real, shape);
  if (node->op == Op::Boolean)
    return emitConstant(builder.getBoolAttr(node->integer != 0), shape);
  Value value = emit(node);
  Type type = withShape(element, shape ? shape : node);
  bool isSplat = shape && !shape->isScalar() && node->isScalar();
  bool isSpread = shape && shape->isMatrix() && node->isRow();
  int64_t along = isSpread ? *findAlong(*shape, node->features.front()) : -1;
  if (value.getType() == element && !isSplat)
    return value;
  Value &known = converted[{value.getAsOpaquePointer(),
                            {type.getAsOpaquePointer(), along}}];
  if (known)
    return known;
  Value result = resize(value, element);
  if (isSplat)
    result = attn::SplatOp::create(builder, location, type, result);
  if (isSpread)
    result = attn::SpreadOp::create(builder, location, type, result, along);
  return known = result;
}

Type RegionEmitter::getWorkType(const Node *node, bool withResult) {
  unsigned width = 32;
  auto widen = [&](const Node *part) {
    if (part && part->scalar == Scalar::Integer && !part->range.fits(32))
      width = 64;
  };
  if (withResult)
    widen(node);
  for (const Node *operand : node->operands)
    widen(operand);
  return builder.getIntegerType(width);
}

//===----------------------------------------------------------------------===//
// Reads
//===----------------------------------------------------------------------===//

Value RegionEmitter::emitShare(Value tensor, int64_t dimension,
                               llvm::StringRef axis) {
  // The region may count these heads already.
  if (context.headAxis == axis)
    return context.head;
  return attn::ShareOp::create(builder, location, builder.getI32Type(),
                               context.head, tensor, dimension);
}

Value RegionEmitter::emitRead(const Node *node) {
  Value tensor = context.inputs.at(node->input);
  if (node->input->computed)
    return emitComputedRead(node, tensor);
  SmallVector<Value> indices;
  for (auto [dimension, index] : llvm::enumerate(node->operands)) {
    if (!index)
      continue;
    indices.push_back(index->op == Op::Share
                          ? emitShare(tensor, dimension, index->name)
                          : emitAs(index,
                                   getElementType(*index, builder.getContext()),
                                   nullptr));
  }
  // Only trailing dimensions can be kept.
  return attn::ReadOp::create(builder, location,
                              getRegionType(*node, builder.getContext()),
                              tensor, indices);
}

/// Of a captured tensor.
Value RegionEmitter::emitExtent(const std::string &axis) {
  auto [tensor, dimension] = context.extents.at(axis);
  return attn::ExtentOp::create(builder, location, builder.getI32Type(), tensor,
                                dimension);
}

/// A computed tensor has rank 4 whatever it varies over.
Value RegionEmitter::emitComputedRead(const Node *node, Value tensor) {
  const Computed &computed = *node->input->computed;
  SmallVector<Value> indices(4);
  for (auto [axis, index] : llvm::enumerate(node->operands)) {
    if (!index)
      continue;
    unsigned dimension = computed.dimensions[axis];
    indices[dimension] =
        index->op == Op::Share
            ? emitShare(tensor, dimension, index->name)
            : emitAs(index, getElementType(*index, builder.getContext()),
                     nullptr);
  }
  // Features that are kept are last.
  indices.truncate(4 - node->features.size());
  for (Value &index : indices)
    if (!index)
      index = emitIndex(0);
  return attn::ReadOp::create(builder, location,
                              getRegionType(*node, builder.getContext()),
                              tensor, indices);
}

Value RegionEmitter::emitHoisted(const Node *node,
                                 const RegionContext::Hoisted &hoisted) {
  Value head = hoisted.headAxis.empty()
                   ? emitIndex(0)
                   : emitShare(hoisted.tensor, 1, hoisted.headAxis);
  SmallVector<Value> indices{context.batch, head, emit(hoisted.position)};
  if (node->isScalar())
    indices.push_back(emitIndex(0));
  return attn::ReadOp::create(builder, location,
                              getRegionType(*node, builder.getContext()),
                              hoisted.tensor, indices);
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

Value RegionEmitter::emit(const Node *node) {
  if (auto known = emitted.find(node); known != emitted.end())
    return known->second;
  Location outer = location;
  if (node->place.end) {
    support::LineColumn place = source.place(node->place.begin);
    location = FileLineColLoc::get(builder.getContext(), source.name(),
                                   place.line, place.column);
  }
  Value value = emitNew(node);
  location = outer;
  return emitted[node] = value;
}

Value RegionEmitter::emitNew(const Node *node) {
  if (auto bound = context.values.find(node); bound != context.values.end())
    return bound->second;
  if (auto hoisted = context.hoisted.find(node);
      hoisted != context.hoisted.end())
    return emitHoisted(node, hoisted->second);
  if (auto expanded = context.expanded.find(node);
      expanded != context.expanded.end())
    return emit(expanded->second);
  switch (node->op) {
  case Op::Integer:
  case Op::Real:
  case Op::Boolean:
    return emitAs(node, getElementType(*node, builder.getContext()), nullptr);
  case Op::Read:
    return emitRead(node);
  case Op::Length:
    // Where the operation runs over something else than tokens, these are
    // captured.
    if (context.extents.count(node->name))
      return emitExtent(node->name);
    return attn::LengthOp::create(builder, location, builder.getI32Type(),
                                  node->name == "keys" ? attn::Side::Keys
                                                       : attn::Side::Queries);
  case Op::QueryPosition:
    // The last query stands at the last key.
    return arith::AddIOp::create(builder, location, context.row,
                                 arith::SubIOp::create(builder, location,
                                                       emitExtent("keys"),
                                                       emitExtent("queries")));
  case Op::LeadingExtent:
    return emitExtent(node->name);
  case Op::RealRow:
  case Op::Dot:
  case Op::MatVec:
  case Op::VecMat:
  case Op::Outer:
  case Op::ReduceAdd:
  case Op::ReduceMax:
  case Op::ReduceMin:
  case Op::ReduceArgmax:
  case Op::Slice:
  case Op::Concat:
  case Op::Rename:
    return emitRows(node);
  default:
    break;
  }
  switch (node->scalar) {
  case Scalar::Real:
    return emitReal(node);
  case Scalar::Integer:
    return emitInteger(node);
  default:
    return emitBoolean(node);
  }
}

Value RegionEmitter::emitReal(const Node *node) {
  Type f32 = builder.getF32Type();
  if (node->op == Op::RealFromInteger) {
    const Node *operand = node->operands[0];
    Value value =
        emitAs(operand, getElementType(*operand, builder.getContext()), node);
    return arith::SIToFPOp::create(builder, location, withShape(f32, node),
                                   value);
  }
  if (node->op == Op::Uniform) {
    SmallVector<Value> operands{
        emitAs(node->operands[0], builder.getI64Type(), nullptr)};
    for (const Node *position : llvm::drop_begin(node->operands))
      operands.push_back(emitAs(position, builder.getI32Type(), nullptr));
    return attn::UniformOp::create(builder, location, f32, operands[0],
                                   operands[1], operands[2], operands[3],
                                   operands[4]);
  }
  if (node->op == Op::Select)
    return arith::SelectOp::create(
        builder, location, emitAs(node->operands[0], builder.getI1Type(), node),
        emitAs(node->operands[1], f32, node),
        emitAs(node->operands[2], f32, node));
  Value a = emitAs(node->operands[0], f32, node);
  Value b = node->operands.size() > 1 ? emitAs(node->operands[1], f32, node)
                                      : Value();
  auto one = [&]<typename T>() -> Value {
    return T::create(builder, location, a);
  };
  auto two = [&]<typename T>() -> Value {
    return T::create(builder, location, a, b);
  };
  switch (node->op) {
  case Op::Add:
    return two.operator()<arith::AddFOp>();
  case Op::Sub:
    return two.operator()<arith::SubFOp>();
  case Op::Mul:
    return two.operator()<arith::MulFOp>();
  case Op::Divide:
    return two.operator()<arith::DivFOp>();
  case Op::Minimum:
    return two.operator()<arith::MinimumFOp>();
  case Op::Maximum:
    return two.operator()<arith::MaximumFOp>();
  case Op::Power:
    return two.operator()<math::PowFOp>();
  case Op::Negate:
    return one.operator()<arith::NegFOp>();
  case Op::Absolute:
    return one.operator()<math::AbsFOp>();
  case Op::Exp:
    return one.operator()<math::ExpOp>();
  case Op::ExpM1:
    return one.operator()<math::ExpM1Op>();
  case Op::Log:
    return one.operator()<math::LogOp>();
  case Op::Log1P:
    return one.operator()<math::Log1pOp>();
  case Op::Sqrt:
    return one.operator()<math::SqrtOp>();
  case Op::Tanh:
    return one.operator()<math::TanhOp>();
  case Op::Sin:
    return one.operator()<math::SinOp>();
  case Op::Cos:
    return one.operator()<math::CosOp>();
  case Op::Acos:
    return one.operator()<math::AcosOp>();
  default:
    llvm_unreachable("not a real operation of a region");
  }
}

Value RegionEmitter::emitLog2Floor(const Node *node) {
  const Node *operand = node->operands[0];
  Type type = getElementType(*operand, builder.getContext());
  unsigned width = type.getIntOrFloatBitWidth();
  Value value = emitAs(operand, type, node);
  Value zeros = math::CountLeadingZerosOp::create(builder, location, value);
  Value last = emitConstant(IntegerAttr::get(type, width - 1), node);
  Value result = arith::SubIOp::create(builder, location, last, zeros);
  if (operand->range.low < 0) {
    Value zero = emitConstant(IntegerAttr::get(type, 0), node);
    Value none = emitConstant(IntegerAttr::get(type, -1), node);
    Value isPositive = arith::CmpIOp::create(
        builder, location, arith::CmpIPredicate::sgt, value, zero);
    result =
        arith::SelectOp::create(builder, location, isPositive, result, none);
  }
  return resize(result, getElementType(*node, builder.getContext()));
}

Value RegionEmitter::emitInteger(const Node *node) {
  Type result = getElementType(*node, builder.getContext());
  if (node->op == Op::Log2Floor)
    return emitLog2Floor(node);
  if (node->op == Op::IntegerFromBoolean)
    return arith::ExtUIOp::create(
        builder, location, withShape(result, node),
        emitAs(node->operands[0], builder.getI1Type(), node));
  if (node->op == Op::FloorToInteger) {
    Type f32 = builder.getF32Type();
    Value value = math::FloorOp::create(builder, location,
                                        emitAs(node->operands[0], f32, node));
    // Conversion is defined only for what fits; a NaN becomes the least.
    auto limit = [&](Interval::Int bound) {
      return emitConstant(builder.getF32FloatAttr(static_cast<float>(bound)),
                          node);
    };
    value = arith::MaxNumFOp::create(builder, location, value,
                                     limit(node->range.low));
    value = arith::MinNumFOp::create(builder, location, value,
                                     limit(node->range.high));
    return arith::FPToSIOp::create(builder, location, withShape(result, node),
                                   value);
  }
  Type work = getWorkType(node, /*withResult=*/true);
  if (node->op == Op::Select)
    return arith::SelectOp::create(
        builder, location, emitAs(node->operands[0], builder.getI1Type(), node),
        emitAs(node->operands[1], result, node),
        emitAs(node->operands[2], result, node));
  Value a = emitAs(node->operands[0], work, node);
  if (node->op == Op::Negate) {
    Value zero = emitConstant(IntegerAttr::get(work, 0), node);
    return resize(arith::SubIOp::create(builder, location, zero, a), result);
  }
  if (node->op == Op::Absolute)
    return resize(math::AbsIOp::create(builder, location, a), result);
  Value b = emitAs(node->operands[1], work, node);
  auto two = [&]<typename T>() -> Value {
    return resize(builder.createOrFold<T>(location, a, b), result);
  };
  switch (node->op) {
  case Op::Add:
    return two.operator()<arith::AddIOp>();
  case Op::Sub:
    return two.operator()<arith::SubIOp>();
  case Op::Mul:
    return two.operator()<arith::MulIOp>();
  case Op::Minimum:
    return two.operator()<arith::MinSIOp>();
  case Op::Maximum:
    return two.operator()<arith::MaxSIOp>();
  case Op::Xor:
    return two.operator()<arith::XOrIOp>();
  case Op::FloorDivide:
    return two.operator()<attn::FloorDivOp>();
  case Op::Modulo:
    return two.operator()<attn::ModOp>();
  default:
    llvm_unreachable("not an integer operation of a region");
  }
}

namespace {
struct Predicates {
  arith::CmpIPredicate integer;
  arith::CmpFPredicate real;
};
} // namespace

static Predicates getPredicates(Op op) {
  switch (op) {
  case Op::Equal:
    return {arith::CmpIPredicate::eq, arith::CmpFPredicate::OEQ};
  case Op::NotEqual:
    return {arith::CmpIPredicate::ne, arith::CmpFPredicate::UNE};
  case Op::Less:
    return {arith::CmpIPredicate::slt, arith::CmpFPredicate::OLT};
  case Op::LessEqual:
    return {arith::CmpIPredicate::sle, arith::CmpFPredicate::OLE};
  case Op::Greater:
    return {arith::CmpIPredicate::sgt, arith::CmpFPredicate::OGT};
  default:
    return {arith::CmpIPredicate::sge, arith::CmpFPredicate::OGE};
  }
}

Value RegionEmitter::emitBoolean(const Node *node) {
  Type i1 = builder.getI1Type();
  auto get = [&](unsigned n) { return emitAs(node->operands[n], i1, node); };
  switch (node->op) {
  case Op::And:
    return arith::AndIOp::create(builder, location, get(0), get(1));
  case Op::Or:
    return arith::OrIOp::create(builder, location, get(0), get(1));
  case Op::Not:
    return arith::XOrIOp::create(builder, location, get(0),
                                 emitConstant(builder.getBoolAttr(true), node));
  case Op::Select:
    return arith::SelectOp::create(builder, location, get(0), get(1), get(2));
  default:
    break;
  }
  Scalar kind = node->operands[0]->scalar;
  Type type = kind == Scalar::Boolean ? i1
              : kind == Scalar::Real  ? Type(builder.getF32Type())
                                      : getWorkType(node, /*withResult=*/false);
  Value a = emitAs(node->operands[0], type, node);
  Value b = emitAs(node->operands[1], type, node);
  Predicates predicates = getPredicates(node->op);
  if (kind == Scalar::Real)
    return arith::CmpFOp::create(builder, location, predicates.real, a, b);
  return arith::CmpIOp::create(builder, location, predicates.integer, a, b);
}

Value RegionEmitter::emitRows(const Node *node) {
  MLIRContext *mlir = builder.getContext();
  Type result = getRegionType(*node, mlir);
  auto get = [&](unsigned n) { return emit(node->operands[n]); };
  auto reduce = [&](attn::RowReduction kind) -> Value {
    const Node *row = node->operands[0];
    // A sum may need more bits than its summands.
    Type element =
        getElementType(kind == attn::RowReduction::Add ? *node : *row, mlir);
    Value value = emitAs(row, element, row);
    return attn::ReduceOp::create(builder, location, result, kind, value);
  };
  switch (node->op) {
  case Op::RealRow:
    return emitReals(node->row, node);
  case Op::Dot:
    return attn::DotOp::create(builder, location, result, get(0), get(1));
  case Op::MatVec:
    return attn::MatVecOp::create(builder, location, result, get(0), get(1));
  case Op::VecMat:
    return attn::VecMatOp::create(builder, location, result, get(0), get(1));
  case Op::Outer:
    return attn::OuterOp::create(builder, location, result, get(0), get(1));
  case Op::ReduceAdd:
    return reduce(attn::RowReduction::Add);
  case Op::ReduceMax:
    return reduce(attn::RowReduction::Max);
  case Op::ReduceMin:
    return reduce(attn::RowReduction::Min);
  case Op::ReduceArgmax:
    return reduce(attn::RowReduction::Argmax);
  case Op::Slice:
    return attn::SliceOp::create(builder, location, result, get(0),
                                 node->integer);
  case Op::Concat: {
    SmallVector<Value> rows;
    for (const Node *row : node->operands)
      rows.push_back(emitAs(row, getElementType(*node, mlir), row));
    return attn::ConcatOp::create(builder, location, result, rows);
  }
  case Op::Rename:
    return get(0);
  default:
    llvm_unreachable("not an operation on rows");
  }
}

} // namespace rapt::frontend
