// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// Statements, definitions and files as Spirit X3 rules, with their recovery
/// from errors. Included by Parser.cpp alone, as is Grammar.h.

#pragma once

#include "lib/Frontend/Grammar.h"

namespace rapt::frontend::grammar {

/// Matches, without consuming it, any token that does not end a block.
struct InBlockTerminal : x3::parser<InBlockTerminal> {
  using attribute_type = x3::unused_type;
  static constexpr bool has_attribute = false;
  template <typename Iterator, typename Context, typename RContext,
            typename Target>
  bool parse(Iterator &first, const Iterator &, const Context &context,
             RContext &, Target &) const {
    const Token &token = x3::get<StateTag>(context).peek(first);
    return token.kind != TokenKind::End && !token.isSign("}") &&
           !token.isKeyword("attention");
  }
};

/// Matches, without consuming it, anything but the end of the text.
struct InFileTerminal : x3::parser<InFileTerminal> {
  using attribute_type = x3::unused_type;
  static constexpr bool has_attribute = false;
  template <typename Iterator, typename Context, typename RContext,
            typename Target>
  bool parse(Iterator &first, const Iterator &, const Context &context,
             RContext &, Target &) const {
    return x3::get<StateTag>(context).peek(first).kind != TokenKind::End;
  }
};

constexpr InBlockTerminal inBlock;
constexpr InFileTerminal inFile;

//===----------------------------------------------------------------------===//
// Error handling
//===----------------------------------------------------------------------===//

/// A statement that fails is reported and left at the next one.
struct RecoverAtStatement {
  template <typename Iterator, typename Failure, typename Context>
  x3::error_handler_result on_error(Iterator &first, const Iterator &,
                                    const Failure &failure,
                                    const Context &context) {
    ParserState &state = x3::get<StateTag>(context);
    state.reportExpected(first, failure.where(), failure.which());
    first = state.nextStatement(first, failure.where());
    return x3::error_handler_result::accept;
  }
};

/// A definition that fails in its head or at its end, likewise.
struct RecoverAtDefinition {
  template <typename Iterator, typename Failure, typename Context>
  x3::error_handler_result on_error(Iterator &first, const Iterator &,
                                    const Failure &failure,
                                    const Context &context) {
    ParserState &state = x3::get<StateTag>(context);
    state.reportExpected(first, failure.where(), failure.which());
    first = state.nextDefinition(failure.where());
    return x3::error_handler_result::accept;
  }
};

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

template <typename Node>
constexpr auto begin = [](auto &context) {
  auto node = std::make_unique<Node>();
  node->keyword = x3::_attr(context);
  x3::_val(context) = std::move(node);
};

/// Sets one member of the node that a rule builds.
template <auto Node>
constexpr auto set = [](auto &context) {
  (*x3::_val(context)).*Node = std::move(x3::_attr(context));
};
template <auto Node>
constexpr auto setExpr =
    [](auto &context) { (*x3::_val(context)).*Node = takeExpr(context); };

// param

constexpr auto setBindingName = [](auto &context) {
  x3::_val(context).name = std::move(x3::_attr(context));
};
constexpr auto setBindingValue = [](auto &context) {
  x3::_val(context).value = takeExpr(context);
};
constexpr auto setLow = [](auto &context) {
  x3::_val(context).low = takeExpr(context);
};
constexpr auto setHigh = [](auto &context) {
  x3::_val(context).high = takeExpr(context);
};
const x3::rule<struct BindingTag, ParamBinding> binding = "name";
const auto binding_def = name[setBindingName] >
                         sign("=", "'='") > sum[setBindingValue] >
                         -(keyword("in") > sum[setLow] > sign("..", "'..'") >
                           sum[setHigh]);

constexpr auto addBinding = [](auto &context) {
  ParamBinding &binding = x3::_attr(context);
  binding.range = {binding.name.range.begin, lastEnd(context)};
  x3::_val(context)->bindings.push_back(std::move(binding));
};
const x3::rule<struct ParamTag, std::unique_ptr<Param>> param = "statement";
const auto param_def = keyword("param")[begin<Param>] > binding[addBinding] >
                       *(sign(",", "','") > binding[addBinding]);

// input

constexpr auto addInputName = [](auto &context) {
  x3::_val(context)->names.push_back(std::move(x3::_attr(context)));
};
constexpr auto setElementType = [](auto &context) {
  x3::_val(context)->elementType = std::move(x3::_attr(context));
};
constexpr auto addExtent = [](auto &context) {
  auto &extents = x3::_val(context)->extents;
  if (!extents)
    extents.emplace();
  extents->push_back(takeExpr(context));
};
const x3::rule<struct InputTag, std::unique_ptr<Input>> input = "statement";
const auto input_def = keyword("input")[begin<Input>] > name[addInputName] >
                       *(sign(",", "','") > name[addInputName]) >
                       sign(":", "',' or ':'") > -name[setElementType] >
                       -(sign("[", "'['") > sum[addExtent] >
                         *(sign(",", "','") > sum[addExtent]) >
                         sign("]", "',' or ']'"));

// let, carry, mask, score, weight, out, state

const x3::rule<struct LetTag, std::unique_ptr<Let>> let = "statement";
const auto let_def = keyword("let")[begin<Let>] > name[set<&Let::name>] >
                     sign("=", "'='") > expression[setExpr<&Let::value>];

const x3::rule<struct CarryTag, std::unique_ptr<Carry>> carry = "statement";
const auto carry_def = keyword("carry")[begin<Carry>] >
                       name[set<&Carry::name>] >
                       sign("=", "'='") > expression[setExpr<&Carry::value>];

constexpr auto beginRole(RoleKind role) {
  return [role](auto &context) {
    begin<Role>(context);
    x3::_val(context)->role = role;
  };
}
const x3::rule<struct RoleTag, std::unique_ptr<Role>> role = "statement";
const auto role_def = (keyword("mask")[beginRole(RoleKind::Mask)] |
                       keyword("score")[beginRole(RoleKind::Score)] |
                       keyword("weight")[beginRole(RoleKind::Weight)] |
                       keyword("out")[beginRole(RoleKind::Out)]) >
                      sign("=", "'='") > expression[setExpr<&Role::value>];

constexpr auto beginReverse = [](auto &context) {
  begin<State>(context);
  x3::_val(context)->isReverse = true;
};
const x3::rule<struct StateStatementTag, std::unique_ptr<State>> state =
    "statement";
const auto state_def =
    ((keyword("reverse")[beginReverse] > keyword("state", "'state'")) |
     keyword("state")[begin<State>]) > name[set<&State::name>] >
    -(keyword("from") > expression[setExpr<&State::initial>]) >
    sign("=", "'from' or '='") > expression[setExpr<&State::value>];

// repeat, branch

constexpr auto addToBody = [](auto &context) {
  x3::_val(context)->body.push_back(std::move(x3::_attr(context)));
};

/// An element of the `alternatives` below: any statement as a statement.
constexpr auto setStatement = [](auto &context) {
  auto node = std::move(x3::_attr(context));
  node->range = {node->keyword.begin, lastEnd(context)};
  x3::_val(context) = std::move(node);
};

struct StepTag : RecoverAtStatement {};
const x3::rule<struct StepBodyTag, StatementPtr> stepBody =
    "'let', 'state' or '}'";
const auto stepBody_def = let[setStatement] | state[setStatement];
const x3::rule<StepTag, StatementPtr> step = "statement";
const auto step_def = inBlock > stepBody[setName];

const x3::rule<struct RepeatTag, std::unique_ptr<Repeat>> repeat = "statement";
const auto repeat_def = keyword("repeat")[begin<Repeat>] >
                        name[set<&Repeat::counter>] >
                        sign("<", "'<'") > sum[setExpr<&Repeat::count>] >
                        sign("{", "'{'") > *step[addToBody] >
                        sign("}", "'let', 'state' or '}'");

struct StatementTag : RecoverAtStatement {};
const x3::rule<StatementTag, StatementPtr> statement = "statement";

const x3::rule<struct BranchTag, std::unique_ptr<Branch>> branch = "statement";
const auto branch_def = keyword("branch")[begin<Branch>] >
                        name[set<&Branch::name>] >
                        -(sign("[", "'['") > name[set<&Branch::counter>] >
                          sign("<", "'<'") > sum[setExpr<&Branch::count>] >
                          sign("]", "']'")) > sign("{", "'[' or '{'") >
                        *statement[addToBody] > sign("}", "statement or '}'");

const x3::rule<struct StatementBodyTag, StatementPtr> statementBody =
    "statement or '}'";
const auto statementBody_def = param[setStatement] | input[setStatement] |
                               let[setStatement] | carry[setStatement] |
                               role[setStatement] | state[setStatement] |
                               repeat[setStatement] | branch[setStatement];
const auto statement_def = inBlock > statementBody[setName];

//===----------------------------------------------------------------------===//
// File
//===----------------------------------------------------------------------===//

constexpr auto beginDefinition = [](auto &context) {
  x3::_val(context).range = x3::_attr(context);
};
constexpr auto setDefinitionName = [](auto &context) {
  x3::_val(context).name = std::move(x3::_attr(context));
};
constexpr auto addStatement = [](auto &context) {
  x3::_val(context).statements.push_back(std::move(x3::_attr(context)));
};
struct DefinitionTag : RecoverAtDefinition {};
const x3::rule<DefinitionTag, Definition> definition = "'attention'";
const auto definition_def =
    x3::expect[keyword("attention", "'attention'")[beginDefinition]] >
    name[setDefinitionName] > sign("{", "'{'") > *statement[addStatement] >
    sign("}", "statement or '}'");

constexpr auto addDefinition = [](auto &context) {
  Definition &definition = x3::_attr(context);
  definition.range.end = lastEnd(context);
  x3::_val(context).definitions.push_back(std::move(definition));
};
const x3::rule<struct FileTag, File> file = "file";
const auto file_def = definition[addDefinition] >>
                      *(inFile >> definition[addDefinition]);

BOOST_SPIRIT_DEFINE(binding, param, input, let, carry, role, state, stepBody,
                    step, repeat, branch, statementBody, statement, definition,
                    file)

} // namespace rapt::frontend::grammar
