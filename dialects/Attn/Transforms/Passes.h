// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Passes on the attn dialect; what each does is in Passes.td.

#ifndef RAPT_DIALECTS_ATTN_TRANSFORMS_PASSES_H
#define RAPT_DIALECTS_ATTN_TRANSFORMS_PASSES_H

#include "dialects/Attn/IR/Attn.h"
#include "mlir/Pass/Pass.h"

namespace rapt::attn {

#define GEN_PASS_DECL
#include "dialects/Attn/Transforms/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "dialects/Attn/Transforms/Passes.h.inc"

} // namespace rapt::attn

#endif // RAPT_DIALECTS_ATTN_TRANSFORMS_PASSES_H
