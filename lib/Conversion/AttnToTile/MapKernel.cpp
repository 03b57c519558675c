// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// One block of rows of an attn.map: scalars of a row become tiles [rows], rows
// become tiles [rows, features]; what is the same for every row stays a scalar
// or a tile [features].

#include "lib/Conversion/AttnToTile/KernelScope.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace rapt::conversion {
namespace {

/// A value of the region. `features` is 0 for a number of a row.
struct RowValue {
  /// A scalar or a tile; a matrix that is read is a view.
  Value value;
  /// Which of rows (0) and features (1) the tile varies over; none: a scalar.
  SmallVector<int64_t, 2> dims;
  int64_t features = 0;
  /// A matrix may only be read where it lies inside.
  bool isInside = false;

  bool isScalar() const { return dims.empty(); }
  bool variesOver(int64_t dim) const { return llvm::is_contained(dims, dim); }
};

class MapKernel {
public:
  MapKernel(KernelScope &scope, attn::MapOp op, tile::PlanAttr plan)
      : scope(scope), builder(scope.builder), op(op), rows(plan.getQueries()) {}

  LogicalResult emit(Value out);

private:
  void bindArguments();
  LogicalResult convert(Operation *op);
  LogicalResult convertRead(attn::ReadOp op);
  LogicalResult convertMatVec(attn::MatVecOp op);
  LogicalResult convertReduce(Operation *op, Value row, tile::Combiner kind);
  LogicalResult convertConcat(attn::ConcatOp op);
  LogicalResult convertConstant(arith::ConstantOp op);
  LogicalResult convertScalars(Operation *op);
  RowValue elementwise(Operation *op, ArrayRef<RowValue> operands,
                       Type resultType);
  RowValue makeMap(ArrayRef<RowValue> operands, int64_t features, Type element,
                   llvm::function_ref<Value(tile::MapOp, ValueRange)> body);
  Value materialize(const RowValue &value);
  bool isItemIndex(Value index);

  static Type getElement(Type type) { return getElementTypeOrSelf(type); }
  static int64_t getFeatures(Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor ? tensor.getDimSize(0) : 0;
  }

  KernelScope &scope;
  OpBuilder &builder;
  attn::MapOp op;
  int64_t rows;
  Value first;
  llvm::DenseMap<Value, RowValue> known;
  llvm::DenseMap<Value, TensorPlace> tensors;
};

} // namespace

void MapKernel::bindArguments() {
  first = scope.fold<arith::MulIOp>(scope.block, scope.index(rows));
  Block &block = op.getBody().front();
  known[block.getArgument(0)] = {scope.toI32(scope.batch), {}};
  known[block.getArgument(1)] = {scope.toI32(scope.head), {}};
  Value number = scope.positions(first, rows);
  known[block.getArgument(2)] = {number, {0}};
  if (op.getSide() == attn::Side::Queries) {
    Value offset = scope.fold<arith::SubIOp>(scope.keyCount, scope.queryCount);
    number = scope.positions(scope.fold<arith::AddIOp>(first, offset), rows);
  }
  known[block.getArgument(3)] = {number, {0}};
  unsigned next = attn::MapOp::kRowPositions;
  for (Value operand : op.getRows()) {
    auto argument = block.getArgument(next++);
    auto type = cast<RankedTensorType>(argument.getType());
    int64_t width = type.getDimSize(0);
    Value tile = tile::LoadOp::create(
        builder, scope.location,
        scope.tileType({rows, width}, type.getElementType()),
        scope.rowsOfItem(operand), ValueRange{first, scope.index(0)},
        builder.getDenseBoolArrayAttr({false, true}));
    known[argument] = {tile, {0, 1}, width};
  }
  for (Value capture : op.getCaptures())
    tensors[block.getArgument(next++)] = scope.places.at(capture);
}

