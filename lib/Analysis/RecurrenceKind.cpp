// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Analysis/RecurrenceKind.h"
#include "lib/Analysis/AffineForm.h"
#include "lib/Analysis/SameValue.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"
#include <limits>

using namespace mlir;

namespace rapt::analysis {

using attn::TransitionAttr;
using attn::TransitionKind;

namespace {
class TransitionFinder {
public:
  TransitionFinder(Block &block, ValueRange before, ValueRange after,
                   ValueRange changing)
      : block(block), before(before), after(after), changing(changing),
        found(before.size()) {}

  SmallVector<StateTransition> run();

private:
  llvm::SetVector<Value> getSources(Value value);
  bool changesWithStep(ValueRange values);
  void classify(unsigned state);
  bool classifyMaximum(unsigned state);
  void classifyCoupled(ArrayRef<unsigned> states);
  bool classifyHold(unsigned state);
  void setNonlinear(unsigned state, std::string reason);
  void mergeTerms(SmallVectorImpl<LowRankTerm> &terms,
                  CoefficientBuilder &coefficients);
  /// The write of a form: how many products of rows, or -1.
  int64_t addWrite(const AffineForm &form, Type state,
                   CoefficientBuilder &coefficients,
                   SmallVectorImpl<Value> &values);
  bool isRotation(unsigned a, unsigned b);

