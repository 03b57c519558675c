// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// The terminals and expressions of the attention language as Spirit X3 rules
/// that build the tree; StatementGrammar.h has the rest. Included by Parser.cpp
/// alone: Spirit is slow to compile, and the rules throw
/// x3::expectation_failure, which must not leave that file.
///
/// Every alternative is chosen by its first token (an argument's `name =` by
/// two), so a text is parsed in linear time.

#pragma once

#include "lib/Frontend/Ast.h"
#include "lib/Frontend/ParserState.h"
#include <boost/spirit/home/x3.hpp>

/// The words of a terminal in "expected ..."; an action adds none.
template <typename Parser>
struct boost::spirit::x3::get_info<
    Parser, std::void_t<decltype(std::declval<Parser>().expected)>> {
  using result_type = std::string;
  std::string operator()(const Parser &parser) const { return parser.expected; }
};
template <typename Subject, typename Action>
struct boost::spirit::x3::get_info<boost::spirit::x3::action<Subject, Action>> {
  using result_type = std::string;
  std::string operator()(const action<Subject, Action> &parser) const {
    return what(parser.subject);
  }
};

namespace rapt::frontend::grammar {

namespace x3 = boost::spirit::x3;

struct StateTag;

//===----------------------------------------------------------------------===//
// Terminals
//===----------------------------------------------------------------------===//

/// A parser of one token. Derived gives matches(state, token), value(state,
/// token) and expected, the words for a message.
template <typename Derived, typename Attribute>
struct Terminal : x3::parser<Derived> {
  using attribute_type = Attribute;
  static constexpr bool has_attribute = true;

