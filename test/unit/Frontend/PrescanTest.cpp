// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Prescan.h"
#include "ParseTesting.h"

namespace rapt::frontend {
namespace {

std::string repeated(const std::string &piece, size_t count) {
  std::string text;
  for (size_t n = 0; n < count; ++n)
    text += piece;
  return text;
}

TEST(Prescan, Size) {
  std::string text = "attention t { }\n";
  text.resize(maxSourceBytes, ' ');
  EXPECT_TRUE(Parsed(text).file);
  EXPECT_EQ(Parsed(text + " ").messages(),
            "1:1: source has 1048577 bytes, the limit is 1048576\n");
}

TEST(Prescan, BracketDepth) {
  std::string head = "attention t {\n out = ";
  EXPECT_EQ(Parsed(head + repeated("(", 200)).messages(),
            "2:207: brackets nested deeper than 200\n"
            "  1:13: the outermost one is here\n");
  // A bracket in a comment is none.
  EXPECT_TRUE(Parsed("attention t { // " + repeated("(", 300) + "\n}").file);
}

TEST(Prescan, ClosersThatFitNothingDoNotHideDepth) {
  // The parser would go on inside each branch after the stray ')'.
  std::string found =
      Parsed("attention t " + repeated("{ ) branch b ", 1000)).messages();
  EXPECT_NE(found.find("brackets nested deeper than 200"), std::string::npos)
      << found;
}

TEST(Prescan, PrefixRun) {
  for (const char *op : {"!", "-", "- "}) {
    EXPECT_TRUE(
        Parsed("attention t { out = " + repeated(op, 200) + "a }").file);
    std::string found =
        Parsed("attention t { out = " + repeated(op, 201) + "a }").messages();
    EXPECT_NE(found.find("more than 200 prefix operators in a row"),
              std::string::npos)
        << found;
  }
}

TEST(Prescan, Encoding) {
  using namespace std::string_literals;
  EXPECT_EQ(Parsed("attention t {\n \0}"s).messages(),
            "2:2: source contains a NUL byte\n");
  for (const char *bytes : {"\xFF", "\xC3", "\x80", "\xED\xA0\x80", "\xC0\x80"})
    EXPECT_EQ(Parsed("// a\n// "s + bytes + "\nattention t { }").messages(),
              "2:4: source is not valid UTF-8\n");
  EXPECT_TRUE(Parsed("// \xCE\xBB\nattention t { }").file);
}

/// Nothing within the limits takes long, however wrong it is.
TEST(Prescan, HostileSourcesEnd) {
  for (const char *piece :
       {"(", "a[", "f(x=", "attention t { ", "branch b { ", "- ", "!a==", "a.",
        "attention a { mask = ( } ", "let x = ", "// x\n", "a ", "\xCE\xBB",
        "}", "repeat n < 2 { mask = i } ", "in "}) {
    std::string body = repeated(piece, (maxSourceBytes - 64) / strlen(piece));
    EXPECT_FALSE(Parsed("attention t { out = " + body).file) << piece;
    EXPECT_FALSE(Parsed(body).file) << piece;
  }
}

} // namespace
} // namespace rapt::frontend
