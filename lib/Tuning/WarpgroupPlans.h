// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Plans for kernels with Hopper's products of warpgroups.

#ifndef RAPT_LIB_TUNING_WARPGROUPPLANS_H
#define RAPT_LIB_TUNING_WARPGROUPPLANS_H

#include "dialects/Attn/IR/Attn.h"
#include "lib/Tuning/GpuPlans.h"

namespace rapt::tuning {

/// Whether a kernel of warpgroups for `plan` can be made on `target`. The error
/// says what does not fit.
llvm::Expected<GpuBudget> fitsWarpgroups(tile::PlanAttr plan,
                                         mlir::Operation *op,
                                         const target::GpuTarget &target);

/// The tiles of those that fit that were fastest. The error says why another
/// form of kernel is better, or the only one.
llvm::Expected<tile::PlanAttr>
chooseWarpgroupPlan(attn::AttendOp op, const target::GpuTarget &target);

} // namespace rapt::tuning

#endif // RAPT_LIB_TUNING_WARPGROUPPLANS_H
