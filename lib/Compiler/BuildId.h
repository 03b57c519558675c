// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Which build of the compiler this is.

#ifndef RAPT_LIB_COMPILER_BUILDID_H
#define RAPT_LIB_COMPILER_BUILDID_H

#include <string>

namespace rapt {

/// "0.1.0".
const char *getVersion();

/// A text that differs between any two builds that may generate different
/// code: the sizes and times of the files that hold this library, LLVM and
/// MLIR. Part of the key of the cache, since versions do not change while the
/// compiler is worked on or a package is replaced.
const std::string &getBuildId();

} // namespace rapt

#endif // RAPT_LIB_COMPILER_BUILDID_H
