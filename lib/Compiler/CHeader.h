// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The C header of a kernel that is compiled ahead of time.

#ifndef RAPT_LIB_COMPILER_CHEADER_H
#define RAPT_LIB_COMPILER_CHEADER_H

#include "lib/Compiler/KernelManifest.h"

namespace rapt {

/// A struct whose members are the words of the kernel's arguments, the three
/// entries, and an inline function that makes a whole call. Plain C99, also
/// C++; needs nothing of this project.
std::string makeCHeader(const KernelManifest &manifest);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_CHEADER_H
