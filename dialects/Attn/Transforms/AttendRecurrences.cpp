// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Attn/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"

namespace rapt::attn {
#define GEN_PASS_DEF_ATTENDRECURRENCES
#include "dialects/Attn/Transforms/Passes.h.inc"
} // namespace rapt::attn

using namespace mlir;
using namespace rapt;
using namespace rapt::attn;

#define DEBUG_TYPE "attn-attend-recurrences"

namespace {
/// One recurrence as a sum over the keys of each query.
class Gatherer {
public:
  explicit Gatherer(AffineScanOp op) : op(op), builder(op) {}

  bool run();
  std::string reason;

private:
  bool fail(StringRef why) {
    reason = why.str();
    return false;
  }
  bool matchTransition();
  bool matchRead();
  /// A row or number of the step, for every key.
  Value mapKeys(Value value, Type element);
  /// A value of the read, for every query.
  Value mapQueries(Value value, Value product, Value rows, Type element);
  Value makeGates();
  Value makeSum(Value queries, Value keys, Value values, Value gates);
  RankedTensorType getRowsType(int64_t width, Type element);
  bool dependsOn(Value value, ArrayRef<BlockArgument> arguments);
  Block *start(Region &region, ArrayRef<Type> types);

  AffineScanOp op;
  OpBuilder builder;
  Value exponent, lhs, rhs; ///< Of the step; the decay is exp(exponent).
  VecMatOp read;            ///< Of the read.
  bool isBefore = false;    ///< Whether it reads the state before the step.
};

struct AttendRecurrences
    : attn::impl::AttendRecurrencesBase<AttendRecurrences> {
  void runOnOperation() override {
    SmallVector<AffineScanOp> scans;
    getOperation()->walk([&](AffineScanOp op) { scans.push_back(op); });
    for (AffineScanOp op : scans) {
      Location location = op.getLoc();
      Gatherer gatherer(op);
      if (gatherer.run())
        remark::passed(
            location, remark::RemarkOpts::name("Attended").category(DEBUG_TYPE))
            << "the recurrence is a sum over keys";
      else
        remark::missed(
            location,
            remark::RemarkOpts::name("NotAttended").category(DEBUG_TYPE))
            << ("the recurrence is no sum over keys: " + gatherer.reason);
    }
  }
};
} // namespace

Block *Gatherer::start(Region &region, ArrayRef<Type> types) {
  return builder.createBlock(&region, {}, types,
                             SmallVector<Location>(types.size(), op.getLoc()));
}

bool Gatherer::dependsOn(Value value, ArrayRef<BlockArgument> arguments) {
  llvm::DenseSet<Value> visited;
  SmallVector<Value> pending{value};
  while (!pending.empty()) {
    Value next = pending.pop_back_val();
    if (!visited.insert(next).second)
      continue;
    if (llvm::is_contained(arguments, next))
      return true;
    if (Operation *inner = next.getDefiningOp())
      llvm::append_range(pending, inner->getOperands());
  }
  return false;
}

RankedTensorType Gatherer::getRowsType(int64_t width, Type element) {
  auto output = cast<RankedTensorType>(op.getResult(0).getType());
  return RankedTensorType::get(
      {output.getDimSize(0), output.getDimSize(1), ShapedType::kDynamic, width},
      element);
}

//===----------------------------------------------------------------------===//
// What fits
//===----------------------------------------------------------------------===//

/// S = d S + a b^T, from zero.
bool Gatherer::matchTransition() {
  if (op.getReverse() || op.getFinals() || op.getNumStates() != 1 ||
      op.getNumOutputs() != 1)
    return fail("not one state and one output, forwards");
  TransitionAttr transition = op.getTransition(0);
  TransitionKind kind = transition.getKind();
  bool isScalar = kind == TransitionKind::Scalar;
  if ((kind != TransitionKind::Identity && !isScalar) ||
      transition.getRank() != 0 || transition.getWrites() != 1)
    return fail("the transition is no number with one product of rows");
  Value initial = cast<YieldOp>(op.getInitial().front().back()).getValues()[0];
  if (!matchPattern(initial, m_AnyZeroFloat()))
    return fail("the state does not begin with zero");
  auto values = cast<YieldOp>(op.getStep().front().back()).getValues();
  if (isScalar) {
    auto exponential = values[0].getDefiningOp<math::ExpOp>();
    if (!exponential)
      return fail("the decay is no exponential, which may be zero");
    exponent = exponential.getOperand();
  }
  lhs = values[isScalar];
  rhs = values[1 + isScalar];
  return true;
}

