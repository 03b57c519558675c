// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The states of a definition: which there are, of which shapes, and what every
/// step makes of them.

#ifndef RAPT_LIB_FRONTEND_RECURRENCES_H
#define RAPT_LIB_FRONTEND_RECURRENCES_H

#include "lib/Frontend/Expressions.h"

namespace rapt::frontend {

/// The row that `carry name = ...` makes of what `name` was; poison after an
/// error.
Node *buildCarry(const Carry &carry, Builder &builder,
                 ExpressionBuilder &expressions, Scope &scope);

/// Reports states that something below `roots` reads outside the loop that has
/// them: there they have no one value.
void checkStatesStayInside(llvm::ArrayRef<Node *> roots, Builder &builder);

class Recurrences {
public:
  Recurrences(const std::vector<StatementPtr> &statements, Scope &scope,
              Builder &builder, ExpressionBuilder &expressions)
      : statements(statements), scope(scope), b(builder),
        expressions(expressions) {}

  bool hasStates() const { return !states.empty(); }
  /// Where the first state is given; there must be one.
  SourceRange getRange() const { return states.front().first.range; }
  bool isState(const std::string &name) const { return find(name); }

  /// Finds the states and their shapes and binds their names to what they are
  /// before a step. Statements are visited in their order after it.
  void declare();
  void visit(const State &statement);
  void visit(const Repeat &statement);

  /// The state `name` at the start of the current run of `steps` steps.
  Node *hold(const Name &name, int64_t steps, SourceRange range);

  /// Fills in the loop with the states and `out`; false after an error.
  bool finish(Loop &loop, const Binding *out, SourceRange definition);

private:
  struct StateInfo {
    Name first;
    bool isReverse = false;
    const State *statement = nullptr; ///< Its first line.
    llvm::SmallVector<Feature, 2> features;
    bool isUnknown = false; ///< Its shape does not follow from its update.
    Node *before = nullptr, *initial = nullptr;
  };
  /// What hold() carries along with a state.
  struct HeldState {
    unsigned state;
    int64_t steps;
    Node *before, *after;
  };

  const StateInfo *find(const std::string &name) const;
  StateInfo *find(const std::string &name) {
    return const_cast<StateInfo *>(std::as_const(*this).find(name));
  }
  void collect(const std::vector<StatementPtr> &list);
  void bind();
  /// One pass over the statements with the shapes found so far; true if a state
  /// has more axes than before.
  bool settle();
  void bindLet(const Let &let);
  void visitAll();
  bool checkShape(const StateInfo &info, Operand value);
  void checkDirections(const RecurrentState &state);
  bool checkOut(Node *out, SourceRange range);

  const std::vector<StatementPtr> &statements;
  Scope &scope;
  Builder &b;
  ExpressionBuilder &expressions;
  std::vector<StateInfo> states;
  std::vector<HeldState> held;
  bool isTrial = false; ///< The shapes of states are not known yet.
};

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_RECURRENCES_H
