// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Tile programs run as they stand, one operation after the other: says which
/// half of a wrong result is wrong, the algorithm or the code made from it.

#ifndef RAPT_LIB_REFERENCE_TILEEVALUATOR_H
#define RAPT_LIB_REFERENCE_TILEEVALUATOR_H

#include "dialects/Tile/IR/Tile.h"
#include "lib/Reference/AttnEvaluator.h"

namespace rapt::reference {

/// A tensor that a program writes. Strides are in elements.
struct ResultView {
  void *data = nullptr;
  support::ElementType type = support::ElementType::F32;
  llvm::SmallVector<int64_t, 4> sizes;
  llvm::SmallVector<int64_t, 4> strides;
};

/// Runs a tile program. `arguments` are the views of the spec's arguments in
/// the order of the program's, `results` those of its results; a result that is
/// not wanted has extents of 0. Reals are double or, with Precision::Rounded,
/// f32 rounded by every operation. A result may have another float type than
/// the program says, e.g. f64 to see what the program computes before it
/// rounds.
///
/// Memory of a workspace starts as NaN, so that a value that is read before it
/// is written shows. Fails on a program whose arguments do not fit, that writes
/// an argument, or that uses an operation without a meaning.
llvm::Error evaluateTileProgram(tile::ProgramOp program,
                                llvm::ArrayRef<TensorView> arguments,
                                llvm::ArrayRef<ResultView> results,
                                Precision precision);

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_TILEEVALUATOR_H
