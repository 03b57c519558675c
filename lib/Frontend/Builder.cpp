// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Leaves, conversions and arithmetic. Folding is in Fold.cpp.

#include "lib/Frontend/Builder.h"
#include "lib/Frontend/SymbolIndex.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

namespace rapt::frontend {

/// More than any mechanism needs; what grows beyond is a mistake or an attack,
/// and everything after this walks the graph recursively.
static constexpr unsigned maxDepth = 1500, maxNodes = 50000;

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

void Builder::bind(SourceRange place, const Node *value) {
  if (index)
    index->bind(place, value);
}

Node *Builder::poison() {
  return isSettling ? deferred(Scalar::Real, {}, {}) : graph.intern({});
}

Node *Builder::error(SourceRange range, const llvm::Twine &message) {
  diags.error(range, message);
  return poison();
}

Node *Builder::notCompiled(SourceRange range, const llvm::Twine &what) {
  if (std::exchange(saidNotCompiled, true))
    return poison();
  return error(range, "not compiled yet: " + what);
}

Node *Builder::make(Node node, SourceRange range) {
  for (Node *operand : node.operands)
    if (operand && operand->isPoison())
      return poison();
  node.place = range;
  if (graph.size() >= maxNodes) {
    if (!std::exchange(isTooLarge, true))
      error(range, "the definition has more than " + llvm::Twine(maxNodes) +
                       " operations");
    return poison();
  }
  Node *result = graph.intern(std::move(node));
  if (auto [a, b] = result->conflict; a) {
    bool isQuery = a->variesOver(VariesQuery) && b->variesOver(VariesQuery) &&
                   a->queryAxis != b->queryAxis;
    auto describe = [&](Node *part) {
      return describeAxis(isQuery ? part->queryAxis : part->keyAxis, isQuery);
    };
    diags
        .error(range, "expected what varies over one axis of " +
                          std::string(isQuery ? "queries" : "keys") +
                          ", found " + describe(a) + " and " + describe(b))
        .note(a->place.end ? a->place : range,
              "this varies over " + describe(a))
        .note(b->place.end ? b->place : range,
              "this varies over " + describe(b));
    return poison();
  }
  if (result->depth > maxDepth) {
    if (!std::exchange(isTooLarge, true))
      error(range, "expression is more than " + llvm::Twine(maxDepth) +
                       " operations deep");
    return poison();
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Leaves
//===----------------------------------------------------------------------===//

Node *Builder::boolean(bool value) {
  Node node;
  node.op = Op::Boolean;
  node.scalar = Scalar::Boolean;
  node.integer = value;
  return graph.intern(std::move(node));
}

Node *Builder::integer(int64_t value) {
  Node node;
  node.op = Op::Integer;
  node.scalar = Scalar::Integer;
  node.integer = value;
  node.range = Interval::of(value);
  return graph.intern(std::move(node));
}

Node *Builder::real(double value) {
  Node node;
  node.op = Op::Real;
  node.scalar = Scalar::Real;
  node.real = value;
  return graph.intern(std::move(node));
}

Node *Builder::realRow(std::vector<double> values, Feature feature) {
  Node node;
  node.op = Op::RealRow;
  node.scalar = Scalar::Real;
  feature.extent = values.size();
  node.features.push_back(std::move(feature));
  node.row = std::move(values);
  return graph.intern(std::move(node));
}

Node *Builder::place(Op op, const SequenceAxis *sequence) {
  Node node;
  node.op = op;
  node.sequence = sequence;
  node.scalar = Scalar::Integer;
  node.range = {0, maxLength - 1};
  // The last query stands at the last key, so the first queries of a sequence
  // with fewer keys stand before key 0.
  if (op == Op::QueryPosition)
    node.range.low = 1 - maxLength;
  return graph.intern(std::move(node));
}

Node *Builder::share(llvm::StringRef axis) {
  Node node;
  node.op = Op::Share;
  node.scalar = Scalar::Integer;
  node.name = axis.str();
  node.range = {0, maxLength - 1};
  return graph.intern(std::move(node));
}

Node *Builder::extent(Op op, llvm::StringRef axis) {
  Node node;
  node.op = op;
  node.scalar = Scalar::Integer;
  node.name = axis.str();
  node.range = {1, maxLength};
  return graph.intern(std::move(node));
}

Node *Builder::axisLength(const SequenceAxis *axis, SourceRange range) {
  if (!axis || axis->kind == SequenceAxis::Kind::Values)
    return extent(Op::Length, "keys");
  if (axis->kind == SequenceAxis::Kind::Features)
    return axis->extent < 0 ? extent(Op::UnknownExtent, axis->name)
                            : integer(axis->extent);
  // Windows begin at multiples of the stride.
  Operand base{axisLength(axis->base, range), range};
  Operand more{integer(axis->stride - 1), range};
  Operand last{arithmetic(Op::Add, base, more), range};
  Operand stride{integer(axis->stride), range};
  return floor({divide(last, stride), range});
}

Node *Builder::roleValue(RoleKind role) {
  Node node;
  node.op = Op::RoleValue;
  node.scalar = role == RoleKind::Mask ? Scalar::Boolean : Scalar::Real;
  node.integer = static_cast<int64_t>(role);
  return graph.intern(std::move(node));
}

Node *Builder::deferred(Scalar scalar, llvm::ArrayRef<Feature> features,
                        llvm::ArrayRef<Node *> operands) {
  Node node;
  node.op = Op::Deferred;
  node.scalar = scalar;
  node.features.assign(features.begin(), features.end());
  node.operands.assign(operands.begin(), operands.end());
  node.range = Interval::ofBits(32);
  return make(std::move(node), {});
}

Node *Builder::getOwnIndex(const InputTensor &input, unsigned dimension) {
  const TensorAxis &axis = input.axes[dimension];
  if (axis.isFeature)
    return nullptr;
  if (axis.sequence)
    return place(axis.sequence->isQuery ? Op::Row : Op::KeyPosition,
                 axis.sequence);
  if (axis.name == "batch")
    return place(Op::Batch);
  if (axis.name == "heads")
    return place(Op::Head);
  if (axis.name == "queries")
    return place(Op::Row);
  if (axis.name == "keys")
    return place(Op::KeyPosition);
  return share(axis.name);
}

Node *Builder::read(const InputTensor &input) {
  using support::ElementType;
  Node node;
  node.op = Op::Read;
  node.input = &input;
  node.place = input.range;
  if (support::isFloat(input.elementType)) {
    node.scalar = Scalar::Real;
  } else if (input.elementType == ElementType::Boolean) {
    node.scalar = Scalar::Boolean;
  } else {
    node.scalar = Scalar::Integer;
    node.range =
        Interval::ofBits(8 * support::getElementSize(input.elementType));
  }
  if (input.interval)
    node.range = *input.interval;
  if (input.isSet)
    node.scalar = Scalar::Set;
  for (unsigned d = 0; d < input.rank(); ++d) {
    const TensorAxis &axis = input.axes[d];
    node.operands.push_back(getOwnIndex(input, d));
    if (axis.isFeature && !(input.isSet && d + 1 == input.rank()))
      // A number is not a name: such an axis is matched by its extent.
      node.features.push_back(
          {llvm::isDigit(axis.name.front()) ? std::string() : axis.name,
           axis.extent.value_or(-1)});
  }
  return graph.intern(std::move(node));
}

//===----------------------------------------------------------------------===//
// Expectations
//===----------------------------------------------------------------------===//

bool Builder::expectNumber(Operand a) {
  if (a.node->isPoison())
    return false;
  bool isSet = a.node->scalar == Scalar::Set;
  if (a.node->scalar != Scalar::Boolean && !isSet)
    return true;
  error(a.range, "expected a number, found " + describe(*a.node) +
                     (isSet ? "; 'x in set' asks it" : ""));
  return false;
}

bool Builder::expectBoolean(Operand a) {
  if (a.node->isPoison())
    return false;
  if (a.node->scalar == Scalar::Boolean)
    return true;
  error(a.range,
        "expected a boolean, found " + describe(*a.node) +
            (a.node->scalar == Scalar::Set ? "; 'x in set' asks it" : ""));
  return false;
}

bool Builder::expectScalar(Operand a, const llvm::Twine &what) {
  if (a.node->isPoison())
    return false;
  if (a.node->isScalar())
    return true;
  error(a.range, "expected " + what + ", found " + describe(*a.node));
  return false;
}

bool Builder::expectInteger(Operand a, const llvm::Twine &what) {
  if (!expectScalar(a, what))
    return false;
  if (a.node->scalar == Scalar::Integer)
    return true;
  error(a.range, "expected " + what + ", found " + describe(*a.node));
  return false;
}

bool Builder::expectRow(Operand a) {
  if (a.node->isPoison())
    return false;
  if (a.node->isRow())
    return true;
  error(a.range, "expected a row, found " + describe(*a.node));
  return false;
}

//===----------------------------------------------------------------------===//
// Feature axes
//===----------------------------------------------------------------------===//

bool Builder::matchFeatures(Operand a, Operand b, Feature &common) {
  const Feature &left = a.node->features.front();
  const Feature &right = b.node->features.front();
  bool namesDiffer =
      !left.name.empty() && !right.name.empty() && left.name != right.name;
  bool extentsDiffer =
      left.isKnown() && right.isKnown() && left.extent != right.extent;
  if (namesDiffer || extentsDiffer) {
    bool isRenamed = namesDiffer && !extentsDiffer;
    diags
        .error(b.range, "expected features " + describe(left) + ", found " +
                            describe(right) +
                            (isRenamed ? "; rename them with as(x, " +
                                             left.name + ") if they are equal"
                                       : std::string()))
        .note(a.range, "to match this row of " + describe(left));
    return false;
  }
  common = left.name.empty() ? right : left;
  if (!common.isKnown())
    common.extent = std::max(left.extent, right.extent);
  return true;
}

bool Builder::unify(llvm::ArrayRef<Operand> operands,
                    llvm::SmallVectorImpl<Feature> &features) {
  const Operand *first = nullptr;
  for (const Operand &operand : operands)
    if (operand.node->isPoison())
      return false;
  for (const Operand &operand : operands)
    if (operand.node->features.size() > 2) {
      notCompiled(operand.range, "arithmetic on " + describe(*operand.node));
      return false;
    }
  for (const Operand &operand : operands)
    if (operand.node->isMatrix())
      return unifyMatrices(operand, operands, features);
  for (const Operand &operand : operands) {
    if (operand.node->isScalar())
      continue;
    if (!first) {
      first = &operand;
      features.assign(operand.node->features.begin(),
                      operand.node->features.end());
      continue;
    }
    Feature common;
    if (!matchFeatures(*first, operand, common))
      return false;
    features.front() = common;
  }
  return true;
}

/// A matrix meets matrices axis by axis, and rows along the axis that they
/// name.
bool Builder::unifyMatrices(Operand matrix, llvm::ArrayRef<Operand> operands,
                            llvm::SmallVectorImpl<Feature> &features) {
  features.assign(matrix.node->features.begin(), matrix.node->features.end());
  auto merge = [&](Feature &common, Operand other, const Feature &own) {
    bool differs =
        (!common.name.empty() && !own.name.empty() &&
         common.name != own.name) ||
        (common.isKnown() && own.isKnown() && common.extent != own.extent);
    if (differs) {
      diags
          .error(other.range, "expected features " + describe(common) +
                                  ", found " + describe(own))
          .note(matrix.range, "to match " + describe(*matrix.node));
      return false;
    }
    if (common.name.empty())
      common.name = own.name;
    common.extent = std::max(common.extent, own.extent);
    return true;
  };
  for (const Operand &operand : operands) {
    const Node &node = *operand.node;
    if (node.isMatrix())
      for (auto [common, own] : llvm::zip(features, node.features))
        if (!merge(common, operand, own))
          return false;
  }
  Node all = *matrix.node;
  all.features.assign(features.begin(), features.end());
  for (const Operand &operand : operands) {
    const Node &node = *operand.node;
    if (!node.isRow())
      continue;
    std::optional<unsigned> along = findAlong(all, node.features.front());
    if (!along) {
      diags
          .error(operand.range,
                 "a row of " + describe(node.features.front()) +
                     " does not say along which axis of the matrix it runs; "
                     "name it with as(x, name)")
          .note(matrix.range, "the other operand is " + describe(*matrix.node));
      return false;
    }
    if (!merge(features[*along], operand, node.features.front()))
      return false;
  }
  return true;
}

Node *Builder::elementwise(Op op, Scalar scalar,
                           llvm::ArrayRef<Operand> operands, SourceRange range,
                           Interval interval, bool isQuotient) {
  Node node;
  if (!unify(operands, node.features)) {
    if (!isSettling)
      return poison();
    // Whatever fits, the result has the axes of the largest operand.
    for (const Operand &operand : operands)
      if (operand.node->features.size() >= node.features.size())
        node.features = operand.node->features;
  }
  if (scalar == Scalar::Integer && !interval.fits(64))
    return error(range,
                 "integer may not fit 64 bits, its range is " + interval.str());
  node.op = op;
  node.scalar = scalar;
  node.range = interval;
  node.isQuotient = isQuotient;
  for (const Operand &operand : operands)
    node.operands.push_back(operand.node);
  if (scalar == Scalar::Integer && node.features.empty() && interval.isPoint())
    if (!isQuotient)
      return integer(static_cast<int64_t>(interval.low));
  if (scalar == Scalar::Integer && interval.isPoint() &&
      node.features.empty()) {
    // A constant that remembers to be a quotient.
    node.op = Op::Integer;
    node.operands.clear();
    node.integer = static_cast<int64_t>(interval.low);
  }
  return make(std::move(node), range);
}

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

Node *Builder::toReal(Operand a) {
  if (!expectNumber(a))
    return poison();
  if (a.node->scalar == Scalar::Real)
    return a.node;
  if (a.node->isQuotient)
    return error(a.range, "integer quotient used as a real number; write "
                          "real(a) / b or floor(a / b)");
  if (a.node->op == Op::Integer)
    return real(static_cast<double>(a.node->integer));
  return elementwise(Op::RealFromInteger, Scalar::Real, a, a.range);
}

Node *Builder::floor(Operand a) {
  if (!expectNumber(a))
    return poison();
  if (a.node->scalar == Scalar::Integer) {
    if (!a.node->isQuotient)
      return a.node;
    // The same value; that it was rounded down is what the user asked for.
    Node copy = *a.node;
    copy.isQuotient = false;
    return make(std::move(copy), a.range);
  }
  // What exceeds this is clamped: no real of this size has a fraction. A NaN
  // becomes the least, as it does at run time.
  constexpr int64_t limit = int64_t(1) << 30;
  if (a.node->op == Op::Real && std::isnan(a.node->real))
    return integer(-limit);
  if (a.node->op == Op::Real)
    return integer(static_cast<int64_t>(
        std::clamp<double>(std::floor(a.node->real), -limit, limit)));
  return elementwise(Op::FloorToInteger, Scalar::Integer, a, a.range,
                     {-limit, limit});
}

Node *Builder::toInteger(Operand a) {
  if (!expectBoolean(a))
    return poison();
  return elementwise(Op::IntegerFromBoolean, Scalar::Integer, a, a.range,
                     {0, 1});
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

Node *Builder::arithmetic(Op op, Operand a, Operand b) {
  bool isFine = expectNumber(a);
  if (!expectNumber(b) || !isFine)
    return poison();
  SourceRange range = cover(a.range, b.range);
  if (!areIntegers(a, b)) {
    Operand operands[] = {{toReal(a), a.range}, {toReal(b), b.range}};
    if (Node *folded = foldReal(op, operands, range))
      return folded;
    return elementwise(op, Scalar::Real, operands, range);
  }
  Operand operands[] = {a, b};
  if (Node *folded = foldInteger(op, operands, range))
    return folded;
  Interval x = a.node->range, y = b.node->range;
  bool isSum = op == Op::Add || op == Op::Sub || op == Op::Mul;
  bool isQuotient = isSum && (a.node->isQuotient || b.node->isQuotient);
  Interval interval = op == Op::Add       ? x + y
                      : op == Op::Sub     ? x - y
                      : op == Op::Mul     ? x * y
                      : op == Op::Minimum ? minimum(x, y)
                                          : maximum(x, y);
  return elementwise(op, Scalar::Integer, operands, range, interval,
                     isQuotient);
}

bool Builder::checkDivisor(Operand divisor) {
  if (divisor.node->range.low > 0)
    return true;
  if (divisor.node->op == Op::Integer)
    error(divisor.range, "divisor must be positive, found " +
                             llvm::Twine(divisor.node->integer));
  else
    error(divisor.range,
          "divisor must be positive, its range is " +
              divisor.node->range.str() +
              (divisor.node->range.high > 0 ? "; max(1, x) makes it so" : ""));
  return false;
}

Node *Builder::divide(Operand a, Operand b) {
  bool isFine = expectNumber(a);
  if (!expectNumber(b) || !isFine)
    return poison();
  SourceRange range = cover(a.range, b.range);
  if (!areIntegers(a, b)) {
    Operand operands[] = {{toReal(a), a.range}, {toReal(b), b.range}};
    if (Node *folded = foldReal(Op::Divide, operands, range))
      return folded;
    return elementwise(Op::Divide, Scalar::Real, operands, range);
  }
  if (!checkDivisor(b))
    return poison();
  return elementwise(Op::FloorDivide, Scalar::Integer, {a, b}, range,
                     frontend::divide(a.node->range, b.node->range),
                     /*isQuotient=*/true);
}

Node *Builder::modulo(Operand a, Operand b) {
  for (Operand operand : {a, b}) {
    if (operand.node->isPoison())
      return poison();
    if (operand.node->scalar != Scalar::Integer)
      return error(operand.range, "expected an integer for '%', found " +
                                      describe(*operand.node));
  }
  if (!checkDivisor(b))
    return poison();
  Interval x = a.node->range, y = b.node->range;
  if (x.low >= 0 && x.high < y.low)
    return a.node;
  return elementwise(Op::Modulo, Scalar::Integer, {a, b},
                     cover(a.range, b.range), frontend::modulo(x, y));
}

Node *Builder::negate(Operand a) {
  if (!expectNumber(a))
    return poison();
  if (a.node->op == Op::Negate)
    return a.node->operands.front();
  if (a.node->op == Op::Real)
    return real(-a.node->real);
  return elementwise(Op::Negate, a.node->scalar, a, a.range, -a.node->range,
                     a.node->isQuotient);
}

Node *Builder::absolute(Operand a) {
  if (!expectNumber(a))
    return poison();
  if (a.node->op == Op::Real)
    return real(std::fabs(a.node->real));
  if (a.node->scalar == Scalar::Integer && a.node->range.low >= 0)
    return a.node;
  return elementwise(Op::Absolute, a.node->scalar, a, a.range,
                     frontend::absolute(a.node->range));
}

Node *Builder::realFunction(Op op, Operand a) {
  Operand operand{toReal(a), a.range};
  if (Node *folded = foldReal(op, operand, a.range))
    return folded;
  return elementwise(op, Scalar::Real, operand, a.range);
}

Node *Builder::power(Operand base, Operand exponent, SourceRange range) {
  bool isFine = expectNumber(base);
  if (!expectNumber(exponent) || !isFine)
    return poison();
  // A small constant exponent is a product: exact for integers, and defined
  // for negative bases.
  if (exponent.node->op == Op::Integer && exponent.node->integer >= 0 &&
      exponent.node->integer <= 1024) {
    bool isInteger = base.node->scalar == Scalar::Integer;
    Operand result{isInteger ? integer(1) : real(1), range};
    Operand square{base.node, range};
    for (int64_t rest = exponent.node->integer; rest;) {
      if (rest & 1)
        result.node = arithmetic(Op::Mul, result, square);
      if (rest >>= 1)
        square.node = arithmetic(Op::Mul, square, square);
    }
    // The product of nothing has the features of the base all the same.
    if (exponent.node->integer == 0 && !base.node->isScalar())
      return select({boolean(true), range}, result, base);
    return result.node;
  }
  Operand operands[] = {{toReal(base), base.range},
                        {toReal(exponent), exponent.range}};
  if (Node *folded = foldReal(Op::Power, operands, range))
    return folded;
  return elementwise(Op::Power, Scalar::Real, operands, range);
}

Node *Builder::exclusiveOr(Operand a, Operand b) {
  if (!expectNumber(a) || !expectNumber(b))
    return poison();
  for (Operand operand : {a, b})
    if (operand.node->scalar != Scalar::Integer)
      return error(operand.range,
                   "expected an integer, found " + describe(*operand.node));
  return elementwise(Op::Xor, Scalar::Integer, {a, b}, cover(a.range, b.range),
                     frontend::exclusiveOr(a.node->range, b.node->range));
}

Node *Builder::log2Floor(Operand a) {
  if (!expectNumber(a))
    return poison();
  if (a.node->scalar != Scalar::Integer)
    return error(a.range, "expected an integer, found " + describe(*a.node));
  auto log2 = [](Interval::Int value) {
    int64_t result = -1;
    for (; value > 0; value /= 2)
      ++result;
    return result;
  };
  return elementwise(Op::Log2Floor, Scalar::Integer, a, a.range,
                     {log2(a.node->range.low), log2(a.node->range.high)});
}

} // namespace rapt::frontend
