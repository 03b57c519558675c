// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// How the tensors of a call stand for those of its sequences. A kernel only
/// ever computes one sequence of a batch; what a call of several is made of are
/// as many calls of one, whose tensors are windows of those of the whole.

#ifndef RAPT_LIB_COMPILER_SEQUENCELAYOUT_H
#define RAPT_LIB_COMPILER_SEQUENCELAYOUT_H

#include "lib/Compiler/CallArguments.h"

namespace rapt {

/// The tensors that a kernel for sequences takes after those of the spec:
///
///   NAME_rows        i32 [keys], for every tensor that lies in pages: its row
///                    that each key is
///   query_positions  i32 [queries], if positions are given
///   sequence         i32: which of the batch it is
///
/// Underscores behind a name tell it from one of the spec.
std::vector<frontend::TensorSignature>
getSequenceArguments(llvm::ArrayRef<frontend::TensorSignature> arguments,
                     const SequenceForm &form);

/// Whether a tensor lies in pages if keys do: rows [batch, keys, features] or
/// [batch, heads, keys, features].
template <typename Tensor> bool canBePaged(const Tensor &tensor) {
  size_t rank = tensor.axes.size();
  if ((rank != 3 && rank != 4) || tensor.axes[0].name != "batch" ||
      tensor.axes[rank - 2].name != "keys" || !tensor.axes[rank - 1].isFeature)
    return false;
  return rank == 3 || !tensor.axes[1].isFeature;
}

/// The tensors of a whole call.
class SequenceLayout {
public:
  /// Fails if what is given does not go together, or not with the kernel.
  static llvm::Expected<SequenceLayout> create(const CallSignature &kernel,
                                               const SequenceForm &form,
                                               const Sequences &sequences);

  /// The signature that the tensors of the call have.
  const CallSignature &getSignature() const { return call; }

  /// One tensor of the kernel, an argument or a result.
  struct Tensor {
    unsigned rank = 0; ///< of the kernel
    int64_t elementBytes = 1;
    int batch = -1, queries = -1, keys = -1; ///< dimensions of the kernel
    bool isMerged = false;                   ///< the call has no axis `batch`
    bool isPaged = false;
    size_t word = 0; ///< its first among those of the call
    unsigned getCallRank() const { return rank - isMerged; }
    unsigned getCallDimension(unsigned d) const {
      return isMerged && static_cast<int>(d) > batch ? d - 1 : d;
    }
  };
  llvm::ArrayRef<Tensor> getTensors() const { return tensors; }
  size_t getArgumentCount() const { return call.arguments.size(); }
  /// An argument or, behind those, a result.
  const std::string &getName(size_t tensor) const {
    size_t arguments = getArgumentCount();
    return tensor < arguments ? call.arguments[tensor].name
                              : call.results[tensor - arguments].name;
  }
  /// Whether nothing has the axis `queries`: there is a query at every key.
  bool hasQueryAtEveryKey() const;

private:
  CallSignature call;
  std::vector<Tensor> tensors;
};

/// Where the rows of one sequence are.
struct SequenceRows {
  int64_t number = 0; ///< in the batch
  int64_t firstQuery = 0, queries = 0;
  int64_t firstKey = 0, keys = 0;
};

/// The unit in which the rows of a paged tensor are counted, and how many of
/// them a page and all pages have.
struct PageRows {
  int64_t stride = 0, perPage = 0, count = 0;
};

/// Reads and checks what Sequences say of a call whose words are those of
/// bindArguments() for the signature of the layout. Fails on a length, an
/// offset, a page or a position that is out of range.
llvm::Expected<std::vector<SequenceRows>>
readSequences(const SequenceLayout &layout, const Sequences &sequences,
              llvm::ArrayRef<int64_t> words);

/// Fails if the results of a call have no room for one of its sequences. A
/// result that is not wanted, whose words are 0, has room for all.
llvm::Error checkResults(const SequenceLayout &layout, int64_t batch,
                         llvm::ArrayRef<int64_t> words);
llvm::Error checkResultRows(const SequenceLayout &layout,
                            const SequenceRows &sequence,
                            llvm::ArrayRef<int64_t> words);

/// An element of one of the Sequences, of rank 1 or 2.
int32_t getElement(const TensorView &view, int64_t n, int64_t m = 0);

/// Fails if the rows of a page are no multiple of each other apart, or there
/// are more than an i32 counts.
llvm::Expected<PageRows> getPageRows(const SequenceLayout::Tensor &tensor,
                                     llvm::StringRef name,
                                     llvm::ArrayRef<int64_t> words);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_SEQUENCELAYOUT_H
