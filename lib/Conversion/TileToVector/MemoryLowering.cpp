// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Tiles from and to views. Memory has features next to each other, tiles have
// queries (or rows) along the lanes: loads and stores transpose square blocks
// in registers. Offsets of tiles are never negative.

#include "lib/Conversion/TileToVector/KernelLowering.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace rapt::conversion {

//===----------------------------------------------------------------------===//
// Parts of a row of memory
//===----------------------------------------------------------------------===//

/// How many of `count` positions from `first` on lie below `extent`.
Value KernelLowering::countInside(Value first, int64_t count, Value extent) {
  Value rest = builder.createOrFold<arith::SubIOp>(location, extent, first);
  rest = builder.createOrFold<arith::MinSIOp>(location, rest, index(count));
  return builder.createOrFold<arith::MaxSIOp>(location, rest, index(0));
}

/// `inside`, or 0 in a row that lies outside.
Value KernelLowering::countInRow(Value row, Value extent, Value inside) {
  Value isBelow = arith::CmpIOp::create(builder, location,
                                        arith::CmpIPredicate::slt, row, extent);
  return arith::SelectOp::create(builder, location, isBelow, inside, index(0));
}

/// A loop over [0, extent) in parts of `size`, and what is left.
void KernelLowering::forParts(
    int64_t extent, int64_t size,
    llvm::function_ref<void(Value first, int64_t count)> emit) {
  int64_t whole = extent / size * size;
  if (whole > 0) {
    auto loop = scf::ForOp::create(builder, location, index(0), index(whole),
                                   index(size));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    emit(loop.getInductionVar(), size);
  }
  if (whole < extent)
    emit(index(whole), extent - whole);
}

Value KernelLowering::maskOf(Value count, int64_t lanes) {
  return vector::CreateMaskOp::create(
      builder, location, VectorType::get({lanes}, builder.getI1Type()), count);
}

/// `lanes` elements of a view from `position` on as the type of a tile; without
/// a mask all are read, else those not read are 0.
Value KernelLowering::loadPart(Value memory, ArrayRef<Value> position,
                               Value mask, int64_t lanes, Type element) {
  Type stored = cast<MemRefType>(memory.getType()).getElementType();
  auto type = VectorType::get({lanes}, stored);
  Value value;
  if (mask)
    value = vector::MaskedLoadOp::create(builder, location, type, memory,
                                         position, mask, zero(type));
  else
    value = vector::LoadOp::create(builder, location, type, memory, position);
  bool isBoolean = element.isInteger(1);
  return fromMemory(value, isBoolean ? element : stored, element);
}

/// f32 to a narrower type, rounding to nearest even.
Value KernelLowering::narrow(Value vector, Type element) {
  auto type = cast<VectorType>(vector.getType());
  if (type.getElementType() == element)
    return vector;
  if (type.getElementType().isInteger(1))
    return arith::ExtUIOp::create(builder, location, type.clone(element),
                                  vector);
  if (isa<IntegerType>(element))
    return arith::TruncIOp::create(builder, location, type.clone(element),
                                   vector);
  if (!element.isBF16())
    return arith::TruncFOp::create(builder, location, type.clone(element),
                                   vector);
  // In integers: not every target has the conversion.
  auto bits = type.clone(builder.getI32Type());
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(
        builder, location,
        DenseElementsAttr::get(bits,
                               Attribute(builder.getI32IntegerAttr(value))));
  };
  Value word = arith::BitcastOp::create(builder, location, bits, vector);
  Value upper = arith::ShRUIOp::create(builder, location, word, constant(16));
  Value isOdd = arith::AndIOp::create(builder, location, upper, constant(1));
  Value half =
      arith::AddIOp::create(builder, location, isOdd, constant(0x7FFF));
  Value rounded = arith::ShRUIOp::create(
      builder, location, arith::AddIOp::create(builder, location, word, half),
      constant(16));
  // A NaN stays a quiet one.
  Value isNan = arith::CmpFOp::create(
      builder, location, arith::CmpFPredicate::UNO, vector, vector);
  Value quiet = arith::OrIOp::create(builder, location, upper, constant(0x40));
  rounded = arith::SelectOp::create(builder, location, isNan, quiet, rounded);
  Value narrowed = arith::TruncIOp::create(
      builder, location, type.clone(builder.getI16Type()), rounded);
  return arith::BitcastOp::create(builder, location, type.clone(element),
                                  narrowed);
}

