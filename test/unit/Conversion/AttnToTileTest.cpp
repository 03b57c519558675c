// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The tile programs that AttnToTile makes, evaluated as they stand in double,
// against the specs they were made from. No code is generated: what fails here
// is wrong in the algorithm.

#include "lib/Conversion/AttnToTile/AttnToTile.h"
#include "RandomExpressions.h"
#include "SpecCase.h"
#include "StructuredMasks.h"
#include "dialects/Attn/IR/Attn.h"
#include "lib/Tuning/CpuPlans.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace rapt;
using namespace rapt::testing;
using reference::Precision;
using support::ElementType;

namespace {

struct TileSizes {
  int64_t queries, keys;
  int64_t edge = 0;
  /// For few queries: heads that share keys in one item, keys split over items.
  bool isGrouped = false;
  int64_t split = 0;
};

/// The program of a case, with this plan on every operation.
mlir::OwningOpRef<mlir::ModuleOp> makeProgram(SpecCase &spec, TileSizes sizes) {
  mlir::MLIRContext *context = &spec.getContext();
  mlir::OwningOpRef<mlir::ModuleOp> module = spec.emit();
  auto cpu = tile::CpuPlanAttr::get(context, /*rows=*/4, /*depth=*/4,
                                    /*sweep=*/4);
  module->walk([&](mlir::Operation *op) {
    if (mlir::isa<attn::AttendOp, attn::MapOp>(op))
      op->setAttr(tile::kPlanAttr,
                  tile::PlanAttr::get(context, sizes.queries, sizes.keys, cpu,
                                      sizes.edge,
                                      /*grain=*/0, /*in_order=*/false,
                                      sizes.isGrouped, sizes.split));
  });
  mlir::PassManager passes(context);
  passes.addPass(createAttnToTile());
  // As the pipeline does; must not change what the program means.
  passes.addPass(mlir::createCSEPass());
  passes.addPass(mlir::createCanonicalizerPass());
  if (failed(passes.run(*module)))
    return nullptr;
  return module;
}

/// Softmax weights go through constants that the program has in f32 (log2(e),
/// ln(2)); all else is exact but for the order of sums.
double getTolerance(SpecCase &spec) {
  double tolerance = 1e-12;
  auto module = spec.emit();
  module->walk([&](attn::AttendOp op) {
    if (op.getReduction() == attn::Reduction::Softmax)
      tolerance = 1e-6;
  });
  return tolerance;
}

bool isNear(double found, double expected, double tolerance) {
  if (std::isnan(expected))
    return std::isnan(found);
  if (std::isinf(expected))
    return found == expected;
  return std::abs(found - expected) <= tolerance;
}

void checkProgram(SpecCase &spec, TileSizes sizes) {
  SCOPED_TRACE(spec.describe() + " tiles of " + std::to_string(sizes.queries) +
               " x " + std::to_string(sizes.keys) + ", edges of " +
               std::to_string(sizes.edge) +
               (sizes.isGrouped ? ", grouped heads" : "") + ", splits of " +
               std::to_string(sizes.split));
  auto module = makeProgram(spec, sizes);
  ASSERT_TRUE(module);
  reference::AttnEvaluator evaluator = spec.evaluator(Precision::Exact);
  std::vector<int64_t> extents{evaluator.getBatch(), evaluator.getHeads(),
                               evaluator.getQueries(), evaluator.getFeatures()};
  SpecTensor out("out", ElementType::F64, extents);
  extents.pop_back();
  SpecTensor lse("lse", ElementType::F64, extents);
  for (SpecTensor *result : {&out, &lse}) // what is not written shows
    std::fill(result->data.begin(), result->data.end(), '\xff');
  auto program = *module->getOps<tile::ProgramOp>().begin();
  llvm::Error error = reference::evaluateTileProgram(
      program, spec.views(), {out.result(), lse.result()}, Precision::Exact);
  ASSERT_FALSE(static_cast<bool>(error)) << llvm::toString(std::move(error));

  double tolerance = getTolerance(spec);
  std::vector<reference::RowIndex> rows = spec.allRows();
  std::vector<reference::Row> expected = evaluator.evaluateRows(rows);
  int64_t features = evaluator.getFeatures();
  for (size_t r = 0; r < rows.size(); ++r) {
    const reference::Row &row = expected[r];
    std::string place = "row " + std::to_string(rows[r].b) + ", " +
                        std::to_string(rows[r].h) + ", " +
                        std::to_string(rows[r].i);
    // Scores far from 0 enlarge the error of log2(e).
    double largest = std::isfinite(row.lse) ? std::abs(row.lse) : 0;
    for (int64_t e = 0; e < features; ++e)
      ASSERT_TRUE(isNear(out.get(r * features + e), row.out[e],
                         tolerance * row.scale * (8 + largest)))
          << place << " feature " << e << ": " << out.get(r * features + e)
          << ", expected " << row.out[e];
    ASSERT_TRUE(isNear(lse.get(r), row.lse, tolerance * (8 + largest)))
        << place << " lse: " << lse.get(r) << ", expected " << row.lse;
  }
}

std::unique_ptr<SpecCase> makeCase(SpecSetting setting) {
  auto spec = SpecCase::create(std::move(setting));
  if (spec)
    return std::move(*spec);
  ADD_FAILURE() << llvm::toString(spec.takeError());
  return nullptr;
}

void check(SpecSetting setting, TileSizes sizes) {
  if (auto spec = makeCase(std::move(setting)))
    checkProgram(*spec, sizes);
}

struct Shape {
  int64_t heads, kvHeads, queries, keys, dim, vdim;
  TileSizes sizes;
};

SpecSetting withShape(SpecSetting setting, const Shape &shape, uint64_t seed) {
  setting.batch = 1 + seed % 2;
  setting.heads = shape.heads;
  setting.kvHeads = shape.kvHeads;
  setting.queries = shape.queries;
  setting.keys = shape.keys;
  setting.extents = {{"dim", shape.dim}, {"vdim", shape.vdim}};
  setting.seed = seed;
  return setting;
}

const Shape kShapes[] = {
    {1, 1, 1, 1, 1, 1, {16, 16}},
    {2, 2, 5, 3, 5, 5, {16, 16}},
    {4, 2, 70, 130, 5, 5, {64, 96}},
    {3, 1, 5, 130, 33, 33, {16, 96}},
    {2, 2, 70, 3, 64, 64, {16, 16}},
    {6, 3, 1, 130, 4, 4, {64, 16}},
    {1, 1, 70, 70, 8, 8, {64, 16}},
    {2, 1, 70, 130, 5, 5, {16, 96, 32}},
    {1, 1, 33, 200, 8, 8, {32, 128, 16}},
    {2, 2, 130, 47, 4, 4, {16, 32, 8}},
    {4, 2, 5, 130, 5, 5, {4, 16, 8, true, 32}},
    {6, 3, 1, 300, 4, 4, {2, 32, 0, true, 64}},
    {6, 2, 7, 90, 8, 8, {16, 16, 0, true}},
    {2, 1, 5, 70, 33, 33, {4, 16, 4, false, 16}},
};

struct ExampleTest : ::testing::TestWithParam<std::string> {};

TEST_P(ExampleTest, SameAsItsSpec) {
  uint64_t seed = 1;
  for (Shape shape : kShapes) {
    SpecSetting setting = withShape(getExample(GetParam()), shape, seed++);
    if (GetParam() == "llama") // rotary positions turn pairs of features
      setting.extents["dim"] = (shape.dim + 1) / 2 * 2;
    check(std::move(setting), shape.sizes);
  }
}

INSTANTIATE_TEST_SUITE_P(AttnToTile, ExampleTest,
                         ::testing::ValuesIn(getExampleNames()),
                         [](const auto &info) { return info.param; });

struct Weighting {
  const char *name, *text;
};

struct WeightingTest : ::testing::TestWithParam<Weighting> {};

TEST_P(WeightingTest, SameAsItsSpec) {
  uint64_t seed = 100;
  for (Shape shape : kShapes) {
    shape.vdim = shape.dim == 33 ? 5 : shape.dim == 5 ? 64 : shape.dim;
    check(withShape({.text = GetParam().text}, shape, seed++), shape.sizes);
  }
}

// Every reduction with and without a mask, a sink and a factor.
const Weighting kWeightings[] = {
    {"softmax", "attention x { }"},
    {"softmax_unscaled", "attention x { score = dot(q, k)  mask = i >= j }"},
    {"softmax_negative_scale",
     "attention x { score = dot(q, k) * (-0.5)  mask = i >= j }"},
    {"softmax_sink", "attention x { input s: f32[heads] "
                     "weight = softmax(score, sink = s[h]) }"},
    {"softmax_sink_per_query",
     "attention x { input s: f32[batch, heads, queries] "
     "weight = softmax(score, sink = s)  mask = i > j }"},
    {"softmax_sink_and_factor",
     "attention x { input s: f32[heads] "
     "weight = softmax(score, sink = s[h]) * where(j % 2 == 0, 0.5, 2) "
     "mask = i >= j }"},
    {"softmax_factor",
     "attention x { "
     "weight = softmax(score) * (1 / (1 + abs(real(i - j)))) }"},
    {"ratio", "attention x { weight = normalize(1 + dot(q, k) * dot(q, k)) }"},
    {"ratio_masked",
     "attention x { weight = normalize(exp(score))  mask = i >= j }"},
    {"ratio_epsilon",
     "attention x { weight = normalize(relu(dot(q, k)), eps = 0.015625) "
     "mask = i - j < 7 & i >= j }"},
    {"sum", "attention x { weight = sigmoid(score) }"},
    {"sum_masked", "attention x { weight = dot(q, k)  mask = j % 3 != 1 }"},
    {"two_products",
     "attention x { input p: [batch, heads, queries, dim] "
     "score = dot(q, k) * 0.25 + tanh(dot(p, k))  mask = i >= j }"},
    {"value_row_map", "attention x { let v = v * 2 + k[0]  mask = i >= j }"},
    {"out_row_map",
     "attention x { out = 2 * sum(weight * v, over = j) + v[i, :] }"},
};

INSTANTIATE_TEST_SUITE_P(AttnToTile, WeightingTest,
                         ::testing::ValuesIn(kWeightings),
                         [](const auto &info) { return info.param.name; });

struct StructureTest : ::testing::TestWithParam<StructuredMask> {};

// Whether queries and keys are listed in another order or not, and whatever the
// steps.
TEST_P(StructureTest, SameAsItsSpec) {
  uint64_t seed = 200;
  for (Shape shape : kShapes) {
    if (shape.sizes.keys % 8 == 0)
      shape.sizes.edge = seed % 2 ? 8 : 0;
    check(withShape({.text = GetParam().text}, shape, seed++), shape.sizes);
  }
}

INSTANTIATE_TEST_SUITE_P(AttnToTile, StructureTest,
                         ::testing::ValuesIn(kStructuredMasks),
                         [](const auto &info) { return info.param.name; });

/// A random expression of one side of a mask, by the name of its position. An
/// input over queries has no key to be read at.
std::string makeOneSided(std::string text, char side) {
  for (size_t at = 0; at < text.size(); ++at) {
    auto isWord = [&](size_t n) {
      return n < text.size() && (isalnum(text[n]) || text[n] == '_');
    };
    bool isName = (text[at] == 'i' || text[at] == 'j') && !isWord(at + 1) &&
                  (at == 0 || !isWord(at - 1));
    if (isName)
      text[at] = side;
  }
  bool readsQueries = text.find("side") != std::string::npos;
  return side == 'j' && readsQueries ? "doc[j]" : text;
}

/// A condition in which queries and keys may be taken in another order.
std::string makeStructure(RandomExpressions &random) {
  auto integer = [&](char side) {
    return makeOneSided(random.makeInteger(random.below(3)), side);
  };
  auto number = [&](uint64_t below) {
    return std::to_string(random.below(below));
  };
  switch (random.below(4)) {
  case 0:
    return "(" + integer('i') + ") == (" + integer('j') + ")";
  case 1:
    return "((" + integer('i') + ") " + (random.below(2) ? "-" : "+") + " (" +
           integer('j') + ")) % max(1, " +
           (random.below(2) ? "start[b] % 9" : number(9)) + ") == " + number(9);
  case 2:
    return "(" + random.makeBoolean(1) + " | " +
           makeOneSided(random.makeBoolean(random.below(3)), 'j') + ")";
  default:
    return "abs((" + integer('i') + ") - (" + integer('j') +
           ")) <= " + number(5) + " & abs((" + integer('j') + ") - (" +
           integer('i') + ")) < " + number(9);
  }
}

// RAPT_SEED starts at another case, RAPT_CASES says how many.
TEST(AttnToTileTest, RandomStructure) {
  uint64_t first = getSetting("RAPT_SEED", 1);
  uint64_t cases = getSetting("RAPT_CASES", isNightly() ? 20000 : 200);
  uint64_t refused = 0, listed = 0;
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    RandomExpressions random(seed);
    SpecSetting setting;
    setting.text = "attention x {" + std::string(random.getInputs()) +
                   "  mask = " + makeStructure(random);
    if (random.below(2))
      setting.text += " & " + random.makeBoolean(random.below(3));
    setting.text += "\n}";
    setting.seed = seed;
    setting.batch = 1 + random.below(2);
    setting.heads = 1 + random.below(2);
    setting.queries = 1 + random.below(40);
    setting.keys = 1 + random.below(60);
    auto spec = SpecCase::create(setting);
    if (!spec) {
      llvm::consumeError(spec.takeError());
      ++refused;
      continue;
    }
    TileSizes sizes{16, 16, random.below(2) ? 4 : 0};
    sizes.isGrouped = random.below(4) == 0;
    sizes.split = random.below(3) == 0 ? 16 * (1 + random.below(3)) : 0;
    auto module = makeProgram(**spec, sizes);
    ASSERT_TRUE(module);
    module->walk([&](tile::ListRowsOp) { ++listed; });
    checkProgram(**spec, sizes);
    if (::testing::Test::HasFatalFailure())
      FAIL() << "seed " << seed << "\n" << setting.text;
  }
  llvm::outs() << cases << " cases from seed " << first << ", " << refused
               << " refused, " << listed << " listed views\n";
  EXPECT_LT(refused, cases / 4 + 1);
  if (cases >= 100)
    EXPECT_GT(listed, cases / 4);
}

