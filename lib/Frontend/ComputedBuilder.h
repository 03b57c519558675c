// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Makes tensors that are computed whole, and gives them as they read at the
/// current place. Equal ones are made once.

#ifndef RAPT_LIB_FRONTEND_COMPUTEDBUILDER_H
#define RAPT_LIB_FRONTEND_COMPUTEDBUILDER_H

#include "lib/Frontend/Builder.h"
#include "lib/Frontend/Computed.h"

namespace rapt::frontend {

class ComputedBuilder {
public:
  ComputedBuilder(Program &program, Builder &builder)
      : program(program), b(builder) {}

  /// What softmax and normalize over keys stand for, where they are not the
  /// weight of a loop: computed whole, over the keys that `mask` keeps or, if
  /// it is null, over all.
  Node *settle(Node *node, Node *mask = nullptr);
  /// The sum of a settled number or row over the keys that `mask` keeps.
  Node *sumOverKeys(Operand x, Node *mask);

  /// `x` in windows along keys or queries; `weights` may be null. `x` is a
  /// number or a row of one side, or a number of a pair; settled.
  Node *pool(Operand x, Computed::Pooling how, Node *weights, int64_t size,
             int64_t stride, bool isOverQueries, SourceRange range);
  /// `matrix` [m] varies over keys: row r is sum_j matrix[r, j] * x[j, :].
  Node *poolByMatrix(Operand x, Node *matrix, SourceRange range);
  Node *regroup(Operand x, int64_t block, SourceRange range);
  Node *rank(Operand x, SourceRange range);
  /// `where` and `force` may be null.
  Node *select(Computed::Selection kind, Node *limit, Node *score, Node *where,
               Node *force, SourceRange range);
  /// `by` is given over pairs; `into` over a group.
  Node *aggregate(Computed::Reduction kind, Computed::Over over, Node *value,
                  Node *by, SourceRange range);
  /// The weights of a loop, as numbers of pairs.
  Node *weights(Loop *loop, SourceRange range);
  /// The result of a branch.
  const Computed *result(Loop *loop, SourceRange range);
  const Computed *merge(std::vector<const Computed *> parts, SourceRange range);

  Node *read(const Computed &computed) { return b.read(computed.tensor); }
  /// The axis that group counts: that of the heads of `k`.
  std::string getGroupAxis() const;

private:
  /// What a result varies over.
  struct Shape {
    unsigned varies = 0;
    const SequenceAxis *queryAxis = nullptr, *keyAxis = nullptr;
    llvm::SmallVector<Feature, 2> features;
    Scalar scalar = Scalar::Real;
    bool isPair = false; ///< Keys stand in the last dimension.
  };
  const Computed &add(Computed prototype, const Shape &shape,
                      std::optional<Interval> range = std::nullopt);
  Loop *addLoop();
  /// Of a row per pair, or per key: each feature has weights of its own.
  Node *softmaxOfRow(const Node *softmax, Node *mask);
  /// What at least one of the nodes varies over.
  static Shape join(llvm::ArrayRef<Node *> nodes);

  Program &program;
  Builder &b;
};

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_COMPUTEDBUILDER_H
