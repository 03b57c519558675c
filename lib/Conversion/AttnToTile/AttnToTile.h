// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// From what is computed to how: an attn spec becomes a tile program.

#ifndef RAPT_LIB_CONVERSION_ATTNTOTILE_ATTNTOTILE_H
#define RAPT_LIB_CONVERSION_ATTNTOTILE_ATTNTOTILE_H

#include <memory>

namespace mlir {
class Pass;
} // namespace mlir

namespace rapt {

/// Needs: functions with `attn.spec` whose attn.attend and attn.map carry a
/// plan. Ensures: each is replaced by a tile.program of its name and the
/// tile.kernels that it launches, one for every loop; results in between live
/// in workspaces. An attend is the forward pass of FlashAttention (Dao,
/// arXiv:2307.08691): keys in runs that the mask may keep, a running maximum
/// and sum. Cost: linear in the size of the spec.
std::unique_ptr<mlir::Pass> createAttnToTile();

/// Registers the pass as `attn-to-tile`.
void registerAttnToTilePass();

} // namespace rapt

#endif // RAPT_LIB_CONVERSION_ATTNTOTILE_ATTNTOTILE_H
