// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Attn/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"

namespace rapt::attn {
#define GEN_PASS_DEF_RECURSEPARABLEWEIGHTS
#include "dialects/Attn/Transforms/Passes.h.inc"
} // namespace rapt::attn

using namespace mlir;
using namespace rapt;
using namespace rapt::attn;

#define DEBUG_TYPE "attn-recur-separable-weights"

namespace {
/// What a value of a pair region varies over, beside batch and head.
enum Sides : unsigned { Neither = 0, Query = 1, Key = 2, Pair = 3 };

/// exponent = query + key, each a value of its side or null for 0.
struct Split {
  Value query, key;
};

/// A product: values of the query, values of the key, at most one product of
/// rows, and the exponential of a sum of both sides.
struct Term {
  SmallVector<Value> query, key;
  int product = -1;
  std::optional<Split> exponent;
};

/// One attend as a scan.
class Separator {
public:
  explicit Separator(AttendOp op) : op(op), builder(op) {}

  bool run();
  std::string reason;

private:
  bool fail(const Twine &why) {
    if (reason.empty())
      reason = why.str();
    return false;
  }
  Sides getSides(Value value);
  bool isCausal();
  bool decompose(Value value, SmallVectorImpl<Term> &terms);
  std::optional<Split> split(Value value);
  bool isLinearInPosition(Value value);
  void emit(ArrayRef<Term> terms);

  Block &getScore() { return op.getScore().front(); }
  Value create(StringRef name, ValueRange operands, Type type);
  /// A constant of the score region.
  Value getNumber(float value) {
    OpBuilder inside = OpBuilder::atBlockBegin(&getScore());
    return arith::ConstantOp::create(inside, op.getLoc(),
                                     inside.getF32FloatAttr(value));
  }

  AttendOp op;
  OpBuilder builder;
  DenseMap<Value, Sides> sides;
};

struct RecurSeparableWeights
    : attn::impl::RecurSeparableWeightsBase<RecurSeparableWeights> {
  void runOnOperation() override {
    SmallVector<AttendOp> attends;
    getOperation()->walk([&](AttendOp op) {
      if (op.getReduction() != Reduction::Softmax)
        attends.push_back(op);
    });
    for (AttendOp op : attends) {
      Separator separator(op);
      Location location = op.getLoc();
      if (separator.run())
        remark::passed(
            location,
            remark::RemarkOpts::name("Separable").category(DEBUG_TYPE))
            << "the weights are a recurrence";
      else
        remark::missed(
            location,
            remark::RemarkOpts::name("NotSeparable").category(DEBUG_TYPE))
            << ("the weights are no recurrence: " + separator.reason);
    }
  }
};
} // namespace

constexpr unsigned kRow = 2, kQuery = 3, kKey = 4;

Sides Separator::getSides(Value value) {
  auto [entry, isNew] = sides.try_emplace(value, Neither);
  if (!isNew)
    return entry->second;
  unsigned result = Neither;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    unsigned number = argument.getArgNumber();
    if (number == kRow || number == kQuery)
      result = Query;
    else if (number == kKey)
      result = Key;
    else if (number >= AttendOp::kPairPositions &&
             number < AttendOp::kPairPositions + op.getNumProducts())
      result = Pair;
  } else {
    for (Value operand : value.getDefiningOp()->getOperands())
      result |= getSides(operand);
  }
  return sides[value] = static_cast<Sides>(result);
}

/// The mask keeps a pair if the key does not stand behind the query.
bool Separator::isCausal() {
  if (op.getMask().empty())
    return false;
  Block &mask = op.getMask().front();
  auto compare =
      cast<YieldOp>(mask.back()).getValue().getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return false;
  Value query = mask.getArgument(kQuery), key = mask.getArgument(kKey);
  arith::CmpIPredicate predicate = compare.getPredicate();
  return (predicate == arith::CmpIPredicate::sge && compare.getLhs() == query &&
          compare.getRhs() == key) ||
         (predicate == arith::CmpIPredicate::sle && compare.getLhs() == key &&
          compare.getRhs() == query);
}

//===----------------------------------------------------------------------===//
// Taking the score apart
//===----------------------------------------------------------------------===//

