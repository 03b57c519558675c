// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The extents of named axes, gathered from tensors and options. One name has
/// one extent in a call.

#ifndef RAPT_LIB_COMPILER_AXISEXTENTS_H
#define RAPT_LIB_COMPILER_AXISEXTENTS_H

#include "lib/Frontend/Sema.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <map>

namespace rapt {

class AxisExtents {
public:
  /// Records `extent` of the axis, found in `origin` (`'k'`, `--shape`). Fails
  /// if the axis has another extent already, and names both origins.
  llvm::Error set(llvm::StringRef axis, int64_t extent, llvm::StringRef origin);
  /// Records the extents of a tensor; its rank and its known extents must be
  /// those of the signature.
  llvm::Error setTensor(const frontend::TensorSignature &tensor,
                        llvm::ArrayRef<int64_t> sizes);
  /// Only if it has none.
  void setDefault(llvm::StringRef axis, int64_t extent);

  std::optional<int64_t> get(llvm::StringRef axis) const;
  /// The sizes of a tensor. Fails on an axis that has no extent.
  llvm::Expected<std::vector<int64_t>>
  getSizes(const frontend::TensorSignature &tensor) const;
  /// Every extent, for frontend::Instance.
  std::map<std::string, int64_t> getAll() const;

  /// Fails if heads is not a multiple of kv_heads or of groups, and on a length
  /// that positions of 32 bits do not count, but for the axes `packed`.
  llvm::Error check(llvm::ArrayRef<std::string> packed = {}) const;

private:
  struct Entry {
    int64_t extent;
    std::string origin;
  };
  std::map<std::string, Entry, std::less<>> entries;
};

/// "[batch, heads, queries, dim]".
std::string describeAxes(const frontend::TensorSignature &tensor);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_AXISEXTENTS_H
