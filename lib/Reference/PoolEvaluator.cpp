// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// attn.pool, attn.regroup and attn.reorder, as their definitions say.

#include "lib/Reference/WholeTensors.h"
#include <cmath>

#pragma STDC FP_CONTRACT OFF

namespace rapt::reference {

TensorView Workshop::allocate(support::ElementType type,
                              llvm::ArrayRef<int64_t> sizes) const {
  int64_t count = 1;
  for (int64_t size : sizes)
    count *= size;
  storage->push_back(std::make_unique<std::vector<char>>(
      count * support::getElementSize(type)));
  return TensorView::getDense(storage->back()->data(), type, sizes);
}

static void *getData(const TensorView &view) {
  return const_cast<void *>(view.data);
}

/// Calls `body` with every place of a tensor of rank 4 and its number.
static void
forEachPlace(llvm::ArrayRef<int64_t> sizes,
             llvm::function_ref<void(llvm::ArrayRef<int64_t>, int64_t)> body) {
  int64_t place[4], number = 0;
  for (place[0] = 0; place[0] < sizes[0]; ++place[0])
    for (place[1] = 0; place[1] < sizes[1]; ++place[1])
      for (place[2] = 0; place[2] < sizes[2]; ++place[2])
        for (place[3] = 0; place[3] < sizes[3]; ++place[3])
          body(place, number++);
}

static int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

//===----------------------------------------------------------------------===//
// attn.pool
//===----------------------------------------------------------------------===//

/// What one window makes of its elements; `weights` is empty or has as many.
template <typename Real>
static Real poolWindow(attn::Pooling how, llvm::ArrayRef<Real> elements,
                       llvm::ArrayRef<Real> weights) {
  if (elements.empty())
    return 0;
  Real sum = 0, total = 0;
  switch (how) {
  case attn::Pooling::Sum:
    for (Real element : elements)
      sum += element;
    return sum;
  case attn::Pooling::Mean:
    for (size_t n = 0; n < elements.size(); ++n) {
      sum += weights.empty() ? elements[n] : weights[n] * elements[n];
      total += weights.empty() ? Real(1) : weights[n];
    }
    return sum / total;
  case attn::Pooling::Max:
  case attn::Pooling::Min: {
    bool isMax = how == attn::Pooling::Max;
    Real best = elements.front();
    for (Real element : elements)
      if (std::isnan(element) || (isMax ? element > best : element < best))
        best = std::isnan(best) ? best : element;
    return best;
  }
  }
  llvm_unreachable("every pooling has a case");
}

template <typename Real>
static TensorView pool(attn::PoolOp op, const TensorView &source,
                       const TensorView *weights, int64_t positions,
                       const Workshop &workshop) {
  unsigned dimension = op.getDimension();
  int64_t size = op.getSize(), stride = op.getStride();
  int64_t length = source.sizes[dimension];
  llvm::SmallVector<int64_t, 4> sizes(source.sizes);
  sizes[dimension] = ceilDivide(positions, stride);
  TensorView result = workshop.allocate(workshop.getRealType(), sizes);
  forEachPlace(sizes, [&](llvm::ArrayRef<int64_t> place, int64_t number) {
    std::vector<Real> elements, factors;
    int64_t first = place[dimension] * stride;
    for (int64_t p = first; p < first + size; ++p) {
      int64_t n = p - (positions - length);
      if (n < 0 || n >= length)
        continue;
      llvm::SmallVector<int64_t, 4> index(place);
      index[dimension] = n;
      elements.push_back(static_cast<Real>(readReal(source, index)));
      if (weights)
        factors.push_back(static_cast<Real>(readReal(
            *weights, {place[0] * weights->sizes[0] / sizes[0],
                       place[1] * weights->sizes[1] / sizes[1], n, 0})));
    }
    Real value = poolWindow<Real>(op.getHow(), elements, factors);
    support::storeReal(result.type, getData(result), number, value);
  });
  return result;
}

TensorView evaluatePool(attn::PoolOp op, const TensorView &source,
                        const TensorView *weights, int64_t positions,
                        const Workshop &workshop) {
  return workshop.isRounded
             ? pool<float>(op, source, weights, positions, workshop)
             : pool<double>(op, source, weights, positions, workshop);
}

//===----------------------------------------------------------------------===//
// attn.regroup
//===----------------------------------------------------------------------===//

template <typename Real>
static TensorView regroup(attn::RegroupOp op, const TensorView &source,
                          int64_t positions, const Workshop &workshop) {
  int64_t block = op.getBlock(), stride = op.getStride(), size = op.getSize();
  llvm::SmallVector<int64_t, 4> sizes(source.sizes);
  sizes[3] = ceilDivide(positions, block);
  TensorView result = workshop.allocate(workshop.getRealType(), sizes);
  forEachPlace(sizes, [&](llvm::ArrayRef<int64_t> place, int64_t number) {
    Real sum = 0;
    for (int64_t t = 0; t < source.sizes[3]; ++t) {
      int64_t first = t * stride;
      int64_t last = std::min(first + size, positions);
      int64_t overlap = std::min(last, (place[3] + 1) * block) -
                        std::max(first, place[3] * block);
      if (overlap > 0)
        sum += static_cast<Real>(
                   readReal(source, {place[0], place[1], place[2], t})) *
               static_cast<Real>(overlap) / static_cast<Real>(last - first);
    }
    support::storeReal(result.type, getData(result), number, sum);
  });
  return result;
}

TensorView evaluateRegroup(attn::RegroupOp op, const TensorView &source,
                           int64_t positions, const Workshop &workshop) {
  return workshop.isRounded ? regroup<float>(op, source, positions, workshop)
                            : regroup<double>(op, source, positions, workshop);
}

//===----------------------------------------------------------------------===//
// attn.reorder
//===----------------------------------------------------------------------===//

TensorView evaluateReorder(attn::ReorderOp op, const TensorView &keys,
                           const Workshop &workshop) {
  using support::ElementType;
  TensorView result = workshop.allocate(ElementType::I64, keys.sizes);
  int64_t length = keys.sizes[2];
  bool isReal = support::isFloat(keys.type);
  for (int64_t b = 0; b < keys.sizes[0]; ++b)
    for (int64_t h = 0; h < keys.sizes[1]; ++h) {
      auto isLess = [&](int64_t x, int64_t y) {
        if (!isReal)
          return readInteger(keys, {b, h, x, 0}) <
                 readInteger(keys, {b, h, y, 0});
        double left = readReal(keys, {b, h, x, 0});
        double right = readReal(keys, {b, h, y, 0});
        return std::isnan(right) ? !std::isnan(left) : left < right;
      };
      // The place of a row is the number of rows that stand before it.
      for (int64_t n = 0; n < length; ++n) {
        int64_t rank = 0;
        for (int64_t other = 0; other < length; ++other)
          rank += isLess(other, n) || (other < n && !isLess(n, other));
        int64_t head = (b * keys.sizes[1] + h) * length;
        if (op.getOrder() == attn::Order::Rank)
          support::storeInteger(result.type, getData(result), head + n, rank);
        else
          support::storeInteger(result.type, getData(result), head + rank, n);
      }
    }
  return result;
}

} // namespace rapt::reference
