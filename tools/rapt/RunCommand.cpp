// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/Compilation.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Runtime/KernelCache.h"
#include "lib/Runtime/ThreadPool.h"
#include "lib/Target/Target.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tools/rapt/Commands.h"
#include "tools/rapt/GpuTensors.h"
#include "tools/rapt/PeakMeter.h"
#include "tools/rapt/Report.h"
#include "tools/rapt/SequenceBatch.h"
#include "tools/rapt/SpecTensors.h"
#include "tools/rapt/UsefulWork.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
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
  std::optional<SequenceRequest> sequences;
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
  auto sequences = parseSequenceOptions(line, request.tensors.seed);
  if (!sequences)
    return sequences.takeError();
  request.sequences = std::move(*sequences);
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
  if (request.sequences)
    request.requested.options.sequences = request.sequences->getForm();
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
  return *std::move(kernel);
}

/// Runs a kernel for a GPU on copies of the tensors there, planned once. Its
/// own clock times each run.
llvm::Error runOnGpu(const Kernel &kernel, const RunRequest &request,
                     const std::vector<HostTensor> &tensors,
                     const std::vector<HostTensor> &results,
                     RunReport &report) {
  report.isOnGpu = true;
  report.form = kernel.getForm();
  report.plan = kernel.getPlan();
  report.threads = runtime::ThreadPool::shared(request.threads).getThreads();
  auto gpu = runtime::getCurrentCudaGpu();
  if (!gpu)
    return gpu.takeError();
  report.target += ", " + gpu->name;
  auto context = runtime::CudaContext::find(nullptr, gpu->ordinal);
  if (!context)
    return context.takeError();
  auto copies = GpuTensors::create(*context, tensors, results);
  if (!copies)
    return copies.takeError();
  auto plan = kernel.plan(copies->getArguments());
  if (!plan)
    return makeError(plan.error().code, plan.error().message);
  auto timer = GpuTimer::create(*context);
  if (!timer)
    return timer.takeError();
  std::vector<double> times;
  // The first round warms up.
  for (int64_t round = 0; round <= request.repeats; ++round) {
    auto time = timer->measure([&]() -> llvm::Error {
      auto done = kernel.run(*plan, copies->getArguments(), copies->getOut(),
                             copies->getLse());
      return done ? llvm::Error::success()
                  : makeError(done.error().code, done.error().message);
    });
    if (!time)
      return time.takeError();
    if (round > 0)
      times.push_back(*time);
  }
  report.repeats = request.repeats;
  report.milliseconds = getMedian(std::move(times));
  return copies->download(results);
}

/// Times the kernel between measurements of the peak, after which caches and
/// branch predictors know another loop: of a short call a round has several,
/// and one before them. There is no `lse` of branches that are added up.
llvm::Error runKernel(const Kernel &compiled, const RunRequest &request,
                      const std::vector<NamedTensor> &arguments,
                      const TensorView &out,
                      const std::optional<TensorView> &lse,
                      const Sequences *sequences, RunReport &report) {
  auto begin = std::chrono::steady_clock::now();
  size_t known = compiled.getWarnings().size();
  Result<Kernel> kernel = compiled.selectFor(arguments, sequences);
  report.compileMilliseconds += getMilliseconds(begin);
  if (!kernel)
    return makeError(kernel.error().code, kernel.error().message);
  std::vector<std::string> warnings = compiled.getWarnings();
  for (const std::string &warning : llvm::drop_begin(warnings, known))
    warn(warning);
  report.isFromCache &= kernel->isFromCache();
  report.form = kernel->getForm();
  report.plan = kernel->getPlan();
  RunOptions options;
  options.threads = request.threads;
  options.sequences = sequences;
  auto &pool = runtime::ThreadPool::shared(options.threads);
  report.threads = pool.getThreads();
  auto meter = PeakMeter::create(report.threads);
  if (!meter)
    return meter.takeError();
  std::optional<PeakMeter> dotMeter;
  if (out.dtype == DType::BF16 && target::getHostTarget().bf16Dots.exist()) {
    auto created = PeakMeter::create(report.threads, PeakMeter::Kind::Bf16Dots);
    if (!created)
      return created.takeError();
    dotMeter = std::move(*created);
  }
  constexpr double shortMilliseconds = 0.5;
  constexpr int64_t mostRuns = 100;
  std::vector<double> times;
  int64_t runs = 1;
  auto run = [&](int64_t count) -> Expected<double> {
    auto begin = std::chrono::steady_clock::now();
    for (int64_t n = 0; n < count; ++n)
      if (auto done =
              kernel->run(arguments, out, lse ? &*lse : nullptr, options);
          !done)
        return makeError(done.error().code, done.error().message);
    return getMilliseconds(begin) / static_cast<double>(count);
  };
  // The first round warms up.
  for (int64_t round = 0; round <= request.repeats; ++round) {
    meter->measure(pool);
    if (runs > 1)
      if (auto first = run(1); !first)
        return first.takeError();
    auto time = run(runs);
    if (!time)
      return time.takeError();
    if (round > 0)
      times.push_back(*time);
    else
      runs = std::clamp<int64_t>(
          static_cast<int64_t>(shortMilliseconds / std::max(*time, 1e-6)), 1,
          mostRuns);
  }
  report.repeats = request.repeats;
  report.milliseconds = getMedian(std::move(times));
  report.peakGflops = meter->getFlopsPerSecond() / 1e9;
  // Apart: the clock of multiply-adds depends on what runs before them.
  for (int64_t round = 0; dotMeter && round <= request.repeats; ++round)
    dotMeter->measure(pool);
  if (dotMeter)
    report.dotPeakGflops = dotMeter->getFlopsPerSecond() / 1e9;
  return llvm::Error::success();
}

