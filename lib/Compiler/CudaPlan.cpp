// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/CudaPlan.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/Overlap.h"
#include "llvm/ADT/STLExtras.h"

using llvm::ArrayRef;

using llvm::Expected;
using llvm::Twine;

namespace rapt {

//===----------------------------------------------------------------------===//
// Tensors of a call
//===----------------------------------------------------------------------===//

namespace {
/// A tensor in the words of a call.
struct TensorWords {
  const frontend::TensorSignature &signature;
  size_t first;
  bool isResult;

  int64_t getAddress(ArrayRef<int64_t> words) const { return words[first]; }
  Footprint getFootprint(ArrayRef<int64_t> words) const {
    size_t rank = signature.axes.size();
    return {words[first], support::getElementSize(signature.elementType),
            words.slice(first + 1, rank), words.slice(first + 1 + rank, rank)};
  }
  bool hasElements(ArrayRef<int64_t> words) const {
    return !llvm::is_contained(words.slice(first + 1, signature.axes.size()),
                               0);
  }
};
} // namespace

static std::vector<TensorWords> listTensors(const CallSignature &signature) {
  std::vector<TensorWords> tensors;
  size_t word = 0;
  for (const auto *list : {&signature.arguments, &signature.results})
    for (const frontend::TensorSignature &tensor : *list) {
      tensors.push_back({tensor, word, list == &signature.results});
      word += 1 + 2 * tensor.axes.size();
    }
  return tensors;
}

static bool isReadByPlans(const TensorWords &tensor) {
  return !tensor.isResult && !support::isFloat(tensor.signature.elementType);
}

bool readsIntegers(const CallSignature &signature) {
  return llvm::any_of(listTensors(signature), isReadByPlans);
}

Expected<std::optional<int>> findDevice(const CallSignature &signature,
                                        ArrayRef<int64_t> words,
                                        bool areFloatsRead) {
  std::optional<int> common;
  std::string first;
  for (const TensorWords &tensor : listTensors(signature)) {
    int64_t address = tensor.getAddress(words);
    if (address == 0 || !tensor.hasElements(words) ||
        (!areFloatsRead && !isReadByPlans(tensor)))
      continue;
    const std::string &name = tensor.signature.name;
    auto device =
        runtime::findCudaDevice(static_cast<runtime::CudaAddress>(address));
    if (!device)
      return asDeviceError(device.takeError());
    if (!*device)
      return makeError(ErrorCode::InvalidArgument,
                       "'" + name + "' is not in the memory of a GPU");
    if (common && **device != *common)
      return makeError(ErrorCode::InvalidArgument,
                       "'" + name + "' is in the memory of GPU " +
                           Twine(**device) + ", but '" + first +
                           "' in that of GPU " + Twine(*common));
    if (!common)
      first = name;
    common = **device;
  }
  return common;
}

namespace {
/// Integer tensors in the memory of the host, for planning.
struct HostIntegers {
  std::vector<int64_t> words;
  std::vector<std::vector<char>> memory;
};
} // namespace

static Expected<HostIntegers> copyIntegers(const CallSignature &signature,
                                           ArrayRef<int64_t> words,
                                           runtime::CudaStreamHandle stream) {
  HostIntegers copy{words.vec(), {}};
  for (const TensorWords &tensor : listTensors(signature)) {
    if (!isReadByPlans(tensor) || !tensor.hasElements(words))
      continue;
    Footprint footprint = tensor.getFootprint(words);
    int64_t span = 0;
    if (!footprint.getSpan(span)) // checked when the call was bound
      return makeError(ErrorCode::Internal, "a tensor has no end");
    std::vector<char> memory(static_cast<size_t>(span));
    if (llvm::Error error = runtime::downloadCuda(
            memory.data(), static_cast<runtime::CudaAddress>(footprint.address),
            span, stream))
      return asDeviceError(std::move(error));
    copy.words[tensor.first] =
        static_cast<int64_t>(reinterpret_cast<intptr_t>(memory.data()));
    copy.memory.push_back(std::move(memory));
  }
  return copy;
}

//===----------------------------------------------------------------------===//
// Planning
//===----------------------------------------------------------------------===//

/// A stream that captures would be spoiled by what planning does.
static llvm::Error expectNoCapture(runtime::CudaStreamHandle stream) {
  auto driver = runtime::CudaDriver::get();
  if (!driver)
    return asDeviceError(driver.takeError());
  int status = 0;
  if (llvm::Error error = (*driver)->check(
          (*driver)->streamIsCapturing(stream, &status), "cuStreamIsCapturing"))
    return asDeviceError(std::move(error));
  if (status == 0)
    return llvm::Error::success();
  return makeError(ErrorCode::InvalidArgument,
                   "the stream captures a graph, and planning a call allocates "
                   "and copies; plan it before");
}

llvm::Error CudaPlan::plan(const CallSignature &signature,
                           ArrayRef<int64_t> callWords,
                           WorkspacePool &workspaces,
                           runtime::CudaStreamHandle stream) {
  std::lock_guard<std::mutex> lock(mutex);
  auto scope = runtime::CudaScope::enter(context);
  if (!scope)
    return asDeviceError(scope.takeError());
  if (llvm::Error error = expectNoCapture(stream))
    return error;
  if (!module) {
    auto loaded = code->getModule(context);
    if (!loaded)
      return asDeviceError(loaded.takeError());
    module = *loaded;
  }
  Expected<HostIntegers> host = copyIntegers(signature, callWords, stream);
  if (!host)
    return host.takeError();
  const LoweringFacts &facts = code->getFacts();
  call.emplace(ArrayRef(host->words));
  if (llvm::Error error =
          call->checkTables(toReaches(facts.reaches), signature.arguments))
    return error;
  auto runHere = [](int64_t count,
                    const std::function<void(int64_t, int64_t)> &task) {
    task(0, count);
  };
  if (llvm::Error error =
          call->plan(code->getEntries(), facts.launches, workspaces, runHere))
    return error;
  int64_t bytes = call->getPlannedBytes();
  if (memory.getBytes() < bytes) {
    auto allocated = runtime::CudaMemory::allocate(context, bytes);
    if (!allocated)
      return asDeviceError(allocated.takeError());
    memory = std::move(*allocated);
  }
  words.assign(callWords.begin(), callWords.end());
  launches.clear();
  return asDeviceError(memory.upload(call->getWorkspace(), bytes, stream));
}

int64_t CudaPlan::getBytes() const {
  return memory.getBytes() + (call ? call->getBytes() : 0);
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

/// Asks the host's code what each launch gets.
llvm::Error CudaPlan::describeLaunches() {
  auto driver = runtime::CudaDriver::get();
  if (!driver)
    return asDeviceError(driver.takeError());
  // PTX ISA, "Kernel Function Parameter": 32764 bytes at most.
  constexpr size_t mostWords = 4096;
  const std::vector<DeviceKernel> &kernels = code->getFacts().kernels;
  launches.clear();
  for (auto [n, kernel] : llvm::enumerate(kernels)) {
    std::vector<int64_t> buffer(mostWords);
    int64_t bytes =
        code->getEntries().launch(words.data(), call->getWorkspace(),
                                  static_cast<int64_t>(memory.getAddress()),
                                  static_cast<int64_t>(n), buffer.data());
    buffer.resize(static_cast<size_t>(bytes) / sizeof(int64_t));
    runtime::encodeMaps(**driver, kernel, buffer);
    launches.push_back(std::move(buffer));
  }
  return llvm::Error::success();
}

/// Fails if a size is not the planned one.
static llvm::Error expectSizes(const CallSignature &signature,
                               ArrayRef<int64_t> planned,
                               ArrayRef<int64_t> now) {
  for (const TensorWords &tensor : listTensors(signature))
    for (auto [d, axis] : llvm::enumerate(tensor.signature.axes)) {
      // Results have sizes that follow, and those that are not wanted none.
      size_t word = tensor.first + 1 + d;
      if (!tensor.isResult && planned[word] != now[word])
        return makeError(ErrorCode::InvalidArgument,
                         "axis '" + axis.name + "' of '" +
                             tensor.signature.name + "' has extent " +
                             Twine(now[word]) + ", but was planned with " +
                             Twine(planned[word]));
    }
  return llvm::Error::success();
}

llvm::Error CudaPlan::run(const CallSignature &signature,
                          ArrayRef<int64_t> callWords,
                          runtime::CudaStreamHandle stream) {
  std::lock_guard<std::mutex> lock(mutex);
  if (llvm::Error error = expectSizes(signature, words, callWords))
    return error;
  auto driver = runtime::CudaDriver::get();
  if (!driver)
    return asDeviceError(driver.takeError());
  auto scope = runtime::CudaScope::enter(context);
  if (!scope)
    return asDeviceError(scope.takeError());
  if (launches.empty() || ArrayRef(words) != callWords) {
    words.assign(callWords.begin(), callWords.end());
    if (llvm::Error error = describeLaunches())
      return error;
  }
  for (auto [n, kernel] : llvm::enumerate(code->getFacts().kernels))
    if (llvm::Error error = runtime::launch(
            **driver, kernel, module->getFunction(n), launches[n], stream))
      return asDeviceError(std::move(error));
  return llvm::Error::success();
}

} // namespace rapt
