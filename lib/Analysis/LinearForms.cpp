// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Analysis/LinearForms.h"
#include "dialects/Attn/IR/Attn.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <numeric>

using namespace mlir;

namespace rapt::analysis {

/// Longer sums are atoms, so that no form costs more than a few operations.
static constexpr size_t kMostTerms = 6;

std::optional<int64_t> getConstant(Value value) {
  APInt constant;
  if (!matchPattern(value, m_ConstantInt(&constant)) ||
      constant.getBitWidth() > 64)
    return std::nullopt;
  return constant.getSExtValue();
}

Value LinearForms::constant(int64_t value) {
  return arith::ConstantOp::create(builder, location,
                                   builder.getI64IntegerAttr(value));
}

static double getMagnitude(Value atom) {
  auto type = dyn_cast<IntegerType>(atom.getType());
  return type && type.getWidth() <= 32 ? 0x1p31 : 0x1p63;
}

void LinearForms::setOffset(Value argument, Value base, Value offset) {
  LinearForm form = get(base);
  form.exact =
      form.exact
          ? builder.createOrFold<arith::AddIOp>(location, form.exact, offset)
          : offset;
  form.magnitude = getMagnitude(base) + getMagnitude(argument);
  forms[argument] = std::move(form);
}

LinearForm LinearForms::makeAtom(Value value) {
  auto [entry, isNew] = numbers.try_emplace(value, atoms.size());
  if (isNew)
    atoms.push_back(value);
  LinearForm form;
  form.terms.push_back({entry->second, 1});
  form.magnitude = getMagnitude(value);
  return form;
}

std::optional<LinearForm> LinearForms::scale(const LinearForm &form,
                                             int64_t factor) {
  LinearForm result;
  if (factor == 0)
    return result;
  for (auto [atom, coefficient] : form.terms) {
    int64_t product;
    if (llvm::MulOverflow(coefficient, factor, product))
      return std::nullopt;
    result.terms.push_back({atom, product});
  }
  if (form.exact)
    result.exact = builder.createOrFold<arith::MulIOp>(location, form.exact,
                                                       constant(factor));
  result.magnitude = form.magnitude * std::abs(static_cast<double>(factor));
  return result;
}

/// a + factor * b.
std::optional<LinearForm>
LinearForms::add(const LinearForm &a, const LinearForm &b, int64_t factor) {
  std::optional<LinearForm> scaled = scale(b, factor);
  if (!scaled)
    return std::nullopt;
  LinearForm sum;
  sum.magnitude = a.magnitude + scaled->magnitude;
  const auto *x = a.terms.begin();
  const auto *y = scaled->terms.begin();
  while (x != a.terms.end() || y != scaled->terms.end()) {
    bool takesX = y == scaled->terms.end() ||
                  (x != a.terms.end() && x->first <= y->first);
    bool takesY = x == a.terms.end() ||
                  (y != scaled->terms.end() && y->first <= x->first);
    unsigned atom = takesX ? x->first : y->first;
    int64_t coefficient;
    if (llvm::AddOverflow(takesX ? x->second : 0, takesY ? y->second : 0,
                          coefficient))
      return std::nullopt;
    if (coefficient != 0)
      sum.terms.push_back({atom, coefficient});
    x += takesX;
    y += takesY;
  }
  if (sum.terms.size() > kMostTerms)
    return std::nullopt;
  if (a.exact && scaled->exact)
    sum.exact =
        builder.createOrFold<arith::AddIOp>(location, a.exact, scaled->exact);
  else
    sum.exact = a.exact ? a.exact : scaled->exact;
  return sum;
}

std::optional<LinearForm> LinearForms::subtract(const LinearForm &a,
                                                const LinearForm &b) {
  std::optional<LinearForm> difference = add(a, b, -1);
  if (difference && !difference->isSmall())
    return std::nullopt;
  return difference;
}

const LinearForm &LinearForms::get(Value value) {
  auto found = forms.find(value);
  if (found != forms.end())
    return found->second;
  LinearForm form = make(value);
  return forms[value] = std::move(form);
}

LinearForm LinearForms::make(Value value) {
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op)) {
    LinearForm a = get(op->getOperand(0)), b = get(op->getOperand(1));
    if (auto sum = add(a, b, isa<arith::AddIOp>(op) ? 1 : -1))
      return *sum;
  } else if (isa_and_nonnull<arith::MulIOp>(op)) {
    for (unsigned n : {0, 1})
      if (auto factor = getConstant(op->getOperand(1 - n)))
        if (auto product = scale(get(op->getOperand(n)), *factor))
          return *product;
  } else if (isa_and_nonnull<arith::ExtSIOp, arith::TruncIOp>(op) &&
             !op->getOperand(0).getType().isInteger(1)) {
    // Narrowed only where it fits.
    return get(op->getOperand(0));
  }
  if (Value exact = getExact(value)) {
    LinearForm form;
    form.exact = exact;
    form.magnitude = getMagnitude(value);
    if (auto number = getConstant(exact)) {
      form.magnitude = std::abs(static_cast<double>(*number));
      if (*number == 0)
        form.exact = nullptr;
    }
    return form;
  }
  return makeAtom(value);
}

