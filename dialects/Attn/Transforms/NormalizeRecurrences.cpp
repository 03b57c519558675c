// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Attn/Transforms/Passes.h"
#include "lib/Analysis/RecurrenceKind.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Remarks.h"

namespace rapt::attn {
#define GEN_PASS_DEF_NORMALIZERECURRENCES
#include "dialects/Attn/Transforms/Passes.h.inc"
} // namespace rapt::attn

using namespace mlir;
using namespace rapt;
using namespace rapt::attn;

#define DEBUG_TYPE "attn-normalize-recurrences"

/// Copies the operations of a block whose operands are all there.
static void cloneKnown(Block &from, OpBuilder &builder, IRMapping &mapping) {
  for (Operation &op : from.without_terminator())
    if (llvm::all_of(op.getOperands(),
                     [&](Value operand) { return mapping.contains(operand); }))
      builder.clone(op, mapping);
}

static void eraseUnused(Block &block) {
  SmallVector<Operation *> operations;
  for (Operation &op : block.without_terminator())
    operations.push_back(&op);
  for (Operation *op : llvm::reverse(operations))
    if (op->use_empty())
      op->erase();
}

static SmallVector<Value> lookup(const IRMapping &mapping, ValueRange values) {
  SmallVector<Value> found;
  for (Value value : values)
    found.push_back(mapping.lookup(value));
  return found;
}

namespace {
/// One scan in normal form, beside the scan that it is made from.
class Normalizer {
public:
  explicit Normalizer(ScanOp scan) : scan(scan), builder(scan) {}

  /// The new operation, or null if no state has a kind.
  AffineScanOp run();

private:
  Block *start(Region &region, ArrayRef<Type> types);
  void makeStep(AffineScanOp op);
  void makeRead(AffineScanOp op);
  void report();

  ScanOp scan;
  OpBuilder builder;
  SmallVector<analysis::StateTransition> transitions;
};

struct NormalizeRecurrences
    : attn::impl::NormalizeRecurrencesBase<NormalizeRecurrences> {
  void runOnOperation() override {
    SmallVector<ScanOp> scans;
    getOperation()->walk([&](ScanOp scan) { scans.push_back(scan); });
    for (ScanOp scan : scans)
      if (AffineScanOp made = Normalizer(scan).run()) {
        scan.replaceAllUsesWith(made.getResults());
        scan.erase();
      }
  }
};
} // namespace

Block *Normalizer::start(Region &region, ArrayRef<Type> types) {
  return builder.createBlock(
      &region, {}, types, SmallVector<Location>(types.size(), scan.getLoc()));
}

/// The body as far as the new states need it, then the values of their
/// transitions.
void Normalizer::makeStep(AffineScanOp op) {
  Block &body = scan.getBody().front();
  SmallVector<Type> types(AffineScanOp::kStepPositions, builder.getI32Type());
  llvm::append_range(types, scan.getStateTypes());
  for (BlockArgument key : scan.getKeyArguments())
    types.push_back(key.getType());
  llvm::append_range(types, scan.getCaptures().getTypes());
  Block *step = start(op.getStep(), types);
  IRMapping mapping;
  // All arguments but the row and the queries.
  unsigned next = 0;
  for (unsigned place : {0, 1, 3})
    mapping.map(body.getArgument(place), step->getArgument(next++));
  for (ArrayRef<BlockArgument> arguments :
       {scan.getStateArguments(), scan.getKeyArguments(),
        scan.getCaptureArguments()})
    for (BlockArgument argument : arguments)
      mapping.map(argument, step->getArgument(next++));
  builder.setInsertionPointToEnd(step);
  cloneKnown(body, builder, mapping);
  SmallVector<Value> before, changing{step->getArgument(2)};
  for (BlockArgument state : scan.getStateArguments())
    before.push_back(mapping.lookup(state));
  for (BlockArgument key : scan.getKeyArguments())
    changing.push_back(mapping.lookup(key));
  auto yield = YieldOp::create(builder, scan.getLoc(), ValueRange());
  transitions = analysis::findTransitions(
      *step, before, lookup(mapping, scan.getNewStates()), changing);
  SmallVector<Value> values;
  for (const analysis::StateTransition &transition : transitions)
    llvm::append_range(values, transition.values);
  yield.getValuesMutable().assign(values);
  eraseUnused(*step);
}

/// The body as far as the outputs need it, with the new states given.
void Normalizer::makeRead(AffineScanOp op) {
  Block &body = scan.getBody().front();
  SmallVector<Type> types(AffineScanOp::kReadPositions, builder.getI32Type());
  llvm::append_range(types, scan.getStateTypes());
  llvm::append_range(types, scan.getStateTypes());
  for (ArrayRef<BlockArgument> arguments :
       {scan.getQueryArguments(), scan.getKeyArguments(),
        scan.getCaptureArguments()})
    for (BlockArgument argument : arguments)
      types.push_back(argument.getType());
  Block *read = start(op.getRead(), types);
  unsigned states = scan.getNumStates();
  IRMapping mapping;
  for (BlockArgument argument : body.getArguments()) {
    unsigned number = argument.getArgNumber();
    bool isBehind = number >= AffineScanOp::kReadPositions + states;
    mapping.map(argument, read->getArgument(number + (isBehind ? states : 0)));
  }
  builder.setInsertionPointToEnd(read);
  cloneKnown(body, builder, mapping);
  YieldOp::create(builder, scan.getLoc(), lookup(mapping, scan.getRows()));
  for (auto [number, state] : llvm::enumerate(scan.getNewStates()))
    if (Value after = mapping.lookup(state); after.getDefiningOp())
      after.replaceAllUsesWith(
          read->getArgument(AffineScanOp::kReadPositions + states + number));
  eraseUnused(*read);
  analysis::normalizeReads(
      *read,
      read->getArguments().slice(AffineScanOp::kReadPositions, 2 * states));
  eraseUnused(*read);
}

void Normalizer::report() {
  for (auto [number, transition] : llvm::enumerate(transitions)) {
    std::string name = scan.getStateName(number);
    if (transition.reason.empty())
      remark::passed(
          scan.getLoc(),
          remark::RemarkOpts::name("RecurrenceKind").category(DEBUG_TYPE))
          << ("state '" + name +
              "': " + transition.transition.getDescription());
    else
      remark::missed(scan.getLoc(),
                     remark::RemarkOpts::name("NotAffine").category(DEBUG_TYPE))
          << ("state '" + name + "' is not affine: " + transition.reason);
  }
}

AffineScanOp Normalizer::run() {
  auto op = AffineScanOp::create(
      builder, scan.getLoc(), scan.getResultTypes(), scan.getBatch(),
      scan.getHeads(), scan.getQueryCount(), scan.getKeyCount(),
      scan.getQueries(), scan.getKeys(), scan.getCaptures(), scan.getReverse(),
      scan.getFinals(), builder.getArrayAttr({}), scan.getNamesAttr());
  IRMapping mapping;
  scan.getInitial().cloneInto(&op.getInitial(), mapping);
  makeStep(op);
  report();
  if (llvm::all_of(transitions, [](const analysis::StateTransition &state) {
        return state.transition.getKind() == TransitionKind::Nonlinear;
      })) {
    op.erase();
    return nullptr;
  }
  makeRead(op);
  SmallVector<Attribute> attributes;
  for (const analysis::StateTransition &transition : transitions)
    attributes.push_back(transition.transition);
  op.setTransitionsAttr(builder.getArrayAttr(attributes));
  return op;
}