/// A tile.map over the dimensions that any operand has.
RowValue
MapKernel::makeMap(ArrayRef<RowValue> operands, int64_t features, Type element,
                   llvm::function_ref<Value(tile::MapOp, ValueRange)> body) {
  RowValue result;
  result.features = features;
  SmallVector<int64_t> shape;
  for (int64_t dim : {0, 1})
    if (llvm::any_of(operands, [&](const RowValue &operand) {
          return operand.variesOver(dim);
        })) {
      result.dims.push_back(dim);
      shape.push_back(dim == 0 ? rows : features);
    }
  SmallVector<MapOperand> tiles;
  for (const RowValue &operand : operands) {
    if (operand.isScalar())
      continue;
    MapOperand tile{operand.value, {}};
    for (int64_t dim : operand.dims)
      tile.dims.push_back(llvm::find(result.dims, dim) - result.dims.begin());
    tiles.push_back(tile);
  }
  auto map = scope.map(
      tiles, shape, element, [&](tile::MapOp map, ValueRange elements) {
        // Scalars stand where they were among the operands.
        SmallVector<Value> all;
        unsigned next = 0;
        for (const RowValue &operand : operands)
          all.push_back(operand.isScalar() ? operand.value : elements[next++]);
        return SmallVector<Value>{body(map, all)};
      });
  result.value = map.getResult(0);
  return result;
}

RowValue MapKernel::elementwise(Operation *op, ArrayRef<RowValue> operands,
                                Type resultType) {
  auto copy = [&](ValueRange scalars) -> Value {
    OperationState state(op->getLoc(), op->getName());
    state.addOperands(scalars);
    state.addTypes(getElement(resultType));
    state.addAttributes(op->getAttrs());
    return builder.create(state)->getResult(0);
  };
  int64_t features = getFeatures(resultType);
  if (llvm::all_of(operands, [](const RowValue &v) { return v.isScalar(); })) {
    SmallVector<Value> scalars;
    for (const RowValue &operand : operands)
      scalars.push_back(operand.value);
    return {copy(scalars), {}, features};
  }
  return makeMap(operands, features, getElement(resultType),
                 [&](tile::MapOp, ValueRange e) { return copy(e); });
}

/// A tile [rows, features].
Value MapKernel::materialize(const RowValue &value) {
  if (value.variesOver(0) && value.variesOver(1))
    return value.value;
  Type element =
      value.isScalar()
          ? value.value.getType()
          : cast<tile::TileType>(value.value.getType()).getElementType();
  if (value.isScalar())
    return scope.splat(value.value, {rows, value.features});
  auto map = scope.map(
      {MapOperand{value.value, value.dims}}, {rows, value.features}, element,
      [](tile::MapOp, ValueRange e) { return SmallVector<Value>{e[0]}; });
  return map.getResult(0);
}

/// Whether an index of the region always lies inside its dimension.
bool MapKernel::isItemIndex(Value index) {
  Block &block = op.getBody().front();
  return index == block.getArgument(0) || index == block.getArgument(1) ||
         index.getDefiningOp<attn::ShareOp>();
}

LogicalResult MapKernel::convertRead(attn::ReadOp op) {
  const TensorPlace &place = tensors.at(op.getTensor());
  SmallVector<RowValue> indices;
  SmallVector<size_t> dims; // of the tensor, for each index
  bool isUniform = true, isInside = true;
  for (auto [d, index] : llvm::enumerate(op.getIndices())) {
    if (place.dims[d] < 0)
      continue;
    indices.push_back(known.at(index));
    dims.push_back(d);
    isUniform &= indices.back().isScalar();
    isInside &= isItemIndex(index);
  }
  auto kept = dyn_cast<RankedTensorType>(op.getType());
  Type element = getElement(op.getType());
  auto toIndex = [&](const RowValue &index) -> Value {
    return arith::IndexCastOp::create(builder, scope.location,
                                      builder.getIndexType(), index.value);
  };
  if (kept && kept.getRank() == 2) {
    if (!isUniform)
      return op.emitError()
             << "a matrix that varies from row to row is not compiled yet";
    Value view = place.view;
    if (!indices.empty()) {
      auto type = cast<tile::ViewType>(view.getType());
      view = tile::WindowOp::create(
          builder, scope.location,
          tile::ViewType::get(type.getElementType(), 2), view,
          SmallVector<Value>(llvm::map_range(indices, toIndex)));
    }
    known[op] = {view, {}, kept.getDimSize(0), isInside};
    return success();
  }
  if (kept && kept.getRank() > 2)
    return op.emitError() << "a tensor of rank " << kept.getRank()
                          << " inside a map is not compiled yet";
  int64_t features = getFeatures(op.getType());
  if (features)
    indices.push_back(
        {scope.positions(scope.index(0), features), {1}, features});
  auto read = [&](Operation *above, ValueRange scalars) -> Value {
    SmallVector<Value> placed(scalars);
    for (auto [n, d] : llvm::enumerate(dims))
      placed[n] = scope.placeIndex(place, d, placed[n], above);
    return tile::ReadOp::create(builder, op.getLoc(), element, place.view,
                                placed);
  };
  if (isUniform && !features) {
    SmallVector<Value> scalars;
    for (const RowValue &index : indices)
      scalars.push_back(index.value);
    known[op] = {read(nullptr, scalars), {}};
    return success();
  }
  known[op] =
      makeMap(indices, features, element,
              [&](tile::MapOp map, ValueRange e) { return read(map, e); });
  return success();
}

