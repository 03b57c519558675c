// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Declarations.h"
#include "lib/Frontend/Expressions.h"
#include "lib/Frontend/Printer.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

namespace rapt::frontend {

using llvm::StringRef;
using support::ElementType;

void Declarations::declare() {
  std::vector<const ParamBinding *> params;
  for (const StatementPtr &statement : definition.statements) {
    if (auto *param = llvm::dyn_cast<Param>(statement.get()))
      for (const ParamBinding &binding : param->bindings) {
        params.push_back(&binding);
        paramPlaces.try_emplace(binding.name.text, binding.name.range);
      }
    if (auto *input = llvm::dyn_cast<Input>(statement.get()))
      for (const Name &name : input->names)
        inputNames.insert(name.text);
  }
  for (const ParamBinding *binding : params)
    declareParam(*binding);
  checkOverrides();
  collectFeatures();
  for (const StatementPtr &statement : definition.statements)
    if (auto *input = llvm::dyn_cast<Input>(statement.get()))
      declareInputs(*input);
  addImplicitInputs();
  setElementTypes();
  if (SymbolIndex *index = b.getIndex()) {
    for (const InputTensor &input : scope.program.inputs)
      index->bindInput(input);
    for (const auto &[name, place] : scope.features)
      index->bindFeature(name, place);
  }
}

/// Whether the name can be declared; reports if not.
bool Declarations::isFree(const Name &name) {
  if (llvm::is_contained(getPlaceNames(), name.text) ||
      llvm::is_contained(getLeadingAxes(), name.text)) {
    b.error(name.range,
            "'" + name.text + "' is the name of a " +
                (llvm::is_contained(getPlaceNames(), name.text) ? "position"
                                                                : "length") +
                " and cannot be declared");
    return false;
  }
  auto [first, isNew] = names.try_emplace(name.text, name.range);
  if (!isNew)
    b.getDiagnostics()
        .error(name.range, "'" + name.text + "' is declared twice")
        .note(first->second, "first declared here");
  return isNew;
}

//===----------------------------------------------------------------------===//
// Params
//===----------------------------------------------------------------------===//

static bool isNumber(const Node *node) {
  return node->op == Op::Integer || node->op == Op::Real;
}

Node *Declarations::getOverride(const ParamBinding &binding, Scalar scalar) {
  const std::string &name = binding.name.text;
  auto given = scope.instance.params.find(name);
  if (given == scope.instance.params.end())
    return nullptr;
  StringRef text = given->second;
  int64_t integer = 0;
  double real = 0;
  if (!text.getAsInteger(10, integer))
    return scalar == Scalar::Integer ? b.integer(integer)
                                     : b.real(static_cast<double>(integer));
  bool isInfinity = text.ltrim('-') == "inf";
  bool isReal = !text.empty() && !text.getAsDouble(real) &&
                (std::isfinite(real) || isInfinity);
  if (isReal && scalar == Scalar::Real)
    return b.real(real);
  return b.error(
      binding.name.range,
      "param '" + name + "' is given '" + text + "', expected " +
          (scalar == Scalar::Integer ? "an integer" : "a real number"));
}

void Declarations::declareParam(const ParamBinding &binding) {
  if (!isFree(binding.name))
    return;
  const std::string &name = binding.name.text;
  Binding &param = scope.params[name];
  param = {b.poison(), binding.name.range};

  // Params may be made from those above. Nothing else is a constant.
  Program nothing;
  Scope constants(nothing, scope.instance);
  constants.params = scope.params;
  constants.params.erase(name);
  constants.allLets = paramPlaces;
  constants.runTimeNames = {"q", "k", "v"};
  constants.runTimeNames.insert(inputNames.begin(), inputNames.end());
  ExpressionBuilder expressions(b, constants);
  auto evaluate = [&](const ExprPtr &expr) -> Node * {
    Node *node = expressions.build(*expr).node;
    if (node->isPoison() || isNumber(node))
      return node;
    return b.error(expr->range, "expected a number known at compile time");
  };
  Node *value = evaluate(binding.value);
  if (value->isPoison())
    return;
  Node *given = getOverride(binding, value->scalar);
  if (given && given->isPoison())
    return;
  if (binding.low) {
    Node *low = evaluate(binding.low), *high = evaluate(binding.high);
    if (low->isPoison() || high->isPoison())
      return;
    auto get = [](Node *n) {
      return n->op == Op::Integer ? static_cast<double>(n->integer) : n->real;
    };
    if (get(low) > get(high)) {
      b.error({binding.low->range.begin, binding.high->range.end},
              "range " + printConstant(*low) + " .. " + printConstant(*high) +
                  " of param '" + name + "' is empty");
      return;
    }
    auto isInside = [&](Node *node) {
      return get(low) <= get(node) && get(node) <= get(high);
    };
    for (Node *checked : {value, given})
      if (checked && !isInside(checked)) {
        b.getDiagnostics()
            .error(checked == given ? binding.name.range : binding.value->range,
                   "param '" + name + "' is " + printConstant(*checked) +
                       ", expected " + printConstant(*low) + " .. " +
                       printConstant(*high))
            .note({binding.low->range.begin, binding.high->range.end},
                  "its range is given here");
        return;
      }
  }
  param.node = given ? given : value;
  b.bind(binding.name.range, param.node);
}

void Declarations::checkOverrides() {
  std::vector<StringRef> known;
  for (const auto &entry : scope.params)
    known.push_back(entry.first);
  for (const auto &[name, value] : scope.instance.params)
    if (!scope.params.count(name))
      b.error(definition.name.range, "'" + definition.name.text +
                                         "' has no param '" + name + "'" +
                                         support::didYouMean(name, known));
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

/// Words that stand alone as an extent and are no param are feature axes.
void Declarations::collectFeatures() {
  scope.features.emplace("dim", definition.name.range);
  scope.features.emplace("vdim", definition.name.range);
  for (const StatementPtr &statement : definition.statements)
    if (auto *input = llvm::dyn_cast<Input>(statement.get()))
      if (input->extents)
        for (const ExprPtr &extent : *input->extents)
          if (auto *word = llvm::dyn_cast<NameRef>(extent.get()))
            if (!scope.params.count(word->name) &&
                !llvm::is_contained(getLeadingAxes(), word->name))
              scope.features.emplace(word->name, word->range);
  for (const auto &[name, range] : scope.features)
    if (int64_t extent = scope.getExtent(name);
        scope.instance.extents.count(name) &&
        (extent < 1 || extent > Builder::maxLength))
      b.error(range, "extent of '" + name + "' is " + llvm::Twine(extent) +
                         ", expected 1 .. " + llvm::Twine(Builder::maxLength));
}

std::optional<TensorAxis>
Declarations::getAxis(const Expr &extent, llvm::ArrayRef<TensorAxis> before) {
  if (auto *word = llvm::dyn_cast<NameRef>(&extent)) {
    ExpressionBuilder(b, scope).record(word->name, word->range);
    auto *order = llvm::find(getLeadingAxes(), word->name);
    if (order != getLeadingAxes().end()) {
      // A matrix over keys, as for pool(): what reads it whole is judged there.
      bool isMatrixOverKeys = word->name == "keys" && before.size() == 1;
      if (!before.empty() && before.back().isFeature && !isMatrixOverKeys) {
        b.error(extent.range,
                "axis '" + word->name + "' must stand before the feature axes");
        return std::nullopt;
      }
      if (!before.empty() && !before.back().isFeature &&
          llvm::find(getLeadingAxes(), before.back().name) > order) {
        b.error(extent.range, "axis '" + word->name + "' must stand before '" +
                                  before.back().name + "'");
        return std::nullopt;
      }
      bool canRepeat = word->name == "keys";
      if (!before.empty() && before.back().name == word->name && !canRepeat) {
        b.error(extent.range, "axis '" + word->name + "' stands twice");
        return std::nullopt;
      }
      return TensorAxis{word->name, false, std::nullopt};
    }
    if (llvm::is_contained(getPlaceNames(), word->name)) {
      b.error(extent.range,
              "expected an axis or an extent, found the position '" +
                  word->name + "'");
      return std::nullopt;
    }
    if (!scope.params.count(word->name)) {
      TensorAxis axis{word->name, true, std::nullopt};
      if (int64_t known = scope.getExtent(word->name); known >= 0)
        axis.extent = known;
      return axis;
    }
  }
  Operand value = ExpressionBuilder(b, scope).build(extent);
  if (!b.expectInteger(value, "an integer extent"))
    return std::nullopt;
  Node *node = value.node;
  if (node->op == Op::Integer) {
    if (node->integer < 1 || node->integer > Builder::maxLength) {
      b.error(extent.range, "expected an extent of 1 .. " +
                                llvm::Twine(Builder::maxLength) + ", found " +
                                llvm::Twine(node->integer));
      return std::nullopt;
    }
    return TensorAxis{std::to_string(node->integer), true, node->integer};
  }
  bool isExtent = true;
  walk(node, [&](Node *leaf) {
    if (leaf->operands.empty())
      isExtent &= leaf->op == Op::UnknownExtent || leaf->op == Op::Integer;
  });
  if (isExtent)
    return TensorAxis{str(extent), true, std::nullopt};
  b.error(extent.range, "expected an extent known at compile time");
  return std::nullopt;
}

void Declarations::declareInputs(const Input &declaration) {
  std::vector<TensorAxis> axes;
  std::vector<std::string> unknown;
  bool isFine = true;
  if (declaration.extents)
    for (const ExprPtr &extent : *declaration.extents) {
      std::optional<TensorAxis> axis = getAxis(*extent, axes);
      isFine &= axis.has_value();
      if (!axis)
        continue;
      if (axis->isFeature && !axis->extent)
        walk(ExpressionBuilder(b, scope).build(*extent).node, [&](Node *leaf) {
          if (leaf->op == Op::UnknownExtent)
            unknown.push_back(leaf->name);
        });
      axes.push_back(*axis);
    }
  std::optional<ElementType> type;
  if (const std::optional<Name> &word = declaration.elementType) {
    static const StringRef known[] = {"f32", "bf16", "f16", "i8",
                                      "i16", "i32",  "i64", "bool"};
    if (llvm::is_contained(known, word->text)) {
      type = support::parseElementType(word->text);
      if (SymbolIndex *index = b.getIndex())
        index->refer(word->range,
                     {NameMeaning::Kind::ElementType, word->text, {}});
    } else {
      b.error(word->range,
              "unknown element type '" + word->text +
                  "'; expected f32, bf16, f16, i8, i16, i32, i64 or bool");
      isFine = false;
    }
  }
  for (const Name &name : declaration.names) {
    if (!isFree(name))
      continue;
    // An input with an error still has a name; what uses it is not judged.
    if (!isFine) {
      scope.lets[name.text] = {b.poison(), name.range};
      continue;
    }
    InputTensor &input = scope.program.inputs.emplace_back();
    input.name = name.text;
    input.range = name.range;
    input.axes = axes;
    unknownExtents[name.text] = unknown;
    if (type)
      input.elementType = *type;
    else
      withoutType.push_back(&input);
  }
}

void Declarations::addImplicitInputs() {
  struct Default {
    StringRef name, heads, length, width;
  };
  for (auto [name, heads, length, width] :
       {Default{"q", "heads", "queries", "dim"},
        Default{"k", "kv_heads", "keys", "dim"},
        Default{"v", "kv_heads", "keys", "vdim"}}) {
    if (names.count(name.str()))
      continue;
    InputTensor &input = scope.program.inputs.emplace_back();
    input.name = name.str();
    input.range = definition.name.range;
    input.isImplicit = true;
    for (StringRef axis : {StringRef("batch"), heads, length, width}) {
      bool isFeature = axis == width;
      std::optional<int64_t> extent;
      if (scope.params.count(axis.str()) && isFeature &&
          scope.params[axis.str()].node->op == Op::Integer)
        extent = scope.params[axis.str()].node->integer;
      else if (isFeature && scope.getExtent(axis.str()) >= 0)
        extent = scope.getExtent(axis.str());
      if (isFeature && !extent)
        unknownExtents[input.name] = {axis.str()};
      input.axes.push_back({axis.str(), isFeature, extent});
    }
    withoutType.push_back(&input);
  }
}

/// An input without a dtype has that of q.
void Declarations::setElementTypes() {
  ElementType &common = scope.program.elementType;
  common = scope.instance.elementType;
  const InputTensor *query = scope.program.findInput("q");
  if (query && !llvm::is_contained(withoutType, query) &&
      support::isFloat(query->elementType))
    common = query->elementType;
  if (common != ElementType::F32 && common != ElementType::BF16 &&
      common != ElementType::F16)
    b.error(definition.name.range, "element type of q is " +
                                       support::getElementTypeName(common) +
                                       ", expected f32, bf16 or f16");
  for (InputTensor *input : withoutType)
    input->elementType = common;
}

std::vector<std::string>
Declarations::getUnknownExtents(const InputTensor &input) const {
  auto known = unknownExtents.find(input.name);
  return known == unknownExtents.end() ? std::vector<std::string>()
                                       : known->second;
}

} // namespace rapt::frontend
