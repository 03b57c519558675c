// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What names and expressions are, where they are given, and where they hold.

#include "Analyzed.h"
#include "lib/Frontend/Vocabulary.h"

namespace rapt::frontend {
namespace {

TEST(SymbolIndexTest, DefinitionsHaveTheSignatureOfTheirKernel) {
  Analyzed a("attention c^ausal { mask = i >= j }");
  EXPECT_EQ(
      a.signature(),
      "attention causal(q: f32[batch, heads, queries, dim], k: f32[batch, "
      "kv_heads, keys, dim], v: f32[batch, kv_heads, keys, vdim]) -> "
      "(out: f32[batch, heads, queries, vdim], lse: f32[batch, heads, "
      "queries])");
}

TEST(SymbolIndexTest, ParamsHaveValueAndBounds) {
  Analyzed a("attention t {\n  param n = 4 in 1 .. 9, m = 2 * ^n\n"
             "  mask = i - j < ^m\n}");
  EXPECT_EQ(a.signature(0), "param n: integer = 4 in 1 .. 9");
  EXPECT_EQ(a.definition(0), "n = 4 in 1 .. 9, m = 2 * n");
  EXPECT_EQ(a.signature(1), "param m: integer = 8");
}

TEST(SymbolIndexTest, InputsHaveTypeAndAxes) {
  Analyzed a("attention t {\n  input slope: bf16[^heads, ^d]\n"
             "  score = dot(^q, k) * sum(^slope) * ^d\n}");
  EXPECT_EQ(a.signature(0), "heads");
  EXPECT_EQ(a.signature(1), "feature axis d");
  EXPECT_EQ(a.signature(2), "input q: f32[batch, heads, queries, dim]");
  EXPECT_EQ(a.definition(2), "");
  EXPECT_EQ(a.signature(3), "input slope: bf16[heads, d]");
  EXPECT_EQ(a.definition(3), "slope: bf16[heads, d]");
  EXPECT_EQ(a.definition(4), "d]");
}

TEST(SymbolIndexTest, LetsReplaceOneAnother) {
  Analyzed a("attention t {\n  let x = 2\n  let ^x = real(^x) + h\n"
             "  score = dot(q, k) * ^x\n}");
  EXPECT_EQ(a.signature(0), "let x: real[heads]");
  EXPECT_EQ(a.definition(1), "x = 2");
  EXPECT_EQ(a.signature(1), "let x: integer");
  EXPECT_EQ(a.definition(2), "x = real(x) + h");
}

TEST(SymbolIndexTest, ALetOfAnInputReplacesIt) {
  Analyzed a("attention t {\n  let k = l2norm(^k)\n  score = dot(q, ^k)\n}");
  EXPECT_EQ(a.signature(0), "input k: f32[batch, kv_heads, keys, dim]");
  EXPECT_EQ(a.signature(1), "let k: real[batch, kv_heads, keys, dim]");
}

TEST(SymbolIndexTest, StatesAreOneNameOnAllTheirLines) {
  Analyzed a("attention t {\n  state S = S * 0.5 + outer(k, v)\n"
             "  state ^S = ^S + outer(k, v)\n  out = dot(q, ^S)\n}");
  for (unsigned mark : {0, 1, 2}) {
    EXPECT_EQ(a.signature(mark),
              "state S: real[batch, heads, keys, dim, vdim]");
    EXPECT_EQ(a.definition(mark), "S = S * 0.5 + outer(k, v)");
  }
  EXPECT_EQ(a.index()
                .getReferences(*a.index().getOccurrence(a.marks[0])->symbol)
                .size(),
            5u);
}

TEST(SymbolIndexTest, RepeatHasACounterAndNamesOfItsOwn) {
  Analyzed a("attention t {\n  repeat n < 3 {\n    let x = ^n + 1\n"
             "    state S = S + k * ^x\n  }\n  out = ^S * q\n}");
  EXPECT_EQ(a.signature(0), "counter n: integer");
  EXPECT_EQ(a.definition(0), "n < 3 {");
  EXPECT_EQ(a.signature(1), "let x: integer");
  EXPECT_EQ(a.definition(2), "S = S + k * x");
}

TEST(SymbolIndexTest, BranchesHaveAResultAndAWeight) {
  Analyzed a("attention t {\n  let x = 1\n  branch near {\n    let x = 5\n"
             "    mask = i - j < ^x\n  }\n"
             "  branch far[n < 2] { mask = i - j > ^n }\n"
             "  mask = near.^weight > 0.5 & i > ^x\n"
             "  out = merge(^near, ^far)\n}");
  EXPECT_EQ(a.definition(0), "x = 5");
  EXPECT_EQ(a.signature(1), "counter n: integer");
  EXPECT_EQ(a.signature(2), "weight");
  EXPECT_EQ(a.definition(3), "x = 1");
  EXPECT_EQ(a.signature(4), "branch near: real[batch, heads, queries, vdim]");
  EXPECT_EQ(a.definition(4), "near {");
  EXPECT_EQ(a.signature(5),
            "branch far: family of real[batch, heads, queries, vdim]");
}

TEST(SymbolIndexTest, PooledKeysVaryOverWindows) {
  Analyzed a("attention t {\n  branch c { let ^k = pool(k, ^mean, 16)\n"
             "    let v = pool(v, mean, 16)\n    mask = ^j * 16 < i }\n"
             "  out = c\n}");
  EXPECT_EQ(a.signature(0),
            "let k: real[batch, kv_heads, blocks of 16 keys, dim]");
  EXPECT_EQ(a.signature(1), "mean");
  EXPECT_EQ(a.signature(2), "j");
}

TEST(SymbolIndexTest, FunctionsAndTheirArgumentsHaveOneSignature) {
  Analyzed a(
      "attention t { weight = ^softmax(score, ^sink = 1.0, over = ^j) }");
  EXPECT_EQ(a.signature(0), "softmax(x, sink = s, over = axis)");
  EXPECT_EQ(a.signature(1), a.signature(0));
  EXPECT_EQ(a.index().getOccurrence(a.marks[2])->symbol->doc, "Over the keys.");
}

TEST(SymbolIndexTest, TheCandidateIsAWordInsideASelection) {
  Analyzed a("attention t { mask = j in top(4, j, where = ^c < i) }");
  EXPECT_EQ(a.signature(), "c");
  EXPECT_EQ(a.index().getOccurrence(a.marks[0])->symbol->word,
            NameMeaning::Kind::Candidate);
}

TEST(SymbolIndexTest, RolesAreGivenByTheirStatements) {
  Analyzed a(
      "attention t {\n  score = dot(q, k)\n  weight = softmax(^score)\n}");
  EXPECT_EQ(a.signature(),
            "score: real[batch, heads, kv_heads, queries, keys]");
  EXPECT_EQ(a.definition(), "score = dot(q, k)");
}

TEST(SymbolIndexTest, TheSmallestExpressionAroundAPlaceHasAType) {
  Analyzed a("attention t { param n = 3 mask = i - j ^< 2 ^* n }");
  EXPECT_EQ(a.type(0), "i - j < 2 * n: boolean[queries, keys]");
  EXPECT_EQ(a.type(1), "2 * n: integer = 6");
}

TEST(SymbolIndexTest, ErrorsHideNothingElse) {
  Analyzed a("attention t {\n  let x = h + 1\n  let y = unknown + ^x\n"
             "  score = dot(q, k) * ^x * ^y\n}");
  EXPECT_EQ(a.analysis.getDiagnostics().size(), 1u);
  EXPECT_EQ(a.signature(0), "let x: integer[heads]");
  EXPECT_EQ(a.signature(1), "let x: integer[heads]");
  EXPECT_EQ(a.signature(2), "let y");
}

TEST(SymbolIndexTest, AStatementThatIsBeingWrittenHidesNothingElse) {
  Analyzed a("attention t {\n  let x = h + 1\n  let y = dot(q, \n"
             "  score = dot(q, k) * ^x\n}\nattention u { mask = ^i >= j }");
  EXPECT_EQ(a.signature(0), "let x: integer[heads]");
  EXPECT_EQ(a.signature(1), "i");
  ASSERT_EQ(a.analysis.getDiagnostics().size(), 1u);
}

TEST(SymbolIndexTest, NamesBelongToTheirDefinition) {
  Analyzed a("attention t {\n  param n = 1\n  mask = i - j < ^n\n}\n"
             "attention u {\n  param n = 2.5\n  score = dot(q, k) * ^n\n}");
  EXPECT_EQ(a.signature(0), "param n: integer = 1");
  EXPECT_EQ(a.signature(1), "param n: real = 2.5");
}

TEST(SymbolIndexTest, EveryDefinitionIsChecked) {
  Analyzed a("attention t { mask = nothing }\nattention u { mask = none }\n"
             "attention t { mask = i >= j }");
  std::vector<std::string> messages;
  for (const support::Diagnostic &found : a.analysis.getDiagnostics())
    messages.push_back(found.message);
  EXPECT_EQ(messages, (std::vector<std::string>{
                          "unknown name 'nothing'", "unknown name 'none'",
                          "attention 't' is defined twice"}));
}

TEST(SymbolIndexTest, FragmentsAreNoTrouble) {
  const std::string whole =
      "attention t { param n = 4 in 1 .. 8, m = n input x: f32[heads, 2 * n] "
      "state S from 0 = S + outer(k, v) repeat r < 2 { let y = r state S = S } "
      "branch a[p < n] { let k = pool(k, mean, 2) mask = j < p } carry k = k "
      "mask = j in top(4, j, where = c < i) out = merge(a) + a[0].weight }";
  for (size_t size = 0; size <= whole.size(); ++size) {
    Analyzed a(whole.substr(0, size) + "^" + whole.substr(size));
    Analyzed cut(whole.substr(0, size) + "^");
    for (const Analyzed *each : {&a, &cut}) {
      each->signature();
      each->type();
      each->completions();
      each->index().getNames(each->marks[0]);
    }
  }
}

TEST(VocabularyTest, EveryFunctionSaysWhatItTakes) {
  for (const FunctionInfo &function : getFunctions()) {
    llvm::SmallVector<llvm::StringRef> parts;
    function.parameters.split(parts, ", ");
    unsigned positional = 0;
    std::vector<llvm::StringRef> keywords;
    for (llvm::StringRef part : parts)
      if (auto [name, value] = part.split(" = "); !value.empty())
        keywords.push_back(name);
      else
        ++positional;
    EXPECT_EQ(keywords, function.keywords.vec()) << function.name.str();
    bool isOpen = function.parameters.contains("...");
    EXPECT_LE(function.least, positional) << function.name.str();
    if (isOpen)
      EXPECT_GT(function.most, positional) << function.name.str();
    else
      EXPECT_EQ(function.most, positional) << function.name.str();
    EXPECT_TRUE(function.doc.ends_with(".")) << function.name.str();
  }
}

} // namespace
} // namespace rapt::frontend
