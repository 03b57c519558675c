// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The tensors of one call: checked, and as the words that a kernel takes.

#ifndef RAPT_LIB_COMPILER_CALLARGUMENTS_H
#define RAPT_LIB_COMPILER_CALLARGUMENTS_H

#include "lib/Compiler/AxisExtents.h"
#include "rapt/Kernel.h"

namespace rapt {

/// What a kernel takes and gives.
struct CallSignature {
  std::vector<frontend::TensorSignature> arguments;
  /// `out`, then `lse`.
  std::vector<frontend::TensorSignature> results;
  /// For every argument, then every result: the stride of the last dimension
  /// must be 1.
  std::vector<bool> contiguous;
  /// Axes of the rows of a whole batch: what positions of 32 bits count is the
  /// length of a sequence, which is checked where it is known.
  std::vector<std::string> packedAxes = {};
};

struct CallArguments {
  /// As lib/Runtime/KernelEntries.h describes them.
  std::vector<int64_t> words;
  /// Whether the results have any element.
  bool isEmpty = false;
  AxisExtents extents;
};

/// Finds the tensor of every argument. Fails on one that is missing, unknown or
/// given twice.
llvm::Expected<std::vector<const TensorView *>>
matchArguments(llvm::ArrayRef<frontend::TensorSignature> arguments,
               llvm::ArrayRef<NamedTensor> tensors);

/// Checks every tensor against the signature and the others. Fails on a wrong
/// type, rank, extent, stride or address, and on a result that shares memory
/// with another tensor or with itself.
llvm::Expected<CallArguments> bindArguments(const CallSignature &signature,
                                            llvm::ArrayRef<NamedTensor> tensors,
                                            const TensorView &out,
                                            const TensorView *lse);

/// The same for planning alone: there are no results, and tensors of floats
/// need no data.
llvm::Expected<CallArguments> bindForPlan(const CallSignature &signature,
                                          llvm::ArrayRef<NamedTensor> tensors);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_CALLARGUMENTS_H
