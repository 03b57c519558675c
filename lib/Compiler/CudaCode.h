// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What a kernel for a GPU is in this process: entries that plan and describe
/// its launches, and code for the GPU, in every context that it has run in.

#ifndef RAPT_LIB_COMPILER_CUDACODE_H
#define RAPT_LIB_COMPILER_CUDACODE_H

#include "lib/Compiler/KernelManifest.h"
#include "lib/Runtime/CudaModule.h"
#include "lib/Runtime/KernelLoader.h"
#include <map>
#include <mutex>

namespace rapt {

/// Safe to use from several threads.
class CudaCode {
public:
  /// `image` is a cubin. Fails on an object that does not link.
  static llvm::Expected<std::shared_ptr<const CudaCode>>
  link(llvm::StringRef symbol, std::unique_ptr<llvm::MemoryBuffer> object,
       std::string image, LoweringFacts facts);

  const runtime::KernelEntries &getEntries() const {
    return host->getEntries();
  }
  const LoweringFacts &getFacts() const { return facts; }
  const std::string &getImage() const { return image; }

  /// The code in a context, loaded by the first call that asks for it. Fails if
  /// it is for another kind of GPU.
  llvm::Expected<const runtime::CudaModule *>
  getModule(const runtime::CudaContext &context) const;

private:
  std::unique_ptr<runtime::LoadedKernel> host;
  std::string image;
  LoweringFacts facts;
  mutable std::mutex mutex;
  mutable std::map<uint64_t, std::unique_ptr<runtime::CudaModule>> modules;
};

} // namespace rapt

#endif // RAPT_LIB_COMPILER_CUDACODE_H