/// One product of a row of the query with the state.
bool Gatherer::matchRead() {
  Block &block = op.getRead().front();
  BlockArgument before = block.getArgument(AffineScanOp::kReadPositions);
  BlockArgument after = block.getArgument(AffineScanOp::kReadPositions + 1);
  SmallVector<Operation *> users;
  for (BlockArgument state : {before, after})
    llvm::append_range(users, state.getUsers());
  if (users.size() != 1 || !isa<VecMatOp>(users.front()))
    return fail("the state is not read by one product with a row");
  read = cast<VecMatOp>(users.front());
  isBefore = read.getMatrix() == before;
  unsigned queries = op.getQueries().size(), keys = op.getKeys().size();
  ArrayRef<BlockArgument> ofKeys = block.getArguments().slice(
      AffineScanOp::kReadPositions + 2 + queries, keys);
  if (dependsOn(read.getRow(), ofKeys))
    return fail("the row that reads the state is not one of the query");
  Value out = cast<YieldOp>(block.back()).getValues()[0];
  if (dependsOn(out, ofKeys))
    return fail("the output reads the key of the step beside the state");
  return true;
}

//===----------------------------------------------------------------------===//
// Maps
//===----------------------------------------------------------------------===//

Value Gatherer::mapKeys(Value value, Type element) {
  auto row = dyn_cast<RankedTensorType>(value.getType());
  auto map = MapOp::create(
      builder, op.getLoc(), getRowsType(row ? row.getDimSize(0) : 1, element),
      Side::Keys, op.getBatch(), op.getHeads(), op.getQueryCount(),
      op.getKeyCount(), op.getKeys(), op.getCaptures());
  OpBuilder::InsertionGuard guard(builder);
  Block &step = op.getStep().front();
  // b, h, position, the state, keys and captures; here b, h, n, position, ...
  SmallVector<Type> types(MapOp::kRowPositions, builder.getI32Type());
  unsigned first = AffineScanOp::kStepPositions + 1;
  for (BlockArgument argument : step.getArguments().drop_front(first))
    types.push_back(argument.getType());
  Block *body = start(map.getBody(), types);
  IRMapping mapping;
  for (unsigned place : {0, 1})
    mapping.map(step.getArgument(place), body->getArgument(place));
  mapping.map(step.getArgument(2), body->getArgument(3));
  for (unsigned n = first; n < step.getNumArguments(); ++n)
    mapping.map(step.getArgument(n),
                body->getArgument(n - first + MapOp::kRowPositions));
  for (Operation &inner : step.without_terminator())
    if (llvm::all_of(inner.getOperands(),
                     [&](Value operand) { return mapping.contains(operand); }))
      builder.clone(inner, mapping);
  Value result = mapping.lookup(value);
  if (!row)
    result = SplatOp::create(builder, op.getLoc(),
                             RankedTensorType::get({1}, builder.getF32Type()),
                             result);
  YieldOp::create(builder, op.getLoc(), result);
  return map.getResult();
}

/// `product`, if there is one, is the row of `rows`.
Value Gatherer::mapQueries(Value value, Value product, Value rows,
                           Type element) {
  SmallVector<Value> operands(op.getQueries());
  if (rows)
    operands.push_back(rows);
  auto type = cast<RankedTensorType>(value.getType());
  auto map = MapOp::create(
      builder, op.getLoc(), getRowsType(type.getDimSize(0), element),
      Side::Queries, op.getBatch(), op.getHeads(), op.getQueryCount(),
      op.getKeyCount(), operands, op.getCaptures());
  OpBuilder::InsertionGuard guard(builder);
  Block &block = op.getRead().front();
  unsigned first = AffineScanOp::kReadPositions + 2;
  unsigned queries = op.getQueries().size();
  SmallVector<Type> types(MapOp::kRowPositions, builder.getI32Type());
  for (BlockArgument query : block.getArguments().slice(first, queries))
    types.push_back(query.getType());
  if (rows)
    types.push_back(product.getType());
  llvm::append_range(types, op.getCaptures().getTypes());
  Block *body = start(map.getBody(), types);
  IRMapping mapping;
  for (unsigned place = 0; place < MapOp::kRowPositions; ++place)
    mapping.map(block.getArgument(place), body->getArgument(place));
  unsigned next = MapOp::kRowPositions;
  for (unsigned n = 0; n < queries; ++n)
    mapping.map(block.getArgument(first + n), body->getArgument(next++));
  if (rows)
    mapping.map(product, body->getArgument(next++));
  for (BlockArgument capture :
       block.getArguments().take_back(op.getCaptures().size()))
    mapping.map(capture, body->getArgument(next++));
  for (Operation &inner : block.without_terminator())
    if (&inner != product.getDefiningOp() &&
        llvm::all_of(inner.getOperands(),
                     [&](Value operand) { return mapping.contains(operand); }))
      builder.clone(inner, mapping);
  Value result = mapping.lookup(value);
  if (rows) {
    // A query before the first key has no step, and its row is 0.
    Location location = op.getLoc();
    Value zero = arith::ConstantOp::create(builder, location,
                                           builder.getI32IntegerAttr(0));
    Value isStep =
        arith::CmpIOp::create(builder, location, arith::CmpIPredicate::sge,
                              body->getArgument(3), zero);
    Value none = arith::ConstantOp::create(
        builder, location,
        DenseElementsAttr::get(cast<ShapedType>(result.getType()),
                               builder.getF32FloatAttr(0)));
    result = arith::SelectOp::create(
        builder, location,
        SplatOp::create(builder, location, type.clone(builder.getI1Type()),
                        isStep),
        result, none);
  }
  YieldOp::create(builder, op.getLoc(), result);
  return map.getResult();
}

