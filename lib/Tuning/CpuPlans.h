// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Which plan an attn operation gets on a CPU.

#ifndef RAPT_LIB_TUNING_CPUPLANS_H
#define RAPT_LIB_TUNING_CPUPLANS_H

#include "dialects/Tile/IR/Tile.h"
#include "lib/Target/Target.h"
#include "lib/Tuning/PlanText.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace rapt::tuning {

/// What a plan needs of the machine.
struct CpuBudget {
  int64_t registers = 0;  ///< Vector registers live in a product.
  int64_t stackBytes = 0; ///< Tiles in memory, one work item.
};

/// Whether code for `plan` can be made on `target`: the lanes fill whole vector
/// registers and the accumulators of a product fit the register file. The error
/// says what does not fit.
llvm::Expected<CpuBudget> fits(tile::PlanAttr plan, mlir::Operation *op,
                               const target::CpuTarget &target);

/// Plans for calls of few queries: an item has at most this many rows.
constexpr int64_t kMostFewRows = 64;

/// What is known of the calls of a kernel, which is right for any call.
struct CallSizes {
  /// How many rows share the same keys, the queries of a sequence times the
  /// heads that share a head of keys; 0: many.
  int64_t fewRows = 0;
  /// At most so many keys; 0: long sequences.
  int64_t mostKeys = 0;
};

/// Attaches a plan to every attn.attend and attn.map that has none, for calls
/// of such sizes. What `request` says of plans
/// counts more than what is chosen for an attn.attend. Returns the plan of each
/// kind of attn.attend, see PlanRequest. Fails if a plan does not fit.
llvm::Expected<llvm::SmallVector<tile::PlanAttr>>
assignPlans(mlir::ModuleOp module, const target::CpuTarget &target,
            const CallSizes &sizes = {}, const PlanRequest &request = {});

} // namespace rapt::tuning

#endif // RAPT_LIB_TUNING_CPUPLANS_H
