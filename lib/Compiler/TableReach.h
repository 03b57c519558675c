// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Tables of a mask that begin where the call says, such as the bitmap of a
/// tree of drafts: `seen[i - base, j - base]` with `base: i32[batch]`. Reading
/// outside gives false, so that a table that ends before the last token would
/// drop pairs silently. A call with one is refused. A table that is read at a
/// position itself, `mark[j]`, may end where it likes, and one along `keys` or
/// `queries` is as long as the sequence.

#ifndef RAPT_LIB_COMPILER_TABLEREACH_H
#define RAPT_LIB_COMPILER_TABLEREACH_H

#include "lib/Frontend/Sema.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace rapt {

/// A mask reads dimension `dimension` of argument `tensor` at
/// `position - start[b] + offset`, where `start` is an argument as well.
struct TableReach {
  int64_t tensor = 0, dimension = 0, start = 0, offset = 0;
  enum Of : int64_t { Queries, Keys, Rows };
  int64_t of = Keys; ///< whose positions: i, j or row

  static constexpr size_t kNumbers = 5;
};

/// Those of all masks of a spec in the attn dialect.
std::vector<TableReach> findTableReaches(mlir::func::FuncOp spec);

/// As numbers, to be kept in an attribute and in manifests.
std::vector<int64_t> toNumbers(llvm::ArrayRef<TableReach> reaches);
std::vector<TableReach> toReaches(llvm::ArrayRef<int64_t> numbers);

/// The lengths of a call, or of one sequence of it.
struct ReachShape {
  int64_t queries = 0, keys = 0;
  int64_t firstSequence = 0; ///< the number of the first of the batch
  bool arePositionsGiven = false;
};

/// Checks the words of a call of the arguments: the last query and the last key
/// lie in every table. Positions of queries that are given are not looked at.
llvm::Error checkReaches(llvm::ArrayRef<TableReach> reaches,
                         llvm::ArrayRef<frontend::TensorSignature> arguments,
                         const int64_t *words, const ReachShape &shape);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_TABLEREACH_H
