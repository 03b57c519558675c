// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The part of a kernel's C header that takes a batch of sequences apart into
/// calls of one, as CallPlan does in this process.

#ifndef RAPT_LIB_COMPILER_CSEQUENCES_H
#define RAPT_LIB_COMPILER_CSEQUENCES_H

#include "lib/Compiler/KernelManifest.h"
#include "llvm/ADT/ArrayRef.h"

namespace rapt {

/// A struct that describes the sequences of a batch, and inline functions that
/// check it, select one sequence and call all. `names` are the members for the
/// arguments, those of sequences and the results; `$N` stands for the symbol.
/// Precondition: the manifest is that of a kernel for sequences.
std::string makeCSequences(const KernelManifest &manifest,
                           llvm::ArrayRef<std::string> names);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_CSEQUENCES_H
