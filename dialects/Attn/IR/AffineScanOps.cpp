// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The normal form of the loop over time. A comment such as `affine_scan_c1`
// names the constraint of the definition that a check is for.

#include "dialects/Attn/IR/RegionChecks.h"

using namespace mlir;
using namespace rapt::attn;

//===----------------------------------------------------------------------===//
// TransitionAttr
//===----------------------------------------------------------------------===//

static ArrayRef<int64_t> getExtents(Type state) {
  if (auto tensor = dyn_cast<RankedTensorType>(state))
    return tensor.getShape();
  return {};
}

SmallVector<Type> TransitionAttr::getValueTypes(Type state) {
  ArrayRef<int64_t> extents = getExtents(state);
  Type f32 = Float32Type::get(getContext());
  auto row = [&](size_t axis) {
    return RankedTensorType::get({extents[axis]}, f32);
  };
  SmallVector<Type> types;
  switch (getKind()) {
  case TransitionKind::Nonlinear:
    return {state};
  case TransitionKind::Hold:
    return {IntegerType::get(getContext(), 1)};
  case TransitionKind::Identity:
  case TransitionKind::Reset:
    break;
  case TransitionKind::Scalar:
    types.push_back(f32);
    break;
  case TransitionKind::Channel:
    types.push_back(row(getAxis()));
    break;
  case TransitionKind::Element:
  case TransitionKind::MaxPlus:
    types.push_back(state);
    break;
  case TransitionKind::Coupled:
  case TransitionKind::Rotation:
    types.append(1 + getPartners().size(), state);
    break;
  }
  if (getRank() > 0)
    types.append(2 * getRank(), row(getAxis()));
  for (int64_t n = 0; n < getWrites(); ++n)
    types.append({row(0), row(1)});
  if (getWrites() < 0)
    types.push_back(state);
  return types;
}

std::string TransitionAttr::getDescription() {
  std::string rank =
      getRank() == 1 ? "rank one" : "rank " + std::to_string(getRank());
  auto withRank = [&](const char *diagonal) {
    return getRank() ? diagonal + (" plus " + rank) : std::string(diagonal);
  };
  switch (getKind()) {
  case TransitionKind::Identity:
    return withRank("identity");
  case TransitionKind::Reset:
    return getRank() ? rank : "reset";
  case TransitionKind::Scalar:
    return withRank(getSteady() ? "constant per head" : "scalar per step");
  case TransitionKind::Channel:
    return getRank()     ? withRank("diagonal")
           : getSteady() ? "constant per channel"
                         : "per channel";
  case TransitionKind::Element:
    return "element by element";
  case TransitionKind::MaxPlus:
    return "running maximum";
  case TransitionKind::Coupled:
    return "coupled states";
  case TransitionKind::Rotation:
    return "rotation of a pair";
  case TransitionKind::Hold:
    return "held copy";
  case TransitionKind::Nonlinear:
    return "nonlinear";
  }
  llvm_unreachable("every kind has a name");
}

//===----------------------------------------------------------------------===//
// AffineScanOp
//===----------------------------------------------------------------------===//

TypeRange AffineScanOp::getStateTypes() {
  return cast<YieldOp>(getInitial().front().back()).getValues().getTypes();
}

std::string AffineScanOp::getStateName(unsigned state) {
  if (std::optional<ArrayAttr> names = getNames())
    return cast<StringAttr>((*names)[state]).getValue().str();
  return std::to_string(state);
}

/// Whether the transition has a meaning for a state of this shape, in a scan of
/// so many states.
static bool fits(TransitionAttr transition, Type state, unsigned number,
                 unsigned states) {
  auto rank = static_cast<int64_t>(getExtents(state).size());
  TransitionKind kind = transition.getKind();
  bool isWhole =
      kind == TransitionKind::Nonlinear || kind == TransitionKind::Hold;
  bool isSum = kind != TransitionKind::MaxPlus && !isWhole;
  bool hasAxis = kind == TransitionKind::Channel || transition.getRank() > 0;
  bool isPair =
      kind == TransitionKind::Rotation || kind == TransitionKind::Hold;
  bool isCoupled = kind == TransitionKind::Coupled || isPair;
  bool hasLowRank = isSum && !isCoupled && kind != TransitionKind::Element;
  if (transition.getAxis() < 0 || (hasAxis && transition.getAxis() >= rank) ||
      (!hasAxis && transition.getAxis() != 0))
    return false;
  if (transition.getRank() < 0 || (transition.getRank() > 0 && !hasLowRank))
    return false;
  if (transition.getWrites() < -1 ||
      (transition.getWrites() > 0 && (rank != 2 || !isSum)) ||
      (transition.getWrites() != 0 && isWhole))
    return false;
  if (isCoupled == transition.getPartners().empty() ||
      (isPair && transition.getPartners().size() != 1))
    return false;
  return llvm::all_of(transition.getPartners(), [&](int64_t partner) {
    return partner >= 0 && partner < states && partner != number;
  });
}

