// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/Compilation.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Runtime/KernelCache.h"
#include "lib/Runtime/ThreadPool.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tools/rapt/Commands.h"
#include "tools/rapt/PeakMeter.h"
#include "tools/rapt/Report.h"
#include "tools/rapt/SpecTensors.h"
#include "tools/rapt/UsefulWork.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>

using llvm::Expected;
using llvm::StringRef;
using rapt::reference::RowSelection;

namespace rapt::tool {
namespace {

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

struct RunRequest {
  RequestedSpec requested;
  TensorOptions tensors;
  RowSelection selection = RowSelection::Sample;
  unsigned threads = 0;
  int64_t repeats = 0;
  bool isJson = false;
};

Expected<RunRequest> parseRequest(const CommandLine &line) {
  RunRequest request;
  auto tensors = parseTensorOptions(line);
  if (!tensors)
    return tensors.takeError();
  request.tensors = std::move(*tensors);
  StringRef check = line.get("--check").value_or("sample");
  auto selection = llvm::StringSwitch<std::optional<RowSelection>>(check)
                       .Case("sample", RowSelection::Sample)
                       .Case("all", RowSelection::All)
                       .Case("none", RowSelection::None)
                       .Default(std::nullopt);
  if (!selection)
    return usageError("option '--check' expects sample, all or none, found '" +
                      check + "'");
  request.selection = *selection;
  auto threads = line.getThreads();
  if (!threads)
    return threads.takeError();
  auto repeats = line.getInteger("--repeats", 9, 1);
  if (!repeats)
    return repeats.takeError();
  request.threads = *threads;
  request.repeats = *repeats;
  request.isJson = line.has("--json");

  auto requested = loadSpec(line);
  if (!requested)
    return requested.takeError();
  request.requested = std::move(*requested);
  request.requested.options.useCache = !line.has("--no-cache");
  if (auto directory = line.get("--cache-dir"))
    request.requested.options.cacheDirectory = directory->str();
  return request;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

double getMilliseconds(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now() - begin)
      .count();
}

/// Fails if a kernel that was compiled now could not be kept: the user asked
/// for a cache, and each run would compile again.
llvm::Error checkCache(const CompileOptions &options, const Kernel &kernel) {
  if (!options.useCache || kernel.isFromCache())
    return llvm::Error::success();
  namespace fs = llvm::sys::fs;
  std::string directory =
      runtime::KernelCache(options.cacheDirectory).getDirectory();
  std::error_code code;
  if (directory.empty())
    code = std::make_error_code(std::errc::no_such_file_or_directory);
  else if (!(code = fs::create_directories(directory)))
    code = fs::access(directory, fs::AccessMode::Write);
  if (!code)
    return llvm::Error::success();
  return llvm::createStringError("cannot write to the cache of kernels at '" +
                                 directory + "': " + code.message() +
                                 "; choose --cache-dir=DIR or --no-cache");
}

Expected<Kernel> compileKernel(const RunRequest &request, RunReport &report) {
  const RequestedSpec &requested = request.requested;
  auto begin = std::chrono::steady_clock::now();
  auto kernel = Kernel::compile(requested.spec, requested.options);
  report.compileMilliseconds = getMilliseconds(begin);
  if (!kernel)
    return makeError(kernel.error().code, kernel.error().message);
  if (llvm::Error error = checkCache(requested.options, *kernel))
    return std::move(error);
  for (const std::string &warning : kernel->getWarnings())
    warn(warning);
  report.isFromCache = kernel->isFromCache();
  report.form = kernel->getForm();
  report.plan = kernel->getPlan();
  return *std::move(kernel);
}

/// Times the kernel between measurements of the peak.
llvm::Error runKernel(const Kernel &kernel, const RunRequest &request,
                      const std::vector<HostTensor> &tensors,
                      const std::vector<HostTensor> &results,
                      RunReport &report) {
  std::vector<NamedTensor> arguments;
  for (const HostTensor &tensor : tensors)
    arguments.push_back({tensor.getName(), tensor.getView()});
  TensorView out = results[0].getView();
  std::optional<TensorView> lse;
  if (results.size() > 1) // not of branches that are added up
    lse = results[1].getView();
  RunOptions options;
  options.threads = request.threads;
  auto &pool = runtime::ThreadPool::shared(options.threads);
  report.threads = pool.getThreads();
  auto meter = PeakMeter::create(report.threads);
  if (!meter)
    return meter.takeError();
  std::vector<double> times;
  // The first round warms up.
  for (int64_t round = 0; round <= request.repeats; ++round) {
    meter->measure(pool);
    auto begin = std::chrono::steady_clock::now();
    auto done = kernel.run(arguments, out, lse ? &*lse : nullptr, options);
    double time = getMilliseconds(begin);
    if (!done)
      return makeError(done.error().code, done.error().message);
    if (round > 0)
      times.push_back(time);
  }
  llvm::sort(times);
  report.repeats = request.repeats;
  size_t middle = times.size() / 2;
  report.milliseconds = times.size() % 2
                            ? times[middle]
                            : (times[middle - 1] + times[middle]) / 2;
  report.peakGflops = meter->getFlopsPerSecond() / 1e9;
  return llvm::Error::success();
}

/// Compares with the Reference and counts the useful work.
llvm::Error judge(const RunRequest &request, const Compilation &compilation,
                  const AxisExtents &extents,
                  const std::vector<HostTensor> &tensors,
                  const std::vector<HostTensor> &results, RunReport &report) {
  auto emitted = emitForReference(compilation);
  if (!emitted)
    return emitted.takeError();
  auto function = *emitted->module->getOps<mlir::func::FuncOp>().begin();
  std::vector<reference::NamedTensor> named;
  for (const HostTensor &tensor : tensors)
    named.push_back({tensor.getName(), tensor.getReferenceView()});
  using reference::AttnEvaluator;
  auto exact = AttnEvaluator::create(
      function, named, reference::Precision::Exact, report.threads);
  if (!exact)
    return exact.takeError();
  UsefulWork work =
      countUsefulWork(function, *exact, extents.get("keys").value_or(0));
  report.isWorkEstimated = work.isEstimated;
  if (report.milliseconds > 0)
    report.gflops = work.flops / (report.milliseconds * 1e6);
  if (request.selection == RowSelection::None)
    return llvm::Error::success();
  auto plain = AttnEvaluator::create(
      function, named, reference::Precision::Rounded, report.threads);
  if (!plain)
    return plain.takeError();
  auto rows = reference::selectRows(request.selection, exact->getBatch(),
                                    exact->getHeads(), exact->getQueries(),
                                    request.tensors.seed);
  std::optional<reference::TensorView> lse;
  if (exact->hasLse() && results.size() > 1)
    lse = results[1].getReferenceView();
  auto check =
      reference::checkResult(*exact, *plain, results[0].getReferenceView(),
                             lse ? &*lse : nullptr, rows);
  if (!check)
    return check.takeError();
  report.check = std::move(*check);
  return llvm::Error::success();
}

void describeRun(const RunRequest &request, const CommandLine &line,
                 const Compilation &compilation, const AxisExtents &extents,
                 RunReport &report) {
  const frontend::Spec &spec = compilation.spec;
  report.spec = spec.name;
  report.file = line.getFile().str();
  report.target = compilation.target.name;
  if (compilation.target.cpu != compilation.target.name)
    report.target += " (" + compilation.target.cpu + ")";
  report.dtype = describe(request.requested.options.dtype);
  for (const auto &[name, value] : spec.params)
    report.params.emplace_back(name, value);
  report.shape = getShape(spec, extents);
}

llvm::Error execute(const CommandLine &line) {
  auto request = parseRequest(line);
  if (!request)
    return request.takeError();
  if (llvm::Error error = checkOutputs(request->tensors))
    return error;
  AxisExtents extents;
  auto tensors = readInputs(request->tensors, request->requested, extents);
  if (!tensors)
    return tensors.takeError();
  auto spec = chooseExtents(request->requested, extents);
  if (!spec)
    return spec.takeError();
  auto compilation =
      prepare(request->requested.spec.getSource(), request->requested.options);
  if (!compilation)
    return compilation.takeError();

  RunReport report;
  describeRun(*request, line, *compilation, extents, report);
  auto kernel = compileKernel(*request, report);
  if (!kernel)
    return kernel.takeError();
  if (llvm::Error error = addRandom(request->tensors, *spec, extents, *tensors))
    return error;
  auto results = makeResults(request->tensors, *spec, extents);
  if (!results)
    return results.takeError();
  if (llvm::Error error =
          runKernel(*kernel, *request, *tensors, *results, report))
    return error;
  if (llvm::Error error =
          judge(*request, *compilation, extents, *tensors, *results, report))
    return error;
  if (request->isJson)
    printJson(report, llvm::outs());
  else
    printText(report, llvm::outs());
  llvm::outs().flush();
  if (report.check && !report.check->passed)
    return llvm::createStringError("check failed: " + report.check->message);
  return writeResults(request->tensors, *results);
}

} // namespace

const Command &getRunCommand() {
  static const std::vector<OptionRow> options = [] {
    std::vector<OptionRow> rows = getTensorOptionRows();
    for (const OptionRow &row : getSpecOptionRows())
      rows.push_back(row);
    rows.insert(rows.end(),
                {{"--threads", "N", "Threads; one per core"},
                 {"--repeats", "N", "Timed runs, after one that warms up; 9"},
                 {"--check", "sample|all|none",
                  "Rows of each head to compare with the Reference;\n"
                  "sample: the first 64, the last 64 and 128 random ones"},
                 {"--json", "", "Print one line of JSON"},
                 {"--no-cache", "", "Compile even if the kernel is on disk"},
                 {"--cache-dir", "DIR",
                  "Where compiled kernels are; $RAPT_CACHE_DIR, else\n"
                  "$XDG_CACHE_HOME/rapt, else ~/.cache/rapt"},
                 {"--help", "", "Print this text"}});
    return rows;
  }();
  static const Command command{{"run", "FILE [options]",
                                "Compile a spec, run it, check it and time it",
                                options,
                                /*takesFile=*/true},
                               execute};
  return command;
}

} // namespace rapt::tool
