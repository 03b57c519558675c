// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "rapt/Kernel.h"
#include "lib/Codegen/Codegen.h"
#include "lib/Compiler/CallArguments.h"
#include "lib/Compiler/CallPlan.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/Compilation.h"
#include "lib/Compiler/CompileForGpu.h"
#include "lib/Compiler/CudaCalls.h"
#include "lib/Compiler/ReadRunTables.h"
#include "lib/Compiler/TunedPlans.h"
#include "lib/Compiler/WorkspacePool.h"
#include "lib/Runtime/KernelCache.h"
#include "lib/Runtime/KernelLoader.h"
#include "lib/Runtime/ThreadPool.h"
#include "lib/Tuning/CpuPlans.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include <map>
#include <mutex>
#include <optional>

using llvm::Expected;
using llvm::StringRef;

namespace rapt {

struct Kernel::Implementation {
  Spec spec;
  CompileOptions options;
  KernelManifest manifest;
  CallSignature call; ///< of what the spec reads and gives
  SequenceForm form;
  std::unique_ptr<runtime::LoadedKernel> code; ///< of a kernel for a CPU
  std::unique_ptr<CudaCalls> cuda;             ///< of a kernel for a GPU
  bool isFromCache = false;
  mutable WorkspacePool workspaces;
  /// For few rows, by how many; compiled when a call first has so few.
  mutable std::map<int64_t, Kernel> forms;
  /// Those of the forms too, each once.
  mutable std::vector<std::string> warnings;
  mutable std::mutex formsMutex;

  /// A call whose tensors are checked.
  struct BoundCall {
    std::optional<SequenceLayout> layout; ///< of a kernel for sequences
    CallArguments arguments;
  };
  Expected<std::optional<SequenceLayout>>
  makeLayout(const Sequences *sequences) const;
  /// Plans it. Fails on what is wrong with the sequences.
  Expected<CallPlan> plan(BoundCall bound, const Sequences *sequences,
                          ItemRunner runner) const;
  /// How many rows a form for such a call is for; 0: that for many.
  int64_t chooseRows(const BoundCall &bound, const Sequences *sequences) const;
  Result<Kernel> getForm(int64_t rows) const;
  Expected<BoundCall> bindToPlan(const std::vector<NamedTensor> &arguments,
                                 const Sequences *sequences) const;
  llvm::Error compileOnGpu(const Compilation &compilation);
  void setSignature(const Compilation &compilation);
};

struct Plan::Implementation {
  /// Keeps the code and the memory of the workspace.
  std::shared_ptr<const void> kernel;
  /// A form for few rows that the kernel chose, and the form's plan.
  std::optional<Kernel> form;
  Plan planOfForm;
  std::optional<CallPlan> call;   ///< if it chose itself
  std::shared_ptr<CudaPlan> cuda; ///< of a kernel for a GPU
  std::mutex mutex;

