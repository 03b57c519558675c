// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The statements of one definition in their order, the defaults of what it
// leaves out, and the signature.

#include "lib/Frontend/Sema.h"
#include "lib/Frontend/Branches.h"
#include "lib/Frontend/Causality.h"
#include "lib/Frontend/Declarations.h"
#include "lib/Frontend/Expressions.h"
#include "lib/Frontend/PairwiseLoop.h"
#include "lib/Frontend/Recurrences.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace rapt::frontend {

using llvm::StringRef;

namespace {
class Analyzer {
public:
  Analyzer(const Definition &definition, const Instance &instance,
           support::DiagnosticEngine &diags, SymbolIndex *index = nullptr)
      : definition(definition), diags(diags),
        program(std::make_shared<Program>()), scope(*program, instance),
        b(program->graph, diags), declarations(definition, scope, b),
        expressions(b, scope),
        recurrences(definition.statements, scope, b, expressions),
        branches(scope, b, expressions,
                 [this](const Statement &statement) { visit(statement); }) {
    program->nameRange = definition.name.range;
    b.setIndex(index);
    if (index)
      index->keep(program);
  }

  std::optional<Spec> run();

private:
  void collectNames(llvm::ArrayRef<StatementPtr> statements);
  void visit(const Statement &statement);
  Node *makeSequence(const std::string &name, Node *value, SourceRange range);
  void visitRole(const Role &role);
  llvm::SmallVector<Node *> getRoots() const;
  void chooseAxes(llvm::ArrayRef<const InputTensor *> arguments);
  void checkWidths(llvm::ArrayRef<Node *> roots);
  std::optional<Spec> makeSpec();
  TensorSignature makeResult(StringRef name, Spec &spec);
  std::vector<TensorAxis> getStateAxes(const RecurrentState &state) const;
  void takeStates(std::vector<const InputTensor *> &arguments);

  const Definition &definition;
  support::DiagnosticEngine &diags;
  std::shared_ptr<Program> program;
  Scope scope;
  Builder b;
  Declarations declarations;
  ExpressionBuilder expressions;
  Recurrences recurrences;
  Branches branches;
};
} // namespace

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

/// For messages about names that are used above their definition.
void Analyzer::collectNames(llvm::ArrayRef<StatementPtr> statements) {
  for (const StatementPtr &statement : statements) {
    if (auto *let = llvm::dyn_cast<Let>(statement.get()))
      scope.allLets.try_emplace(let->name.text, let->name.range);
    if (auto *branch = llvm::dyn_cast<Branch>(statement.get()))
      scope.allLets.try_emplace(branch->name.text, branch->name.range);
    if (auto *repeat = llvm::dyn_cast<Repeat>(statement.get()))
      collectNames(repeat->body);
  }
}

void Analyzer::visit(const Statement &statement) {
  switch (statement.kind) {
  case Statement::Kind::Param:
  case Statement::Kind::Input:
    return;
  case Statement::Kind::Let: {
    auto &let = llvm::cast<Let>(statement);
    Node *value = expressions.build(*let.value).node;
    if (scope.recurrences && scope.recurrences->isState(let.name.text))
      b.error(let.name.range, "'" + let.name.text +
                                  "' is a state; expected 'state " +
                                  let.name.text + " = ...'");
    else
      scope.lets[let.name.text] = {
          makeSequence(let.name.text, value, let.value->range), let.name.range};
    b.bind(let.name.range, scope.lets[let.name.text].node);
    scope.branches.erase(let.name.text);
    return;
  }
  case Statement::Kind::Role:
    return visitRole(llvm::cast<Role>(statement));
  case Statement::Kind::Carry: {
    auto &carry = llvm::cast<Carry>(statement);
    scope.lets[carry.name.text] = {buildCarry(carry, b, expressions, scope),
                                   carry.name.range};
    b.bind(carry.name.range, scope.lets[carry.name.text].node);
    return;
  }
  case Statement::Kind::State:
    return scope.recurrences->visit(llvm::cast<State>(statement));
  case Statement::Kind::Repeat:
    if (!scope.recurrences) {
      b.error(statement.keyword,
              "'repeat' is about the steps of states, and there is no state");
      return;
    }
    return scope.recurrences->visit(llvm::cast<Repeat>(statement));
  case Statement::Kind::Branch:
    return branches.visit(llvm::cast<Branch>(statement));
  }
}

