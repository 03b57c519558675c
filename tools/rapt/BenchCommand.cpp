// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Times a kernel on a GPU beside what the GPU can do at most, measured in turn
// with it. On CPUs `rapt run` does that.

#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/Compilation.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Runtime/ThreadPool.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tools/rapt/Commands.h"
#include "tools/rapt/GpuCeilings.h"
#include "tools/rapt/SpecTensors.h"
#include "tools/rapt/UsefulWork.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>

using llvm::Expected;

namespace rapt::tool {
namespace {

struct BenchReport {
  std::string spec, target, gpu, dtype, form, plan, instruction;
  std::vector<std::pair<std::string, int64_t>> shape;
  bool isFromCache = false;
  double compileMilliseconds = 0; ///< or to find it in the cache
  double firstMilliseconds = 0;   ///< load, plan and run it for the first time
  double callMicroseconds = 0;    ///< of the host, for a planned call
  double milliseconds = 0;
  int64_t repeats = 0, sets = 0, bytes = 0;
  UsefulWork work;
  double copyBytesPerSecond = 0, peakFlopsPerSecond = 0;

  double getFlopsPerSecond() const { return work.flops / milliseconds * 1e3; }
  double getBytesPerSecond() const {
    return double(bytes) / milliseconds * 1e3;
  }
};

double getMilliseconds(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now() - begin)
      .count();
}

llvm::Error toError(const Result<void> &done) {
  return done ? llvm::Error::success()
              : makeError(done.error().code, done.error().message);
}

/// Copies of the tensors that no cache of the GPU holds all of, each with a
/// plan, so that a run is nothing but its launches.
struct Sets {
  std::vector<GpuTensors> tensors;
  std::vector<Plan> plans;
  size_t next = 0;

