// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/HostTensor.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Support/NumpyFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/xxhash.h"
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

using llvm::Expected;
using rapt::support::ElementType;

namespace rapt::tool {

void HostTensor::Free::operator()(void *pointer) const { std::free(pointer); }

/// Whether the layout has a say.
static bool hasHeadsAndTokens(const frontend::TensorSignature &signature) {
  llvm::ArrayRef<frontend::TensorAxis> axes = signature.axes;
  return axes.size() == 4 && !axes[1].isFeature && !axes[2].isFeature &&
         axes[3].isFeature;
}

Expected<HostTensor>
HostTensor::create(const frontend::TensorSignature &signature,
                   std::vector<int64_t> sizes, Layout layout) {
  constexpr uint64_t line = 64;
  uint64_t bytes = support::getElementSize(signature.elementType);
  bool overflows = false;
  for (int64_t size : sizes) {
    bool overflowsNow = false;
    bytes = llvm::SaturatingMultiply(bytes, static_cast<uint64_t>(size),
                                     &overflowsNow);
    overflows |= overflowsNow;
  }
  overflows |= bytes > uint64_t(std::numeric_limits<int64_t>::max()) - line;
  HostTensor tensor;
  uint64_t rounded = llvm::alignTo(std::max<uint64_t>(bytes, 1), line);
  if (!overflows)
    tensor.data.reset(std::aligned_alloc(line, rounded));
  if (!tensor.data)
    return llvm::createStringError(
        std::make_error_code(std::errc::not_enough_memory),
        "not enough memory for '" + signature.name + "'");
  std::memset(tensor.data.get(), 0, rounded);
  tensor.name = signature.name;
  tensor.type = signature.elementType;
  tensor.isSwapped =
      layout == Layout::TokensFirst && hasHeadsAndTokens(signature);
  tensor.sizes = std::move(sizes);
  auto strides =
      reference::TensorView::getDenseStrides(tensor.getMemorySizes());
  if (tensor.isSwapped)
    std::swap(strides[1], strides[2]);
  tensor.strides.assign(strides.begin(), strides.end());
  return tensor;
}

std::vector<int64_t> HostTensor::getMemorySizes() const {
  std::vector<int64_t> result = sizes;
  if (isSwapped)
    std::swap(result[1], result[2]);
  return result;
}

int64_t HostTensor::getElementCount() const {
  int64_t count = 1;
  for (int64_t size : sizes)
    count *= size;
  return count;
}

int64_t HostTensor::getOffset(int64_t index) const {
  if (!isSwapped)
    return index;
  int64_t offset = 0;
  for (size_t d = sizes.size(); d-- > 0; index /= sizes[d])
    offset += index % sizes[d] * strides[d];
  return offset;
}

TensorView HostTensor::getView() const {
  return {data.get(), getDType(type), sizes, strides};
}

reference::TensorView HostTensor::getReferenceView() const {
  return {data.get(), type, llvm::to_vector<4>(sizes),
          llvm::to_vector<4>(strides)};
}

Expected<HostTensor> readTensor(const frontend::TensorSignature &argument,
                                llvm::StringRef path, Layout layout) {
  Expected<support::NumpyArray> array = support::readNumpyFile(path);
  if (!array)
    return array.takeError();
  if (llvm::Error error = support::expectNumpyArray(
          *array, path, argument.elementType, argument.axes.size()))
    return std::move(error);
  std::vector<int64_t> sizes = array->sizes;
  if (layout == Layout::TokensFirst && hasHeadsAndTokens(argument))
    std::swap(sizes[1], sizes[2]);
  Expected<HostTensor> tensor =
      HostTensor::create(argument, std::move(sizes), layout);
  if (tensor)
    std::memcpy(tensor->getData(), array->data.data(), array->data.size());
  return tensor;
}

void fillRandom(HostTensor &tensor, const frontend::TensorSignature &argument,
                int64_t positions, uint64_t seed) {
  std::mt19937_64 engine(seed ^ llvm::xxh3_64bits(tensor.getName()));
  int64_t count = tensor.getElementCount();
  ElementType type = tensor.getType();
  void *data = tensor.getData();
  llvm::ArrayRef<frontend::TensorAxis> axes = argument.axes;

  if (support::isFloat(type)) {
    bool isMatrix = axes.size() >= 2 && axes[axes.size() - 1].isFeature &&
                    axes[axes.size() - 2].isFeature;
    double scale =
        isMatrix ? 1 / std::sqrt(double(tensor.getSizes().back())) : 1;
    std::normal_distribution<double> normal(0, scale);
    for (int64_t n = 0; n < count; ++n)
      support::storeReal(type, data, tensor.getOffset(n), normal(engine));
    return;
  }
  if (type == ElementType::Boolean) {
    for (int64_t n = 0; n < count; ++n)
      support::storeInteger(type, data, tensor.getOffset(n), engine() >> 63);
    return;
  }

  // What fits the narrowest type.
  int64_t limit = type == ElementType::I8   ? 127
                  : type == ElementType::U8 ? 255
                  : type == ElementType::I16
                      ? 32767
                      : std::numeric_limits<int32_t>::max();
  if (!axes.empty() &&
      (axes.back().name == "queries" || axes.back().name == "keys")) {
    int64_t length = tensor.getSizes().back();
    std::uniform_int_distribution<int64_t> step(
        0, std::max<int64_t>(length / 8, 1));
    int64_t id = 0;
    for (int64_t n = 0; n < count; ++n) {
      if (n % length == 0)
        id = 0;
      else if (step(engine) == 0)
        id = std::min(id + 1, limit);
      support::storeInteger(type, data, tensor.getOffset(n), id);
    }
    return;
  }
  std::uniform_int_distribution<int64_t> position(
      0, std::clamp<int64_t>(positions - 1, 0, limit));
  for (int64_t n = 0; n < count; ++n)
    support::storeInteger(type, data, tensor.getOffset(n), position(engine));
}

} // namespace rapt::tool
