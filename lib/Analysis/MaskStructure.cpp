// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Analysis/MaskStructure.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace rapt::analysis {
namespace {

class MaskReader {
public:
  explicit MaskReader(attn::AttendOp op)
      : block(op.getMask().front()), captures(op.getCaptures().size()) {}

  Dependence get(Value value) {
    auto [entry, isNew] = known.try_emplace(value);
    if (!isNew)
      return entry->second;
    Dependence found = compute(value);
    return known[value] = found;
  }
  bool isOfQuery(Value value) {
    Dependence d = get(value);
    return d.onQuery && !d.onKey && !d.onPair;
  }
  bool isOfKey(Value value) {
    Dependence d = get(value);
    return d.onKey && !d.onQuery && !d.onPair;
  }
  bool isUniform(Value value) {
    Dependence d = get(value);
    return !d.onKey && !d.onQuery && !d.onPair;
  }

  /// Whether a value that belongs to one side can be other than ascending or
  /// descending in the position.
  bool isScattered(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return false;
    if (isa<attn::ReadOp, attn::ModOp>(op) && !isUniform(value))
      return true;
    return llvm::any_of(op->getOperands(),
                        [&](Value operand) { return isScattered(operand); });
  }

  /// Whether a value is a position, or one divided by or modulo what is the
  /// same everywhere.
  bool isPlain(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return true;
    return isa<attn::FloorDivOp, attn::ModOp>(op) &&
           !op->getOperand(0).getDefiningOp() && isUniform(op->getOperand(1));
  }

  /// The conditions that all must hold.
  void getConjuncts(Value value, SmallVectorImpl<Value> &conjuncts) {
    if (auto both = value.getDefiningOp<arith::AndIOp>()) {
      getConjuncts(both.getLhs(), conjuncts);
      getConjuncts(both.getRhs(), conjuncts);
    } else {
      conjuncts.push_back(value);
    }
  }
  Value getMask() { return cast<attn::YieldOp>(block.back()).getValue(); }

private:
  Dependence compute(Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      unsigned number = argument.getArgNumber();
      unsigned first = block.getNumArguments() - captures;
      bool isDot = number >= attn::AttendOp::kPairPositions && number < first;
      return {number == 2 || number == 3, number == 4, isDot};
    }
    Operation *op = value.getDefiningOp();
    Dependence all;
    bool isNumber = value.getType().isInteger();
    all.onPair = !isNumber || isa<attn::UniformOp>(op);
    for (Value operand : op->getOperands()) {
      Dependence d = get(operand);
      all.onQuery |= d.onQuery;
      all.onKey |= d.onKey;
      all.onPair |= d.onPair;
    }
    return all;
  }

  Block &block;
  unsigned captures;
  llvm::DenseMap<Value, Dependence> known;
};

/// (x of the query) +- (y of the key) mod m == c as an equality of residues.
std::optional<EqualClasses> matchResidues(MaskReader &mask, attn::ModOp mod,
                                          Value other) {
  APInt remainder;
  if (!matchPattern(other, m_ConstantInt(&remainder)) ||
      !mask.isUniform(mod.getRhs()))
    return std::nullopt;
  int64_t c = remainder.getSExtValue();
  Operation *sum = mod.getLhs().getDefiningOp();
  if (!sum || !isa<arith::AddIOp, arith::SubIOp>(sum))
    return std::nullopt;
  int64_t sign = isa<arith::SubIOp>(sum) ? -1 : 1;
  Value x = sum->getOperand(0), y = sum->getOperand(1);
  Value modulus = mod.getRhs();
  // x + sign y = c (mod m)  <=>  x = c - sign y  <=>  sign x = sign c - y.
  if (mask.isOfQuery(x) && mask.isOfKey(y))
    return EqualClasses{{x, 1, 0, modulus}, {y, -sign, c, modulus}, nullptr};
  if (mask.isOfKey(x) && mask.isOfQuery(y))
    return EqualClasses{{y, -sign, c, modulus}, {x, 1, 0, modulus}, nullptr};
  return std::nullopt;
}

} // namespace

