// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop over time, and matrices inside regions. A comment such as `scan_c1`
// names the constraint of the definition that a check is for.

#include "dialects/Attn/IR/RegionChecks.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace rapt::attn;

//===----------------------------------------------------------------------===//
// ScanOp
//===----------------------------------------------------------------------===//

TypeRange ScanOp::getStateTypes() {
  return cast<YieldOp>(getInitial().front().back()).getValues().getTypes();
}

ArrayRef<BlockArgument> ScanOp::getStateArguments() {
  return getBody().getArguments().slice(kPositions, getNumStates());
}
ArrayRef<BlockArgument> ScanOp::getQueryArguments() {
  return getBody().getArguments().slice(kPositions + getNumStates(),
                                        getQueries().size());
}
ArrayRef<BlockArgument> ScanOp::getKeyArguments() {
  return getBody().getArguments().slice(
      kPositions + getNumStates() + getQueries().size(), getKeys().size());
}
ArrayRef<BlockArgument> ScanOp::getCaptureArguments() {
  return getBody().getArguments().take_back(getCaptures().size());
}

OperandRange ScanOp::getNewStates() {
  return cast<YieldOp>(getBody().front().back())
      .getValues()
      .take_front(getNumStates());
}
OperandRange ScanOp::getRows() {
  return cast<YieldOp>(getBody().front().back())
      .getValues()
      .drop_front(getNumStates());
}

std::string ScanOp::getStateName(unsigned state) {
  if (std::optional<ArrayAttr> names = getNames())
    return cast<StringAttr>((*names)[state]).getValue().str();
  return std::to_string(state);
}

/// A number, a row or a matrix of f32.
static bool isStateType(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return tensor.hasStaticShape() && tensor.getElementType().isF32() &&
           (tensor.getRank() == 1 || tensor.getRank() == 2);
  return type.isF32();
}

bool rapt::attn::dependsOn(Value value, ArrayRef<BlockArgument> arguments,
                           llvm::function_ref<bool(Value)> given) {
  llvm::DenseSet<Value> visited;
  SmallVector<Value> pending{value};
  while (!pending.empty()) {
    Value next = pending.pop_back_val();
    if (!visited.insert(next).second || (given && given(next)))
      continue;
    if (llvm::is_contained(arguments, next))
      return true;
    if (Operation *op = next.getDefiningOp())
      llvm::append_range(pending, op->getOperands());
  }
  return false;
}

LogicalResult rapt::attn::verifyStateTypes(Operation *op, TypeRange states) {
  for (Type state : states)
    if (!isStateType(state))
      return op->emitOpError() << "a state must be a number, a row or a matrix "
                                  "of f32, got "
                               << state;
  return success();
}

LogicalResult rapt::attn::verifyScanOutputs(Operation *op, StringRef region,
                                            ValueRange outputs,
                                            ValueRange rows) {
  for (auto [output, row] : llvm::zip(outputs, rows)) {
    auto type = cast<RankedTensorType>(output.getType());
    auto found = dyn_cast<RankedTensorType>(row.getType());
    if (!found || found.getRank() != 1) // scan_c4
      return op->emitOpError()
             << region << " must yield a row for each output, got "
             << row.getType();
    if (type.getRank() != 4 || type.getDimSize(3) != found.getDimSize(0))
      return op->emitOpError() // scan_c5
             << "output must have rank 4 and the row's extent "
             << found.getDimSize(0) << " as its last, got " << type;
  }
  return success();
}

LogicalResult rapt::attn::verifyFinalState(Operation *op, StringRef name,
                                           Type state, Value result) {
  auto type = cast<RankedTensorType>(result.getType()); // scan_c6
  SmallVector<int64_t> extents;
  if (auto tensor = dyn_cast<RankedTensorType>(state))
    llvm::append_range(extents, tensor.getShape());
  if (type.getElementType().isF32() &&
      type.getRank() == static_cast<int64_t>(2 + extents.size()) &&
      type.getShape().drop_front(2) == ArrayRef(extents))
    return success();
  return op->emitOpError() << "final state " << name << " must hold " << state
                           << " for each batch and head, got " << type;
}

