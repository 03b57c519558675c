// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A checked definition to a module with one `func.func` in the attn dialect.

#ifndef RAPT_LIB_FRONTEND_EMITATTN_H
#define RAPT_LIB_FRONTEND_EMITATTN_H

#include "lib/Frontend/Sema.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace rapt::frontend {

/// Loads the dialects that emitAttn() uses: attn, arith, math, func.
void loadAttnDialects(mlir::MLIRContext &context);

/// Emits `func.func @<name>(arguments) -> (out, lse) attributes {attn.spec}`.
/// Places of operations are those of the source. Null, with a diagnostic, if an
/// extent is missing or the definition needs what is not compiled yet.
mlir::OwningOpRef<mlir::ModuleOp> emitAttn(const Spec &spec,
                                           mlir::MLIRContext &context,
                                           support::DiagnosticEngine &diags);

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_EMITATTN_H