/// What the Reference judges at once: a call, or one sequence of it.
struct Judged {
  std::vector<reference::NamedTensor> tensors;
  std::vector<reference::TensorView> results;
  reference::Placement placement;
  int64_t keys = 0;
};

/// What a later check found, joined to an earlier one.
void join(std::optional<reference::CheckReport> &all,
          reference::CheckReport check, int64_t sequence) {
  if (!all) {
    all = std::move(check);
  } else {
    auto isWorse = [](double error, double bound, double than,
                      double itsBound) {
      return error * itsBound > than * bound;
    };
    if (isWorse(check.maxError, check.bound, all->maxError, all->bound))
      std::tie(all->maxError, all->bound) =
          std::tuple(check.maxError, check.bound);
    if (isWorse(check.maxLseError, check.lseBound, all->maxLseError,
                all->lseBound))
      std::tie(all->maxLseError, all->lseBound) =
          std::tuple(check.maxLseError, check.lseBound);
    all->rowsChecked += check.rowsChecked;
    all->rowsSkipped += check.rowsSkipped;
    if (!all->passed || check.passed)
      return;
    all->passed = false;
    all->message = std::move(check.message);
  }
  if (!all->passed && sequence >= 0)
    all->message = "sequence " + std::to_string(sequence) + ": " + all->message;
}

/// Compares with the Reference and adds up the useful work. `sequence` is the
/// one of a batch that is judged, or negative.
llvm::Error judge(const RunRequest &request, const Compilation &compilation,
                  const Judged &judged, int64_t sequence, double &flops,
                  RunReport &report) {
  auto emitted = emitForReference(compilation);
  if (!emitted)
    return emitted.takeError();
  auto function = *emitted->module->getOps<mlir::func::FuncOp>().begin();
  using reference::AttnEvaluator;
  auto exact = AttnEvaluator::create(function, judged.tensors,
                                     reference::Precision::Exact,
                                     report.threads, judged.placement);
  if (!exact)
    return exact.takeError();
  UsefulWork work = countUsefulWork(function, *exact, judged.keys);
  report.isWorkEstimated |= work.isEstimated;
  flops += work.flops;
  if (request.selection == RowSelection::None)
    return llvm::Error::success();
  // A GPU rounds the operands of its products.
  reference::Arithmetic arithmetic = reference::Precision::Rounded;
  if (compilation.gpu)
    arithmetic.operands = compilation.spec.results.front().elementType;
  auto plain = AttnEvaluator::create(function, judged.tensors, arithmetic,
                                     report.threads, judged.placement);
  if (!plain)
    return plain.takeError();
  auto rows = reference::selectRows(request.selection, exact->getBatch(),
                                    exact->getHeads(), exact->getQueries(),
                                    request.tensors.seed);
  bool hasLse = exact->hasLse() && judged.results.size() > 1;
  auto check =
      reference::checkResult(*exact, *plain, judged.results[0],
                             hasLse ? &judged.results[1] : nullptr, rows);
  if (!check)
    return check.takeError();
  join(report.check, std::move(*check), sequence);
  return llvm::Error::success();
}

void setSpeed(double flops, RunReport &report) {
  if (report.milliseconds > 0)
    report.gflops = flops / (report.milliseconds * 1e6);
}

/// One call of tensors as the spec has them.
llvm::Error runTensors(const RunRequest &request, const Kernel &kernel,
                       const Compilation &compilation,
                       const AxisExtents &extents,
                       const std::vector<HostTensor> &tensors,
                       const std::vector<HostTensor> &results,
                       RunReport &report) {
  std::vector<NamedTensor> arguments;
  Judged judged;
  for (const HostTensor &tensor : tensors) {
    arguments.push_back({tensor.getName(), tensor.getView()});
    judged.tensors.push_back({tensor.getName(), tensor.getReferenceView()});
  }
  for (const HostTensor &result : results)
    judged.results.push_back(result.getReferenceView());
  judged.keys = extents.get("keys").value_or(0);
  std::optional<TensorView> lse;
  if (results.size() > 1)
    lse = results[1].getView();
  if (llvm::Error error =
          compilation.gpu
              ? runOnGpu(kernel, request, tensors, results, report)
              : runKernel(kernel, request, arguments, results[0].getView(), lse,
                          nullptr, report))
    return error;
  double flops = 0;
  if (llvm::Error error =
          judge(request, compilation, judged, -1, flops, report))
    return error;
  setSpeed(flops, report);
  return llvm::Error::success();
}

