// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The sequences of a batch: where the queries and the keys of each lie, and
/// how many there are. The same spec and the same kernel serve every form.
///
/// Every sequence is computed as if it were the only one of the batch: it has
/// its own `queries` and `keys`, its positions count from 0, and its last
/// query stands at its last key unless positions are given.

#ifndef RAPT_SEQUENCES_H
#define RAPT_SEQUENCES_H

#include "rapt/Tensor.h"
#include <optional>

namespace rapt {

/// What is fixed when a kernel is compiled. A kernel with any of these set
/// computes every sequence of the batch by itself.
struct SequenceForm {
  /// Calls may give Sequences.
  bool isGiven = false;
  /// Calls give `pageTable`: keys and values lie in pages.
  bool isPaged = false;
  /// Calls give `queryPositions`.
  bool hasPositions = false;

  bool isAny() const { return isGiven || isPaged || hasPositions; }
};

/// What a call says of its sequences; all tensors are of type i32. Which axes
/// the tensors of the call have follows from what is given:
///
///   packed queries  a tensor with the axes `batch` and `queries` loses the
///                   axis `batch`, and `queries` are those of all sequences,
///                   one sequence after the other: q [heads, queries, dim],
///                   out [heads, queries, vdim], lse [heads, queries].
///   packed keys     the same for `keys`: k [kv_heads, keys, dim].
///   pages           a tensor of rows with the axes `batch` and `keys` has
///                   pages in their place: k [pages, kv_heads, page size, dim].
///                   Pages may lie anywhere and belong to several sequences.
///   otherwise       sequence b is index b of `batch` and its first rows.
///
/// A tensor with both axes of tokens, or without `batch`, stays as the spec
/// has it: each sequence reads it from its own beginning.
struct Sequences {
  /// [batch + 1], not descending, not negative: the queries of sequence b are
  /// rows queryStarts[b] .. queryStarts[b + 1] - 1. In messages
  /// `query_starts`.
  std::optional<TensorView> queryStarts;
  /// The same for keys. In messages `key_starts`.
  std::optional<TensorView> keyStarts;
  /// [batch]: how many of its rows a sequence has. Not more than there are;
  /// without it all of them. Rows of results behind that stay as they are. In
  /// messages `query_lengths`, `key_lengths`.
  std::optional<TensorView> queryLengths;
  std::optional<TensorView> keyLengths;
  /// [batch, pages of a sequence]: key j of sequence b lies in page
  /// pageTable[b, j / page size]. What lies behind the last key is not read.
  /// Needs `keyLengths`. In messages `page_table`.
  std::optional<TensorView> pageTable;
  /// [batch, queries], of packed queries [queries]: the position of each
  /// query, in the place of one that follows from the lengths. In messages
  /// `query_positions`.
  std::optional<TensorView> queryPositions;
};

} // namespace rapt

#endif // RAPT_SEQUENCES_H
