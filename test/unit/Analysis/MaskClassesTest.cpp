// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The classes of masks against enumeration. Specs go through AttnToTile; in the
// kernel that it makes, the loop over the runs of keys is replaced by one that
// only marks which runs it visits and how, and the Reference evaluates that.

#include "RandomExpressions.h"
#include "SpecCase.h"
#include "dialects/Attn/IR/Attn.h"
#include "lib/Compiler/Pipeline.h"
#include "lib/Conversion/AttnToTile/AttnToTile.h"
#include "lib/Tuning/CpuPlans.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Pass/PassManager.h"
#include "gtest/gtest.h"

using namespace rapt;
using namespace rapt::testing;
using mlir::Value;
using reference::Precision;

namespace {

/// What the loop over runs does with a tile; as it is stored.
enum Visit { kSkipped = 0, kPartial = 1, kFull = 2 };

/// Replaces the loop by stores of kPartial and kFull to out[first query of the
/// block, number of the run].
void keepOnlyVisits(tile::KernelOp kernel, int64_t queriesPerTile,
                    int64_t keysPerTile) {
  mlir::Block &body = kernel.getBody().front();
  mlir::Operation *runs = nullptr;
  for (mlir::Operation &op : body)
    if (mlir::isa<tile::RunsOp, tile::DomainOp>(op))
      runs = &op;
  Value out;
  for (auto store : body.getOps<tile::StoreOp>())
    if (mlir::cast<tile::TileType>(store.getTile().getType()).getRank() == 2)
      out = store.getView();
  mlir::Location location = kernel.getLoc();
  mlir::OpBuilder builder(runs);
  builder.setInsertionPointAfter(runs);
  auto index = [&](int64_t value) -> Value {
    return mlir::arith::ConstantIndexOp::create(builder, location, value);
  };
  Value first = mlir::arith::MulIOp::create(
      builder, location, body.getArgument(2), index(queriesPerTile));
  auto loop = tile::ForRunsOp::create(builder, location, mlir::TypeRange(),
                                      runs->getResult(0), keysPerTile,
                                      keysPerTile, mlir::ValueRange());
  for (mlir::Region *region : {&loop.getFull(), &loop.getPartial()}) {
    mlir::OpBuilder::InsertionGuard guard(builder);
    mlir::Type type = builder.getIndexType();
    mlir::Block *block =
        builder.createBlock(region, {}, {type, type}, {location, location});
    Value run = mlir::arith::DivUIOp::create(
        builder, location, block->getArgument(0), index(keysPerTile));
    Value mark = mlir::arith::ConstantOp::create(
        builder, location,
        builder.getF32FloatAttr(region == &loop.getFull() ? kFull : kPartial));
    auto tileType = tile::TileType::get({1, 1}, builder.getF32Type());
    Value tile = tile::SplatOp::create(builder, location, tileType, mark);
    tile::StoreOp::create(builder, location, tile::StoreMode::Set, tile, out,
                          mlir::ValueRange{first, run});
    tile::YieldOp::create(builder, location, mlir::ValueRange());
  }
  while (&body.back() != loop.getOperation())
    body.back().erase();
  builder.setInsertionPointToEnd(&body);
  tile::ReturnOp::create(builder, location);
}

/// How the tiles of a case are visited: [batch, heads, queries, keys] with the
/// marks at [.., first query of the block, number of the run].
llvm::Expected<SpecTensor> getVisits(SpecCase &spec, int64_t queriesPerTile,
                                     int64_t keysPerTile) {
  mlir::MLIRContext *context = &spec.getContext();
  mlir::OwningOpRef<mlir::ModuleOp> module = spec.emit();
  auto cpu = tile::CpuPlanAttr::get(context, 4, 4, 4);
  module->walk([&](attn::AttendOp op) {
    op->setAttr(tile::kPlanAttr,
                tile::PlanAttr::get(context, queriesPerTile, keysPerTile, cpu,
                                    /*edge=*/0,
                                    /*grain=*/0, /*in_order=*/true));
  });
  mlir::PassManager passes(context);
  passes.addPass(createAttnToTile());
  if (failed(passes.run(*module)))
    return llvm::createStringError("attn-to-tile failed");
  keepOnlyVisits(*module->getOps<tile::KernelOp>().begin(), queriesPerTile,
                 keysPerTile);
  const SpecSetting &setting = spec.getSetting();
  SpecTensor out("out", support::ElementType::F32,
                 {setting.batch, setting.heads, setting.queries, setting.keys});
  reference::ResultView unwanted{
      nullptr, support::ElementType::F32, {0, 0, 0}, {0, 0, 0}};
  if (llvm::Error error = reference::evaluateTileProgram(
          *module->getOps<tile::ProgramOp>().begin(), spec.views(),
          {out.result(), unwanted}, Precision::Exact))
    return error;
  return out;
}

/// Whether each pair is kept, [batch, heads, queries, keys]: the values are
/// unit vectors and all weights of a row equal, so the result shows the pairs.
SpecTensor getKept(SpecCase &spec) {
  const SpecSetting &setting = spec.getSetting();
  SpecTensor kept(
      "kept", support::ElementType::Boolean,
      {setting.batch, setting.heads, setting.queries, setting.keys});
  reference::AttnEvaluator evaluator = spec.evaluator(Precision::Exact);
  int64_t n = 0;
  for (const reference::Row &row : evaluator.evaluateRows(spec.allRows()))
    for (double value : row.out)
      kept.set(n++, value != 0);
  return kept;
}

struct Counts {
  int64_t tiles = 0;
  int64_t skipped = 0;
  int64_t full = 0;
  int64_t needless = 0; ///< visited though no pair is kept
  int64_t missed = 0;   ///< partial though all pairs are kept
};

/// Compares the visits with the pairs. `error` says what is unsound.
Counts compareVisits(SpecCase &spec, const SpecTensor &visits,
                     int64_t queriesPerTile, int64_t keysPerTile,
                     std::string &error) {
  const SpecSetting &setting = spec.getSetting();
  SpecTensor kept = getKept(spec);
  Counts counts;
  for (int64_t item = 0; item < setting.batch * setting.heads; ++item)
    for (int64_t i = 0; i < setting.queries; i += queriesPerTile)
      for (int64_t j = 0; j < setting.keys; j += keysPerTile) {
        int64_t endI = std::min(i + queriesPerTile, setting.queries);
        int64_t endJ = std::min(j + keysPerTile, setting.keys);
        bool any = false, all = true;
        for (int64_t row = i; row < endI; ++row)
          for (int64_t key = j; key < endJ; ++key) {
            bool isKept =
                kept.get((item * setting.queries + row) * setting.keys + key);
            any |= isKept;
            all &= isKept;
          }
        bool isWhole = endJ - j == keysPerTile;
        int64_t mark = static_cast<int64_t>(visits.get(
            (item * setting.queries + i) * setting.keys + j / keysPerTile));
        ++counts.tiles;
        counts.skipped += mark == kSkipped;
        counts.full += mark == kFull;
        counts.needless += mark != kSkipped && !any;
        counts.missed += mark == kPartial && all && isWhole;
        const char *wrong = mark == kSkipped && any ? "skipped but has pairs"
                            : mark == kFull && !all ? "full but drops pairs"
                            : mark == kFull && !isWhole
                                ? "full but shorter than a tile"
                                : nullptr;
        if (wrong && error.empty())
          error = "batch and head " + std::to_string(item) + ", queries " +
                  std::to_string(i) + " to " + std::to_string(endI - 1) +
                  ", keys " + std::to_string(j) + " to " +
                  std::to_string(endJ - 1) + ": " + wrong;
      }
  return counts;
}

/// Queries and keys are 0, so that all scores are equal; the values are unit
/// vectors.
void showPairs(SpecCase &spec) {
  for (SpecTensor &tensor : spec.tensors)
    if (tensor.name == "q" || tensor.name == "k")
      for (int64_t n = 0; n < tensor.count(); ++n)
        tensor.set(n, 0);
  SpecTensor &values = *spec.find("v");
  int64_t keys = spec.getSetting().keys;
  for (int64_t n = 0; n < values.count(); ++n)
    values.set(n, n / keys % keys == n % keys);
}

struct MaskClassesTest : ::testing::Test {
  std::unique_ptr<mlir::MLIRContext> context = createContext();

