// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/GpuTensors.h"
#include "llvm/ADT/STLExtras.h"
#include <utility>

using llvm::Expected;

namespace rapt::tool {

static int64_t getBytesOf(const HostTensor &tensor) {
  return tensor.getElementCount() *
         static_cast<int64_t>(support::getElementSize(tensor.getType()));
}

Expected<GpuTensors>
GpuTensors::create(const runtime::CudaContext &context,
                   const std::vector<HostTensor> &arguments,
                   const std::vector<HostTensor> &results) {
  GpuTensors tensors;
  tensors.context = context;
  auto place = [&](const HostTensor &tensor,
                   const void *bytes) -> Expected<TensorView> {
    int64_t count = getBytesOf(tensor);
    auto memory = runtime::CudaMemory::allocate(context, count);
    if (!memory)
      return memory.takeError();
    if (llvm::Error error = memory->upload(bytes, count, nullptr))
      return std::move(error);
    TensorView view = tensor.getView();
    view.data = reinterpret_cast<void *>(memory->getAddress());
    tensors.memory.push_back(std::move(*memory));
    return view;
  };
  for (const HostTensor &tensor : arguments) {
    Expected<TensorView> view = place(tensor, tensor.getData());
    if (!view)
      return view.takeError();
    tensors.arguments.push_back({tensor.getName(), std::move(*view)});
  }
  for (const HostTensor &tensor : results) {
    std::vector<char> ones(static_cast<size_t>(getBytesOf(tensor)), '\xff');
    Expected<TensorView> view = place(tensor, ones.data());
    if (!view)
      return view.takeError();
    tensors.results.push_back(std::move(*view));
  }
  return tensors;
}

int64_t GpuTensors::getBytes() const {
  int64_t bytes = 0;
  for (const runtime::CudaMemory &each : memory)
    bytes += each.getBytes();
  return bytes;
}

llvm::Error GpuTensors::download(const std::vector<HostTensor> &to) const {
  auto scope = runtime::CudaScope::enter(context);
  if (!scope)
    return scope.takeError();
  for (auto [tensor, view] : llvm::zip_equal(to, results))
    if (llvm::Error error = runtime::downloadCuda(
            tensor.getData(), reinterpret_cast<runtime::CudaAddress>(view.data),
            getBytesOf(tensor), nullptr))
      return error;
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Times
//===----------------------------------------------------------------------===//

Expected<GpuTimer> GpuTimer::create(const runtime::CudaContext &context) {
  auto driver = runtime::CudaDriver::get();
  if (!driver)
    return driver.takeError();
  auto scope = runtime::CudaScope::enter(context);
  if (!scope)
    return scope.takeError();
  GpuTimer timer(context);
  for (runtime::CudaEventHandle *event : {&timer.begin, &timer.end})
    if (llvm::Error error = (*driver)->check(
            (*driver)->eventCreate(event, runtime::cuda::eventDefault),
            "cuEventCreate"))
      return std::move(error);
  return timer;
}

GpuTimer::GpuTimer(GpuTimer &&other)
    : context(other.context), begin(std::exchange(other.begin, nullptr)),
      end(std::exchange(other.end, nullptr)) {}

GpuTimer::~GpuTimer() {
  auto driver = runtime::CudaDriver::get();
  if (!driver) {
    llvm::consumeError(driver.takeError());
    return;
  }
  for (runtime::CudaEventHandle event : {begin, end})
    if (event)
      (*driver)->eventDestroy(event); // there is nobody to tell
}

Expected<double>
GpuTimer::measure(llvm::function_ref<llvm::Error()> start) const {
  auto found = runtime::CudaDriver::get();
  if (!found)
    return found.takeError();
  const runtime::CudaDriver &driver = **found;
  auto scope = runtime::CudaScope::enter(context);
  if (!scope)
    return scope.takeError();
  if (llvm::Error error =
          driver.check(driver.eventRecord(begin, nullptr), "cuEventRecord"))
    return std::move(error);
  if (llvm::Error error = start())
    return std::move(error);
  if (llvm::Error error =
          driver.check(driver.eventRecord(end, nullptr), "cuEventRecord"))
    return std::move(error);
  // What the kernel did wrong is told here.
  if (llvm::Error error =
          driver.check(driver.eventSynchronize(end), "cuEventSynchronize"))
    return std::move(error);
  float milliseconds = 0;
  if (llvm::Error error = driver.check(
          driver.eventElapsed(&milliseconds, begin, end), "cuEventElapsedTime"))
    return std::move(error);
  return milliseconds;
}

double getMedian(std::vector<double> times) {
  llvm::sort(times);
  size_t middle = times.size() / 2;
  return times.size() % 2 ? times[middle]
                          : (times[middle - 1] + times[middle]) / 2;
}

} // namespace rapt::tool