/// Arithmetic in the score region, in front of its end.
Value Separator::create(StringRef name, ValueRange operands, Type type) {
  OpBuilder inside(getScore().getTerminator());
  OperationState state(op.getLoc(), name, operands, type, {});
  if (name == "arith.mulf" || name == "arith.addf" || name == "arith.negf" ||
      name == "arith.divf")
    state.addAttribute(
        "fastmath", arith::FastMathFlagsAttr::get(builder.getContext(),
                                                  arith::FastMathFlags::none));
  return inside.create(state)->getResult(0);
}

/// A sum of a value of the query and one of the key.
std::optional<Split> Separator::split(Value value) {
  Type f32 = builder.getF32Type();
  switch (getSides(value)) {
  case Neither:
  case Query:
    return Split{value, {}};
  case Key:
    return Split{{}, value};
  case Pair:
    break;
  }
  auto add = [&](Value a, Value b) -> Value {
    return !a ? b : !b ? a : create("arith.addf", {a, b}, f32);
  };
  auto negate = [&](Value a) -> Value {
    return a ? create("arith.negf", a, f32) : a;
  };
  Operation *inner = value.getDefiningOp();
  if (!inner)
    return std::nullopt;
  if (isa<arith::AddFOp, arith::SubFOp>(inner)) {
    auto a = split(inner->getOperand(0)), b = split(inner->getOperand(1));
    if (!a || !b)
      return std::nullopt;
    if (isa<arith::SubFOp>(inner))
      b = Split{negate(b->query), negate(b->key)};
    return Split{add(a->query, b->query), add(a->key, b->key)};
  }
  if (isa<arith::NegFOp>(inner)) {
    auto a = split(inner->getOperand(0));
    return a ? std::optional(Split{negate(a->query), negate(a->key)}) : a;
  }
  if (isa<arith::MulFOp, arith::DivFOp>(inner)) {
    Value a = inner->getOperand(0), factor = inner->getOperand(1);
    if (isa<arith::MulFOp>(inner) && getSides(a) == Neither)
      std::swap(a, factor);
    auto sum = getSides(factor) == Neither ? split(a) : std::nullopt;
    if (!sum)
      return std::nullopt;
    StringRef name = inner->getName().getStringRef();
    auto scale = [&](Value part) -> Value {
      return part ? create(name, {part, factor}, f32) : part;
    };
    return Split{scale(sum->query), scale(sum->key)};
  }
  // Differences of positions.
  if (auto real = dyn_cast<arith::SIToFPOp>(inner)) {
    Operation *sum = real.getIn().getDefiningOp();
    if (!isa_and_nonnull<arith::AddIOp, arith::SubIOp>(sum))
      return std::nullopt;
    Split result;
    for (unsigned n : {0, 1}) {
      Value part = sum->getOperand(n);
      if (getSides(part) == Pair)
        return std::nullopt;
      Value number = create("arith.sitofp", part, f32);
      if (n == 1 && isa<arith::SubIOp>(sum))
        number = negate(number);
      Value &target = getSides(part) == Key ? result.key : result.query;
      target = add(target, number);
    }
    return result;
  }
  return std::nullopt;
}

/// Whether a value of the key is a x j + b with the same a and b for all keys.
bool Separator::isLinearInPosition(Value value) {
  if (getSides(value) == Neither)
    return true;
  Operation *inner = value.getDefiningOp();
  if (!inner)
    return false;
  if (isa<arith::AddFOp, arith::SubFOp, arith::NegFOp>(inner))
    return llvm::all_of(inner->getOperands(), [&](Value operand) {
      return isLinearInPosition(operand);
    });
  if (isa<arith::MulFOp>(inner) && getSides(inner->getOperand(0)) == Neither)
    return isLinearInPosition(inner->getOperand(1));
  if (isa<arith::MulFOp, arith::DivFOp>(inner))
    return getSides(inner->getOperand(1)) == Neither &&
           isLinearInPosition(inner->getOperand(0));
  auto real = dyn_cast<arith::SIToFPOp>(inner);
  return real && real.getIn() == getScore().getArgument(kKey);
}

