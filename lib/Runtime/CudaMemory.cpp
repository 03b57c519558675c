// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Runtime/CudaMemory.h"
#include <algorithm>
#include <utility>

using llvm::Error;
using llvm::Expected;
using llvm::Twine;

namespace rapt::runtime {

Expected<CudaMemory> CudaMemory::allocate(const CudaContext &context,
                                          int64_t bytes) {
  auto driver = CudaDriver::get();
  if (!driver)
    return driver.takeError();
  auto scope = CudaScope::enter(context);
  if (!scope)
    return scope.takeError();
  CudaMemory memory;
  bytes = std::max<int64_t>(bytes, 1); // the driver allocates no nothing
  if (Error error =
          (*driver)->check((*driver)->memoryAllocate(
                               &memory.address, static_cast<size_t>(bytes)),
                           "cuMemAlloc of " + Twine(bytes) + " bytes"))
    return std::move(error);
  memory.context = context;
  memory.bytes = bytes;
  return memory;
}

CudaMemory::CudaMemory(CudaMemory &&other)
    : context(other.context), address(std::exchange(other.address, 0)),
      bytes(std::exchange(other.bytes, 0)) {}

CudaMemory &CudaMemory::operator=(CudaMemory &&other) {
  std::swap(context, other.context);
  std::swap(address, other.address);
  std::swap(bytes, other.bytes);
  return *this;
}

CudaMemory::~CudaMemory() {
  if (!address)
    return;
  auto driver = CudaDriver::get();
  auto scope = CudaScope::enter(context);
  // At the end of a process the driver may be gone, and its memory with it. It
  // knows by the address whose memory this is, whatever context is current.
  if (driver)
    (*driver)->memoryFree(address);
  if (!driver)
    llvm::consumeError(driver.takeError());
  if (!scope)
    llvm::consumeError(scope.takeError());
}

Error CudaMemory::upload(const void *from, int64_t count,
                         CudaStreamHandle stream) const {
  auto driver = CudaDriver::get();
  if (!driver)
    return driver.takeError();
  auto scope = CudaScope::enter(context);
  if (!scope)
    return scope.takeError();
  return (*driver)->check((*driver)->copyToDevice(address, from,
                                                  static_cast<size_t>(count),
                                                  stream),
                          "cuMemcpyHtoDAsync of " + Twine(count) + " bytes");
}

Error downloadCuda(void *to, CudaAddress from, int64_t bytes,
                   CudaStreamHandle stream) {
  auto driver = CudaDriver::get();
  if (!driver)
    return driver.takeError();
  if (Error error = (*driver)->check(
          (*driver)->copyToHost(to, from, static_cast<size_t>(bytes), stream),
          "cuMemcpyDtoHAsync of " + Twine(bytes) + " bytes"))
    return error;
  return waitForCuda(stream);
}

Error waitForCuda(CudaStreamHandle stream) {
  auto driver = CudaDriver::get();
  if (!driver)
    return driver.takeError();
  return (*driver)->check((*driver)->streamSynchronize(stream),
                          "cuStreamSynchronize");
}

} // namespace rapt::runtime
