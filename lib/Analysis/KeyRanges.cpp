// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A mask as a set of keys: ranges and residues joined by `and` and `or`. Of a
// condition on one key only its own set is asked for, so that a conjunction may
// say of more keys than there are that they are kept; never of fewer.

#include "lib/Analysis/KeyRanges.h"
#include "lib/Analysis/MaskInterpreter.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace rapt::analysis {

/// Larger than any key, and far enough from the end of i64 for sums with keys.
static constexpr int64_t kNoKey = int64_t(1) << 62;
/// Sets of one mask, so that the plan stays small.
static constexpr unsigned kMostSets = 24;

struct MaskInterpreter::KeySet {
  enum Kind {
    Range,    ///< low <= key <= high, either may be null
    Residues, ///< (key + shift) mod modulus <= length; `falls`: shift - key
    Uniform,  ///< all keys if `holds`, else none
    All,      ///< of all parts
    Any       ///< of any part
  };
  Kind kind = All;
  Value low, high;
  Value shift, modulus, length;
  bool falls = false;
  Value holds;
  std::vector<KeySet> parts;
  /// Of a comparison: the key of the form that it bounds, and between what.
  std::optional<unsigned> form;
  Value least, most;
};

struct MaskInterpreter::KeySides {
  KeySet kept, dropped;
};

bool MaskInterpreter::dependsOn(Value value, Value argument) {
  if (value == argument)
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || given.contains(value))
    return false;
  auto [entry, isNew] = dependences.try_emplace(value, false);
  if (!isNew)
    return entry->second;
  bool result = llvm::any_of(op->getOperands(), [&](Value operand) {
    return dependsOn(operand, argument);
  });
  return dependences[value] = result;
}

std::optional<MaskInterpreter::KeySet>
MaskInterpreter::joinKeys(bool isAll, ArrayRef<std::optional<KeySet>> parts) {
  KeySet result;
  result.kind = isAll ? KeySet::All : KeySet::Any;
  for (const std::optional<KeySet> &part : parts) {
    if (!part)
      return std::nullopt;
    if (part->kind == result.kind && !part->form)
      llvm::append_range(result.parts, part->parts);
    else
      result.parts.push_back(*part);
  }
  return result;
}

/// Adds to conditions that must all hold that none of the forms that they bound
/// is bounded by nothing: with no query, then, and not only with no key.
void MaskInterpreter::compareBounds(KeySet &set) {
  for (KeySet &part : set.parts)
    compareBounds(part);
  if (set.kind != KeySet::All)
    return;
  llvm::MapVector<unsigned, Bounds> forms;
  for (const KeySet &part : set.parts) {
    if (!part.form)
      continue;
    Bounds &known = forms[*part.form];
    if (part.least)
      known.low = known.low ? maximum(known.low, part.least) : part.least;
    if (part.most)
      known.high = known.high ? minimum(known.high, part.most) : part.most;
  }
  for (auto [number, known] : forms) {
    if (!known.isKnown())
      continue;
    KeySet holds;
    holds.kind = KeySet::Uniform;
    holds.holds = compare(Predicate::sle, known.low, known.high);
    set.parts.push_back(holds);
  }
}

