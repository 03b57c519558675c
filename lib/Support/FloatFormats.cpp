// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Support/FloatFormats.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/ErrorHandling.h"
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace rapt::support {

llvm::StringRef getElementTypeName(ElementType type) {
  switch (type) {
  case ElementType::F16:
    return "f16";
  case ElementType::BF16:
    return "bf16";
  case ElementType::F32:
    return "f32";
  case ElementType::F64:
    return "f64";
  case ElementType::I8:
    return "i8";
  case ElementType::I16:
    return "i16";
  case ElementType::I32:
    return "i32";
  case ElementType::I64:
    return "i64";
  case ElementType::U8:
    return "u8";
  case ElementType::Boolean:
    return "bool";
  }
  llvm_unreachable("unknown element type");
}

std::optional<ElementType> parseElementType(llvm::StringRef name) {
  return llvm::StringSwitch<std::optional<ElementType>>(name)
      .Case("f16", ElementType::F16)
      .Case("bf16", ElementType::BF16)
      .Case("f32", ElementType::F32)
      .Case("f64", ElementType::F64)
      .Case("i8", ElementType::I8)
      .Case("i16", ElementType::I16)
      .Case("i32", ElementType::I32)
      .Case("i64", ElementType::I64)
      .Case("u8", ElementType::U8)
      .Case("bool", ElementType::Boolean)
      .Default(std::nullopt);
}

unsigned getElementSize(ElementType type) {
  switch (type) {
  case ElementType::I8:
  case ElementType::U8:
  case ElementType::Boolean:
    return 1;
  case ElementType::F16:
  case ElementType::BF16:
  case ElementType::I16:
    return 2;
  case ElementType::F32:
  case ElementType::I32:
    return 4;
  case ElementType::F64:
  case ElementType::I64:
    return 8;
  }
  llvm_unreachable("unknown element type");
}

bool isFloat(ElementType type) {
  return type == ElementType::F16 || type == ElementType::BF16 ||
         type == ElementType::F32 || type == ElementType::F64;
}

namespace {
/// What rounding to a float type needs to know about it.
struct FloatFormat {
  int precision;       ///< bits of the significand, the leading one included
  int smallestNormal;  ///< exponent e of the smallest normal number 2^e
  int largestExponent; ///< exponent e of the largest binade, [2^e, 2^(e+1))
};
} // namespace

static FloatFormat getFormat(ElementType type) {
  switch (type) {
  case ElementType::F16:
    return {11, -14, 15};
  case ElementType::BF16:
    return {8, -126, 127};
  case ElementType::F32:
    return {24, -126, 127};
  default:
    return {53, -1022, 1023};
  }
}

double getUnitRoundoff(ElementType type) {
  return std::ldexp(1.0, -getFormat(type).precision);
}

double getSmallestPositive(ElementType type) {
  FloatFormat format = getFormat(type);
  return std::ldexp(1.0, format.smallestNormal - format.precision + 1);
}

double roundTo(ElementType type, double value) {
  FloatFormat format = getFormat(type);
  if (format.precision == 53 || value == 0 || !std::isfinite(value))
    return value;
  // The weight of the last bit kept: that of the number's own binade, but never
  // below that of the smallest normal numbers (subnormals share it).
  int exponent = std::max(std::ilogb(value), format.smallestNormal);
  double ulp = std::ldexp(1.0, exponent - format.precision + 1);
  // Both scalings are by powers of two, hence exact; nearbyint rounds half to
  // even.
  double rounded = std::nearbyint(value / ulp) * ulp;
  if (std::abs(rounded) >= std::ldexp(1.0, format.largestExponent + 1))
    return std::copysign(std::numeric_limits<double>::infinity(), value);
  return rounded;
}

float convertBF16ToF32(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

uint16_t convertF32ToBF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return static_cast<uint16_t>((bits >> 16) |
                                 0x40); // stays a NaN, made quiet
  // Adding just below one half, or one half if the kept part is odd, carries
  // into the kept part exactly when rounding to nearest even goes up.
  bits += 0x7fff + ((bits >> 16) & 1);
  return static_cast<uint16_t>(bits >> 16);
}

float convertF16ToF32(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  int exponent = (bits >> 10) & 0x1f;
  uint32_t fraction = bits & 0x3ff;
  if (exponent == 0x1f) // infinity or NaN
    return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent == 0) { // zero or subnormal: fraction * 2^-24
    float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(
      sign | (static_cast<uint32_t>(exponent + 112) << 23) | (fraction << 13));
}

uint16_t convertF32ToF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint16_t sign = (bits >> 16) & 0x8000;
  if (std::isnan(value))
    return sign | 0x7e00;
  double magnitude = std::abs(roundTo(ElementType::F16, value));
  if (std::isinf(magnitude))
    return sign | 0x7c00;
  if (magnitude < 0x1p-14) // subnormal: a multiple of 2^-24
    return sign | static_cast<uint16_t>(magnitude * 0x1p24);
  int exponent = std::ilogb(magnitude);
  auto fraction =
      static_cast<uint16_t>(std::ldexp(magnitude, 10 - exponent)) & 0x3ff;
  return static_cast<uint16_t>(sign | ((exponent + 15) << 10) | fraction);
}

