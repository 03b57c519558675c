// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/CudaCode.h"
#include "llvm/Support/MemoryBuffer.h"

using llvm::Expected;

namespace rapt {

Expected<std::shared_ptr<const CudaCode>>
CudaCode::link(llvm::StringRef symbol,
               std::unique_ptr<llvm::MemoryBuffer> object, std::string image,
               LoweringFacts facts) {
  auto code = std::make_shared<CudaCode>();
  auto host = runtime::LoadedKernel::load(std::move(object), symbol,
                                          runtime::EntryKind::ForGpu);
  if (!host)
    return host.takeError();
  code->host = std::move(*host);
  code->image = std::move(image);
  code->facts = std::move(facts);
  return code;
}

Expected<const runtime::CudaModule *>
CudaCode::getModule(const runtime::CudaContext &context) const {
  std::lock_guard<std::mutex> lock(mutex);
  auto known = modules.find(context.id);
  if (known != modules.end())
    return known->second.get();
  auto module = runtime::CudaModule::load(context, image, facts.kernels);
  if (!module)
    return module.takeError();
  return modules.emplace(context.id, std::move(*module)).first->second.get();
}

} // namespace rapt
