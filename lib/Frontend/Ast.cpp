// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Ast.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

namespace rapt::frontend {

const char *spelling(Prefix::Op op) {
  return op == Prefix::Op::Not ? "!" : "-";
}

const char *spelling(ChainOp op) {
  switch (op) {
  case ChainOp::Or:
    return "|";
  case ChainOp::And:
    return "&";
  case ChainOp::Add:
    return "+";
  case ChainOp::Sub:
    return "-";
  case ChainOp::Mul:
    return "*";
  case ChainOp::Div:
    return "/";
  case ChainOp::Mod:
    return "%";
  }
  return "";
}

const char *spelling(CompareOp op) {
  switch (op) {
  case CompareOp::Eq:
    return "==";
  case CompareOp::Ne:
    return "!=";
  case CompareOp::Lt:
    return "<";
  case CompareOp::Le:
    return "<=";
  case CompareOp::Gt:
    return ">";
  case CompareOp::Ge:
    return ">=";
  case CompareOp::In:
    return "in";
  }
  return "";
}

const char *spelling(RoleKind role) {
  switch (role) {
  case RoleKind::Mask:
    return "mask";
  case RoleKind::Score:
    return "score";
  case RoleKind::Weight:
    return "weight";
  case RoleKind::Out:
    return "out";
  }
  return "";
}

//===----------------------------------------------------------------------===//
// Equality
//===----------------------------------------------------------------------===//

static bool equal(const Name &a, const Name &b) { return a.text == b.text; }
static bool equal(const ExprPtr &a, const ExprPtr &b) {
  return a && b ? *a == *b : !a && !b;
}
static bool equal(const StatementPtr &a, const StatementPtr &b) {
  return *a == *b;
}
static bool equal(const Argument &a, const Argument &b);
static bool equal(const Subscript &a, const Subscript &b);
static bool equal(const Suffix &a, const Suffix &b);
static bool equal(const ParamBinding &a, const ParamBinding &b);
static bool equal(const Definition &a, const Definition &b) { return a == b; }

template <typename T>
static bool equal(const std::vector<T> &a, const std::vector<T> &b) {
  return llvm::equal(a, b, [](const T &x, const T &y) { return equal(x, y); });
}

template <typename T>
static bool equal(const std::optional<T> &a, const std::optional<T> &b) {
  return a && b ? equal(*a, *b) : !a && !b;
}

static bool equal(const Argument &a, const Argument &b) {
  return equal(a.name, b.name) && equal(a.value, b.value);
}
static bool equal(const Subscript &a, const Subscript &b) {
  return a.kind == b.kind && equal(a.first, b.first) && equal(a.last, b.last);
}
static bool equal(const Suffix &a, const Suffix &b) {
  return equal(a.member, b.member) && equal(a.subscripts, b.subscripts);
}
static bool equal(const ParamBinding &a, const ParamBinding &b) {
  return equal(a.name, b.name) && equal(a.value, b.value) &&
         equal(a.low, b.low) && equal(a.high, b.high);
}

bool operator==(const Expr &a, const Expr &b) {
  if (a.kind != b.kind)
    return false;
  return llvm::TypeSwitch<const Expr *, bool>(&a)
      .Case([&](const Number *x) {
        auto *y = llvm::cast<Number>(&b);
        return x->isReal == y->isReal && x->integer == y->integer &&
               x->real == y->real;
      })
      .Case([&](const NameRef *x) {
        return x->name == llvm::cast<NameRef>(&b)->name;
      })
      .Case([&](const Call *x) {
        auto *y = llvm::cast<Call>(&b);
        return equal(x->callee, y->callee) && equal(x->arguments, y->arguments);
      })
      .Case([&](const Prefix *x) {
        auto *y = llvm::cast<Prefix>(&b);
        return x->op == y->op && x->count == y->count &&
               equal(x->operand, y->operand);
      })
      .Case([&](const Chain *x) {
        auto *y = llvm::cast<Chain>(&b);
        return x->operators == y->operators && equal(x->operands, y->operands);
      })
      .Case([&](const Compare *x) {
        auto *y = llvm::cast<Compare>(&b);
        return x->op == y->op && equal(x->lhs, y->lhs) && equal(x->rhs, y->rhs);
      })
      .Case([&](const Postfix *x) {
        auto *y = llvm::cast<Postfix>(&b);
        return equal(x->base, y->base) && equal(x->suffixes, y->suffixes);
      });
}

bool operator==(const Statement &a, const Statement &b) {
  if (a.kind != b.kind)
    return false;
  return llvm::TypeSwitch<const Statement *, bool>(&a)
      .Case([&](const Param *x) {
        return equal(x->bindings, llvm::cast<Param>(&b)->bindings);
      })
      .Case([&](const Input *x) {
        auto *y = llvm::cast<Input>(&b);
        return equal(x->names, y->names) &&
               equal(x->elementType, y->elementType) &&
               equal(x->extents, y->extents);
      })
      .Case([&](const Let *x) {
        auto *y = llvm::cast<Let>(&b);
        return equal(x->name, y->name) && equal(x->value, y->value);
      })
      .Case([&](const Carry *x) {
        auto *y = llvm::cast<Carry>(&b);
        return equal(x->name, y->name) && equal(x->value, y->value);
      })
      .Case([&](const Role *x) {
        auto *y = llvm::cast<Role>(&b);
        return x->role == y->role && equal(x->value, y->value);
      })
      .Case([&](const State *x) {
        auto *y = llvm::cast<State>(&b);
        return x->isReverse == y->isReverse && equal(x->name, y->name) &&
               equal(x->initial, y->initial) && equal(x->value, y->value);
      })
      .Case([&](const Repeat *x) {
        auto *y = llvm::cast<Repeat>(&b);
        return equal(x->counter, y->counter) && equal(x->count, y->count) &&
               equal(x->body, y->body);
      })
      .Case([&](const Branch *x) {
        auto *y = llvm::cast<Branch>(&b);
        return equal(x->name, y->name) && equal(x->counter, y->counter) &&
               equal(x->count, y->count) && equal(x->body, y->body);
      });
}

bool operator==(const Definition &a, const Definition &b) {
  return equal(a.name, b.name) && equal(a.statements, b.statements);
}

bool operator==(const File &a, const File &b) {
  return equal(a.definitions, b.definitions);
}

} // namespace rapt::frontend
