// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Tile programs to code for a CPU: vectors, loops and memory.

#ifndef RAPT_LIB_CONVERSION_TILETOVECTOR_TILETOVECTOR_H
#define RAPT_LIB_CONVERSION_TILETOVECTOR_TILETOVECTOR_H

#include <cstdint>
#include <memory>

namespace mlir {
class Pass;
} // namespace mlir

namespace rapt {

/// Instructions that multiply pairs of bf16 and add both products to a lane of
/// f32.
enum class PairProducts { None, Avx512, Neon };

/// What the conversion asks of the machine.
struct VectorTarget {
  /// How many lanes of 32 bits one vector register has.
  int64_t lanes32 = 16;
  /// See target::CpuTarget.
  int64_t l2Bytes = 1048576;
  bool scalesByPowers = false;
  PairProducts pairProducts = PairProducts::None;
};

/// Needs: one tile.program whose launches name kernels of the same module.
/// Ensures: the functions NAME_workspace, NAME_plan and NAME_run of the kernel
/// contract (lib/Runtime/KernelEntries.h), one function for every launch, and
/// on the module `rapt.launches` (their number), `rapt.tables` (of runs),
/// `rapt.listed` (for each table whether it is of lists and not of positions),
/// `rapt.form` and `rapt.plan` (the algorithms and what was chosen for them, as
/// text) and `rapt.contiguous` (for each argument and result whether its last
/// dimension must have the stride 1). Cost: linear in the size of the program.
///
/// One dimension of the tiles runs along the vector lanes, the same in a whole
/// kernel: the queries of an attend, the rows of a map. A tile with that
/// dimension is kept as rows of vectors, one without is read element by element
/// where it lies and broadcast. So a product needs no transposed or packed
/// operand and no reduction across lanes.
std::unique_ptr<mlir::Pass> createTileToVector(const VectorTarget &target = {});

/// The part of a program for a GPU that the host does: NAME_workspace and
/// NAME_plan as above, and NAME_launch, which says how each kernel is launched
/// (lib/Runtime/KernelEntries.h). The kernels themselves are dropped.
std::unique_ptr<mlir::Pass> createTileToVectorForDevice(int64_t lanes32);

/// Registers the pass as `tile-to-vector`.
void registerTileToVectorPass();

} // namespace rapt

#endif // RAPT_LIB_CONVERSION_TILETOVECTOR_TILETOVECTOR_H
