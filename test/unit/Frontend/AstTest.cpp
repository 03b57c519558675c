// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ParseTesting.h"

namespace rapt::frontend {
namespace {

/// Places are ignored.
TEST(Ast, EqualInSpiteOfLayout) {
  Parsed a("attention t { mask = i >= j }");
  Parsed b("// c\nattention t {\n  mask = (i) >= (j) }");
  ASSERT_TRUE(a.file && b.file);
  EXPECT_TRUE(*a.file == *b.file);
}

/// Every part of a node takes part in the comparison: no two of these are
/// equal.
TEST(Ast, EqualityLooksAtEverything) {
  std::vector<std::string> bodies = {
      "",
      "param a = 1",
      "param b = 1",
      "param a = 2",
      "param a = 1.0",
      "param a = 1 in 0 .. 2",
      "param a = 1 in 0 .. 3",
      "param a = 1 in 1 .. 2",
      "param a = 1, b = 1",
      "param a = 1 param b = 1",
      "input a: f32",
      "input a: i32",
      "input a: f32[d]",
      "input a: f32[e]",
      "input a: f32[d, e]",
      "input a: [d]",
      "input a:",
      "input a, b: f32",
      "let a = b",
      "let b = b",
      "let a = a",
      "carry a = b",
      "mask = a",
      "score = a",
      "weight = a",
      "out = a",
      "state a = b",
      "reverse state a = b",
      "state a from b = b",
      "state a from a = b",
      "repeat n < 2 { }",
      "repeat m < 2 { }",
      "repeat n < 3 { }",
      "repeat n < 2 { let a = b }",
      "branch n { }",
      "branch m { }",
      "branch n[m < 2] { }",
      "branch n[n < 2] { }",
      "branch n[m < 3] { }",
      "branch n { let a = b }",
      "out = f()",
      "out = g()",
      "out = f(a)",
      "out = f(x = a)",
      "out = f(y = a)",
      "out = f(a, a)",
      "out = -a",
      "out = !a",
      "out = --a",
      "out = -(-a)",
      "out = a + b",
      "out = a - b",
      "out = b + a",
      "out = a + b + c",
      "out = (a + b) + c",
      "out = a + (b + c)",
      "out = a == b",
      "out = a != b",
      "out = a in b",
      "out = b in a",
      "out = a[b]",
      "out = a[:]",
      "out = a[b:c]",
      "out = a[b:b]",
      "out = a[c:b]",
      "out = a[b, c]",
      "out = a[b][c]",
      "out = a.b",
      "out = a.c",
      "out = a.b.c",
  };
  std::vector<std::unique_ptr<Parsed>> parsed;
  for (const std::string &body : bodies) {
    parsed.push_back(std::make_unique<Parsed>("attention t { " + body + " }"));
    ASSERT_TRUE(parsed.back()->file) << body << parsed.back()->messages();
  }
  parsed.push_back(std::make_unique<Parsed>("attention u { }"));
  parsed.push_back(std::make_unique<Parsed>("attention t { } attention t { }"));
  for (size_t a = 0; a < parsed.size(); ++a)
    for (size_t b = 0; b < parsed.size(); ++b)
      EXPECT_EQ(*parsed[a]->file == *parsed[b]->file, a == b)
          << str(*parsed[a]->file) << str(*parsed[b]->file);
}

} // namespace
} // namespace rapt::frontend
