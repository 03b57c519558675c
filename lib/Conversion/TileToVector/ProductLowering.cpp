// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Products and reductions over a block of rows.

#include "lib/Conversion/TileToVector/KernelLowering.h"
#include "lib/Conversion/TileToVector/ProductPointers.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace rapt::conversion {

/// The load of a tile without lanes that a full run reads in place, or null.
tile::LoadOp KernelLowering::findRunLoad(Value tile) const {
  auto load = tile.getDefiningOp<tile::LoadOp>();
  if (!load || buffers.contains(tile) || groupedRows.contains(load.getView()) ||
      !load.isInBounds(0) || typeOf(tile).getRank() != 2)
    return nullptr;
  auto runs = dyn_cast<tile::ForRunsOp>(load->getParentOp());
  bool isFull = runs && load->getParentRegion() == &runs.getFull();
  return isFull ? load : nullptr;
}

/// Whether the rows of a view take more than a quarter of the second level
/// cache, so that those of keys and of values leave no room for the rest.
Value KernelLowering::isLong(tile::LoadOp load) {
  Value memory = scalars.at(load.getView());
  auto type = cast<MemRefType>(memory.getType());
  int64_t rowBytes = load.getResult().getType().getShape()[1] *
                     llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  return arith::CmpIOp::create(builder, location, arith::CmpIPredicate::sgt,
                               rowExtentOf(load.getView()),
                               index(machine.l2Bytes / 4 / rowBytes));
}

/// Asks for the rows of the next run's tile whose turn it is at depth `k` of
/// the block of `count` rows of `all` from `base` on: they are spread evenly
/// over the product. Long sequences do not fit the second level cache, and no
/// hardware guesses which rows come after those of this run.
void KernelLowering::prefetchNextRun(tile::LoadOp load, Value base,
                                     int64_t count, int64_t all, Value k,
                                     int64_t steps, int64_t depth) {
  constexpr int64_t lineBytes = 64;
  tile::TileType type = load.getResult().getType();
  int64_t rows = type.getShape()[0], columns = type.getShape()[1];
  int64_t line = 8 * lineBytes / type.getElementType().getIntOrFloatBitWidth();
  int64_t atOnce = llvm::divideCeil(count * rows * steps, all * depth);
  auto scale = [&](Value a, int64_t times, int64_t parts) -> Value {
    Value product =
        builder.createOrFold<arith::MulIOp>(location, a, index(times));
    return builder.createOrFold<arith::DivUIOp>(location, product,
                                                index(parts));
  };
  auto at = [&](unsigned dim, Value position) -> Value {
    return builder.createOrFold<arith::AddIOp>(
        location, scalars.at(load.getOffsets()[dim]), position);
  };
  Value row = builder.createOrFold<arith::AddIOp>(
      location, scale(base, rows, all), scale(k, atOnce, steps));
  for (int64_t n = 0; n < atOnce; ++n) {
    // Of listed rows the next ones are those that the list names next.
    Value place = findRow(load.getView(), at(0, add(row, rows + n)));
    for (int64_t column = 0; column < columns; column += line)
      memref::PrefetchOp::create(builder, location, scalars.at(load.getView()),
                                 ValueRange{place, at(1, index(column))},
                                 /*isWrite=*/false, /*localityHint=*/2,
                                 /*isDataCache=*/true);
  }
}

