// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The operations whose results are computed whole, straight from their
/// definitions in dialects/Attn/IR/RoutingOps.td. Internal to the Reference.

#ifndef RAPT_LIB_REFERENCE_WHOLETENSORS_H
#define RAPT_LIB_REFERENCE_WHOLETENSORS_H

#include "lib/Reference/PairEvaluator.h"
#include "llvm/Support/Error.h"

namespace rapt::reference {

/// How results are computed, and who owns them.
struct Workshop {
  bool isRounded = false; ///< reals are float, else double
  unsigned threads = 1;
  std::vector<std::unique_ptr<std::vector<char>>> *storage = nullptr;

  /// A dense tensor of zeros. Reals are kept as they are computed, integers in
  /// 64 bits.
  TensorView allocate(support::ElementType type,
                      llvm::ArrayRef<int64_t> sizes) const;
  support::ElementType getRealType() const {
    return isRounded ? support::ElementType::F32 : support::ElementType::F64;
  }
};

TensorView evaluatePool(attn::PoolOp op, const TensorView &source,
                        const TensorView *weights, int64_t positions,
                        const Workshop &workshop);
TensorView evaluateRegroup(attn::RegroupOp op, const TensorView &source,
                           int64_t positions, const Workshop &workshop);
TensorView evaluateReorder(attn::ReorderOp op, const TensorView &keys,
                           const Workshop &workshop);

llvm::Expected<TensorView> evaluateWeights(attn::WeightsOp op,
                                           const PairOperands &operands,
                                           const Workshop &workshop);
llvm::Expected<TensorView> evaluateSelect(attn::SelectOp op,
                                          const PairOperands &operands,
                                          const Workshop &workshop);
/// `into` is used over group and pairs.
llvm::Expected<TensorView> evaluateAggregate(attn::AggregateOp op,
                                             const PairOperands &operands,
                                             int64_t into,
                                             const Workshop &workshop);

/// The tensor, and the extent, that a value of the spec stands for.
using GetView = std::function<llvm::Expected<TensorView>(mlir::Value)>;
using GetExtent = std::function<llvm::Expected<int64_t>(mlir::Value)>;

/// The one result of an operation above.
llvm::Expected<TensorView> evaluateWhole(mlir::Operation *op,
                                         const GetView &getView,
                                         const GetExtent &getExtent,
                                         const Workshop &workshop);

} // namespace rapt::reference

#endif // RAPT_LIB_REFERENCE_WHOLETENSORS_H
