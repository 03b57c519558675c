// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Random tensors of a batch of sequences: those of each alone, which the
/// Reference sees, and all of them as one call, which the kernel does.

#ifndef RAPT_TOOLS_RAPT_SEQUENCEBATCH_H
#define RAPT_TOOLS_RAPT_SEQUENCEBATCH_H

#include "lib/Compiler/SequenceLayout.h"
#include "lib/Reference/Check.h"
#include "tools/rapt/SequenceOptions.h"
#include "tools/rapt/SpecTensors.h"

namespace rapt::tool {

class SequenceBatch {
public:
  /// `extents` are those of one sequence but for its lengths. Fails if there is
  /// not enough memory.
  static llvm::Expected<SequenceBatch> create(const SequenceRequest &request,
                                              const TensorOptions &options,
                                              const frontend::Spec &spec,
                                              const AxisExtents &extents);

  int64_t getBatch() const { return static_cast<int64_t>(alone.size()); }
  /// The call.
  std::vector<NamedTensor> getArguments() const;
  Sequences getSequences() const;
  TensorView getResult(size_t number) const;
  size_t getResultCount() const { return results.size(); }

  /// One sequence alone.
  std::vector<reference::NamedTensor> getNamed(int64_t sequence) const;
  reference::Placement getPlacement(int64_t sequence) const;
  /// Its part of a result, [1, heads, queries, ...].
  reference::TensorView getWindow(size_t result, int64_t sequence) const;

private:
  /// Memory of the call. Dimensions are those of its signature.
  struct CallTensor {
    std::string name;
    support::ElementType type = support::ElementType::F32;
    std::vector<int64_t> sizes, strides;
    std::vector<char> data;

    TensorView getView() const;
  };
  /// Where a sequence lies along an axis of tokens.
  struct Place {
    int64_t firstQuery = 0, firstKey = 0;
  };
  llvm::Error makeAlone(const TensorOptions &options,
                        const frontend::Spec &spec, const AxisExtents &extents);
  void sharePrefix(const frontend::Spec &spec);
  void describe(uint64_t seed);
  CallTensor allocate(const frontend::TensorSignature &signature,
                      const SequenceLayout::Tensor &role,
                      const HostTensor &like) const;
  void copyIn(CallTensor &tensor, const SequenceLayout::Tensor &role,
              const HostTensor &own, int64_t sequence) const;
  int64_t getOffset(const CallTensor &tensor,
                    const SequenceLayout::Tensor &role, int64_t sequence,
                    llvm::ArrayRef<int64_t> indices) const;

  SequenceRequest request;
  /// Else there is a query at every key.
  bool hasQueries = true;
  std::vector<std::vector<HostTensor>> alone;
  std::vector<Place> places;
  int64_t allQueries = 0, allKeys = 0, longestQueries = 0, longestKeys = 0;
  int64_t pages = 0, pagesOfOne = 0;
  std::map<std::string, CallTensor> described;
  std::vector<std::vector<int64_t>> positions;
  std::vector<CallTensor> arguments, results;
  std::vector<SequenceLayout::Tensor> roles;
};

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_SEQUENCEBATCH_H
