// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The element types of the interface and those of the compiler.

#ifndef RAPT_LIB_COMPILER_ELEMENTTYPES_H
#define RAPT_LIB_COMPILER_ELEMENTTYPES_H

#include "lib/Support/FloatFormats.h"
#include "rapt/Tensor.h"
#include <optional>
#include <string>

namespace rapt {

/// Nothing if the number is none of the enumeration, as it may be from C.
std::optional<support::ElementType> getElementType(DType dtype);

/// The language has no f64 in a signature.
DType getDType(support::ElementType type);

/// "f32", or "unknown type 0x0999".
std::string describe(DType dtype);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_ELEMENTTYPES_H
