// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Tensors that are computed whole before anything reads them: pooled rows,
/// sets, ranks, reductions of pairs, weights, and the results of branches. An
/// expression reads one as it reads an input, at places of its own.

#ifndef RAPT_LIB_FRONTEND_COMPUTED_H
#define RAPT_LIB_FRONTEND_COMPUTED_H

#include "lib/Frontend/Graph.h"

namespace rapt::frontend {

struct Computed {
  enum class Kind : uint8_t {
    Pool,      ///< `value` (a row or number of one side, or a pair) in windows.
    Regroup,   ///< `value` (a pair over windows) in blocks.
    Rank,      ///< The place of `value` in a stable sort.
    Select,    ///< A set for each query, by `value`.
    Aggregate, ///< `value` reduced over a side, a group of heads, or all pairs.
    Weights,   ///< The weights of `loop`.
    Result,    ///< `out` of `loop`.
    Merge,     ///< `parts`, which are results, by their log-sum-exp.
  };
  enum class Pooling : uint8_t { Mean, Max, Min, Sum };
  enum class Selection : uint8_t { Top, Cover, Above };
  enum class Reduction : uint8_t { Add, Max, Min, Argmax };
  enum class Over : uint8_t { Queries, Keys, Group, Pairs };

  Kind kind = Kind::Pool;
  SourceRange range; ///< Where it was written.
  /// How it is read. Its axes are batch, then the heads, queries and keys that
  /// it varies over, then features; each is a dimension of a tensor of rank 4.
  InputTensor tensor;
  llvm::SmallVector<unsigned, 4> dimensions;

  Node *value = nullptr;
  Node *weights = nullptr;                 ///< Of a pool, or null.
  Node *where = nullptr, *force = nullptr; ///< Of a selection, or null.
  Node *limit = nullptr;                   ///< Of a selection.
  Node *by = nullptr;                      ///< Of an aggregate over pairs.
  Node *into = nullptr;                    ///< The extent that it reduces to.
  Pooling pooling = Pooling::Mean;
  Selection selection = Selection::Top;
  Reduction reduction = Reduction::Add;
  Over over = Over::Keys;
  /// Of a pool and a regroup: the axis that goes, and that comes.
  const SequenceAxis *from = nullptr, *to = nullptr;
  int64_t size = 1, stride = 1; ///< Of a pool, in elements of `from`.
  bool isOverQueries = false;   ///< Of a pool and a rank.
  /// What the loop of a selection or an aggregate runs over; a side that
  /// nothing varies over has one place.
  bool hasQueries = false, hasKeys = false;
  const SequenceAxis *queryAxis = nullptr, *keyAxis = nullptr;
  std::string headAxis; ///< That the loop counts; empty for one.
  Loop *loop = nullptr;
  std::vector<const Computed *> parts;

  /// Adds what it is computed from.
  void collectNodes(llvm::SmallVectorImpl<Node *> &nodes) const;
  /// Whether both compute the same; `tensor` and `range` do not count.
  bool computesSame(const Computed &other) const;
};

/// The computed tensor whose log-sum-exp is that of a program without a loop of
/// its own: the one that `out` is. Null if it is made of several or of none.
const Computed *getLseSource(const Program &program);

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_COMPUTED_H
