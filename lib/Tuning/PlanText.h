// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Plans as text that people write and read.

#ifndef RAPT_LIB_TUNING_PLANTEXT_H
#define RAPT_LIB_TUNING_PLANTEXT_H

#include "dialects/Tile/IR/Tile.h"
#include "llvm/Support/Error.h"
#include <map>
#include <string>
#include <vector>

namespace rapt::tuning {

/// Parts of plans by name; what is not named stays as it is chosen. A spec may
/// have several kinds of loops: loops are of one kind if they get the same plan
/// where nothing is asked for, and kinds are numbered as they first appear.
class PlanRequest {
public:
  /// Reads `queries=64,keys=128,columns=true`, which is for loops of all kinds,
  /// or one such text for each kind with semicolons between them. The names are
  /// those of `#tile.plan` and `#tile.cpu`. An empty text asks for nothing.
  /// Fails on an unknown name, a name given twice and a value that is none.
  static llvm::Expected<PlanRequest> parse(llvm::StringRef text);

  bool isEmpty() const { return kinds.empty(); }

  /// Fails if it is for another number of kinds of loops.
  llvm::Error expectKinds(size_t count) const;

  /// `plan`, which says something for a CPU, with what is asked for loops of
  /// kind `kind` instead. Fails if that makes no plan; whether it fits a
  /// machine is another question.
  llvm::Expected<tile::PlanAttr> applyTo(tile::PlanAttr plan,
                                         size_t kind) const;

private:
  using Values = std::map<std::string, int64_t>;
  static llvm::Expected<Values> parseKind(llvm::StringRef text);

  std::vector<Values> kinds; ///< one: for all
};

/// Between the plans of several kinds of loops.
constexpr char kPlanSeparator = ';';

/// The names of a plan's parts, in the order of printPlan.
std::vector<llvm::StringRef> getPlanParts();

/// All that is said of a plan for a CPU, in the form that PlanRequest reads;
/// parts that have their usual value are left out.
std::string printPlan(tile::PlanAttr plan);

} // namespace rapt::tuning

#endif // RAPT_LIB_TUNING_PLANTEXT_H
