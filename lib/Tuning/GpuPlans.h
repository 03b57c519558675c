// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Which plan an attn operation gets on an NVIDIA GPU.

#ifndef RAPT_LIB_TUNING_GPUPLANS_H
#define RAPT_LIB_TUNING_GPUPLANS_H

#include "dialects/Tile/IR/Tile.h"
#include "lib/Target/GpuTarget.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace rapt::tuning {

/// What a plan needs of one block of threads.
struct GpuBudget {
  int64_t registers = 0;   ///< of one thread, for tiles alone
  int64_t sharedBytes = 0; ///< operands of products
};

/// Whether a kernel for `plan` can be made on `target`. The error says what
/// does not fit.
llvm::Expected<GpuBudget> fits(tile::PlanAttr plan, mlir::Operation *op,
                               const target::GpuTarget &target);

/// Attaches a plan to every attn.attend and attn.map that has none. Fails if
/// one that is there does not fit.
llvm::Error assignPlans(mlir::ModuleOp module, const target::GpuTarget &target);

} // namespace rapt::tuning

#endif // RAPT_LIB_TUNING_GPUPLANS_H
