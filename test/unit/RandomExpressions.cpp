// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RandomExpressions.h"

namespace rapt::testing {

const char *RandomExpressions::getInputs() {
  return R"(
  input doc: i32[batch, keys]
  input side: i16[batch, queries]
  input start: i32[batch]
  input slot: i32[heads]
  input table: i32[heads, 6]
  input seen: bool[batch, keys]
  input full: bool[heads]
  input far: i64[batch, keys]
  input level: i8[heads, keys]
  input slope: f32[heads]
  input bias: f32[heads, 9]
)";
}

std::string RandomExpressions::makeIntegerLeaf() {
  if (below(3) == 0)
    return std::to_string(below(3) ? below(9) : below(40));
  return pick({"i", "j", "i", "j", "i", "j", "row", "b", "h", "keys", "queries",
               "doc[i]", "doc[j]", "side[i]", "start[b]", "slot[h]",
               "level[h, j]", "max(-60, min(far[j], 60))"});
}

std::string RandomExpressions::makeInteger(int depth) {
  if (depth <= 0 || below(5) == 0)
    return makeIntegerLeaf();
  auto next = [&] { return makeInteger(depth - 1); };
  switch (below(17)) {
  case 0:
  case 1:
    return "(" + next() + " + " + next() + ")";
  case 2:
  case 3:
  case 4:
    return "(" + next() + " - " + next() + ")";
  case 5: // factors stay small, so that all of it fits 64 bits
    return "(" + next() + " * " +
           (depth == 1 ? pick({"b", "h", "-3"}) : pick({"2", "3", "-1"})) + ")";
  case 6:
    return "(" + next() + " / " +
           (below(3) ? std::to_string(1 + below(12))
                     : "max(1, " + makeIntegerLeaf() + ")") +
           ")";
  case 7:
    return "(" + next() + " % " +
           (below(3) ? std::to_string(1 + below(12))
                     : "max(1, " + makeIntegerLeaf() + ")") +
           ")";
  case 8:
    return "min(" + next() + ", " + next() + ")";
  case 9:
    return "max(" + next() + ", " + next() + ")";
  case 10:
    return "abs(" + next() + ")";
  case 11:
    return "where(" + makeBoolean(depth - 1) + ", " + next() + ", " + next() +
           ")";
  case 12: // beyond 32 bits
    return "(" + makeIntegerLeaf() + " * " + pick({"70000", "-50000"}) + ")";
  case 13:
    return "max(-5000000000, min(5000000000, " + makeIntegerLeaf() + " * " +
           pick({"i", "j", "h", "doc[j]"}) + "))";
  case 14:
    return pick({"log2floor(", "xor(3, "}) + next() + ")";
  case 15:
    return "floor(" + makeSmallReal(depth - 1) + ")";
  default: // outside the tensor it reads 0
    return pick({"doc[", "table[", "level[h, "}) + next() + "]";
  }
}

/// Exact in f32.
std::string RandomExpressions::makeSmallReal(int depth) {
  return "real(max(-1000, min(" + makeInteger(depth) + ", 1000))) * " +
         pick({"0.5", "0.25", "-1.5"});
}

std::string RandomExpressions::makeBooleanLeaf() {
  if (below(4) == 0)
    return pick({"seen[j]", "seen[i]", "full[h]", "(far[j] < far[i])"});
  return "(" + makeIntegerLeaf() + " " +
         pick({"<", "<=", ">", ">=", "==", "!="}) + " " + makeIntegerLeaf() +
         ")";
}

std::string RandomExpressions::makeBoolean(int depth) {
  if (depth <= 0)
    return makeBooleanLeaf();
  auto next = [&] { return makeBoolean(depth - 1); };
  auto number = [&] { return makeInteger(depth - 1); };
  switch (below(12)) {
  case 0:
  case 1:
    return "(" + next() + " & " + next() + ")";
  case 2:
    return "(" + next() + " | " + next() + ")";
  case 3:
    return "(!" + next() + ")";
  case 4:
    return "where(" + next() + ", " + next() + ", " + next() + ")";
  case 5:
    return "(" + next() + pick({" == ", " != "}) + next() + ")";
  case 6:
    return "(" + makeSmallReal(depth - 1) + " " +
           pick({"<", "<=", ">", ">=", "==", "!="}) + " " +
           makeSmallReal(depth - 2) + ")";
  default:
    return "(" + number() + " " + pick({"<", "<=", ">", ">=", "==", "!="}) +
           " " + number() + ")";
  }
}

std::string RandomExpressions::makeReal(int depth) {
  if (depth <= 0 || below(5) == 0)
    return pick({"dot(q, k)", "dot(q, k)", "slope[h]", "0.5", "-1.25", "2.0",
                 "bias[min(8, abs(i - j))]"});
  auto next = [&] { return makeReal(depth - 1); };
  // Into (-3, 3), where no function below is steep.
  auto bounded = [&] { return "3 * tanh(" + next() + " / 3)"; };
  switch (below(14)) {
  case 0:
  case 1:
    return "(" + next() + " + " + next() + ")";
  case 2:
    return "(" + next() + " - " + next() + ")";
  case 3:
    return "(" + bounded() + " * " + next() + ")";
  case 4:
    return "(" + next() + " / (1 + abs(" + next() + ")))";
  case 5:
    return "min(" + next() + ", " + next() + ")";
  case 6:
    return "max(" + next() + ", " + next() + ")";
  case 7:
    return pick({"sigmoid(", "tanh(", "relu(", "softplus(", "silu("}) + next() +
           ")";
  case 8:
    return pick({"exp(", "sin(", "cos(", "elu("}) + bounded() + ")";
  case 9:
    return pick({"sqrt(", "log("}) + "1 + abs(" + next() + "))";
  case 10:
    return "(0.125 * real(i - max(-40, min(" + makeInteger(2) + ", 40))))";
  default:
    return "where(" + makeBoolean(1) + ", " + next() + ", " + next() + ")";
  }
}

} // namespace rapt::testing