/// The keys for which a boolean may be `wanted` with some query.
std::optional<MaskInterpreter::KeySet>
MaskInterpreter::findKeys(Value value, bool wanted, Value key) {
  Operation *op = value.getDefiningOp();
  if (!dependsOn(value, key)) {
    KeySet result;
    result.kind = KeySet::Uniform;
    result.holds = mayBe(value, wanted);
    return result;
  }
  if (!op || given.contains(value) || ++keySets > kMostSets)
    return std::nullopt;
  auto find = [&](unsigned n, bool wanted) {
    return findKeys(op->getOperand(n), wanted, key);
  };
  if (isa<arith::AndIOp, arith::OrIOp>(op))
    return joinKeys(isa<arith::AndIOp>(op) == wanted,
                    {find(0, wanted), find(1, wanted)});
  if (isa<arith::XOrIOp>(op) && matchPattern(op->getOperand(1), m_One()))
    return find(0, !wanted);
  if (isa<arith::SelectOp>(op))
    return joinKeys(false, {joinKeys(true, {find(0, true), find(1, wanted)}),
                            joinKeys(true, {find(0, false), find(2, wanted)})});
  auto compare = dyn_cast<arith::CmpIOp>(op);
  if (!compare || compare.getLhs().getType().isInteger(1))
    return std::nullopt;
  // Copies: asking for one form may move the others.
  LinearForm left = forms.get(compare.getLhs());
  LinearForm right = forms.get(compare.getRhs());
  std::optional<LinearForm> difference = forms.subtract(left, right);
  if (!difference)
    return std::nullopt;
  // Where what is added is a multiple, equal numbers may be none at all.
  bool isDense = llvm::all_of(difference->terms, [](const auto &term) {
    return std::abs(term.second) == 1;
  });
  auto within = [&](std::optional<int64_t> low,
                    std::optional<int64_t> high) -> std::optional<KeySet> {
    if (low && high && !isDense)
      return std::nullopt;
    ++keyCondition;
    Value least = low ? constant(*low) : Value();
    Value most = high ? constant(*high) : Value();
    std::optional<KeySet> found = findKeys(*difference, least, most, key);
    if (!found || !isDense || difference->terms.empty())
      return found;
    FormKey form = forms.getKey(*difference);
    least = least ? subtract(least, difference->exact) : Value();
    most = most ? subtract(most, difference->exact) : Value();
    if (form.scale < 0) {
      auto negative = [&](Value value) {
        return value ? subtract(constant(int64_t(0)), value) : value;
      };
      std::tie(least, most) = std::pair(negative(most), negative(least));
    }
    found->form = form.number;
    found->least = least;
    found->most = most;
    return found;
  };
  switch (wanted ? compare.getPredicate() : negate(compare.getPredicate())) {
  case Predicate::slt:
    return within(std::nullopt, -1);
  case Predicate::sle:
    return within(std::nullopt, 0);
  case Predicate::sgt:
    return within(1, std::nullopt);
  case Predicate::sge:
    return within(0, std::nullopt);
  case Predicate::eq:
    return within(0, 0);
  case Predicate::ne:
    return joinKeys(false, {within(std::nullopt, -1), within(1, std::nullopt)});
  default:
    return std::nullopt;
  }
}

/// The part of a form that does not depend on the key, and the only term that
/// does; nothing if there are several.
std::optional<MaskInterpreter::KeyTerm>
MaskInterpreter::splitForm(const LinearForm &form, Value key) {
  if (!form.isSmall())
    return std::nullopt;
  KeyTerm result;
  LinearForm rest;
  rest.exact = form.exact;
  rest.magnitude = form.magnitude;
  for (auto [number, coefficient] : form.terms) {
    Value atom = forms.getAtom(number);
    if (!dependsOn(atom, key)) {
      rest.terms.push_back({number, coefficient});
      conditionsOfAtoms[number].insert(keyCondition);
    } else if (result.atom) {
      return std::nullopt;
    } else {
      result.atom = atom;
      result.coefficient = coefficient;
    }
  }
  result.rest = sum(scopes.front().get(), rest);
  if (!result.rest.isKnown())
    return std::nullopt;
  return result;
}

/// The keys for which low <= form <= high, either may be null, for some query.
std::optional<MaskInterpreter::KeySet>
MaskInterpreter::findKeys(const LinearForm &form, Value low, Value high,
                          Value key) {
  std::optional<KeyTerm> split = splitForm(form, key);
  if (!split)
    return std::nullopt;
  auto [atom, coefficient, rest] = *split;
  if (!atom) {
    KeySet result;
    result.kind = KeySet::Uniform;
    result.holds = constant(true);
    if (low)
      result.holds = compare(Predicate::sge, rest.high, low);
    if (high)
      result.holds =
          both(result.holds, compare(Predicate::sle, rest.low, high));
    return result;
  }
  if (low)
    low = subtract(low, rest.high);
  if (high)
    high = subtract(high, rest.low);
  if (coefficient < 0) {
    auto negative = [&](Value value) {
      return value ? subtract(constant(int64_t(0)), value) : value;
    };
    std::tie(low, high) = std::pair(negative(high), negative(low));
    coefficient = -coefficient;
  }
  if (coefficient > 1) {
    Value size = constant(coefficient);
    if (low) // rounded up
      low = floorDivide(add(low, constant(coefficient - 1)), size);
    if (high)
      high = floorDivide(high, size);
  }
  return findKeysOfAtom(atom, low, high, key);
}