/// `q` stands for queries, `k` and `v` for keys. Rows over keys given to `q`
/// are read at the query's position, rows over queries given to `k` or `v` at
/// the key's; of a matrix that does not vary over its side the first feature
/// axis becomes that side.
Node *Analyzer::makeSequence(const std::string &name, Node *value,
                             SourceRange range) {
  bool isQuery = name == "q";
  bool isOperand = isQuery || name == "k" || name == "v";
  if (!isOperand || scope.recurrences || value->isPoison())
    return value;
  if (isQuery && value->isRow() && value->variesOver(VariesKey) &&
      !value->variesOver(VariesQuery) && !value->keyAxis)
    return b.atKey(value, {b.place(Op::QueryPosition), range});
  bool readsRole = false;
  walk(value, [&](Node *node) { readsRole |= node->op == Op::RoleValue; });
  if (!isQuery && value->isRow() && value->variesOver(VariesQuery) &&
      !value->variesOver(VariesKey) && !value->queryAxis && !readsRole)
    return b.queryAtKey(value, range);
  if (!value->isMatrix() || value->variesOver(VariesPair))
    return value;
  const SequenceAxis *axis =
      program->getFeatureAxis(isQuery, value->features.front());
  return b.rowAt(value, b.place(isQuery ? Op::Row : Op::KeyPosition, axis),
                 range);
}

void Analyzer::visitRole(const Role &role) {
  Binding binding{nullptr, role.keyword};
  if (auto first = scope.roles.find(role.role); first != scope.roles.end()) {
    diags
        .error(role.keyword,
               llvm::Twine("'") + spelling(role.role) + "' is given twice")
        .note(first->second.range, "first given here");
    return;
  }
  Operand value = expressions.build(*role.value);
  Node *node = value.node;
  auto reject = [&](const char *expected) {
    return b.error(value.range, llvm::Twine("expected ") + expected + " for '" +
                                    spelling(role.role) + "', found " +
                                    describe(*node));
  };
  if (node->isPoison())
    binding.node = node;
  else if (role.role == RoleKind::Mask)
    binding.node = node->isScalar() && node->scalar == Scalar::Boolean
                       ? node
                       : reject("a boolean per pair");
  else if (role.role == RoleKind::Out)
    binding.node = node->isRow() && node->scalar != Scalar::Boolean
                       ? b.toReal(value)
                       : reject("a row per query");
  else if (node->isRow() && node->scalar != Scalar::Boolean)
    binding.node = b.toReal(value); // a number per pair and feature
  else
    binding.node = node->isScalar() && node->scalar != Scalar::Boolean
                       ? b.toReal(value)
                       : reject("a number per pair");
  scope.roles[role.role] = binding;
  b.bind(role.keyword, binding.node);
}

//===----------------------------------------------------------------------===//
// Signature
//===----------------------------------------------------------------------===//

/// Every expression of the loop and of what is made of its result.
llvm::SmallVector<Node *> Analyzer::getRoots() const {
  llvm::SmallVector<Node *> roots;
  for (Node *root : {program->mask, program->score, program->factor,
                     program->sink, program->values, program->out})
    if (root)
      roots.push_back(root);
  for (const RecurrentState &state : program->states)
    roots.append({state.initial, state.after});
  return roots;
}

/// Which axes are the batch and the heads of the result, and whether the
/// lengths of both sides are known.
void Analyzer::chooseAxes(llvm::ArrayRef<const InputTensor *> arguments) {
  auto has = [&](StringRef name) {
    return llvm::any_of(arguments, [&](const InputTensor *input) {
      return llvm::any_of(input->axes, [&](const TensorAxis &axis) {
        return !axis.isFeature && axis.name == name;
      });
    });
  };
  if (has("batch"))
    program->batchAxis = "batch";
  for (StringRef axis : {"heads", "kv_heads", "groups"})
    if (program->headAxis.empty() && has(axis))
      program->headAxis = axis.str();
  // Every key is a query where nothing says otherwise.
  program->queriesAreKeys = !has("queries");
  if (!has("keys"))
    b.error(definition.name.range, "no input that is read has the axis 'keys'");
  for (Node *root : getRoots())
    walkAll(root, [&](Node *node) {
      if (node->op == Op::LeadingExtent && !has(node->name))
        b.error(definition.name.range, "'" + node->name +
                                           "' is used, but no input that is "
                                           "read has this axis");
    });
}

/// The widest row that a product or a sum takes.
static constexpr int64_t maxWidth = 512;

