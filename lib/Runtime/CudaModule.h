// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Code for a GPU in a context, and its launches.

#ifndef RAPT_LIB_RUNTIME_CUDAMODULE_H
#define RAPT_LIB_RUNTIME_CUDAMODULE_H

#include "lib/Runtime/CudaContext.h"
#include "lib/Runtime/DeviceKernel.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <memory>
#include <string>
#include <vector>

namespace rapt::runtime {

/// Owns a module, which is unloaded with it: its context must still be there.
class CudaModule {
public:
  /// Loads a cubin, or PTX that ends with a zero, and finds the kernels. Fails
  /// on code that is not for this GPU.
  static llvm::Expected<std::unique_ptr<CudaModule>>
  load(const CudaContext &context, llvm::StringRef image,
       llvm::ArrayRef<DeviceKernel> kernels);
  ~CudaModule();

  const CudaContext &getContext() const { return context; }
  CudaFunctionHandle getFunction(size_t kernel) const {
    return functions[kernel];
  }

private:
  CudaModule(const CudaContext &context, CudaModuleHandle handle)
      : context(context), handle(handle) {}
  CudaContext context;
  CudaModuleHandle handle;
  std::vector<CudaFunctionHandle> functions;
};

/// Compiles PTX with the driver's own compiler for the GPU of a context.
/// Returns the cubin. Fails with what that compiler says.
llvm::Expected<std::string> assembleByDriver(const CudaContext &context,
                                             llvm::StringRef ptx);

/// Encodes the maps of a launch in place: `words` are those that NAME_launch
/// wrote. Where the driver refuses there is no map.
void encodeMaps(const CudaDriver &driver, const DeviceKernel &kernel,
                llvm::MutableArrayRef<int64_t> words);

/// Starts one launch in the current context with words whose maps are encoded.
/// The driver copies them; nothing is started for no items.
llvm::Error launch(const CudaDriver &driver, const DeviceKernel &kernel,
                   CudaFunctionHandle function,
                   llvm::MutableArrayRef<int64_t> words,
                   CudaStreamHandle stream);

} // namespace rapt::runtime

#endif // RAPT_LIB_RUNTIME_CUDAMODULE_H
