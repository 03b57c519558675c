// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Random masks and scores in the attention language.

#ifndef RAPT_TEST_UNIT_RANDOMEXPRESSIONS_H
#define RAPT_TEST_UNIT_RANDOMEXPRESSIONS_H

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace rapt::testing {

/// Expressions whose operators, constants and inputs a seed chooses. They are
/// fully parenthesised, divisors are positive, and numbers stay so small that
/// neither integers overflow 64 bits nor scores.
class RandomExpressions {
public:
  explicit RandomExpressions(uint64_t seed) : random(seed) {}

  /// Declarations of every input that expressions read.
  static const char *getInputs();

  /// A boolean of i, j, b, h, lengths and inputs.
  std::string makeBoolean(int depth);
  std::string makeInteger(int depth);
  /// A real number for a pair, of moderate size.
  std::string makeReal(int depth);

  uint64_t below(uint64_t count) { return random() % count; }

private:
  std::string pick(const std::vector<std::string> &choices) {
    return choices[below(choices.size())];
  }
  std::string makeBooleanLeaf();
  std::string makeIntegerLeaf();
  std::string makeSmallReal(int depth);

  std::mt19937_64 random;
};

} // namespace rapt::testing

#endif // RAPT_TEST_UNIT_RANDOMEXPRESSIONS_H