LogicalResult MapKernel::convertMatVec(attn::MatVecOp op) {
  const RowValue &matrix = known.at(op.getMatrix());
  Value row = materialize(known.at(op.getRow()));
  if (!isa<tile::ViewType>(matrix.value.getType()))
    return op.emitError() << "a matrix that is computed is not compiled yet";
  ArrayRef<int64_t> shape =
      cast<RankedTensorType>(op.getMatrix().getType()).getShape();
  Type f32 = builder.getF32Type();
  Value zero = scope.index(0);
  Value tile = tile::LoadOp::create(
      builder, scope.location, scope.tileType(shape, f32), matrix.value,
      ValueRange{zero, zero},
      builder.getDenseBoolArrayAttr({matrix.isInside, matrix.isInside}));
  Value product = tile::MmaOp::create(
      builder, scope.location, scope.tileType({rows, shape[0]}, f32), row, tile,
      Value(), Value(), /*lhs_transposed=*/false, /*rhs_transposed=*/true,
      /*skip_zeros=*/false);
  known[op] = {product, {0, 1}, shape[0]};
  return success();
}

LogicalResult MapKernel::convertReduce(Operation *op, Value row,
                                       tile::Combiner kind) {
  Value tile = materialize(known.at(row));
  Value result = tile::ReduceOp::create(
      builder, scope.location,
      scope.tileType({rows}, op->getResult(0).getType()), kind, tile,
      /*dimension=*/1);
  known[op->getResult(0)] = {result, {0}};
  return success();
}

LogicalResult MapKernel::convertConcat(attn::ConcatOp op) {
  SmallVector<Value> tiles;
  for (Value row : op.getRows())
    tiles.push_back(materialize(known.at(row)));
  int64_t features = getFeatures(op.getType());
  Value result = tile::ConcatOp::create(
      builder, scope.location,
      scope.tileType({rows, features}, getElement(op.getType())), tiles,
      /*dimension=*/1);
  known[op] = {result, {0, 1}, features};
  return success();
}

LogicalResult MapKernel::convertConstant(arith::ConstantOp op) {
  auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!elements) {
    known[op] = {builder.clone(*op)->getResult(0), {}};
    return success();
  }
  int64_t features = getFeatures(op.getType());
  if (elements.isSplat()) {
    auto value = cast<TypedAttr>(elements.getSplatValue<Attribute>());
    known[op] = {
        arith::ConstantOp::create(builder, op.getLoc(), value), {}, features};
    return success();
  }
  Value tile = tile::ConstantOp::create(
      builder, op.getLoc(),
      scope.tileType({features}, getElement(op.getType())), elements);
  known[op] = {tile, {1}, features};
  return success();
}

/// What only attn has, on numbers.
LogicalResult MapKernel::convertScalars(Operation *op) {
  SmallVector<RowValue> operands;
  for (Value operand : op->getOperands())
    operands.push_back(known.at(operand));
  bool isFine = true;
  auto copy = [&](Operation *above, ValueRange scalars) -> Value {
    RegionCopier copier(scope, above);
    for (auto [operand, scalar] : llvm::zip(op->getOperands(), scalars))
      copier.bind(operand, scalar);
    isFine = succeeded(copier.copy(op));
    return isFine ? copier.lookup(op->getResult(0)) : scalars.front();
  };
  int64_t features = getFeatures(op->getResult(0).getType());
  if (llvm::all_of(operands, [](const RowValue &v) { return v.isScalar(); })) {
    SmallVector<Value> scalars;
    for (const RowValue &operand : operands)
      scalars.push_back(operand.value);
    known[op->getResult(0)] = {copy(nullptr, scalars), {}, features};
  } else {
    known[op->getResult(0)] =
        makeMap(operands, features, getElement(op->getResult(0).getType()),
                [&](tile::MapOp map, ValueRange e) { return copy(map, e); });
  }
  return success(isFine);
}

