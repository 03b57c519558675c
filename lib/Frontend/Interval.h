// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The values an integer expression can take. Bounds of expressions fit 64
/// bits, so that one operation on two of them fits 128.

#ifndef RAPT_LIB_FRONTEND_INTERVAL_H
#define RAPT_LIB_FRONTEND_INTERVAL_H

#include <algorithm>
#include <cstdint>
#include <string>

namespace rapt::frontend {

/// Both ends included.
struct Interval {
  using Int = __int128;
  Int low = 0, high = 0;

  static Interval of(Int value) { return {value, value}; }
  static Interval ofBits(unsigned bits) {
    return {-(Int(1) << (bits - 1)), (Int(1) << (bits - 1)) - 1};
  }
  bool isPoint() const { return low == high; }
  bool fits(unsigned bits) const {
    Interval all = ofBits(bits);
    return all.low <= low && high <= all.high;
  }
  Interval join(Interval other) const {
    return {std::min(low, other.low), std::max(high, other.high)};
  }
  /// "0 .. 7".
  std::string str() const;
};

inline Interval::Int floorDivide(Interval::Int a, Interval::Int b) {
  Interval::Int quotient = a / b;
  return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

inline Interval operator+(Interval a, Interval b) {
  return {a.low + b.low, a.high + b.high};
}
inline Interval operator-(Interval a) { return {-a.high, -a.low}; }
inline Interval operator-(Interval a, Interval b) { return a + -b; }
inline Interval operator*(Interval a, Interval b) {
  auto [low, high] = std::minmax(
      {a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
  return {low, high};
}

/// Quotient rounded down; the divisor is positive.
inline Interval divide(Interval a, Interval b) {
  auto [low, high] =
      std::minmax({floorDivide(a.low, b.low), floorDivide(a.low, b.high),
                   floorDivide(a.high, b.low), floorDivide(a.high, b.high)});
  return {low, high};
}

/// Remainder that is never negative; the divisor is positive.
inline Interval modulo(Interval a, Interval b) {
  if (b.isPoint() && floorDivide(a.low, b.low) == floorDivide(a.high, b.low))
    return a - Interval::of(floorDivide(a.low, b.low) * b.low);
  if (a.low >= 0)
    return {0, std::min(a.high, b.high - 1)};
  return {0, b.high - 1};
}

inline Interval minimum(Interval a, Interval b) {
  return {std::min(a.low, b.low), std::min(a.high, b.high)};
}
inline Interval maximum(Interval a, Interval b) {
  return {std::max(a.low, b.low), std::max(a.high, b.high)};
}
inline Interval absolute(Interval a) {
  if (a.low >= 0)
    return a;
  if (a.high <= 0)
    return -a;
  return {0, std::max(-a.low, a.high)};
}

/// Bitwise exclusive or: below the next power of two of both.
inline Interval exclusiveOr(Interval a, Interval b) {
  if (a.isPoint() && b.isPoint())
    return Interval::of(a.low ^ b.low);
  Interval::Int limit = 1;
  for (Interval::Int bound : {a.high, -a.low - 1, b.high, -b.low - 1})
    while (limit <= bound)
      limit *= 2;
  return {a.low < 0 || b.low < 0 ? -limit : 0, limit - 1};
}

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_INTERVAL_H
