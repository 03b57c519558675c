// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What generated code may call.

#ifndef RAPT_LIB_RUNTIME_PROCESSSYMBOLS_H
#define RAPT_LIB_RUNTIME_PROCESSSYMBOLS_H

#include "llvm/Support/Error.h"

namespace llvm::orc {
class JITDylib;
} // namespace llvm::orc

namespace rapt::runtime {

/// Lets `library` find the functions of the C and mathematics libraries and the
/// conversions of f16 and bf16 that code generation calls where a CPU has no
/// instruction for them.
llvm::Error addProcessSymbols(llvm::orc::JITDylib &library);

} // namespace rapt::runtime

#endif // RAPT_LIB_RUNTIME_PROCESSSYMBOLS_H
