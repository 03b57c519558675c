// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Names of branches in expressions, and merge.

#include "lib/Frontend/ComputedBuilder.h"
#include "lib/Frontend/Expressions.h"
#include "llvm/ADT/STLExtras.h"

namespace rapt::frontend {

/// The member of a family that a subscript chooses; none after an error.
BranchMembers ExpressionBuilder::getMember(const std::string &name,
                                           const BranchBinding &family,
                                           const Suffix &suffix) {
  BranchMembers members{name, suffix.range, {}};
  const Expr *index = nullptr;
  if (suffix.subscripts.size() == 1 &&
      suffix.subscripts.front().kind == Subscript::Kind::Index)
    index = suffix.subscripts.front().first.get();
  if (!index) {
    b.getDiagnostics()
        .error(suffix.range, "'" + name +
                                 "' is a family of branches; expected the "
                                 "number of one, " +
                                 name + "[0]")
        .note(family.range, "the branch starts here");
    return members;
  }
  auto number = getConstantInteger(build(*index), "an integer");
  int64_t count = family.members.size();
  if (number && (*number < 0 || *number >= count))
    b.error(index->range, "'" + name + "' has the branches 0 .. " +
                              llvm::Twine(count - 1) + ", found " +
                              llvm::Twine(*number));
  else if (number)
    members.loops.push_back(family.members[*number]);
  return members;
}

std::optional<BranchMembers> ExpressionBuilder::getBranch(const Expr &expr,
                                                          bool allowFamily) {
  auto *postfix = llvm::dyn_cast<Postfix>(&expr);
  auto *name = llvm::dyn_cast<NameRef>(postfix ? postfix->base.get() : &expr);
  if (!name || scope.lets.count(name->name))
    return std::nullopt;
  auto branch = scope.branches.find(name->name);
  if (branch == scope.branches.end())
    return std::nullopt;
  const BranchBinding &binding = branch->second;
  record(name->name, name->range);
  if (postfix) {
    if (!binding.isFamily || postfix->suffixes.size() != 1 ||
        postfix->suffixes.front().member)
      return std::nullopt;
    return getMember(branch->first, binding, postfix->suffixes.front());
  }
  BranchMembers members{branch->first, name->range, binding.members};
  if (binding.isFamily && !allowFamily) {
    b.getDiagnostics()
        .error(name->range, "'" + members.name +
                                "' is a family of branches; expected merge(" +
                                members.name + ") or one of them, " +
                                members.name + "[0]")
        .note(binding.range, "the branch starts here");
    members.loops.clear();
  }
  return members;
}

Node *ExpressionBuilder::readBranch(const BranchMembers &members) {
  if (members.loops.empty() || !members.loops.front()->out)
    return b.poison();
  ComputedBuilder computed(scope.program, b);
  return computed.read(*computed.result(members.loops.front(), members.range));
}

Node *ExpressionBuilder::callMerge(const Call &call) {
  ComputedBuilder computed(scope.program, b);
  std::vector<const Computed *> parts;
  bool isFine = true;
  std::vector<Operand> results;
  for (const Argument &argument : call.arguments) {
    auto members = getBranch(*argument.value, /*allowFamily=*/true);
    if (!members) {
      Operand found = build(*argument.value);
      if (!found.node->isPoison())
        b.error(argument.value->range, "expected the name of a branch, found " +
                                           describe(*found.node));
      isFine = false;
      continue;
    }
    isFine &= !members->loops.empty();
    for (Loop *loop : members->loops) {
      if (!loop->out) {
        isFine = false;
        continue;
      }
      if (loop->kind != WeightKind::Softmax || !loop->score ||
          !loop->score->isScalar()) {
        b.getDiagnostics()
            .error(argument.value->range,
                   "merge joins branches by their log-sum-exp, but the weight "
                   "of '" +
                       members->name + "' is no softmax of one score per pair")
            .note(loop->nameRange, "the branch starts here");
        isFine = false;
        continue;
      }
      parts.push_back(computed.result(loop, argument.value->range));
      results.push_back({computed.read(*parts.back()), argument.value->range});
    }
  }
  if (!isFine || parts.empty())
    return b.poison();
  // The results must be rows of one kind.
  Operand sum = results.front();
  for (const Operand &result : llvm::drop_begin(results))
    sum.node = b.arithmetic(Op::Add, sum, result);
  if (sum.node->isPoison())
    return b.poison();
  unsigned heads = results.front().node->varies & VariesAnyHead;
  for (const Operand &result : results)
    if ((result.node->varies & VariesAnyHead) != heads)
      return b.notCompiled(result.range,
                           "merge of branches that vary over different heads");
  return computed.read(*computed.merge(std::move(parts), call.range));
}

} // namespace rapt::frontend
