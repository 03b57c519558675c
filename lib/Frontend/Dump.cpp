// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// The indented tree that `--emit=ast` shows.

#include "lib/Frontend/Printer.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

namespace rapt::frontend {

namespace {
class Dumper {
public:
  explicit Dumper(llvm::raw_ostream &os) : os(os) {}

  void dump(const Definition &definition);

private:
  /// Starts a line; what is dumped while the scope lives stands below it.
  struct Line {
    Line(Dumper &dumper, llvm::StringRef head) : dumper(dumper) {
      dumper.os.indent(2 * dumper.depth++) << head << '\n';
    }
    ~Line() { --dumper.depth; }
    Dumper &dumper;
  };

  void dump(const Expr &expr);
  void dump(llvm::StringRef label, const ExprPtr &expr);
  void dump(const Suffix &suffix);
  void dump(const Statement &statement);
  void dumpBody(const std::vector<StatementPtr> &body);

  llvm::raw_ostream &os;
  unsigned depth = 0;
};
} // namespace

void Dumper::dump(llvm::StringRef label, const ExprPtr &expr) {
  if (!expr)
    return;
  Line line(*this, label);
  dump(*expr);
}

void Dumper::dump(const Suffix &suffix) {
  if (suffix.member) {
    Line line(*this, "member " + suffix.member->text);
    return;
  }
  Line line(*this, "subscripts");
  for (const Subscript &subscript : suffix.subscripts) {
    if (subscript.kind == Subscript::Kind::All) {
      Line all(*this, "all");
    } else if (subscript.kind == Subscript::Kind::Index) {
      dump(*subscript.first);
    } else {
      Line slice(*this, "slice");
      dump(*subscript.first);
      dump(*subscript.last);
    }
  }
}

void Dumper::dump(const Expr &expr) {
  llvm::TypeSwitch<const Expr *>(&expr)
      .Case([&](const Number *number) {
        Line line(*this, (number->isReal ? "real " : "integer ") + str(expr));
      })
      .Case([&](const NameRef *ref) { Line line(*this, "name " + ref->name); })
      .Case([&](const Call *call) {
        Line line(*this, "call " + call->callee.text);
        for (const Argument &argument : call->arguments) {
          if (argument.name)
            dump(argument.name->text + " =", argument.value);
          else
            dump(*argument.value);
        }
      })
      .Case([&](const Prefix *prefix) {
        Line line(*this, "prefix " + std::string(spelling(prefix->op)) + " x" +
                             std::to_string(prefix->count));
        dump(*prefix->operand);
      })
      .Case([&](const Chain *chain) {
        std::string head = "chain";
        for (ChainOp op : chain->operators)
          head += std::string(" ") + spelling(op);
        Line line(*this, head);
        for (const ExprPtr &operand : chain->operands)
          dump(*operand);
      })
      .Case([&](const Compare *compare) {
        Line line(*this, std::string("compare ") + spelling(compare->op));
        dump(*compare->lhs);
        dump(*compare->rhs);
      })
      .Case([&](const Postfix *postfix) {
        Line line(*this, "postfix");
        dump(*postfix->base);
        for (const Suffix &suffix : postfix->suffixes)
          dump(suffix);
      });
}

void Dumper::dumpBody(const std::vector<StatementPtr> &body) {
  for (const StatementPtr &statement : body)
    dump(*statement);
}

void Dumper::dump(const Statement &statement) {
  llvm::TypeSwitch<const Statement *>(&statement)
      .Case([&](const Param *param) {
        for (const ParamBinding &binding : param->bindings) {
          Line line(*this, "param " + binding.name.text);
          dump(*binding.value);
          dump("low", binding.low);
          dump("high", binding.high);
        }
      })
      .Case([&](const Input *input) {
        for (const Name &name : input->names) {
          std::string head = "input " + name.text;
          if (input->elementType)
            head += ": " + input->elementType->text;
          Line line(*this, head);
          if (input->extents)
            for (const ExprPtr &extent : *input->extents)
              dump(*extent);
        }
      })
      .Case([&](const Let *let) { dump("let " + let->name.text, let->value); })
      .Case([&](const Carry *carry) {
        dump("carry " + carry->name.text, carry->value);
      })
      .Case([&](const Role *role) { dump(spelling(role->role), role->value); })
      .Case([&](const State *state) {
        Line line(*this, (state->isReverse ? "reverse state " : "state ") +
                             state->name.text);
        dump("from", state->initial);
        dump(*state->value);
      })
      .Case([&](const Repeat *repeat) {
        Line line(*this, "repeat " + repeat->counter.text);
        dump("count", repeat->count);
        dumpBody(repeat->body);
      })
      .Case([&](const Branch *branch) {
        std::string head = "branch " + branch->name.text;
        if (branch->counter)
          head += "[" + branch->counter->text + "]";
        Line line(*this, head);
        dump("count", branch->count);
        dumpBody(branch->body);
      });
}

void Dumper::dump(const Definition &definition) {
  Line line(*this, "attention " + definition.name.text);
  dumpBody(definition.statements);
}

void dump(const File &file, llvm::raw_ostream &os) {
  for (const Definition &definition : file.definitions)
    Dumper(os).dump(definition);
}

} // namespace rapt::frontend
