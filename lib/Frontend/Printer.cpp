// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Printer.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"
#include <charconv>

namespace rapt::frontend {

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

namespace {
/// Levels of the grammar, loose to tight.
enum class Level { Or, And, Not, Compare, Sum, Term, Negate, Postfix, Primary };
} // namespace

static Level tighter(Level level) {
  return static_cast<Level>(static_cast<int>(level) + 1);
}

static Level levelOf(const Expr &expr) {
  return llvm::TypeSwitch<const Expr *, Level>(&expr)
      .Case([](const Chain *chain) {
        switch (chain->operators.front()) {
        case ChainOp::Or:
          return Level::Or;
        case ChainOp::And:
          return Level::And;
        case ChainOp::Add:
        case ChainOp::Sub:
          return Level::Sum;
        default:
          return Level::Term;
        }
      })
      .Case([](const Prefix *prefix) {
        return prefix->op == Prefix::Op::Not ? Level::Not : Level::Negate;
      })
      .Case([](const Compare *) { return Level::Compare; })
      .Case([](const Postfix *) { return Level::Postfix; })
      .Default(Level::Primary);
}

static void printNumber(const Number &number, llvm::raw_ostream &os) {
  if (!number.isReal) {
    os << number.integer;
    return;
  }
  // The shortest digits that read back as the same double.
  char buffer[32];
  auto result = std::to_chars(buffer, std::end(buffer), number.real);
  llvm::StringRef digits(buffer, result.ptr - buffer);
  os << digits;
  if (digits.find_first_of(".e") == llvm::StringRef::npos)
    os << ".0"; // Else it would read back as an integer.
}

namespace {
class ExprPrinter {
public:
  explicit ExprPrinter(llvm::raw_ostream &os) : os(os) {}

  /// Prints in a place that takes expressions of `level` and tighter ones.
  void print(const Expr &expr, Level level = Level::Or);

private:
  void printArguments(const Call &call);
  void printSuffix(const Suffix &suffix);

  llvm::raw_ostream &os;
};
} // namespace

void ExprPrinter::printArguments(const Call &call) {
  os << call.callee.text << '(';
  llvm::interleaveComma(call.arguments, os, [&](const Argument &argument) {
    if (argument.name)
      os << argument.name->text << " = ";
    print(*argument.value);
  });
  os << ')';
}

void ExprPrinter::printSuffix(const Suffix &suffix) {
  if (suffix.member) {
    os << '.' << suffix.member->text;
    return;
  }
  os << '[';
  llvm::interleaveComma(suffix.subscripts, os, [&](const Subscript &subscript) {
    if (subscript.kind == Subscript::Kind::All) {
      os << ':';
      return;
    }
    print(*subscript.first);
    if (subscript.kind == Subscript::Kind::Slice) {
      os << ':';
      print(*subscript.last);
    }
  });
  os << ']';
}

void ExprPrinter::print(const Expr &expr, Level level) {
  Level own = levelOf(expr);
  bool isGrouped = own < level;
  if (isGrouped)
    os << '(';
  llvm::TypeSwitch<const Expr *>(&expr)
      .Case([&](const Number *number) { printNumber(*number, os); })
      .Case([&](const NameRef *ref) { os << ref->name; })
      .Case([&](const Call *call) { printArguments(*call); })
      .Case([&](const Prefix *prefix) {
        for (unsigned n = 0; n < prefix->count; ++n)
          os << spelling(prefix->op);
        print(*prefix->operand, tighter(own));
      })
      .Case([&](const Chain *chain) {
        print(*chain->operands.front(), tighter(own));
        for (size_t n = 0; n < chain->operators.size(); ++n) {
          os << ' ' << spelling(chain->operators[n]) << ' ';
          print(*chain->operands[n + 1], tighter(own));
        }
      })
      .Case([&](const Compare *compare) {
        print(*compare->lhs, tighter(own));
        os << ' ' << spelling(compare->op) << ' ';
        print(*compare->rhs, tighter(own));
      })
      .Case([&](const Postfix *postfix) {
        print(*postfix->base, tighter(own));
        for (const Suffix &suffix : postfix->suffixes)
          printSuffix(suffix);
      });
  if (isGrouped)
    os << ')';
}

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

namespace {
class StatementPrinter {
public:
  explicit StatementPrinter(llvm::raw_ostream &os) : os(os), expr(os) {}

