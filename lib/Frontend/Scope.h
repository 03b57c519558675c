// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What a name means at one place of a definition.

#ifndef RAPT_LIB_FRONTEND_SCOPE_H
#define RAPT_LIB_FRONTEND_SCOPE_H

#include "lib/Frontend/Builder.h"
#include <set>

namespace rapt::frontend {

class Recurrences;

struct Binding {
  Node *node = nullptr;
  SourceRange range; ///< Where the name was given.
};

/// A branch, or a family of them by their numbers.
struct BranchBinding {
  SourceRange range; ///< Of its name.
  std::vector<Loop *> members;
  bool isFamily = false;
};

struct Scope {
  Scope(Program &program, const Instance &instance)
      : program(program), instance(instance) {}

  Program &program;
  const Instance &instance;

  std::map<std::string, Binding> params;
  /// `let` names and states in force, and branches, which are poison.
  std::map<std::string, Binding> lets;
  std::map<std::string, BranchBinding> branches;
  /// Roles given so far.
  std::map<RoleKind, Binding> roles;
  /// The first `let` of every name of the definition.
  std::map<std::string, SourceRange> allLets;
  /// Of a constant: names that mean something only at run time.
  std::set<std::string> runTimeNames;
  /// Feature axes that inputs name.
  std::map<std::string, SourceRange> features;
  /// The states of the definition; null if there is none.
  Recurrences *recurrences = nullptr;

  /// Extent of a feature axis, -1 if it is not known.
  int64_t getExtent(const std::string &feature) const {
    auto known = instance.extents.find(feature);
    return known == instance.extents.end() ? -1 : known->second;
  }
  /// Every name that an expression could use here.
  std::vector<llvm::StringRef> getNames() const;
};

/// batch, heads, kv_heads, groups, queries, keys: the order in which an input
/// may have them.
llvm::ArrayRef<llvm::StringRef> getLeadingAxes();
/// b h i j row.
llvm::ArrayRef<llvm::StringRef> getPlaceNames();

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_SCOPE_H
