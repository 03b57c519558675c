// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/tools/fake-cuda/FakeCuda.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

// As cuda.h numbers them.
using Result = int;
constexpr Result success = 0, invalidValue = 1, outOfMemory = 2,
                 invalidDevice = 101, invalidImage = 200, invalidContext = 201,
                 noBinary = 209, invalidHandle = 400, notFound = 500,
                 captureUnsupported = 900, unknown = 999;
constexpr int deviceCount = 2;

namespace {

struct Context {
  int device = 0;
  unsigned long long id = 0;
};
struct Stream {
  Context *context = nullptr;
};
struct Module {
  std::string image;
  Context *context = nullptr;
};
struct Function {
  std::string name;
  Context *context = nullptr;
  int sharedBytes = 48 * 1024;
};
struct Linker {
  std::string cubin;
};

struct Driver {
  std::recursive_mutex mutex;
  std::vector<std::string> calls;
  int failing = 0; ///< calls until the one that fails, it included
  bool isCapturing = false;
  int capability = 90;
  void (*onLaunch)(const FakeCudaLaunch &) = nullptr;
  std::map<uint64_t, std::pair<size_t, int>> memory; ///< bytes and device
  std::map<void *, std::unique_ptr<Module>> modules;
  std::vector<std::unique_ptr<Function>> functions;
  std::vector<std::unique_ptr<Context>> contexts;
  std::vector<std::unique_ptr<Stream>> streams;
  Context *primaries[deviceCount] = {};
  int pushed = 0; ///< on all threads