/// Whether no element of the other operand of a product that skips zeros along
/// the lanes is infinite or a NaN, which zeros would make NaNs: a 0 is then a
/// term like others. Null if that cannot be found out in whole vectors.
Value KernelLowering::findFinite(tile::MmaOp op) {
  Value tile = isUniform(op.getRhs()) ? op.getRhs() : op.getLhs();
  tile::TileType type = typeOf(tile);
  if (!type.getElementType().isF32() || type.getRank() != 2)
    return nullptr;
  bool isNarrow = findNarrow(tile) != nullptr;
  Value memory = buffers.lookup(tile);
  Value firstRow, firstColumn;
  if (!memory) {
    auto load = tile.getDefiningOp<tile::LoadOp>();
    if (!load || lists.contains(load.getView()))
      return nullptr;
    memory = scalars.at(load.getView());
    firstRow = scalars.at(load.getOffsets()[0]);
    firstColumn = scalars.at(load.getOffsets()[1]);
  }
  auto stored = cast<MemRefType>(memory.getType());
  if ((!stored.getElementType().isF32() && !isNarrow) ||
      !stored.isLastDimUnitStride())
    return nullptr;
  auto at = [&](Value first, Value position) -> Value {
    return first
               ? builder.createOrFold<arith::AddIOp>(location, first, position)
               : position;
  };
  int64_t rows = type.getShape()[0], columns = type.getShape()[1];
  constexpr size_t mostChains = 4;
  auto vector = VectorType::get({lanes32}, builder.getF32Type());
  SmallVector<Value> sums(
      std::min<size_t>(mostChains, llvm::divideCeil(columns, lanes32)),
      zero(vector));
  auto loop = scf::ForOp::create(builder, location, index(0), index(rows),
                                 index(1), sums);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> inside(loop.getRegionIterArgs());
    Value row = at(firstRow, loop.getInductionVar());
    for (int64_t column = 0; column < columns; column += lanes32) {
      Value mask;
      if (column + lanes32 > columns)
        mask = maskOf(index(columns - column), lanes32);
      Value part = loadPart(memory, {row, at(firstColumn, index(column))}, mask,
                            lanes32, builder.getF32Type());
      // 0 times an infinity is a NaN as well.
      Value &sum = inside[(column / lanes32) % inside.size()];
      sum = vector::FMAOp::create(builder, location, part, zero(vector), sum);
    }
    scf::YieldOp::create(builder, location, inside);
  }
  Value sum = loop.getResult(0);
  for (Value other : loop.getResults().drop_front())
    sum = arith::AddFOp::create(builder, location, sum, other);
  Value isNan = arith::CmpFOp::create(builder, location,
                                      arith::CmpFPredicate::UNO, sum, sum);
  Value any = vector::ReductionOp::create(builder, location,
                                          vector::CombiningKind::OR, isNan);
  return arith::XOrIOp::create(
      builder, location, any,
      arith::ConstantOp::create(builder, location, builder.getBoolAttr(true)));
}