static LogicalResult verifyScanTypes(ScanOp op) {
  auto yield = cast<YieldOp>(op.getBody().front().back());
  unsigned states = op.getNumStates();
  if (op.getNumResults() < (op.getFinals() ? states : 0)) // scan_c6
    return op.emitOpError()
           << "must have a final state for each of " << states
           << " states, got " << op.getNumResults() << " results";
  // scan_c4
  if (yield.getValues().size() != states + op.getNumOutputs())
    return op.emitOpError() << "body must yield " << states << " states and "
                            << op.getNumOutputs() << " rows, got "
                            << yield.getValues().size() << " values";
  for (auto [state, value] : llvm::enumerate(op.getNewStates()))
    if (value.getType() != op.getStateTypes()[state])
      return op.emitOpError()
             << "body must yield state " << op.getStateName(state) << " as "
             << op.getStateTypes()[state] << ", got " << value.getType();
  if (failed(verifyScanOutputs(op, "body", op.getOutputs(), op.getRows())))
    return failure();
  for (auto [state, result] : llvm::enumerate(op.getFinalStates()))
    if (failed(verifyFinalState(op, op.getStateName(state),
                                op.getStateTypes()[state], result)))
      return failure();
  return success();
}

LogicalResult ScanOp::verify() {
  // scan_c1
  for (Value query : getQueries())
    if (failed(verifyRows(*this, query, "queries operand")))
      return failure();
  for (Value key : getKeys())
    if (failed(verifyRows(*this, key, "keys operand")))
      return failure();
  // scan_c2
  Type i32 = IntegerType::get(getContext(), 32);
  SmallVector<Type> expected(kInitialPositions, i32);
  llvm::append_range(expected, getCaptures().getTypes());
  if (failed(verifyRegionArguments(*this, getInitial(), "initial", expected)))
    return failure();
  if (failed(verifyStateTypes(*this, getStateTypes())))
    return failure();
  // scan_c8
  if (std::optional<ArrayAttr> names = getNames();
      names && names->size() != getNumStates())
    return emitOpError() << "must have a name for each of " << getNumStates()
                         << " states, got " << names->size();
  // scan_c3
  expected.assign(kPositions, i32);
  llvm::append_range(expected, getStateTypes());
  for (Value query : getQueries())
    expected.push_back(getRegionRowType(query));
  for (Value key : getKeys())
    expected.push_back(getRegionRowType(key));
  llvm::append_range(expected, getCaptures().getTypes());
  if (failed(verifyRegionArguments(*this, getBody(), "body", expected)) ||
      failed(verifyScanTypes(*this)))
    return failure();
  // scan_c7
  constexpr unsigned rowNumber = 2;
  SmallVector<BlockArgument> ofQueries(getQueryArguments());
  ofQueries.push_back(getBody().getArgument(rowNumber));
  for (auto [state, value] : llvm::enumerate(getNewStates()))
    if (dependsOn(value, ofQueries))
      return emitOpError() << "the new state " << getStateName(state)
                           << " must not depend on the row or on queries";
  return success();
}

//===----------------------------------------------------------------------===//
// Canonical forms of ScanOp
//===----------------------------------------------------------------------===//

namespace {
/// Which parts of a scan stay.
struct KeptParts {
  SmallVector<bool> states, outputs, queries, keys, captures;

  bool isAll() const {
    for (const auto *parts : {&states, &outputs, &queries, &keys, &captures})
      if (!llvm::all_of(*parts, [](bool kept) { return kept; }))
        return false;
    return true;
  }
};
} // namespace

/// The states that results depend on, directly or through other states.
static SmallVector<bool> findLiveStates(ScanOp op, ArrayRef<bool> outputs) {
  SmallVector<bool> live(op.getNumStates(), static_cast<bool>(op.getFinals()));
  ArrayRef<BlockArgument> arguments = op.getStateArguments();
  SmallVector<Value> pending;
  for (auto [row, kept] : llvm::zip(op.getRows(), outputs))
    if (kept)
      pending.push_back(row);
  llvm::DenseSet<Value> visited;
  while (!pending.empty()) {
    Value next = pending.pop_back_val();
    if (!visited.insert(next).second)
      continue;
    if (const BlockArgument *state = llvm::find(arguments, next);
        state != arguments.end()) {
      unsigned number = state - arguments.begin();
      live[number] = true;
      pending.push_back(op.getNewStates()[number]);
    }
    if (Operation *definition = next.getDefiningOp())
      llvm::append_range(pending, definition->getOperands());
  }
  return live;
}

