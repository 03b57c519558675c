// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The judge: what a spec means, row by row, straight from the definition of
/// the attn operations.

#ifndef RAPT_LIB_REFERENCE_ATTNEVALUATOR_H
#define RAPT_LIB_REFERENCE_ATTNEVALUATOR_H

#include "lib/Reference/Tensor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <vector>

namespace rapt::reference {

enum class Precision {
  /// Every real is a double and nothing is rounded to a narrower type.
  Exact,
  /// The plain implementation in the kernel's types: every f32 operation rounds
  /// to f32, sums run one element after the other, softmax takes its two
  /// textbook passes, and results are rounded to their element types.
  Rounded
};

/// A row of the result: batch, head and the query's own number from 0.
struct RowIndex {
  int64_t b = 0, h = 0, i = 0;
};

struct Row {
  std::vector<double> out;
  /// Log-sum-exp of the row; 0 if the spec does not return one.
  double lse = 0;
  /// The size of the terms that `out` is summed from, against which errors are
  /// measured: the largest finite sum_j |weight_j * v_je| over the features e.
  /// Where the weighted sum goes through further maps, those carry it over as
  /// they carry a small change of the sum. Only with Precision::Exact.
  double scale = 0;
  /// Pairs of this row that the masks keep.
  int64_t keptPairs = 0;
};

/// How precise an evaluation is: which one, and for the rounded one the type to
/// which the operands of matrix products are rounded (queries, keys, values and
/// the weights that meet them), as units for such products take them.
struct Arithmetic {
  Precision precision;
  support::ElementType operands = support::ElementType::F32;
  Arithmetic(Precision precision) : precision(precision) {}
  Arithmetic(Precision precision, support::ElementType operands)
      : precision(precision), operands(operands) {}
};

class AttnEvaluator {
public:
  /// Takes `spec` (a function with `attn.spec`) apart and binds its arguments
  /// to the tensors of the same names, which must outlive the evaluator; the
  /// spec need not. Fails on a missing tensor, on one of the wrong element
  /// type, rank or extent, and on an operation that is not part of a spec.
  /// `threads` = 0 takes one per core. The positions of `placement` must
  /// outlive the evaluator, too; there is one for each query, and no
  /// recurrence, set of keys or other value of all queries is evaluated with
  /// them.
  static llvm::Expected<AttnEvaluator>
  create(mlir::func::FuncOp spec, llvm::ArrayRef<NamedTensor> tensors,
         Arithmetic arithmetic, unsigned threads = 0, Placement placement = {});
  AttnEvaluator(AttnEvaluator &&);
  AttnEvaluator &operator=(AttnEvaluator &&);
  ~AttnEvaluator();

  /// Extents of the result [batch, heads, queries, features].
  int64_t getBatch() const;
  int64_t getHeads() const;
  int64_t getQueries() const;
  int64_t getFeatures() const;
  /// The element type of the result in the spec.
  support::ElementType getResultType() const;
  /// Whether the spec returns log-sum-exp as its second result.
  bool hasLse() const;

  /// The states after the last step that the spec returns, [batch, heads,
  /// extents of the state...], under the names of its results. They live as
  /// long as the evaluator, in f64 if it is exact, else in f32.
  std::vector<NamedTensor> getStates() const;

  /// The rows asked for, in that order. Rows of one head are cheapest next to
  /// each other.
  std::vector<Row> evaluateRows(llvm::ArrayRef<RowIndex> rows);

  /// Only the number of pairs that the masks keep in each row; scores and sums
  /// are not computed.
  std::vector<int64_t> countPairs(llvm::ArrayRef<RowIndex> rows);

  struct Implementation;

private:
  explicit AttnEvaluator(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation;
};

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_ATTNEVALUATOR_H
