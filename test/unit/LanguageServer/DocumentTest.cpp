// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Places of the protocol are in lines and UTF-16 code units.

#include "lib/LanguageServer/Document.h"
#include "gtest/gtest.h"

namespace rapt::lsp {
namespace {

using llvm::lsp::Position;
using llvm::lsp::TextDocumentContentChangeEvent;

TextDocumentContentChangeEvent replace(Position begin, Position end,
                                       std::string text) {
  TextDocumentContentChangeEvent change;
  change.range = llvm::lsp::Range(begin, end);
  change.text = std::move(text);
  return change;
}

TEST(DocumentTest, ColumnsCountUtf16) {
  // Bytes: a 1, e-acute 2, euro 3, clef 4; code units: 1 1 1 2.
  Document document("t.attn", "a\xC3\xA9\xE2\x82\xAC\xF0\x9D\x84\x9Ez\nb", 1);
  int columns[] = {0, 1, 2, 3, 5, 6};
  uint32_t offsets[] = {0, 1, 3, 6, 10, 11};
  for (unsigned n = 0; n < 6; ++n) {
    EXPECT_EQ(document.getOffset({0, columns[n]}), offsets[n]);
    EXPECT_EQ(document.getPosition(offsets[n]), Position(0, columns[n]));
  }
  // Inside the surrogate pair: the character itself.
  EXPECT_EQ(document.getOffset({0, 4}), 6u);
  EXPECT_EQ(document.getOffset({1, 0}), 12u);
}

TEST(DocumentTest, PlacesOutsideAreTheNearestInside) {
  Document document("t.attn", "ab\r\ncd", 1);
  EXPECT_EQ(document.getOffset({0, 99}), 2u);
  EXPECT_EQ(document.getOffset({1, 99}), 6u);
  EXPECT_EQ(document.getOffset({99, 0}), 6u);
  EXPECT_EQ(document.getOffset({-1, 5}), 0u);
  EXPECT_EQ(document.getOffset({0, -5}), 0u);
  EXPECT_EQ(document.getPosition(99), Position(1, 2));
}

TEST(DocumentTest, EveryLineBreakOfTheProtocol) {
  Document document("t.attn", "a\nb\r\nc\rd\r\n", 1);
  EXPECT_EQ(document.getOffset({1, 0}), 2u);
  EXPECT_EQ(document.getOffset({2, 0}), 5u);
  EXPECT_EQ(document.getOffset({3, 0}), 7u);
  EXPECT_EQ(document.getOffset({4, 0}), 10u);
  EXPECT_EQ(document.getPosition(7), Position(3, 0));
}

TEST(DocumentTest, ChangesApplyInTheirOrder) {
  Document document("t.attn", "one \xF0\x9D\x84\x9E two\nthree", 1);
  document.change({replace({0, 4}, {0, 6}, "&"), replace({0, 5}, {1, 0}, " "),
                   replace({9, 9}, {9, 9}, "!")},
                  2);
  EXPECT_EQ(document.getText(), "one & three!");
  EXPECT_EQ(document.getVersion(), 2);
  // Begin behind end: nothing is removed.
  document.change({replace({0, 5}, {0, 3}, "+")}, 3);
  EXPECT_EQ(document.getText(), "one &+ three!");
  TextDocumentContentChangeEvent whole;
  whole.text = "attention t { mask = j <= i }";
  document.change({whole}, 4);
  EXPECT_EQ(document.getText(), whole.text);
  EXPECT_TRUE(document.getAnalysis().getDiagnostics().empty());
}

} // namespace
} // namespace rapt::lsp