static SmallVector<Value> keep(ValueRange values, ArrayRef<bool> kept) {
  SmallVector<Value> result;
  for (auto [value, isKept] : llvm::zip(values, kept))
    if (isKept)
      result.push_back(value);
  return result;
}

/// The scan with only some of its parts. Nothing kept may use what is not.
static void keepParts(ScanOp op, const KeptParts &kept,
                      PatternRewriter &rewriter) {
  SmallVector<Value> results = keep(op.getOutputs(), kept.outputs);
  if (op.getFinals())
    llvm::append_range(results, op.getFinalStates());
  ArrayAttr names;
  if (std::optional<ArrayAttr> all = op.getNames()) {
    SmallVector<Attribute> left;
    for (auto [name, isKept] : llvm::zip(*all, kept.states))
      if (isKept)
        left.push_back(name);
    names = rewriter.getArrayAttr(left);
  }
  auto made = ScanOp::create(
      rewriter, op.getLoc(), TypeRange(ValueRange(results)), op.getBatch(),
      op.getHeads(), op.getQueryCount(), op.getKeyCount(),
      keep(op.getQueries(), kept.queries), keep(op.getKeys(), kept.keys),
      keep(op.getCaptures(), kept.captures), op.getReverse(), op.getFinals(),
      names);
  // The yielded values first, so that what they were computed from can go.
  auto change = [&](Region &region, ArrayRef<bool> yielded,
                    ArrayRef<bool> arguments) {
    auto yield = cast<YieldOp>(region.front().back());
    rewriter.modifyOpInPlace(yield, [&] {
      yield.getValuesMutable().assign(keep(yield.getValues(), yielded));
    });
    SmallVector<Operation *> operations;
    for (Operation &inner : region.front().without_terminator())
      operations.push_back(&inner);
    for (Operation *inner : llvm::reverse(operations))
      if (inner->use_empty())
        rewriter.eraseOp(inner);
    llvm::BitVector erased(arguments.size());
    for (auto [number, isKept] : llvm::enumerate(arguments))
      if (!isKept)
        erased.set(number);
    region.front().eraseArguments(erased);
  };
  SmallVector<bool> yielded(kept.states), arguments(ScanOp::kPositions, true);
  llvm::append_range(yielded, kept.outputs);
  for (const auto *parts :
       {&kept.states, &kept.queries, &kept.keys, &kept.captures})
    llvm::append_range(arguments, *parts);
  change(op.getBody(), yielded, arguments);
  SmallVector<bool> initial(ScanOp::kInitialPositions, true);
  llvm::append_range(initial, kept.captures);
  change(op.getInitial(), kept.states, initial);
  rewriter.inlineRegionBefore(op.getInitial(), made.getInitial(),
                              made.getInitial().end());
  rewriter.inlineRegionBefore(op.getBody(), made.getBody(),
                              made.getBody().end());
  for (auto [from, to] : llvm::zip(results, made.getResults()))
    rewriter.replaceAllUsesWith(from, to);
  rewriter.eraseOp(op);
}