/// One call of a batch of sequences, each of which is judged alone.
llvm::Error runSequences(const RunRequest &request, const Kernel &kernel,
                         const Compilation &compilation,
                         const AxisExtents &extents, RunReport &report) {
  auto batch = SequenceBatch::create(*request.sequences, request.tensors,
                                     compilation.spec, extents);
  if (!batch)
    return batch.takeError();
  Sequences sequences = batch->getSequences();
  std::optional<TensorView> lse;
  if (batch->getResultCount() > 1)
    lse = batch->getResult(1);
  if (llvm::Error error =
          runKernel(kernel, request, batch->getArguments(), batch->getResult(0),
                    lse, &sequences, report))
    return error;
  double flops = 0;
  for (int64_t b = 0; b < batch->getBatch(); ++b) {
    const SequenceLength &length = request.sequences->lengths[b];
    if (length.queries == 0)
      continue;
    Judged judged{batch->getNamed(b), {}, batch->getPlacement(b), length.keys};
    for (size_t n = 0; n < batch->getResultCount(); ++n)
      judged.results.push_back(batch->getWindow(n, b));
    if (llvm::Error error =
            judge(request, compilation, judged, b, flops, report))
      return error;
  }
  setSpeed(flops, report);
  return llvm::Error::success();
}

/// The extents of the longest sequence; what else there is, the user says.
llvm::Error addLengths(const SequenceRequest &sequences, AxisExtents &extents) {
  int64_t queries = 0, keys = 0;
  for (const SequenceLength &length : sequences.lengths) {
    queries = std::max(queries, length.queries);
    keys = std::max(keys, length.keys);
  }
  for (auto [axis, extent] :
       {std::pair("batch", int64_t(1)), {"queries", queries}, {"keys", keys}})
    if (llvm::Error error = extents.set(axis, extent, "--sequences"))
      return error;
  return llvm::Error::success();
}

void describeRun(const RunRequest &request, const CommandLine &line,
                 const Compilation &compilation, const AxisExtents &extents,
                 RunReport &report) {
  const frontend::Spec &spec = compilation.spec;
  report.spec = spec.name;
  report.file = line.getFile().str();
  report.target =
      compilation.gpu ? compilation.gpu->name : compilation.target.name;
  if (!compilation.gpu && compilation.target.cpu != compilation.target.name)
    report.target += " (" + compilation.target.cpu + ")";
  report.dtype = describe(request.requested.options.dtype);
  for (const auto &[name, value] : spec.params)
    report.params.emplace_back(name, value);
  report.shape = getShape(spec, extents);
  if (!request.sequences)
    return;
  // Of the whole batch: how many sequences, and tokens of all of them.
  const SequenceRequest &sequences = *request.sequences;
  auto sum = [&](int64_t SequenceLength::*member) {
    int64_t total = 0;
    for (const SequenceLength &length : sequences.lengths)
      total += length.*member;
    return total;
  };
  for (auto &[axis, extent] : report.shape)
    if (axis == "batch")
      extent = static_cast<int64_t>(sequences.lengths.size());
    else if (axis == "queries")
      extent = sum(&SequenceLength::queries);
    else if (axis == "keys")
      extent = sum(&SequenceLength::keys);
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
  if (request->sequences)
    if (llvm::Error error = addLengths(*request->sequences, extents))
      return error;
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
  std::vector<HostTensor> results;
  if (request->sequences) {
    if (llvm::Error error =
            runSequences(*request, *kernel, *compilation, extents, report))
      return error;
  } else {
    if (llvm::Error error =
            addRandom(request->tensors, *spec, extents, *tensors))
      return error;
    auto made = makeResults(request->tensors, *spec, extents);
    if (!made)
      return made.takeError();
    results = std::move(*made);
    if (llvm::Error error = runTensors(*request, *kernel, *compilation, extents,
                                       *tensors, results, report))
      return error;
  }
  if (request->isJson)
    printJson(report, llvm::outs());
  else
    printText(report, llvm::outs());
  llvm::outs().flush();
  if (report.check && !report.check->passed)
    return llvm::createStringError("check failed: " + report.check->message);
  return writeResults(request->tensors, results);
}

} // namespace

const Command &getRunCommand() {
  static const std::vector<OptionRow> options = [] {
    std::vector<OptionRow> rows = getTensorOptionRows();
    for (const OptionRow &row : getSpecOptionRows())
      rows.push_back(row);
    for (const OptionRow &row : getSequenceOptionRows())
      rows.push_back(row);
    rows.insert(rows.end(),
                {{"--threads", "N", "Threads; one per core"},
                 {"--repeats", "N",
                  "Timed rounds, after one that warms up; 9. A round is one\n"
                  "run, or on a CPU as many as take half a millisecond"},
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