  Context *makeContext(int device) {
    contexts.push_back(std::make_unique<Context>());
    contexts.back()->device = device;
    contexts.back()->id = contexts.size();
    return contexts.back().get();
  }
};

Driver &getDriver() {
  static Driver &driver = *new Driver; // programs end in any order
  return driver;
}

thread_local std::vector<Context *> stack;

const char *getSetting(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

void log(const char *function, uint64_t number) {
  const char *path = getSetting("FAKE_CUDA_LOG");
  if (!*path)
    return;
  if (FILE *file = std::fopen(path, "a")) {
    std::fprintf(file, "%s %llu\n", function,
                 static_cast<unsigned long long>(number));
    std::fclose(file);
  }
}

/// Notes a call. What it returns is what the call returns, if that is no
/// success.
Result enter(const char *function) {
  Driver &driver = getDriver();
  driver.calls.push_back(function);
  if (std::string(getSetting("FAKE_CUDA_FAIL")) == function)
    return unknown;
  if (driver.failing > 0 && --driver.failing == 0)
    return unknown;
  return success;
}

int getCapability() {
  const char *value = getSetting("FAKE_CUDA_CAPABILITY");
  return *value ? std::atoi(value) : getDriver().capability;
}

/// The context of a stream, the current one for a default stream.
Context *getContext(void *stream) {
  if (reinterpret_cast<uintptr_t>(stream) > 2)
    return static_cast<Stream *>(stream)->context;
  return stack.empty() ? nullptr : stack.back();
}

/// What is in memory of a device, or behind it, is an error of the caller.
bool isInside(uint64_t address, size_t bytes) {
  auto &memory = getDriver().memory;
  auto after = memory.upper_bound(address);
  if (after == memory.begin())
    return false;
  auto block = std::prev(after);
  return address + bytes <= block->first + block->second.first;
}

} // namespace

#define ENTER()                                                                \
  std::lock_guard<std::recursive_mutex> lock(getDriver().mutex);               \
  if (Result entered = enter(__func__); entered != success)                    \
  return entered
#define ENTER_WITHOUT_CAPTURE()                                                \
  ENTER();                                                                     \
  if (getDriver().isCapturing)                                                 \
  return captureUnsupported
#define EXPECT(condition, result)                                              \
  if (!(condition))                                                            \
  return result

extern "C" {

//===----------------------------------------------------------------------===//
// For tests
//===----------------------------------------------------------------------===//

void fakeCudaReset() {
  Driver &driver = getDriver();
  driver.calls.clear();
  driver.failing = 0;
  driver.isCapturing = false;
  driver.capability = 90;
  driver.onLaunch = nullptr;
}
void fakeCudaFailCall(int number) { getDriver().failing = number; }
int fakeCudaCountCalls() { return static_cast<int>(getDriver().calls.size()); }
int fakeCudaCountCallsOf(const char *function) {
  int count = 0;
  for (const std::string &call : getDriver().calls)
    count += call == function;
  return count;
}
void fakeCudaCapture(bool isCapturing) {
  getDriver().isCapturing = isCapturing;
}
void fakeCudaSetCapability(int capability) {
  getDriver().capability = capability;
}
int fakeCudaCountAllocations() {
  return static_cast<int>(getDriver().memory.size());
}
int fakeCudaCountModules() {
  return static_cast<int>(getDriver().modules.size());
}
int fakeCudaCountPushedContexts() { return getDriver().pushed; }
void fakeCudaOnLaunch(void (*callback)(const FakeCudaLaunch &)) {
  getDriver().onLaunch = callback;
}
void *fakeCudaMakeContext(int device) {
  return getDriver().makeContext(device);
}
void *fakeCudaMakeStream(int device) {
  Driver &driver = getDriver();
  Context *&primary = driver.primaries[device];
  if (!primary)
    primary = driver.makeContext(device);
  driver.streams.push_back(std::make_unique<Stream>());
  driver.streams.back()->context = primary;
  return driver.streams.back().get();
}

//===----------------------------------------------------------------------===//
// Errors, devices, contexts, streams
//===----------------------------------------------------------------------===//

Result cuInit(unsigned) {
  ENTER();
  return success;
}
// Messages are no calls of their own: their number would depend on errors.
Result cuGetErrorName(Result result, const char **text) {
  *text = result == unknown ? "CUDA_ERROR_UNKNOWN"
          : result == captureUnsupported
              ? "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"
          : result == noBinary ? "CUDA_ERROR_NO_BINARY_FOR_GPU"
                               : "CUDA_ERROR_OF_THE_FAKE";
  return success;
}
Result cuGetErrorString(Result, const char **text) {
  *text = "the fake driver says no";
  return success;
}
Result cuDeviceGetCount(int *count) {
  ENTER();
  *count = deviceCount;
  return success;
}
Result cuDeviceGet(int *device, int ordinal) {
  ENTER();
  EXPECT(ordinal >= 0 && ordinal < deviceCount, invalidDevice);
  *device = ordinal;
  return success;
}
Result cuDeviceGetName(char *text, int bytes, int) {
  ENTER();
  std::snprintf(text, static_cast<size_t>(bytes), "Fake GPU");
  return success;
}
Result cuDeviceGetAttribute(int *value, int attribute, int) {
  ENTER();
  switch (attribute) {
  case 16:
    *value = 132;
    return success;
  case 38:
    *value = 1 << 20;
    return success;
  case 75:
    *value = getCapability() / 10;
    return success;
  case 76:
    *value = getCapability() % 10;
    return success;
  default:
    return invalidValue;
  }
}
Result cuDevicePrimaryCtxRetain(void **context, int device) {
  ENTER();
  Driver &driver = getDriver();
  Context *&primary = driver.primaries[device];
  if (!primary)
    primary = driver.makeContext(device);
  *context = primary;
  return success;
}
Result cuCtxGetCurrent(void **context) {
  ENTER();
  *context = stack.empty() ? nullptr : stack.back();
  return success;
}
Result cuCtxPushCurrent_v2(void *context) {
  ENTER();
  EXPECT(context, invalidContext);
  stack.push_back(static_cast<Context *>(context));
  ++getDriver().pushed;
  return success;
}
// Does what it must even where it is the call that fails.
Result cuCtxPopCurrent_v2(void **context) {
  std::lock_guard<std::recursive_mutex> lock(getDriver().mutex);
  EXPECT(!stack.empty(), invalidContext);
  *context = stack.back();
  stack.pop_back();
  --getDriver().pushed;
  return success;
}
Result cuCtxGetDevice(int *device) {
  ENTER();
  EXPECT(!stack.empty(), invalidContext);
  *device = stack.back()->device;
  return success;
}
Result cuCtxGetId(void *context, unsigned long long *id) {
  ENTER();
  EXPECT(context, invalidContext);
  *id = static_cast<Context *>(context)->id;
  return success;
}
Result cuStreamGetCtx(void *stream, void **context) {
  ENTER();
  *context = getContext(stream);
  EXPECT(*context, invalidContext);
  return success;
}
Result cuStreamIsCapturing(void *, int *status) {
  ENTER();
  *status = getDriver().isCapturing;
  return success;
}
Result cuStreamSynchronize(void *stream) {
  ENTER_WITHOUT_CAPTURE();
  EXPECT(getContext(stream), invalidContext);
  return success;
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

/// The names of kernels stand in a cubin as in PTX. How long a cubin is, its
/// header says: the table of sections is at its end.
static std::string readImage(const void *image) {
  const char *bytes = static_cast<const char *>(image);
  if (std::memcmp(bytes,
                  "\x7f"
                  "ELF",
                  4) != 0)
    return bytes;
  uint64_t sections = 0;
  uint16_t size = 0, count = 0;
  std::memcpy(&sections, bytes + 40, sizeof(sections));
  std::memcpy(&size, bytes + 58, sizeof(size));
  std::memcpy(&count, bytes + 60, sizeof(count));
  return std::string(bytes, sections + size_t(size) * count);
}

Result cuModuleLoadData(void **module, const void *image) {
  ENTER_WITHOUT_CAPTURE();
  EXPECT(!stack.empty(), invalidContext);
  auto made = std::make_unique<Module>();
  made->image = readImage(image);
  made->context = stack.back();
  bool isCubin = made->image[0] == '\x7f';
  EXPECT(isCubin || made->image.find(".version") != std::string::npos,
         invalidImage);
  *module = made.get();
  getDriver().modules.emplace(*module, std::move(made));
  return success;
}
// What gives back does so even where it is the call that fails, as nobody can
// try again.
Result cuModuleUnload(void *module) {
  std::lock_guard<std::recursive_mutex> lock(getDriver().mutex);
  Result result = enter(__func__);
  EXPECT(!getDriver().isCapturing, captureUnsupported);
  EXPECT(getDriver().modules.erase(module), invalidHandle);
  return result;
}
Result cuModuleGetFunction(void **function, void *module, const char *name) {
  ENTER();
  auto &own = *static_cast<Module *>(module);
  EXPECT(own.image.find(name) != std::string::npos, notFound);
  auto made = std::make_unique<Function>();
  made->name = name;
  made->context = own.context;
  *function = made.get();
  getDriver().functions.push_back(std::move(made));
  return success;
}
Result cuFuncSetAttribute(void *function, int attribute, int value) {
  ENTER();
  EXPECT(attribute == 8 && value >= 0 && value <= 227 * 1024, invalidValue);
  static_cast<Function *>(function)->sharedBytes = value;
  return success;
}
Result cuLinkCreate_v2(unsigned, int *, void **, void **linker) {
  ENTER_WITHOUT_CAPTURE();
  *linker = new Linker;
  return success;
}
Result cuLinkAddData_v2(void *linker, int type, void *data, size_t bytes,
                        const char *, unsigned, int *, void **) {
  ENTER();
  EXPECT(type == 1 && static_cast<char *>(data)[bytes - 1] == 0, invalidValue);
  static_cast<Linker *>(linker)->cubin.assign(static_cast<char *>(data), bytes);
  return success;
}
Result cuLinkComplete(void *linker, void **cubin, size_t *bytes) {
  ENTER();
  std::string &text = static_cast<Linker *>(linker)->cubin;
  *cubin = text.data();
  *bytes = text.size();
  return success;
}
Result cuLinkDestroy(void *linker) {
  std::lock_guard<std::recursive_mutex> lock(getDriver().mutex);
  Result result = enter(__func__);
  delete static_cast<Linker *>(linker);
  return result;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Result cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  ENTER_WITHOUT_CAPTURE();
  EXPECT(!stack.empty(), invalidContext);
  EXPECT(bytes > 0, invalidValue);
  constexpr size_t line = 256;
  void *memory = std::aligned_alloc(line, (bytes + line - 1) / line * line);
  EXPECT(memory, outOfMemory);
  *address = reinterpret_cast<uint64_t>(memory);
  getDriver().memory[*address] = {bytes, stack.back()->device};
  log(__func__, bytes);
  return success;
}
Result cuMemFree_v2(uint64_t address) {
  std::lock_guard<std::recursive_mutex> lock(getDriver().mutex);
  Result result = enter(__func__);
  EXPECT(!getDriver().isCapturing, captureUnsupported);
  EXPECT(getDriver().memory.erase(address), invalidValue);
  std::free(reinterpret_cast<void *>(address));
  log(__func__, 0);
  return result;
}
Result cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes,
                            void *stream) {
  ENTER_WITHOUT_CAPTURE(); // the tests have pageable memory alone
  EXPECT(getContext(stream), invalidContext);
  EXPECT(isInside(to, bytes), invalidValue);
  std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  log(__func__, bytes);
  return success;
}
Result cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) {
  return cuMemcpyHtoDAsync_v2(to, from, bytes, nullptr);
}
Result cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes,
                            void *stream) {
  ENTER_WITHOUT_CAPTURE();
  EXPECT(getContext(stream), invalidContext);
  EXPECT(isInside(from, bytes), invalidValue);
  std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
  log(__func__, bytes);
  return success;
}
Result cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes,
                            void *stream) {
  ENTER();
  EXPECT(getContext(stream), invalidContext);
  EXPECT(isInside(from, bytes) && isInside(to, bytes), invalidValue);
  std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from),
               bytes);
  log(__func__, bytes);
  return success;
}
Result cuPointerGetAttribute(void *value, int attribute, uint64_t address) {
  ENTER();
  EXPECT(attribute == 9 && isInside(address, 1), invalidValue);
  auto block = std::prev(getDriver().memory.upper_bound(address));
  *static_cast<int *>(value) = block->second.second;
  return success;
}

