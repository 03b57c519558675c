// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// How the Reference sees a tensor in memory.

#ifndef RAPT_LIB_REFERENCE_TENSOR_H
#define RAPT_LIB_REFERENCE_TENSOR_H

#include "lib/Support/FloatFormats.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <string>

namespace rapt::reference {

/// A tensor that somebody else owns. Strides are in elements.
struct TensorView {
  const void *data = nullptr;
  support::ElementType type = support::ElementType::F32;
  llvm::SmallVector<int64_t, 4> sizes;
  llvm::SmallVector<int64_t, 4> strides;

  int64_t getRank() const { return static_cast<int64_t>(sizes.size()); }

  /// The strides of a tensor of these sizes in C order without gaps.
  static llvm::SmallVector<int64_t, 4>
  getDenseStrides(llvm::ArrayRef<int64_t> sizes) {
    llvm::SmallVector<int64_t, 4> strides(sizes.size());
    int64_t stride = 1;
    for (size_t d = sizes.size(); d-- > 0; stride *= sizes[d])
      strides[d] = stride;
    return strides;
  }
  static TensorView getDense(const void *data, support::ElementType type,
                             llvm::ArrayRef<int64_t> sizes) {
    return {data, type, llvm::SmallVector<int64_t, 4>(sizes),
            getDenseStrides(sizes)};
  }
};

/// A tensor and the name that a spec knows it by.
struct NamedTensor {
  std::string name;
  TensorView view;
};

/// Of which sequence of a batch a spec is evaluated, where it is evaluated for
/// one at a time, and where its queries stand.
struct Placement {
  /// Added to the number of the batch in the counter of `uniform`.
  int64_t sequence = 0;
  /// The position of each query; empty: the last one stands at the last key.
  llvm::ArrayRef<int64_t> positions;
};

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_TENSOR_H