void Analyzer::checkWidths(llvm::ArrayRef<Node *> roots) {
  std::vector<std::string> reported;
  auto check = [&](const Node *row) {
    for (const Feature &feature : row->features) {
      if (feature.extent <= maxWidth ||
          llvm::is_contained(reported, describe(feature)))
        continue;
      reported.push_back(describe(feature));
      b.error(row->place, "row has " + describe(feature) +
                              " features, expected at most " +
                              llvm::Twine(maxWidth));
    }
  };
  if (program->values)
    check(program->values);
  for (const RecurrentState &state : program->states)
    check(state.before);
  for (Node *root : roots)
    walk(root, [&](Node *node) {
      if (node->op == Op::Dot || node->op == Op::VecMat)
        check(node->operands.front());
    });
}

TensorSignature Analyzer::makeResult(StringRef name, Spec &spec) {
  TensorSignature result{name.str(), program->elementType, {}};
  auto addLeading = [&](const std::string &axis) {
    if (axis.empty())
      result.axes.push_back({"1", true, 1});
    else
      result.axes.push_back({axis, false, std::nullopt});
  };
  addLeading(program->batchAxis);
  addLeading(program->headAxis);
  addLeading(program->queriesAreKeys ? "keys" : "queries");
  if (name == "lse") {
    result.elementType = support::ElementType::F32;
    return result;
  }
  const Feature &feature = program->out->features.front();
  TensorAxis width{feature.name.empty() ? "vdim" : feature.name, true, {}};
  if (feature.isKnown())
    width.extent = feature.extent;
  // One name has one extent in a call.
  for (const TensorSignature &argument : spec.arguments)
    for (const TensorAxis &axis : argument.axes)
      if (axis.name == width.name && axis.extent != width.extent &&
          width.extent)
        width.name = std::to_string(*width.extent);
  result.axes.push_back(width);
  return result;
}

std::vector<TensorAxis>
Analyzer::getStateAxes(const RecurrentState &state) const {
  std::vector<TensorAxis> axes;
  for (const std::string &axis : {program->batchAxis, program->headAxis})
    axes.push_back(axis.empty() ? TensorAxis{"1", true, 1}
                                : TensorAxis{axis, false, std::nullopt});
  for (const Feature &feature : state.before->features) {
    TensorAxis axis{feature.name, true, std::nullopt};
    if (feature.isKnown())
      axis.extent = feature.extent;
    if (axis.name.empty())
      axis.name = feature.isKnown() ? std::to_string(feature.extent) : "state";
    axes.push_back(axis);
  }
  return axes;
}

/// The states before the first token as arguments.
void Analyzer::takeStates(std::vector<const InputTensor *> &arguments) {
  auto add = [&](const std::string &name, std::vector<TensorAxis> axes,
                 support::ElementType type) -> const InputTensor & {
    InputTensor &input = program->inputs.emplace_back();
    input.name = name;
    input.range = definition.name.range;
    input.elementType = type;
    input.axes = std::move(axes);
    return input;
  };
  if (program->findInput("start")) {
    b.error(program->findInput("start")->range,
            "'start' is the number of tokens before the first one where states "
            "are arguments; expected another name");
    return;
  }
  const InputTensor &start = add("start", {}, support::ElementType::I32);
  Node *first = b.read(start);
  program->out = b.startAt(program->out, first);
  bool isRead = false;
  auto look = [&](Node *root) {
    walk(root, [&](Node *node) { isRead |= node == first; });
  };
  look(program->out);
  for (RecurrentState &state : program->states) {
    state.after = b.startAt(state.after, first);
    look(state.after);
  }
  for (RecurrentState &state : program->states) {
    const InputTensor &input =
        add(state.name, getStateAxes(state), support::ElementType::F32);
    state.initial = b.readState(input, state.before->features);
    arguments.push_back(&input);
  }
  if (isRead)
    arguments.push_back(&start);
}