  llvm::Error run(const Kernel &kernel) {
    size_t n = next++ % tensors.size();
    return toError(kernel.run(plans[n], tensors[n].getArguments(),
                              tensors[n].getOut(), tensors[n].getLse()));
  }
};

/// Returns the milliseconds that planning took.
Expected<double> add(Sets &sets, const Kernel &kernel,
                     const runtime::CudaContext &context,
                     const std::vector<HostTensor> &arguments,
                     const std::vector<HostTensor> &results) {
  auto tensors = GpuTensors::create(context, arguments, results);
  if (!tensors)
    return tensors.takeError();
  auto begin = std::chrono::steady_clock::now();
  auto plan = kernel.plan(tensors->getArguments());
  double time = getMilliseconds(begin);
  if (!plan)
    return makeError(plan.error().code, plan.error().message);
  sets.tensors.push_back(std::move(*tensors));
  sets.plans.push_back(*std::move(plan));
  return time;
}

Expected<UsefulWork> countWork(const Compilation &compilation,
                               const std::vector<HostTensor> &arguments,
                               int64_t keys) {
  auto emitted = emitForReference(compilation);
  if (!emitted)
    return emitted.takeError();
  auto function = *emitted->module->getOps<mlir::func::FuncOp>().begin();
  std::vector<reference::NamedTensor> tensors;
  for (const HostTensor &tensor : arguments)
    tensors.push_back({tensor.getName(), tensor.getReferenceView()});
  auto evaluator = reference::AttnEvaluator::create(
      function, tensors, reference::Precision::Exact,
      runtime::ThreadPool::shared(0).getThreads());
  if (!evaluator)
    return evaluator.takeError();
  return countUsefulWork(function, *evaluator, keys);
}

/// Runs of the kernel, of copies and of products, in turn.
llvm::Error measure(const Kernel &kernel, const runtime::CudaContext &context,
                    const runtime::CudaGpu &gpu,
                    const std::vector<HostTensor> &arguments,
                    const std::vector<HostTensor> &results,
                    BenchReport &report) {
  auto timer = GpuTimer::create(context);
  if (!timer)
    return timer.takeError();
  auto ceilings = GpuCeilings::create(context, gpu);
  if (!ceilings)
    return ceilings.takeError();
  Sets sets;
  auto run = [&] { return sets.run(kernel); };
  auto planned = add(sets, kernel, context, arguments, results);
  if (!planned)
    return planned.takeError();
  auto begin = std::chrono::steady_clock::now();
  auto first = timer->measure(run);
  if (!first)
    return first.takeError();
  report.firstMilliseconds = *planned + getMilliseconds(begin);

  constexpr int64_t leastSets = 2, mostSets = 64, cachesApart = 3;
  report.bytes = sets.tensors.front().getBytes();
  report.sets = std::clamp<int64_t>(
      llvm::divideCeil(cachesApart * gpu.l2Bytes, report.bytes), leastSets,
      mostSets);
  for (int64_t n = 1; n < report.sets; ++n)
    if (auto added = add(sets, kernel, context, arguments, results); !added)
      return added.takeError();

  // Clocks rise, and every set has been run once.
  constexpr double warmUpMilliseconds = 300;
  begin = std::chrono::steady_clock::now();
  for (int64_t n = 0;
       n < report.sets || getMilliseconds(begin) < warmUpMilliseconds; ++n) {
    auto time = timer->measure(run);
    if (!time)
      return time.takeError();
  }
  // Short kernels are timed together, so that the gaps of one measurement are
  // none of theirs.
  constexpr double leastMilliseconds = 2;
  auto once = timer->measure(run);
  if (!once)
    return once.takeError();
  int64_t together = std::clamp<int64_t>(
      static_cast<int64_t>(leastMilliseconds / std::max(*once, 1e-3)), 1, 200);
  std::vector<double> times, calls;
  for (int64_t n = 0; n < report.repeats; ++n) {
    if (llvm::Error error = ceilings->measure(*timer))
      return error;
    auto time = timer->measure([&]() -> llvm::Error {
      auto begin = std::chrono::steady_clock::now();
      for (int64_t m = 0; m < together; ++m)
        if (llvm::Error error = run())
          return error;
      calls.push_back(1e3 * getMilliseconds(begin) / double(together));
      return llvm::Error::success();
    });
    if (!time)
      return time.takeError();
    times.push_back(*time / double(together));
  }
  report.milliseconds = getMedian(std::move(times));
  report.callMicroseconds = getMedian(std::move(calls));
  report.copyBytesPerSecond = ceilings->getBytesPerSecond();
  report.peakFlopsPerSecond = ceilings->getFlopsPerSecond();
  report.instruction = ceilings->getInstruction().str();
  return llvm::Error::success();
}

void printText(const BenchReport &report, llvm::raw_ostream &os) {
  os << report.spec << " on " << report.gpu << "\n  form     " << report.form
     << "\n  target   " << report.target << ", " << report.dtype
     << "\n  plan     " << report.plan << "\n  shape   ";
  for (const auto &[axis, extent] : report.shape)
    os << ' ' << axis << '=' << extent;
  os << llvm::formatv("\n  compile  {0:f1} ms, cache {1}; the first run took "
                      "{2:f1} ms more\n",
                      report.compileMilliseconds,
                      report.isFromCache ? "hit" : "cold",
                      report.firstMilliseconds)
     << llvm::formatv("  time     {0:f4} ms, median of {1} over {2} sets of "
                      "tensors; the host takes {3:f1} us for a planned call\n",
                      report.milliseconds, report.repeats, report.sets,
                      report.callMicroseconds)
     << llvm::formatv(
            "  products {0:f1} TFLOP/s of useful work{1}, {2:f1} % of "
            "{3:f1}, the peak of {4} on bf16\n",
            report.getFlopsPerSecond() / 1e12,
            report.work.isEstimated ? " (estimated)" : "",
            100 * report.getFlopsPerSecond() / report.peakFlopsPerSecond,
            report.peakFlopsPerSecond / 1e12, report.instruction)
     << llvm::formatv(
            "  memory   {0:f1} GB/s if every tensor is read or written "
            "once, {1:f1} % of {2:f1} of a copy\n",
            report.getBytesPerSecond() / 1e9,
            100 * report.getBytesPerSecond() / report.copyBytesPerSecond,
            report.copyBytesPerSecond / 1e9);
}

void printJson(const BenchReport &report, llvm::raw_ostream &os) {
  llvm::json::OStream json(os);
  json.object([&] {
    json.attribute("spec", report.spec);
    json.attribute("gpu", report.gpu);
    json.attribute("target", report.target);
    json.attributeObject("shape", [&] {
      for (const auto &[axis, extent] : report.shape)
        json.attribute(axis, extent);
    });
    json.attribute("dtype", report.dtype);
    json.attribute("ms", report.milliseconds);
    json.attribute("tflops", report.getFlopsPerSecond() / 1e12);
    json.attribute("peak_tflops", report.peakFlopsPerSecond / 1e12);
    json.attribute("gbytes_per_second", report.getBytesPerSecond() / 1e9);
    json.attribute("copy_gbytes_per_second", report.copyBytesPerSecond / 1e9);
    json.attribute("call_us", report.callMicroseconds);
    json.attribute("first_run_ms", report.firstMilliseconds);
    json.attribute("compile_ms", report.compileMilliseconds);
    json.attribute("cache", report.isFromCache ? "hit" : "cold");
  });
  os << '\n';
}

llvm::Error execute(const CommandLine &line) {
  auto options = parseTensorOptions(line);
  if (!options)
    return options.takeError();
  auto repeats = line.getInteger("--repeats", 15, 1);
  if (!repeats)
    return repeats.takeError();
  auto requested = loadSpec(line);
  if (!requested)
    return requested.takeError();
  requested->options.useCache = !line.has("--no-cache");
  if (auto directory = line.get("--cache-dir"))
    requested->options.cacheDirectory = directory->str();
  AxisExtents extents;
  auto tensors = readInputs(*options, *requested, extents);
  if (!tensors)
    return tensors.takeError();
  auto spec = chooseExtents(*requested, extents);
  if (!spec)
    return spec.takeError();
  auto compilation = prepare(requested->spec.getSource(), requested->options);
  if (!compilation)
    return compilation.takeError();
  if (!compilation->gpu)
    return usageError("target '" + compilation->target.name +
                      "' is a CPU, which 'rapt run' times; expected "
                      "'--target=cuda'");
  auto gpu = runtime::getCurrentCudaGpu();
  if (!gpu)
    return gpu.takeError();
  // The context is there before anything is timed.
  auto context = runtime::CudaContext::find(nullptr, gpu->ordinal);
  if (!context)
    return context.takeError();
  if (llvm::Error error = addRandom(*options, *spec, extents, *tensors))
    return error;
  auto results = makeResults(*options, *spec, extents);
  if (!results)
    return results.takeError();

  BenchReport report;
  report.repeats = *repeats;
  report.spec = spec->name;
  report.gpu = gpu->name;
  report.target = compilation->gpu->name;
  report.dtype = describe(requested->options.dtype);
  report.shape = getShape(*spec, extents);
  auto begin = std::chrono::steady_clock::now();
  auto kernel = Kernel::compile(requested->spec, requested->options);
  report.compileMilliseconds = getMilliseconds(begin);
  if (!kernel)
    return makeError(kernel.error().code, kernel.error().message);
  for (const std::string &warning : kernel->getWarnings())
    warn(warning);
  report.isFromCache = kernel->isFromCache();
  report.form = kernel->getForm();
  report.plan = kernel->getPlan();
  if (llvm::Error error =
          measure(*kernel, *context, *gpu, *tensors, *results, report))
    return error;
  auto work =
      countWork(*compilation, *tensors, extents.get("keys").value_or(0));
  if (!work)
    return work.takeError();
  report.work = *work;
  if (line.has("--json"))
    printJson(report, llvm::outs());
  else
    printText(report, llvm::outs());
  return llvm::Error::success();
}

} // namespace

const Command &getBenchCommand() {
  static const std::vector<OptionRow> options = [] {
    std::vector<OptionRow> rows = getTensorOptionRows();
    llvm::erase_if(rows,
                   [](const OptionRow &row) { return row.flag == "--out"; });
    for (const OptionRow &row : getSpecOptionRows())
      rows.push_back(row);
    rows.insert(
        rows.end(),
        {{"--repeats", "N", "Timed rounds, after some that warm up; 15"},
         {"--json", "", "Print one line of JSON"},
         {"--no-cache", "", "Compile even if the kernel is on disk"},
         {"--cache-dir", "DIR",
          "Where compiled kernels are; $RAPT_CACHE_DIR, else\n"
          "$XDG_CACHE_HOME/rapt, else ~/.cache/rapt"},
         {"--help", "", "Print this text"}});
    return rows;
  }();
  static const Command command{
      {"bench", "FILE --target=cuda [options]",
       "Time a spec on a GPU beside what the GPU can do at most", options,
       /*takesFile=*/true},
      execute};
  return command;
}

} // namespace rapt::tool