FormKey LinearForms::getKey(const LinearForm &form) {
  int64_t scale = 0;
  for (auto [atom, coefficient] : form.terms)
    scale = std::gcd(scale, coefficient);
  if (form.terms.front().second < 0)
    scale = -scale;
  Terms terms;
  for (auto [atom, coefficient] : form.terms)
    terms.push_back({atom, coefficient / scale});
  auto [entry, isNew] = keys.try_emplace(std::move(terms), keys.size());
  if (isNew)
    singleAtoms.push_back(
        form.terms.size() == 1 ? atoms[form.terms.front().first] : Value());
  return {entry->second, scale};
}

Value LinearForms::getSingleAtom(unsigned key) const {
  return singleAtoms[key];
}

//===----------------------------------------------------------------------===//
// Congruences
//===----------------------------------------------------------------------===//

Congruence LinearForms::getAtomCongruence(Value atom) {
  Operation *op = atom.getDefiningOp();
  if (!isa_and_nonnull<attn::ModOp, attn::FloorDivOp>(op))
    return {};
  std::optional<int64_t> divisor;
  if (Value exact = getExact(op->getOperand(1)))
    divisor = getConstant(exact);
  if (!divisor || *divisor <= 0)
    return {};
  LinearForm operand = get(op->getOperand(0));
  Congruence known = getCongruence(operand);
  if (known.modulus <= 1)
    return {};
  // m n + r modulo d is r modulo gcd(m, d); a multiple of d divides exactly.
  if (isa<attn::ModOp>(op)) {
    int64_t common = std::gcd(known.modulus, *divisor);
    return common > 1 ? Congruence{common, known.residue} : Congruence();
  }
  if (known.modulus % *divisor != 0)
    return {};
  if (known.residue)
    known.residue = builder.createOrFold<arith::FloorDivSIOp>(
        location, known.residue, constant(*divisor));
  return {known.modulus / *divisor, known.residue};
}

Congruence LinearForms::getCongruence(const LinearForm &form) {
  Congruence result{0, form.exact};
  for (auto [number, coefficient] : form.terms) {
    Congruence atom = getAtomCongruence(atoms[number]);
    int64_t modulus;
    if (llvm::MulOverflow(coefficient, atom.modulus, modulus))
      return {};
    result.modulus = std::gcd(result.modulus, modulus);
    if (!atom.residue)
      continue;
    Value residue = builder.createOrFold<arith::MulIOp>(location, atom.residue,
                                                        constant(coefficient));
    result.residue = result.residue ? builder.createOrFold<arith::AddIOp>(
                                          location, result.residue, residue)
                                    : residue;
  }
  return result;
}

} // namespace rapt::analysis
