// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Masks whose pairs are dense in another order than that of positions.

#ifndef RAPT_TEST_UNIT_STRUCTUREDMASKS_H
#define RAPT_TEST_UNIT_STRUCTUREDMASKS_H

namespace rapt::testing {

struct StructuredMask {
  const char *name, *text;
};

inline constexpr StructuredMask kStructuredMasks[] = {
    {"classes_of_positions", "attention x { input doc: i32[batch, keys] "
                             "mask = i >= j & doc[i] == doc[j] }"},
    {"classes_per_head", "attention x { input a: i32[batch, heads, queries] "
                         "input c: i32[heads, keys] mask = a == c[j] }"},
    {"classes_without_batch",
     "attention x { input c: i64[keys] mask = c[j] % 3 == c[i] % 3 & j <= i }"},
    {"classes_of_bytes",
     "attention x { input c: i8[batch, keys] mask = c[j] == c[i] }"},
    {"classes_outside",
     "attention x { input c: i32[batch, keys] mask = c[j + 3] == c[i - 2] }"},
    {"distances", "attention x { input bias: f32[heads, 32] "
                  "score = dot(q, k) + bias[h, min(31, abs(i - j))] }"},
    {"buckets_of_distances",
     "attention x { input bias: f32[heads, 32]  let n = max(i - j, 0) "
     "let far = 16 + floor(log(max(n, 1) / 16.0) / log(8.0) * 16.0) "
     "score = dot(q, k) / sqrt(dim) + "
     "bias[h, where(n < 16, n, min(31, far))]  mask = i >= j }"},
    {"residues",
     "attention x { mask = i >= j & (i - j) % 7 == 0 & i - j < 60 }"},
    {"residues_moved", "attention x { mask = (j - i) % 5 == 2 }"},
    {"residues_of_sums", "attention x { mask = (i + j) % 6 == 5 }"},
    {"residues_never", "attention x { mask = (i + j) % 6 == 6 | i < 0 }"},
    {"residues_given",
     "attention x { input m: i32 mask = (i - j) % max(1, m % 9) == 0 }"},
    // No remainder is as large as the divisor, so that nothing is kept.
    {"residues_too_large", "attention x { mask = (i - j) % 4 == 9 & i >= j }"},
    {"residues_that_may_be_too_large",
     "attention x { input m: i32[batch] "
     "mask = (i - j) % max(1, m[b] % 5) == 2 & i >= j }"},
    {"residues_below_zero", "attention x { mask = (i - j) % 4 == -3 }"},
    {"marked_by_position",
     "attention x { mask = i >= j & (i - j < 9 | j % 11 >= 9) }"},
    {"marked_by_tensor", "attention x { input g: bool[batch, keys] "
                         "mask = (abs(i - j) <= 8 | g[j]) & j != i - 3 }"},
    {"marked_and_not", "attention x { input g: bool[batch, keys] let m = g[j] "
                       "mask = (abs(i - j) <= 8 | m) & (j % 3 == 0 | !m) }"},
    {"marked_per_head", "attention x { input g: i32[batch, heads, keys] "
                        "mask = i >= j & (j % 2 == g % 2 | i - j < 5) "
                        "score = dot(q, k) - 0.1 * (i - j) }"},
    {"plane", "attention x { mask = abs(i / 9 - j / 9) <= 2 & abs(i % 9 - j % "
              "9) <= 3 }"},
    {"plane_causal",
     "attention x { mask = abs(i / 8 - j / 8) < 4 & abs(j % 8 - i % 8) < 2 "
     "& i >= j  weight = sigmoid(score) }"},
    {"space", "attention x { let x = min(max(i % 4, 1), 2) let y = min(max(i / "
              "4 % 5, 1), 3) "
              "mask = abs(x - j % 4) <= 1 & abs(y - j / 4 % 5) <= 1 "
              "& abs(i / 20 - j / 20) <= 1 }"},
};

} // namespace rapt::testing

#endif // RAPT_TEST_UNIT_STRUCTUREDMASKS_H
