// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The calls of one kernel for a GPU. A call like an earlier one on the same
/// stream takes over its plan, so that layers and steps of a model plan once.

#ifndef RAPT_LIB_COMPILER_CUDACALLS_H
#define RAPT_LIB_COMPILER_CUDACALLS_H

#include "lib/Compiler/CudaPlan.h"

namespace rapt {

/// Safe to use from several threads.
class CudaCalls {
public:
  CudaCalls(std::shared_ptr<const CudaCode> code, CallSignature signature);

  const CudaCode &getCode() const { return *code; }

  /// Plans a call of words without results, for any stream.
  llvm::Expected<std::shared_ptr<CudaPlan>>
  plan(llvm::ArrayRef<int64_t> words, runtime::CudaStreamHandle stream);
  /// Starts a call, planned or not.
  llvm::Error run(llvm::ArrayRef<int64_t> words,
                  runtime::CudaStreamHandle stream);
  llvm::Error run(CudaPlan &plan, llvm::ArrayRef<int64_t> words,
                  runtime::CudaStreamHandle stream) const;

private:
  /// A plan that run() made.
  struct Recent {
    uint64_t context;
    runtime::CudaStreamHandle stream;
    std::vector<int64_t> shape; ///< the words but addresses
    std::shared_ptr<CudaPlan> plan;
  };
  std::vector<int64_t> getShape(llvm::ArrayRef<int64_t> words) const;
  std::shared_ptr<CudaPlan> takeRecent(const runtime::CudaContext &context,
                                       runtime::CudaStreamHandle stream,
                                       llvm::ArrayRef<int64_t> shape);

  std::shared_ptr<const CudaCode> code;
  CallSignature signature;
  WorkspacePool workspaces;
  std::mutex mutex;
  std::vector<Recent> recent; ///< that of the last call at the end
};

} // namespace rapt

#endif // RAPT_LIB_COMPILER_CUDACALLS_H
