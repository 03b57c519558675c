// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Regions of nv.map. What is the same for all elements of a row or of a column
// is computed once for each; the rest element by element, so that few values
// are live at a time. Where that is too much code, or keeps too many values of
// rows, the elements are a loop that computes everything for each.

#include "lib/Conversion/NvToNVVM/DeviceMath.h"
#include "lib/Conversion/NvToNVVM/ThreadLowering.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace rapt::conversion {

/// About how many instructions an operation becomes.
static int64_t estimateCost(Operation &op) {
  return isa<math::SinOp, math::CosOp>(op) ? 30 : 1;
}

/// Which sides of a fragment a value of a region varies over.
struct Sides {
  bool rows = false, columns = false;
  bool operator==(Sides other) const {
    return rows == other.rows && columns == other.columns;
  }
};

static llvm::DenseMap<Value, Sides> findSides(nv::MapOp op) {
  Block &body = op.getBody().front();
  llvm::DenseMap<Value, Sides> sides;
  for (auto [argument, operand] :
       llvm::zip(body.getArguments(), op.getOperands())) {
    auto type = cast<nv::FragmentType>(operand.getType());
    sides[argument] = {type.hasRows(), type.hasColumns()};
  }
  for (Operation &inner : body.without_terminator()) {
    Sides joined;
    for (Value operand : inner.getOperands()) {
      Sides one = sides.lookup(operand);
      joined.rows |= one.rows;
      joined.columns |= one.columns;
    }
    for (Value result : inner.getResults())
      sides[result] = joined;
  }
  return sides;
}

/// Every element is code of its own, and what is computed for a row is kept
/// for all of the row's elements. Past these bounds the elements are a loop:
/// the assembler would take minutes, or the registers would not suffice.
static constexpr int64_t kMostCode = 12000, kMostKept = 48;

static bool isForLoop(nv::MapOp op, Slots slots,
                      const llvm::DenseMap<Value, Sides> &sides) {
  int64_t code = 0, kept = 0;
  for (Operation &inner : op.getBody().front().without_terminator()) {
    Sides own =
        inner.getNumResults() ? sides.lookup(inner.getResult(0)) : Sides();
    int64_t copies =
        (own.rows ? slots.rows : 1) * (own.columns ? slots.columns : 1);
    code += estimateCost(inner) * copies;
    bool isKept = llvm::any_of(inner.getUsers(), [&](Operation *user) {
      return user->getNumResults() &&
             !(sides.lookup(user->getResult(0)) == own);
    });
    if (isKept)
      kept += own.columns ? 1 : copies;
  }
  return slots.count() > 1 && (code > kMostCode || kept > kMostKept);
}

/// The operations of a region so that few values are live at a time: each just
/// before its first user, after Sethi and Ullman (1970): of the operands the
/// one that needs most registers comes first.
static SmallVector<Operation *> orderForRegisters(Block &body) {
  llvm::DenseMap<Operation *, unsigned> needed;
  for (Operation &inner : body) {
    SmallVector<unsigned> parts;
    for (Value operand : inner.getOperands())
      if (Operation *from = operand.getDefiningOp())
        if (from->getBlock() == &body)
          parts.push_back(needed.lookup(from));
    llvm::sort(parts, std::greater<>());
    unsigned most = 1;
    for (auto [n, part] : llvm::enumerate(parts))
      most = std::max<unsigned>(most, part + n);
    needed[&inner] = most;
  }
  SmallVector<Operation *> order, open = {body.getTerminator()};
  llvm::DenseSet<Operation *> isDone, isOpen;
  while (!open.empty()) {
    Operation *last = open.back();
    if (isDone.contains(last) || !isOpen.insert(last).second) {
      open.pop_back();
      if (isDone.insert(last).second && last != body.getTerminator())
        order.push_back(last);
      continue;
    }
    SmallVector<Operation *> sources;
    for (Value operand : last->getOperands())
      if (Operation *from = operand.getDefiningOp())
        if (from->getBlock() == &body && !isDone.contains(from))
          sources.push_back(from);
    llvm::sort(sources, [&](Operation *a, Operation *b) {
      unsigned one = needed.lookup(a), other = needed.lookup(b);
      return one != other ? one < other : b->isBeforeInBlock(a);
    });
    llvm::append_range(open, sources);
  }
  return order;
}

