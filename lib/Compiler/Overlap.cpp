// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/Overlap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

namespace rapt {

bool Footprint::getSpan(int64_t &bytes) const {
  int64_t last = 0;
  for (auto [size, stride] : llvm::zip_equal(sizes, strides)) {
    int64_t step;
    if (llvm::MulOverflow(size - 1, stride, step) ||
        llvm::AddOverflow(last, step, last))
      return false;
  }
  return !llvm::AddOverflow(last, int64_t(1), last) &&
         !llvm::MulOverflow(last, elementBytes, bytes);
}

/// Bytes from the first byte to behind the last of the part of `view` whose
/// strides are no multiples of `period` bytes.
static int64_t getInnerSpan(const Footprint &view, int64_t period) {
  int64_t bytes = view.elementBytes;
  for (auto [size, stride] : llvm::zip_equal(view.sizes, view.strides))
    if (int64_t step = stride * view.elementBytes; step % period != 0)
      bytes += (size - 1) * step;
  return bytes;
}

/// Whether the places of the two views in a period of `period` bytes are apart.
static bool areApart(const Footprint &a, const Footprint &b, int64_t period) {
  int64_t spanA = getInnerSpan(a, period), spanB = getInnerSpan(b, period);
  int64_t shift = (b.address - a.address) % period;
  if (shift < 0)
    shift += period;
  return shift >= spanA && spanB <= period - shift;
}

bool mayOverlap(const Footprint &a, const Footprint &b) {
  int64_t spanA, spanB;
  if (!a.getSpan(spanA) || !b.getSpan(spanB))
    return true;
  if (a.address + spanA <= b.address || b.address + spanB <= a.address)
    return false;
  // Every common divisor of the strides from some length on is a candidate for
  // a period.
  llvm::SmallVector<int64_t> steps;
  for (const Footprint *view : {&a, &b})
    for (auto [size, stride] : llvm::zip_equal(view->sizes, view->strides))
      if (size > 1 && stride > 0)
        steps.push_back(stride * view->elementBytes);
  llvm::sort(steps, std::greater<>());
  int64_t period = 0;
  for (int64_t step : steps) {
    period = std::gcd(period, step);
    if (areApart(a, b, period))
      return false;
  }
  return true;
}

bool mayOverlapItself(const Footprint &view) {
  llvm::SmallVector<std::pair<int64_t, int64_t>> dimensions;
  for (auto [size, stride] : llvm::zip_equal(view.sizes, view.strides))
    if (size > 1)
      dimensions.push_back({stride, size});
  llvm::sort(dimensions);
  int64_t reached = 0; // the last element of all smaller dimensions
  for (auto [stride, size] : dimensions) {
    if (stride <= reached)
      return true;
    reached += (size - 1) * stride;
  }
  return false;
}

} // namespace rapt
