// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Support/FloatFormats.h"
#include "gtest/gtest.h"
#include <bit>
#include <cmath>
#include <limits>

using namespace rapt::support;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Every f16 number, through f32 and back.
TEST(FloatFormatsTest, F16RoundTrip) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    float value = convertF16ToF32(bits);
    if (std::isnan(value)) {
      EXPECT_EQ(convertF32ToF16(value) & 0x7e00, 0x7e00);
      continue;
    }
    ASSERT_EQ(convertF32ToF16(value), bits);
    ASSERT_EQ(roundTo(ElementType::F16, value), value);
  }
}

TEST(FloatFormatsTest, BF16RoundTrip) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    float value = convertBF16ToF32(bits);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(convertBF16ToF32(convertF32ToBF16(value))));
      continue;
    }
    ASSERT_EQ(convertF32ToBF16(value), bits);
    ASSERT_EQ(roundTo(ElementType::BF16, value), value);
  }
}

TEST(FloatFormatsTest, F16Values) {
  EXPECT_EQ(convertF16ToF32(0x3c00), 1.0f);
  EXPECT_EQ(convertF16ToF32(0xc000), -2.0f);
  EXPECT_EQ(convertF16ToF32(0x7bff), 65504.0f);
  EXPECT_EQ(convertF16ToF32(0x0001), 0x1p-24f);
  EXPECT_EQ(convertF16ToF32(0x7c00), kInfinity);
  EXPECT_TRUE(std::signbit(convertF16ToF32(0x8000)));
}

TEST(FloatFormatsTest, BF16Values) {
  EXPECT_EQ(convertBF16ToF32(0x3f80), 1.0f);
  EXPECT_EQ(convertBF16ToF32(0xff80), -kInfinity);
}

/// Between each number and the next: a quarter of the way goes down, three
/// quarters up, and the middle to the one whose last bit is 0.
TEST(FloatFormatsTest, RoundsToNearestEven) {
  for (unsigned bits = 0; bits < 0x7bff; ++bits) {
    float low = convertF16ToF32(bits), high = convertF16ToF32(bits + 1);
    ASSERT_EQ(convertF32ToF16(low + (high - low) / 4), bits);
    ASSERT_EQ(convertF32ToF16(low + (high - low) / 2), bits + (bits & 1));
    ASSERT_EQ(convertF32ToF16(high - (high - low) / 4), bits + 1);
  }
  for (unsigned bits = 0x80; bits < 0x7f7f; ++bits) {
    float low = convertBF16ToF32(bits), high = convertBF16ToF32(bits + 1);
    ASSERT_EQ(convertF32ToBF16(low + (high - low) / 4), bits);
    ASSERT_EQ(convertF32ToBF16(low + (high - low) / 2), bits + (bits & 1));
    ASSERT_EQ(convertF32ToBF16(high - (high - low) / 4), bits + 1);
    double middle = (static_cast<double>(low) + high) / 2;
    ASSERT_EQ(roundTo(ElementType::BF16, middle),
              static_cast<double>(bits & 1 ? high : low));
  }
}

TEST(FloatFormatsTest, Overflow) {
  EXPECT_EQ(convertF32ToF16(65519.0f), 0x7bff);
  EXPECT_EQ(convertF32ToF16(65520.0f), 0x7c00); // half-way rounds away from odd
  EXPECT_EQ(convertF32ToF16(-1e30f), 0xfc00);
  EXPECT_EQ(convertF32ToBF16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(roundTo(ElementType::F32, 1e300), kInfinity);
  EXPECT_EQ(roundTo(ElementType::F32, -std::ldexp(0x1.ffffffp0, 127)),
            -kInfinity);
}

TEST(FloatFormatsTest, RoundsToF32LikeTheProcessor) {
  uint64_t state = 1;
  for (int k = 0; k < 100000; ++k) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    double value = std::bit_cast<double>(state);
    if (std::isnan(value))
      continue;
    auto expected = static_cast<double>(static_cast<float>(value));
    ASSERT_EQ(roundTo(ElementType::F32, value), expected) << value;
    double near = std::ldexp(value / (1 + std::abs(value)), -140); // subnormal
    if (std::isfinite(near))
      ASSERT_EQ(roundTo(ElementType::F32, near), static_cast<float>(near));
  }
}

TEST(FloatFormatsTest, UnitsOfTheTypes) {
  for (ElementType type :
       {ElementType::F16, ElementType::BF16, ElementType::F32}) {
    double unit = getUnitRoundoff(type);
    EXPECT_EQ(roundTo(type, 1 + unit), 1); // half-way, 1 is even
    EXPECT_EQ(roundTo(type, 1 + 1.5 * unit), 1 + 2 * unit);
    double smallest = getSmallestPositive(type);
    EXPECT_EQ(roundTo(type, smallest), smallest);
    EXPECT_EQ(roundTo(type, smallest / 2), 0);
    EXPECT_EQ(roundTo(type, smallest * 0.51), smallest);
  }
}

/// Storing a double rounds once. Over f32 this one would round down twice: it
/// lies just above the middle of two f16 numbers, nearer to it than f32 can
/// tell.
TEST(FloatFormatsTest, StoreRoundsOnce) {
  double value = 1 + 0x1p-11 + 0x1p-30;
  uint16_t bits = 0;
  storeReal(ElementType::F16, &bits, 0, value);
  EXPECT_EQ(bits, 0x3c01);
  EXPECT_EQ(convertF32ToF16(static_cast<float>(value)), 0x3c00);
}

TEST(FloatFormatsTest, LoadAndStoreEveryType) {
  for (ElementType type :
       {ElementType::F16, ElementType::BF16, ElementType::F32, ElementType::F64,
        ElementType::I8, ElementType::I16, ElementType::I32,
        ElementType::I64}) {
    char data[17] = {};
    storeReal(type, data + 1, 1, -3); // the address is not aligned
    EXPECT_EQ(loadReal(type, data + 1, 1), -3);
    EXPECT_EQ(loadInteger(type, data + 1, 1), -3);
    EXPECT_EQ(loadReal(type, data + 1, 0), 0);
    EXPECT_EQ(parseElementType(getElementTypeName(type)), type);
  }
  unsigned char byte = 0;
  storeReal(ElementType::U8, &byte, 0, 200);
  EXPECT_EQ(loadReal(ElementType::U8, &byte, 0), 200);
  byte = 7; // any byte but 0 is true
  EXPECT_EQ(loadInteger(ElementType::Boolean, &byte, 0), 1);
  storeReal(ElementType::Boolean, &byte, 0, 2);
  EXPECT_EQ(byte, 1);
  EXPECT_EQ(parseElementType("f8"), std::nullopt);
}

TEST(FloatFormatsTest, ConvertToInteger) {
  EXPECT_EQ(convertToInteger(-2.9), -2);
  EXPECT_EQ(convertToInteger(std::nan("")), 0);
  EXPECT_EQ(convertToInteger(1e30), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(convertToInteger(-1e30), std::numeric_limits<int64_t>::min());
}

} // namespace
