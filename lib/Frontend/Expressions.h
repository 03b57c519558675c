// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Expressions of the syntax tree to typed nodes.

#ifndef RAPT_LIB_FRONTEND_EXPRESSIONS_H
#define RAPT_LIB_FRONTEND_EXPRESSIONS_H

#include "lib/Frontend/Computed.h"
#include "lib/Frontend/Scope.h"
#include "lib/Frontend/SymbolIndex.h"

namespace rapt::frontend {

struct FunctionInfo;

/// The arguments of one call, evaluated. `over`, the axis in as(x, name) and
/// the state in hold(name, n) are names and stay text.
struct CallArguments {
  SourceRange range; ///< Of the call.
  Name callee;
  std::vector<Operand> positional;
  std::map<std::string, Operand> named;
  std::optional<Name> over;
  std::optional<Name> axis;

  Operand operator[](unsigned n) const { return positional[n]; }
  unsigned size() const { return positional.size(); }
};

/// Branches that an expression names.
struct BranchMembers {
  std::string name;
  SourceRange range;
  std::vector<Loop *> loops; ///< Empty after an error.
};

class ExpressionBuilder {
public:
  ExpressionBuilder(Builder &builder, const Scope &scope)
      : b(builder), scope(scope) {}

  Operand build(const Expr &expr);

  /// A name read at the current place.
  Node *resolve(const std::string &name, SourceRange range);

  /// What a name stands for here.
  NameMeaning lookUp(const std::string &name) const;

  /// Tells the index, if there is one, of a use of a name.
  void record(const std::string &name, SourceRange range) const;

  /// Every built-in function (see Vocabulary.h).
  static std::vector<FunctionInfo> describeBuiltins();

  /// The width of `q` in this scope; unknown before `dim` is known.
  Node *getWidthOfQuery(SourceRange range);

  /// score = dot(q, k) / sqrt(dim), with the names in force.
  Node *makeDefaultScore(SourceRange range);

private:
  Node *buildNode(const Expr &expr);
  Node *buildChain(const Chain &chain);
  Node *buildPrefix(const Prefix &prefix);
  Node *buildCall(const Call &call);
  Node *buildPostfix(const Postfix &postfix);
  Node *reportUnknown(const std::string &name, SourceRange range);
  /// A word that is no name but one of a few that an argument may be.
  void recordWord(const NameRef &word, NameMeaning::Kind kind) const;
  Node *getFeatureExtent(const std::string &name);

  // Subscripts.
  /// Poison, with an error, if a kept axis stands before one that is not.
  Node *requireTrailing(Node *read, SourceRange range);
  Operand subscript(Operand base, const Suffix &suffix);
  Operand subscriptInput(Operand base, const Suffix &suffix);
  Operand subscriptValue(Operand base, const Suffix &suffix);
  std::optional<int64_t> getConstantInteger(Operand operand,
                                            const llvm::Twine &what);
  Node *cut(Operand row, const Subscript &sub);
  /// The index that a subscript gives for a leading axis; null on error.
  Node *getAxisIndex(llvm::StringRef axis, const Subscript &sub);

  // Functions (Builtins.cpp).
  struct Builtin;
  static const Builtin *findBuiltin(llvm::StringRef name);
  static llvm::ArrayRef<Builtin> getBuiltins();
  static void recordCall(const Call &call, const Builtin &builtin,
                         SymbolIndex &index);
  /// Whether keywords and numbers of arguments are those of the function.
  bool checkArguments(const Call &call, const Builtin &builtin);
  bool collectArguments(const Call &call, const Builtin &builtin,
                        CallArguments &arguments);
  Node *callElementwise(const CallArguments &call);
  Node *callActivation(const CallArguments &call);
  Node *callExtremum(const CallArguments &call);
  Node *callReduction(const CallArguments &call);
  Node *callProduct(const CallArguments &call);
  Node *callReshape(const CallArguments &call);
  Node *callShift(const CallArguments &call);
  Node *callNorm(const CallArguments &call);
  Node *callSoftmax(const CallArguments &call);
  Node *callRope(const CallArguments &call);
  Node *callUniform(const CallArguments &call);
  // Of the sequence (Recurrences.cpp).
  Node *callHold(const CallArguments &call);
  Node *callCumSum(const CallArguments &call);
  // Routing (RoutingCalls.cpp). Those that take the call evaluate its
  // arguments themselves.
  Node *callPool(const Call &call);
  Node *callSelection(const Call &call);
  Node *callMerge(const Call &call);
  Node *callRegroup(const CallArguments &call);
  Node *callRank(const CallArguments &call);
  Node *callReductionOver(const CallArguments &call);
  Node *settle(Operand x);
  Node *getCount(Node *x, Computed::Over over, SourceRange range);
  std::optional<bool> getSide(const Argument &argument);
  std::optional<int64_t> getExtent(const Expr &expr, llvm::StringRef what);
  /// Nothing if the expression does not name a branch.
  std::optional<BranchMembers> getBranch(const Expr &expr, bool allowFamily);
  BranchMembers getMember(const std::string &name, const BranchBinding &family,
                          const Suffix &suffix);
  Node *readBranch(const BranchMembers &members);
  std::optional<Node *> buildBranch(const Postfix &postfix);
  /// The number of features of a row, as a real.
  Node *getFeatureCount(Operand row);
  Node *getConstantReal(const CallArguments &call, const std::string &name,
                        double otherwise);

  Builder &b;
  const Scope &scope;
  Node *candidate = nullptr;           ///< What `c` means inside a selection.
  const Feature *cutFeature = nullptr; ///< Of the row that is being cut.
};

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_EXPRESSIONS_H
