// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/SpecOptions.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/CompileForGpu.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Support/Diagnostics.h"
#include "lib/Target/GpuTarget.h"
#include "lib/Target/Target.h"
#include "lib/Tuning/PlanText.h"
#include "tools/rapt/Commands.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

using llvm::Expected;
using llvm::StringRef;

namespace rapt::tool {

using llvm::Error;

/// The help of --plan names the parts a few in a line.
static const std::string &getPlanHelp() {
  static const std::string help = [] {
    std::string text = "Parts of the plan of loops over keys by hand:";
    constexpr size_t inLine = 6;
    for (auto [n, part] : llvm::enumerate(tuning::getPlanParts()))
      text += (n == 0 ? "\n" : n % inLine == 0 ? ",\n" : ", ") + part.str();
    return text + ";\nthe others are chosen ('rapt explain' shows all)";
  }();
  return help;
}

std::vector<OptionRow> getSpecOptionRows() {
  return {
      {"-p", "NAME=VALUE", "Value of a param; may be repeated", true},
      {"--shape", "AXIS=N,...",
       "Extents: batch, heads, kv_heads, queries, keys, dim, vdim and what\n"
       "the spec names; the others have defaults",
       true},
      {"--dtype", "f32|bf16|f16", "Type of q and of what has none; f32"},
      {"--definition", "NAME", "Which definition of the file"},
      {"--target", "NAME",
       "What 'rapt targets' lists; host. cuda: the NVIDIA GPU here"},
      {"--plan", "PART=N,...", getPlanHelp()},
      {"--few-rows", "N",
       "A kernel for calls of at most N queries times heads per head of\n"
       "keys, 1 to 64, as in decoding; 0: for many"},
      {"--most-keys", "N",
       "A kernel for calls of at most N keys, whose tiles are narrower\n"
       "where a mask cuts them; 0: for long sequences"},
  };
}

static Expected<std::map<std::string, int64_t>>
parseShape(llvm::ArrayRef<std::string> texts) {
  std::map<std::string, int64_t> shape;
  for (StringRef text : texts)
    for (StringRef part : llvm::split(text, ',')) {
      auto assignment = splitAssignment("--shape", "AXIS=N,...", part);
      if (!assignment)
        return assignment.takeError();
      const auto &[axis, value] = *assignment;
      int64_t extent = 0;
      if (StringRef(value).getAsInteger(10, extent) || extent < 0)
        return usageError("option '--shape' expects an extent of 0 or more "
                          "for '" +
                          axis + "', found '" + value + "'");
      if (!shape.try_emplace(axis, extent).second)
        return usageError("option '--shape' gives '" + axis + "' twice");
    }
  return shape;
}

Expected<RequestedSpec> loadSpec(const CommandLine &line) {
  RequestedSpec requested;
  CompileOptions &options = requested.options;
  if (Error error =
          addAssignments("-p", "NAME=VALUE", line.getAll("-p"), options.params))
    return std::move(error);
  auto shape = parseShape(line.getAll("--shape"));
  if (!shape)
    return shape.takeError();
  requested.shape = std::move(*shape);
  if (auto text = line.get("--dtype")) {
    auto type = support::parseElementType(*text);
    bool isKnown = type == support::ElementType::F32 ||
                   type == support::ElementType::BF16 ||
                   type == support::ElementType::F16;
    if (!isKnown)
      return usageError("option '--dtype' expects f32, bf16 or f16, found '" +
                        *text + "'");
    options.dtype = getDType(*type);
  }
  if (auto name = line.get("--definition"))
    options.definition = name->str();
  if (auto name = line.get("--target"))
    options.target = name->str();
  if (auto plan = line.get("--plan")) {
    if (auto parsed = tuning::PlanRequest::parse(*plan); !parsed)
      return usageError("option '--plan': " + toString(parsed.takeError()));
    options.plan = plan->str();
  }
  auto rows = line.getInteger("--few-rows", 0, 0);
  if (!rows)
    return rows.takeError();
  options.fewRows = *rows;
  auto keys = line.getInteger("--most-keys", 0, 0);
  if (!keys)
    return keys.takeError();
  options.mostKeys = *keys;
  // Before the file is read: a wrong option is the nearer mistake.
  if (options.target == kCudaTarget) {
    auto target = findCudaTarget();
    if (!target)
      return target.takeError();
    options.target = (*target)->name;
  } else if (!target::findGpu(options.target)) {
    auto target = target::findTarget(options.target);
    if (!target)
      return target.takeError();
  }
  auto spec = Spec::loadFile(line.getFile().str());
  if (!spec)
    return makeError(spec.error().code, spec.error().message);
  requested.spec = *std::move(spec);
  return requested;
}

/// Every axis of the definition's tensors, without those named by numbers.
static std::vector<std::string> getAxisNames(const frontend::Spec &spec) {
  std::vector<std::string> names;
  auto add = [&](const std::string &name) {
    if (!llvm::all_of(name, llvm::isDigit) && !llvm::is_contained(names, name))
      names.push_back(name);
  };
  for (const auto *tensors : {&spec.arguments, &spec.results})
    for (const frontend::TensorSignature &tensor : *tensors)
      for (const frontend::TensorAxis &axis : tensor.axes)
        add(axis.name);
  llvm::for_each(spec.missingExtents, add);
  return names;
}

llvm::ArrayRef<StringRef> getLanguageAxes() {
  static constexpr StringRef axes[] = {"batch",   "heads", "kv_heads", "groups",
                                       "queries", "keys",  "dim",      "vdim"};
  return axes;
}

static Error addShape(const RequestedSpec &requested,
                      const frontend::Spec &spec, AxisExtents &extents) {
  std::vector<std::string> names = getAxisNames(spec);
  for (const auto &[axis, extent] : requested.shape) {
    if (!llvm::is_contained(names, axis)) {
      if (!llvm::is_contained(getLanguageAxes(), axis)) {
        llvm::SmallVector<StringRef> candidates(names.begin(), names.end());
        return usageError("option '--shape' gives '" + axis +
                          "', which is no axis of '" + spec.name + "'" +
                          support::didYouMean(axis, candidates));
      }
      warn("'" + spec.name + "' has no axis '" + axis + "'");
      continue;
    }
    if (Error error = extents.set(axis, extent, "--shape"))
      return error;
    for (const frontend::TensorSignature &tensor : spec.arguments)
      for (const frontend::TensorAxis &own : tensor.axes)
        if (own.name == axis && own.extent && *own.extent != extent)
          return usageError("option '--shape' gives '" + axis + "' as " +
                            llvm::Twine(extent) +
                            ", but the spec fixes it "
                            "as " +
                            llvm::Twine(*own.extent));
  }
  return Error::success();
}

static void addDefaults(const frontend::Spec &spec,
                        const DefaultExtents &defaults, AxisExtents &extents) {
  auto byDefault = [&](StringRef axis, int64_t value) {
    extents.setDefault(axis, value);
    return *extents.get(axis);
  };
  byDefault("batch", 1);
  // A number of heads that the shared ones divide.
  int64_t shared = 1;
  for (StringRef axis : {"kv_heads", "groups"})
    if (auto extent = extents.get(axis); extent && *extent > 0)
      shared = defaults.heads % *extent == 0 ? shared : *extent;
  int64_t chosen = byDefault("heads", std::max(defaults.heads, shared));
  byDefault("groups", byDefault("kv_heads", chosen));
  byDefault("queries", extents.get("keys").value_or(defaults.length));
  byDefault("keys", *extents.get("queries"));
  int64_t dim = byDefault("dim", defaults.width);
  byDefault("vdim", dim);
  for (const std::string &axis : spec.missingExtents)
    byDefault(axis, defaults.width);
}

Expected<frontend::Spec> analyzeFirst(const RequestedSpec &requested,
                                      const AxisExtents &extents,
                                      const DefaultExtents &defaults,
                                      CompileOptions &options) {
  auto spec = analyze(requested.spec.getSource(), options, requested.states);
  if (spec)
    return spec;
  CompileOptions known = options;
  int64_t width = defaults.width;
  for (const char *axis : {"dim", "vdim"}) {
    auto shape = requested.shape.find(axis);
    if (shape != requested.shape.end())
      width = shape->second;
    else
      width = extents.get(axis).value_or(width);
    known.extents.emplace(axis, width);
  }
  auto again = analyze(requested.spec.getSource(), known, requested.states);
  if (!again) {
    llvm::consumeError(again.takeError());
    return spec;
  }
  llvm::consumeError(spec.takeError());
  options = std::move(known);
  return again;
}

Expected<frontend::Spec> chooseExtents(RequestedSpec &requested,
                                       AxisExtents &extents,
                                       const DefaultExtents &defaults) {
  CompileOptions &options = requested.options;
  auto spec = analyzeFirst(requested, extents, defaults, options);
  if (!spec)
    return spec.takeError();
  if (Error error = addShape(requested, *spec, extents))
    return std::move(error);
  addDefaults(*spec, defaults, extents);
  if (Error error = extents.check())
    return std::move(error);
  // Only feature axes: a length does not belong to a kernel.
  for (const std::string &axis : spec->missingExtents)
    options.extents[axis] = *extents.get(axis);
  return analyze(requested.spec.getSource(), options, requested.states);
}

} // namespace rapt::tool
