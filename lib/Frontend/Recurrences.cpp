// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Recurrences.h"
#include "lib/Frontend/Computed.h"
#include "llvm/ADT/SmallPtrSet.h"
#include <functional>

namespace rapt::frontend {

auto Recurrences::find(const std::string &name) const -> const StateInfo * {
  for (const StateInfo &info : states)
    if (info.first.text == name)
      return &info;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Declaration
//===----------------------------------------------------------------------===//

void Recurrences::collect(const std::vector<StatementPtr> &list) {
  for (const StatementPtr &statement : list) {
    if (auto *repeat = llvm::dyn_cast<Repeat>(statement.get()))
      collect(repeat->body);
    auto *state = llvm::dyn_cast<State>(statement.get());
    if (!state)
      continue;
    const std::string &name = state->name.text;
    if (StateInfo *known = find(name)) {
      if (state->initial)
        b.getDiagnostics()
            .error(state->initial->range,
                   "'from' belongs to the first line of a state")
            .note(known->first.range, "'" + name + "' begins here");
      if (state->isReverse != known->isReverse)
        b.getDiagnostics()
            .error(state->keyword,
                   "'" + name + "' runs " +
                       (known->isReverse ? "backwards" : "forwards") +
                       ", expected the same on every line of it")
            .note(known->first.range, "its direction is given here");
      continue;
    }
    bool isTaken = scope.params.count(name) || scope.program.findInput(name);
    if (isTaken)
      b.error(state->name.range,
              "'" + name + "' is the name of " +
                  (scope.params.count(name) ? "a param" : "an input") +
                  " and cannot be a state");
    StateInfo info;
    info.first = state->name;
    info.isReverse = state->isReverse;
    info.statement = state;
    states.push_back(std::move(info));
  }
}

void Recurrences::bind() {
  held.clear();
  for (StateInfo &info : states) {
    info.before = b.state(info.first.text, info.features);
    bool isPoison = info.isUnknown && !isTrial;
    scope.lets[info.first.text] = {isPoison ? b.poison() : info.before,
                                   info.first.range};
    b.bind(info.first.range, scope.lets[info.first.text].node);
  }
}

void Recurrences::declare() {
  collect(statements);
  if (states.empty())
    return;
  // Each pass adds an axis to a state, and none has more than two.
  while (settle())
    ;
  bind();
  scope.recurrences = this;
}

bool Recurrences::settle() {
  support::DiagnosticEngine ignored(b.getDiagnostics().source());
  Builder builder(scope.program.graph, ignored);
  builder.setSettling();
  Scope inner = scope;
  ExpressionBuilder inside(builder, inner);
  Recurrences trial(statements, inner, builder, inside);
  trial.states = states;
  trial.isTrial = true;
  trial.bind();
  inner.recurrences = &trial;
  trial.visitAll();
  bool hasGrown = false;
  auto grow = [&](StateInfo &info, const Node *node) {
    if (!node || node->features.size() <= info.features.size() ||
        node->features.size() > 2)
      return;
    info.features.assign(node->features.begin(), node->features.end());
    hasGrown = true;
  };
  for (auto [info, tried] : llvm::zip(states, trial.states)) {
    grow(info, tried.initial);
    const Node *after = inner.lets[info.first.text].node;
    grow(info, after);
    info.isUnknown = after->op == Op::Deferred && info.features.empty();
  }
  return hasGrown;
}

void Recurrences::bindLet(const Let &let) {
  Node *value = expressions.build(*let.value).node;
  scope.lets[let.name.text] = {value, let.name.range};
  b.bind(let.name.range, value);
}

void Recurrences::visitAll() {
  for (const StatementPtr &statement : statements) {
    if (auto *let = llvm::dyn_cast<Let>(statement.get()))
      bindLet(*let);
    if (auto *state = llvm::dyn_cast<State>(statement.get()))
      visit(*state);
    if (auto *repeat = llvm::dyn_cast<Repeat>(statement.get()))
      visit(*repeat);
  }
}

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

/// Whether two values can be steps of one: their axes are equal, or not known
/// to differ.
static bool haveSameAxes(const Node &a, const Node &b) {
  bool isSame = a.features.size() == b.features.size();
  for (auto [own, found] : llvm::zip(a.features, b.features))
    isSame &=
        (own.name.empty() || found.name.empty() || own.name == found.name) &&
        (!own.isKnown() || !found.isKnown() || own.extent == found.extent);
  return isSame;
}

/// Reports a value whose axes are not those of the state.
bool Recurrences::checkShape(const StateInfo &info, Operand value) {
  const Node &before = *info.before;
  if (haveSameAxes(before, *value.node))
    return true;
  b.error(value.range, "'" + info.first.text + "' is " + describe(before) +
                           ", expected the same of its new value, found " +
                           describe(*value.node));
  return false;
}

void Recurrences::visit(const State &statement) {
  StateInfo &info = *find(statement.name.text);
  if (&statement == info.statement && statement.initial) {
    Operand initial = expressions.build(*statement.initial);
    info.initial = b.toReal(initial);
    if (info.initial->variesOver(VariesPair))
      info.initial = b.error(
          initial.range,
          "a state begins with what is the same over the "
          "whole sequence, found what varies over " +
              std::string(initial.node->variesOver(VariesQuery) ? "queries"
                                                                : "keys"));
    for (const Feature &feature : info.initial->features) {
      bool isMatched =
          info.initial->features.size() == info.before->features.size() ||
          (info.before->isMatrix() && findAlong(*info.before, feature));
      if (!isMatched) {
        b.error(initial.range,
                "'" + info.first.text + "' is " + describe(*info.before) +
                    " and cannot begin with " + describe(*info.initial));
        break;
      }
    }
  }
  Operand value = expressions.build(*statement.value);
  value.node = b.toReal(value);
  if (!value.node->isPoison()) {
    if (!isTrial && value.node->variesOver(VariesQuery))
      value.node = b.error(value.range,
                           "a state must not vary over queries: it runs over "
                           "the keys, whose position is 'j'");
    else if (!isTrial && !checkShape(info, value))
      value.node = b.poison();
  }
  scope.lets[statement.name.text] = {value.node, statement.name.range};
}

void Recurrences::visit(const Repeat &statement) {
  constexpr int64_t most = 64;
  Operand count = expressions.build(*statement.count);
  // Until it is known what the steps are the states have no value.
  std::map<std::string, Binding> before = scope.lets;
  for (const StatementPtr &inner : statement.body)
    if (auto *state = llvm::dyn_cast<State>(inner.get()))
      scope.lets[state->name.text].node = b.poison();
  if (!b.expectInteger(count, "an integer number of steps"))
    return;
  if (count.node->op != Op::Integer) {
    b.error(count.range, "expected a number of steps known at compile time");
    return;
  }
  if (count.node->integer < 1 || count.node->integer > most) {
    b.error(count.range, "expected 1 .. " + llvm::Twine(most) +
                             " steps, found " +
                             llvm::Twine(count.node->integer));
    return;
  }
  scope.lets = before;
  // Names inside hold inside; only states go on.
  std::map<std::string, Binding> outside = scope.lets;
  for (int64_t n = 0; n < count.node->integer; ++n) {
    scope.lets[statement.counter.text] = {b.integer(n),
                                          statement.counter.range};
    b.bind(statement.counter.range, b.integer(n));
    for (const StatementPtr &inner : statement.body) {
      if (auto *let = llvm::dyn_cast<Let>(inner.get()))
        bindLet(*let);
      else
        visit(llvm::cast<State>(*inner));
    }
  }
  for (const StateInfo &info : states)
    outside[info.first.text] = scope.lets[info.first.text];
  scope.lets = std::move(outside);
}

Node *Recurrences::hold(const Name &name, int64_t steps, SourceRange range) {
  auto found = llvm::find_if(states, [&](const StateInfo &info) {
    return info.first.text == name.text;
  });
  if (found == states.end())
    return b.error(name.range,
                   "expected the name of a state, found '" + name.text + "'");
  auto at = [&](Node *node) { return Operand{node, range}; };
  unsigned number = found - states.begin();
  Node *before =
      b.state(name.text + ".hold" + std::to_string(steps), found->features);
  Node *steps0 = b.place(Op::KeyPosition);
  if (found->isReverse) {
    Node *last = b.arithmetic(Op::Sub, at(b.extent(Op::Length, "keys")),
                              at(b.integer(1)));
    steps0 = b.arithmetic(Op::Sub, at(last), at(steps0));
  }
  Operand phase = at(b.modulo(at(steps0), at(b.integer(steps))));
  Operand isFirst = at(b.compare(CompareOp::Eq, phase, at(b.integer(0))));
  Node *after = b.select(isFirst, at(found->before), at(before));
  auto isSame = [&](const HeldState &known) { return known.before == before; };
  if (llvm::none_of(held, isSame))
    held.push_back({number, steps, before, after});
  return after;
}

//===----------------------------------------------------------------------===//
// Carried rows
//===----------------------------------------------------------------------===//

Node *buildCarry(const Carry &carry, Builder &b, ExpressionBuilder &expressions,
                 Scope &scope) {
  const std::string &name = carry.name.text;
  Operand initial{expressions.resolve(name, carry.name.range),
                  carry.name.range};
  if (initial.node->isPoison())
    return initial.node;
  if (initial.node->op == Op::Carried) {
    b.getDiagnostics()
        .error(carry.name.range,
               "'" + name +
                   "' is carried already; expected one carry that does both")
        .note(scope.lets[name].range, "first carried here");
    return b.poison();
  }
  bool isOfKeys = initial.node->variesOver(VariesKey) &&
                  !initial.node->variesOver(VariesQuery);
  if (!initial.node->isRow() || !isOfKeys)
    return b.error(carry.name.range,
                   "expected a row of each key to carry, found " +
                       describe(*initial.node) +
                       (isOfKeys ? "" : " that does not vary over keys alone"));
  initial.node = b.toReal(initial);
  Node *before = b.carry(name, initial.node->features);
  scope.lets[name] = {before, carry.name.range};
  Operand step = expressions.build(*carry.value);
  step.node = b.toReal(step);
  if (step.node->isPoison())
    return step.node;
  if (step.node->variesOver(VariesQuery))
    return b.error(step.range, "a carry runs over the keys, whose position is "
                               "'j'; found what varies over queries");
  if (!step.node->isRow() || !haveSameAxes(*before, *step.node))
    return b.error(step.range, "'" + name + "' is " + describe(*before) +
                                   ", expected the same of what is carried "
                                   "on, found " +
                                   describe(*step.node));
  return b.carried(initial.node, step.node, carry.name.range);
}

//===----------------------------------------------------------------------===//
// The end of the definition
//===----------------------------------------------------------------------===//

/// A step in one direction knows nothing of a state that runs in the other.
void Recurrences::checkDirections(const RecurrentState &state) {
  walk(state.after, [&](Node *node) {
    const StateInfo *other = node->op == Op::State ? find(node->name) : nullptr;
    if (!other || other->isReverse == state.isReverse)
      return;
    b.getDiagnostics()
        .error(state.range, "'" + state.name + "' runs " +
                                (state.isReverse ? "backwards" : "forwards") +
                                " and cannot read '" + node->name +
                                "', which runs the other way")
        .note(other->first.range, "'" + node->name + "' is given here");
  });
}

/// States stand in the place of a pairwise part.
bool Recurrences::checkOut(Node *out, SourceRange range) {
  bool isFine = true;
  walk(out, [&](Node *node) {
    bool isOfPairs = node->op == Op::RoleValue || node->op == Op::KeySum ||
                     node->op == Op::KeySoftmax || node->op == Op::Carried ||
                     node->op == Op::KeyNormalize;
    if (!isOfPairs || !std::exchange(isFine, false))
      return;
    b.getDiagnostics()
        .error(range,
               "a definition has either states or a pairwise part, "
               "found " +
                   std::string(node->op == Op::Carried ? "a carried row"
                                                       : "a sum over keys") +
                   " beside states")
        .note(getRange(), "the first state is given here");
  });
  return isFine;
}

bool Recurrences::finish(Loop &loop, const Binding *out,
                         SourceRange definition) {
  for (const auto &[role, binding] : scope.roles)
    if (role != RoleKind::Out)
      b.getDiagnostics()
          .error(binding.range,
                 std::string("a definition has either states or a pairwise "
                             "part, found '") +
                     spelling(role) + "' beside states")
          .note(getRange(), "the first state is given here");
  if (!out) {
    b.error(definition, "expected 'out' in a definition with states");
    return false;
  }
  if (!out->node->isPoison() && !checkOut(out->node, out->range))
    return false;
  if (b.getDiagnostics().hasErrors())
    return false;
  for (const StateInfo &info : states)
    if (info.isUnknown)
      b.error(info.first.range,
              "the shape of '" + info.first.text +
                  "' does not follow from its update; expected 'from' a value "
                  "that has it, or a write of it");
  if (b.getDiagnostics().hasErrors())
    return false;
  auto getInitial = [&](const StateInfo &info) {
    return info.initial ? info.initial : b.real(0);
  };
  for (const StateInfo &info : states)
    loop.states.push_back({info.first.text, info.first.range, info.before,
                           getInitial(info), scope.lets[info.first.text].node,
                           info.isReverse});
  for (const HeldState &copy : held) {
    const StateInfo &info = states[copy.state];
    loop.states.push_back({copy.before->name, info.first.range, copy.before,
                           getInitial(info), copy.after, info.isReverse});
  }
  for (const RecurrentState &state : loop.states)
    checkDirections(state);
  loop.out = out->node;
  return !b.getDiagnostics().hasErrors();
}

/// The first state or carried row below, without looking into what is computed
/// from it elsewhere.
static Node *findStep(llvm::ArrayRef<Node *> roots,
                      llvm::ArrayRef<RecurrentState> own) {
  Node *found = nullptr;
  for (Node *root : roots)
    walk(root, [&](Node *node) {
      bool isOwn = llvm::any_of(own, [&](const RecurrentState &state) {
        return state.before == node;
      });
      if (node->op == Op::State && !isOwn)
        found = node;
    });
  return found;
}

void checkStatesStayInside(llvm::ArrayRef<Node *> roots, Builder &b) {
  std::vector<uint32_t> reported; // one place may compute several things
  auto report = [&](SourceRange range, const Node *state) {
    if (!state || llvm::is_contained(reported, range.begin))
      return;
    reported.push_back(range.begin);
    b.error(range, "'" + state->name +
                       "' is a state, which has a value at each step only; "
                       "expected it in states and in the 'out' beside them");
  };
  llvm::SmallPtrSet<const Computed *, 8> visited;
  std::function<void(const Computed &)> check = [&](const Computed &computed) {
    if (!visited.insert(&computed).second)
      return;
    llvm::SmallVector<Node *> nodes;
    for (Node *node : {computed.value, computed.weights, computed.where,
                       computed.force, computed.limit, computed.by})
      if (node)
        nodes.push_back(node);
    report(computed.range, findStep(nodes, {}));
    if (const Loop *loop = computed.loop)
      report(loop->nameRange, findStep(loop->getParts(), loop->states));
    for (const Computed *part : computed.parts)
      check(*part);
  };
  for (Node *root : roots)
    walkAll(root, [&](Node *node) {
      if (node->op == Op::Read && node->input->computed)
        check(*node->input->computed);
    });
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

Node *ExpressionBuilder::callHold(const CallArguments &call) {
  auto steps = getConstantInteger(call[0], "an integer number of steps");
  if (!steps)
    return b.poison();
  if (*steps < 1 || *steps > Builder::maxLength)
    return b.error(call[0].range,
                   "expected at least 1 step, found " + llvm::Twine(*steps));
  if (!scope.recurrences)
    return b.error(call.axis->range, "expected the name of a state, found '" +
                                         call.axis->text + "'");
  return scope.recurrences->hold(*call.axis, *steps, call.range);
}

Node *ExpressionBuilder::callCumSum(const CallArguments &call) {
  return b.cumSum(call[0], call.range);
}

} // namespace rapt::frontend
