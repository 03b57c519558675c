// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Runtime/CudaDriver.h"
#include <cstdlib>
#include <dlfcn.h>
#include <memory>
#include <mutex>
#include <string>

using llvm::Expected;

namespace rapt::runtime {

static std::string getPath() {
  const char *path = std::getenv("RAPT_LIBCUDA");
  return path && *path ? path : "libcuda.so.1";
}

static Expected<std::unique_ptr<CudaDriver>> open() {
  std::string path = getPath();
  // It stays open: contexts and threads of the driver live in it.
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    return llvm::createStringError(
        "no CUDA driver: expected '" + path +
        "', which comes with the driver of an NVIDIA GPU, where the loader "
        "looks for libraries, or its path in RAPT_LIBCUDA (" +
        (reason ? reason : "it does not load") + ")");
  }
  auto driver = std::make_unique<CudaDriver>();
  const char *missing = nullptr;
#define RAPT_CUDA_FIND(name, symbol, parameters)                               \
  driver->name =                                                               \
      reinterpret_cast<CudaResult(*) parameters>(dlsym(library, #symbol));     \
  if (!driver->name && !missing)                                               \
    missing = #symbol;
  RAPT_CUDA_FUNCTIONS(RAPT_CUDA_FIND)
#undef RAPT_CUDA_FIND
  if (missing) {
    dlclose(library);
    return llvm::createStringError("the CUDA driver '" + path + "' lacks " +
                                   missing +
                                   ", expected one of CUDA 12.0 or later");
  }
  if (llvm::Error error = driver->check(driver->init(0), "cuInit"))
    return std::move(error);
  return driver;
}

Expected<const CudaDriver *> CudaDriver::get() {
  static std::mutex mutex;
  // Never destroyed: kernels may be, after everything static is.
  static const CudaDriver *driver = nullptr;
  std::lock_guard<std::mutex> lock(mutex);
  if (!driver) {
    Expected<std::unique_ptr<CudaDriver>> opened = open();
    if (!opened)
      return opened.takeError();
    driver = opened->release();
  }
  return driver;
}

llvm::Error CudaDriver::check(CudaResult result,
                              const llvm::Twine &what) const {
  if (result == cuda::success)
    return llvm::Error::success();
  const char *name = nullptr, *text = nullptr;
  if (getErrorName(result, &name) != cuda::success || !name)
    name = "an unknown error";
  if (getErrorString(result, &text) != cuda::success || !text)
    text = "no description";
  return llvm::createStringError(what + " failed with " + name + " (" +
                                 llvm::Twine(result) + "): " + text);
}

} // namespace rapt::runtime