void KernelLowering::storePart(Value vector, Value memory,
                               ArrayRef<Value> position, Value mask) {
  Type stored = cast<MemRefType>(memory.getType()).getElementType();
  vector = narrow(vector, stored);
  if (mask)
    vector::MaskedStoreOp::create(builder, location, memory, position, mask,
                                  vector);
  else
    vector::StoreOp::create(builder, location, vector, memory, position);
}

/// Transposes a square block of vectors in place: in each of log2(n) steps
/// pairs of rows exchange halves (Eklundh 1972).
void KernelLowering::transposeBlock(SmallVectorImpl<Value> &block) {
  auto size = static_cast<int64_t>(block.size());
  for (int64_t step = size / 2; step > 0; step /= 2)
    for (int64_t i = 0; i < size; ++i) {
      if (i & step)
        continue;
      Value a = block[i], b = block[i + step];
      SmallVector<int64_t> low, high;
      for (int64_t c = 0; c < size; ++c) {
        low.push_back(c & step ? size + c - step : c);
        high.push_back(c & step ? size + c : c + step);
      }
      block[i] = vector::ShuffleOp::create(builder, location, a, b, low);
      block[i + step] =
          vector::ShuffleOp::create(builder, location, a, b, high);
    }
}

//===----------------------------------------------------------------------===//
// Windows and loads
//===----------------------------------------------------------------------===//

LogicalResult KernelLowering::lowerWindow(tile::WindowOp op) {
  Value source = scalars.at(op.getSource());
  auto type = cast<MemRefType>(source.getType());
  int64_t fixed = op.getIndices().size(), rank = type.getRank();
  // An index outside gives a window of nothing.
  Value isInside;
  SmallVector<OpFoldResult> offsets, sizes, strides;
  for (int64_t d = 0; d < rank; ++d) {
    Value extent = builder.createOrFold<memref::DimOp>(location, source, d);
    strides.push_back(builder.getIndexAttr(1));
    if (d < fixed) {
      Value position = scalars.at(op.getIndices()[d]);
      Value isBelow = arith::CmpIOp::create(
          builder, location, arith::CmpIPredicate::ult, position, extent);
      isInside = isInside ? Value(arith::AndIOp::create(builder, location,
                                                        isInside, isBelow))
                          : isBelow;
      offsets.push_back(position);
      sizes.push_back(builder.getIndexAttr(1));
      continue;
    }
    Value size = extent;
    if (isInside && d == fixed)
      size = arith::SelectOp::create(builder, location, isInside, extent,
                                     index(0));
    offsets.push_back(builder.getIndexAttr(0));
    sizes.push_back(size);
  }
  SmallVector<int64_t> shape(rank - fixed, ShapedType::kDynamic);
  MemRefType result = memref::SubViewOp::inferRankReducedResultType(
      shape, type, offsets, sizes, strides);
  scalars[op] = memref::SubViewOp::create(builder, location, result, source,
                                          offsets, sizes, strides);
  return success();
}

/// The memory stays where it is; loads and stores look their rows up.
void KernelLowering::lowerListRows(tile::ListRowsOp op) {
  scalars[op] = scalars.lookup(op.getSource());
  lists[op] = scalars.lookup(op.getList());
}

/// Where a row begins is not linear in its number: the view that is kept has a
/// row for every element of memory, and the row is looked up there.
void KernelLowering::lowerGroupRows(tile::GroupRowsOp op) {
  Value source = scalars.at(op.getSource());
  auto metadata =
      memref::ExtractStridedMetadataOp::create(builder, location, source);
  auto multiply = [&](Value a, Value b) -> Value {
    return builder.createOrFold<arith::MulIOp>(location, a, b);
  };
  ValueRange sizes = metadata.getSizes(), strides = metadata.getStrides();
  Value count = scalars.at(op.getCount());
  Value rows = multiply(sizes[1], count);
  SmallVector<OpFoldResult> shape{rows}, steps{builder.getIndexAttr(1)};
  auto old = cast<MemRefType>(source.getType());
  SmallVector<int64_t> extents(old.getRank() - 1, ShapedType::kDynamic);
  SmallVector<int64_t> known{1};
  auto layout = cast<StridedLayoutAttr>(old.getLayout());
  for (int64_t d = 2; d < old.getRank(); ++d) {
    shape.push_back(sizes[d]);
    known.push_back(layout.getStrides()[d]);
    steps.push_back(known.back() == ShapedType::kDynamic
                        ? OpFoldResult(strides[d])
                        : OpFoldResult(builder.getIndexAttr(known.back())));
  }
  auto type =
      MemRefType::get(extents, old.getElementType(),
                      StridedLayoutAttr::get(builder.getContext(),
                                             ShapedType::kDynamic, known));
  scalars[op] = memref::ReinterpretCastOp::create(
      builder, location, type, metadata.getBaseBuffer(),
      OpFoldResult(metadata.getOffset()), shape, steps);
  groupedRows[op] = {scalars.at(op.getFirst()),
                     count,
                     scalars.at(op.getOf()),
                     sizes[0],
                     strides[0],
                     strides[1]};
}