/// The same for a value that depends on the key and is no sum.
std::optional<MaskInterpreter::KeySet>
MaskInterpreter::findKeysOfAtom(Value atom, Value low, Value high, Value key) {
  if (++keySets > kMostSets)
    return std::nullopt;
  if (atom == key) {
    KeySet result;
    result.kind = KeySet::Range;
    result.low = low;
    result.high = high;
    return result;
  }
  Operation *op = atom.getDefiningOp();
  auto find = [&](unsigned n, Value least, Value largest) {
    return findKeys(LinearForm(forms.get(op->getOperand(n))), least, largest,
                    key);
  };
  Value zero = constant(int64_t(0)), one = constant(int64_t(1));
  if (isa<math::AbsIOp>(op)) {
    SmallVector<std::optional<KeySet>> parts;
    if (high)
      parts.push_back(find(0, subtract(zero, high), high));
    if (low)
      parts.push_back(joinKeys(false, {find(0, low, Value()),
                                       find(0, Value(), subtract(zero, low))}));
    return joinKeys(true, parts);
  }
  if (isa<arith::MinSIOp, arith::MaxSIOp>(op)) {
    // One bound holds for both operands, the other for either.
    SmallVector<std::optional<KeySet>> parts;
    bool isMinimum = isa<arith::MinSIOp>(op);
    if (low)
      parts.push_back(
          joinKeys(isMinimum, {find(0, low, Value()), find(1, low, Value())}));
    if (high)
      parts.push_back(joinKeys(
          !isMinimum, {find(0, Value(), high), find(1, Value(), high)}));
    return joinKeys(true, parts);
  }
  // Of 32 bits, so that no product and no sum with a divisor overflows.
  if (!isa<attn::FloorDivOp, attn::ModOp>(op) || !atom.getType().isInteger(32))
    return std::nullopt;
  Value divisor = getExact(op->getOperand(1));
  if (!divisor)
    return std::nullopt;
  divisor = maximum(divisor, one);
  if (isa<attn::FloorDivOp>(op)) {
    // Not farther than one beyond what the quotient is, so that products fit.
    Bounds all = get(scopes.front().get(), atom);
    if (!all.isKnown())
      return std::nullopt;
    if (low)
      low = fold<arith::MulIOp>(
          maximum(minimum(low, add(all.high, one)), all.low), divisor);
    if (high)
      high = add(fold<arith::MulIOp>(
                     maximum(minimum(high, all.high), subtract(all.low, one)),
                     divisor),
                 subtract(divisor, one));
    return find(0, low, high);
  }
  // With t = shift + key, some query has (t + d) mod m in [low, high] for a d
  // of 0 to `spread` if (t + spread - low) mod m is at most the length of that
  // range and the spread together.
  std::optional<KeyTerm> split =
      splitForm(LinearForm(forms.get(op->getOperand(0))), key);
  if (!split || split->atom != key || std::abs(split->coefficient) != 1)
    return std::nullopt;
  Value last = subtract(divisor, one);
  low = low ? maximum(low, zero) : zero;
  high = high ? minimum(high, last) : last;
  Value spread = subtract(split->rest.high, split->rest.low);
  KeySet residues;
  residues.kind = KeySet::Residues;
  residueConditions.insert(keyCondition);
  residues.falls = split->coefficient < 0;
  residues.shift = subtract(split->rest.high, low);
  residues.modulus = divisor;
  residues.length = add(subtract(high, low), spread);
  // A range of nothing is nothing however far apart the queries are.
  KeySet isRange;
  isRange.kind = KeySet::Uniform;
  isRange.holds = compare(Predicate::sle, low, high);
  return joinKeys(true, {residues, isRange});
}

//===----------------------------------------------------------------------===//
// Asking
//===----------------------------------------------------------------------===//

/// The least key of a set that is not below `key`, or one below that.
Value MaskInterpreter::emitNextKey(const KeySet &set, Value key) {
  Value none = constant(kNoKey), zero = constant(int64_t(0));
  switch (set.kind) {
  case KeySet::Range: {
    Value next = set.low ? maximum(key, set.low) : key;
    if (!set.high)
      return next;
    return select(compare(Predicate::sgt, next, set.high), none, next);
  }
  case KeySet::Residues: {
    Value place = set.falls ? subtract(set.shift, key) : add(set.shift, key);
    Value rest = modulo(place, set.modulus);
    Value isInside = compare(Predicate::sle, rest, set.length);
    Value way =
        set.falls ? subtract(rest, set.length) : subtract(set.modulus, rest);
    return add(key, select(isInside, zero, way));
  }
  case KeySet::Uniform:
    return select(set.holds, key, none);
  case KeySet::All: {
    for (const KeySet &part : set.parts)
      key = emitNextKey(part, key);
    return key;
  }
  case KeySet::Any: {
    Value next = none;
    for (const KeySet &part : set.parts)
      next = minimum(next, emitNextKey(part, key));
    return next;
  }
  }
}