bool Separator::decompose(Value value, SmallVectorImpl<Term> &terms) {
  switch (getSides(value)) {
  case Neither:
  case Query:
    terms.emplace_back().query.push_back(value);
    return true;
  case Key:
    terms.emplace_back().key.push_back(value);
    return true;
  case Pair:
    break;
  }
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    terms.emplace_back().product =
        argument.getArgNumber() - AttendOp::kPairPositions;
    return true;
  }
  Type f32 = builder.getF32Type();
  Operation *inner = value.getDefiningOp();
  if (isa<arith::AddFOp, arith::SubFOp, arith::NegFOp>(inner)) {
    bool isSum = !isa<arith::NegFOp>(inner);
    if (isSum && !decompose(inner->getOperand(0), terms))
      return false;
    SmallVector<Term> second;
    if (!decompose(inner->getOperand(isSum ? 1 : 0), second))
      return false;
    if (!isa<arith::AddFOp>(inner))
      for (Term &term : second)
        term.query.push_back(getNumber(-1));
    terms.append(second);
    return true;
  }
  if (isa<arith::MulFOp>(inner)) {
    SmallVector<Term> a, b;
    if (!decompose(inner->getOperand(0), a) ||
        !decompose(inner->getOperand(1), b))
      return false;
    for (const Term &x : a)
      for (const Term &y : b) {
        if ((x.product >= 0 && y.product >= 0) || (x.exponent && y.exponent))
          return fail("a product of two products of rows");
        Term term = x;
        term.query.append(y.query);
        term.key.append(y.key);
        term.product = std::max(x.product, y.product);
        if (y.exponent)
          term.exponent = y.exponent;
        terms.push_back(term);
      }
    return true;
  }
  if (isa<arith::DivFOp>(inner) && getSides(inner->getOperand(1)) != Pair) {
    SmallVector<Term> above;
    if (!decompose(inner->getOperand(0), above))
      return false;
    Value below = inner->getOperand(1);
    Value one = getNumber(1);
    Value factor = create("arith.divf", {one, below}, f32);
    for (Term &term : above)
      (getSides(below) == Key ? term.key : term.query).push_back(factor);
    terms.append(above);
    return true;
  }
  if (isa<math::ExpOp>(inner))
    if (std::optional<Split> sum = split(inner->getOperand(0))) {
      terms.emplace_back().exponent = sum;
      return true;
    }
  return fail("'" + inner->getName().getStringRef() +
              "' of a query and a key together");
}

//===----------------------------------------------------------------------===//
// The scan
//===----------------------------------------------------------------------===//

