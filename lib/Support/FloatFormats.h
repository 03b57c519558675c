// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The element types of tensors in memory, and the one place that converts
/// between them and f32 or f64.

#ifndef RAPT_LIB_SUPPORT_FLOATFORMATS_H
#define RAPT_LIB_SUPPORT_FLOATFORMATS_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>

namespace rapt::support {

/// The type of one element of a tensor in memory. `Boolean` is one byte, 0
/// or 1.
enum class ElementType : uint8_t {
  F16,
  BF16,
  F32,
  F64,
  I8,
  I16,
  I32,
  I64,
  U8,
  Boolean
};

/// "f16", "bf16", ..., "bool".
llvm::StringRef getElementTypeName(ElementType type);
/// The inverse of getElementTypeName; nothing if the name is unknown.
std::optional<ElementType> parseElementType(llvm::StringRef name);
/// The size of one element in bytes.
unsigned getElementSize(ElementType type);
bool isFloat(ElementType type);

/// Half the distance from 1 to the next number: the largest relative error of
/// rounding to the float type.
double getUnitRoundoff(ElementType type);
/// The smallest positive number of the float type, a subnormal one.
double getSmallestPositive(ElementType type);

float convertF16ToF32(uint16_t bits);
float convertBF16ToF32(uint16_t bits);
/// Rounds to nearest, ties to even; too large a number gives infinity, a NaN
/// stays a (quiet) NaN.
uint16_t convertF32ToF16(float value);
uint16_t convertF32ToBF16(float value);

/// `value` rounded once to a float type (to nearest, ties to even).
double roundTo(ElementType type, double value);

/// Element number `index` of an array of `type` at `data`. The address need not
/// be aligned.
double loadReal(ElementType type, const void *data, int64_t index);
/// The same for an integer or Boolean type; a float is truncated towards zero.
int64_t loadInteger(ElementType type, const void *data, int64_t index);
/// Writes `value`, rounded to the type. Integer types take the nearest integer.
void storeReal(ElementType type, void *data, int64_t index, double value);
/// Writes an integer; what does not fit an integer type is cut to its low bits.
void storeInteger(ElementType type, void *data, int64_t index, int64_t value);

/// Truncates towards zero; NaN gives 0 and what does not fit the nearest limit.
int64_t convertToInteger(double value);

} // namespace rapt::support

#endif // RAPT_LIB_SUPPORT_FLOATFORMATS_H