/// All elements in a loop. Registers have no index: those of a fragment move
/// on by one place each time, so that the next element is always in front.
LogicalResult ThreadLowering::lowerMapAsLoop(nv::MapOp op) {
  Block &body = op.getBody().front();
  Slots slots = slotsOf(op.getResult(0));
  Registers carried;
  SmallVector<std::pair<size_t, int64_t>> places; // first and how many
  auto carry = [&](ValueRange values) {
    places.push_back({carried.size(), values.size()});
    carried.append(values.begin(), values.end());
  };
  auto isCarried = [&](Value operand) {
    return cast<nv::FragmentType>(operand.getType()).hasColumns();
  };
  for (Value operand : op.getOperands())
    if (isCarried(operand))
      carry(registers.at(operand));
  for (Value result : op.getResults()) {
    Type element = cast<nv::FragmentType>(result.getType()).getElementType();
    carry(Registers(slots.count(), zero(element)));
  }
  auto loop = scf::ForOp::create(builder, location, i32(0), i32(slots.count()),
                                 i32(1), carried);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value number = loop.getInductionVar();
    ValueRange now = loop.getRegionIterArgs();
    llvm::DenseMap<Value, Value> values;
    Registers next;
    size_t place = 0;
    auto moveOn = [&](Value last) {
      auto [first, count] = places[place++];
      ValueRange own = now.slice(first, count);
      llvm::append_range(next, own.drop_front());
      next.push_back(last ? last : own.front());
      return own.front();
    };
    for (auto [argument, operand] :
         llvm::zip(body.getArguments(), op.getOperands())) {
      if (isCarried(operand)) {
        values[argument] = moveOn(nullptr);
        continue;
      }
      const Registers &rows = registers.at(operand);
      Value own = rows.front();
      for (size_t r = 1; r < rows.size(); ++r)
        own = select(compare(arith::CmpIPredicate::sge, number,
                             i32(static_cast<int64_t>(r) * slots.columns)),
                     rows[r], own);
      values[argument] = own;
    }
    // A stride times a constant for each of many constants: computed before
    // the loop, as LLVM would, these are more than there are registers.
    llvm::DenseMap<Value, View> before;
    llvm::DenseSet<Value> isHidden;
    auto hideOnce = [&](Value &word) {
      if (!isHidden.contains(word))
        isHidden.insert(word = hide(word));
    };
    for (Operation &inner : body)
      if (auto read = dyn_cast<tile::ReadOp>(inner)) {
        View &view = views[read.getView()];
        before.try_emplace(read.getView(), view);
        for (auto [d, place] : llvm::enumerate(read.getIndices()))
          if (matchPattern(place, m_Constant())) {
            hideOnce(view.sizes[d]);
            hideOnce(view.strides[d]);
          }
      }
    for (Operation *inner : orderForRegisters(body))
      if (failed(lowerScalar(inner, values)))
        return failure();
    for (auto &[view, known] : before)
      views[view] = known;
    for (Value value : cast<tile::YieldOp>(body.back()).getValues())
      moveOn(lookup(value, values));
    scf::YieldOp::create(builder, location, next);
  }
  size_t place = places.size() - op.getNumResults();
  for (Value result : op.getResults()) {
    auto [first, count] = places[place++];
    registers[result] = Registers(loop.getResults().slice(first, count));
  }
  return success();
}

