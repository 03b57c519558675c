// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/SpecTensors.h"
#include "lib/Support/Diagnostics.h"
#include "lib/Support/NumpyFile.h"
#include "tools/rapt/OutputFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using llvm::Expected;
using llvm::StringRef;

namespace rapt::tool {

using llvm::Error;

std::vector<OptionRow> getTensorOptionRows() {
  return {
      {"--in", "NAME=FILE",
       "Read a tensor from a .npy file; the others are random", true},
      {"--out", "NAME=FILE", "Write a result to a .npy file: out, lse", true},
      {"--seed", "N", "Of the random tensors; 0"},
      {"--layout", "bhnd|bnhd",
       "Order of heads and tokens in memory and in files; bhnd, of\n"
       "packed sequences and of pages bnhd"}};
}

Expected<TensorOptions> parseTensorOptions(const CommandLine &line,
                                           bool mayNameStates) {
  TensorOptions options;
  if (Error error = addAssignments("--in", "NAME=FILE", line.getAll("--in"),
                                   options.inputs))
    return std::move(error);
  if (Error error = addAssignments("--out", "NAME=FILE", line.getAll("--out"),
                                   options.outputs))
    return std::move(error);
  for (const auto &[name, path] : options.outputs)
    if (name != "out" && name != "lse" && !mayNameStates)
      return usageError("option '--out' expects out or lse, found '" + name +
                        "'");
  StringRef layout = line.get("--layout").value_or("bhnd");
  if (layout != "bhnd" && layout != "bnhd")
    return usageError("option '--layout' expects bhnd or bnhd, found '" +
                      layout + "'");
  options.layout = layout == "bnhd" ? Layout::TokensFirst : Layout::HeadsFirst;
  auto seed = line.getInteger("--seed", 0, 0);
  if (!seed)
    return seed.takeError();
  options.seed = *seed;
  return options;
}

Expected<std::vector<HostTensor>> readInputs(const TensorOptions &options,
                                             const RequestedSpec &requested,
                                             AxisExtents &extents) {
  CompileOptions known = requested.options;
  auto spec = analyzeFirst(requested, extents, {}, known);
  if (!spec)
    return spec.takeError();
  llvm::SmallVector<StringRef> names;
  for (const frontend::TensorSignature &argument : spec->arguments)
    names.push_back(argument.name);
  for (const auto &[name, path] : options.inputs)
    if (!llvm::is_contained(names, name))
      return usageError("option '--in' gives '" + name + "', but '" +
                        spec->name + "' reads " + llvm::join(names, ", ") +
                        support::didYouMean(name, names));
  std::vector<HostTensor> tensors;
  for (const frontend::TensorSignature &argument : spec->arguments) {
    auto path = options.inputs.find(argument.name);
    if (path == options.inputs.end())
      continue;
    auto tensor = readTensor(argument, path->second, options.layout);
    if (!tensor)
      return tensor.takeError();
    if (Error error = extents.setTensor(argument, tensor->getSizes()))
      return std::move(error);
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

Error addRandom(
    const TensorOptions &options, const frontend::Spec &spec,
    const AxisExtents &extents, std::vector<HostTensor> &tensors,
    llvm::function_ref<bool(const frontend::TensorSignature &)> isWanted) {
  int64_t positions = extents.get("keys").value_or(1);
  for (const frontend::TensorSignature &argument : spec.arguments) {
    if (options.inputs.count(argument.name) ||
        (isWanted && !isWanted(argument)))
      continue;
    auto sizes = extents.getSizes(argument);
    if (!sizes)
      return sizes.takeError();
    auto tensor = HostTensor::create(argument, *sizes, options.layout);
    if (!tensor)
      return tensor.takeError();
    fillRandom(*tensor, argument, positions, options.seed);
    tensors.push_back(std::move(*tensor));
  }
  return Error::success();
}

Expected<std::vector<HostTensor>>
makeResults(const TensorOptions &options, const frontend::Spec &spec,
            const AxisExtents &extents,
            std::optional<support::ElementType> type) {
  std::vector<HostTensor> results;
  llvm::SmallVector<StringRef> names;
  for (const frontend::TensorSignature &result : spec.results)
    names.push_back(result.name);
  for (const auto &[name, path] : options.outputs) {
    if (llvm::is_contained(names, name))
      continue;
    // As of states, and of branches that are added up.
    if (name == "lse")
      return usageError("option '--out' gives 'lse', but '" + spec.name +
                        "' has no log-sum-exp");
    return usageError("option '--out' gives '" + name + "', but '" + spec.name +
                      "' has the results " + llvm::join(names, ", ") +
                      support::didYouMean(name, names));
  }
  for (frontend::TensorSignature result : spec.results) {
    result.elementType = type.value_or(result.elementType);
    auto sizes = extents.getSizes(result);
    if (!sizes)
      return sizes.takeError();
    auto tensor = HostTensor::create(result, *sizes, options.layout);
    if (!tensor)
      return tensor.takeError();
    results.push_back(std::move(*tensor));
  }
  return results;
}

Error checkOutputs(const TensorOptions &options) {
  for (const auto &[name, path] : options.outputs) {
    if (isChannel(path))
      continue;
    if (llvm::sys::fs::is_directory(path))
      return llvm::createStringError(path + ": cannot write: Is a directory");
    StringRef folder = llvm::sys::path::parent_path(path);
    if (std::error_code code = llvm::sys::fs::access(
            folder.empty() ? "." : folder, llvm::sys::fs::AccessMode::Write))
      return llvm::createStringError(path +
                                     ": cannot write: " + code.message());
  }
  return Error::success();
}

Error writeResults(const TensorOptions &options,
                   const std::vector<HostTensor> &results) {
  OutputFiles files;
  for (const HostTensor &result : results)
    if (auto path = options.outputs.find(result.getName());
        path != options.outputs.end())
      if (Error error = files.add(path->second, [&](StringRef temporary) {
            return support::writeNumpyFile(temporary, result.getType(),
                                           result.getMemorySizes(),
                                           result.getData());
          }))
        return error;
  return files.keep();
}

std::vector<std::pair<std::string, int64_t>>
getShape(const frontend::Spec &spec, const AxisExtents &extents) {
  std::map<std::string, int64_t> known;
  for (const auto *signatures : {&spec.arguments, &spec.results})
    for (const frontend::TensorSignature &tensor : *signatures)
      for (const frontend::TensorAxis &axis : tensor.axes)
        if (auto extent = axis.extent ? axis.extent : extents.get(axis.name))
          if (!llvm::all_of(axis.name, llvm::isDigit))
            known.try_emplace(axis.name, *extent);
  std::vector<std::pair<std::string, int64_t>> shape;
  for (StringRef axis : getLanguageAxes())
    if (auto found = known.find(axis.str()); found != known.end()) {
      shape.push_back(*found);
      known.erase(found);
    }
  shape.insert(shape.end(), known.begin(), known.end());
  return shape;
}

} // namespace rapt::tool
