// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A planned call of a kernel for a GPU. What a call plans is found by code of
/// the host; the GPU has a copy of it.

#ifndef RAPT_LIB_COMPILER_CUDAPLAN_H
#define RAPT_LIB_COMPILER_CUDAPLAN_H

#include "lib/Compiler/CallArguments.h"
#include "lib/Compiler/CallPlan.h"
#include "lib/Compiler/CudaCode.h"
#include "lib/Runtime/CudaMemory.h"

namespace rapt {

/// Safe to use from several threads; the launches of one run follow each other,
/// those of two runs do not mix.
class CudaPlan {
public:
  CudaPlan(std::shared_ptr<const CudaCode> code,
           const runtime::CudaContext &context)
      : code(std::move(code)), context(context) {}

  const runtime::CudaContext &getContext() const { return context; }

  /// Plans a call of these words, which have addresses of the GPU. Waits for
  /// the stream if integer tensors are read. What the plan holds is copied to
  /// the GPU in the order of the stream. Fails on masks that read behind the
  /// end of a table, and if there is not enough memory.
  llvm::Error plan(const CallSignature &signature,
                   llvm::ArrayRef<int64_t> words, WorkspacePool &workspaces,
                   runtime::CudaStreamHandle stream);
  /// Starts the launches of a call with the planned sizes. Allocates nothing,
  /// copies nothing and waits for nothing, so that a graph can capture it.
  /// Fails on another size.
  llvm::Error run(const CallSignature &signature, llvm::ArrayRef<int64_t> words,
                  runtime::CudaStreamHandle stream);

  int64_t getBytes() const;
  /// Of the host.
  const void *getWorkspace() const { return call->getWorkspace(); }

private:
  llvm::Error describeLaunches();

  std::shared_ptr<const CudaCode> code;
  runtime::CudaContext context;
  std::mutex mutex;
  const runtime::CudaModule *module = nullptr; ///< of the code
  std::optional<CallPlan> call;
  runtime::CudaMemory memory;
  std::vector<int64_t> words; ///< of the call that was planned or run last
  /// What each launch gets, its maps encoded; empty after planning.
  std::vector<std::vector<int64_t>> launches;
};

/// Whether planning reads tensors that lie on the GPU.
bool readsIntegers(const CallSignature &signature);

/// The GPU in whose memory the tensors of a call lie; nothing if none has an
/// address. `areFloatsRead`: also look at those of floats and at results.
/// Fails, with the name of the tensor, on one that lies elsewhere.
llvm::Expected<std::optional<int>> findDevice(const CallSignature &signature,
                                              llvm::ArrayRef<int64_t> words,
                                              bool areFloatsRead);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_CUDAPLAN_H
