// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Analysis/SameValue.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace rapt::analysis {

namespace {
/// A product taken apart; any other value is a product of itself.
struct Product {
  explicit Product(Value value) { add(value); }

  SmallVector<Value, 4> factors;
  bool isNegative = false;

private:
  void add(Value value) {
    // A square of squares has no end.
    auto product = value.getDefiningOp<arith::MulFOp>();
    if (product && factors.size() < 32) {
      add(product.getLhs());
      add(product.getRhs());
    } else if (auto negative = value.getDefiningOp<arith::NegFOp>()) {
      isNegative = !isNegative;
      add(negative.getOperand());
    } else {
      factors.push_back(value);
    }
  }
};
} // namespace

/// Values that are no products, of one operation.
static bool isSameOperation(Value a, Value b) {
  if (a == b)
    return true;
  Operation *left = a.getDefiningOp(), *right = b.getDefiningOp();
  if (!left || !right || left->getName() != right->getName() ||
      a.getType() != b.getType() || left->getNumRegions() ||
      left->getNumResults() != 1 ||
      left->getAttrDictionary() != right->getAttrDictionary() ||
      left->getNumOperands() != right->getNumOperands())
    return false;
  return llvm::all_of(
      llvm::zip(left->getOperands(), right->getOperands()), [](auto pair) {
        return isSameValue(std::get<0>(pair), std::get<1>(pair));
      });
}

/// Being the same is transitive, so that each factor may take the first partner
/// it finds.
static bool haveSameFactors(const Product &a, Product b) {
  if (a.factors.size() != b.factors.size())
    return false;
  for (Value factor : a.factors) {
    auto *partner = llvm::find_if(
        b.factors, [&](Value other) { return isSameOperation(factor, other); });
    if (partner == b.factors.end())
      return false;
    b.factors.erase(partner);
  }
  return true;
}

bool isSameValue(Value a, Value b) {
  if (a == b)
    return true;
  if (!a || !b || a.getType() != b.getType())
    return false;
  Product left(a), right(b);
  return left.isNegative == right.isNegative && haveSameFactors(left, right);
}

bool isSameUpToSign(Value a, Value b) {
  if (a == b)
    return true;
  if (!a || !b || a.getType() != b.getType())
    return false;
  return haveSameFactors(Product(a), Product(b));
}

bool isNegated(Value value) { return Product(value).isNegative; }

} // namespace rapt::analysis
