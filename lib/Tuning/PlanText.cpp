// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Tuning/PlanText.h"
#include "lib/Support/Diagnostics.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using llvm::Expected;
using llvm::StringRef;

namespace rapt::tuning {
namespace {

/// A plan taken apart.
struct Parts {
  int64_t queries = 0, keys = 0, edge = 0, grain = 0, split = 0;
  int64_t inOrder = 0, group = 0;
  int64_t rows = 0, depth = 0, sweep = 0, columns = 0, pairs = 0;
};

struct Part {
  StringRef name;
  int64_t Parts::*value;
  bool isFlag;
};

constexpr Part kParts[] = {
    {"queries", &Parts::queries, false}, {"keys", &Parts::keys, false},
    {"edge", &Parts::edge, false},       {"grain", &Parts::grain, false},
    {"rows", &Parts::rows, false},       {"depth", &Parts::depth, false},
    {"sweep", &Parts::sweep, false},     {"columns", &Parts::columns, true},
    {"pairs", &Parts::pairs, true},      {"in_order", &Parts::inOrder, true},
    {"group", &Parts::group, true},      {"split", &Parts::split, false}};

/// No tile, loop or register block is larger.
constexpr int64_t kLargest = int64_t(1) << 20;

Parts takeApart(tile::PlanAttr plan) {
  tile::CpuPlanAttr cpu = plan.getCpu();
  return {plan.getQueries(), plan.getKeys(),   plan.getEdge(),
          plan.getGrain(),   plan.getSplit(),  plan.getInOrder(),
          plan.getGroup(),   cpu.getRows(),    cpu.getDepth(),
          cpu.getSweep(),    cpu.getColumns(), cpu.getPairs()};
}

} // namespace

std::vector<StringRef> getPlanParts() {
  std::vector<StringRef> names;
  for (const Part &part : kParts)
    names.push_back(part.name);
  return names;
}

Expected<PlanRequest> PlanRequest::parse(StringRef text) {
  PlanRequest request;
  if (text.empty())
    return request;
  for (StringRef part : llvm::split(text, kPlanSeparator)) {
    Expected<Values> values = parseKind(part.trim());
    if (!values)
      return values.takeError();
    request.kinds.push_back(std::move(*values));
  }
  return request;
}

llvm::Error PlanRequest::expectKinds(size_t count) const {
  if (kinds.size() <= 1 || kinds.size() == count)
    return llvm::Error::success();
  return llvm::createStringError(
      "there are plans for " + llvm::Twine(kinds.size()) +
      " kinds of loops over keys, the spec has " + llvm::Twine(count));
}

Expected<PlanRequest::Values> PlanRequest::parseKind(StringRef text) {
  Values values;
  if (text.empty())
    return values;
  for (StringRef assignment : llvm::split(text, ',')) {
    auto [name, value] = assignment.split('=');
    name = name.trim();
    value = value.trim();
    const auto *part = llvm::find_if(
        kParts, [&](const Part &part) { return part.name == name; });
    if (part == std::end(kParts)) {
      std::vector<StringRef> names = getPlanParts();
      return llvm::createStringError("a plan has no part '" + name +
                                     "', expected " + llvm::join(names, ", ") +
                                     support::didYouMean(name, names));
    }
    int64_t number = 0;
    bool isValue = true;
    if (part->isFlag) {
      number = value == "true";
      isValue = number || value == "false";
    } else {
      isValue =
          !value.getAsInteger(10, number) && number >= 0 && number <= kLargest;
    }
    if (!isValue)
      return llvm::createStringError(
          "'" + name + "' of a plan is '" + value + "', expected " +
          (part->isFlag ? llvm::Twine("true or false")
                        : "a number up to " + llvm::Twine(kLargest)));
    if (!values.emplace(name.str(), number).second)
      return llvm::createStringError("a plan gives '" + name + "' twice");
  }
  return values;
}

Expected<tile::PlanAttr> PlanRequest::applyTo(tile::PlanAttr plan,
                                              size_t kind) const {
  if (isEmpty())
    return plan;
  const Values &values = kinds.size() == 1 ? kinds.front() : kinds[kind];
  Parts parts = takeApart(plan);
  for (const Part &part : kParts)
    if (auto value = values.find(part.name.str()); value != values.end())
      parts.*part.value = value->second;
  mlir::MLIRContext *context = plan.getContext();
  std::string reports;
  mlir::ScopedDiagnosticHandler handler(
      context, [&](mlir::Diagnostic &diagnostic) {
        reports += (reports.empty() ? "" : "; ") + diagnostic.str();
        return mlir::success();
      });
  auto emitError = [&] {
    return mlir::emitError(mlir::UnknownLoc::get(context));
  };
  auto cpu =
      tile::CpuPlanAttr::get(context, parts.rows, parts.depth, parts.sweep,
                             parts.columns != 0, parts.pairs != 0);
  auto result = tile::PlanAttr::getChecked(
      emitError, context, parts.queries, parts.keys, cpu, parts.edge,
      parts.grain, parts.inOrder != 0, parts.group != 0, parts.split,
      tile::GpuPlanAttr());
  if (!result)
    return llvm::createStringError(reports);
  return result;
}

std::string printPlan(tile::PlanAttr plan) {
  Parts parts = takeApart(plan);
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const Part &part : kParts) {
    int64_t value = parts.*part.value;
    if (value == 0)
      continue;
    os << (text.empty() ? "" : ",") << part.name << '=';
    if (part.isFlag)
      os << "true";
    else
      os << value;
  }
  return text;
}

} // namespace rapt::tuning
