// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Whether views share memory.

#ifndef RAPT_LIB_COMPILER_OVERLAP_H
#define RAPT_LIB_COMPILER_OVERLAP_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace rapt {

/// The bytes of a view with non-negative strides (in elements) and at least one
/// element.
struct Footprint {
  int64_t address = 0;
  int64_t elementBytes = 1;
  llvm::ArrayRef<int64_t> sizes;
  llvm::ArrayRef<int64_t> strides;

  /// From the first byte to behind the last; nothing if that overflows.
  bool getSpan(int64_t &bytes) const;
};

/// False only if no byte belongs to both. Views that lie between one another,
/// such as the heads or the q, k, v of one packed tensor, are told apart if
/// their larger strides have a common divisor.
bool mayOverlap(const Footprint &a, const Footprint &b);

/// False only if every element has bytes of its own.
bool mayOverlapItself(const Footprint &view);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_OVERLAP_H