  std::unique_ptr<SpecCase> make(SpecSetting setting) {
    setting.context = context.get();
    setting.extents = {{"dim", 1}, {"vdim", setting.keys}};
    auto spec = SpecCase::create(std::move(setting));
    if (!spec) {
      refusal = llvm::toString(spec.takeError());
      return nullptr;
    }
    showPairs(**spec);
    return std::move(*spec);
  }
  std::string refusal;
};

// RAPT_SEED starts at another case, RAPT_CASES says how many.
TEST_F(MaskClassesTest, SoundForRandomMasks) {
  uint64_t first = getSetting("RAPT_SEED", 1);
  uint64_t cases = getSetting("RAPT_CASES", isNightly() ? 200000 : 2000);
  llvm::outs() << "seeds " << first << " to " << first + cases - 1 << "\n";
  llvm::outs().flush();
  Counts sum;
  uint64_t refused = 0;
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    RandomExpressions random(seed);
    SpecSetting setting;
    setting.text = "attention x {" + std::string(random.getInputs()) +
                   "  mask = " + random.makeBoolean(1 + random.below(6)) +
                   "\n}";
    setting.seed = seed;
    setting.batch = 1 + random.below(2);
    setting.kvHeads = 1 + random.below(2);
    setting.heads = setting.kvHeads * (1 + random.below(2));
    setting.queries = 1 + random.below(24);
    setting.keys = 1 + random.below(24);
    int64_t queriesPerTile = 1 + random.below(12);
    int64_t keysPerTile = 1 + random.below(12);
    std::unique_ptr<SpecCase> spec = make(setting);
    if (!spec) {
      ++refused;
      continue;
    }
    auto visits = getVisits(*spec, queriesPerTile, keysPerTile);
    ASSERT_TRUE(static_cast<bool>(visits))
        << "seed " << seed << "\n"
        << setting.text << "\n"
        << llvm::toString(visits.takeError());
    std::string error;
    Counts counts =
        compareVisits(*spec, *visits, queriesPerTile, keysPerTile, error);
    ASSERT_EQ(error, "") << spec->describe() << "\n" << setting.text;
    sum.tiles += counts.tiles;
    sum.skipped += counts.skipped;
    sum.full += counts.full;
    sum.needless += counts.needless;
    sum.missed += counts.missed;
  }
  llvm::outs() << sum.tiles << " tiles, " << sum.skipped << " skipped, "
               << sum.full << " full, " << sum.needless << " visited in vain, "
               << sum.missed << " not seen as full, " << refused
               << " masks refused\n";
  EXPECT_LT(refused, cases / 10 + 1) << refusal;
  // The analysis decides, and the cases are not all alike.
  if (cases >= 1000) {
    EXPECT_GT(sum.skipped, sum.tiles / 10);
    EXPECT_GT(sum.full, sum.tiles / 10);
  }
}

