// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Branches.h"
#include "lib/Frontend/PairwiseLoop.h"
#include "lib/Frontend/Recurrences.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

namespace rapt::frontend {

/// More branches than any mechanism needs.
static constexpr int64_t maxFamily = 64;

bool Branches::checkStatements(const Branch &branch) {
  for (const StatementPtr &statement : branch.body) {
    if (!llvm::isa<Param, Input>(*statement))
      continue;
    b.getDiagnostics()
        .error(statement->keyword,
               "params and inputs hold everywhere; expected them outside "
               "branch '" +
                   branch.name.text + "'")
        .note(branch.name.range, "the branch starts here");
    return false;
  }
  return true;
}

/// One loop, with the names in force; they are put back afterwards.
Loop *Branches::build(const Branch &branch) {
  Loop *loop = &scope.program.loops.emplace_back();
  loop->number = scope.program.loops.size();
  loop->name = branch.name.text;
  loop->nameRange = branch.name.range;
  auto lets = scope.lets;
  auto branches = scope.branches;
  auto allLets = scope.allLets;
  auto roles = std::exchange(scope.roles, {});
  // A branch inside does not make this one a combination of branches unless its
  // own `out` is.
  for (const StatementPtr &statement : branch.body) {
    if (auto *let = llvm::dyn_cast<Let>(statement.get()))
      scope.allLets.try_emplace(let->name.text, let->name.range);
    if (auto *inner = llvm::dyn_cast<Branch>(statement.get()))
      scope.allLets.try_emplace(inner->name.text, inner->name.range);
  }
  unsigned errors = b.getDiagnostics().errorCount();
  Recurrences *around = std::exchange(scope.recurrences, nullptr);
  Recurrences recurrences(branch.body, scope, b, expressions);
  recurrences.declare();
  for (const StatementPtr &statement : branch.body)
    visitStatement(*statement);
  bool isFine = b.getDiagnostics().errorCount() == errors;
  if (isFine && recurrences.hasStates()) {
    auto out = scope.roles.find(RoleKind::Out);
    const Binding *given = out == scope.roles.end() ? nullptr : &out->second;
    isFine = recurrences.finish(*loop, given, branch.name.range);
  } else if (isFine) {
    isFine = PairwiseLoop(*loop, scope, b, expressions).build();
  }
  scope.recurrences = around;
  scope.lets = std::move(lets);
  scope.branches = std::move(branches);
  scope.allLets = std::move(allLets);
  scope.roles = std::move(roles);
  return isFine ? loop : nullptr;
}

void Branches::visit(const Branch &branch) {
  int64_t count = 1;
  bool isFine = checkStatements(branch);
  if (branch.counter && isFine) {
    Operand operand = expressions.build(*branch.count);
    isFine = b.expectInteger(operand, "an integer");
    if (isFine && operand.node->op != Op::Integer) {
      b.error(operand.range, "expected a number of branches known at compile "
                             "time");
      isFine = false;
    }
    if (isFine)
      count = operand.node->integer;
    if (isFine && (count < 1 || count > maxFamily)) {
      b.error(operand.range, "expected 1 .. " + llvm::Twine(maxFamily) +
                                 " branches, found " + llvm::Twine(count));
      isFine = false;
    }
  }
  BranchBinding binding{branch.name.range, {}, branch.counter.has_value()};
  for (int64_t n = 0; isFine && n < count; ++n) {
    std::map<std::string, Binding> lets = scope.lets;
    if (branch.counter)
      scope.lets[branch.counter->text] = {b.integer(n), branch.counter->range};
    if (branch.counter)
      b.bind(branch.counter->range, b.integer(n));
    Loop *loop = build(branch);
    scope.lets = std::move(lets);
    isFine = loop;
    binding.members.push_back(loop);
  }
  // After an error the name is poison, so that what uses it is not judged.
  if (!isFine) {
    scope.lets[branch.name.text] = {b.poison(), branch.name.range};
    return;
  }
  scope.lets.erase(branch.name.text);
  if (b.getIndex()) {
    ComputedBuilder computed(scope.program, b);
    b.bind(branch.name.range, computed.read(*computed.result(
                                  binding.members.front(), branch.name.range)));
  }
  all.emplace_back(&branch, binding.members);
  scope.branches[branch.name.text] = std::move(binding);
}

void Branches::checkUsed(llvm::ArrayRef<Node *> roots) {
  llvm::DenseSet<const Loop *> used;
  std::function<void(const Computed &)> use = [&](const Computed &computed) {
    if (computed.loop)
      used.insert(computed.loop);
    for (const Computed *part : computed.parts)
      use(*part);
  };
  for (Node *root : roots)
    walkAll(root, [&](Node *node) {
      if (node->op == Op::Read && node->input->computed)
        use(*node->input->computed);
    });
  for (const auto &[branch, loops] : all)
    if (llvm::none_of(loops, [&](Loop *loop) { return used.contains(loop); }))
      b.error(branch->name.range,
              "branch '" + branch->name.text +
                  "' is never used; join it in 'out', or read its weight");
}

} // namespace rapt::frontend