  Block &block;
  ValueRange before, after, changing;
  SmallVector<StateTransition> found;
  SmallVector<Value> held; ///< What the held copies are after the step.
};
} // namespace

/// The arguments that a value is computed from; held copies are given.
llvm::SetVector<Value> TransitionFinder::getSources(Value value) {
  llvm::SetVector<Value> sources;
  llvm::DenseSet<Value> visited;
  SmallVector<Value> pending{value};
  while (!pending.empty()) {
    Value next = pending.pop_back_val();
    if (!visited.insert(next).second || llvm::is_contained(held, next))
      continue;
    if (Operation *op = next.getDefiningOp())
      llvm::append_range(pending, op->getOperands());
    else
      sources.insert(next);
  }
  return sources;
}

bool TransitionFinder::changesWithStep(ValueRange values) {
  for (Value value : values)
    for (Value source : getSources(value))
      if (llvm::is_contained(changing, source) ||
          llvm::is_contained(before, source))
        return true;
  return false;
}

void TransitionFinder::setNonlinear(unsigned state, std::string reason) {
  found[state].transition =
      TransitionAttr::get(before[state].getContext(), TransitionKind::Nonlinear,
                          0, 0, 0, false, {});
  found[state].values = {after[state]};
  found[state].reason = std::move(reason);
}

SmallVector<StateTransition> TransitionFinder::run() {
  // States that need one another, directly or through others, are solved
  // together; all others see theirs as given.
  unsigned count = before.size();
  SmallVector<llvm::BitVector> reaches(count, llvm::BitVector(count));
  llvm::BitVector isDone(count);
  // What is held stays as it is for a run of steps: given to all others.
  for (unsigned state = 0; state < count; ++state)
    if (classifyHold(state)) {
      isDone.set(state);
      held.push_back(after[state]);
    }
  for (unsigned state = 0; state < count; ++state)
    for (Value source : getSources(after[state]))
      for (unsigned other = 0; other < count; ++other)
        if (before[other] == source && !isDone[state] && !isDone[other])
          reaches[state].set(other);
  for (unsigned through = 0; through < count; ++through)
    for (unsigned state = 0; state < count; ++state)
      if (reaches[state][through])
        reaches[state] |= reaches[through];
  for (unsigned state = 0; state < count; ++state) {
    if (isDone[state])
      continue;
    SmallVector<unsigned> together{state};
    for (unsigned other = state + 1; other < count; ++other)
      if (reaches[state][other] && reaches[other][state])
        together.push_back(other);
    for (unsigned member : together)
      isDone.set(member);
    if (together.size() == 1)
      classify(state);
    else
      classifyCoupled(together);
  }
  return std::move(found);
}

//===----------------------------------------------------------------------===//
// One state
//===----------------------------------------------------------------------===//

/// The present value of another state at some steps, else what it was.
bool TransitionFinder::classifyHold(unsigned state) {
  auto select = after[state].getDefiningOp<arith::SelectOp>();
  if (!select || select.getFalseValue() != before[state])
    return false;
  Value condition = select.getCondition();
  if (auto splat = condition.getDefiningOp<attn::SplatOp>())
    condition = splat.getValue();
  if (isa<RankedTensorType>(condition.getType()))
    return false;
  for (Value source : getSources(condition))
    if (llvm::is_contained(before, source))
      return false;
  for (auto [number, other] : llvm::enumerate(before)) {
    if (other != select.getTrueValue() || number == state)
      continue;
    found[state].transition =
        TransitionAttr::get(other.getContext(), TransitionKind::Hold, 0, 0, 0,
                            false, {static_cast<int64_t>(number)});
    found[state].values = {condition};
    return true;
  }
  return false;
}

/// Terms that read, or that write, in the same way are one.
void TransitionFinder::mergeTerms(SmallVectorImpl<LowRankTerm> &terms,
                                  CoefficientBuilder &coefficients) {
  for (unsigned a = 0; a < terms.size(); ++a)
    for (unsigned b = a + 1; b < terms.size();) {
      bool sameRight = isSameUpToSign(terms[a].right, terms[b].right);
      if (!sameRight && !isSameUpToSign(terms[a].left, terms[b].left)) {
        ++b;
        continue;
      }
      Value &sum = sameRight ? terms[a].left : terms[a].right;
      Value other = sameRight ? terms[b].left : terms[b].right;
      bool isOpposite =
          sameRight ? isNegated(terms[a].right) != isNegated(terms[b].right)
                    : isNegated(terms[a].left) != isNegated(terms[b].left);
      sum = coefficients.add(sum,
                             isOpposite ? coefficients.negate(other) : other);
      terms.erase(terms.begin() + b);
    }
}

int64_t TransitionFinder::addWrite(const AffineForm &form, Type state,
                                   CoefficientBuilder &coefficients,
                                   SmallVectorImpl<Value> &values) {
  if (!form.rest) {
    for (const OuterTerm &term : form.outers)
      values.append({term.lhs, term.rhs});
    return static_cast<int64_t>(form.outers.size());
  }
  Value whole = form.rest;
  for (const OuterTerm &term : form.outers)
    whole = coefficients.add(whole, coefficients.outer(term.lhs, term.rhs));
  values.push_back(whole);
  return -1;
}

void TransitionFinder::classify(unsigned state) {
  AffineInterpreter interpreter(block, before[state], held);
  CoefficientBuilder &coefficients = interpreter.getCoefficients();
  std::optional<AffineForm> form = interpreter.getForm(after[state]);
  if (!form) {
    if (!classifyMaximum(state))
      setNonlinear(state, interpreter.getReason());
    return;
  }
  Type type = before[state].getType();
  auto tensor = dyn_cast<RankedTensorType>(type);
  mergeTerms(form->lowRank, coefficients);
  int64_t axis = form->lowRank.empty() ? 0 : form->lowRank.front().axis;
  for (const LowRankTerm &term : form->lowRank)
    if (term.axis != axis)
      return setNonlinear(state, "corrections along both axes of the state");

  SmallVector<Value> values;
  TransitionKind kind = TransitionKind::Reset;
  int64_t ownAxis = axis;
  if (!form->diagonal.empty()) {
    SmallVector<Coefficient> factors;
    for (const DiagonalTerm &term : form->diagonal)
      factors.push_back(term.factor);
    Coefficient factor = coefficients.sum(factors, type);
    bool hasRank = !form->lowRank.empty();
    int64_t channel = factor.along[1] ? 1 : 0;
    if (factor.isOne()) {
      kind = TransitionKind::Identity;
    } else if (CoefficientBuilder::isNumber(factor)) {
      kind = TransitionKind::Scalar;
      values.push_back(coefficients.getNumber(factor));
    } else if (CoefficientBuilder::isRow(factor, channel)) {
      if (hasRank && channel != axis)
        return setNonlinear(state, "decay and correction along different axes "
                                   "of the state");
      kind = TransitionKind::Channel;
      ownAxis = channel;
      values.push_back(
          coefficients.getRow(factor, channel, tensor.getDimSize(channel)));
    } else {
      if (hasRank)
        return setNonlinear(state, "a correction beside a factor for each "
                                   "element of the state");
      kind = TransitionKind::Element;
      ownAxis = 0;
      values.push_back(coefficients.getWhole(factor, type));
    }
  }
  bool isSteady = !values.empty() && !changesWithStep(values);
  auto rank = static_cast<int64_t>(form->lowRank.size());
  for (const LowRankTerm &term : form->lowRank)
    values.append({term.left, term.right});
  int64_t writes = addWrite(*form, type, coefficients, values);
  found[state].transition = TransitionAttr::get(
      type.getContext(), kind, ownAxis, rank, writes, isSteady, {});
  found[state].values = std::move(values);
}

/// max(S + d, w): affine where sums are maxima and products sums.
bool TransitionFinder::classifyMaximum(unsigned state) {
  AffineInterpreter interpreter(block, before[state], held);
  CoefficientBuilder &coefficients = interpreter.getCoefficients();
  Type type = before[state].getType();
  OpBuilder builder(block.getTerminator());
  Value decay, write;
  SmallVector<Value> pending{after[state]};
  while (!pending.empty()) {
    Value next = pending.pop_back_val();
    if (!interpreter.dependsOnStates(next)) {
      write =
          write ? arith::MaximumFOp::create(builder, next.getLoc(), write, next)
                : next;
      continue;
    }
    if (auto maximum = next.getDefiningOp<arith::MaximumFOp>()) {
      pending.append({maximum.getLhs(), maximum.getRhs()});
      continue;
    }
    std::optional<AffineForm> form = interpreter.getForm(next);
    bool isShift = form && form->diagonal.size() == 1 &&
                   form->diagonal.front().factor.isOne() &&
                   form->lowRank.empty() && form->functionals.empty() &&
                   form->outers.empty();
    if (!isShift || decay)
      return false;
    decay = form->rest ? form->rest : coefficients.constant(0, type);
  }
  if (!decay)
    return false;
  if (!write)
    write =
        coefficients.constant(-std::numeric_limits<double>::infinity(), type);
  found[state].transition =
      TransitionAttr::get(type.getContext(), TransitionKind::MaxPlus, 0, 0, -1,
                          !changesWithStep(decay), {});
  found[state].values = {decay, write};
  return true;
}

//===----------------------------------------------------------------------===//
// Several states
//===----------------------------------------------------------------------===//

void TransitionFinder::classifyCoupled(ArrayRef<unsigned> states) {
  Type type = before[states.front()].getType();
  SmallVector<Value> own;
  for (unsigned state : states)
    own.push_back(before[state]);
  auto reject = [&](const std::string &reason) {
    for (unsigned state : states)
      setNonlinear(state, reason);
  };
  AffineInterpreter interpreter(block, own, held);
  CoefficientBuilder &coefficients = interpreter.getCoefficients();
  SmallVector<StateTransition> transitions;
  for (unsigned state : states) {
    if (before[state].getType() != type)
      return reject("states of different shapes that need one another");
    std::optional<AffineForm> form = interpreter.getForm(after[state]);
    if (!form)
      return reject(interpreter.getReason());
    if (!form->lowRank.empty())
      return reject("corrections of states that need one another");
    StateTransition &transition = transitions.emplace_back();
    auto getFactor = [&](unsigned of) -> Value {
      SmallVector<Coefficient> factors;
      for (const DiagonalTerm &term : form->diagonal)
        if (states[term.state] == of)
          factors.push_back(term.factor);
      if (factors.empty())
        return nullptr;
      return coefficients.getWhole(coefficients.sum(factors, type), type);
    };
    Value self = getFactor(state);
    transition.values.push_back(self ? self : coefficients.constant(0, type));
    SmallVector<int64_t> partners;
    for (unsigned other : states)
      if (Value factor = other == state ? Value() : getFactor(other)) {
        partners.push_back(other);
        transition.values.push_back(factor);
      }
    bool isSteady = !changesWithStep(transition.values);
    int64_t writes = addWrite(*form, type, coefficients, transition.values);
    // A member that needs no other directly is an ordinary one.
    transition.transition =
        TransitionAttr::get(type.getContext(),
                            partners.empty() ? (isa<RankedTensorType>(type)
                                                    ? TransitionKind::Element
                                                    : TransitionKind::Scalar)
                                             : TransitionKind::Coupled,
                            0, 0, writes, isSteady, partners);
  }
  for (auto [state, transition] : llvm::zip(states, transitions))
    found[state] = std::move(transition);
  if (states.size() == 2 && isRotation(states[0], states[1]))
    for (unsigned state : states) {
      TransitionAttr own = found[state].transition;
      found[state].transition = TransitionAttr::get(
          type.getContext(), TransitionKind::Rotation, 0, 0, own.getWrites(),
          own.getSteady(), own.getPartners());
    }
}

/// Equal factors of themselves, opposite factors of each other.
bool TransitionFinder::isRotation(unsigned a, unsigned b) {
  for (unsigned state : {a, b})
    if (found[state].transition.getPartners().size() != 1)
      return false;
  Value ofB = found[a].values[1], ofA = found[b].values[1];
  return isSameValue(found[a].values[0], found[b].values[0]) &&
         isSameUpToSign(ofA, ofB) && isNegated(ofA) != isNegated(ofB);
}

SmallVector<StateTransition> findTransitions(Block &block, ValueRange before,
                                             ValueRange after,
                                             ValueRange changing) {
  return TransitionFinder(block, before, after, changing).run();
}

} // namespace rapt::analysis
