// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// Wrong inputs: each with the places and texts of all its messages.

#include "ParseTesting.h"

namespace rapt::frontend {
namespace {

struct WrongInput {
  const char *name;
  const char *text;
  const char *messages;
};

class SyntaxError : public testing::TestWithParam<WrongInput> {};

TEST_P(SyntaxError, IsReported) {
  Parsed parsed(GetParam().text);
  EXPECT_FALSE(parsed.file);
  EXPECT_EQ(parsed.messages(), GetParam().messages);
}

// Wrong files and definitions.
const WrongInput definitions[] = {
    {"EmptyFile", "", "1:1: expected 'attention', found end of file\n"},
    {"OnlyAComment", "// nothing\n",
     "1:1: expected 'attention', found end of file\n"},
    {"StrayWord", "foo\nattention t { }",
     "1:1: expected 'attention', found 'foo'\n"},
    {"MisspeltAttention", "atention t { mask = i >= j }",
     "1:1: expected 'attention', found 'atention'; did you mean "
     "'attention'?\n"},
    {"StatementOutside", "mask = i >= j",
     "1:1: expected 'attention', found keyword 'mask'\n"},
    {"NoName", "attention { mask = i >= j }",
     "1:11: expected name, found '{'\n"},
    {"KeywordAsName", "attention state { }",
     "1:11: expected name, found keyword 'state'\n"},
    {"NumberAsName", "attention 3d { }", "1:11: invalid number '3d'\n"},
    {"NoBrace", "attention t mask = i >= j",
     "1:13: expected '{', found keyword 'mask'\n"},
    {"Unclosed", "attention t {\n  mask = i >= j\n",
     "2:16: expected statement or '}', found end of file\n"
     "  1:13: to match this '{'\n"},
    {"UnclosedBeforeNext", "attention t {\n  mask = i\nattention u { }",
     "3:1: expected statement or '}', found keyword 'attention'\n"
     "  1:13: to match this '{'\n"},
    {"UnclosedBranches", "attention t { branch b {\n branch c {",
     "2:12: expected statement or '}', found end of file\n"
     "  2:11: to match this '{'\n"},
    {"ClosedTwice", "attention t { } }",
     "1:17: expected 'attention', found '}'\n"},
};

// Wrong statements.
const WrongInput statements[] = {
    {"MisspeltStatement", "attention t {\n wieght = softmax(score) }",
     "2:2: expected statement or '}', found 'wieght'; did you mean "
     "'weight'?\n"},
    {"UnknownStatement", "attention t { zebra = 3 }",
     "1:15: expected statement or '}', found 'zebra'\n"},
    {"NoEquals", "attention t { mask i >= j }",
     "1:20: expected '=', found 'i'\n"},
    {"NoValue", "attention t { mask = }",
     "1:22: expected expression, found '}'\n"},
    {"NoValueBeforeNext", "attention t { score =\n weight = softmax(score) }",
     "2:2: expected expression, found keyword 'weight'\n"},
    {"TwoEquals", "attention t { let x == 3 }",
     "1:21: expected '=', found '=='\n"},
    {"KeywordAsLetName", "attention t { let in = 3 }",
     "1:19: expected name, found keyword 'in'\n"},
    {"ForeignLetters", "attention t { let \xCE\xBB = 3 }",
     "1:19: expected name, found '\xCE\xBB'\n"},
    {"Invisible", "attention t { let a\xC2\xA0= 3 }",
     "1:20: expected '=', found U+00A0\n"},
    {"Separator", "attention t { let a = 3; }",
     "1:24: expected operator, statement or '}', found ';'\n"
     "  statements need no separator\n"},
    {"ParamWithoutName", "attention t { param = 3 }",
     "1:21: expected name, found '='\n"},
    {"ParamAfterComma", "attention t { param a = 3,\n mask = i }",
     "2:2: expected name, found keyword 'mask'\n"},
    {"ParamBoundsHalf", "attention t { param a = 3 in 1 }",
     "1:32: expected '..', found '}'\n"},
    {"ParamComparison", "attention t { param a = 3 < 4 }",
     "1:27: expected operator, statement or '}', found '<'\n"
     "  comparisons are not chained: join two with '&'\n"},
    {"InputWithoutColon", "attention t { input z f32[heads] }",
     "1:23: expected ',' or ':', found 'f32'\n"},
    {"InputEmptyDims", "attention t { input z: f32[] }",
     "1:28: expected expression, found ']'\n"},
    {"InputUnclosedDims", "attention t { input z: f32[heads\n mask = i }",
     "2:2: expected ',' or ']', found keyword 'mask'\n"
     "  1:27: to match this '['\n"},
    {"ReverseAlone", "attention t { reverse mask = i }",
     "1:23: expected 'state', found keyword 'mask'\n"},
    {"MisspeltFrom", "attention t { state S form 3 = S }",
     "1:23: expected 'from' or '=', found 'form'; did you mean 'from'?\n"},
    {"RepeatWithoutBound", "attention t { repeat n { state S = S } }",
     "1:24: expected '<', found '{'\n"},
    {"RepeatHoldsOnlySteps", "attention t { repeat n < 2 { mask = i } }",
     "1:30: expected 'let', 'state' or '}', found keyword 'mask'\n"},
    {"RepeatMisspelt", "attention t { repeat n < 2 { stat S = S } }",
     "1:30: expected 'let', 'state' or '}', found 'stat'; did you mean "
     "'state'?\n"},
    {"FamilyWithoutBound", "attention t { branch b[n] { mask = i } }",
     "1:25: expected '<', found ']'\n"},
    {"BranchWithoutBody", "attention t { branch b mask = i }",
     "1:24: expected '[' or '{', found keyword 'mask'\n"},
};

// Wrong expressions.
const WrongInput expressions[] = {
    {"Unclosed", "attention t {\n mask = (i >= j\n score = q }",
     "3:2: expected ')', found keyword 'score'\n"
     "  2:9: to match this '('\n"},
    {"UnclosedInner", "attention t { out = f(a, (b + c) * (d + e }",
     "1:43: expected ')', found '}'\n"
     "  1:36: to match this '('\n"},
    {"UnclosedCall", "attention t { out = f(a b) }",
     "1:25: expected ',' or ')', found 'b'\n"
     "  1:22: to match this '('\n"},
    {"WrongCloser", "attention t { out = a[1, f(2] }",
     "1:29: expected ',' or ')', found ']'\n"
     "  1:27: to match this '('\n"},
    {"ClosedTwice", "attention t { out = (a)) }",
     "1:24: expected operator, statement or '}', found ')'\n"},
    {"EmptyParentheses", "attention t { out = () }",
     "1:22: expected expression, found ')'\n"},
    {"EmptySubscript", "attention t { out = a[] }",
     "1:23: expected subscript, found ']'\n"},
    {"MissingOperand", "attention t { out = a + * b }",
     "1:25: expected expression, found '*'\n"},
    {"MissingOperator", "attention t { out = a b }",
     "1:23: expected operator, statement or '}', found 'b'\n"},
    {"MissingArgument", "attention t { out = f(a, ) }",
     "1:26: expected expression, found ')'\n"},
    {"MissingNamedArgument", "attention t { out = f(x = ) }",
     "1:27: expected expression, found ')'\n"},
    {"AssignmentAsEquality", "attention t { mask = i = j }",
     "1:24: expected operator, statement or '}', found '='\n"
     "  equality is written '=='\n"},
    {"ChainedComparison", "attention t { mask = 0 <= i < j }",
     "1:29: expected operator, statement or '}', found '<'\n"
     "  comparisons are not chained: join two with '&'\n"},
    {"OrOfC", "attention t { mask = a || b }",
     "1:24: expected operator, statement or '}', found '||'\n"
     "  or is written '|'\n"},
    {"AndOfC", "attention t { mask = a && b }",
     "1:24: expected operator, statement or '}', found '&&'\n"
     "  and is written '&'\n"},
    {"NotBelowAComparison", "attention t { mask = a == !b }",
     "1:27: expected expression, found '!'\n"
     "  '!' takes a whole comparison: put it in parentheses here\n"},
    {"KeywordAsValue", "attention t { out = 1 + state }",
     "1:25: expected expression, found keyword 'state'\n"},
    {"OutIsNoValue", "attention t { let a = out + 1 }",
     "1:23: expected expression, found keyword 'out'\n"},
    {"MemberIsAWord", "attention t { out = a.1 }",
     "1:23: expected member name, found '1'\n"},
    {"NumberWithLetters", "attention t { out = 2 * 12ab }",
     "1:25: invalid number '12ab'\n"},
    {"NumberWithoutExponent", "attention t { out = 1e }",
     "1:21: invalid number '1e'\n"},
    {"IntegerTooLarge", "attention t { out = 9223372036854775808 }",
     "1:21: integer does not fit in 64 bits\n"},
    {"RealTooLarge", "attention t { out = 1e999 }",
     "1:21: real number out of range\n"},
    {"String", "attention t { out = \"a\" }",
     "1:21: expected expression, found '\"'\n"},
    {"EndOfFile", "attention t { out = a +   // more\n",
     "1:24: expected expression, found end of file\n"},
};

// Several in one run.
const WrongInput recoveries[] = {
    {"NextStatement",
     "attention t {\n let a = \n let b = 3 +\n mask = (i\n score = q\n}",
     "3:2: expected expression, found keyword 'let'\n"
     "4:2: expected expression, found keyword 'mask'\n"
     "5:2: expected ')', found keyword 'score'\n"
     "  4:9: to match this '('\n"},
    {"InsideABranch",
     "attention t {\n branch b { let x = } let y = )\n mask = i\n}",
     "2:21: expected expression, found '}'\n"
     "2:31: expected expression, found ')'\n"},
    {"BlockOfAWrongHead",
     "attention t {\n branch b[n] { mask = ) }\n let x = )\n}",
     "2:12: expected '<', found ']'\n"
     "3:10: expected expression, found ')'\n"},
    {"ValuesAreNoStatements",
     "attention t {\n let x = 3 $ score * weight.mask\n let y = )\n}",
     "2:12: expected operator, statement or '}', found '$'\n"
     "3:10: expected expression, found ')'\n"},
    {"NextDefinition",
     "attention t {\n mask = )\nattention { }\nattention u {\n out = ] }",
     "2:9: expected expression, found ')'\n"
     "3:1: expected statement or '}', found keyword 'attention'\n"
     "  1:13: to match this '{'\n"
     "3:11: expected name, found '{'\n"
     "5:8: expected expression, found ']'\n"},
    {"NumbersToo", "attention t { let a = 1e999 let b = ) }",
     "1:23: real number out of range\n"
     "1:37: expected expression, found ')'\n"},
};

std::string nameOf(const testing::TestParamInfo<WrongInput> &info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Definition, SyntaxError,
                         testing::ValuesIn(definitions), nameOf);
INSTANTIATE_TEST_SUITE_P(Statement, SyntaxError, testing::ValuesIn(statements),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(Expression, SyntaxError,
                         testing::ValuesIn(expressions), nameOf);
INSTANTIATE_TEST_SUITE_P(Recovery, SyntaxError, testing::ValuesIn(recoveries),
                         nameOf);

TEST(SyntaxErrorLimit, TwentyAreShown) {
  std::string text = "attention t {\n";
  for (int n = 0; n < 50; ++n)
    text += "let a = )\n";
  Parsed parsed(text + "}");
  EXPECT_FALSE(parsed.file);
  EXPECT_EQ(parsed.diags.diagnostics().size(), 20u);
  EXPECT_NE(parsed.diags.str().find("only the first 20 errors are shown"),
            std::string::npos);
}

} // namespace
} // namespace rapt::frontend