LogicalResult MapKernel::convert(Operation *op) {
  if (Value shape = evaluateShape(
          scope, op, [&](Value tensor) { return tensors.at(tensor); })) {
    known[op->getResult(0)] = {scope.toI32(shape), {}};
    return success();
  }
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](arith::ConstantOp op) { return convertConstant(op); })
      .Case([&](attn::ReadOp op) { return convertRead(op); })
      .Case([&](attn::MatVecOp op) { return convertMatVec(op); })
      .Case([&](attn::ConcatOp op) { return convertConcat(op); })
      .Case([&](attn::DotOp op) {
        RowValue operands[] = {known.at(op.getLhs()), known.at(op.getRhs())};
        RowValue product = makeMap(
            operands, getFeatures(op.getLhs().getType()), builder.getF32Type(),
            [&](tile::MapOp, ValueRange e) -> Value {
              return arith::MulFOp::create(builder, op.getLoc(), e[0], e[1]);
            });
        Value sum = tile::ReduceOp::create(
            builder, scope.location,
            scope.tileType({rows}, builder.getF32Type()), tile::Combiner::Add,
            materialize(product), /*dimension=*/1);
        known[op] = {sum, {0}};
        return success();
      })
      .Case([&](attn::ReduceOp op) {
        switch (op.getKind()) {
        case attn::RowReduction::Add:
          return convertReduce(op, op.getRow(), tile::Combiner::Add);
        case attn::RowReduction::Max:
          return convertReduce(op, op.getRow(), tile::Combiner::Max);
        case attn::RowReduction::Min:
          return convertReduce(op, op.getRow(), tile::Combiner::Min);
        case attn::RowReduction::Argmax:
          return convertReduce(op, op.getRow(), tile::Combiner::Argmax);
        }
        llvm_unreachable("every kind of reduction is handled");
      })
      .Case([&](attn::SplatOp op) {
        RowValue value = known.at(op.getValue());
        value.features = getFeatures(op.getType());
        known[op] = value;
        return success();
      })
      .Case([&](attn::FeatureOp op) {
        int64_t features = getFeatures(op.getType());
        known[op] = {scope.positions(scope.index(0), features), {1}, features};
        return success();
      })
      .Case([&](attn::SliceOp op) {
        RowValue value = known.at(op.getRow());
        value.features = getFeatures(op.getType());
        if (value.variesOver(1)) {
          int64_t place = value.dims.size() - 1;
          SmallVector<int64_t> shape;
          for (int64_t dim : value.dims)
            shape.push_back(dim == 0 ? rows : value.features);
          value.value = tile::SliceOp::create(
              builder, scope.location,
              scope.tileType(shape, getElement(op.getType())), value.value,
              place, op.getOffset());
        }
        known[op] = value;
        return success();
      })
      .Case<attn::FloorDivOp, attn::ModOp, attn::UniformOp>(
          [&](auto op) { return convertScalars(op); })
      .Default([&](Operation *op) -> LogicalResult {
        if (op->getNumResults() != 1 || op->getNumRegions() != 0)
          return op->emitError() << "is not an operation of a map";
        SmallVector<RowValue> operands;
        for (Value operand : op->getOperands())
          operands.push_back(known.at(operand));
        known[op->getResult(0)] =
            elementwise(op, operands, op->getResult(0).getType());
        return success();
      });
}

LogicalResult MapKernel::emit(Value out) {
  bindArguments();
  Block &block = op.getBody().front();
  for (Operation &inner : block.without_terminator()) {
    scope.location = inner.getLoc();
    if (failed(convert(&inner)))
      return failure();
  }
  scope.location = op.getLoc();
  Value row = cast<attn::YieldOp>(block.back()).getValue();
  tile::StoreOp::create(builder, scope.location, tile::StoreMode::Set,
                        materialize(known.at(row)), out,
                        ValueRange{first, scope.index(0)});
  return success();
}

LogicalResult emitMapKernel(KernelScope &scope, attn::MapOp op,
                            tile::PlanAttr plan, Value out) {
  return MapKernel(scope, op, plan).emit(out);
}

} // namespace rapt::conversion
