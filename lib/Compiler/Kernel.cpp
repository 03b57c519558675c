// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "rapt/Kernel.h"
#include "lib/Codegen/Codegen.h"
#include "lib/Compiler/CallArguments.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/Compilation.h"
#include "lib/Compiler/ReadRunTables.h"
#include "lib/Compiler/WorkspacePool.h"
#include "lib/Runtime/FlushSubnormals.h"
#include "lib/Runtime/KernelCache.h"
#include "lib/Runtime/KernelLoader.h"
#include "lib/Runtime/ThreadPool.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"

using llvm::Expected;
using llvm::StringRef;

namespace rapt {

struct Kernel::Implementation {
  KernelManifest manifest;
  CallSignature call;
  std::unique_ptr<runtime::LoadedKernel> code;
  bool isFromCache = false;
  std::vector<std::string> warnings;
  mutable WorkspacePool workspaces;

  /// A workspace in which the call is planned. A mask that leaves more runs
  /// than expected is planned again with the memory that they need.
  Expected<WorkspacePool::Lease> plan(const int64_t *words) const;
};

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

Result<Kernel> Kernel::compile(const Spec &spec,
                               const CompileOptions &options) {
  Expected<Compilation> compilation = prepare(spec.getSource(), options);
  if (!compilation)
    return toError(compilation.takeError());
  if (!target::runsOnHost(compilation->target))
    return Error{ErrorCode::InvalidArgument,
                 "target '" + compilation->target.name +
                     "' does not run on this machine, expected 'host' or one "
                     "that does"};

  auto kernel = std::make_shared<Implementation>();
  kernel->manifest = makeManifest(*compilation);
  if (!compilation->spec.warnings.empty())
    kernel->warnings.push_back(compilation->spec.warnings);
  const std::string &symbol = kernel->manifest.symbol;
  std::optional<runtime::KernelCache> cache;
  if (options.useCache) {
    cache.emplace(options.cacheDirectory);
    if (auto cached = findCached(*cache, compilation->cacheKey,
                                 compilation->spec.arguments.size() +
                                     compilation->spec.results.size(),
                                 kernel->warnings)) {
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
    Expected<ObjectCode> compiled = compileObject(*compilation);
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
  kernel->call = {compilation->spec.arguments, compilation->spec.results,
                  kernel->manifest.facts.contiguous};
  Kernel result;
  result.implementation = std::move(kernel);
  return result;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

Expected<WorkspacePool::Lease>
Kernel::Implementation::plan(const int64_t *words) const {
  const runtime::KernelEntries &entries = code->getEntries();
  int64_t bytes = entries.workspace(words);
  for (;;) {
    WorkspacePool::Lease workspace = workspaces.take(bytes);
    if (!workspace.getData())
      return makeError(ErrorCode::InvalidArgument,
                       "not enough memory for a workspace of " +
                           llvm::Twine(bytes) + " bytes");
    bytes = entries.plan(words, workspace.getData(), workspace.getBytes());
    if (bytes <= workspace.getBytes())
      return workspace;
  }
}

Result<void> Kernel::run(const std::vector<NamedTensor> &arguments,
                         const TensorView &out, const TensorView *lse,
                         const RunOptions &options) const {
  constexpr unsigned maxThreads = 1024;
  if (options.threads > maxThreads)
    return Error{ErrorCode::InvalidArgument,
                 "threads is " + std::to_string(options.threads) +
                     ", expected at most " + std::to_string(maxThreads)};
  Expected<CallArguments> bound =
      bindArguments(implementation->call, arguments, out, lse);
  if (!bound)
    return toError(bound.takeError());
  if (bound->isEmpty)
    return {};

  auto workspace = implementation->plan(bound->words.data());
  if (!workspace)
    return toError(workspace.takeError());
  void *memory = workspace->getData();
  const int64_t *words = bound->words.data();
  const runtime::KernelEntries &entries = implementation->code->getEntries();
  int64_t launches = implementation->manifest.facts.launches;
  Executor &executor = options.executor
                           ? *options.executor
                           : runtime::ThreadPool::shared(options.threads);
  for (int64_t launch = 0; launch < launches; ++launch) {
    int64_t items = static_cast<const int64_t *>(memory)[launch];
    if (items > 0)
      executor.run(items, [&](int64_t first, int64_t last) {
        runtime::FlushSubnormals flush;
        entries.run(words, memory, launch, first, last);
      });
  }
  return {};
}

Result<std::vector<RunTable>>
Kernel::planRuns(const std::vector<NamedTensor> &arguments) const {
  Expected<CallArguments> bound = bindForPlan(implementation->call, arguments);
  if (!bound)
    return toError(bound.takeError());
  auto workspace = implementation->plan(bound->words.data());
  if (!workspace)
    return toError(workspace.takeError());
  const LoweringFacts &facts = implementation->manifest.facts;
  std::vector<RunTable> tables =
      readRunTables(workspace->getData(), facts.launches, facts.tables);
  for (auto [table, isListed] : llvm::zip_equal(tables, facts.listed))
    table.isListed = isListed;
  return tables;
}

Result<std::vector<int64_t>>
Kernel::getResultSizes(const std::vector<NamedTensor> &arguments) const {
  const CallSignature &call = implementation->call;
  auto matched = matchArguments(call.arguments, arguments);
  if (!matched)
    return toError(matched.takeError());
  AxisExtents extents;
  for (auto [argument, view] : llvm::zip_equal(call.arguments, *matched))
    if (llvm::Error error = extents.setTensor(argument, view->sizes))
      return toError(std::move(error));
  if (llvm::Error error = extents.check())
    return toError(std::move(error));
  auto sizes = extents.getSizes(call.results.front());
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
  return implementation->manifest.target.name;
}
const std::string &Kernel::getForm() const {
  return implementation->manifest.facts.form;
}

const std::string &Kernel::getPlan() const {
  return implementation->manifest.facts.plan;
}
const std::vector<Remark> &Kernel::getRemarks() const {
  return implementation->manifest.facts.remarks;
}
std::string Kernel::getManifest() const {
  return implementation->manifest.print();
}
bool Kernel::isFromCache() const { return implementation->isFromCache; }
const std::vector<std::string> &Kernel::getWarnings() const {
  return implementation->warnings;
}

} // namespace rapt
