// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The masks of a spec alone: which pairs they keep, without a query, a key or
/// a value.

#ifndef RAPT_LIB_REFERENCE_MASKEVALUATOR_H
#define RAPT_LIB_REFERENCE_MASKEVALUATOR_H

#include "lib/Reference/Tensor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <vector>

namespace rapt::reference {

/// The pairs of rows `firstRow` to `lastRow` - 1 of one head with keys
/// `firstKey` to `lastKey` - 1. A row is the query's own number from 0.
struct PairRectangle {
  int64_t b = 0, h = 0;
  int64_t firstRow = 0, lastRow = 0;
  int64_t firstKey = 0, lastKey = 0;

  int64_t getPairs() const {
    return (lastRow - firstRow) * (lastKey - firstKey);
  }
};

/// One attn.attend of a spec.
struct MaskedLoop {
  int64_t batch = 0, heads = 0, queries = 0, keys = 0;
  bool hasMask = false;
  /// Whether the mask can be evaluated: it reads positions and tensors that are
  /// given, not products of rows or what must be computed first.
  bool isKnown = true;
  /// Whether the mask reads the number of the batch, of the head; else all are
  /// alike.
  bool readsBatch = false, readsHead = false;

  double getPairs() const {
    return double(batch) * double(heads) * double(queries) * double(keys);
  }
};

class MaskEvaluator {
public:
  /// `spec` is a function with `attn.spec`. A tensor may come without data; a
  /// mask that reads it is not known. Fails on a tensor that is missing or has
  /// another rank.
  static llvm::Expected<MaskEvaluator>
  create(mlir::func::FuncOp spec, llvm::ArrayRef<NamedTensor> tensors);
  MaskEvaluator(MaskEvaluator &&);
  MaskEvaluator &operator=(MaskEvaluator &&);
  ~MaskEvaluator();

  /// The attn.attend of the spec, in their order.
  llvm::ArrayRef<MaskedLoop> getLoops() const;

  /// How many pairs of each rectangle the mask of a loop keeps, whose mask must
  /// be known. `threads` = 0 takes one per core.
  std::vector<int64_t> countPairs(size_t loop,
                                  llvm::ArrayRef<PairRectangle> rectangles,
                                  unsigned threads = 0) const;

  /// Every pair of a rectangle, row after row: whether the mask keeps it.
  std::vector<bool> getPairs(size_t loop, const PairRectangle &rectangle) const;

private:
  struct Implementation;
  explicit MaskEvaluator(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation;
};

/// The names of the spec's arguments that masks read directly.
std::vector<std::string> getMaskArguments(mlir::func::FuncOp spec);

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_MASKEVALUATOR_H
