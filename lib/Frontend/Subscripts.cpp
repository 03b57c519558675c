// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Subscripts count from the right. Of an input they replace indices of its
// read; of anything else they move the key's position or choose a feature.

#include "lib/Frontend/ComputedBuilder.h"
#include "lib/Frontend/Expressions.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace rapt::frontend {

Node *ExpressionBuilder::buildPostfix(const Postfix &postfix) {
  Operand base{nullptr, postfix.base->range};
  if (auto result = buildBranch(postfix))
    return *result;
  // An input with `keys` twice can be named only under subscripts.
  auto *name = llvm::dyn_cast<NameRef>(postfix.base.get());
  if (name && !postfix.suffixes.front().member &&
      !scope.lets.count(name->name) && !scope.params.count(name->name))
    if (const InputTensor *input = scope.program.findInput(name->name)) {
      record(name->name, name->range);
      base.node = b.read(*input);
    }
  if (!base.node)
    base = build(*postfix.base);
  for (const Suffix &suffix : postfix.suffixes) {
    if (base.node->isPoison())
      return base.node;
    if (suffix.member)
      return b.error(suffix.range, "expected a branch before '." +
                                       suffix.member->text + "', found " +
                                       describe(*base.node));
    base = subscript(base, suffix);
    base.range.end = suffix.range.end;
  }
  return base.node;
}

/// name.weight, name[2].weight, name[2] of a branch, then anything.
std::optional<Node *> ExpressionBuilder::buildBranch(const Postfix &postfix) {
  auto *name = llvm::dyn_cast<NameRef>(postfix.base.get());
  if (!name || scope.lets.count(name->name))
    return std::nullopt;
  auto branch = scope.branches.find(name->name);
  if (branch == scope.branches.end())
    return std::nullopt;
  record(name->name, name->range);
  BranchMembers members{name->name, name->range, branch->second.members};
  llvm::ArrayRef<Suffix> suffixes = postfix.suffixes;
  if (branch->second.isFamily) {
    members = getMember(branch->first, branch->second, suffixes.front());
    members.range = cover(name->range, suffixes.front().range);
    suffixes = suffixes.drop_front();
  }
  if (members.loops.empty() || !members.loops.front()->out)
    return b.poison();
  Operand value{nullptr, members.range};
  if (!suffixes.empty() && suffixes.front().member) {
    const Name &member = *suffixes.front().member;
    if (SymbolIndex *index = b.getIndex(); index && member.text == "weight")
      index->refer(member.range, {NameMeaning::Kind::Member, member.text, {}});
    if (member.text != "weight")
      return b.error(member.range,
                     "a branch has a 'weight', found '." + member.text + "'");
    if (!members.loops.front()->score)
      return b.error(member.range,
                     "branch '" + members.name +
                         "' has states or joins others, and no weight");
    value.range = cover(value.range, suffixes.front().range);
    value.node = ComputedBuilder(scope.program, b)
                     .weights(members.loops.front(), value.range);
    suffixes = suffixes.drop_front();
  } else {
    value.node = readBranch(members);
  }
  for (const Suffix &suffix : suffixes) {
    if (value.node->isPoison())
      return value.node;
    if (suffix.member)
      return b.error(suffix.range, "expected a branch before '." +
                                       suffix.member->text + "', found " +
                                       describe(*value.node));
    value = subscript(value, suffix);
    value.range.end = suffix.range.end;
  }
  return value.node;
}

Node *ExpressionBuilder::requireTrailing(Node *read, SourceRange range) {
  auto kept = llvm::find(read->operands, nullptr);
  auto isIndexed = [](Node *index) { return index != nullptr; };
  if (std::find_if(kept, read->operands.end(), isIndexed) ==
      read->operands.end())
    return read;
  unsigned d = kept - read->operands.begin();
  return b.notCompiled(range, "axis '" + read->input->axes[d].name + "' of '" +
                                  read->input->name +
                                  "' kept before one that is not");
}

Operand ExpressionBuilder::subscript(Operand base, const Suffix &suffix) {
  return base.node->op == Op::Read ? subscriptInput(base, suffix)
                                   : subscriptValue(base, suffix);
}

