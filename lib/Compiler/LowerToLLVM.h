// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The last edge of the ladder: vector, scf, memref, arith and math to the LLVM
/// dialect.

#ifndef RAPT_LIB_COMPILER_LOWERTOLLVM_H
#define RAPT_LIB_COMPILER_LOWERTOLLVM_H

#include <memory>

namespace mlir {
class DialectRegistry;
class Pass;
} // namespace mlir

namespace rapt {

/// Needs: functions of vector, scf, memref, arith, math, index, cf, ub, affine
/// and func operations, arguments as the entries of a kernel have them.
/// Ensures: only the LLVM dialect is left. Cost: one set of rewrites of the
/// vector operations and two conversions; a pass for every dialect, as
/// upstream has them, walks the whole module nine times.
std::unique_ptr<mlir::Pass> createLowerToLLVM();

/// Registers the pass as `lower-to-llvm`.
void registerLowerToLLVMPass();

/// The dialects that the pass reads and writes.
void registerLoweringDialects(mlir::DialectRegistry &registry);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_LOWERTOLLVM_H
