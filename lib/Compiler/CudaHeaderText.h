// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The C launcher of a kernel for a GPU: what its header says behind the
/// tensors of a call. Internal to CHeader.cpp.

#ifndef RAPT_LIB_COMPILER_CUDAHEADERTEXT_H
#define RAPT_LIB_COMPILER_CUDAHEADERTEXT_H

#include "llvm/ADT/StringRef.h"

namespace rapt {

/// With $N for the symbol, $MEMBERS, $LSE, $LAUNCHES and $KERNELS, rows of
/// {name, threads, bytes of shared memory, maps}.
extern const llvm::StringLiteral cudaHeaderText;

} // namespace rapt

#endif // RAPT_LIB_COMPILER_CUDAHEADERTEXT_H