std::optional<Spec> Analyzer::makeSpec() {
  llvm::SmallVector<Node *> roots = getRoots();
  std::vector<const InputTensor *> read;
  Spec spec;
  auto addMissing = [&](const std::string &name) {
    if (!name.empty() && !llvm::is_contained(spec.missingExtents, name))
      spec.missingExtents.push_back(name);
  };
  for (Node *root : roots)
    walkAll(root, [&](Node *node) {
      if (node->op == Op::Read && !llvm::is_contained(read, node->input))
        read.push_back(node->input);
      if (node->op == Op::UnknownExtent)
        addMissing(node->name);
    });
  std::vector<const InputTensor *> arguments;
  for (StringRef name : {"q", "k", "v"})
    if (const InputTensor *input = program->findInput(name))
      if (llvm::is_contained(read, input))
        arguments.push_back(input);
  for (const InputTensor &input : program->inputs)
    if (llvm::is_contained(read, &input) &&
        !llvm::is_contained(arguments, &input))
      arguments.push_back(&input);
  chooseAxes(arguments);
  checkWidths(roots);
  if (!program->states.empty() && scope.instance.takesStates &&
      !diags.hasErrors())
    takeStates(arguments);
  if (diags.hasErrors())
    return std::nullopt;

  spec.name = definition.name.text;
  for (const InputTensor *input : arguments) {
    spec.arguments.push_back({input->name, input->elementType, input->axes});
    for (const std::string &extent : declarations.getUnknownExtents(*input))
      addMissing(extent);
  }
  spec.results = {makeResult("out", spec)};
  bool hasLse = program->hasLoop()
                    ? program->score->isScalar()
                    : program->states.empty() && getLseSource(*program);
  if (hasLse)
    spec.results.push_back(makeResult("lse", spec));
  if (scope.instance.givesStates)
    for (const RecurrentState &state : program->states)
      spec.results.push_back(
          {state.name, support::ElementType::F32, getStateAxes(state)});
  for (const auto &[name, binding] : scope.params)
    spec.params[name] = printConstant(*binding.node);
  spec.program = program;
  return spec;
}

std::optional<Spec> Analyzer::run() {
  declarations.declare();
  collectNames(definition.statements);
  recurrences.declare();
  for (const StatementPtr &statement : definition.statements)
    visit(*statement);
  if (recurrences.hasStates()) {
    auto out = scope.roles.find(RoleKind::Out);
    const Binding *given = out == scope.roles.end() ? nullptr : &out->second;
    if (!recurrences.finish(*program, given, definition.name.range))
      return std::nullopt;
    checkStatesStayInside(getRoots(), b);
    branches.checkUsed(getRoots());
    return makeSpec();
  }
  PairwiseLoop loop(*program, scope, b, expressions);
  if (!loop.build() || diags.hasErrors())
    return std::nullopt;
  checkStatesStayInside(getRoots(), b);
  if (program->queryAxis)
    b.error(definition.name.range,
            "'out' has a row for each of " + program->queryAxis->name +
                ", expected one for each query; what has other queries is a "
                "branch");
  branches.checkUsed(getRoots());
  warnOfLeaks(*program, diags);
  for (const Loop &loop : program->loops)
    if (!loop.name.empty())
      warnOfLeaks(loop, diags);
  return makeSpec();
}

//===----------------------------------------------------------------------===//
// Definitions
//===----------------------------------------------------------------------===//

static const Definition *choose(const File &file, const Instance &instance,
                                support::DiagnosticEngine &diags) {
  std::map<std::string, const Definition *> known;
  std::vector<StringRef> names;
  for (const Definition &definition : file.definitions) {
    auto [first, isNew] = known.try_emplace(definition.name.text, &definition);
    if (!isNew)
      diags
          .error(definition.name.range,
                 "attention '" + definition.name.text + "' is defined twice")
          .note(first->second->name.range, "first defined here");
    names.push_back(definition.name.text);
  }
  if (diags.hasErrors())
    return nullptr;
  const Definition &first = file.definitions.front();
  if (!instance.definition && names.size() == 1)
    return &first;
  if (!instance.definition) {
    diags.error(first.name.range, "file has " + llvm::Twine(names.size()) +
                                      " definitions, expected the name of "
                                      "one: " +
                                      llvm::join(names, ", "));
    return nullptr;
  }
  auto found = known.find(*instance.definition);
  if (found != known.end())
    return found->second;
  diags.error(first.name.range,
              "file has no definition '" + *instance.definition + "'" +
                  support::didYouMean(*instance.definition, names));
  return nullptr;
}

std::optional<Spec> analyze(const File &file, const Instance &instance,
                            support::DiagnosticEngine &diags) {
  const Definition *definition = choose(file, instance, diags);
  if (!definition)
    return std::nullopt;
  return Analyzer(*definition, instance, diags).run();
}

std::optional<Spec> analyzeDefinition(const Definition &definition,
                                      support::DiagnosticEngine &diags,
                                      SymbolIndex &index) {
  return Analyzer(definition, Instance(), diags, &index).run();
}

} // namespace rapt::frontend