std::optional<int64_t>
ExpressionBuilder::getConstantInteger(Operand operand,
                                      const llvm::Twine &what) {
  if (!b.expectInteger(operand, what))
    return std::nullopt;
  if (operand.node->op == Op::Integer)
    return operand.node->integer;
  b.error(operand.range, "expected " + what + " known at compile time");
  return std::nullopt;
}

Node *ExpressionBuilder::cut(Operand row, const Subscript &sub) {
  // The name of the row's own axis is its extent: k[64:dim].
  const Feature *outer = std::exchange(
      cutFeature, row.node->isRow() ? &row.node->features.front() : nullptr);
  Operand first = build(*sub.first), last = build(*sub.last);
  cutFeature = outer;
  for (Operand bound : {first, last})
    if (bound.node->op == Op::UnknownExtent)
      return b.deferred(row.node->scalar, Feature(), row.node);
  auto begin = getConstantInteger(first, "an integer");
  auto end = getConstantInteger(last, "an integer");
  if (!begin || !end)
    return b.poison();
  row.range = sub.range;
  return b.slice(row, *begin, *end);
}

Node *ExpressionBuilder::getAxisIndex(llvm::StringRef axis,
                                      const Subscript &sub) {
  if (sub.kind == Subscript::Kind::Slice) {
    b.error(sub.range,
            "only a feature axis can be cut, found axis '" + axis + "'");
    return nullptr;
  }
  Operand index = build(*sub.first);
  if (!b.expectInteger(index, "an integer subscript"))
    return nullptr;
  bool isQuery =
      index.node->op == Op::Row || index.node->op == Op::QueryPosition;
  if (axis == "queries") {
    if (isQuery)
      return b.place(Op::Row);
    b.error(index.range, "axis 'queries' can be subscripted only by 'i'");
    return nullptr;
  }
  // The head's own group: nobody writes the division.
  bool isShared = axis == "kv_heads" || axis == "groups";
  if (isShared && index.node->op == Op::Head)
    return b.share(axis);
  return index.node;
}

static std::string describeAxes(llvm::ArrayRef<std::string> axes) {
  if (axes.empty())
    return "no axis";
  return (axes.size() == 1 ? "one axis ("
                           : std::to_string(axes.size()) + " axes (") +
         llvm::join(axes, ", ") + ")";
}

static bool reportTooMany(Builder &b, const Suffix &suffix,
                          llvm::ArrayRef<std::string> axes) {
  if (suffix.subscripts.size() <= axes.size())
    return false;
  b.error(suffix.range,
          "expected at most " + llvm::Twine(axes.size()) +
              (axes.size() == 1 ? " subscript for " : " subscripts for ") +
              describeAxes(axes) + ", found " +
              llvm::Twine(suffix.subscripts.size()));
  return true;
}

Operand ExpressionBuilder::subscriptInput(Operand base, const Suffix &suffix) {
  const InputTensor &input = *base.node->input;
  Operand failed{b.poison(), base.range};
  // What is not subscripted yet.
  llvm::SmallVector<unsigned> open;
  llvm::SmallVector<std::string> names;
  unsigned rank = input.rank() - (input.isSet ? 1 : 0);
  for (unsigned d = 0; d < rank; ++d)
    if (base.node->operands[d] == b.getOwnIndex(input, d)) {
      open.push_back(d);
      names.push_back(input.axes[d].name);
    }
  if (reportTooMany(b, suffix, names))
    return failed;
  Node read = *base.node;
  read.features.clear();
  std::vector<const Subscript *> cuts;
  unsigned shift = open.size() - suffix.subscripts.size();
  for (auto [n, sub] : llvm::enumerate(suffix.subscripts)) {
    unsigned d = open[shift + n];
    const TensorAxis &axis = input.axes[d];
    if (sub.kind == Subscript::Kind::All)
      continue;
    if (axis.isFeature && sub.kind == Subscript::Kind::Slice) {
      cuts.push_back(&sub);
      continue;
    }
    if (axis.isFeature) {
      Operand index = build(*sub.first);
      if (!b.expectInteger(index, "an integer subscript"))
        return failed;
      read.operands[d] = index.node;
    } else if (Node *index = getAxisIndex(axis.name, sub)) {
      read.operands[d] = index;
    } else {
      return failed;
    }
  }
  unsigned feature = 0;
  for (unsigned d = 0; d < rank; ++d) {
    bool wasKept = !base.node->operands[d];
    if (wasKept && !read.operands[d])
      read.features.push_back(base.node->features[feature]);
    feature += wasKept;
  }
  Operand result{b.remake(std::move(read), base.range), base.range};
  result.node = requireTrailing(result.node, suffix.range);
  for (const Subscript *sub : cuts)
    result.node = cut(result, *sub);
  return result;
}