/// The least key outside a set that is not below `key`; of parts of which any
/// is enough, outside the one that lasts longest.
Value MaskInterpreter::emitEndOfKeys(const KeySet &set, Value key) {
  Value none = constant(kNoKey), one = constant(int64_t(1));
  switch (set.kind) {
  case KeySet::Range: {
    Value end = set.high ? maximum(add(set.high, one), key) : none;
    if (!set.low)
      return end;
    return select(compare(Predicate::slt, key, set.low), key, end);
  }
  case KeySet::Residues: {
    Value place = set.falls ? subtract(set.shift, key) : add(set.shift, key);
    Value rest = modulo(place, set.modulus);
    Value isInside = compare(Predicate::sle, rest, set.length);
    Value way = set.falls ? rest : subtract(set.length, rest);
    Value end = add(key, add(way, one));
    Value isAlways = compare(Predicate::sge, add(set.length, one), set.modulus);
    return select(isInside, select(isAlways, none, end), key);
  }
  case KeySet::Uniform:
    return select(set.holds, none, key);
  case KeySet::All:
  case KeySet::Any: {
    Value end;
    for (const KeySet &part : set.parts) {
      Value other = emitEndOfKeys(part, key);
      if (!end)
        end = other;
      else
        end =
            set.kind == KeySet::All ? minimum(end, other) : maximum(end, other);
    }
    if (!end)
      end = set.kind == KeySet::All ? none : key;
    return end;
  }
  }
}

/// Whether a condition on a residue shares what it asks of the query with
/// another one: both may hold for a key, but for none with the same query, and
/// the classes of rectangles know that better.
bool MaskInterpreter::haveResiduesCompany() {
  return llvm::any_of(conditionsOfAtoms, [&](const auto &entry) {
    return entry.second.size() > 1 &&
           llvm::any_of(entry.second, [&](unsigned condition) {
             return residueConditions.contains(condition);
           });
  });
}

/// The keys that a value keeps and those that it drops.
std::optional<MaskInterpreter::KeySides>
MaskInterpreter::findSides(Value value, Value argument) {
  std::optional<KeySet> kept = findKeys(value, true, argument), dropped;
  if (kept && !haveResiduesCompany())
    dropped = findKeys(value, false, argument);
  if (!dropped)
    return std::nullopt;
  compareBounds(*kept);
  compareBounds(*dropped);
  return KeySides{std::move(*kept), std::move(*dropped)};
}

KeyRange MaskInterpreter::askKeys(const KeySet &set, Value key) {
  return {emitNextKey(set, key), emitEndOfKeys(set, key)};
}

std::optional<MaskKeys> MaskInterpreter::emitKeys(Value value, Value argument,
                                                  Value key) {
  std::optional<KeySides> sides = findSides(value, argument);
  if (!sides)
    return std::nullopt;
  return MaskKeys{askKeys(sides->kept, key), askKeys(sides->dropped, key)};
}

std::optional<MaskKeys> MaskInterpreter::emitKeysBeyond(MaskInterpreter &other,
                                                        Value value,
                                                        Value argument,
                                                        Value key) {
  std::optional<KeySides> own = findSides(value, argument);
  std::optional<KeySides> known = other.findSides(value, argument);
  if (!own || !known)
    return std::nullopt;
  KeySet kept, dropped;
  kept.kind = KeySet::All;
  kept.parts = {own->kept, known->dropped};
  dropped.kind = KeySet::Any;
  dropped.parts = {own->dropped, known->kept};
  return MaskKeys{askKeys(kept, key), askKeys(dropped, key)};
}

std::optional<MaskKeys> emitMaskKeys(OpBuilder &builder, Location location,
                                     Region &mask,
                                     llvm::DenseMap<Value, Bounds> bounds,
                                     ReadRange readRange,
                                     EvaluateShape evaluateShape, Value key) {
  MaskInterpreter interpreter(builder, location, std::move(bounds), readRange,
                              evaluateShape);
  interpreter.linkPositions(mask.getArgument(2), mask.getArgument(3));
  Value yield = cast<attn::YieldOp>(mask.front().back()).getValue();
  return interpreter.emitKeys(yield, mask.getArgument(4), key);
}

std::optional<MaskKeys>
emitMaskKeysBeyond(OpBuilder &builder, Location location, Region &mask,
                   llvm::DenseMap<Value, Bounds> bounds,
                   llvm::DenseMap<Value, Bounds> without, ReadRange readRange,
                   EvaluateShape evaluateShape, Value key) {
  MaskInterpreter own(builder, location, std::move(bounds), readRange,
                      evaluateShape);
  MaskInterpreter other(builder, location, std::move(without), readRange,
                        evaluateShape);
  for (MaskInterpreter *one : {&own, &other})
    one->linkPositions(mask.getArgument(2), mask.getArgument(3));
  Value yield = cast<attn::YieldOp>(mask.front().back()).getValue();
  return own.emitKeysBeyond(other, yield, mask.getArgument(4), key);
}

} // namespace rapt::analysis
