// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Memory of a GPU that is freed with its owner.

#ifndef RAPT_LIB_RUNTIME_CUDAMEMORY_H
#define RAPT_LIB_RUNTIME_CUDAMEMORY_H

#include "lib/Runtime/CudaContext.h"

namespace rapt::runtime {

class CudaMemory {
public:
  CudaMemory() = default;
  /// 256 byte aligned at least. Fails if there is not so much.
  static llvm::Expected<CudaMemory> allocate(const CudaContext &context,
                                             int64_t bytes);
  CudaMemory(CudaMemory &&other);
  CudaMemory &operator=(CudaMemory &&other);
  /// Waits for work that may use it, as the driver does.
  ~CudaMemory();

  CudaAddress getAddress() const { return address; }
  int64_t getBytes() const { return bytes; }

  /// Copies from pageable memory of the host, which may change afterwards, in
  /// the order of the stream.
  llvm::Error upload(const void *from, int64_t count,
                     CudaStreamHandle stream) const;

private:
  CudaContext context;
  CudaAddress address = 0;
  int64_t bytes = 0;
};

/// Copies to memory of the host in the order of the stream, and waits.
llvm::Error downloadCuda(void *to, CudaAddress from, int64_t bytes,
                         CudaStreamHandle stream);

/// Waits for the work on a stream of the current context.
llvm::Error waitForCuda(CudaStreamHandle stream);

} // namespace rapt::runtime

#endif // RAPT_LIB_RUNTIME_CUDAMEMORY_H