LogicalResult ThreadLowering::lowerMap(nv::MapOp op) {
  Block &body = op.getBody().front();
  Slots slots = slotsOf(op.getResult(0));
  llvm::DenseMap<Value, Sides> sides = findSides(op);
  // A loop's code does not depend on the tile; this much in one body is minutes
  // of the assembler's time.
  constexpr int64_t most = 40000;
  int64_t cost = 0;
  for (Operation &inner : body.without_terminator())
    cost += estimateCost(inner);
  if (cost > most)
    return op.emitError() << "about " << cost
                          << " instructions for each element are too much "
                             "code, expected at most "
                          << most;
  if (isForLoop(op, slots, sides))
    return lowerMapAsLoop(op);
  auto operandAt = [&](unsigned n, int64_t r, int64_t c) {
    auto type = cast<nv::FragmentType>(op.getOperands()[n].getType());
    Slots own(type, warps);
    return registers.at(
        op.getOperands()[n])[(type.hasRows() ? r : 0) * own.columns +
                             (type.hasColumns() ? c : 0)];
  };
  /// Values at row slot r and column slot c of what varies over exactly these
  /// sides.
  llvm::DenseMap<Value, Value> fixed;
  SmallVector<llvm::DenseMap<Value, Value>> perRow(slots.rows);
  auto emit = [&](Sides wanted, int64_t r, int64_t c,
                  llvm::DenseMap<Value, Value> &values) -> LogicalResult {
    for (auto [n, argument] : llvm::enumerate(body.getArguments())) {
      Sides own = sides.lookup(argument);
      if (own == wanted)
        values[argument] = operandAt(n, r, c);
    }
    for (Operation &inner : body.without_terminator()) {
      Sides own =
          inner.getNumResults() ? sides.lookup(inner.getResult(0)) : Sides();
      if (own == wanted && failed(lowerScalar(&inner, values)))
        return failure();
    }
    return success();
  };
  if (failed(emit({false, false}, 0, 0, fixed)))
    return failure();
  for (int64_t r = 0; r < slots.rows; ++r) {
    perRow[r] = fixed;
    if (failed(emit({true, false}, r, 0, perRow[r])))
      return failure();
  }
  SmallVector<Registers> results(op.getNumResults(), Registers(slots.count()));
  auto yield = cast<tile::YieldOp>(body.back());
  for (int64_t c = 0; c < slots.columns; ++c) {
    llvm::DenseMap<Value, Value> column = fixed;
    if (failed(emit({false, true}, 0, c, column)))
      return failure();
    for (int64_t r = 0; r < slots.rows; ++r) {
      llvm::DenseMap<Value, Value> values = perRow[r];
      for (auto [key, value] : column)
        values[key] = value;
      if (failed(emit({true, true}, r, c, values)))
        return failure();
      for (auto [n, value] : llvm::enumerate(yield.getValues()))
        results[n][r * slots.columns + c] = lookup(value, values);
    }
  }
  for (auto [result, values] : llvm::zip(op.getResults(), results))
    registers[result] = values;
  return success();
}

/// The quotient rounded down. The divisor is positive in meaning; what is not
/// counts as 1, so that nothing is undefined.
Value ThreadLowering::floorDivide(Value a, Value b) {
  Type type = a.getType();
  unsigned bits = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(builder, location,
                                     builder.getIntegerAttr(type, value));
  };
  APInt known;
  bool isConstant = matchPattern(b, m_ConstantInt(&known));
  if (isConstant && known.isPowerOf2())
    return op<arith::ShRSIOp>(a, constant(known.logBase2()));
  if (!isConstant)
    b = op<arith::MaxSIOp>(b, constant(1));
  // floor(a / b) = ~(~a / b) for negative a, with an unsigned division.
  Value sign = op<arith::ShRSIOp>(a, constant(bits - 1));
  Value quotient = op<arith::DivUIOp>(op<arith::XOrIOp>(a, sign), b);
  return op<arith::XOrIOp>(quotient, sign);
}

/// An operation on scalars; its results are added to `inside`.
LogicalResult
ThreadLowering::lowerScalar(Operation *op,
                            llvm::DenseMap<Value, Value> &inside) {
  Location outer = location;
  location = op->getLoc();
  if (auto read = dyn_cast<tile::ReadOp>(op)) {
    SmallVector<Value> indices;
    for (Value position : read.getIndices())
      indices.push_back(lookup(position, inside));
    inside[read] = readElement(views.at(read.getView()), indices,
                               read.getResult().getType());
    location = outer;
    return success();
  }
  if (op->getNumResults() != 1 || op->getNumRegions() != 0 ||
      isa<tile::TileDialect, nv::NvDialect>(op->getDialect()))
    return notLowered(op);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(lookup(operand, inside));
  Value value;
  if (isa<arith::FloorDivSIOp>(op))
    value = floorDivide(operands[0], operands[1]);
  else
    value = lowerMath(builder, op, operands);
  if (!value) {
    OperationState state(location, op->getName());
    state.addOperands(operands);
    state.addTypes(op->getResultTypes());
    state.addAttributes(op->getAttrs());
    value = builder.create(state)->getResult(0);
  }
  inside[op->getResult(0)] = value;
  location = outer;
  return success();
}

} // namespace rapt::conversion