/// The running sum of the exponents of the decays, a number for each key.
Value Gatherer::makeGates() {
  Type f32 = builder.getF32Type();
  Location location = op.getLoc();
  Value gates = mapKeys(exponent, f32);
  auto row = RankedTensorType::get({1}, f32);
  auto scan = ScanOp::create(
      builder, location, gates.getType(), op.getBatch(), op.getHeads(),
      op.getKeyCount(), op.getKeyCount(), ValueRange(), gates, ValueRange(),
      /*reverse=*/false, /*finals=*/false, builder.getStrArrayAttr({"gates"}));
  OpBuilder::InsertionGuard guard(builder);
  Type i32 = builder.getI32Type();
  start(scan.getInitial(), {i32, i32});
  Value zero = arith::ConstantOp::create(
      builder, location,
      DenseElementsAttr::get(row, builder.getF32FloatAttr(0)));
  YieldOp::create(builder, location, zero);
  Block *body = start(scan.getBody(), {i32, i32, i32, i32, row, row});
  Value sum = arith::AddFOp::create(builder, location, body->getArgument(4),
                                    body->getArgument(5));
  YieldOp::create(builder, location, ValueRange{sum, sum});
  return scan.getResult(0);
}

Value Gatherer::makeSum(Value queries, Value keys, Value values, Value gates) {
  Location location = op.getLoc();
  Type f32 = builder.getF32Type(), i32 = builder.getI32Type();
  auto width = cast<RankedTensorType>(values.getType()).getDimSize(3);
  RankedTensorType result = getRowsType(width, f32);
  auto lse = RankedTensorType::get(result.getShape().drop_back(), f32);
  SmallVector<Value> captures;
  if (gates)
    captures.push_back(gates);
  auto attend = AttendOp::create(
      builder, location, result, lse, op.getBatch(), op.getHeads(),
      op.getQueryCount(), op.getKeyCount(), queries, keys, values, ValueRange(),
      captures, Reduction::Sum, FloatAttr());
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types(AttendOp::kPairPositions, i32);
  types.push_back(f32);
  llvm::append_range(types, ValueRange(captures).getTypes());
  Block *score = start(attend.getScore(), types);
  Value weight = score->getArgument(AttendOp::kPairPositions);
  if (gates) {
    auto readGate = [&](Value position) -> Value {
      Value zero = arith::ConstantOp::create(builder, location,
                                             builder.getI32IntegerAttr(0));
      return ReadOp::create(builder, location, f32,
                            score->getArguments().back(),
                            ValueRange{score->getArgument(0),
                                       score->getArgument(1), position, zero});
    };
    // The state before the step misses the decay of the step.
    Value last = score->getArgument(3);
    if (isBefore) {
      Value one = arith::ConstantOp::create(builder, location,
                                            builder.getI32IntegerAttr(1));
      last = arith::SubIOp::create(builder, location, last, one);
    }
    Value difference = arith::SubFOp::create(builder, location, readGate(last),
                                             readGate(score->getArgument(4)));
    weight = arith::MulFOp::create(
        builder, location, math::ExpOp::create(builder, location, difference),
        weight);
  }
  YieldOp::create(builder, location, weight);
  Block *mask = start(attend.getMask(), types);
  Value keep = arith::CmpIOp::create(
      builder, location,
      isBefore ? arith::CmpIPredicate::sgt : arith::CmpIPredicate::sge,
      mask->getArgument(3), mask->getArgument(4));
  YieldOp::create(builder, location, keep);
  return attend.getResult();
}

bool Gatherer::run() {
  if (!matchTransition() || !matchRead())
    return false;
  Type f32 = builder.getF32Type();
  Value queries = mapQueries(read.getRow(), read.getResult(), {}, f32);
  Value keys = mapKeys(lhs, f32), values = mapKeys(rhs, f32);
  Value gates = exponent ? makeGates() : Value();
  Value sum = makeSum(queries, keys, values, gates);
  auto output = cast<RankedTensorType>(op.getResult(0).getType());
  Value out = cast<YieldOp>(op.getRead().front().back()).getValues()[0];
  Value result =
      mapQueries(out, read.getResult(), sum, output.getElementType());
  op.getResult(0).replaceAllUsesWith(result);
  op.erase();
  return true;
}