/// A block of rows of the result stays in registers while the depth runs: for
/// each step one row of the operand along the lanes is loaded and, for each row
/// of the block, one element of the other operand broadcast.
LogicalResult KernelLowering::emitProduct(tile::MmaOp op, Value base,
                                          int64_t count) {
  bool isLhsUniform = isUniform(op.getLhs());
  Value uniform = isLhsUniform ? op.getLhs() : op.getRhs();
  // Whether the first dimension of the uniform operand is the depth.
  bool isDepthFirst =
      isLhsUniform ? op.getLhsTransposed() : !op.getRhsTransposed();
  int64_t depth = typeOf(uniform).getShape()[isDepthFirst ? 0 : 1];
  if (op.getSkipZeros() && isLhsUniform)
    return op.emitError() << "zeros of an operand without lanes that are "
                             "skipped have no lowering to vectors yet";
  Value laneOperand = isLhsUniform ? op.getRhs() : op.getLhs();
  // A step takes a pair of terms, and sums are registers.
  bool isOfPairs = isPaired(op);
  if (isOfPairs) {
    depth = llvm::divideCeil(depth, 2);
    if (!pairBuffers.contains(laneOperand))
      packRows(laneOperand);
  }
  int64_t firstRow = 0;
  Value memory = isOfPairs ? pairBuffers.at(laneOperand)
                           : resolveRows(laneOperand, firstRow);
  Type f32 = builder.getF32Type();

  SmallVector<Value> sums;
  for (int64_t slot = 0; slot < count; ++slot) {
    if (!op.getAccumulator()) {
      sums.push_back(zero(vectorOf(f32)));
      continue;
    }
    FailureOr<Value> row = rowAt(op.getAccumulator(), {base, slot, slot});
    if (failed(row))
      return failure();
    sums.push_back(*row);
  }
  int64_t parts = isOfPairs ? width / lanes32 : 1;
  if (isOfPairs) {
    SmallVector<Value> whole;
    std::swap(whole, sums);
    for (Value sum : whole)
      llvm::append_range(sums, splitLanes(sum));
  }
  auto part = VectorType::get({width / parts}, f32);
  auto sumCount = static_cast<size_t>(count * parts);
  tile::LoadOp narrow = findNarrow(uniform);
  std::optional<ProductPointers> pointers;
  auto setPointers = [&](const ProductPointers::Place &elements, bool isByRow,
                         Value from) {
    pointers = ProductPointers::create(builder, location,
                                       {memory, index(firstRow), nullptr},
                                       elements, isByRow, from, count);
  };
  if (narrow && this->isDepthFirst(op)) {
    Value from =
        builder.createOrFold<arith::SubIOp>(location, base, panelStart);
    setPointers({panelBuffers.at(op), nullptr, nullptr}, true, from);
  } else if (narrow) {
    int64_t padded = llvm::alignTo(depth, lanes32);
    Value rows = allocate({count, padded}, f32);
    if (isOfPairs)
      copyWords(narrow, base, count, rows);
    else
      widen(narrow, base, count, index(0), rows);
    setPointers({rows, nullptr, nullptr}, false, index(0));
  } else if (std::optional<ElementPlace> place = findElements(uniform)) {
    setPointers({place->memory, place->row, place->column},
                isDepthFirst != place->isTransposed, base);
  }
  // Rows that a list names are looked up before the depth runs: nothing hoists
  // what is read out of a loop that asks for the next run.
  auto listed = uniform.getDefiningOp<tile::LoadOp>();
  bool isFound = listed && !narrow && !isDepthFirst &&
                 !buffers.contains(uniform) && lists.contains(listed.getView());
  SmallVector<Value> found;
  for (int64_t slot = 0; isFound && slot < count; ++slot) {
    Value row = builder.createOrFold<arith::AddIOp>(
        location, scalars.at(listed.getOffsets()[0]), add(base, slot));
    Value number = memref::LoadOp::create(builder, location,
                                          lists.at(listed.getView()), row);
    found.push_back(arith::IndexCastOp::create(builder, location,
                                               builder.getIndexType(), number));
  }
  auto elementOf = [&](int64_t slot, Value k) -> FailureOr<Value> {
    if (isFound) {
      Value column = builder.createOrFold<arith::AddIOp>(
          location, scalars.at(listed.getOffsets()[1]), k);
      return Value(memref::LoadOp::create(builder, location,
                                          scalars.at(listed.getView()),
                                          ValueRange{found[slot], column}));
    }
    SmallVector<Value> place{add(base, slot), k};
    if (isDepthFirst)
      std::swap(place[0], place[1]);
    return elementAt(uniform, place);
  };
  bool skipsZeros = op.getSkipZeros();
  /// `steps` steps of the depth from `from` on. A state is the sums and what
  /// goes with the depth.
  auto emitStretch = [&](Value from, int64_t steps,
                         SmallVectorImpl<Value> &state) -> LogicalResult {
    MutableArrayRef<Value> sums =
        MutableArrayRef<Value>(state).take_front(sumCount);
    MutableArrayRef<Value> carried =
        MutableArrayRef<Value>(state).drop_front(sumCount);
    if (pointers)
      pointers->enter(from, carried);
    for (int64_t u = 0; isOfPairs && u < steps; ++u) {
      SmallVector<Value> words;
      for (int64_t p = 0; p < parts; ++p)
        words.push_back(pointers->loadLanes(u, part, p * lanes32));
      for (int64_t slot = 0; slot < count; ++slot) {
        Value word = vector::BroadcastOp::create(
            builder, location, part, pointers->loadElement(u, slot));
        for (int64_t p = 0; p < parts; ++p) {
          Value &sum = sums[slot * parts + p];
          sum = skipsZeros ? multiplyApart(word, words[p], sum)
                           : multiplyPairs(word, words[p], sum);
        }
      }
    }
    for (int64_t u = 0; !isOfPairs && u < steps; ++u) {
      Value k = pointers ? Value() : add(from, u);
      Value lane = pointers ? pointers->loadLanes(u, vectorOf(f32))
                            : loadRow(memory, add(k, firstRow), f32);
      Value isTerm;
      if (skipsZeros)
        isTerm =
            arith::CmpFOp::create(builder, location, arith::CmpFPredicate::UNE,
                                  lane, zero(vectorOf(f32)));
      for (int64_t slot = 0; slot < count; ++slot) {
        FailureOr<Value> element =
            pointers ? FailureOr<Value>(pointers->loadElement(u, slot))
                     : elementOf(slot, k);
        if (failed(element))
          return failure();
        Value sum = vector::FMAOp::create(
            builder, location, broadcast(*element), lane, sums[slot]);
        if (isTerm)
          sum = arith::SelectOp::create(builder, location, isTerm, sum,
                                        sums[slot]);
        sums[slot] = sum;
      }
    }
    if (pointers)
      pointers->advance(steps, carried);
    return success();
  };
  /// The state before step `from`.
  auto begin = [&](Value from, ArrayRef<Value> sums) {
    SmallVector<Value> state(sums);
    if (pointers)
      llvm::append_range(state, pointers->carry(from));
    return state;
  };

  // Partial runs and smaller blocks are few: shorter code compiles faster.
  auto runs = dyn_cast<tile::ForRunsOp>(op->getParentOp());
  bool isRare = (runs && op->getParentRegion() == &runs.getPartial()) ||
                count < kernel.getPlan()->getRows();
  int64_t unroll = std::min(kernel.getPlan()->getDepth(), depth);
  if (isRare)
    unroll = std::min<int64_t>(unroll, 4);
  int64_t whole = depth / unroll * unroll;
  Value end = index(whole);
  if (op.getDepth()) {
    Value last = scalars.at(op.getDepth());
    if (isOfPairs)
      last = builder.createOrFold<arith::CeilDivUIOp>(location, last, index(2));
    end = arith::MinSIOp::create(builder, location, last, end);
  }
  auto emitLoop =
      [&](Value from, Value to, int64_t by, SmallVectorImpl<Value> &state,
          llvm::function_ref<LogicalResult(Value, SmallVectorImpl<Value> &)>
              body) -> LogicalResult {
    auto loop =
        scf::ForOp::create(builder, location, from, to, index(by), state);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> inside(loop.getRegionIterArgs());
    if (failed(body(loop.getInductionVar(), inside)))
      return failure();
    scf::YieldOp::create(builder, location, inside);
    state.assign(loop.getResults().begin(), loop.getResults().end());
    return success();
  };
  auto emitSteps = [&](Value from, Value to,
                       SmallVectorImpl<Value> &state) -> LogicalResult {
    return emitLoop(from, to, unroll, state,
                    [&](Value k, SmallVectorImpl<Value> &inside) {
                      return emitStretch(k, unroll, inside);
                    });
  };
  /// All of the depth, to a multiple of `unroll` and then one by one.
  auto emitDepth = [&](SmallVectorImpl<Value> &sums) -> LogicalResult {
    SmallVector<Value> state = begin(index(0), sums);
    if (failed(emitSteps(index(0), end, state)))
      return failure();
    sums.assign(state.begin(), state.begin() + sumCount);
    if (whole == depth)
      return success();
    state = begin(index(whole), sums);
    if (failed(emitStretch(index(whole), depth - whole, state)))
      return failure();
    sums.assign(state.begin(), state.begin() + sumCount);
    return success();
  };
  // Prefetches stand between the innermost loops: inside, their addresses
  // would take the registers and ports that the products need.
  int64_t stretch = 4 * unroll;
  tile::LoadOp load;
  if (count == kernel.getPlan()->getRows())
    load = findRunLoad(uniform);
  if (Value isFinite = finite.lookup(op)) {
    SmallVector<Type> types(ValueRange(sums).getTypes());
    auto branch = scf::IfOp::create(builder, location, types, isFinite,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(builder);
    for (bool isThen : {true, false}) {
      builder.setInsertionPointToStart(isThen ? branch.thenBlock()
                                              : branch.elseBlock());
      skipsZeros = !isThen;
      if (skipsZeros)
        unroll = 1; // only beside an infinity or a NaN: shorter still
      SmallVector<Value> inside(sums);
      if (failed(emitDepth(inside)))
        return failure();
      scf::YieldOp::create(builder, location, inside);
    }
    sums.assign(branch.getResults().begin(), branch.getResults().end());
  } else if (load && whole == depth && whole % stretch == 0) {
    SmallVector<Value> state = begin(index(0), sums);
    if (failed(emitLoop(index(0), end, stretch, state,
                        [&](Value k, SmallVectorImpl<Value> &inside) {
                          auto branch = scf::IfOp::create(builder, location,
                                                          isLong(load));
                          OpBuilder::InsertionGuard guard(builder);
                          builder.setInsertionPointToStart(branch.thenBlock());
                          prefetchNextRun(load, base, count,
                                          rowCount(op.getResult()), k, stretch,
                                          whole);
                          builder.setInsertionPointAfter(branch);
                          return emitSteps(k, add(k, stretch), inside);
                        })))
      return failure();
    sums.assign(state.begin(), state.begin() + sumCount);
  } else if (failed(emitDepth(sums))) {
    return failure();
  }
  for (int64_t slot = 0; slot < count; ++slot)
    registers[{op.getResult(), slot}] =
        joinLanes(ArrayRef<Value>(sums).slice(slot * parts, parts));
  return success();
}

KernelLowering::Partial KernelLowering::startReduction(tile::ReduceOp op) {
  Type element = typeOf(op.getSource()).getElementType();
  VectorType type = vectorOf(element);
  auto constant = [&](Attribute value) -> Value {
    return arith::ConstantOp::create(builder, location,
                                     DenseElementsAttr::get(type, value));
  };
  auto real = [&](bool isNegative) -> Value {
    const auto &semantics = cast<FloatType>(element).getFloatSemantics();
    return constant(
        FloatAttr::get(element, APFloat::getInf(semantics, isNegative)));
  };
  auto integer = [&](bool isLeast) -> Value {
    unsigned bits = element.getIntOrFloatBitWidth();
    return constant(
        IntegerAttr::get(element, isLeast ? APInt::getSignedMinValue(bits)
                                          : APInt::getSignedMaxValue(bits)));
  };
  bool isFloat = isa<FloatType>(element);
  switch (op.getKind()) {
  case tile::Combiner::Add:
    return {zero(type), {}};
  case tile::Combiner::Mul:
    return {constant(isFloat ? Attribute(FloatAttr::get(element, 1.0))
                             : Attribute(IntegerAttr::get(element, 1))),
            {}};
  case tile::Combiner::Max:
    return {isFloat ? real(true) : integer(true), {}};
  case tile::Combiner::Min:
    return {isFloat ? real(false) : integer(false), {}};
  case tile::Combiner::Argmax:
    return {isFloat ? real(true) : integer(true),
            zero(vectorOf(builder.getI32Type()))};
  }
  llvm_unreachable("every combiner has a start");
}

/// Two elements, or two vectors of them, of a reduction that is no argmax.
Value KernelLowering::combine(tile::Combiner kind, Value a, Value b) {
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(a.getType()));
  // A compare and a select: one instruction, where maximumf is several. What
  // a NaN does to a maximum does not matter where it also reaches the sum.
  auto choose = [&](arith::CmpFPredicate real,
                    arith::CmpIPredicate integer) -> Value {
    Value first =
        isFloat
            ? Value(arith::CmpFOp::create(builder, location, real, a, b))
            : Value(arith::CmpIOp::create(builder, location, integer, a, b));
    return arith::SelectOp::create(builder, location, first, a, b);
  };
  switch (kind) {
  case tile::Combiner::Add:
    return isFloat ? Value(arith::AddFOp::create(builder, location, a, b))
                   : Value(arith::AddIOp::create(builder, location, a, b));
  case tile::Combiner::Mul:
    return isFloat ? Value(arith::MulFOp::create(builder, location, a, b))
                   : Value(arith::MulIOp::create(builder, location, a, b));
  case tile::Combiner::Max:
    return choose(arith::CmpFPredicate::OGT, arith::CmpIPredicate::sgt);
  case tile::Combiner::Min:
    return choose(arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt);
  case tile::Combiner::Argmax:
    break;
  }
  llvm_unreachable("an argmax has two values");
}

void KernelLowering::reduceRow(tile::ReduceOp op, const Row &row, Value value,
                               Partial &partial) {
  value = broadcast(value);
  if (op.getKind() != tile::Combiner::Argmax) {
    partial.value = combine(op.getKind(), partial.value, value);
    return;
  }
  // Only a larger one replaces an earlier one.
  bool isFloat = isa<FloatType>(typeOf(op.getSource()).getElementType());
  Value isLarger = isFloat
                       ? Value(arith::CmpFOp::create(builder, location,
                                                     arith::CmpFPredicate::OGT,
                                                     value, partial.value))
                       : Value(arith::CmpIOp::create(builder, location,
                                                     arith::CmpIPredicate::sgt,
                                                     value, partial.value));
  Value number = arith::IndexCastOp::create(builder, location,
                                            builder.getI32Type(), indexOf(row));
  partial.index = arith::SelectOp::create(builder, location, isLarger,
                                          broadcast(number), partial.index);
  partial.value = arith::SelectOp::create(builder, location, isLarger, value,
                                          partial.value);
}

} // namespace rapt::conversion