namespace {
/// What no result depends on: outputs that nobody uses, states that no output
/// reads, operands that no region reads.
struct DropUnusedParts : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ScanOp op,
                                PatternRewriter &rewriter) const override {
    KeptParts kept;
    for (Value output : op.getOutputs())
      kept.outputs.push_back(!output.use_empty());
    kept.states = findLiveStates(op, kept.outputs);
    // What is computed for the rest does not count as a use.
    llvm::DenseSet<Value> used;
    SmallVector<Value> pending = keep(op.getRows(), kept.outputs);
    llvm::append_range(pending, keep(op.getNewStates(), kept.states));
    auto initial = cast<YieldOp>(op.getInitial().front().back());
    llvm::append_range(pending, keep(initial.getValues(), kept.states));
    while (!pending.empty()) {
      Value next = pending.pop_back_val();
      if (!used.insert(next).second)
        continue;
      if (Operation *definition = next.getDefiningOp())
        llvm::append_range(pending, definition->getOperands());
    }
    for (BlockArgument query : op.getQueryArguments())
      kept.queries.push_back(used.contains(query));
    for (BlockArgument key : op.getKeyArguments())
      kept.keys.push_back(used.contains(key));
    for (auto [inBody, inInitial] :
         llvm::zip(op.getCaptureArguments(),
                   op.getInitial().getArguments().drop_front(
                       ScanOp::kInitialPositions)))
      kept.captures.push_back(used.contains(inBody) ||
                              used.contains(inInitial));
    if (kept.isAll())
      return rewriter.notifyMatchFailure(op, "every part is used");
    keepParts(op, kept, rewriter);
    return success();
  }
};

/// A state that every step leaves as it is has its initial value in all of
/// them: the body computes it instead.
struct InlineConstantStates : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ScanOp op,
                                PatternRewriter &rewriter) const override {
    Block &initial = op.getInitial().front(), &body = op.getBody().front();
    auto isRead = [&](OpOperand &use) {
      return !isa<YieldOp>(use.getOwner()) ||
             use.getOperandNumber() >= op.getNumStates();
    };
    for (auto [state, value] :
         llvm::zip(op.getStateArguments(), op.getNewStates())) {
      if (value != state || llvm::none_of(state.getUses(), isRead))
        continue;
      unsigned number = state.getArgNumber() - ScanOp::kPositions;
      IRMapping mapping;
      mapping.map(initial.getArguments().take_front(ScanOp::kInitialPositions),
                  body.getArguments().take_front(ScanOp::kInitialPositions));
      mapping.map(initial.getArguments().drop_front(ScanOp::kInitialPositions),
                  op.getCaptureArguments());
      rewriter.setInsertionPointToStart(&body);
      for (Operation &inner : initial.without_terminator())
        rewriter.clone(inner, mapping);
      Value known =
          mapping.lookup(cast<YieldOp>(initial.back()).getValues()[number]);
      rewriter.replaceUsesWithIf(state, known, isRead);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "every state that is read changes");
  }
};
} // namespace

void ScanOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                         MLIRContext *context) {
  patterns.add<DropUnusedParts, InlineConstantStates>(context);
}

//===----------------------------------------------------------------------===//
// Matrices
//===----------------------------------------------------------------------===//

LogicalResult OuterOp::verify() {
  // outer_c1
  int64_t rows = getLhs().getType().getDimSize(0);
  int64_t columns = getRhs().getType().getDimSize(0);
  if (getResult().getType().getShape() != ArrayRef<int64_t>{rows, columns})
    return emitOpError() << "result must have extents " << rows << " x "
                         << columns << ", got " << getResult().getType();
  return success();
}

LogicalResult VecMatOp::verify() {
  // vecmat_c1
  if (getMatrix().getType().getDimSize(0) != getRow().getType().getDimSize(0))
    return emitOpError() << "needs a row [R] and a matrix [R, C], got "
                         << getRow().getType() << " and "
                         << getMatrix().getType();
  // vecmat_c2
  int64_t columns = getMatrix().getType().getDimSize(1);
  if (getResult().getType().getDimSize(0) != columns)
    return emitOpError() << "result must have extent " << columns << ", got "
                         << getResult().getType();
  return success();
}

LogicalResult SpreadOp::verify() {
  // spread_c1
  int64_t along = getAlong();
  if (along != 0 && along != 1)
    return emitOpError() << "along must be 0 or 1, got " << along;
  // spread_c2
  int64_t extent = getRow().getType().getDimSize(0);
  if (getResult().getType().getDimSize(along) != extent)
    return emitOpError() << "result must have extent " << extent
                         << " in dimension " << along << ", got "
                         << getResult().getType();
  return verifyElementType(*this, getRow(), getResult());
}