static LogicalResult verifyTransitions(AffineScanOp op) {
  auto yielded = cast<YieldOp>(op.getStep().front().back()).getValues();
  SmallVector<Type> expected;
  unsigned states = op.getNumStates();
  // affine_scan_c3
  if (op.getTransitions().size() != states)
    return op.emitOpError() << "must have a transition for each of " << states
                            << " states, got " << op.getTransitions().size();
  ArrayRef<BlockArgument> before =
      op.getStep().getArguments().slice(AffineScanOp::kStepPositions, states);
  for (unsigned number = 0; number < states; ++number) {
    TransitionAttr transition = op.getTransition(number);
    Type state = op.getStateTypes()[number];
    if (!fits(transition, state, number, states))
      return op.emitOpError()
             << "transition " << transition << " of state "
             << op.getStateName(number) << " does not fit " << state;
    for (int64_t partner : transition.getPartners())
      if (op.getStateTypes()[partner] != state)
        return op.emitOpError()
               << "state " << op.getStateName(number) << " and its partner "
               << op.getStateName(partner) << " must have one type";
    size_t first = expected.size();
    llvm::append_range(expected, transition.getValueTypes(state));
    if (transition.getKind() == TransitionKind::Nonlinear ||
        yielded.size() < expected.size())
      continue;
    // affine_scan_c5
    auto isHeld = [&](Value value) {
      auto select = value.getDefiningOp<arith::SelectOp>();
      for (unsigned held = 0; select && held < states; ++held)
        if (TransitionAttr copy = op.getTransition(held);
            copy.getKind() == TransitionKind::Hold &&
            select.getFalseValue() == before[held] &&
            select.getTrueValue() == before[copy.getPartners().front()])
          return true;
      return false;
    };
    SmallVector<BlockArgument> own{before[number]};
    for (int64_t partner : transition.getPartners())
      own.push_back(before[partner]);
    for (Value value : yielded.slice(first, expected.size() - first))
      if (dependsOn(value, own, isHeld))
        return op.emitOpError()
               << "the values of state " << op.getStateName(number)
               << " must not depend on it or its partners";
  }
  // affine_scan_c4
  if (yielded.getTypes() == TypeRange(expected))
    return success();
  InFlightDiagnostic diag = op.emitOpError() << "step must yield (";
  llvm::interleaveComma(expected, diag);
  diag << "), got (";
  llvm::interleaveComma(yielded.getTypes(), diag);
  return diag << ")";
}

LogicalResult AffineScanOp::verify() {
  // affine_scan_c1
  for (Value query : getQueries())
    if (failed(verifyRows(*this, query, "queries operand")))
      return failure();
  for (Value key : getKeys())
    if (failed(verifyRows(*this, key, "keys operand")))
      return failure();
  // affine_scan_c2
  Type i32 = IntegerType::get(getContext(), 32);
  SmallVector<Type> expected(kInitialPositions, i32);
  llvm::append_range(expected, getCaptures().getTypes());
  if (failed(verifyRegionArguments(*this, getInitial(), "initial", expected)) ||
      failed(verifyStateTypes(*this, getStateTypes())))
    return failure();
  // affine_scan_c8
  if (std::optional<ArrayAttr> names = getNames();
      names && names->size() != getNumStates())
    return emitOpError() << "must have a name for each of " << getNumStates()
                         << " states, got " << names->size();
  // affine_scan_c4
  SmallVector<Type> keys;
  for (Value key : getKeys())
    keys.push_back(getRegionRowType(key));
  expected.assign(kStepPositions, i32);
  llvm::append_range(expected, getStateTypes());
  llvm::append_range(expected, keys);
  llvm::append_range(expected, getCaptures().getTypes());
  if (failed(verifyRegionArguments(*this, getStep(), "step", expected)) ||
      failed(verifyTransitions(*this)))
    return failure();
  // affine_scan_c6
  expected.assign(kReadPositions, i32);
  llvm::append_range(expected, getStateTypes());
  llvm::append_range(expected, getStateTypes());
  for (Value query : getQueries())
    expected.push_back(getRegionRowType(query));
  llvm::append_range(expected, keys);
  llvm::append_range(expected, getCaptures().getTypes());
  if (failed(verifyRegionArguments(*this, getRead(), "read", expected)))
    return failure();
  if (getNumResults() < (getFinals() ? getNumStates() : 0))
    return emitOpError() << "must have a final state for each of "
                         << getNumStates() << " states, got " << getNumResults()
                         << " results";
  // affine_scan_c6, affine_scan_c7
  auto rows = cast<YieldOp>(getRead().front().back()).getValues();
  if (rows.size() != getNumOutputs())
    return emitOpError() << "read must yield " << getNumOutputs()
                         << " rows, got " << rows.size() << " values";
  if (failed(verifyScanOutputs(*this, "read", getOutputs(), rows)))
    return failure();
  for (auto [state, result] : llvm::enumerate(getFinalStates()))
    if (failed(verifyFinalState(*this, getStateName(state),
                                getStateTypes()[state], result)))
      return failure();
  return success();
}
