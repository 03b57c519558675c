// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Runtime/CudaContext.h"
#include <map>
#include <mutex>

using llvm::Error;
using llvm::Expected;

namespace rapt::runtime {

static Expected<CudaGpu> describe(const CudaDriver &driver, int ordinal) {
  CudaGpu gpu;
  gpu.ordinal = ordinal;
  CudaDevice device = 0;
  if (Error error =
          driver.check(driver.deviceGet(&device, ordinal), "cuDeviceGet"))
    return std::move(error);
  char name[256] = "";
  if (Error error =
          driver.check(driver.deviceGetName(name, sizeof(name) - 1, device),
                       "cuDeviceGetName"))
    return std::move(error);
  gpu.name = name;
  int major = 0, minor = 0, multiprocessors = 0, l2Bytes = 0;
  for (auto [attribute, value] :
       {std::pair(cuda::attributeCapabilityMajor, &major),
        {cuda::attributeCapabilityMinor, &minor},
        {cuda::attributeMultiprocessors, &multiprocessors},
        {cuda::attributeL2Bytes, &l2Bytes}})
    if (Error error =
            driver.check(driver.deviceGetAttribute(value, attribute, device),
                         "cuDeviceGetAttribute"))
      return std::move(error);
  gpu.capability = 10 * major + minor;
  gpu.multiprocessors = multiprocessors;
  gpu.l2Bytes = l2Bytes;
  return gpu;
}

Expected<std::vector<CudaGpu>> listCudaGpus() {
  auto driver = CudaDriver::get();
  if (!driver)
    return driver.takeError();
  int count = 0;
  if (Error error = (*driver)->check((*driver)->deviceGetCount(&count),
                                     "cuDeviceGetCount"))
    return std::move(error);
  std::vector<CudaGpu> gpus;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    Expected<CudaGpu> gpu = describe(**driver, ordinal);
    if (!gpu)
      return gpu.takeError();
    gpus.push_back(std::move(*gpu));
  }
  return gpus;
}

/// The current context, or none.
static Expected<std::optional<CudaContext>>
findCurrent(const CudaDriver &driver) {
  CudaContext context;
  if (Error error = driver.check(driver.contextGetCurrent(&context.handle),
                                 "cuCtxGetCurrent"))
    return std::move(error);
  if (!context.handle)
    return std::nullopt;
  // CUdevice is the ordinal.
  if (Error error = driver.check(driver.contextGetDevice(&context.ordinal),
                                 "cuCtxGetDevice"))
    return std::move(error);
  return context;
}

Expected<CudaGpu> getCurrentCudaGpu() {
  auto driver = CudaDriver::get();
  if (!driver)
    return driver.takeError();
  auto current = findCurrent(**driver);
  if (!current)
    return current.takeError();
  return describe(**driver, *current ? (*current)->ordinal : 0);
}

/// The primary context of a GPU, retained by the first call.
static Expected<CudaContextHandle> getPrimary(const CudaDriver &driver,
                                              int ordinal) {
  static std::mutex mutex;
  static std::map<int, CudaContextHandle> retained;
  std::lock_guard<std::mutex> lock(mutex);
  auto known = retained.find(ordinal);
  if (known != retained.end())
    return known->second;
  CudaDevice device = 0;
  if (Error error =
          driver.check(driver.deviceGet(&device, ordinal), "cuDeviceGet"))
    return std::move(error);
  CudaContextHandle context = nullptr;
  if (Error error = driver.check(driver.primaryContextRetain(&context, device),
                                 "cuDevicePrimaryCtxRetain"))
    return std::move(error);
  retained.emplace(ordinal, context);
  return context;
}

static Error fillId(const CudaDriver &driver, CudaContext &context) {
  unsigned long long id = 0;
  Error error =
      driver.check(driver.contextGetId(context.handle, &id), "cuCtxGetId");
  context.id = id;
  return error;
}

Expected<CudaContext> CudaContext::find(CudaStreamHandle stream,
                                        std::optional<int> ordinal) {
  auto found = CudaDriver::get();
  if (!found)
    return found.takeError();
  const CudaDriver &driver = **found;
  CudaContext context;
  if (reinterpret_cast<uintptr_t>(stream) > cuda::lastNamelessStream) {
    if (Error error = driver.check(
            driver.streamGetContext(stream, &context.handle), "cuStreamGetCtx"))
      return std::move(error);
    auto scope = CudaScope::enter(context);
    if (!scope)
      return scope.takeError();
    if (Error error = driver.check(driver.contextGetDevice(&context.ordinal),
                                   "cuCtxGetDevice"))
      return std::move(error);
  } else {
    auto current = findCurrent(driver);
    if (!current)
      return current.takeError();
    if (*current && (!ordinal || *ordinal == (*current)->ordinal)) {
      context = **current;
    } else {
      context.ordinal = ordinal.value_or(0);
      Expected<CudaContextHandle> primary = getPrimary(driver, context.ordinal);
      if (!primary)
        return primary.takeError();
      context.handle = *primary;
    }
  }
  if (Error error = fillId(driver, context))
    return std::move(error);
  return context;
}

Expected<CudaScope> CudaScope::enter(const CudaContext &context) {
  auto driver = CudaDriver::get();
  if (!driver)
    return driver.takeError();
  if (Error error = (*driver)->check((*driver)->contextPush(context.handle),
                                     "cuCtxPushCurrent"))
    return std::move(error);
  return CudaScope(*driver);
}

CudaScope::~CudaScope() {
  CudaContextHandle popped = nullptr;
  if (driver)
    driver->contextPop(&popped); // nothing depends on what it says
}

Expected<std::optional<int>> findCudaDevice(CudaAddress address) {
  auto driver = CudaDriver::get();
  if (!driver)
    return driver.takeError();
  int ordinal = -1;
  CudaResult result = (*driver)->pointerGetAttribute(
      &ordinal, cuda::pointerDeviceOrdinal, address);
  constexpr CudaResult invalidValue = 1;
  if (result == invalidValue || (result == cuda::success && ordinal < 0))
    return std::nullopt;
  if (Error error = (*driver)->check(result, "cuPointerGetAttribute"))
    return std::move(error);
  return ordinal;
}

} // namespace rapt::runtime