template <typename T> static T loadAs(const void *data, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char *>(data) + index * sizeof(T),
              sizeof(T));
  return value;
}

template <typename T> static void storeAs(void *data, int64_t index, T value) {
  std::memcpy(static_cast<char *>(data) + index * sizeof(T), &value, sizeof(T));
}

double loadReal(ElementType type, const void *data, int64_t index) {
  switch (type) {
  case ElementType::F16:
    return convertF16ToF32(loadAs<uint16_t>(data, index));
  case ElementType::BF16:
    return convertBF16ToF32(loadAs<uint16_t>(data, index));
  case ElementType::F32:
    return loadAs<float>(data, index);
  case ElementType::F64:
    return loadAs<double>(data, index);
  default:
    return static_cast<double>(loadInteger(type, data, index));
  }
}

int64_t loadInteger(ElementType type, const void *data, int64_t index) {
  switch (type) {
  case ElementType::I8:
    return loadAs<int8_t>(data, index);
  case ElementType::I16:
    return loadAs<int16_t>(data, index);
  case ElementType::I32:
    return loadAs<int32_t>(data, index);
  case ElementType::I64:
    return loadAs<int64_t>(data, index);
  case ElementType::U8:
    return loadAs<uint8_t>(data, index);
  case ElementType::Boolean:
    return loadAs<uint8_t>(data, index) != 0;
  default:
    return convertToInteger(loadReal(type, data, index));
  }
}

int64_t convertToInteger(double value) {
  if (std::isnan(value))
    return 0;
  if (value >= 0x1p63)
    return std::numeric_limits<int64_t>::max();
  if (value < -0x1p63)
    return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}

void storeReal(ElementType type, void *data, int64_t index, double value) {
  switch (type) {
  // Rounding to the narrow type first makes the way over f32 exact: rounding
  // to f32 and then again could err by one unit.
  case ElementType::F16:
    return storeAs<uint16_t>(
        data, index, convertF32ToF16(static_cast<float>(roundTo(type, value))));
  case ElementType::BF16:
    return storeAs<uint16_t>(
        data, index,
        convertF32ToBF16(static_cast<float>(roundTo(type, value))));
  case ElementType::F32:
    return storeAs<float>(data, index, static_cast<float>(value));
  case ElementType::F64:
    return storeAs<double>(data, index, value);
  default:
    return storeInteger(type, data, index,
                        convertToInteger(std::nearbyint(value)));
  }
}

void storeInteger(ElementType type, void *data, int64_t index, int64_t value) {
  switch (type) {
  case ElementType::I8:
    return storeAs<int8_t>(data, index, static_cast<int8_t>(value));
  case ElementType::U8:
    return storeAs<uint8_t>(data, index, static_cast<uint8_t>(value));
  case ElementType::Boolean:
    return storeAs<uint8_t>(data, index, value != 0);
  case ElementType::I16:
    return storeAs<int16_t>(data, index, static_cast<int16_t>(value));
  case ElementType::I32:
    return storeAs<int32_t>(data, index, static_cast<int32_t>(value));
  case ElementType::I64:
    return storeAs<int64_t>(data, index, value);
  default:
    return storeReal(type, data, index, static_cast<double>(value));
  }
}

} // namespace rapt::support