SpecSetting withParams(SpecSetting setting,
                       std::map<std::string, std::string> params) {
  for (auto &[name, value] : params)
    setting.params[name] = value;
  return setting;
}

// For the usual masks a tile is visited if and only if it holds a pair that is
// kept, and is full if and only if all are.
TEST_F(MaskClassesTest, ExactForUsualMasks) {
  std::vector<std::pair<std::string, SpecSetting>> masks = {
      {"full", getExample("full")},
      {"causal", getExample("causal")},
      {"sliding_window", getExample("sliding_window")},
      {"no sinks", withParams(getExample("sliding_window"), {{"sinks", "0"}})},
      {"prefix_lm", getExample("prefix_lm")},
      {"duo", getExample("duo")},
      {"block diagonal", {.text = "attention x { mask = i / 64 == j / 64 }"}},
      {"block causal", {.text = "attention x { mask = i / 16 >= j / 16 }"}},
      {"two sided window", {.text = "attention x { mask = abs(i - j) <= 20 }"}},
      {"padding",
       {.text = "attention x { input length: i32[batch] "
                "mask = j < length[b] }"}},
  };
  struct Extents {
    int64_t queries, keys, queriesPerTile, keysPerTile;
  };
  for (auto &[name, setting] : masks)
    for (Extents extents :
         {Extents{128, 128, 16, 16}, Extents{100, 130, 16, 24},
          Extents{70, 40, 32, 8}, Extents{1, 97, 16, 16}}) {
      SCOPED_TRACE(name + " " + std::to_string(extents.queries) + " x " +
                   std::to_string(extents.keys));
      setting.batch = setting.heads = setting.kvHeads = 2;
      setting.queries = extents.queries;
      setting.keys = extents.keys;
      std::unique_ptr<SpecCase> spec = make(setting);
      ASSERT_TRUE(spec) << refusal;
      if (SpecTensor *lengths = spec->find("prefix"))
        lengths->set(1, extents.keys / 2); // beside a random one
      auto visits =
          getVisits(*spec, extents.queriesPerTile, extents.keysPerTile);
      ASSERT_TRUE(static_cast<bool>(visits))
          << llvm::toString(visits.takeError());
      std::string error;
      Counts counts = compareVisits(*spec, *visits, extents.queriesPerTile,
                                    extents.keysPerTile, error);
      EXPECT_EQ(error, "");
      EXPECT_EQ(counts.needless, 0);
      EXPECT_EQ(counts.missed, 0);
    }
}

} // namespace