// Heads whose masks differ visit together what any of them keeps, and a run is
// full if it is for all of them.
TEST(AttnToTileTest, HeadsOfAMask) {
  for (const char *text : {"attention x { mask = i >= j + h }",
                           "attention x { input w: i32[heads]  "
                           "mask = i - j < w[h] & i >= j }",
                           "attention x { mask = h % 2 == 0 | i - j < 5 }",
                           "attention x { input on: bool[heads, 4]  "
                           "mask = on[h, j / 16] }"}) {
    SpecSetting setting{.text = text};
    setting.heads = 4;
    setting.kvHeads = 2;
    setting.queries = 7;
    setting.keys = 50;
    auto spec = makeCase(setting);
    ASSERT_TRUE(spec);
    TileSizes sizes{8, 16, 0, true, 32};
    auto module = makeProgram(*spec, sizes);
    ASSERT_TRUE(module);
    bool isGrouped = false, plansTogether = false;
    module->walk([&](tile::GroupRowsOp op) { isGrouped = true; });
    module->walk(
        [&](tile::PlanRunsOp op) { plansTogether = op.getGroup() != nullptr; });
    EXPECT_TRUE(isGrouped && plansTogether) << text;
    checkProgram(*spec, sizes);
  }
}

// Rows that keep no pair give 0 and lse = -inf, exactly, beside rows that do.
TEST(AttnToTileTest, RowsWithoutPairs) {
  for (const char *text :
       {"attention x { mask = i >= j & j % 4 == 5 }",
        "attention x { mask = i >= j }",
        "attention x { mask = i < j & j > 12 & j < 14 }",
        "attention x { weight = normalize(exp(score))  mask = i >= j }",
        "attention x { weight = sigmoid(score)  mask = i >= j }"}) {
    SpecSetting setting{.text = text};
    setting.heads = 2;
    setting.queries = 40;
    setting.keys = 21; // the first 19 queries stand before the first key
    check(setting, {16, 16});
    check(setting, {64, 96});
    check(setting, {16, 16, 4});
    check(setting, {16, 16, 4, true, 16});
  }
}

// A NaN that a kept pair reads is in its row. One in a key that the mask drops
// is in no row.
TEST(AttnToTileTest, NotANumberStaysInItsRows) {
  SpecSetting setting{.text = "attention x { mask = i >= j }"};
  setting.queries = setting.keys = 40;
  auto spec = makeCase(setting);
  ASSERT_TRUE(spec);
  spec->find("v")->set(30 * 4 + 1, std::nan(""));
  spec->find("k")->set(35 * 4, std::nan(""));
  checkProgram(*spec, {16, 16});
}

TEST(AttnToTileTest, RefusesAnOperationWithoutAPlan) {
  auto spec = makeCase({.text = "attention x { }"});
  ASSERT_TRUE(spec);
  auto module = spec->emit();
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&spec->getContext(),
                                        [&](mlir::Diagnostic &diagnostic) {
                                          message += diagnostic.str();
                                          return mlir::success();
                                        });
  mlir::PassManager passes(&spec->getContext());
  passes.addPass(createAttnToTile());
  EXPECT_TRUE(failed(passes.run(*module)));
  EXPECT_EQ(message, "'attn.attend' op has no tile.plan");
}

} // namespace
