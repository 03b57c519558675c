// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ParseTesting.h"

namespace rapt::frontend {
namespace {

TEST(Parser, ChainsAreFlat) {
  ParsedExpr sum("a + b - c + d");
  auto *chain = sum.as<Chain>();
  ASSERT_NE(chain, nullptr);
  EXPECT_EQ(chain->operands.size(), 4u);
  EXPECT_EQ(chain->operators,
            (std::vector{ChainOp::Add, ChainOp::Sub, ChainOp::Add}));
  ASSERT_EQ(chain->operatorRanges.size(), 3u);
  EXPECT_EQ(sum.parsed.source.text(chain->operatorRanges[1]), "-");
}

TEST(Parser, ParenthesesNestChains) {
  ParsedExpr sum("(a + b) + c");
  auto *chain = sum.as<Chain>();
  ASSERT_NE(chain, nullptr);
  ASSERT_EQ(chain->operands.size(), 2u);
  EXPECT_TRUE(llvm::isa<Chain>(chain->operands[0].get()));
  // A range includes the parentheses.
  EXPECT_EQ(sum.parsed.source.text(chain->operands[0]->range), "(a + b)");
}

TEST(Parser, PrefixRunsAreFlat) {
  ParsedExpr run("- - -x");
  auto *prefix = run.as<Prefix>();
  ASSERT_NE(prefix, nullptr);
  EXPECT_EQ(prefix->count, 3u);
  EXPECT_EQ(prefix->op, Prefix::Op::Negate);
  EXPECT_TRUE(llvm::isa<NameRef>(prefix->operand.get()));
}

TEST(Parser, NotTakesAComparison) {
  ParsedExpr negated("!a == b");
  auto *prefix = negated.as<Prefix>();
  ASSERT_NE(prefix, nullptr);
  EXPECT_TRUE(llvm::isa<Compare>(prefix->operand.get()));
}

TEST(Parser, Precedence) {
  // Each pair is the same program.
  for (auto [plain, grouped] : {
           std::pair("a | b & c", "a | (b & c)"),
           {"a & !b | c", "(a & (!b)) | c"},
           {"a < b & c == d", "(a < b) & (c == d)"},
           {"a + b < c * d", "(a + b) < (c * d)"},
           {"a - b * c", "a - (b * c)"},
           {"-a * b", "(-a) * b"},
           {"a * -b", "a * (-b)"},
           {"-a[0]", "-(a[0])"},
           {"a - b in c", "(a - b) in c"},
       }) {
    ParsedExpr a(plain), b(grouped);
    ASSERT_TRUE(a.expr && b.expr);
    EXPECT_TRUE(*a.expr == *b.expr) << plain;
  }
}

TEST(Parser, Numbers) {
  auto number = [](const char *text) {
    ParsedExpr parsed(text);
    auto *node = parsed.as<Number>();
    return node ? std::tuple(node->isReal, node->integer, node->real)
                : std::tuple(false, int64_t(-1), -1.0);
  };
  EXPECT_EQ(number("0"), std::tuple(false, int64_t(0), 0.0));
  EXPECT_EQ(number("007"), std::tuple(false, int64_t(7), 7.0));
  EXPECT_EQ(number("9223372036854775807"),
            std::tuple(false, INT64_MAX, 9223372036854775807.0));
  EXPECT_EQ(number("0.1"), std::tuple(true, int64_t(0), 0.1));
  EXPECT_EQ(number("1e-6"), std::tuple(true, int64_t(0), 1e-6));
  EXPECT_EQ(number("2.5E+3"), std::tuple(true, int64_t(0), 2500.0));
}

TEST(Parser, RangeOfIntegersIsNoReal) {
  for (const char *text : {"attention t { param a = 4 in 1 .. 65536 }",
                           "attention t { param a = 4 in 1..65536 }"}) {
    Parsed parsed(text);
    auto *param = firstStatement<Param>(parsed);
    ASSERT_NE(param, nullptr) << text;
    const ParamBinding &binding = param->bindings.front();
    EXPECT_EQ(str(*binding.low), "1");
    EXPECT_EQ(str(*binding.high), "65536");
  }
}

TEST(Parser, ParamBindings) {
  Parsed parsed("attention t { param a = 1, b = -2 in -4 .. a + 1, c = 0.5 }");
  auto *param = firstStatement<Param>(parsed);
  ASSERT_NE(param, nullptr);
  ASSERT_EQ(param->bindings.size(), 3u);
  EXPECT_EQ(param->bindings[0].low, nullptr);
  EXPECT_EQ(str(*param->bindings[1].value), "-2");
  EXPECT_EQ(str(*param->bindings[1].high), "a + 1");
  EXPECT_EQ(parsed.source.text(param->bindings[1].range),
            "b = -2 in -4 .. a + 1");
}

TEST(Parser, InputTypes) {
  Parsed parsed("attention t { input f, g: f32[heads, 2 * dim] input s: i64 "
                "input x: [slots] input y: }");
  auto *input = firstStatement<Input>(parsed);
  ASSERT_NE(input, nullptr);
  EXPECT_EQ(input->names.size(), 2u);
  ASSERT_TRUE(input->elementType && input->extents);
  EXPECT_EQ(input->elementType->text, "f32");
  ASSERT_EQ(input->extents->size(), 2u);
  EXPECT_EQ(str(*input->extents->back()), "2 * dim");

  auto &statements = parsed.file->definitions.front().statements;
  auto *scalar = llvm::cast<Input>(statements[1].get());
  EXPECT_TRUE(scalar->elementType);
  EXPECT_FALSE(scalar->extents);
  auto *untyped = llvm::cast<Input>(statements[2].get());
  EXPECT_FALSE(untyped->elementType);
  EXPECT_EQ(untyped->extents->size(), 1u);
  auto *bare = llvm::cast<Input>(statements[3].get());
  EXPECT_FALSE(bare->elementType);
  EXPECT_FALSE(bare->extents);
}

TEST(Parser, Subscripts) {
  ParsedExpr postfix("table[x, :, 0:d + 1].weight[h]");
  auto *node = postfix.as<Postfix>();
  ASSERT_NE(node, nullptr);
  ASSERT_EQ(node->suffixes.size(), 3u);
  const auto &subscripts = node->suffixes[0].subscripts;
  ASSERT_EQ(subscripts.size(), 3u);
  EXPECT_EQ(subscripts[0].kind, Subscript::Kind::Index);
  EXPECT_EQ(subscripts[1].kind, Subscript::Kind::All);
  EXPECT_EQ(subscripts[2].kind, Subscript::Kind::Slice);
  EXPECT_EQ(str(*subscripts[2].last), "d + 1");
  EXPECT_EQ(postfix.parsed.source.text(subscripts[2].range), "0:d + 1");
  ASSERT_TRUE(node->suffixes[1].member);
  EXPECT_EQ(node->suffixes[1].member->text, "weight");
}

TEST(Parser, NamedArguments) {
  ParsedExpr expr("top(4, x, where = a == b, c == d)");
  auto *call = expr.as<Call>();
  ASSERT_NE(call, nullptr);
  ASSERT_EQ(call->arguments.size(), 4u);
  EXPECT_FALSE(call->arguments[1].name);
  ASSERT_TRUE(call->arguments[2].name);
  EXPECT_EQ(call->arguments[2].name->text, "where");
  EXPECT_FALSE(call->arguments[3].name);
  EXPECT_EQ(expr.parsed.source.text(call->arguments[2].range),
            "where = a == b");
  EXPECT_EQ(ParsedExpr("row()").as<Call>()->arguments.size(), 0u);
}

TEST(Parser, RoleNamesAreValues) {
  Parsed parsed("attention t { weight = softmax(score) * mask "
                "score = weight out = score }");
  ASSERT_TRUE(parsed.file) << parsed.diags.str();
  EXPECT_EQ(parsed.file->definitions.front().statements.size(), 3u);
}

TEST(Parser, StateForms) {
  Parsed parsed("attention t { reverse state S from -inf = max(S, g) "
                "repeat n < 2 { let a = 1 state T = T + a } "
                "branch r[m < 4] { state U = U } branch s { } }");
  auto *state = firstStatement<State>(parsed);
  ASSERT_NE(state, nullptr);
  EXPECT_TRUE(state->isReverse);
  EXPECT_EQ(str(*state->initial), "-inf");
  auto &statements = parsed.file->definitions.front().statements;
  auto *repeat = llvm::cast<Repeat>(statements[1].get());
  EXPECT_EQ(repeat->counter.text, "n");
  EXPECT_EQ(repeat->body.size(), 2u);
  auto *family = llvm::cast<Branch>(statements[2].get());
  ASSERT_TRUE(family->counter);
  EXPECT_EQ(str(*family->count), "4");
  auto *single = llvm::cast<Branch>(statements[3].get());
  EXPECT_FALSE(single->counter);
  EXPECT_EQ(single->count, nullptr);
}

TEST(Parser, Ranges) {
  std::string text = "attention t {\n  let x = f(a, b) // why\n  mask = x\n}\n";
  Parsed parsed(text);
  auto *let = firstStatement<Let>(parsed);
  ASSERT_NE(let, nullptr);
  EXPECT_EQ(parsed.source.text(let->range), "let x = f(a, b)");
  EXPECT_EQ(parsed.source.text(let->keyword), "let");
  EXPECT_EQ(parsed.source.text(let->name.range), "x");
  EXPECT_EQ(parsed.source.text(let->value->range), "f(a, b)");
  EXPECT_EQ(parsed.source.text(parsed.file->definitions.front().range),
            llvm::StringRef(text).rtrim());
}

TEST(Parser, CommentsAndBlanks) {
  Parsed parsed("// first\r\nattention t { // \xC3\xA9 { ( \r\n"
                "mask = i // >= k\r\n >= j }\r\n// last");
  ASSERT_TRUE(parsed.file) << parsed.diags.str();
  EXPECT_EQ(str(*parsed.file), "attention t {\n  mask = i >= j\n}\n");
}

/// Structure without recursion: a chain of 100,000 terms parses, compares and
/// is destroyed in linear time on a normal stack.
TEST(Parser, LongChains) {
  for (const char *op : {" + ", " * ", " & ", " | "}) {
    std::string text = "attention t { out = a";
    for (int n = 0; n < 100'000; ++n)
      text += std::string(op) + "b";
    Parsed parsed(text + " }");
    ASSERT_TRUE(parsed.file) << op;
    auto *chain =
        llvm::dyn_cast<Chain>(firstStatement<Role>(parsed)->value.get());
    ASSERT_NE(chain, nullptr);
    EXPECT_EQ(chain->operands.size(), 100'001u);
    EXPECT_TRUE(*parsed.file == *parsed.file);
  }
}

TEST(Parser, LongSuffixes) {
  std::string text = "attention t { out = a";
  for (int n = 0; n < 100'000; ++n)
    text += n % 2 ? ".m" : "[0]";
  Parsed parsed(text + " }");
  ASSERT_TRUE(parsed.file) << parsed.messages();
}

/// Nesting up to the limit parses, whatever the bracket.
TEST(Parser, DeepestNesting) {
  auto repeated = [](const char *piece, int count) {
    std::string text;
    for (int n = 0; n < count; ++n)
      text += piece;
    return text;
  };
  for (auto [open, close] :
       {std::pair("(", ")"), {"a[", "]"}, {"f(x = ", ")"}, {"-(!", ")"}}) {
    Parsed parsed("attention t { out = " + repeated(open, 199) + "a" +
                  repeated(close, 199) + " }");
    EXPECT_TRUE(parsed.file) << open << parsed.messages();
  }
  Parsed branches("attention t " + repeated("{ branch b ", 199) + "{" +
                  repeated("}", 200));
  EXPECT_TRUE(branches.file) << branches.messages();
}

} // namespace
} // namespace rapt::frontend