void Separator::emit(ArrayRef<Term> terms) {
  Location location = op.getLoc();
  bool isRatio = op.getReduction() == Reduction::Ratio;
  Type f32 = builder.getF32Type(), i32 = builder.getI32Type();
  auto getWidth = [](Value rows) {
    return cast<RankedTensorType>(rows.getType()).getDimSize(3);
  };
  int64_t width = getWidth(op.getValues());
  auto row = [&](int64_t extent) {
    return RankedTensorType::get({extent}, f32);
  };
  // For each term a sum of values, then, of a ratio, a sum of weights.
  SmallVector<Type> states;
  SmallVector<Attribute> names;
  for (auto [number, term] : llvm::enumerate(terms)) {
    bool hasProduct = term.product >= 0;
    int64_t keys = hasProduct ? getWidth(op.getKeys()[term.product]) : 1;
    states.push_back(hasProduct ? RankedTensorType::get({keys, width}, f32)
                                : row(width));
    names.push_back(builder.getStringAttr("sum" + std::to_string(number)));
    if (!isRatio)
      continue;
    states.push_back(hasProduct ? Type(row(keys)) : f32);
    names.push_back(builder.getStringAttr("weight" + std::to_string(number)));
  }
  SmallVector<Value> keys(op.getKeys());
  keys.push_back(op.getValues());
  auto scan =
      ScanOp::create(builder, location, op.getResult().getType(), op.getBatch(),
                     op.getHeads(), op.getQueryCount(), op.getKeyCount(),
                     op.getQueries(), keys, op.getCaptures(), /*reverse=*/false,
                     /*finals=*/false, builder.getArrayAttr(names));
  OpBuilder::InsertionGuard guard(builder);
  auto start = [&](Region &region, ArrayRef<Type> types) {
    return builder.createBlock(&region, {}, types,
                               SmallVector<Location>(types.size(), location));
  };
  auto constant = [&](double value, Type type) -> Value {
    TypedAttr attr = builder.getF32FloatAttr(static_cast<float>(value));
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      attr = DenseElementsAttr::get(tensor, attr);
    return arith::ConstantOp::create(builder, location, attr);
  };
  SmallVector<Type> types(ScanOp::kInitialPositions, i32);
  llvm::append_range(types, op.getCaptures().getTypes());
  start(scan.getInitial(), types);
  SmallVector<Value> zeros;
  for (Type state : states)
    zeros.push_back(constant(0, state));
  YieldOp::create(builder, location, zeros);

  types.assign(ScanOp::kPositions, i32);
  llvm::append_range(types, states);
  for (Value query : op.getQueries())
    types.push_back(row(getWidth(query)));
  for (Value key : keys)
    types.push_back(row(getWidth(key)));
  llvm::append_range(types, op.getCaptures().getTypes());
  Block *body = start(scan.getBody(), types);
  Block &score = getScore();
  Value position = body->getArgument(3);
  // The score at this step, at the key before, and at the first two keys.
  IRMapping now, before, first, second;
  Value one = arith::ConstantOp::create(builder, location,
                                        builder.getI32IntegerAttr(1));
  Value last = arith::SubIOp::create(builder, location, position, one);
  unsigned captured = AttendOp::kPairPositions + op.getNumProducts();
  Value zero = arith::ConstantOp::create(builder, location,
                                         builder.getI32IntegerAttr(0));
  for (auto [mapping, key] :
       {std::pair(&now, position), std::pair(&before, last),
        std::pair(&first, zero), std::pair(&second, one)}) {
    for (unsigned place : {0u, 1u, kRow})
      mapping->map(score.getArgument(place), body->getArgument(place));
    mapping->map(score.getArgument(kQuery), position);
    mapping->map(score.getArgument(kKey), key);
    for (unsigned n = 0; n < op.getCaptures().size(); ++n)
      mapping->map(score.getArgument(captured + n),
                   body->getArgument(body->getNumArguments() -
                                     op.getCaptures().size() + n));
    for (Operation &inner : score.without_terminator())
      if (llvm::all_of(inner.getOperands(), [&](Value operand) {
            return mapping->contains(operand);
          }))
        builder.clone(inner, *mapping);
  }
  auto multiply = [&](Value a, Value b) -> Value {
    if (!a || !b)
      return a ? a : b;
    if (!isa<RankedTensorType>(a.getType()) &&
        isa<RankedTensorType>(b.getType()))
      a = SplatOp::create(builder, location, b.getType(), a);
    return arith::MulFOp::create(builder, location, a, b);
  };
  auto add = [&](Value a, Value b) -> Value {
    return !a ? b : arith::AddFOp::create(builder, location, a, b);
  };
  unsigned firstState = ScanOp::kPositions;
  unsigned firstQuery = firstState + states.size();
  unsigned firstKey = firstQuery + op.getQueries().size();
  Value value = body->getArgument(firstKey + op.getKeys().size());
  Value above, below;
  SmallVector<Value> next;
  for (const Term &term : terms) {
    Value ofQuery, ofKey, decay;
    for (Value factor : term.query)
      ofQuery = multiply(ofQuery, now.lookup(factor));
    for (Value factor : term.key)
      ofKey = multiply(ofKey, now.lookup(factor));
    if (term.exponent) {
      // exp(a_i + c_j): sums are kept as at this key, so that no exponential
      // is taken of more than the step.
      const Split &exponent = *term.exponent;
      Value here = exponent.query ? now.lookup(exponent.query) : Value();
      if (exponent.key) {
        Value key = now.lookup(exponent.key);
        here = add(here, key);
        Value step;
        if (isLinearInPosition(exponent.key)) {
          step = arith::SubFOp::create(builder, location,
                                       first.lookup(exponent.key),
                                       second.lookup(exponent.key));
        } else {
          // Before the first key there is nothing to scale.
          Value isFirst = arith::CmpIOp::create(
              builder, location, arith::CmpIPredicate::eq, position, zero);
          step = arith::SubFOp::create(builder, location,
                                       before.lookup(exponent.key), key);
          step = arith::SelectOp::create(builder, location, isFirst,
                                         constant(0, f32), step);
        }
        decay = math::ExpOp::create(builder, location, step);
      }
      ofQuery = multiply(ofQuery, math::ExpOp::create(builder, location, here));
    }
    auto advance = [&](Value write) {
      Value state = body->getArgument(firstState + next.size());
      next.push_back(add(multiply(decay, state), write));
      return next.back();
    };
    Value query, key;
    if (term.product >= 0) {
      query = body->getArgument(firstQuery + term.product);
      key = multiply(ofKey, body->getArgument(firstKey + term.product));
    }
    Value sum = advance(key ? OuterOp::create(builder, location,
                                              states[next.size()], key, value)
                            : multiply(ofKey, value));
    Value read =
        query ? VecMatOp::create(builder, location, row(width), query, sum)
              : sum;
    above = add(above, multiply(ofQuery, read));
    if (!isRatio)
      continue;
    Value weight = advance(key ? key : ofKey ? ofKey : constant(1, f32));
    Value total =
        query ? DotOp::create(builder, location, f32, query, weight) : weight;
    below = add(below, multiply(ofQuery, total));
  }
  if (isRatio) {
    if (op.getEpsilon())
      below = add(below, constant(op.getEpsilon()->convertToDouble(), f32));
    Value splat = SplatOp::create(builder, location, above.getType(), below);
    above = arith::DivFOp::create(builder, location, above, splat);
  }
  next.push_back(above);
  YieldOp::create(builder, location, next);
  SmallVector<Operation *> operations;
  for (Operation &inner : body->without_terminator())
    operations.push_back(&inner);
  for (Operation *inner : llvm::reverse(operations))
    if (inner->use_empty())
      inner->erase();
  op.getResult().replaceAllUsesWith(scan.getResult(0));
}

