// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The functions of the language, written with the operations of the builder.

#include "lib/Frontend/BuiltinTable.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

namespace rapt::frontend {

using llvm::StringRef;

static std::string plural(unsigned count, StringRef noun) {
  return std::to_string(count) + " " + noun.str() + (count == 1 ? "" : "s");
}

Node *ExpressionBuilder::buildCall(const Call &call) {
  const Name &callee = call.callee;
  const Builtin *builtin = findBuiltin(callee.text);
  if (SymbolIndex *index = b.getIndex(); index && builtin)
    recordCall(call, *builtin, *index);
  if (!builtin) {
    bool isValue = scope.lets.count(callee.text) ||
                   scope.params.count(callee.text) ||
                   scope.program.findInput(callee.text);
    if (isValue)
      return b.error(callee.range, "expected a function, found the value '" +
                                       callee.text + "'");
    std::vector<StringRef> functions;
    for (const Builtin &known : getBuiltins())
      functions.push_back(known.name);
    return b.error(callee.range,
                   "unknown function '" + callee.text + "'" +
                       support::didYouMean(callee.text, functions));
  }
  // Names inside (`c`, a branch) may mean something only there.
  if (builtin->callHandler)
    return checkArguments(call, *builtin) ? (this->*builtin->callHandler)(call)
                                          : b.poison();
  if (!builtin->handler)
    return b.notCompiled(callee.range, callee.text);
  CallArguments arguments;
  arguments.range = call.range;
  arguments.callee = callee;
  if (!collectArguments(call, *builtin, arguments))
    return b.poison();
  return (this->*builtin->handler)(arguments);
}

/// The name of the function, and those of its arguments: both say what it is.
void ExpressionBuilder::recordCall(const Call &call, const Builtin &builtin,
                                   SymbolIndex &index) {
  NameMeaning meaning{NameMeaning::Kind::Function, call.callee.text, {}};
  index.refer(call.callee.range, meaning);
  for (const Argument &argument : call.arguments)
    if (argument.name &&
        llvm::is_contained(builtin.keywords, argument.name->text))
      index.refer(argument.name->range, meaning);
}

bool ExpressionBuilder::checkArguments(const Call &call,
                                       const Builtin &builtin) {
  const std::string &function = call.callee.text;
  bool isFine = true;
  unsigned count = 0;
  std::map<std::string, SourceRange> seen;
  for (const Argument &argument : call.arguments) {
    if (!argument.name) {
      ++count;
      continue;
    }
    const Name &keyword = *argument.name;
    if (!llvm::is_contained(builtin.keywords, keyword.text)) {
      b.error(keyword.range,
              "'" + function + "' has no argument '" + keyword.text + "'" +
                  support::didYouMean(keyword.text, builtin.keywords));
      isFine = false;
      continue;
    }
    auto [first, isNew] = seen.try_emplace(keyword.text, keyword.range);
    if (!isNew) {
      b.getDiagnostics()
          .error(keyword.range, "argument '" + keyword.text + "' given twice")
          .note(first->second, "first given here");
      isFine = false;
    }
  }
  if (count < builtin.least || count > builtin.most) {
    std::string expected =
        builtin.least == builtin.most
            ? plural(builtin.least, "argument")
            : (count < builtin.least ? "at least " : "at most ") +
                  plural(count < builtin.least ? builtin.least : builtin.most,
                         "argument");
    b.error(call.range, "'" + function + "' takes " + expected + ", found " +
                            std::to_string(count));
    return false;
  }
  return isFine;
}

bool ExpressionBuilder::collectArguments(const Call &call,
                                         const Builtin &builtin,
                                         CallArguments &arguments) {
  const std::string &function = call.callee.text;
  bool isFine = checkArguments(call, builtin);
  for (const Argument &argument : call.arguments) {
    auto *word = llvm::dyn_cast<NameRef>(argument.value.get());
    if (!argument.name) {
      // as(x, name): the second argument is the name of an axis; of hold(S, n)
      // the first is that of a state.
      bool isAxis = function == "as" && arguments.size() == 1;
      bool isState = function == "hold" && !arguments.axis;
      if (isAxis || isState) {
        if (!word) {
          b.error(argument.range, isAxis ? "expected the name of a feature axis"
                                         : "expected the name of a state");
          return false;
        }
        arguments.axis = Name{word->name, word->range};
        record(word->name, word->range);
        continue;
      }
      arguments.positional.push_back(build(*argument.value));
      isFine &= !arguments.positional.back().node->isPoison();
      continue;
    }
    const Name &keyword = *argument.name;
    if (keyword.text == "over") {
      if (!word) {
        b.error(argument.value->range, "expected the name of an axis");
        return false;
      }
      arguments.over = Name{word->name, word->range};
      recordWord(*word, NameMeaning::Kind::Over);
      continue;
    }
    if (!llvm::is_contained(builtin.keywords, keyword.text))
      continue;
    Operand value = build(*argument.value);
    isFine &= !value.node->isPoison();
    arguments.named.emplace(keyword.text, value);
  }
  return isFine;
}

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

Node *ExpressionBuilder::callElementwise(const CallArguments &call) {
  static const std::pair<StringRef, Op> real[] = {
      {"exp", Op::Exp},   {"log", Op::Log}, {"sqrt", Op::Sqrt},
      {"tanh", Op::Tanh}, {"sin", Op::Sin}, {"cos", Op::Cos},
      {"acos", Op::Acos}};
  StringRef name = call.callee.text;
  for (auto [function, op] : real)
    if (name == function)
      return b.realFunction(op, call[0]);
  if (name == "abs")
    return b.absolute(call[0]);
  if (name == "pow")
    return b.power(call[0], call[1], call.range);
  if (name == "floor")
    return b.floor(call[0]);
  if (name == "real")
    return b.toReal(call[0]);
  if (name == "where")
    return b.select(call[0], call[1], call[2]);
  if (name == "xor")
    return b.exclusiveOr(call[0], call[1]);
  return b.log2Floor(call[0]);
}

/// Written so that no exponential overflows where the result does not.
Node *ExpressionBuilder::callActivation(const CallArguments &call) {
  SourceRange range = call.range;
  auto at = [&](Node *node) { return Operand{node, range}; };
  StringRef name = call.callee.text;
  Operand zero = at(b.integer(0)), one = at(b.real(1));
  if (name == "relu")
    return b.arithmetic(Op::Maximum, call[0], zero);
  Operand x{b.toReal(call[0]), call[0].range};
  if (name == "elu") {
    Operand low = at(b.arithmetic(Op::Minimum, x, zero));
    Operand negative = at(b.realFunction(Op::ExpM1, low));
    return b.select(at(b.compare(CompareOp::Gt, x, zero)), x, negative);
  }
  if (name == "sigmoid" || name == "silu") {
    Operand decay = at(b.realFunction(Op::Exp, at(b.negate(x))));
    Operand sum = at(b.arithmetic(Op::Add, decay, one));
    return b.divide(name == "silu" ? x : one, sum);
  }
  Operand size = at(b.negate(at(b.absolute(x))));
  Operand tail =
      at(b.realFunction(Op::Log1P, at(b.realFunction(Op::Exp, size))));
  if (name == "softplus")
    return b.arithmetic(Op::Add, at(b.arithmetic(Op::Maximum, x, zero)), tail);
  return b.arithmetic(Op::Sub, at(b.arithmetic(Op::Minimum, x, zero)), tail);
}

Node *ExpressionBuilder::callUniform(const CallArguments &call) {
  return b.uniform(call[0], call.range);
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

Node *ExpressionBuilder::callExtremum(const CallArguments &call) {
  if (call.size() == 1)
    return callReduction(call);
  if (call.over)
    return b.error(call.over->range,
                   "'over' needs one argument to reduce, found " +
                       llvm::Twine(call.size()));
  Op op = call.callee.text == "min" ? Op::Minimum : Op::Maximum;
  Operand result = call[0];
  for (Operand next : llvm::drop_begin(call.positional)) {
    result.node = b.arithmetic(op, result, next);
    result.range.end = next.range.end;
  }
  return result.node;
}

Node *ExpressionBuilder::getFeatureCount(Operand row) {
  const Feature &feature = row.node->features.front();
  return feature.isKnown()
             ? b.real(static_cast<double>(feature.extent))
             : b.toReal({b.extent(Op::UnknownExtent, feature.name), row.range});
}

Node *ExpressionBuilder::callReduction(const CallArguments &call) {
  StringRef name = call.callee.text;
  Operand x = call[0];
  auto at = [&](Node *node) { return Operand{node, call.range}; };
  if (call.over) {
    static const StringRef axes[] = {"i", "j", "group"};
    if (!llvm::is_contained(axes, call.over->text))
      return b.error(call.over->range,
                     "expected i, j or group, found '" + call.over->text + "'");
    // The sum over keys of a loop is recognised by its weight.
    bool isLoop = false;
    walk(x.node,
         [&](Node *next) { isLoop |= next == b.roleValue(RoleKind::Weight); });
    if (!isLoop || call.over->text != "j" || name != "sum" ||
        call.named.count("by"))
      return callReductionOver(call);
    if (!b.expectNumber(x))
      return b.poison();
    return b.keyReduction(Op::KeySum, b.toReal(x), 0, call.range);
  }
  if (x.node->isScalar()) {
    if (x.node->variesOver(VariesKey) && x.node->scalar != Scalar::Set)
      return callReductionOver(call);
    return b.error(x.range, "expected a row or what varies over keys, found " +
                                describe(*x.node));
  }
  if (auto by = call.named.find("by"); by != call.named.end())
    return b.error(by->second.range, "'by' needs over = i or over = j");
  if (name == "sum")
    return b.reduce(Op::ReduceAdd, x);
  if (name == "max")
    return b.reduce(Op::ReduceMax, x);
  if (name == "min")
    return b.reduce(Op::ReduceMin, x);
  if (name == "argmax")
    return b.reduce(Op::ReduceArgmax, x);
  if (name == "count")
    return b.reduce(Op::ReduceAdd, at(b.toInteger(x)));
  // mean and var
  if (!b.expectRow(x))
    return b.poison();
  Operand count = at(getFeatureCount(x));
  x.node = b.toReal(x);
  Operand mean = at(b.divide(at(b.reduce(Op::ReduceAdd, x)), count));
  if (name == "mean" || mean.node->isPoison())
    return mean.node;
  Operand centred = at(b.arithmetic(Op::Sub, x, mean));
  return b.divide(at(b.dot(centred, centred, call.range)), count);
}

Node *ExpressionBuilder::callSoftmax(const CallArguments &call) {
  Operand x{b.toReal(call[0]), call[0].range};
  if (x.node->isPoison())
    return x.node;
  bool isOverKeys = call.over || x.node->isScalar();
  if (call.over && call.over->text != "j") {
    if (call.over->text != "i" && call.over->text != "group")
      return b.error(call.over->range,
                     "expected i, j or group, found '" + call.over->text + "'");
    return callReductionOver(call);
  }
  if (call.callee.text == "normalize") {
    if (!b.expectScalar(x, "one number per pair"))
      return b.poison();
    Node *epsilon = getConstantReal(call, "eps", 0);
    if (epsilon->isPoison())
      return epsilon;
    return b.keyReduction(Op::KeyNormalize, x.node, epsilon->real, call.range);
  }
  auto sink = call.named.find("sink");
  if (isOverKeys) {
    if (x.node->isMatrix())
      return b.error(x.range, "expected a number or a row per pair, found " +
                                  describe(*x.node));
    llvm::SmallVector<Node *> operands{x.node};
    if (sink != call.named.end()) {
      Operand value = sink->second;
      // Of a row there may be one for each feature.
      if (x.node->isScalar() && !b.expectScalar(value, "one number per query"))
        return b.poison();
      if (!b.expectNumber(value) ||
          b.arithmetic(Op::Add, x, {b.toReal(value), value.range})->isPoison())
        return b.poison();
      if (value.node->variesOver(VariesKey))
        return b.error(value.range, "a sink must not vary over keys");
      operands.push_back(b.toReal(value));
    }
    return b.keyReduction(Op::KeySoftmax, operands, 0, call.range);
  }
  if (sink != call.named.end())
    return b.error(sink->second.range,
                   "a sink needs a softmax over keys, found " +
                       describe(*x.node));
  auto at = [&](Node *node) { return Operand{node, call.range}; };
  Operand largest = at(b.reduce(Op::ReduceMax, x));
  Operand e =
      at(b.realFunction(Op::Exp, at(b.arithmetic(Op::Sub, x, largest))));
  Operand sum = at(b.reduce(Op::ReduceAdd, e));
  return b.arithmetic(Op::Mul, e, at(b.divide(at(b.real(1)), sum)));
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

Node *ExpressionBuilder::callProduct(const CallArguments &call) {
  if (call.callee.text == "outer")
    return b.outer(call[0], call[1], call.range);
  return call.callee.text == "dot" ? b.dot(call[0], call[1], call.range)
                                   : b.matVec(call[0], call[1], call.range);
}

Node *ExpressionBuilder::callReshape(const CallArguments &call) {
  StringRef name = call.callee.text;
  if (name == "concat")
    return b.concat(call.positional, call.range);
  if (!b.expectRow(call[0]))
    return b.poison();
  const Feature feature = call[0].node->features.front();
  if (name == "as") {
    int64_t extent = scope.getExtent(call.axis->text);
    if (!scope.features.count(call.axis->text))
      return b.error(call.axis->range,
                     "no input has a feature axis '" + call.axis->text + "'");
    if (extent >= 0 && feature.isKnown() && extent != feature.extent)
      return b.error(call.axis->range, "expected an axis of extent " +
                                           llvm::Twine(feature.extent) +
                                           ", found " +
                                           describe({call.axis->text, extent}));
    return b.rename(call[0], call.axis->text);
  }
  // roll(x, n): feature d of the result is feature d - n of x.
  auto steps = getConstantInteger(call[1], "an integer");
  if (!steps)
    return b.poison();
  if (!feature.isKnown())
    return b.deferred(call[0].node->scalar, feature, call[0].node);
  int64_t first = (feature.extent - *steps % feature.extent) % feature.extent;
  if (first == 0)
    return call[0].node;
  Operand parts[] = {{b.slice(call[0], first, feature.extent), call.range},
                     {b.slice(call[0], 0, first), call.range}};
  return b.rename({b.concat(parts, call.range), call.range}, feature.name);
}

Node *ExpressionBuilder::callShift(const CallArguments &call) {
  Operand x = call[0];
  if (!b.expectInteger(call[1], "an integer number of positions"))
    return b.poison();
  if (!x.node->variesOver(VariesKey)) {
    if (x.node->variesOver(VariesQuery))
      return b.shiftQueries(x.node, call[1]);
    return b.error(x.range,
                   "expected what varies over keys or queries, found " +
                       describe(*x.node));
  }
  Operand here{b.place(Op::KeyPosition, x.node->keyAxis), call.range};
  return b.atKey(x.node, {b.arithmetic(Op::Sub, here, call[1]), call[1].range});
}

Node *ExpressionBuilder::getConstantReal(const CallArguments &call,
                                         const std::string &name,
                                         double otherwise) {
  auto given = call.named.find(name);
  if (given == call.named.end())
    return b.real(otherwise);
  Node *value = b.toReal(given->second);
  if (value->isPoison() || value->op == Op::Real)
    return value;
  // Any number does until the extents are known.
  bool isConstant = true, isDeferred = false;
  walk(value, [&](Node *leaf) {
    isDeferred |= leaf->op == Op::UnknownExtent;
    if (leaf->operands.empty())
      isConstant &= leaf->op == Op::UnknownExtent || leaf->op == Op::Integer ||
                    leaf->op == Op::Real;
  });
  if (isConstant && isDeferred)
    return b.real(otherwise);
  return b.error(given->second.range,
                 "expected a number known at compile time");
}

Node *ExpressionBuilder::callNorm(const CallArguments &call) {
  StringRef name = call.callee.text;
  if (!b.expectRow(call[0]))
    return b.poison();
  SourceRange range = call.range;
  auto at = [&](Node *node) { return Operand{node, range}; };
  Operand x{b.toReal(call[0]), call[0].range};
  if (x.node->isPoison())
    return x.node;
  Operand one = at(b.real(1));
  if (name == "sumnorm")
    return b.arithmetic(Op::Mul, x,
                        at(b.divide(one, at(b.reduce(Op::ReduceAdd, x)))));
  Node *epsilon = getConstantReal(call, "eps", name == "l2norm" ? 1e-6 : 1e-5);
  Operand count = at(getFeatureCount(x));
  if (name == "layernorm") {
    Operand mean = at(b.divide(at(b.reduce(Op::ReduceAdd, x)), count));
    x.node = b.arithmetic(Op::Sub, x, mean);
  }
  Operand square = at(b.dot(x, x, range));
  if (name != "l2norm")
    square.node = b.divide(square, count);
  Operand root = at(
      b.realFunction(Op::Sqrt, at(b.arithmetic(Op::Add, square, at(epsilon)))));
  return b.arithmetic(Op::Mul, x, at(b.divide(one, root)));
}

/// Rotates the pairs (d, d + D/2) by the angle at * theta^(-2d/D).
Node *ExpressionBuilder::callRope(const CallArguments &call) {
  if (!b.expectRow(call[0]))
    return b.poison();
  SourceRange range = call.range;
  auto operand = [&](Node *node) { return Operand{node, range}; };
  Operand x{b.toReal(call[0]), call[0].range};
  Node *theta = getConstantReal(call, "theta", 10000);
  if (x.node->isPoison() || theta->isPoison())
    return b.poison();
  if (!(theta->real > 0))
    return b.error(call.named.at("theta").range, "expected a positive theta");
  Operand position = operand(nullptr);
  if (auto given = call.named.find("at"); given != call.named.end()) {
    position = given->second;
    if (!b.expectScalar(position, "one position") || !b.expectNumber(position))
      return b.poison();
  } else {
    bool isQuery = x.node->variesOver(VariesQuery);
    if (isQuery == x.node->variesOver(VariesKey))
      return b.error(x.range,
                     "row has no position of its own; expected 'at ='");
    position.node = resolve(isQuery ? "i" : "j", range);
  }
  const Feature feature = x.node->features.front();
  if (!feature.isKnown())
    return b.deferred(Scalar::Real, feature, {x.node, position.node});
  if (feature.extent % 2)
    return b.error(x.range, "rope needs an even number of features, found " +
                                describe(feature));
  int64_t half = feature.extent / 2;
  std::vector<double> frequencies;
  for (int64_t d = 0; d < half; ++d)
    frequencies.push_back(std::pow(theta->real, -double(d) / double(half)));
  Operand row = operand(b.realRow(std::move(frequencies), {}));
  Operand angle =
      operand(b.arithmetic(Op::Mul, {b.toReal(position), position.range}, row));
  Operand c = operand(b.realFunction(Op::Cos, angle));
  Operand s = operand(b.realFunction(Op::Sin, angle));
  Operand low = operand(b.slice(x, 0, half));
  Operand high = operand(b.slice(x, half, feature.extent));
  auto mul = [&](Operand p, Operand q) {
    return operand(b.arithmetic(Op::Mul, p, q));
  };
  Operand parts[] = {operand(b.arithmetic(Op::Sub, mul(low, c), mul(high, s))),
                     operand(b.arithmetic(Op::Add, mul(high, c), mul(low, s)))};
  return b.rename(operand(b.concat(parts, range)), feature.name);
}

} // namespace rapt::frontend