Operand ExpressionBuilder::subscriptValue(Operand base, const Suffix &suffix) {
  Node *node = base.node;
  Operand failed{b.poison(), base.range};
  llvm::SmallVector<std::string> axes;
  if (node->variesOver(VariesBatch))
    axes.push_back("batch");
  if (node->variesOver(VariesAnyHead))
    axes.push_back("heads");
  if (node->variesOver(VariesQuery))
    axes.push_back(describeAxis(node->queryAxis, true));
  if (node->variesOver(VariesKey))
    axes.push_back(describeAxis(node->keyAxis, false));
  unsigned leading = axes.size();
  for (const Feature &feature : node->features)
    axes.push_back(describe(feature));
  if (reportTooMany(b, suffix, axes))
    return failed;
  unsigned shift = axes.size() - suffix.subscripts.size();
  Operand result = base;
  // Leading axes first: a subscript of a feature may then be of another key.
  for (auto [n, sub] : llvm::enumerate(suffix.subscripts)) {
    unsigned d = shift + n;
    if (result.node->isPoison())
      return failed;
    if (sub.kind == Subscript::Kind::All)
      continue;
    if (d < leading) {
      Node *index = getAxisIndex(axes[d], sub);
      if (!index)
        return failed;
      bool isOwn = axes[d] == "batch"   ? index->op == Op::Batch
                   : axes[d] == "heads" ? index->op == Op::Head
                                        : axes[d] == "queries";
      bool isKeys = node->variesOver(VariesKey) && d + 1 == leading;
      bool isWindows = !isKeys &&
                       d + 1 + node->variesOver(VariesKey) == leading &&
                       node->queryAxis;
      if (isWindows)
        result.node = b.atQuery(result.node, {index, sub.first->range});
      else if (isKeys)
        result.node = b.atKey(result.node, {index, sub.first->range});
      else if (!isOwn)
        return {b.notCompiled(sub.range, "axis '" + axes[d] +
                                             "' of a computed value at "
                                             "another place"),
                base.range};
      continue;
    }
    if (!b.expectRow(result))
      return failed;
    if (sub.kind == Subscript::Kind::Slice) {
      result.node = cut(result, sub);
      continue;
    }
    Operand index = build(*sub.first);
    if (!b.expectInteger(index, "an integer subscript"))
      return failed;
    const Feature feature = result.node->features.front();
    bool isOutside =
        index.node->op == Op::Integer && feature.isKnown() &&
        (index.node->integer < 0 || index.node->integer >= feature.extent);
    if (isOutside)
      return {b.error(index.range,
                      "subscript " + llvm::Twine(index.node->integer) +
                          " is not one of the features " + describe(feature)),
              base.range};
    result.node = b.elementAt(result.node, index.node, sub.range);
    if (!feature.isKnown())
      continue;
    Operand zero{b.integer(0), index.range};
    Operand extent{b.integer(feature.extent), index.range};
    Operand fromZero{b.compare(CompareOp::Ge, index, zero), index.range};
    Operand below{b.compare(CompareOp::Lt, index, extent), index.range};
    result.node = b.zeroUnless(
        {b.logical(Op::And, fromZero, below), index.range}, result);
  }
  return result;
}

} // namespace rapt::frontend
