// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Support/Diagnostics.h"
#include "gtest/gtest.h"

namespace rapt::support {
namespace {

TEST(SourceFile, Places) {
  SourceFile file("f", "ab\n\ncd");
  auto place = [&](uint32_t offset) {
    LineColumn at = file.place(offset);
    return std::pair(at.line, at.column);
  };
  EXPECT_EQ(place(0), std::pair(1u, 1u));
  EXPECT_EQ(place(2), std::pair(1u, 3u));
  EXPECT_EQ(place(3), std::pair(2u, 1u));
  EXPECT_EQ(place(5), std::pair(3u, 2u));
  EXPECT_EQ(place(99), std::pair(3u, 3u));
  EXPECT_EQ(file.line(1), "ab");
  EXPECT_EQ(file.line(2), "");
  EXPECT_EQ(file.line(3), "cd");
  EXPECT_EQ(file.line(4), "");
  EXPECT_EQ(SourceFile("f", "ab\r\n").line(1), "ab");
  EXPECT_EQ(file.text({4, 99}), "cd");
  EXPECT_EQ(SourceFile("f", "").place(7).line, 1u);
}

TEST(Diagnostics, RendersWithNotes) {
  SourceFile file("dir/f.attn", "let a = (b\nlet c = d\n");
  DiagnosticEngine diags(file);
  diags.error({11, 14}, "expected ')'")
      .note({8, 9}, "to match this '('")
      .note("without a place");
  diags.warning({15, 16}, "odd");
  EXPECT_EQ(diags.str(), "dir/f.attn:2:1: error: expected ')'\n"
                         "  let c = d\n"
                         "  ^~~\n"
                         "dir/f.attn:1:9: note: to match this '('\n"
                         "  let a = (b\n"
                         "          ^\n"
                         "dir/f.attn:2:1: note: without a place\n"
                         "dir/f.attn:2:5: warning: odd\n"
                         "  let c = d\n"
                         "      ^\n");
  EXPECT_TRUE(diags.hasErrors());
  EXPECT_EQ(diags.errorCount(), 1u);
}

TEST(Diagnostics, WarningsAreNoErrors) {
  SourceFile file("f", "a");
  DiagnosticEngine diags(file);
  diags.warning({0, 1}, "odd");
  EXPECT_FALSE(diags.hasErrors());
}

/// The two lines below "f:1:c: error: m".
std::string excerpt(std::string text, SourceRange range) {
  SourceFile file("f", std::move(text));
  DiagnosticEngine diags(file);
  diags.error(range, "m");
  std::string all = diags.str();
  return all.substr(all.find('\n') + 1);
}

TEST(Diagnostics, CaretUnderTabsAndWideCharacters) {
  EXPECT_EQ(excerpt("\ta b", {3, 4}), "      a b\n"
                                      "        ^\n");
  EXPECT_EQ(excerpt("\xCE\xBB + b", {5, 6}), "  \xCE\xBB + b\n"
                                             "      ^\n");
  // A wide character takes two columns.
  EXPECT_EQ(excerpt("\xE6\x95\xB0 b", {4, 5}), "  \xE6\x95\xB0 b\n"
                                               "     ^\n");
  // What cannot be shown is a question mark.
  EXPECT_EQ(excerpt("a\x01\xFF b", {4, 5}), "  a?? b\n"
                                            "      ^\n");
}

TEST(Diagnostics, RangeOverLinesIsCutAtTheFirst) {
  EXPECT_EQ(excerpt("ab cd\nef", {3, 8}), "  ab cd\n"
                                          "     ^~\n");
}

TEST(Diagnostics, EndOfFile) {
  EXPECT_EQ(excerpt("ab", {2, 2}), "  ab\n"
                                   "    ^\n");
  EXPECT_EQ(excerpt("", {0, 0}), "  \n"
                                 "  ^\n");
}

TEST(Diagnostics, LongLinesAreClipped) {
  std::string left(500, 'a'), right(1000, 'b');
  std::string text = excerpt(left + "X" + right, {500, 501});
  EXPECT_EQ(text.find('\n'), 2u + 100u + 3u);
  EXPECT_EQ(text.substr(0, 6), "  ...a");
  size_t caretLine = text.find('\n') + 1;
  size_t caret = text.find('^') - caretLine;
  EXPECT_EQ(text[caret], 'X');
  // The place itself is not clipped.
  SourceFile file("f", left + "X" + right);
  EXPECT_EQ(file.place(500).column, 501u);
}

TEST(Diagnostics, StopsAfterTheLimit) {
  SourceFile file("f", "a");
  DiagnosticEngine diags(file, /*maxErrors=*/2);
  for (int n = 0; n < 5; ++n)
    diags.error({0, 1}, "m" + llvm::Twine(n)).note("n");
  EXPECT_EQ(diags.errorCount(), 5u);
  EXPECT_EQ(diags.diagnostics().size(), 2u);
  EXPECT_TRUE(diags.isFull());
  std::string text = diags.str();
  EXPECT_EQ(text.find("m2"), std::string::npos);
  EXPECT_NE(text.find("f: note: only the first 2 errors are shown\n"),
            std::string::npos);
}

TEST(Diagnostics, Suggestions) {
  EXPECT_EQ(didYouMean("querys", {"keys", "queries", "dim"}),
            "; did you mean 'queries'?");
  EXPECT_EQ(didYouMean("wieght", {"mask", "weight"}),
            "; did you mean 'weight'?");
  EXPECT_EQ(didYouMean("zebra", {"mask", "weight"}), "");
  EXPECT_EQ(didYouMean("x", {"y", "z"}), "");
  EXPECT_EQ(didYouMean("mask", {"mask"}), "");
}

} // namespace
} // namespace rapt::support
