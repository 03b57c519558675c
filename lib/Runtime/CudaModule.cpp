// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Runtime/CudaModule.h"
#include "lib/Support/LaunchWords.h"
#include "llvm/ADT/STLExtras.h"
#include <cstring>
#include <limits>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace rapt::runtime {

Expected<std::unique_ptr<CudaModule>>
CudaModule::load(const CudaContext &context, StringRef image,
                 llvm::ArrayRef<DeviceKernel> kernels) {
  auto found = CudaDriver::get();
  if (!found)
    return found.takeError();
  const CudaDriver &driver = **found;
  auto scope = CudaScope::enter(context);
  if (!scope)
    return scope.takeError();
  CudaModuleHandle handle = nullptr;
  if (Error error = driver.check(driver.moduleLoad(&handle, image.data()),
                                 "cuModuleLoadData"))
    return std::move(error);
  std::unique_ptr<CudaModule> module(new CudaModule(context, handle));
  for (const DeviceKernel &kernel : kernels) {
    CudaFunctionHandle function = nullptr;
    if (Error error = driver.check(
            driver.moduleGetFunction(&function, handle, kernel.name.c_str()),
            "cuModuleGetFunction of '" + Twine(kernel.name) + "'"))
      return std::move(error);
    // More than 48 KiB must be asked for; this also loads the code now, which a
    // capture of a graph would not allow later.
    if (Error error = driver.check(
            driver.functionSetAttribute(function,
                                        cuda::functionDynamicSharedBytes,
                                        static_cast<int>(kernel.sharedBytes)),
            "cuFuncSetAttribute of " + Twine(kernel.sharedBytes) +
                " bytes of shared memory for '" + kernel.name + "'"))
      return std::move(error);
    module->functions.push_back(function);
  }
  return module;
}

CudaModule::~CudaModule() {
  auto driver = CudaDriver::get();
  auto scope = CudaScope::enter(context);
  // At the end of a process the driver may be gone.
  if (driver)
    (*driver)->moduleUnload(handle);
  if (!driver)
    llvm::consumeError(driver.takeError());
  if (!scope)
    llvm::consumeError(scope.takeError());
}

Expected<std::string> assembleByDriver(const CudaContext &context,
                                       StringRef ptx) {
  auto found = CudaDriver::get();
  if (!found)
    return found.takeError();
  const CudaDriver &driver = **found;
  auto scope = CudaScope::enter(context);
  if (!scope)
    return scope.takeError();
  std::string log(8192, '\0');
  int names[] = {cuda::jitErrorLog, cuda::jitErrorLogBytes};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size())};
  CudaLinkerHandle linker = nullptr;
  if (Error error = driver.check(driver.linkCreate(2, names, values, &linker),
                                 "cuLinkCreate"))
    return std::move(error);
  std::string text = ptx.str(); // ends with a zero, as it must
  void *cubin = nullptr;
  size_t bytes = 0;
  auto fail = [&](Error error) -> Error {
    StringRef said = StringRef(log.c_str()).rtrim();
    if (said.empty())
      return error;
    return llvm::createStringError(toString(std::move(error)) + "\n" + said);
  };
  Error error = driver.check(driver.linkAddData(linker, cuda::inputPtx,
                                                text.data(), text.size() + 1,
                                                "kernel", 0, nullptr, nullptr),
                             "cuLinkAddData");
  if (!error)
    error = driver.check(driver.linkComplete(linker, &cubin, &bytes),
                         "cuLinkComplete");
  std::string result;
  if (!error)
    result.assign(static_cast<const char *>(cubin), bytes);
  else
    error = fail(std::move(error));
  Error destroyed = driver.check(driver.linkDestroy(linker), "cuLinkDestroy");
  if (error) {
    llvm::consumeError(std::move(destroyed));
    return std::move(error);
  }
  if (destroyed)
    return std::move(destroyed);
  return result;
}

void encodeMaps(const CudaDriver &driver, const DeviceKernel &kernel,
                llvm::MutableArrayRef<int64_t> words) {
  using namespace rapt::support;
  constexpr size_t mapBytes = 128;
  constexpr int mostRank = 5;
  auto maps = static_cast<size_t>(kernel.maps);
  for (size_t n = 0; n < maps; ++n) {
    int64_t *record = words.end() - kMapWords * (maps - n);
    int64_t rank = record[kMapRank];
    if (rank == 0)
      continue;
    uint64_t extents[mostRank], strides[mostRank - 1];
    uint32_t box[mostRank] = {1, 1, 1, 1, 1}, steps[mostRank] = {1, 1, 1, 1, 1};
    std::copy_n(record + kMapExtents, mostRank, extents);
    std::copy_n(record + kMapStrides, mostRank - 1, strides);
    box[0] = static_cast<uint32_t>(record[kMapColumns]);
    box[1] = static_cast<uint32_t>(record[kMapRows]);
    alignas(64) char map[mapBytes];
    CudaResult result = driver.tensorMapEncode(
        map, static_cast<int>(record[kMapElement]), static_cast<uint32_t>(rank),
        reinterpret_cast<void *>(record[kMapAddress]), extents, strides, box,
        steps, /*interleave=*/0, static_cast<int>(record[kMapSwizzle]),
        cuda::promoteL2To256Bytes, /*fill=*/0);
    if (result == cuda::success)
      std::memcpy(record, map, mapBytes);
    else
      record[kMapRank] = 0;
  }
}

Error launch(const CudaDriver &driver, const DeviceKernel &kernel,
             CudaFunctionHandle function, llvm::MutableArrayRef<int64_t> words,
             CudaStreamHandle stream) {
  // CUDA C++ Programming Guide, "Technical Specifications per Compute
  // Capability": blocks in a grid along x.
  constexpr int64_t mostItems = std::numeric_limits<int32_t>::max();
  auto extents = words.take_front(support::kItemWords);
  if (llvm::is_contained(extents, 0))
    return Error::success();
  int64_t items = 1;
  for (int64_t extent : extents) {
    if (items > mostItems / extent)
      return llvm::createStringError(
          "kernel '" + kernel.name + "' has more than " + Twine(mostItems) +
          " items, the most that a GPU takes in one launch");
    items *= extent;
  }
  void *parameters[] = {words.data()};
  return driver.check(driver.launch(function, static_cast<unsigned>(items), 1,
                                    1, static_cast<unsigned>(kernel.threads), 1,
                                    1,
                                    static_cast<unsigned>(kernel.sharedBytes),
                                    stream, parameters, nullptr),
                      "cuLaunchKernel of '" + Twine(kernel.name) + "'");
}

} // namespace rapt::runtime