/// The number of rows of a view.
Value KernelLowering::rowExtentOf(Value view) {
  Value list = lists.lookup(view);
  return builder.createOrFold<memref::DimOp>(location,
                                             list ? list : scalars.at(view), 0);
}

/// The row of memory that row `row` of a view is; for one outside some row.
Value KernelLowering::findRow(Value view, Value row) {
  if (auto grouped = groupedRows.find(view); grouped != groupedRows.end()) {
    const GroupedRows &rows = grouped->second;
    auto multiply = [&](Value a, Value b) -> Value {
      return arith::MulIOp::create(builder, location, a, b);
    };
    Value head = arith::AddIOp::create(
        builder, location, rows.first,
        arith::RemUIOp::create(builder, location, row, rows.count));
    head = arith::DivUIOp::create(builder, location, multiply(head, rows.heads),
                                  rows.of);
    Value position = arith::DivUIOp::create(builder, location, row, rows.count);
    return arith::AddIOp::create(builder, location,
                                 multiply(head, rows.headStep),
                                 multiply(position, rows.rowStep));
  }
  Value list = lists.lookup(view);
  if (!list)
    return row;
  Value last =
      arith::SubIOp::create(builder, location, rowExtentOf(view), index(1));
  Value place = builder.createOrFold<arith::MinSIOp>(location, row, last);
  Value number = memref::LoadOp::create(builder, location, list, place);
  return arith::IndexCastOp::create(builder, location, builder.getIndexType(),
                                    number);
}

/// `inside`, or 0 for a row that is listed but outside the memory.
Value KernelLowering::countInMemory(Value view, Value row, Value inside) {
  if (!lists.contains(view))
    return inside;
  Value extent =
      builder.createOrFold<memref::DimOp>(location, scalars.at(view), 0);
  Value isBelow = arith::CmpIOp::create(builder, location,
                                        arith::CmpIPredicate::ult, row, extent);
  return arith::SelectOp::create(builder, location, isBelow, inside, index(0));
}

/// Asks for a row of a view, all of its lines. Rows that do not exist are some
/// other address, which is harmless.
void KernelLowering::prefetchRow(Value view, Value row, bool isForStore) {
  constexpr int64_t lineBytes = 64;
  Value memory = scalars.at(view);
  auto type = cast<MemRefType>(memory.getType());
  int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  Value columns = builder.createOrFold<memref::DimOp>(location, memory, 1);
  Value place = findRow(view, row);
  auto loop =
      scf::ForOp::create(builder, location, index(0), columns,
                         index(std::max<int64_t>(lineBytes / bytes, 1)));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  memref::PrefetchOp::create(builder, location, memory,
                             ValueRange{place, loop.getInductionVar()},
                             /*isWrite=*/isForStore, /*localityHint=*/3,
                             /*isDataCache=*/true);
}

