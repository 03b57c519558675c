// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What of the attn dialect has a meaning but no kernels yet.

#ifndef RAPT_LIB_COMPILER_NOTLOWERED_H
#define RAPT_LIB_COMPILER_NOTLOWERED_H

#include "lib/Support/SourceFile.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace rapt {

/// Fails, with ErrorCode::NotSupported, at the first operation that no edge
/// lowers; shows its place in the text that the module was emitted from, and
/// says which construct of the language it stands for.
llvm::Error expectLowerable(mlir::ModuleOp module,
                            const support::SourceFile &source);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_NOTLOWERED_H
