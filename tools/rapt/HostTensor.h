// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Tensors that the tool owns: read from files, made at random, or results.

#ifndef RAPT_TOOLS_RAPT_HOSTTENSOR_H
#define RAPT_TOOLS_RAPT_HOSTTENSOR_H

#include "lib/Frontend/Sema.h"
#include "lib/Reference/Tensor.h"
#include "rapt/Tensor.h"
#include "llvm/Support/Error.h"
#include <memory>

namespace rapt::tool {

/// How a tensor [batch, heads, tokens, features] lies in memory and in files.
enum class Layout {
  HeadsFirst, ///< `bhnd`
  TokensFirst ///< `bnhd`: a view that swaps the two axes in the middle
};

/// Without gaps, at an address that is a multiple of a cache line.
class HostTensor {
public:
  /// All bytes zero. The sizes are those of the signature whatever the layout,
  /// which concerns only tensors with heads, tokens and features. Fails if
  /// there is not that much memory.
  static llvm::Expected<HostTensor>
  create(const frontend::TensorSignature &signature, std::vector<int64_t> sizes,
         Layout layout);

  const std::string &getName() const { return name; }
  support::ElementType getType() const { return type; }
  llvm::ArrayRef<int64_t> getSizes() const { return sizes; }
  /// The sizes in the order of memory.
  std::vector<int64_t> getMemorySizes() const;
  int64_t getElementCount() const;
  void *getData() const { return data.get(); }
  /// Where the element with number `index` in the order of the signature lies.
  int64_t getOffset(int64_t index) const;

  TensorView getView() const;
  reference::TensorView getReferenceView() const;

private:
  struct Free {
    void operator()(void *pointer) const;
  };
  std::string name;
  support::ElementType type = support::ElementType::F32;
  std::vector<int64_t> sizes, strides;
  bool isSwapped = false;
  std::unique_ptr<void, Free> data;
};

/// Reads an argument from a .npy file. Fails if it does not have the element
/// type or the rank of the signature.
llvm::Expected<HostTensor> readTensor(const frontend::TensorSignature &argument,
                                      llvm::StringRef path, Layout layout);

/// Fills a tensor by its type and axes alone, never by its name:
///   real     normal with variance 1, divided by the root of the last extent if
///            the last two axes are features (a matrix of weights)
///   boolean  true for one of two
///   integer  along queries or keys as last axis: ids that do not decrease, a
///            new one after every eighth of the sequence or so;
///            else: a position, uniform in 0 .. `positions` - 1
/// Equal seeds give equal tensors, whatever else is made and in either layout.
void fillRandom(HostTensor &tensor, const frontend::TensorSignature &argument,
                int64_t positions, uint64_t seed);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_HOSTTENSOR_H