void KernelLowering::lowerPrefetch(tile::PrefetchOp op) {
  auto loop =
      scf::ForOp::create(builder, location, index(0),
                         index(static_cast<int64_t>(op.getRows())), index(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value row = builder.createOrFold<arith::AddIOp>(
      location, scalars.at(op.getFirst()), loop.getInductionVar());
  prefetchRow(op.getView(), row, op.getForStore());
}

LogicalResult KernelLowering::lowerLoad(tile::LoadOp op) {
  auto view = cast<tile::ViewType>(op.getView().getType());
  tile::TileType tile = op.getResult().getType();
  if (tile.getRank() == 0 || tile.getRank() > 2)
    return op.emitError() << "a tile of rank " << tile.getRank()
                          << " has no lowering to vectors yet";
  bool isListed = lists.contains(op.getView());
  if ((isListed || groupedRows.contains(op.getView())) && tile.getRank() != 2)
    return op.emitError() << "listed rows have no lowering to vectors yet but "
                             "as a matrix";
  if (lanes.isColumns() && isStream(op.getResult()))
    return success(); // its product reads it where it lies
  if (isVector(op.getResult())) {
    Value memory = scalars.at(op.getView());
    Value first = scalars.at(op.getOffsets()[0]);
    Value extent = builder.createOrFold<memref::DimOp>(location, memory, 0);
    int64_t count = tile.getShape()[0];
    Value mask = op.isInBounds(0) && count == width
                     ? Value()
                     : maskOf(countInside(first, count, extent), width);
    scalars[op] = loadPart(memory, first, mask, width, tile.getElementType());
    return success();
  }
  if (isRows(op.getResult())) {
    if (failed(lanes.getLaneDim(op.getResult()) == 0u ? loadTransposed(op)
                                                      : loadRows(op)))
      return failure();
    if (llvm::any_of(op->getUses(), [&](OpOperand &use) {
          return isReadAsPairs(op.getResult(), use);
        }))
      packRows(op.getResult());
    return success();
  }
  // Elements are read where they lie if they can be.
  bool isDirect = (view.getElementType() == tile.getElementType() &&
                   !tile.getElementType().isInteger(1)) ||
                  findNarrow(op.getResult());
  unsigned last = tile.getRank() - 1;
  if (!isDirect || !op.isInBounds(last) || groupedRows.contains(op.getView()))
    return copyElements(op);
  if (tile.getRank() == 1)
    return success();
  // Of rows in pages each is found where it is read.
  bool isPaged = view.getRows() == tile::RowMap::Paged;
  return op.isInBounds(0) && (!isListed || isPaged) ? success()
                                                    : loadInside(op);
}

/// How far apart the rows of a view from `firstRow` on lie in memory, all of
/// them inside its list, as an index; 0 if that is not the same for all, or
/// rows are in descending order or outside the memory.
Value KernelLowering::findRowStep(tile::LoadOp op, Value list, Value firstRow) {
  int64_t rows = op.getResult().getType().getShape()[0];
  Type i32 = builder.getI32Type();
  auto numberAt = [&](int64_t n) -> Value {
    return memref::LoadOp::create(builder, location, list, add(firstRow, n));
  };
  Value first = numberAt(0);
  Value apart =
      rows > 1
          ? Value(arith::SubIOp::create(builder, location, numberAt(1), first))
          : Value(arith::ConstantOp::create(builder, location,
                                            builder.getI32IntegerAttr(1)));
  int64_t part = std::min(rows, lanes32);
  auto type = VectorType::get({part}, i32);
  SmallVector<Attribute> numbers;
  for (int64_t lane = 0; lane < part; ++lane)
    numbers.push_back(builder.getI32IntegerAttr(static_cast<int32_t>(lane)));
  Value lanes = arith::ConstantOp::create(
      builder, location, DenseElementsAttr::get(type, numbers));
  auto splat = [&](Value value) -> Value {
    return vector::BroadcastOp::create(builder, location, type, value);
  };
  Value steps = arith::MulIOp::create(builder, location, lanes, splat(apart));
  Value difference = zero(type);
  for (int64_t n = 0; n < rows; n += part) {
    int64_t start = std::min(n, rows - part);
    Value found = vector::LoadOp::create(builder, location, type, list,
                                         add(firstRow, start));
    Value offset = arith::MulIOp::create(
        builder, location, apart,
        arith::ConstantOp::create(
            builder, location,
            builder.getI32IntegerAttr(static_cast<int32_t>(start))));
    Value expected = arith::AddIOp::create(
        builder, location,
        splat(arith::AddIOp::create(builder, location, first, offset)), steps);
    difference = arith::OrIOp::create(
        builder, location, difference,
        arith::XOrIOp::create(builder, location, found, expected));
  }
  Value any = vector::ReductionOp::create(
      builder, location, vector::CombiningKind::OR, difference);
  auto compare = [&](arith::CmpIPredicate predicate, Value x, Value y) {
    return arith::CmpIOp::create(builder, location, predicate, x, y);
  };
  Value follows = compare(arith::CmpIPredicate::eq, any, zero(i32));
  follows = arith::AndIOp::create(
      builder, location, follows,
      compare(arith::CmpIPredicate::sgt, apart, zero(i32)));
  // As unsigned numbers what is below 0 is too large; a sum of 64 bits does not
  // overflow.
  auto toIndex = [&](Value value) -> Value {
    return arith::IndexCastOp::create(builder, location, builder.getIndexType(),
                                      value);
  };
  Value extent = builder.createOrFold<memref::DimOp>(
      location, scalars.at(op.getView()), 0);
  Value row = toIndex(first), step = toIndex(apart);
  Value last = arith::AddIOp::create(
      builder, location, row,
      arith::MulIOp::create(builder, location, step, index(rows - 1)));
  for (Value end : {row, last})
    follows =
        arith::AndIOp::create(builder, location, follows,
                              compare(arith::CmpIPredicate::ult, end, extent));
  return arith::SelectOp::create(builder, location, follows, step, index(0));
}

/// Rows that lie inside the view are read where they are; so are listed ones
/// that happen to lie at equal distances, such as ids that are sorted already
/// or residues. Others are copied.
LogicalResult KernelLowering::loadInside(tile::LoadOp op) {
  tile::TileType tile = op.getResult().getType();
  int64_t rows = tile.getShape()[0];
  Value memory = scalars.at(op.getView()), list = lists.lookup(op.getView());
  Value firstRow = scalars.at(op.getOffsets()[0]);
  Value step;
  if (!op.isInBounds(0)) {
    Value isInside =
        arith::CmpIOp::create(builder, location, arith::CmpIPredicate::sle,
                              add(firstRow, rows), rowExtentOf(op.getView()));
    if (!list) {
      step = arith::SelectOp::create(builder, location, isInside, index(1),
                                     index(0));
    } else {
      auto branch =
          scf::IfOp::create(builder, location, builder.getIndexType(), isInside,
                            /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(branch.thenBlock());
      scf::YieldOp::create(builder, location, findRowStep(op, list, firstRow));
      builder.setInsertionPointToStart(branch.elseBlock());
      scf::YieldOp::create(builder, location, index(0));
      step = branch.getResult(0);
    }
  } else {
    step = findRowStep(op, list, firstRow);
  }

  int64_t columns = tile.getShape()[1];
  auto layout = StridedLayoutAttr::get(
      builder.getContext(), ShapedType::kDynamic, {ShapedType::kDynamic, 1});
  auto result = MemRefType::get(
      {rows, columns}, cast<MemRefType>(memory.getType()).getElementType(),
      layout);
  auto part2D = [&](Value source, Value row, Value column,
                    OpFoldResult rowStep) -> Value {
    SmallVector<OpFoldResult> sizes{builder.getIndexAttr(rows),
                                    builder.getIndexAttr(columns)};
    SmallVector<OpFoldResult> steps{rowStep, builder.getIndexAttr(1)};
    Value view = memref::SubViewOp::create(builder, location, source,
                                           ArrayRef<OpFoldResult>{row, column},
                                           sizes, steps);
    return memref::CastOp::create(builder, location, result, view);
  };
  Value isDirect = arith::CmpIOp::create(
      builder, location, arith::CmpIPredicate::ne, step, index(0));
  auto branch = scf::IfOp::create(builder, location, result, isDirect,
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    Value row = findRow(op.getView(), firstRow);
    OpFoldResult rowStep = builder.getIndexAttr(1);
    if (list)
      rowStep = step;
    scf::YieldOp::create(
        builder, location,
        part2D(memory, row, scalars.at(op.getOffsets()[1]), rowStep));
    builder.setInsertionPointToStart(branch.elseBlock());
    if (failed(copyElements(op)))
      return failure();
    scf::YieldOp::create(
        builder, location,
        part2D(buffers.at(op), index(0), index(0), builder.getIndexAttr(1)));
  }
  buffers[op] = branch.getResult(0);
  return success();
}

/// Rows of memory are lanes: [lanes, features] becomes [features][lanes].
LogicalResult KernelLowering::loadTransposed(tile::LoadOp op) {
  tile::TileType tile = op.getResult().getType();
  int64_t features = tile.getShape()[1];
  int64_t block = std::min(lanes32, width);
  Type element = tile.getElementType();
  Value memory = scalars.at(op.getView());
  Value firstRow = scalars.at(op.getOffsets()[0]);
  Value firstColumn = scalars.at(op.getOffsets()[1]);
  Value rowExtent = rowExtentOf(op.getView());
  Value columnExtent = builder.createOrFold<memref::DimOp>(location, memory, 1);
  Value buffer = allocate({features, width}, element);

  // `count` features from `d` on, for `block` lanes from `lane` on.
  auto emitBlock = [&](Value d, Value lane, int64_t count) {
    Value column =
        builder.createOrFold<arith::AddIOp>(location, firstColumn, d);
    Value row0 = builder.createOrFold<arith::AddIOp>(location, firstRow, lane);
    Value inside = index(count);
    if (!op.isInBounds(1))
      inside = countInside(column, count, columnExtent);
    SmallVector<Value> rows;
    for (int64_t k = 0; k < block; ++k) {
      Value row = add(row0, k), read = inside;
      Value place = findRow(op.getView(), row);
      if (!op.isInBounds(0))
        read = countInMemory(op.getView(), place,
                             countInRow(row, rowExtent, inside));
      bool isWhole = op.isInBounds(0) && op.isInBounds(1) && count == block;
      rows.push_back(loadPart(memory, {place, column},
                              isWhole ? Value() : maskOf(read, block), block,
                              element));
    }
    transposeBlock(rows);
    for (int64_t k = 0; k < count; ++k) {
      Value stored = rows[k];
      if (element.isInteger(1))
        stored = narrow(stored, builder.getI8Type());
      vector::StoreOp::create(builder, location, stored, buffer,
                              ValueRange{add(d, k), lane});
    }
  };
  auto lanesLoop = scf::ForOp::create(builder, location, index(0), index(width),
                                      index(block));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(lanesLoop.getBody());
  forParts(features, block, [&](Value d, int64_t count) {
    emitBlock(d, lanesLoop.getInductionVar(), count);
  });
  buffers[op] = buffer;
  return success();
}

/// Columns of memory are lanes: rows are read as they lie.
LogicalResult KernelLowering::loadRows(tile::LoadOp op) {
  tile::TileType tile = op.getResult().getType();
  int64_t count = tile.getShape()[0];
  Value memory = scalars.at(op.getView());
  Value firstRow = scalars.at(op.getOffsets()[0]);
  Value column = scalars.at(op.getOffsets()[1]);
  Value rowExtent = rowExtentOf(op.getView());
  Value columnExtent = builder.createOrFold<memref::DimOp>(location, memory, 1);
  Value inside = countInside(column, tile.getShape()[1], columnExtent);
  Value buffer = allocate({count, width}, tile.getElementType());
  auto loop =
      scf::ForOp::create(builder, location, index(0), index(count), index(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value row = builder.createOrFold<arith::AddIOp>(location, firstRow,
                                                  loop.getInductionVar());
  Value place = findRow(op.getView(), row);
  Value read =
      countInMemory(op.getView(), place, countInRow(row, rowExtent, inside));
  Value value = loadPart(memory, {place, column}, maskOf(read, width), width,
                         tile.getElementType());
  storeRow(value, buffer, loop.getInductionVar());
  buffers[op] = buffer;
  return success();
}

/// How far ahead scattered rows are asked for: what a row takes to arrive is
/// some copies of rows.
constexpr int64_t kRowsAhead = 8;

/// A tile without lanes into memory of its own, zero where it lies outside, and
/// widened unless products do that. Rows are padded to whole vectors.
LogicalResult KernelLowering::copyElements(tile::LoadOp op) {
  tile::TileType tile = op.getResult().getType();
  bool isMatrix = tile.getRank() == 2;
  int64_t rows = isMatrix ? tile.getShape()[0] : 1;
  int64_t columns = tile.getShape().back();
  int64_t padded = llvm::divideCeil(columns, lanes32) * lanes32;
  Value memory = scalars.at(op.getView());
  Type element = findNarrow(op.getResult())
                     ? cast<MemRefType>(memory.getType()).getElementType()
                     : tile.getElementType();
  unsigned last = tile.getRank() - 1;
  Value firstColumn = scalars.at(op.getOffsets()[last]);
  Value columnExtent =
      builder.createOrFold<memref::DimOp>(location, memory, last);
  Value buffer = allocate(isMatrix ? ArrayRef<int64_t>{rows, padded}
                                   : ArrayRef<int64_t>{padded},
                          element);

  Value place, read; // of memory, for the row that is copied
  auto emitPart = [&](Value row, Value d, int64_t count) {
    Value column =
        builder.createOrFold<arith::AddIOp>(location, firstColumn, d);
    Value inside = index(count);
    if (!op.isInBounds(last))
      inside = countInside(column, count, columnExtent);
    SmallVector<Value> from{column}, to{d};
    bool isWhole = op.isInBounds(last) && count == lanes32;
    if (isMatrix) {
      from.insert(from.begin(), place);
      to.insert(to.begin(), row);
      if (read) {
        isWhole = false;
        inside =
            arith::SelectOp::create(builder, location, read, inside, index(0));
      }
    }
    Value value =
        loadPart(memory, from, isWhole ? Value() : maskOf(inside, lanes32),
                 lanes32, element);
    if (element.isInteger(1))
      value = narrow(value, builder.getI8Type());
    vector::StoreOp::create(builder, location, value, buffer, to);
  };
  auto rowLoop =
      scf::ForOp::create(builder, location, index(0), index(rows), index(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(rowLoop.getBody());
  if (isMatrix) {
    Value row = builder.createOrFold<arith::AddIOp>(
        location, scalars.at(op.getOffsets()[0]), rowLoop.getInductionVar());
    if (lists.contains(op.getView()))
      prefetchRow(op.getView(), add(row, kRowsAhead), /*isForStore=*/false);
    place = findRow(op.getView(), row);
    if (!op.isInBounds(0)) {
      Value one =
          countInMemory(op.getView(), place,
                        countInRow(row, rowExtentOf(op.getView()), index(1)));
      read = arith::CmpIOp::create(builder, location, arith::CmpIPredicate::ne,
                                   one, index(0));
    }
  }
  forParts(columns, lanes32, [&](Value d, int64_t count) {
    emitPart(rowLoop.getInductionVar(), d, count);
  });
  buffers[op] = buffer;
  return success();
}

//===----------------------------------------------------------------------===//
// Stores
//===----------------------------------------------------------------------===//

LogicalResult KernelLowering::lowerStore(tile::StoreOp op) {
  Value tile = op.getTile();
  if (op.getMode() != tile::StoreMode::Set)
    return op.emitError() << "adding to memory has no lowering to vectors yet";
  setWidth(tile);
  if (isUniform(tile))
    return storeElements(op);
  Value memory = scalars.at(op.getView());
  if (isVector(tile) &&
      (lists.contains(op.getView()) || groupedRows.contains(op.getView()))) {
    storeListed(op);
    return success();
  }
  if (isVector(tile)) {
    Value first = scalars.at(op.getOffsets()[0]);
    Value extent = builder.createOrFold<memref::DimOp>(location, memory, 0);
    int64_t count = typeOf(tile).getShape()[0];
    storePart(scalars.at(tile), memory, first,
              maskOf(countInside(first, count, extent), width));
    return success();
  }
  if (failed(ensureRows(tile)))
    return failure();
  if (lanes.getLaneDim(tile) == 0u)
    return storeTransposed(op);
  return storeRows(op);
}

/// A vector, each lane to its own row.
void KernelLowering::storeListed(tile::StoreOp op) {
  Value memory = scalars.at(op.getView());
  Value first = scalars.at(op.getOffsets()[0]);
  int64_t count = typeOf(op.getTile()).getShape()[0];
  Value inside = countInside(first, count, rowExtentOf(op.getView()));
  Value vector = narrow(scalars.at(op.getTile()),
                        cast<MemRefType>(memory.getType()).getElementType());
  auto loop = scf::ForOp::create(builder, location, index(0), inside, index(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value lane = loop.getInductionVar();
  Value row = builder.createOrFold<arith::AddIOp>(location, first, lane);
  Value place = findRow(op.getView(), row);
  Value isKnown = arith::CmpIOp::create(
      builder, location, arith::CmpIPredicate::ne,
      countInMemory(op.getView(), place, index(1)), index(0));
  auto branch = scf::IfOp::create(builder, location, isKnown);
  builder.setInsertionPointToStart(branch.thenBlock());
  Value element = vector::ExtractOp::create(builder, location, vector, lane);
  memref::StoreOp::create(builder, location, element, memory, place);
}

/// A tile without lanes, one element after the other.
LogicalResult KernelLowering::storeElements(tile::StoreOp op) {
  Value memory = scalars.at(op.getView());
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Value> from, to;
  for (auto [d, offset] : llvm::enumerate(op.getOffsets())) {
    Value first = scalars.at(offset);
    Value extent =
        d == 0 ? rowExtentOf(op.getView())
               : builder.createOrFold<memref::DimOp>(location, memory, d);
    Value inside =
        countInside(first, op.getTile().getType().getShape()[d], extent);
    auto loop =
        scf::ForOp::create(builder, location, index(0), inside, index(1));
    builder.setInsertionPointToStart(loop.getBody());
    from.push_back(loop.getInductionVar());
    to.push_back(builder.createOrFold<arith::AddIOp>(location, first,
                                                     loop.getInductionVar()));
    if (d > 0)
      continue;
    to.back() = findRow(op.getView(), to.back());
    if (!lists.contains(op.getView()))
      continue;
    Value isKnown = arith::CmpIOp::create(
        builder, location, arith::CmpIPredicate::ne,
        countInMemory(op.getView(), to.back(), index(1)), index(0));
    auto branch = scf::IfOp::create(builder, location, isKnown);
    builder.setInsertionPointToStart(branch.thenBlock());
  }
  FailureOr<Value> element = elementAt(op.getTile(), from);
  if (failed(element))
    return failure();
  Type stored = cast<MemRefType>(memory.getType()).getElementType();
  Value vector = vector::FromElementsOp::create(
      builder, location, VectorType::get({1}, (*element).getType()), *element);
  Value narrowed =
      vector::ExtractOp::create(builder, location, narrow(vector, stored), 0);
  memref::StoreOp::create(builder, location, narrowed, memory, to);
  return success();
}

LogicalResult KernelLowering::storeTransposed(tile::StoreOp op) {
  tile::TileType tile = op.getTile().getType();
  int64_t features = tile.getShape()[1];
  int64_t block = std::min(lanes32, width);
  Type element = tile.getElementType();
  Value memory = scalars.at(op.getView());
  Value firstRow = scalars.at(op.getOffsets()[0]);
  Value firstColumn = scalars.at(op.getOffsets()[1]);
  Value rowExtent = rowExtentOf(op.getView());
  Value columnExtent = builder.createOrFold<memref::DimOp>(location, memory, 1);
  int64_t firstFeature = 0;
  Value buffer = resolveRows(op.getTile(), firstFeature);
  auto type = VectorType::get({block}, memoryType(element));

  auto emitBlock = [&](Value d, Value lane, int64_t count) {
    SmallVector<Value> rows;
    for (int64_t k = 0; k < block; ++k)
      rows.push_back(k < count
                         ? Value(vector::LoadOp::create(
                               builder, location, type, buffer,
                               ValueRange{add(d, k + firstFeature), lane}))
                         : zero(type));
    transposeBlock(rows);
    Value column =
        builder.createOrFold<arith::AddIOp>(location, firstColumn, d);
    Value row0 = builder.createOrFold<arith::AddIOp>(location, firstRow, lane);
    Value inside = countInside(column, count, columnExtent);
    for (int64_t k = 0; k < block; ++k) {
      Value row = add(row0, k);
      Value place = findRow(op.getView(), row);
      Value written = countInMemory(op.getView(), place,
                                    countInRow(row, rowExtent, inside));
      storePart(rows[k], memory, {place, column}, maskOf(written, block));
    }
  };
  auto lanesLoop = scf::ForOp::create(builder, location, index(0), index(width),
                                      index(block));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(lanesLoop.getBody());
  forParts(features, block, [&](Value d, int64_t count) {
    emitBlock(d, lanesLoop.getInductionVar(), count);
  });
  return success();
}

LogicalResult KernelLowering::storeRows(tile::StoreOp op) {
  int64_t count = rowCount(op.getTile());
  Value memory = scalars.at(op.getView());
  Value firstRow = scalars.at(op.getOffsets()[0]);
  Value column = scalars.at(op.getOffsets()[1]);
  Value rowExtent = rowExtentOf(op.getView());
  Value columnExtent = builder.createOrFold<memref::DimOp>(location, memory, 1);
  Value inside =
      countInside(column, op.getTile().getType().getShape()[1], columnExtent);
  auto loop =
      scf::ForOp::create(builder, location, index(0), index(count), index(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  FailureOr<Value> value =
      rowAt(op.getTile(), {loop.getInductionVar(), 0, /*slot=*/-1});
  if (failed(value))
    return failure();
  Value row = builder.createOrFold<arith::AddIOp>(location, firstRow,
                                                  loop.getInductionVar());
  Value place = findRow(op.getView(), row);
  Value written =
      countInMemory(op.getView(), place, countInRow(row, rowExtent, inside));
  storePart(broadcast(*value), memory, {place, column}, maskOf(written, width));
  return success();
}

} // namespace rapt::conversion