/// The log-sum-exp of a sum is 0: that of an attend which keeps no pair.
static void replaceLse(AttendOp op, OpBuilder &builder) {
  if (op.getLse().use_empty())
    return;
  Location location = op.getLoc();
  auto none = AttendOp::create(
      builder, location, op.getResultTypes(), op.getBatch(), op.getHeads(),
      op.getQueryCount(), op.getKeyCount(), ValueRange(), ValueRange(),
      op.getValues(), ValueRange(), ValueRange(), Reduction::Sum, FloatAttr());
  SmallVector<Type> types(AttendOp::kPairPositions, builder.getI32Type());
  for (Region *region : {&none.getScore(), &none.getMask()}) {
    OpBuilder::InsertionGuard guard(builder);
    builder.createBlock(region, {}, types,
                        SmallVector<Location>(types.size(), location));
    TypedAttr value = builder.getF32FloatAttr(0);
    if (region == &none.getMask())
      value = builder.getBoolAttr(false);
    Value yielded = arith::ConstantOp::create(builder, location, value);
    YieldOp::create(builder, location, yielded);
  }
  op.getLse().replaceAllUsesWith(none.getLse());
}

bool Separator::run() {
  if (op.isPerFeature() || !op.getCarry().empty() || !op.getFactor().empty())
    return fail("a factor, a carry or a score per feature");
  if (!isCausal())
    return fail("the mask is not i >= j");
  for (auto operands : {op.getQueries(), op.getKeys()})
    for (Value rows : operands)
      if (!isa<FloatType>(
              cast<RankedTensorType>(rows.getType()).getElementType()))
        return fail("rows of integers");
  SmallVector<Term> terms;
  constexpr size_t most = 16;
  if (!decompose(cast<YieldOp>(getScore().back()).getValue(), terms))
    return false;
  if (terms.size() > most)
    return fail("more than 16 terms");
  emit(terms);
  replaceLse(op, builder);
  op.erase();
  return true;
}