std::optional<EqualClasses> findEqualClasses(attn::AttendOp op) {
  if (op.getMask().empty())
    return std::nullopt;
  MaskReader mask(op);
  SmallVector<Value> conjuncts;
  mask.getConjuncts(mask.getMask(), conjuncts);
  for (Value condition : conjuncts) {
    auto equal = condition.getDefiningOp<arith::CmpIOp>();
    if (!equal || equal.getPredicate() != arith::CmpIPredicate::eq)
      continue;
    for (auto [a, b] : {std::pair(equal.getLhs(), equal.getRhs()),
                        std::pair(equal.getRhs(), equal.getLhs())}) {
      if (mask.isOfQuery(a) && mask.isOfKey(b) &&
          (mask.isScattered(a) || mask.isScattered(b)))
        return EqualClasses{{a, 1, 0, nullptr}, {b, 1, 0, nullptr}, condition};
      auto mod = a.getDefiningOp<attn::ModOp>();
      if (auto found = mod ? matchResidues(mask, mod, b) : std::nullopt) {
        found->condition = condition;
        return found;
      }
    }
  }
  return std::nullopt;
}

std::optional<MarkedKeys> findMarkedKeys(attn::AttendOp op) {
  if (op.getMask().empty())
    return std::nullopt;
  MaskReader mask(op);
  SmallVector<Value> conjuncts;
  mask.getConjuncts(mask.getMask(), conjuncts);
  for (Value condition : conjuncts) {
    auto either = condition.getDefiningOp<arith::OrIOp>();
    if (!either)
      continue;
    for (auto [few, marked] : {std::pair(either.getLhs(), either.getRhs()),
                               std::pair(either.getRhs(), either.getLhs())}) {
      Dependence d = mask.get(few);
      // Standing there alone, a mark only adds pairs: those that are kept
      // without it need not be asked about it.
      if (d.onQuery && d.onKey && mask.isOfKey(marked) &&
          mask.isScattered(marked) && marked.hasOneUse() &&
          either.getResult().hasOneUse())
        return MarkedKeys{marked};
    }
  }
  return std::nullopt;
}

/// |query - key| <= radius.
static std::optional<Neighbourhood::Coordinate> matchClose(MaskReader &mask,
                                                           Value condition) {
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return std::nullopt;
  using Predicate = arith::CmpIPredicate;
  Value distance = compare.getLhs(), limit = compare.getRhs();
  Predicate predicate = compare.getPredicate();
  if (predicate == Predicate::sge || predicate == Predicate::sgt) {
    std::swap(distance, limit);
    predicate = predicate == Predicate::sge ? Predicate::sle : Predicate::slt;
  }
  APInt bound;
  auto magnitude = distance.getDefiningOp<math::AbsIOp>();
  if ((predicate != Predicate::sle && predicate != Predicate::slt) ||
      !magnitude || !matchPattern(limit, m_ConstantInt(&bound)))
    return std::nullopt;
  auto difference = magnitude.getOperand().getDefiningOp<arith::SubIOp>();
  if (!difference)
    return std::nullopt;
  int64_t radius = bound.getSExtValue() - (predicate == Predicate::slt);
  for (auto [a, b] : {std::pair(difference.getLhs(), difference.getRhs()),
                      std::pair(difference.getRhs(), difference.getLhs())})
    if (mask.isOfQuery(a) && mask.isOfKey(b))
      return Neighbourhood::Coordinate{a, b, radius};
  return std::nullopt;
}

std::optional<Neighbourhood> findNeighbourhood(attn::AttendOp op) {
  if (op.getMask().empty())
    return std::nullopt;
  MaskReader mask(op);
  SmallVector<Value> conjuncts;
  mask.getConjuncts(mask.getMask(), conjuncts);
  Neighbourhood found;
  bool isScattered = false;
  for (Value condition : conjuncts) {
    auto coordinate = matchClose(mask, condition);
    if (!coordinate)
      continue;
    found.coordinates.push_back(*coordinate);
    found.hasPlainKeys &= mask.isPlain(coordinate->key);
    isScattered |= mask.isScattered(coordinate->key);
  }
  size_t count = found.coordinates.size();
  bool isNear = llvm::all_of(found.coordinates, [](const auto &coordinate) {
    return coordinate.radius <= Neighbourhood::kMostRadius;
  });
  if (count < 2 || count > 3 || !isScattered || !isNear)
    return std::nullopt;
  return found;
}

} // namespace rapt::analysis