  void print(const Definition &definition);

private:
  void print(const Statement &statement);
  void print(const Param &param);
  void print(const Input &input);
  void print(const State &state);
  void printBody(const std::vector<StatementPtr> &body);

  llvm::raw_ostream &os;
  ExprPrinter expr;
  unsigned indent = 0;
};
} // namespace

void StatementPrinter::printBody(const std::vector<StatementPtr> &body) {
  if (body.empty()) {
    os << "{}";
    return;
  }
  os << "{\n";
  indent += 2;
  for (const StatementPtr &statement : body) {
    os.indent(indent);
    print(*statement);
    os << '\n';
  }
  indent -= 2;
  os.indent(indent) << '}';
}

void StatementPrinter::print(const Param &param) {
  os << "param ";
  llvm::interleaveComma(param.bindings, os, [&](const ParamBinding &binding) {
    os << binding.name.text << " = ";
    expr.print(*binding.value, Level::Sum);
    if (!binding.low)
      return;
    os << " in ";
    expr.print(*binding.low, Level::Sum);
    os << " .. ";
    expr.print(*binding.high, Level::Sum);
  });
}

void StatementPrinter::print(const Input &input) {
  os << "input ";
  llvm::interleaveComma(input.names, os,
                        [&](const Name &name) { os << name.text; });
  os << ':';
  if (input.elementType)
    os << ' ' << input.elementType->text;
  if (!input.extents)
    return;
  os << (input.elementType ? "[" : " [");
  llvm::interleaveComma(*input.extents, os, [&](const ExprPtr &extent) {
    expr.print(*extent, Level::Sum);
  });
  os << ']';
}

void StatementPrinter::print(const State &state) {
  os << (state.isReverse ? "reverse state " : "state ") << state.name.text;
  if (state.initial) {
    os << " from ";
    expr.print(*state.initial);
  }
  os << " = ";
  expr.print(*state.value);
}

void StatementPrinter::print(const Statement &statement) {
  auto binding = [&](const char *word, const Name &name, const Expr &value) {
    os << word << ' ' << name.text << " = ";
    expr.print(value);
  };
  llvm::TypeSwitch<const Statement *>(&statement)
      .Case([&](const Param *param) { print(*param); })
      .Case([&](const Input *input) { print(*input); })
      .Case([&](const Let *let) { binding("let", let->name, *let->value); })
      .Case([&](const Carry *carry) {
        binding("carry", carry->name, *carry->value);
      })
      .Case([&](const Role *role) {
        os << spelling(role->role) << " = ";
        expr.print(*role->value);
      })
      .Case([&](const State *state) { print(*state); })
      .Case([&](const Repeat *repeat) {
        os << "repeat " << repeat->counter.text << " < ";
        expr.print(*repeat->count, Level::Sum);
        os << ' ';
        printBody(repeat->body);
      })
      .Case([&](const Branch *branch) {
        os << "branch " << branch->name.text;
        if (branch->counter) {
          os << '[' << branch->counter->text << " < ";
          expr.print(*branch->count, Level::Sum);
          os << ']';
        }
        os << ' ';
        printBody(branch->body);
      });
}

void StatementPrinter::print(const Definition &definition) {
  os << "attention " << definition.name.text << ' ';
  printBody(definition.statements);
  os << '\n';
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

void print(const Definition &definition, llvm::raw_ostream &os) {
  StatementPrinter(os).print(definition);
}

void print(const File &file, llvm::raw_ostream &os) {
  llvm::interleave(
      file.definitions,
      [&](const Definition &definition) { print(definition, os); },
      [&] { os << '\n'; });
}

void print(const Expr &expr, llvm::raw_ostream &os) {
  ExprPrinter(os).print(expr);
}

std::string str(const File &file) {
  std::string text;
  llvm::raw_string_ostream os(text);
  print(file, os);
  return text;
}

std::string str(const Expr &expr) {
  std::string text;
  llvm::raw_string_ostream os(text);
  print(expr, os);
  return text;
}

} // namespace rapt::frontend
