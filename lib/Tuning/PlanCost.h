// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What a plan costs on a CPU, by lengths and caches.

#ifndef RAPT_LIB_TUNING_PLANCOST_H
#define RAPT_LIB_TUNING_PLANCOST_H

#include "dialects/Attn/IR/Attn.h"
#include "dialects/Tile/IR/Tile.h"
#include "lib/Target/Target.h"

namespace rapt::tuning {

/// Cycles of one core for each query of a call with `keys` keys and as many
/// queries, as far as they depend on the plan: a model with constants that were
/// measured (benchmarks/README.md), good for an order of plans and no more.
/// What a mask keeps is taken for half of the pairs, along an edge.
double estimateCycles(tile::PlanAttr plan, attn::AttendOp op,
                      const target::CpuTarget &target, int64_t keys);

} // namespace rapt::tuning

#endif // RAPT_LIB_TUNING_PLANCOST_H
