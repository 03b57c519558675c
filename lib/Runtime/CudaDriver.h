// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The CUDA driver, opened when it is first asked for: neither headers of CUDA
/// nor a GPU are needed to build this or to run the rest. The names, types and
/// numbers are those of cuda.h of CUDA 12.0, which is the oldest that works.

#ifndef RAPT_LIB_RUNTIME_CUDADRIVER_H
#define RAPT_LIB_RUNTIME_CUDADRIVER_H

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include <cstddef>
#include <cstdint>

namespace rapt::runtime {

using CudaResult = int;            ///< CUresult; 0: success
using CudaDevice = int;            ///< CUdevice
using CudaAddress = uint64_t;      ///< CUdeviceptr
using CudaContextHandle = void *;  ///< CUcontext
using CudaModuleHandle = void *;   ///< CUmodule
using CudaFunctionHandle = void *; ///< CUfunction
using CudaStreamHandle = void *;   ///< CUstream
using CudaEventHandle = void *;    ///< CUevent
using CudaLinkerHandle = void *;   ///< CUlinkState

/// Values of the driver's enumerations.
namespace cuda {
constexpr CudaResult success = 0, errorOutOfMemory = 2;
/// CUdevice_attribute
constexpr int attributeMultiprocessors = 16, attributeL2Bytes = 38,
              attributeCapabilityMajor = 75, attributeCapabilityMinor = 76;
/// CUpointer_attribute
constexpr int pointerDeviceOrdinal = 9;
/// CUfunction_attribute
constexpr int functionDynamicSharedBytes = 8;
/// CUjitInputType
constexpr int inputPtx = 1;
/// CUjit_option
constexpr int jitErrorLog = 5, jitErrorLogBytes = 6;
/// CUtensorMapL2promotion
constexpr int promoteL2To256Bytes = 3;
/// CUevent_flags
constexpr unsigned eventDefault = 0;
/// The handles of streams that name no stream of their own: the context's
/// default one, CU_STREAM_LEGACY, CU_STREAM_PER_THREAD.
constexpr uintptr_t lastNamelessStream = 2;
} // namespace cuda

/// The functions that are used, as members, and the symbol of each.
///   X(name, symbol, parameters)
// clang-format off
#define RAPT_CUDA_FUNCTIONS(X)                                                 \
  X(init, cuInit, (unsigned flags))                                            \
  X(getErrorName, cuGetErrorName, (CudaResult, const char **text))             \
  X(getErrorString, cuGetErrorString, (CudaResult, const char **text))         \
  X(deviceGetCount, cuDeviceGetCount, (int *count))                            \
  X(deviceGet, cuDeviceGet, (CudaDevice *, int ordinal))                       \
  X(deviceGetName, cuDeviceGetName, (char *text, int bytes, CudaDevice))       \
  X(deviceGetAttribute, cuDeviceGetAttribute,                                  \
    (int *value, int attribute, CudaDevice))                                   \
  X(primaryContextRetain, cuDevicePrimaryCtxRetain,                            \
    (CudaContextHandle *, CudaDevice))                                         \
  X(contextGetCurrent, cuCtxGetCurrent, (CudaContextHandle *))                 \
  X(contextPush, cuCtxPushCurrent_v2, (CudaContextHandle))                     \
  X(contextPop, cuCtxPopCurrent_v2, (CudaContextHandle *))                     \
  X(contextGetDevice, cuCtxGetDevice, (CudaDevice *))                          \
  X(contextGetId, cuCtxGetId, (CudaContextHandle, unsigned long long *id))     \
  X(streamGetContext, cuStreamGetCtx, (CudaStreamHandle, CudaContextHandle *)) \
  X(streamIsCapturing, cuStreamIsCapturing, (CudaStreamHandle, int *status))   \
  X(streamSynchronize, cuStreamSynchronize, (CudaStreamHandle))                \
  X(moduleLoad, cuModuleLoadData, (CudaModuleHandle *, const void *image))     \
  X(moduleUnload, cuModuleUnload, (CudaModuleHandle))                          \
  X(moduleGetFunction, cuModuleGetFunction,                                    \
    (CudaFunctionHandle *, CudaModuleHandle, const char *name))                \
  X(functionSetAttribute, cuFuncSetAttribute,                                  \
    (CudaFunctionHandle, int attribute, int value))                            \
  X(linkCreate, cuLinkCreate_v2,                                               \
    (unsigned options, int *names, void **values, CudaLinkerHandle *))         \
  X(linkAddData, cuLinkAddData_v2,                                             \
    (CudaLinkerHandle, int type, void *data, size_t bytes, const char *name,   \
     unsigned options, int *names, void **values))                             \
  X(linkComplete, cuLinkComplete,                                              \
    (CudaLinkerHandle, void **cubin, size_t *bytes))                           \
  X(linkDestroy, cuLinkDestroy, (CudaLinkerHandle))                            \
  X(memoryAllocate, cuMemAlloc_v2, (CudaAddress *, size_t bytes))              \
  X(memoryFree, cuMemFree_v2, (CudaAddress))                                   \
  X(copyToDevice, cuMemcpyHtoDAsync_v2,                                        \
    (CudaAddress, const void *from, size_t bytes, CudaStreamHandle))           \
  X(copyToHost, cuMemcpyDtoHAsync_v2,                                          \
    (void *to, CudaAddress, size_t bytes, CudaStreamHandle))                   \
  X(copyOnDevice, cuMemcpyDtoDAsync_v2,                                        \
    (CudaAddress to, CudaAddress from, size_t bytes, CudaStreamHandle))        \
  X(pointerGetAttribute, cuPointerGetAttribute,                                \
    (void *value, int attribute, CudaAddress))                                 \
  X(tensorMapEncode, cuTensorMapEncodeTiled,                                   \
    (void *map, int type, uint32_t rank, void *address,                        \
     const uint64_t *extents, const uint64_t *strides, const uint32_t *box,    \
     const uint32_t *elementStrides, int interleave, int swizzle,              \
     int promotion, int fill))                                                 \
  X(launch, cuLaunchKernel,                                                    \
    (CudaFunctionHandle, unsigned gridX, unsigned gridY, unsigned gridZ,       \
     unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,  \
     CudaStreamHandle, void **parameters, void **extra))                       \
  X(eventCreate, cuEventCreate, (CudaEventHandle *, unsigned flags))           \
  X(eventDestroy, cuEventDestroy_v2, (CudaEventHandle))                        \
  X(eventRecord, cuEventRecord, (CudaEventHandle, CudaStreamHandle))           \
  X(eventSynchronize, cuEventSynchronize, (CudaEventHandle))                   \
  X(eventElapsed, cuEventElapsedTime,                                          \
    (float *milliseconds, CudaEventHandle begin, CudaEventHandle end))
// clang-format on

struct CudaDriver {
#define RAPT_CUDA_MEMBER(name, symbol, parameters)                             \
  CudaResult(*name) parameters = nullptr;
  RAPT_CUDA_FUNCTIONS(RAPT_CUDA_MEMBER)
#undef RAPT_CUDA_MEMBER

  /// Opens and initialises the driver once; after a failure the next call tries
  /// again. Fails, naming what was looked for, if there is no libcuda.so.1
  /// ($RAPT_LIBCUDA names another file), if it lacks a function, and if the
  /// driver finds no GPU.
  static llvm::Expected<const CudaDriver *> get();

  /// "`what`: cuda error NAME (text)", or success.
  llvm::Error check(CudaResult result, const llvm::Twine &what) const;
};

} // namespace rapt::runtime

#endif // RAPT_LIB_RUNTIME_CUDADRIVER_H
