// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Tile programs to kernels of one block of threads on an NVIDIA GPU.

#ifndef RAPT_LIB_CONVERSION_TILETONV_TILETONV_H
#define RAPT_LIB_CONVERSION_TILETONV_TILETONV_H

#include <memory>

namespace mlir {
class Pass;
} // namespace mlir

namespace rapt {

/// Needs: one tile.program whose launches name kernels of the same module that
/// have a plan for a GPU. Ensures: one nv.kernel for every launch, in their
/// order, named NAME_launch0 and so on, with the arguments that
/// lib/Support/LaunchWords.h says; the program is gone. Cost: linear in the
/// size of the program.
///
/// Tiles become fragments whose rows the warps share; what a product reads from
/// memory becomes a buffer. In a loop over runs the buffers of the next step
/// are filled while one step is computed. Fails, with an error, on an operation
/// that has no lowering yet.
std::unique_ptr<mlir::Pass> createTileToNv();

/// Registers the pass as `tile-to-nv`.
void registerTileToNvPass();

} // namespace rapt

#endif // RAPT_LIB_CONVERSION_TILETONV_TILETONV_H
