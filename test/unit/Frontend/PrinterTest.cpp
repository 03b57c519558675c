// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ParseTesting.h"
#include "llvm/Support/raw_ostream.h"

namespace rapt::frontend {
namespace {

std::string printed(const char *expr) {
  ParsedExpr parsed(expr);
  return parsed.expr ? str(*parsed.expr) : "";
}

TEST(Printer, FewestParentheses) {
  for (auto [text, expected] : {
           std::pair("((a))", "a"),
           {"(a + b) + (c + d)", "(a + b) + (c + d)"},
           {"(a * b) + (c)", "a * b + c"},
           {"a*(b+c)", "a * (b + c)"},
           {"(a % b) * c", "(a % b) * c"},
           {"(a | b) & (c & d)", "(a | b) & (c & d)"},
           {"!(a == b)", "!a == b"},
           {"!(a & b)", "!(a & b)"},
           {"(!a) == b", "(!a) == b"},
           {"(a == b) == c", "(a == b) == c"},
           {"-(a + b)[0]", "-(a + b)[0]"},
           {"(-a)[0]", "(-a)[0]"},
           {"-(-a)", "-(-a)"},
           {"- - a", "--a"},
           {"a - -b", "a - -b"},
           {"f( ( a | b ) , x=(c))", "f(a | b, x = c)"},
           {"(a)[i,:, 0 : 4][h] . weight", "a[i, :, 0:4][h].weight"},
           {"(a[i])[h]", "(a[i])[h]"},
           {"a[(i == j)]", "a[i == j]"},
           {"j in (a | b)", "j in (a | b)"},
           {"1[0]", "1[0]"},
       })
    EXPECT_EQ(printed(text), expected);
}

TEST(Printer, NumbersReadBack) {
  for (auto [text, expected] : {
           std::pair("0.1", "0.1"),
           {"1.0", "1.0"},
           {"1e0", "1.0"},
           {"0.000001", "1e-06"},
           {"1e300", "1e+300"},
           {"0.30000000000000004", "0.30000000000000004"},
           {"4.9e-324", "5e-324"},
           {"1e-999", "0.0"},
           {"9223372036854775807", "9223372036854775807"},
       }) {
    EXPECT_EQ(printed(text), expected);
    EXPECT_EQ(printed(expected), expected);
  }
}

TEST(Printer, EveryStatement) {
  const char *text = R"(attention all {
  param a = 1, b = 0.5 in 0 .. 2 * a
  input x, y: f32[heads, 2 * dim]
  input s: i64
  input z: [slots]
  input w:
  let q = rope(q, theta = 500000)
  carry k = exp(x) * k
  mask = i >= j
  score = dot(q, k)
  weight = softmax(score)
  state S from -inf = S + outer(k, v)
  reverse state T = T
  repeat n < a {
    state U = U
  }
  branch one {}
  branch many[m < 4] {
    mask = j in top(4, gate)
  }
  out = merge(many)
}

attention none {}
)";
  Parsed parsed(text);
  ASSERT_TRUE(parsed.file) << parsed.diags.str();
  EXPECT_EQ(str(*parsed.file), text);
}

TEST(Printer, BoundsOfParamsKeepTheirParentheses) {
  // `in` belongs to the statement, so a comparison must stay inside brackets.
  Parsed parsed("attention t { param a = (1 in b) in (c == d) .. (e | f) "
                "input x: [(a < b)] repeat n < (a < b) { } }");
  ASSERT_TRUE(parsed.file) << parsed.diags.str();
  Parsed again(str(*parsed.file));
  ASSERT_TRUE(again.file) << str(*parsed.file) << again.diags.str();
  EXPECT_TRUE(*parsed.file == *again.file) << str(*parsed.file);
}

TEST(Printer, Dump) {
  Parsed parsed(
      "attention t { param p = 2 in 1 .. 8 mask = !(j in f(-a, x = 1.0)) "
      "& b[0, :, 1:2].m | c }");
  ASSERT_TRUE(parsed.file);
  std::string text;
  llvm::raw_string_ostream os(text);
  dump(*parsed.file, os);
  EXPECT_EQ(text, R"(attention t
  param p
    integer 2
    low
      integer 1
    high
      integer 8
  mask
    chain |
      chain &
        prefix ! x1
          compare in
            name j
            call f
              prefix - x1
                name a
              x =
                real 1.0
        postfix
          name b
          subscripts
            integer 0
            all
            slice
              integer 1
              integer 2
          member m
      name c
)");
}

} // namespace
} // namespace rapt::frontend
