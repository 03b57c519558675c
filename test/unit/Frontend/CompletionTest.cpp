// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What may be written at a place.

#include "Analyzed.h"
#include "lib/Frontend/Token.h"
#include "lib/Frontend/Vocabulary.h"
#include "llvm/ADT/STLExtras.h"

namespace rapt::frontend {
namespace {

using Labels = std::vector<std::string>;

static Labels complete(llvm::StringRef marked) {
  return Analyzed(marked).completions();
}

/// The labels of `wanted` that are there.
static Labels among(const Labels &labels, const Labels &wanted) {
  Labels found;
  for (const std::string &label : wanted)
    if (llvm::is_contained(labels, label))
      found.push_back(label);
  return found;
}

TEST(CompletionTest, AFileHasDefinitions) {
  EXPECT_EQ(complete("^"), Labels{"attention"});
  EXPECT_EQ(complete("att^"), Labels{"attention"});
  EXPECT_EQ(complete("attention t { mask = i >= j }\n^"), Labels{"attention"});
}

TEST(CompletionTest, ADefinitionHasStatements) {
  Labels all;
  for (llvm::StringRef word : statementKeywords())
    all.push_back(word.str());
  EXPECT_EQ(complete("attention t { ^ }"), all);
  EXPECT_EQ(complete("attention t { pa^ }"), all);
}

TEST(CompletionTest, BranchesHaveNoParamsAndInputs) {
  EXPECT_EQ(among(complete("attention t { branch a { ^ } }"),
                  {"param", "input", "let", "branch"}),
            (Labels{"let", "branch"}));
}

TEST(CompletionTest, RepeatHasLetsAndStates) {
  EXPECT_EQ(complete("attention t { repeat n < 2 { ^ } }"),
            (Labels{"let", "state", "reverse"}));
}

TEST(CompletionTest, KeywordsInsideStatements) {
  EXPECT_EQ(complete("attention t { reverse ^ }"), Labels{"state"});
  EXPECT_EQ(complete("attention t { state S ^ }"), Labels{"from"});
  EXPECT_EQ(among(complete("attention t { param n = 3 ^ }"), {"in", "from"}),
            Labels{"in"});
  EXPECT_EQ(complete("attention t { mask = (j ^"), Labels{"in"});
}

TEST(CompletionTest, NothingWhereANameIsGiven) {
  EXPECT_EQ(complete("attention ^"), Labels{});
  EXPECT_EQ(complete("attention t { let ^ }"), Labels{});
  EXPECT_EQ(complete("attention t { mask = 12^ }"), Labels{});
  EXPECT_EQ(complete("attention t { // l^\n }"), Labels{});
}

TEST(CompletionTest, NamesHoldFromTheirLineOn) {
  Labels wanted{"n", "x", "y", "z", "w", "q", "S"};
  std::string text = "attention t { let x = 1 branch b { let y = 2 mask = ^ } "
                     "let z = 1 param n = 1 let w = 1 }";
  EXPECT_EQ(among(complete(text), wanted), (Labels{"n", "x", "y", "q"}));
  EXPECT_EQ(
      among(complete("attention u { param m = 1 } attention t { let x = 1 "
                     "branch b { let y = 2 } mask = ^"),
            {"m", "x", "y", "b"}),
      (Labels{"x", "b"}));
  EXPECT_EQ(among(complete("attention t { out = ^ state S = S }"), wanted),
            (Labels{"q", "S"}));
}

TEST(CompletionTest, ExpressionsHaveFunctionsAndWords) {
  Labels labels = complete("attention t { mask = ^ }");
  for (const FunctionInfo &function : getFunctions())
    EXPECT_TRUE(llvm::is_contained(labels, function.name))
        << function.name.str();
  EXPECT_EQ(among(labels, {"i", "keys", "pi", "score", "out", "let", "c"}),
            (Labels{"i", "keys", "pi", "score"}));
}

TEST(CompletionTest, ArgumentsThatAreWords) {
  EXPECT_EQ(complete("attention t { let x = sum(k, over = ^) }"),
            (Labels{"i", "j", "group"}));
  EXPECT_EQ(complete("attention t { state S = S + hold(^ }"), Labels{"S"});
  EXPECT_EQ(complete("attention t { input x: [wide] let y = as(q, ^ }"),
            (Labels{"dim", "vdim", "wide"}));
  EXPECT_EQ(
      complete("attention t { branch a { } branch b { } out = merge(a, ^"),
      (Labels{"a", "b"}));
  EXPECT_EQ(among(complete("attention t { let x = pool(k, ^ }"),
                  {"mean", "max", "min", "sum", "stride ="}),
            (Labels{"mean", "max", "min", "sum"}));
  EXPECT_EQ(among(complete("attention t { let x = pool(k, mean, 2, ^) }"),
                  {"stride =", "over ="}),
            (Labels{"stride =", "over ="}));
  EXPECT_EQ(among(complete("attention t { mask = j in top(3, j, where = ^"),
                  {"c", "i"}),
            (Labels{"c", "i"}));
}

TEST(CompletionTest, TypesOfInputsAndMembersOfBranches) {
  EXPECT_EQ(among(complete("attention t { input x: ^"), {"f32", "bool", "i"}),
            (Labels{"f32", "bool"}));
  EXPECT_EQ(complete("attention t { branch a { } mask = a.^"),
            Labels{"weight"});
}

TEST(CompletionTest, ErrorsAboveDoNotMatter) {
  EXPECT_EQ(among(complete("attention t { let x = ( let y = 1 mask = ^ }"),
                  {"y", "dot"}),
            (Labels{"y", "dot"}));
}

TEST(VocabularyTest, EveryStatementHasASentence) {
  for (llvm::StringRef word : statementKeywords()) {
    const VocabularyWord *known = findKeyword(word);
    ASSERT_TRUE(known) << word.str();
    EXPECT_TRUE(known->doc.ends_with(".")) << word.str();
  }
}

TEST(VocabularyTest, KeywordsAreThoseOfTheLexer) {
  for (const VocabularyWord &word : getVocabulary()) {
    bool isReserved = scanToken(word.name, 0).kind == TokenKind::Keyword;
    bool isKeyword = word.kind == WordKind::Keyword ||
                     word.kind == WordKind::Role ||
                     word.kind == WordKind::Member;
    EXPECT_EQ(isReserved, isKeyword) << word.name.str();
  }
}

} // namespace
} // namespace rapt::frontend
