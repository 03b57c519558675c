// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// GPUs and the contexts of the CUDA driver.

#ifndef RAPT_LIB_RUNTIME_CUDACONTEXT_H
#define RAPT_LIB_RUNTIME_CUDACONTEXT_H

#include "lib/Runtime/CudaDriver.h"
#include <optional>
#include <string>
#include <vector>

namespace rapt::runtime {

struct CudaGpu {
  int ordinal = 0;
  std::string name;       ///< "NVIDIA H100 80GB HBM3"
  int64_t capability = 0; ///< 10 times the compute capability: 90
  int64_t multiprocessors = 0;
  int64_t l2Bytes = 0;
};

/// All GPUs that the driver shows (CUDA_VISIBLE_DEVICES narrows them). Fails
/// without a driver.
llvm::Expected<std::vector<CudaGpu>> listCudaGpus();

/// The GPU of the context that is current on this thread, else the first one.
/// Makes no context. Fails if there is none.
llvm::Expected<CudaGpu> getCurrentCudaGpu();

/// A context and the GPU that it is on. Nobody here destroys it.
struct CudaContext {
  CudaContextHandle handle = nullptr;
  uint64_t id = 0; ///< never that of another context of this process
  int ordinal = 0;

  /// The context for work on `stream`: the stream's own; for the default
  /// streams the current one, if that is on the GPU `ordinal` or any will do,
  /// else the primary context of `ordinal`, by default of the first GPU. A
  /// primary context is retained until the process ends, as the runtime library
  /// of CUDA does.
  static llvm::Expected<CudaContext> find(CudaStreamHandle stream,
                                          std::optional<int> ordinal);
};

/// Makes a context current on this thread for as long as this lives.
class CudaScope {
public:
  static llvm::Expected<CudaScope> enter(const CudaContext &context);
  CudaScope(CudaScope &&other) : driver(other.driver) {
    other.driver = nullptr;
  }
  CudaScope &operator=(CudaScope &&) = delete;
  ~CudaScope();

private:
  explicit CudaScope(const CudaDriver *driver) : driver(driver) {}
  const CudaDriver *driver;
};

/// The GPU in whose memory, or beside which in pinned memory of the host, an
/// address lies; nothing if the driver does not know the address.
llvm::Expected<std::optional<int>> findCudaDevice(CudaAddress address);

} // namespace rapt::runtime

#endif // RAPT_LIB_RUNTIME_CUDACONTEXT_H
