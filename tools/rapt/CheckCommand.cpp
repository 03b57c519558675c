// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// `rapt check`: what a spec means, without compiling anything.

#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/Compilation.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Reference/Check.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tools/rapt/Commands.h"
#include "tools/rapt/SpecTensors.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using llvm::Expected;
using llvm::StringRef;
using rapt::support::ElementType;

namespace rapt::tool {

using llvm::Error;
namespace {

/// What is said about a tensor.
struct TensorSummary {
  std::string name, type;
  std::vector<std::pair<std::string, int64_t>> axes;
  std::string source; ///< A file or `random`; empty for a result.
};

/// The numbers of a result. Infinite ones count in the range, NaNs do not.
struct ResultSummary : TensorSummary {
  double smallest = 0, largest = 0, norm = 0;
  int64_t numbers = 0; ///< That are no NaN.
  int64_t nans = 0;
};

struct CheckSummary {
  std::string spec, file, type;
  std::vector<std::pair<std::string, std::string>> params;
  std::vector<std::pair<std::string, int64_t>> shape;
  std::vector<TensorSummary> arguments;
  std::vector<ResultSummary> results;
  std::optional<reference::CheckReport> found; ///< What --against says.
};

TensorSummary describeTensor(const frontend::TensorSignature &signature,
                             const HostTensor &tensor, StringRef source) {
  TensorSummary summary;
  summary.name = tensor.getName();
  summary.type = support::getElementTypeName(tensor.getType()).str();
  for (auto [axis, size] : llvm::zip(signature.axes, tensor.getSizes()))
    summary.axes.emplace_back(axis.name, size);
  summary.source = source.str();
  return summary;
}

/// Of the elements of a float tensor; the norm is that of its finite ones.
ResultSummary describeResult(const frontend::TensorSignature &signature,
                             const HostTensor &tensor) {
  ResultSummary summary{describeTensor(signature, tensor, "")};
  double squares = 0;
  for (int64_t n = 0; n < tensor.getElementCount(); ++n) {
    double value = support::loadReal(tensor.getType(), tensor.getData(), n);
    if (std::isnan(value)) {
      ++summary.nans;
      continue;
    }
    bool isFirst = summary.numbers++ == 0;
    summary.smallest = isFirst ? value : std::min(summary.smallest, value);
    summary.largest = isFirst ? value : std::max(summary.largest, value);
    if (std::isfinite(value))
      squares += value * value;
  }
  summary.norm = std::sqrt(squares);
  return summary;
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

/// Results that were computed elsewhere, and the type to which the operands of
/// products were rounded there.
struct Found {
  std::vector<HostTensor> results; ///< Out, then perhaps lse; none: empty.
  ElementType operands = ElementType::F32;
};

/// Fills `results` (f64: out, lse of a pairwise loop, states) with the
/// Reference's numbers, and judges what was found. Returns whether the spec has
/// a log-sum-exp.
Expected<bool> evaluate(const Compilation &compilation,
                        const std::vector<HostTensor> &tensors,
                        const std::vector<HostTensor> &results,
                        const Found &found, unsigned threads,
                        std::optional<reference::CheckReport> &report) {
  auto emitted = emitForReference(compilation);
  if (!emitted)
    return emitted.takeError();
  auto function = *emitted->module->getOps<mlir::func::FuncOp>().begin();
  std::vector<reference::NamedTensor> named;
  for (const HostTensor &tensor : tensors)
    named.push_back({tensor.getName(), tensor.getReferenceView()});
  auto evaluator = reference::AttnEvaluator::create(
      function, named, reference::Precision::Exact, threads);
  if (!evaluator)
    return evaluator.takeError();
  auto indices = reference::selectRows(
      reference::RowSelection::All, evaluator->getBatch(),
      evaluator->getHeads(), evaluator->getQueries(), /*seed=*/0);
  std::vector<reference::Row> rows = evaluator->evaluateRows(indices);
  const HostTensor &out = results[0];
  int64_t features = out.getSizes().back();
  for (auto [number, row] : llvm::enumerate(rows)) {
    for (auto [feature, value] : llvm::enumerate(row.out))
      support::storeReal(ElementType::F64, out.getData(),
                         out.getOffset(number * features + feature), value);
    if (evaluator->hasLse())
      support::storeReal(ElementType::F64, results[1].getData(), number,
                         row.lse);
  }
  for (const reference::NamedTensor &state : evaluator->getStates())
    for (const HostTensor &result : results)
      if (result.getName() == state.name)
        for (int64_t n = 0; n < result.getElementCount(); ++n)
          support::storeReal(
              ElementType::F64, result.getData(), n,
              support::loadReal(state.view.type, state.view.data, n));
  if (found.results.empty())
    return evaluator->hasLse();
  auto plain = reference::AttnEvaluator::create(
      function, named, {reference::Precision::Rounded, found.operands},
      threads);
  if (!plain)
    return plain.takeError();
  std::optional<reference::TensorView> lse;
  if (found.results.size() > 1)
    lse = found.results[1].getReferenceView();
  auto check = reference::checkResult(*evaluator, *plain,
                                      found.results[0].getReferenceView(),
                                      lse ? &*lse : nullptr, indices);
  if (!check)
    return check.takeError();
  report = std::move(*check);
  return evaluator->hasLse();
}

/// What --against and --operands say.
Expected<Found> readFound(const CommandLine &line, const TensorOptions &options,
                          const frontend::Spec &spec) {
  Found found;
  std::map<std::string, std::string> files;
  if (Error error = addAssignments("--against", "NAME=FILE",
                                   line.getAll("--against"), files))
    return std::move(error);
  for (const auto &[name, path] : files)
    if (name != "out" && name != "lse")
      return usageError("option '--against' expects out or lse, found '" +
                        name + "'");
  if (!files.empty() && !files.count("out"))
    return usageError("option '--against' gives 'lse' without 'out'");
  StringRef operands = line.get("--operands").value_or("f32");
  auto type = llvm::StringSwitch<std::optional<ElementType>>(operands)
                  .Case("f32", ElementType::F32)
                  .Case("f16", ElementType::F16)
                  .Case("bf16", ElementType::BF16)
                  .Default(std::nullopt);
  if (!type)
    return usageError("option '--operands' expects f32, f16 or bf16, found '" +
                      operands.str() + "'");
  found.operands = *type;
  for (const frontend::TensorSignature &result : spec.results) {
    auto file = files.find(result.name);
    if (file == files.end())
      continue;
    auto tensor = readTensor(result, file->second, options.layout);
    if (!tensor)
      return tensor.takeError();
    found.results.push_back(std::move(*tensor));
    files.erase(file);
  }
  if (!files.empty())
    return usageError("option '--against' gives '" + files.begin()->first +
                      "', which '" + spec.name + "' does not return");
  return found;
}

/// What --states says.
Expected<StateRequest> getStateRequest(const CommandLine &line) {
  StringRef text = line.get("--states").value_or("none");
  auto request = llvm::StringSwitch<std::optional<StateRequest>>(text)
                     .Case("none", StateRequest{})
                     .Case("in", StateRequest{.takes = true})
                     .Case("out", StateRequest{.gives = true})
                     .Case("both", StateRequest{.takes = true, .gives = true})
                     .Default(std::nullopt);
  if (!request)
    return usageError("option '--states' expects in, out, both or none, found "
                      "'" +
                      text + "'");
  return *request;
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

std::string describeAxes(const TensorSummary &tensor) {
  std::string text = "[";
  for (const auto &[axis, size] : tensor.axes) {
    text += text.size() > 1 ? ", " : "";
    // An axis named by its number says everything.
    std::string number = std::to_string(size);
    text += axis == number ? number : axis + "=" + number;
  }
  return text + "]";
}

void printText(const CheckSummary &summary, llvm::raw_ostream &os) {
  os << summary.spec << " from " << summary.file << ", evaluated in f64\n";
  if (!summary.params.empty()) {
    os << "  params ";
    for (const auto &[name, value] : summary.params)
      os << ' ' << name << '=' << value;
    os << '\n';
  }
  size_t width = 6;
  for (const TensorSummary &tensor : summary.arguments)
    width = std::max(width, tensor.name.size());
  auto begin = [&](const TensorSummary &tensor) -> llvm::raw_ostream & {
    return os << "  " << llvm::left_justify(tensor.name, width) << "  "
              << tensor.type << describeAxes(tensor);
  };
  for (const TensorSummary &tensor : summary.arguments)
    begin(tensor) << ", " << tensor.source << '\n';
  for (const ResultSummary &result : summary.results) {
    begin(result);
    if (result.numbers)
      os << llvm::formatv(", {0} .. {1}, norm {2}",
                          llvm::format("%.6g", result.smallest),
                          llvm::format("%.6g", result.largest),
                          llvm::format("%.6g", result.norm));
    if (result.nans)
      os << ", " << result.nans << " NaN";
    os << '\n';
  }
  if (!summary.found)
    return;
  const reference::CheckReport &found = *summary.found;
  os << llvm::formatv("  {0}: largest error {1:e2}, bound {2:e2}; lse {3:e2}, "
                      "bound {4:e2}; {5} rows, {6} skipped\n",
                      found.passed ? "passed" : "failed", found.maxError,
                      found.bound, found.maxLseError, found.lseBound,
                      found.rowsChecked, found.rowsSkipped);
}

/// Seventeen digits, so that equal text means equal numbers; null for what JSON
/// has no number for.
void printNumber(llvm::json::OStream &json, StringRef name, double value) {
  json.attributeBegin(name);
  if (std::isfinite(value))
    json.rawValue(llvm::formatv("{0}", llvm::format("%.17g", value)).str());
  else
    json.value(nullptr);
  json.attributeEnd();
}

void printTensor(llvm::json::OStream &json, const TensorSummary &tensor) {
  json.attribute("name", tensor.name);
  json.attribute("dtype", tensor.type);
  json.attributeArray("axes", [&] {
    for (const auto &[axis, size] : tensor.axes)
      json.value(axis);
  });
  json.attributeArray("sizes", [&] {
    for (const auto &[axis, size] : tensor.axes)
      json.value(size);
  });
}

void printJson(const CheckSummary &summary, llvm::raw_ostream &os) {
  llvm::json::OStream json(os);
  json.object([&] {
    json.attribute("spec", summary.spec);
    json.attributeObject("params", [&] {
      for (const auto &[name, value] : summary.params)
        json.attribute(name, value);
    });
    json.attributeObject("shape", [&] {
      for (const auto &[axis, extent] : summary.shape)
        json.attribute(axis, extent);
    });
    json.attribute("dtype", summary.type);
    json.attributeArray("arguments", [&] {
      for (const TensorSummary &tensor : summary.arguments)
        json.object([&] {
          printTensor(json, tensor);
          json.attribute("source", tensor.source);
        });
    });
    json.attributeArray("results", [&] {
      for (const ResultSummary &result : summary.results)
        json.object([&] {
          printTensor(json, result);
          printNumber(json, "min", result.numbers ? result.smallest : NAN);
          printNumber(json, "max", result.numbers ? result.largest : NAN);
          printNumber(json, "norm", result.norm);
          json.attribute("nan", result.nans);
        });
    });
    if (summary.found)
      json.attributeObject("found", [&] {
        json.attribute("passed", summary.found->passed);
        printNumber(json, "max_error", summary.found->maxError);
        printNumber(json, "error_bound", summary.found->bound);
        printNumber(json, "max_lse_error", summary.found->maxLseError);
        printNumber(json, "lse_error_bound", summary.found->lseBound);
        json.attribute("rows_checked", summary.found->rowsChecked);
        json.attribute("rows_skipped", summary.found->rowsSkipped);
      });
  });
  os << '\n';
}

//===----------------------------------------------------------------------===//
// The command
//===----------------------------------------------------------------------===//

Error check(const CommandLine &line) {
  auto options = parseTensorOptions(line, /*mayNameStates=*/true);
  if (!options)
    return options.takeError();
  auto threads = line.getThreads();
  if (!threads)
    return threads.takeError();
  auto requested = loadSpec(line);
  if (!requested)
    return requested.takeError();
  auto states = getStateRequest(line);
  if (!states)
    return states.takeError();
  requested->states = *states;
  if (Error error = checkOutputs(*options))
    return error;
  AxisExtents extents;
  auto tensors = readInputs(*options, *requested, extents);
  if (!tensors)
    return tensors.takeError();
  auto spec = chooseExtents(*requested, extents,
                            {.heads = 2, .length = 128, .width = 16});
  if (!spec)
    return spec.takeError();
  auto compilation = prepare(requested->spec.getSource(), requested->options,
                             requested->states);
  if (!compilation)
    return compilation.takeError();
  if (!compilation->spec.warnings.empty())
    llvm::errs() << compilation->spec.warnings << '\n';
  if (Error error = addRandom(*options, *spec, extents, *tensors))
    return error;
  auto results = makeResults(*options, *spec, extents, ElementType::F64);
  if (!results)
    return results.takeError();
  auto found = readFound(line, *options, *spec);
  if (!found)
    return found.takeError();
  std::optional<reference::CheckReport> report;
  auto hasLse =
      evaluate(*compilation, *tensors, *results, *found, *threads, report);
  if (!hasLse)
    return hasLse.takeError();

  CheckSummary summary{spec->name,
                       line.getFile().str(),
                       describe(requested->options.dtype),
                       {spec->params.begin(), spec->params.end()},
                       getShape(*spec, extents),
                       {},
                       {},
                       report};
  for (const frontend::TensorSignature &argument : spec->arguments) {
    auto tensor = llvm::find_if(*tensors, [&](const HostTensor &tensor) {
      return tensor.getName() == argument.name;
    });
    auto file = options->inputs.find(argument.name);
    summary.arguments.push_back(describeTensor(
        argument, *tensor,
        file == options->inputs.end() ? "random" : StringRef(file->second)));
  }
  for (auto [signature, result] : llvm::zip(spec->results, *results))
    if (*hasLse || result.getName() != "lse")
      summary.results.push_back(describeResult(signature, result));
  if (line.has("--json"))
    printJson(summary, llvm::outs());
  else
    printText(summary, llvm::outs());
  llvm::outs().flush();
  if (Error error = writeResults(*options, *results))
    return error;
  if (report && !report->passed)
    return llvm::createStringError("check failed: " + report->message);
  return Error::success();
}

} // namespace

const Command &getCheckCommand() {
  static const std::vector<OptionRow> options = [] {
    std::vector<OptionRow> rows = getTensorOptionRows();
    for (const OptionRow &row : getSpecOptionRows())
      if (row.flag != "--target" && row.flag != "--few-rows" &&
          row.flag != "--most-keys")
        rows.push_back(row);
    rows.insert(
        rows.end(),
        {{"--states", "in|out|both|none",
          "Whether the states of a recurrence are arguments\n"
          "(f32, and start: the tokens before) and results"},
         {"--against", "NAME=FILE",
          "Judge a result that was computed elsewhere, of all rows, by\n"
          "the error rule: out, and lse with it",
          true},
         {"--operands", "f32|f16|bf16",
          "To which type the operands of its products were rounded,\n"
          "as matrix units take them; f32"},
         {"--threads", "N", "Threads; one per core"},
         {"--json", "", "Print one line of JSON"},
         {"--help", "", "Print this text"}});
    return rows;
  }();
  static const Command command{
      {"check", "FILE [options]",
       "Check a spec and evaluate it literally in f64, without compiling it",
       options,
       /*takesFile=*/true},
      check};
  return command;
}

} // namespace rapt::tool
