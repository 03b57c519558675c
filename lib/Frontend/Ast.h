// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// The syntax tree of the attention language, as written: no name is resolved
/// and nothing is folded. Chains of one precedence level are flat lists, so the
/// depth of a tree is bounded by the bracket depth of its source.
///
/// Expressions and statements are class hierarchies with LLVM-style casts:
///   if (auto *call = llvm::dyn_cast<Call>(expr)) ...
/// Parentheses leave no node; the printer puts them where they are needed.

#pragma once

#include "lib/Support/SourceFile.h"
#include "llvm/Support/Casting.h"
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace rapt::frontend {

using support::SourceRange;

/// An identifier and where it stands.
struct Name {
  std::string text;
  SourceRange range;
};

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

struct Expr {
  enum class Kind { Number, NameRef, Call, Prefix, Chain, Compare, Postfix };

  const Kind kind;
  SourceRange range;

  virtual ~Expr() = default;

protected:
  explicit Expr(Kind kind) : kind(kind) {}
};

/// Owning and never null in a tree without errors.
using ExprPtr = std::unique_ptr<Expr>;

/// Gives a node its kind and its cast.
template <Expr::Kind K> struct ExprOf : Expr {
  static constexpr Kind classKind = K;
  ExprOf() : Expr(K) {}
  static bool classof(const Expr *expr) { return expr->kind == K; }
};

/// `16`, `0.1`, `1e-6`. Without sign; written with `.` or an exponent it is
/// real, else an integer in 0 .. 2^63 - 1.
struct Number : ExprOf<Expr::Kind::Number> {
  bool isReal = false;
  int64_t integer = 0; ///< Value if not isReal.
  double real = 0;     ///< Value in both cases (rounded for a large integer).
};

/// `q`, `dim`, `score`, `inf`, `pi`.
struct NameRef : ExprOf<Expr::Kind::NameRef> {
  std::string name;
};

/// `value` or `name = value` in a call.
struct Argument {
  std::optional<Name> name;
  ExprPtr value;
  SourceRange range;
};

/// `callee(arguments)`; the argument list may be empty.
struct Call : ExprOf<Expr::Kind::Call> {
  Name callee;
  std::vector<Argument> arguments;
};

/// `!x` or `-x`, `count` times (at least once).
struct Prefix : ExprOf<Expr::Kind::Prefix> {
  enum class Op { Not, Negate };
  Op op = Op::Negate;
  unsigned count = 1;
  ExprPtr operand;
};

enum class ChainOp { Or, And, Add, Sub, Mul, Div, Mod };

/// `a | b | c`, `a & b`, `a + b - c`, `a * b / c % d`: at least two operands,
/// all operators of one level, to be read from the left. operators[n] stands
/// between operands[n] and operands[n + 1], at operatorRanges[n].
struct Chain : ExprOf<Expr::Kind::Chain> {
  std::vector<ExprPtr> operands;
  std::vector<ChainOp> operators;
  std::vector<SourceRange> operatorRanges;
};

enum class CompareOp { Eq, Ne, Lt, Le, Gt, Ge, In };

/// `lhs == rhs`, `lhs in rhs`. Not chained.
struct Compare : ExprOf<Expr::Kind::Compare> {
  CompareOp op = CompareOp::Eq;
  SourceRange opRange;
  ExprPtr lhs;
  ExprPtr rhs;
};

/// One subscript: `:` (both null), `a` (isSlice false) or `a:b`.
struct Subscript {
  enum class Kind { All, Index, Slice };
  Kind kind = Kind::All;
  ExprPtr first; ///< Index, or begin of the slice.
  ExprPtr last;  ///< End (excluded) of the slice.
  SourceRange range;
};

/// `[a, :, b:c]` if member is absent, else `.member` (any word, keywords too).
struct Suffix {
  std::vector<Subscript> subscripts;
  std::optional<Name> member;
  SourceRange range;
};

/// `base[...].member[...]`: at least one suffix, applied from the left.
struct Postfix : ExprOf<Expr::Kind::Postfix> {
  ExprPtr base;
  std::vector<Suffix> suffixes;
};

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

struct Statement {
  enum class Kind { Param, Input, Let, Carry, Role, State, Repeat, Branch };

  const Kind kind;
  SourceRange range;   ///< The whole statement.
  SourceRange keyword; ///< Its first word.

  virtual ~Statement() = default;

protected:
  explicit Statement(Kind kind) : kind(kind) {}
};

using StatementPtr = std::unique_ptr<Statement>;

template <Statement::Kind K> struct StatementOf : Statement {
  static constexpr Kind classKind = K;
  StatementOf() : Statement(K) {}
  static bool classof(const Statement *stmt) { return stmt->kind == K; }
};

/// `name = value in low .. high`; the three are of the level of a sum.
struct ParamBinding {
  Name name;
  ExprPtr value;
  ExprPtr low;  ///< Null without bounds.
  ExprPtr high; ///< Null without bounds; included.
  SourceRange range;
};

struct Param : StatementOf<Statement::Kind::Param> {
  std::vector<ParamBinding> bindings;
};

/// `input a, b: f32[heads, 2 * dim]`. The element type is any word (semantic
/// analysis knows which exist); extents are of the level of a sum.
struct Input : StatementOf<Statement::Kind::Input> {
  std::vector<Name> names;
  std::optional<Name> elementType;
  /// Absent: a scalar (rank 0). Never an empty list.
  std::optional<std::vector<ExprPtr>> extents;
};

struct Let : StatementOf<Statement::Kind::Let> {
  Name name;
  ExprPtr value;
};

struct Carry : StatementOf<Statement::Kind::Carry> {
  Name name;
  ExprPtr value;
};

enum class RoleKind { Mask, Score, Weight, Out };

/// `mask = ...`, `score = ...`, `weight = ...`, `out = ...`.
struct Role : StatementOf<Statement::Kind::Role> {
  RoleKind role = RoleKind::Mask;
  ExprPtr value;
};

/// `reverse state S from initial = update`.
struct State : StatementOf<Statement::Kind::State> {
  bool isReverse = false;
  Name name;
  ExprPtr initial; ///< Null without `from`.
  ExprPtr value;
};

/// `repeat counter < count { let and state statements }`.
struct Repeat : StatementOf<Statement::Kind::Repeat> {
  Name counter;
  ExprPtr count;
  std::vector<StatementPtr> body;
};

/// `branch name[counter < count] { ... }`.
struct Branch : StatementOf<Statement::Kind::Branch> {
  Name name;
  std::optional<Name> counter; ///< Present for a family of branches.
  ExprPtr count;               ///< Null if not a family.
  std::vector<StatementPtr> body;
};

//===----------------------------------------------------------------------===//
// File
//===----------------------------------------------------------------------===//

/// `attention name { statements }`.
struct Definition {
  Name name;
  std::vector<StatementPtr> statements;
  SourceRange range;
};

/// At least one definition.
struct File {
  std::vector<Definition> definitions;
};

/// The word or sign of an operator or a statement as written in a source.
const char *spelling(Prefix::Op op);
const char *spelling(ChainOp op);
const char *spelling(CompareOp op);
const char *spelling(RoleKind role);

/// Equality of structure and values; places are ignored.
bool operator==(const Expr &a, const Expr &b);
bool operator==(const Statement &a, const Statement &b);
bool operator==(const Definition &a, const Definition &b);
bool operator==(const File &a, const File &b);

} // namespace rapt::frontend