  Implementation(std::shared_ptr<const void> kernel, CallPlan call)
      : kernel(std::move(kernel)), call(std::move(call)) {}
  Implementation(std::shared_ptr<const void> kernel,
                 std::shared_ptr<CudaPlan> cuda)
      : kernel(std::move(kernel)), cuda(std::move(cuda)) {}
  Implementation(std::shared_ptr<const void> kernel, Kernel form, Plan plan)
      : kernel(std::move(kernel)), form(std::move(form)),
        planOfForm(std::move(plan)) {}
};

int64_t Plan::getBytes() const {
  if (!implementation)
    return 0;
  if (implementation->cuda)
    return implementation->cuda->getBytes();
  return implementation->form ? implementation->planOfForm.getBytes()
                              : implementation->call->getBytes();
}

//===----------------------------------------------------------------------===//
// Compiling
//===----------------------------------------------------------------------===//

namespace {

struct ObjectCode {
  std::unique_ptr<llvm::MemoryBuffer> object;
  LoweringFacts facts;
};

/// The entry of the cache, or nothing. What is wrong with it becomes a warning.
std::optional<ObjectCode> findCached(const runtime::KernelCache &cache,
                                     StringRef key, size_t tensors,
                                     std::vector<std::string> &warnings) {
  auto found = cache.find(key);
  if (!found) {
    warnings.push_back(toString(found.takeError()) + "; compiling again");
    return std::nullopt;
  }
  if (!*found)
    return std::nullopt;
  Expected<LoweringFacts> facts = parseLoweringFacts((*found)->manifest);
  if (facts && facts->contiguous.size() != tensors)
    facts = llvm::createStringError("manifest has another signature");
  if (!facts) {
    warnings.push_back("cache entry is not usable: " +
                       toString(facts.takeError()) + "; compiling again");
    return std::nullopt;
  }
  return ObjectCode{
      llvm::MemoryBuffer::getMemBufferCopy((*found)->object, "kernel"),
      std::move(*facts)};
}

Expected<ObjectCode> compileObject(const Compilation &compilation) {
  Expected<GeneratedModule> generated = generate(compilation);
  if (!generated)
    return generated.takeError();
  auto object = codegen::emitObject(*generated->module, compilation.target);
  if (!object)
    return object.takeError();
  return ObjectCode{std::move(*object), std::move(generated->facts)};
}

} // namespace

void Kernel::Implementation::setSignature(const Compilation &compilation) {
  // What a kernel for sequences takes besides is laid out by the call itself.
  std::vector<bool> contiguous = manifest.facts.contiguous;
  auto hidden = contiguous.begin() + compilation.spec.arguments.size();
  contiguous.erase(hidden, hidden + compilation.sequenceArguments.size());
  call = {compilation.spec.arguments, compilation.spec.results,
          std::move(contiguous)};
}

llvm::Error
Kernel::Implementation::compileOnGpu(const Compilation &compilation) {
  if (options.sequences.isAny())
    return makeError(ErrorCode::NotSupported,
                     "sequences of a batch are not compiled for GPUs yet");
  std::optional<runtime::KernelCache> cache;
  if (options.useCache)
    cache.emplace(options.cacheDirectory);
  Expected<CompiledForGpu> compiled =
      compileForGpu(compilation, cache ? &*cache : nullptr, warnings);
  if (!compiled)
    return compiled.takeError();
  manifest.facts = compiled->code->getFacts();
  isFromCache = compiled->isFromCache;
  setSignature(compilation);
  cuda = std::make_unique<CudaCalls>(std::move(compiled->code), call);
  return llvm::Error::success();
}

Result<Kernel> Kernel::compile(const Spec &spec,
                               const CompileOptions &options) {
  Expected<Compilation> compilation = prepare(spec.getSource(), options);
  if (!compilation)
    return toError(compilation.takeError());
  if (!compilation->gpu && !target::runsOnHost(compilation->target))
    return Error{ErrorCode::InvalidArgument,
                 "target '" + compilation->target.name +
                     "' does not run on this machine, expected 'host' or one "
                     "that does"};

  auto kernel = std::make_shared<Implementation>();
  kernel->spec = spec;
  kernel->options = options;
  kernel->manifest = makeManifest(*compilation);
  if (!compilation->spec.warnings.empty())
    kernel->warnings.push_back(compilation->spec.warnings);
  Kernel result;
  if (compilation->gpu) {
    if (llvm::Error error = kernel->compileOnGpu(*compilation))
      return toError(std::move(error));
    result.implementation = std::move(kernel);
    return result;
  }
  const std::string &symbol = kernel->manifest.symbol;
  std::optional<runtime::KernelCache> cache;
  bool isTuned = false;
  if (options.useCache) {
    cache.emplace(options.cacheDirectory);
    if (options.plan.empty())
      isTuned = useTunedPlan(*cache, *compilation, kernel->warnings);
    if (auto cached =
            findCached(*cache, compilation->cacheKey,
                       compilation->countTensors(), kernel->warnings)) {
      auto code =
          runtime::LoadedKernel::load(std::move(cached->object), symbol);
      if (code) {
        kernel->code = std::move(*code);
        kernel->manifest.facts = std::move(cached->facts);
        kernel->isFromCache = true;
      } else {
        kernel->warnings.push_back(
            "cache entry does not load: " + toString(code.takeError()) +
            "; compiling again");
      }
    }
  }
  if (!kernel->code) {
    Expected<ObjectCode> compiled =
        withUsablePlan(*compilation, isTuned, kernel->warnings, compileObject);
    if (!compiled)
      return toError(compiled.takeError());
    kernel->manifest.facts = std::move(compiled->facts);
    if (cache)
      if (llvm::Error error = cache->store(
              compilation->cacheKey,
              {kernel->manifest.print(), compiled->object->getBuffer().str()}))
        kernel->warnings.push_back(toString(std::move(error)));
    auto code =
        runtime::LoadedKernel::load(std::move(compiled->object), symbol);
    if (!code)
      return toError(code.takeError());
    kernel->code = std::move(*code);
  }
  kernel->setSignature(*compilation);
  kernel->form = options.sequences;
  result.implementation = std::move(kernel);
  return result;
}

//===----------------------------------------------------------------------===//
// Forms
//===----------------------------------------------------------------------===//

/// Keys are then most of what a call reads. A few sizes of forms are enough: a
/// form is right for any call, and rows that it leaves empty cost little.
int64_t Kernel::Implementation::chooseRows(const BoundCall &bound,
                                           const Sequences *sequences) const {
  constexpr int64_t mostQueries = 64, keysForQuery = 8;
  if (options.fewRows > 0 || !options.plan.empty() || cuda)
    return 0;
  auto of = [&](StringRef axis, int64_t otherwise) {
    return bound.arguments.extents.get(axis).value_or(otherwise);
  };
  int64_t queries = of("queries", 0), keys = of("keys", 0);
  if (bound.layout && sequences) {
    auto all = readSequences(*bound.layout, *sequences, bound.arguments.words);
    if (!all) { // planning says what is wrong
      llvm::consumeError(all.takeError());
      return 0;
    }
    queries = keys = 0;
    for (const SequenceRows &sequence : *all) {
      queries = std::max(queries, sequence.queries);
      keys = std::max(keys, sequence.keys);
    }
  }
  if (queries < 1 || queries > mostQueries || keys / keysForQuery < queries)
    return 0;
  int64_t heads = of("heads", 1), keyHeads = of("kv_heads", heads);
  int64_t rows = queries * (heads / std::max<int64_t>(keyHeads, 1));
  for (int64_t few : {4, 8, 16, 32})
    if (rows <= few)
      return few;
  return tuning::kMostFewRows;
}

/// The form for a number of rows, compiled by the first call that asks for it.
Result<Kernel> Kernel::Implementation::getForm(int64_t rows) const {
  std::lock_guard<std::mutex> lock(formsMutex);
  auto known = forms.find(rows);
  if (known != forms.end())
    return known->second;
  CompileOptions few = options;
  few.fewRows = rows;
  Result<Kernel> form = Kernel::compile(spec, few);
  if (!form)
    return form;
  for (const std::string &warning : form->getWarnings())
    if (!llvm::is_contained(warnings, warning))
      warnings.push_back(warning);
  forms.emplace(rows, *form);
  return form;
}

/// Checks the tensors of a call without results.
Expected<Kernel::Implementation::BoundCall>
Kernel::Implementation::bindToPlan(const std::vector<NamedTensor> &arguments,
                                   const Sequences *sequences) const {
  auto layout = makeLayout(sequences);
  if (!layout)
    return layout.takeError();
  Expected<CallArguments> bound =
      bindForPlan(*layout ? (*layout)->getSignature() : call, arguments);
  if (!bound)
    return bound.takeError();
  return BoundCall{std::move(*layout), std::move(*bound)};
}

Result<Kernel> Kernel::selectFor(const std::vector<NamedTensor> &arguments,
                                 const Sequences *sequences) const {
  auto bound = implementation->bindToPlan(arguments, sequences);
  if (!bound)
    return toError(bound.takeError());
  int64_t rows = implementation->chooseRows(*bound, sequences);
  if (rows == 0)
    return *this;
  return implementation->getForm(rows);
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

static Result<void> checkThreads(const RunOptions &options) {
  constexpr unsigned maxThreads = 1024;
  if (options.threads <= maxThreads)
    return {};
  return Error{ErrorCode::InvalidArgument,
               "threads is " + std::to_string(options.threads) +
                   ", expected at most " + std::to_string(maxThreads)};
}

/// What runs items as the caller asks for.
static auto makeRunner(const RunOptions &options) {
  return [&options](int64_t count,
                    const std::function<void(int64_t, int64_t)> &task) {
    Executor &executor = options.executor
                             ? *options.executor
                             : runtime::ThreadPool::shared(options.threads);
    executor.run(count, task);
  };
}

Expected<std::optional<SequenceLayout>>
Kernel::Implementation::makeLayout(const Sequences *sequences) const {
  if (cuda && sequences)
    return makeError(ErrorCode::NotSupported,
                     "calls with sequences are not run on GPUs yet");
  if (!form.isAny() && !sequences)
    return std::nullopt;
  auto layout =
      SequenceLayout::create(call, form, sequences ? *sequences : Sequences());
  if (!layout)
    return layout.takeError();
  return std::move(*layout);
}

Expected<CallPlan> Kernel::Implementation::plan(BoundCall bound,
                                                const Sequences *sequences,
                                                ItemRunner runner) const {
  llvm::ArrayRef<int64_t> words = bound.arguments.words;
  std::optional<CallPlan> plan;
  if (bound.layout) {
    auto made = CallPlan::create(std::move(*bound.layout),
                                 sequences ? *sequences : Sequences(), words);
    if (!made)
      return made.takeError();
    plan.emplace(std::move(*made));
  } else {
    plan.emplace(words);
  }
  if (llvm::Error error =
          plan->checkTables(toReaches(manifest.facts.reaches), call.arguments))
    return std::move(error);
  if (llvm::Error error = plan->plan(
          code->getEntries(), manifest.facts.launches, workspaces, runner))
    return std::move(error);
  return std::move(*plan);
}

Result<void> Kernel::run(const std::vector<NamedTensor> &arguments,
                         const TensorView &out, const TensorView *lse,
                         const RunOptions &options) const {
  if (Result<void> checked = checkThreads(options); !checked)
    return checked.error();
  auto layout = implementation->makeLayout(options.sequences);
  if (!layout)
    return toError(layout.takeError());
  const CallSignature &signature =
      *layout ? (*layout)->getSignature() : implementation->call;
  Expected<CallArguments> bound = bindArguments(signature, arguments, out, lse);
  if (!bound)
    return toError(bound.takeError());
  if (bound->isEmpty)
    return {};
  if (implementation->cuda) {
    if (llvm::Error error =
            implementation->cuda->run(bound->words, options.stream))
      return toError(std::move(error));
    return {};
  }
  Implementation::BoundCall call{std::move(*layout), std::move(*bound)};
  if (int64_t rows = implementation->chooseRows(call, options.sequences)) {
    Result<Kernel> form = implementation->getForm(rows);
    if (!form)
      return form.error();
    return form->run(arguments, out, lse, options);
  }
  auto runner = makeRunner(options);
  auto plan = implementation->plan(std::move(call), options.sequences, runner);
  if (!plan)
    return toError(plan.takeError());
  plan->run(implementation->code->getEntries(), runner);
  return {};
}

Result<Plan> Kernel::plan(const std::vector<NamedTensor> &arguments,
                          const RunOptions &options) const {
  if (Result<void> checked = checkThreads(options); !checked)
    return checked.error();
  auto bound = implementation->bindToPlan(arguments, options.sequences);
  if (!bound)
    return toError(bound.takeError());
  Plan plan;
  if (implementation->cuda) {
    auto planned =
        implementation->cuda->plan(bound->arguments.words, options.stream);
    if (!planned)
      return toError(planned.takeError());
    plan.implementation = std::make_shared<Plan::Implementation>(
        implementation, std::move(*planned));
    return plan;
  }
  if (int64_t rows = implementation->chooseRows(*bound, options.sequences)) {
    Result<Kernel> form = implementation->getForm(rows);
    if (!form)
      return form.error();
    Result<Plan> planned = form->plan(arguments, options);
    if (!planned)
      return planned.error();
    plan.implementation = std::make_shared<Plan::Implementation>(
        implementation, *std::move(form), *std::move(planned));
    return plan;
  }
  auto planned = implementation->plan(std::move(*bound), options.sequences,
                                      makeRunner(options));
  if (!planned)
    return toError(planned.takeError());
  plan.implementation = std::make_shared<Plan::Implementation>(
      implementation, std::move(*planned));
  return plan;
}

Result<void> Kernel::run(const Plan &plan,
                         const std::vector<NamedTensor> &arguments,
                         const TensorView &out, const TensorView *lse,
                         const RunOptions &options) const {
  if (Result<void> checked = checkThreads(options); !checked)
    return checked.error();
  if (!plan.implementation || plan.implementation->kernel != implementation)
    return Error{ErrorCode::InvalidArgument,
                 "the plan is not one of this kernel"};
  if (plan.implementation->form)
    return plan.implementation->form->run(plan.implementation->planOfForm,
                                          arguments, out, lse, options);
  if (plan.implementation->cuda) {
    Expected<CallArguments> bound =
        bindArguments(implementation->call, arguments, out, lse);
    if (!bound)
      return toError(bound.takeError());
    if (bound->isEmpty)
      return {};
    if (llvm::Error error = implementation->cuda->run(
            *plan.implementation->cuda, bound->words, options.stream))
      return toError(std::move(error));
    return {};
  }
  CallPlan &call = *plan.implementation->call;
  const SequenceLayout *layout = call.getLayout();
  const CallSignature &signature =
      layout ? layout->getSignature() : implementation->call;
  Expected<CallArguments> bound = bindArguments(signature, arguments, out, lse);
  if (!bound)
    return toError(bound.takeError());
  if (bound->isEmpty)
    return {};
  std::lock_guard<std::mutex> lock(plan.implementation->mutex);
  if (llvm::Error error = call.setWords(bound->words, signature))
    return toError(std::move(error));
  call.run(implementation->code->getEntries(), makeRunner(options));
  return {};
}

Result<std::vector<RunTable>>
Kernel::planRuns(const std::vector<NamedTensor> &arguments) const {
  if (implementation->form.isAny())
    return Error{ErrorCode::NotSupported,
                 "the runs of a kernel for sequences are those of each "
                 "sequence; ask a kernel without them"};
  Expected<CallArguments> bound = bindForPlan(implementation->call, arguments);
  if (!bound)
    return toError(bound.takeError());
  const LoweringFacts &facts = implementation->manifest.facts;
  std::vector<RunTable> tables;
  if (implementation->cuda) {
    auto plan = implementation->cuda->plan(bound->words, nullptr);
    if (!plan)
      return toError(plan.takeError());
    tables =
        readRunTables((*plan)->getWorkspace(), facts.launches, facts.tables);
  } else {
    auto plan = implementation->plan({std::nullopt, std::move(*bound)}, nullptr,
                                     makeRunner({}));
    if (!plan)
      return toError(plan.takeError());
    tables = readRunTables(plan->getWorkspace(), facts.launches, facts.tables);
  }
  for (auto [table, isListed] : llvm::zip_equal(tables, facts.listed))
    table.isListed = isListed;
  return tables;
}

/// The axes of `out` that no argument has are as long as the sequences need.
static llvm::Error setResultAxes(const SequenceLayout &layout,
                                 const std::vector<NamedTensor> &arguments,
                                 const Sequences &sequences,
                                 AxisExtents &extents) {
  const CallSignature &call = layout.getSignature();
  Expected<CallArguments> bound = bindForPlan(call, arguments);
  if (!bound)
    return bound.takeError();
  auto rows = readSequences(layout, sequences, bound->words);
  if (!rows)
    return rows.takeError();
  const SequenceLayout::Tensor &out =
      layout.getTensors()[layout.getArgumentCount()];
  for (bool isOfKeys : {false, true}) {
    int dimension = isOfKeys ? out.keys : out.queries;
    if (dimension < 0)
      continue;
    int64_t size = 0;
    for (const SequenceRows &sequence : *rows) {
      int64_t first = isOfKeys ? sequence.firstKey : sequence.firstQuery;
      int64_t length = isOfKeys ? sequence.keys : sequence.queries;
      size = std::max(size, (out.isMerged ? first : 0) + length);
    }
    extents.setDefault(
        call.results.front().axes[out.getCallDimension(dimension)].name, size);
  }
  extents.setDefault("batch", static_cast<int64_t>(rows->size()));
  return llvm::Error::success();
}

Result<std::vector<int64_t>>
Kernel::getResultSizes(const std::vector<NamedTensor> &arguments,
                       const Sequences *sequences) const {
  auto layout = implementation->makeLayout(sequences);
  if (!layout)
    return toError(layout.takeError());
  const CallSignature &call =
      *layout ? (*layout)->getSignature() : implementation->call;
  auto matched = matchArguments(call.arguments, arguments);
  if (!matched)
    return toError(matched.takeError());
  AxisExtents extents;
  for (auto [argument, view] : llvm::zip_equal(call.arguments, *matched))
    if (llvm::Error error = extents.setTensor(argument, view->sizes))
      return toError(std::move(error));
  if (llvm::Error error = extents.check(call.packedAxes))
    return toError(std::move(error));
  const frontend::TensorSignature &out = call.results.front();
  bool isKnown = llvm::all_of(out.axes, [&](const auto &axis) {
    return axis.extent || extents.get(axis.name);
  });
  if (*layout && !isKnown)
    if (llvm::Error error = setResultAxes(
            **layout, arguments, sequences ? *sequences : Sequences(), extents))
      return toError(std::move(error));
  auto sizes = extents.getSizes(out);
  if (!sizes)
    return toError(sizes.takeError());
  return std::move(*sizes);
}

//===----------------------------------------------------------------------===//
// Questions
//===----------------------------------------------------------------------===//

const Signature &Kernel::getSignature() const {
  return implementation->manifest.signature;
}
const std::string &Kernel::getSymbol() const {
  return implementation->manifest.symbol;
}
const std::string &Kernel::getTarget() const {
  const KernelManifest &manifest = implementation->manifest;
  return manifest.gpu.empty() ? manifest.target.name : manifest.gpu;
}
const std::string &Kernel::getForm() const {
  return implementation->manifest.facts.form;
}

const std::string &Kernel::getPlan() const {
  return implementation->manifest.facts.plan;
}
int64_t Kernel::getFewRows() const { return implementation->options.fewRows; }
const std::string &Kernel::getTiles() const {
  return implementation->manifest.facts.tiles;
}
const std::vector<Remark> &Kernel::getRemarks() const {
  return implementation->manifest.facts.remarks;
}
std::string Kernel::getManifest() const {
  return implementation->manifest.print();
}
bool Kernel::isFromCache() const { return implementation->isFromCache; }
std::vector<std::string> Kernel::getWarnings() const {
  std::lock_guard<std::mutex> lock(implementation->formsMutex);
  return implementation->warnings;
}

} // namespace rapt
