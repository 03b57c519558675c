// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/CudaCalls.h"
#include "lib/Compiler/CodedError.h"
#include "llvm/ADT/STLExtras.h"

using llvm::ArrayRef;

using llvm::Expected;

namespace rapt {

CudaCalls::CudaCalls(std::shared_ptr<const CudaCode> code,
                     CallSignature signature)
    : code(std::move(code)), signature(std::move(signature)) {}

std::vector<int64_t> CudaCalls::getShape(ArrayRef<int64_t> words) const {
  std::vector<int64_t> shape = words.vec();
  size_t word = 0;
  for (const auto *list : {&signature.arguments, &signature.results})
    for (const frontend::TensorSignature &tensor : *list) {
      shape[word] = 0;
      word += 1 + 2 * tensor.axes.size();
    }
  return shape;
}

/// Fails if the stream is on another GPU than the tensors.
static Expected<runtime::CudaContext>
findContext(runtime::CudaStreamHandle stream, std::optional<int> device) {
  auto context = runtime::CudaContext::find(stream, device);
  if (!context)
    return asDeviceError(context.takeError());
  if (device && *device != context->ordinal)
    return makeError(
        ErrorCode::InvalidArgument,
        "the tensors are in the memory of GPU " + llvm::Twine(*device) +
            ", but the stream is one of GPU " + llvm::Twine(context->ordinal));
  return context;
}

Expected<std::shared_ptr<CudaPlan>>
CudaCalls::plan(ArrayRef<int64_t> words, runtime::CudaStreamHandle stream) {
  auto device = findDevice(signature, words, /*areFloatsRead=*/false);
  if (!device)
    return device.takeError();
  auto context = findContext(stream, *device);
  if (!context)
    return context.takeError();
  auto plan = std::make_shared<CudaPlan>(code, *context);
  if (llvm::Error error = plan->plan(signature, words, workspaces, stream))
    return std::move(error);
  // Runs may be on other streams.
  auto scope = runtime::CudaScope::enter(*context);
  if (!scope)
    return asDeviceError(scope.takeError());
  if (llvm::Error error = runtime::waitForCuda(stream))
    return asDeviceError(std::move(error));
  return plan;
}

/// The plan of an earlier call like this one. Plans of other streams are not
/// shared: launches write to the memory of their plan.
std::shared_ptr<CudaPlan>
CudaCalls::takeRecent(const runtime::CudaContext &context,
                      runtime::CudaStreamHandle stream,
                      ArrayRef<int64_t> shape) {
  auto found = llvm::find_if(recent, [&](const Recent &entry) {
    return entry.context == context.id && entry.stream == stream &&
           ArrayRef(entry.shape) == shape;
  });
  if (found == recent.end())
    return nullptr;
  std::rotate(found, std::next(found), recent.end());
  return recent.back().plan;
}

llvm::Error CudaCalls::run(ArrayRef<int64_t> words,
                           runtime::CudaStreamHandle stream) {
  constexpr size_t mostRecent = 8;
  auto device = findDevice(signature, words, /*areFloatsRead=*/true);
  if (!device)
    return device.takeError();
  auto context = findContext(stream, *device);
  if (!context)
    return context.takeError();
  std::vector<int64_t> shape = getShape(words);
  // Held until the launches are in the stream: another thread that plans anew
  // must not come between.
  std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<CudaPlan> plan = takeRecent(*context, stream, shape);
  bool isNew = !plan;
  if (isNew)
    plan = std::make_shared<CudaPlan>(code, *context);
  if (isNew || readsIntegers(signature))
    if (llvm::Error error = plan->plan(signature, words, workspaces, stream))
      return error;
  if (isNew) {
    if (recent.size() == mostRecent)
      recent.erase(recent.begin());
    recent.push_back({context->id, stream, std::move(shape), plan});
  }
  return plan->run(signature, words, stream);
}

llvm::Error CudaCalls::run(CudaPlan &plan, ArrayRef<int64_t> words,
                           runtime::CudaStreamHandle stream) const {
  auto device = findDevice(signature, words, /*areFloatsRead=*/true);
  if (!device)
    return device.takeError();
  if (*device && **device != plan.getContext().ordinal)
    return makeError(ErrorCode::InvalidArgument,
                     "the tensors are in the memory of GPU " +
                         llvm::Twine(**device) +
                         ", but the call was planned for GPU " +
                         llvm::Twine(plan.getContext().ordinal));
  return plan.run(signature, words, stream);
}

} // namespace rapt