  template <typename Iterator, typename Context, typename RContext,
            typename Target>
  bool parse(Iterator &first, const Iterator &, const Context &context,
             RContext &, Target &target) const {
    ParserState &state = x3::get<StateTag>(context);
    const Token token = state.peek(first);
    if (!this->derived().matches(state, token))
      return false;
    state.accept(first, token);
    if constexpr (!std::is_same_v<std::remove_const_t<Target>, x3::unused_type>)
      target = this->derived().value(state, token);
    return true;
  }
};

struct SignTerminal : Terminal<SignTerminal, SourceRange> {
  constexpr SignTerminal(const char *sign, const char *expected)
      : sign(sign), expected(expected) {}
  bool matches(ParserState &, const Token &token) const {
    return token.isSign(sign);
  }
  SourceRange value(ParserState &, const Token &token) const {
    return token.range;
  }
  const char *sign;
  const char *expected;
};

struct KeywordTerminal : Terminal<KeywordTerminal, SourceRange> {
  constexpr KeywordTerminal(const char *word, const char *expected)
      : word(word), expected(expected) {}
  bool matches(ParserState &, const Token &token) const {
    return token.isKeyword(word);
  }
  SourceRange value(ParserState &, const Token &token) const {
    return token.range;
  }
  const char *word;
  const char *expected;
};

/// A word that is not reserved.
struct NameTerminal : Terminal<NameTerminal, Name> {
  explicit constexpr NameTerminal(const char *expected) : expected(expected) {}
  bool matches(ParserState &, const Token &token) const {
    return token.kind == TokenKind::Word;
  }
  Name value(ParserState &, const Token &token) const {
    return {token.text.str(), token.range};
  }
  const char *expected;
};

/// A word after `.`: `branch.weight` is one, so keywords are allowed.
struct MemberTerminal : Terminal<MemberTerminal, Name> {
  bool matches(ParserState &, const Token &token) const {
    return token.kind == TokenKind::Word || token.kind == TokenKind::Keyword;
  }
  Name value(ParserState &, const Token &token) const {
    return {token.text.str(), token.range};
  }
  const char *expected = "member name";
};

/// A name in an expression: also mask, score and weight, unless `=` follows,
/// which begins the next statement.
struct ValueNameTerminal : Terminal<ValueNameTerminal, Name> {
  bool matches(ParserState &state, const Token &token) const {
    if (token.kind == TokenKind::Word)
      return true;
    return isRoleKeyword(token) && !token.isKeyword("out") &&
           !scanToken(state.source(), token.range.end).isSign("=");
  }
  Name value(ParserState &, const Token &token) const {
    return {token.text.str(), token.range};
  }
  const char *expected = "expression";
};

struct NumberTerminal : Terminal<NumberTerminal, ExprPtr> {
  bool matches(ParserState &, const Token &token) const {
    return token.kind == TokenKind::Number;
  }
  ExprPtr value(ParserState &state, const Token &token) const {
    auto number = std::make_unique<Number>();
    number->range = token.range;
    state.convert(token, number->isReal, number->integer, number->real);
    return number;
  }
  const char *expected = "expression";
};

constexpr SignTerminal sign(const char *text, const char *expected) {
  return {text, expected};
}
constexpr KeywordTerminal keyword(const char *word, const char *expected = "") {
  return {word, expected};
}
constexpr NameTerminal name{"name"};
constexpr MemberTerminal member;
constexpr ValueNameTerminal valueName;
constexpr NumberTerminal number;

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

/// What a rule of one level has seen; finish() makes it a node, or the only
/// operand itself.
struct Operands {
  std::vector<ExprPtr> operands;
  std::vector<ChainOp> operators;
  std::vector<SourceRange> operatorRanges;
};

struct PrefixRun {
  Prefix::Op op = Prefix::Op::Negate;
  unsigned count = 0;
  uint32_t begin = 0;
  ExprPtr operand;
};

struct Comparison {
  std::vector<ExprPtr> operands;
  CompareOp op = CompareOp::Eq;
  SourceRange opRange;
};

struct Suffixed {
  ExprPtr base;
  std::vector<Suffix> suffixes;
};

inline ExprPtr finish(ExprPtr expr) { return expr; }

inline ExprPtr finish(Operands &&parts) {
  if (parts.operands.size() == 1)
    return std::move(parts.operands.front());
  auto chain = std::make_unique<Chain>();
  chain->range = {parts.operands.front()->range.begin,
                  parts.operands.back()->range.end};
  chain->operands = std::move(parts.operands);
  chain->operators = std::move(parts.operators);
  chain->operatorRanges = std::move(parts.operatorRanges);
  return chain;
}

inline ExprPtr finish(PrefixRun &&run) {
  if (run.count == 0)
    return std::move(run.operand);
  auto prefix = std::make_unique<Prefix>();
  prefix->range = {run.begin, run.operand->range.end};
  prefix->op = run.op;
  prefix->count = run.count;
  prefix->operand = std::move(run.operand);
  return prefix;
}

inline ExprPtr finish(Comparison &&parts) {
  if (parts.operands.size() == 1)
    return std::move(parts.operands.front());
  auto compare = std::make_unique<Compare>();
  compare->range = {parts.operands.front()->range.begin,
                    parts.operands.back()->range.end};
  compare->op = parts.op;
  compare->opRange = parts.opRange;
  compare->lhs = std::move(parts.operands.front());
  compare->rhs = std::move(parts.operands.back());
  return compare;
}

inline ExprPtr finish(Suffixed &&parts) {
  if (parts.suffixes.empty())
    return std::move(parts.base);
  auto postfix = std::make_unique<Postfix>();
  postfix->range = {parts.base->range.begin, parts.suffixes.back().range.end};
  postfix->base = std::move(parts.base);
  postfix->suffixes = std::move(parts.suffixes);
  return postfix;
}

template <typename Context> uint32_t lastEnd(const Context &context) {
  return x3::get<StateTag>(context).lastEnd();
}

/// The expression that the parser before the action has made.
template <typename Context> ExprPtr takeExpr(Context &context) {
  return finish(std::move(x3::_attr(context)));
}

constexpr auto addOperand = [](auto &context) {
  x3::_val(context).operands.push_back(takeExpr(context));
};

constexpr auto chainOp(ChainOp op) {
  return [op](auto &context) {
    x3::_val(context).operators.push_back(op);
    x3::_val(context).operatorRanges.push_back(x3::_attr(context));
  };
}

constexpr auto compareOp(CompareOp op) {
  return [op](auto &context) {
    x3::_val(context).op = op;
    x3::_val(context).opRange = x3::_attr(context);
  };
}

constexpr auto prefixOp(Prefix::Op op) {
  return [op](auto &context) {
    PrefixRun &run = x3::_val(context);
    run.op = op;
    if (run.count++ == 0)
      run.begin = x3::_attr(context).begin;
  };
}

constexpr auto setOperand = [](auto &context) {
  x3::_val(context).operand = takeExpr(context);
};

const x3::rule<struct OrTag, Operands> expression = "expression";
const x3::rule<struct AndTag, Operands> conjunction = "expression";
const x3::rule<struct NotTag, PrefixRun> negation = "expression";
const x3::rule<struct CompareTag, Comparison> comparison = "expression";
const x3::rule<struct SumTag, Operands> sum = "expression";
const x3::rule<struct TermTag, Operands> term = "expression";
const x3::rule<struct UnaryTag, PrefixRun> unary = "expression";
const x3::rule<struct PostfixTag, Suffixed> postfix = "expression";
const x3::rule<struct PrimaryTag, ExprPtr> primary = "expression";
const x3::rule<struct CallTag, std::unique_ptr<Call>> nameOrCall = "expression";
const x3::rule<struct ArgumentTag, Argument> argument = "expression";
const x3::rule<struct SubscriptTag, Subscript> subscript = "subscript";
const x3::rule<struct SuffixTag, Suffix> suffix = "subscript";

const auto expression_def = conjunction[addOperand] >>
                            *(sign("|", "'|'")[chainOp(ChainOp::Or)] >
                              conjunction[addOperand]);

const auto conjunction_def = negation[addOperand] >>
                             *(sign("&", "'&'")[chainOp(ChainOp::And)] >
                               negation[addOperand]);

const auto negation_def =
    *sign("!", "'!'")[prefixOp(Prefix::Op::Not)] >> comparison[setOperand];

const auto comparison_def = sum[addOperand] >>
                            -((sign("==", "'=='")[compareOp(CompareOp::Eq)] |
                               sign("!=", "'!='")[compareOp(CompareOp::Ne)] |
                               sign("<=", "'<='")[compareOp(CompareOp::Le)] |
                               sign("<", "'<'")[compareOp(CompareOp::Lt)] |
                               sign(">=", "'>='")[compareOp(CompareOp::Ge)] |
                               sign(">", "'>'")[compareOp(CompareOp::Gt)] |
                               keyword("in")[compareOp(CompareOp::In)]) >
                              sum[addOperand]);

const auto sum_def = term[addOperand] >>
                     *((sign("+", "'+'")[chainOp(ChainOp::Add)] |
                        sign("-", "'-'")[chainOp(ChainOp::Sub)]) >
                       term[addOperand]);

const auto term_def = unary[addOperand] >>
                      *((sign("*", "'*'")[chainOp(ChainOp::Mul)] |
                         sign("/", "'/'")[chainOp(ChainOp::Div)] |
                         sign("%", "'%'")[chainOp(ChainOp::Mod)]) >
                        unary[addOperand]);

const auto unary_def =
    *sign("-", "'-'")[prefixOp(Prefix::Op::Negate)] >> postfix[setOperand];

constexpr auto setBase = [](auto &context) {
  x3::_val(context).base = takeExpr(context);
};
constexpr auto addSuffix = [](auto &context) {
  Suffix &suffix = x3::_attr(context);
  suffix.range.end = lastEnd(context);
  x3::_val(context).suffixes.push_back(std::move(suffix));
};

const auto postfix_def = primary[setBase] >> *suffix[addSuffix];

constexpr auto setSuffixBegin = [](auto &context) {
  x3::_val(context).range = x3::_attr(context);
};
constexpr auto setMember = [](auto &context) {
  x3::_val(context).member = std::move(x3::_attr(context));
};
constexpr auto addSubscript = [](auto &context) {
  Subscript &subscript = x3::_attr(context);
  subscript.range.end = lastEnd(context);
  x3::_val(context).subscripts.push_back(std::move(subscript));
};

const auto suffix_def =
    (sign("[", "'['")[setSuffixBegin] > subscript[addSubscript] >
     *(sign(",", "','") > subscript[addSubscript]) > sign("]", "',' or ']'")) |
    (sign(".", "'.'")[setSuffixBegin] > member[setMember]);

constexpr auto setAll = [](auto &context) {
  x3::_val(context).range = x3::_attr(context);
};
constexpr auto setFirst = [](auto &context) {
  Subscript &subscript = x3::_val(context);
  subscript.kind = Subscript::Kind::Index;
  subscript.first = takeExpr(context);
  subscript.range = subscript.first->range;
};
constexpr auto setLast = [](auto &context) {
  Subscript &subscript = x3::_val(context);
  subscript.kind = Subscript::Kind::Slice;
  subscript.last = takeExpr(context);
};

const auto subscript_def =
    sign(":", "':'")[setAll] |
    (expression[setFirst] >> -(sign(":", "':'") > expression[setLast]));

/// The range of a parenthesised expression includes the parentheses.
constexpr auto openGroup = [](auto &context) {
  x3::_val(context).begin = x3::_attr(context).begin;
};

struct Group {
  uint32_t begin = 0;
  ExprPtr inner;
};
constexpr auto setInner = [](auto &context) {
  x3::_val(context).inner = takeExpr(context);
};
inline ExprPtr finish(Group &&group) { return std::move(group.inner); }
const x3::rule<struct GroupTag, Group> group = "expression";
const auto group_def = sign("(", "'('")[openGroup] > expression[setInner] >
                       sign(")", "')'");

constexpr auto setPrimary = [](auto &context) {
  x3::_val(context) = std::move(x3::_attr(context));
};
constexpr auto setGroup = [](auto &context) {
  Group &group = x3::_attr(context);
  group.inner->range = {group.begin, lastEnd(context)};
  x3::_val(context) = std::move(group.inner);
};
/// A name without parentheses is a Call without a range until here.
constexpr auto setNameOrCall = [](auto &context) {
  std::unique_ptr<Call> call = std::move(x3::_attr(context));
  if (call->range.end != 0) {
    x3::_val(context) = std::move(call);
    return;
  }
  auto ref = std::make_unique<NameRef>();
  ref->range = call->callee.range;
  ref->name = std::move(call->callee.text);
  x3::_val(context) = std::move(ref);
};

const auto primary_def =
    number[setPrimary] | group[setGroup] | nameOrCall[setNameOrCall];

constexpr auto setCallee = [](auto &context) {
  x3::_val(context) = std::make_unique<Call>();
  x3::_val(context)->callee = std::move(x3::_attr(context));
};
constexpr auto addArgument = [](auto &context) {
  Argument &argument = x3::_attr(context);
  argument.range = argument.value->range;
  if (argument.name)
    argument.range.begin = argument.name->range.begin;
  x3::_val(context)->arguments.push_back(std::move(argument));
};
constexpr auto closeCall = [](auto &context) {
  Call &call = *x3::_val(context);
  call.range = {call.callee.range.begin, x3::_attr(context).end};
};

const auto nameOrCall_def = valueName[setCallee] >>
                            -(sign("(", "'('") >>
                              (sign(")", "')'")[closeCall] |
                               (x3::expect[argument[addArgument]] >
                                *(sign(",", "','") > argument[addArgument]) >
                                sign(")", "',' or ')'")[closeCall])));

constexpr auto setArgumentName = [](auto &context) {
  x3::_val(context).name = std::move(x3::_attr(context));
};
constexpr auto setArgumentValue = [](auto &context) {
  x3::_val(context).value = takeExpr(context);
};
const x3::rule<struct ArgumentNameTag, Name> argumentName = "name";
constexpr auto setName = [](auto &context) {
  x3::_val(context) = std::move(x3::_attr(context));
};
const auto argumentName_def = name[setName] >> sign("=", "'='");

const auto argument_def =
    (argumentName[setArgumentName] > expression[setArgumentValue]) |
    expression[setArgumentValue];

BOOST_SPIRIT_DEFINE(expression, conjunction, negation, comparison, sum, term,
                    unary, postfix, primary, nameOrCall, argument, argumentName,
                    subscript, suffix, group)

} // namespace rapt::frontend::grammar