//===----------------------------------------------------------------------===//
// Launches and events
//===----------------------------------------------------------------------===//

/// Where the map would be, the words of a map are 0 but for the rank.
Result cuTensorMapEncodeTiled(void *map, int, uint32_t rank, void *address,
                              const uint64_t *, const uint64_t *,
                              const uint32_t *, const uint32_t *, int, int, int,
                              int) {
  ENTER();
  EXPECT(reinterpret_cast<uintptr_t>(map) % 64 == 0, invalidValue);
  EXPECT(rank >= 1 && rank <= 5, invalidValue);
  EXPECT(isInside(reinterpret_cast<uint64_t>(address), 1), invalidValue);
  std::memset(map, 0, 128);
  return success;
}
Result cuLaunchKernel(void *handle, unsigned x, unsigned y, unsigned z,
                      unsigned threads, unsigned, unsigned,
                      unsigned sharedBytes, void *stream, void **parameters,
                      void **) {
  ENTER();
  auto &function = *static_cast<Function *>(handle);
  Context *context = getContext(stream);
  EXPECT(context && context == function.context, invalidContext);
  EXPECT(x > 0 && y == 1 && z == 1 && threads > 0 && threads <= 1024,
         invalidValue);
  EXPECT(static_cast<int>(sharedBytes) <= function.sharedBytes, invalidValue);
  if (getDriver().onLaunch)
    getDriver().onLaunch({function.name.c_str(), x, threads, sharedBytes,
                          context->device, stream,
                          static_cast<const int64_t *>(parameters[0])});
  log(function.name.c_str(), x);
  return success;
}
Result cuEventCreate(void **event, unsigned) {
  ENTER();
  static int events;
  *event = &events;
  return success;
}
Result cuEventDestroy_v2(void *) {
  ENTER();
  return success;
}
Result cuEventRecord(void *, void *) {
  ENTER();
  return success;
}
Result cuEventSynchronize(void *) {
  ENTER_WITHOUT_CAPTURE();
  return success;
}
Result cuEventElapsedTime(float *milliseconds, void *, void *) {
  ENTER();
  *milliseconds = 1;
  return success;
}
}
