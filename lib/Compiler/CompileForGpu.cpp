// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/CompileForGpu.h"
#include "lib/Codegen/Codegen.h"
#include "lib/Codegen/GpuCode.h"
#include "lib/Compiler/CodedError.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include <thread>

using llvm::Expected;
using llvm::StringRef;

namespace rapt {

static std::string describe(const runtime::CudaGpu &gpu) {
  return "GPU " + std::to_string(gpu.ordinal) + ", " + gpu.name +
         " with compute capability " + std::to_string(gpu.capability / 10) +
         "." + std::to_string(gpu.capability % 10);
}

Expected<const target::GpuTarget *> findCudaTarget() {
  Expected<runtime::CudaGpu> gpu = runtime::getCurrentCudaGpu();
  if (!gpu)
    return asDeviceError(gpu.takeError());
  if (const target::GpuTarget *target = target::findGpuFor(gpu->capability))
    return target;
  return makeError(ErrorCode::InvalidArgument,
                   "there is no target for " + describe(*gpu) +
                       "; 'rapt targets' lists what there is");
}

/// What ptxas calls the GPU that code is to run on. Fails if it does not run
/// there: code with features of one capability runs on that one alone.
static Expected<std::string> getArchitecture(const target::GpuTarget &target,
                                             const runtime::CudaGpu &gpu) {
  if (target.capability == gpu.capability)
    return target.name;
  bool isForOne = !llvm::isDigit(target.name.back());
  if (isForOne || gpu.capability < target.capability)
    return makeError(ErrorCode::InvalidArgument, "target '" + target.name +
                                                     "' does not run on " +
                                                     describe(gpu));
  return "sm_" + std::to_string(gpu.capability);
}

//===----------------------------------------------------------------------===//
// Compiling
//===----------------------------------------------------------------------===//

/// The driver's compiler takes longer and says less than ptxas, but it is there
/// wherever there is a GPU, and knows GPUs that an older ptxas does not.
static Expected<std::string>
assemble(StringRef ptx, const target::GpuTarget &target, StringRef architecture,
         const runtime::CudaGpu &gpu, std::vector<std::string> &warnings) {
  std::string first;
  if (codegen::findAssembler()) {
    auto binary = codegen::assemble(ptx, target, architecture);
    if (binary) {
      for (std::string &warning : codegen::getWarnings(*binary))
        warnings.push_back(std::move(warning));
      return std::move(binary->cubin);
    }
    first = toString(binary.takeError());
  }
  auto context = runtime::CudaContext::find(nullptr, gpu.ordinal);
  if (!context)
    return asDeviceError(context.takeError());
  Expected<std::string> cubin = runtime::assembleByDriver(*context, ptx);
  if (!cubin && !first.empty())
    return makeError(ErrorCode::Device, first +
                                            "; nor does the driver compile "
                                            "it: " +
                                            toString(cubin.takeError()));
  if (!cubin)
    return asDeviceError(cubin.takeError());
  return cubin;
}

static Expected<std::shared_ptr<const CudaCode>>
compile(const Compilation &compilation, StringRef architecture,
        const runtime::CudaGpu &gpu, StringRef key,
        const runtime::KernelCache *cache, std::vector<std::string> &warnings) {
  // The assembler runs beside the code generation for the host.
  std::optional<Expected<std::string>> assembled;
  std::thread assembler;
  Expected<GeneratedGpuCode> generated =
      generateForGpu(compilation, [&](StringRef ptx) {
        assembler = std::thread([&, ptx = ptx.str()] {
          assembled.emplace(
              assemble(ptx, *compilation.gpu, architecture, gpu, warnings));
        });
      });
  Expected<std::unique_ptr<llvm::MemoryBuffer>> object =
      generated
          ? codegen::emitObject(*generated->host.module, compilation.target)
          : generated.takeError();
  if (assembler.joinable())
    assembler.join();
  if (!object) {
    if (assembled && !*assembled)
      llvm::consumeError(assembled->takeError());
    return object.takeError();
  }
  Expected<std::string> &cubin = *assembled;
  if (!cubin)
    return cubin.takeError();
  KernelManifest manifest = makeManifest(compilation);
  manifest.facts = std::move(generated->host.facts);
  if (cache)
    if (llvm::Error error = cache->store(
            key, {manifest.print(), (*object)->getBuffer().str(), *cubin}))
      warnings.push_back(toString(std::move(error)));
  return CudaCode::link(manifest.symbol, std::move(*object), std::move(*cubin),
                        std::move(manifest.facts));
}

//===----------------------------------------------------------------------===//
// Caches
//===----------------------------------------------------------------------===//

/// The entry of the cache on disk, or null. What is wrong with it becomes a
/// warning.
static std::shared_ptr<const CudaCode>
findOnDisk(const Compilation &compilation, const runtime::KernelCache &cache,
           StringRef key, std::vector<std::string> &warnings) {
  auto load = [&]() -> Expected<std::shared_ptr<const CudaCode>> {
    auto found = cache.find(key);
    if (!found)
      return found.takeError();
    if (!*found)
      return nullptr;
    Expected<LoweringFacts> facts = parseLoweringFacts((*found)->manifest);
    if (!facts)
      return facts.takeError();
    if (facts->contiguous.size() != compilation.countTensors() ||
        facts->kernels.size() != static_cast<size_t>(facts->launches))
      return llvm::createStringError("manifest has another signature");
    return CudaCode::link(
        compilation.spec.name,
        llvm::MemoryBuffer::getMemBufferCopy((*found)->object, "kernel"),
        std::move((*found)->image), std::move(*facts));
  };
  auto code = load();
  if (code)
    return *code;
  warnings.push_back("cache entry is not usable: " +
                     toString(code.takeError()) + "; compiling again");
  return nullptr;
}

namespace {
/// Code that kernels of this process use.
struct CodeInUse {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<const CudaCode>> entries;

  std::shared_ptr<const CudaCode> find(const std::string &key) {
    std::lock_guard<std::mutex> lock(mutex);
    auto known = entries.find(key);
    return known == entries.end() ? nullptr : known->second.lock();
  }
  void add(const std::string &key, std::weak_ptr<const CudaCode> code) {
    std::lock_guard<std::mutex> lock(mutex);
    for (auto at = entries.begin(); at != entries.end();)
      at = at->second.expired() ? entries.erase(at) : std::next(at);
    entries[key] = std::move(code);
  }
};
} // namespace

Expected<CompiledForGpu> compileForGpu(const Compilation &compilation,
                                       const runtime::KernelCache *cache,
                                       std::vector<std::string> &warnings) {
  Expected<runtime::CudaGpu> gpu = runtime::getCurrentCudaGpu();
  if (!gpu)
    return asDeviceError(gpu.takeError());
  Expected<std::string> architecture = getArchitecture(*compilation.gpu, *gpu);
  if (!architecture)
    return architecture.takeError();
  std::string key =
      compilation.cacheKey + "\narchitecture " + *architecture + "\n";
  static CodeInUse inUse;
  if (cache) {
    if (auto code = inUse.find(key))
      return CompiledForGpu{std::move(code), true};
    if (auto code = findOnDisk(compilation, *cache, key, warnings)) {
      inUse.add(key, code);
      return CompiledForGpu{std::move(code), true};
    }
  }
  auto code = compile(compilation, *architecture, *gpu, key, cache, warnings);
  if (!code)
    return code.takeError();
  if (cache)
    inUse.add(key, *code);
  return CompiledForGpu{std::move(*code), false};
}

} // namespace rapt
