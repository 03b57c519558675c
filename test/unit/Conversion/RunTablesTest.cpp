// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Compiled plans against enumeration and against the evaluator of tile
// programs: what NAME_plan writes for random masks, for tensors of every type
// of integers, and when the memory is too small. Only the plan is compiled, the
// kernels are taken out, so that a mask takes milliseconds.

#include "CompiledPlan.h"
#include "RandomExpressions.h"
#include "lib/Compiler/Pipeline.h"
#include "lib/Compiler/ReadRunTables.h"
#include "lib/Conversion/AttnToTile/KernelScope.h"
#include "gtest/gtest.h"
#include <cstring>

using namespace rapt;
using namespace rapt::testing;

namespace {

mlir::MLIRContext *getSharedContext() {
  static std::unique_ptr<mlir::MLIRContext> context = createContext();
  return context.get();
}

struct RunTablesTest : ::testing::Test {
  std::unique_ptr<SpecCase> make(SpecSetting setting) {
    setting.context = getSharedContext();
    // For showPairs(), up to the widest rows there are.
    setting.extents = {{"dim", 1},
                       {"vdim", std::min<int64_t>(setting.keys, 64)}};
    auto spec = SpecCase::create(std::move(setting));
    if (spec)
      return std::move(*spec);
    llvm::consumeError(spec.takeError());
    return nullptr;
  }
};
} // namespace

/// Runs rise, do not overlap, lie inside the keys, and two of one kind do not
/// touch; the order of blocks is a permutation by falling cost in which equal
/// ones keep their places.
static void checkForm(const RunTable &table) {
  int64_t groups = table.batchGroups * table.headGroups;
  ASSERT_EQ(table.offsets.size(), size_t(groups * table.blocks + 1));
  ASSERT_EQ(table.order.size(), size_t(groups * table.blocks));
  ASSERT_EQ(table.offsets.front(), 0);
  ASSERT_EQ(table.offsets.back(), int64_t(table.runs.size()));
  std::vector<int64_t> costs;
  for (int64_t place = 0; place < groups * table.blocks; ++place) {
    ASSERT_LE(table.offsets[place], table.offsets[place + 1]);
    int64_t end = 0, cost = 0;
    const KeyRun *last = nullptr;
    for (const KeyRun &run : getRuns(table, place)) {
      ASSERT_GT(run.tiles, 0);
      ASSERT_GE(run.firstTile, end);
      if (last && run.firstTile == end) {
        ASSERT_NE(run.isFull, last->isFull) << "runs that are one";
      }
      end = run.firstTile + run.tiles;
      ASSERT_LE(end, table.tiles);
      ASSERT_TRUE(!run.isFull || end * table.keysPerTile <= table.keys);
      cost += run.tiles;
      last = &run;
    }
    costs.push_back(cost);
  }
  for (int64_t group = 0; group < groups; ++group) {
    auto first = table.order.begin() + group * table.blocks;
    std::vector<int64_t> sorted(first, first + table.blocks);
    llvm::sort(sorted);
    for (int64_t n = 0; n < table.blocks; ++n)
      ASSERT_EQ(sorted[n], n) << "not a permutation";
    auto key = [&](int64_t n) {
      int64_t block = *(first + n);
      return std::pair(-costs[group * table.blocks + block], block);
    };
    for (int64_t n = 1; n < table.blocks; ++n)
      ASSERT_LT(key(n - 1), key(n)) << "group " << group << ", turn " << n;
  }
}

/// Plans a case and checks what must hold of every table.
static RunTable planAndCheck(const CompiledPlan &plan, const SpecCase &spec,
                             MaskTiles tiles) {
  auto table = plan.run(spec);
  if (!table) {
    ADD_FAILURE() << llvm::toString(table.takeError());
    return {};
  }
  const SpecSetting &setting = spec.getSetting();
  EXPECT_EQ(table->queries, setting.queries);
  EXPECT_EQ(table->keys, setting.keys);
  EXPECT_EQ(table->queriesPerBlock, tiles.queries);
  EXPECT_EQ(table->keysPerTile, tiles.getStep());
  EXPECT_EQ(table->blocks,
            int64_t(llvm::divideCeil(setting.queries, tiles.queries)));
  EXPECT_EQ(table->tiles,
            int64_t(llvm::divideCeil(setting.keys, tiles.getStep())));
  EXPECT_TRUE(table->batchGroups == 1 || table->batchGroups == setting.batch);
  EXPECT_TRUE(table->headGroups == 1 || table->headGroups == setting.heads);
  checkForm(*table);
  return std::move(*table);
}

// The compiled plan goes down a tree, the evaluator asks about every tile; both
// must give every tile the same class, and no class may be wrong. RAPT_SEED
// starts at another case, RAPT_CASES says how many.
TEST_F(RunTablesTest, SameAsEveryTileOfRandomMasks) {
  uint64_t first = getSetting("RAPT_SEED", 1);
  uint64_t cases = getSetting("RAPT_CASES", isNightly() ? 20000 : 150);
  llvm::outs() << "seeds " << first << " to " << first + cases - 1 << "\n";
  llvm::outs().flush();
  uint64_t done = 0;
  VisitCounts sum;
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
    setting.queries = 1 + random.below(50);
    setting.keys = 1 + random.below(50);
    MaskTiles tiles{16, int64_t(4 + random.below(9)), 0};
    if (seed % 2) {
      tiles.edge = tiles.keys;
      tiles.keys *= 1 + random.below(3);
    }
    std::unique_ptr<SpecCase> spec = make(setting);
    if (!spec)
      continue;
    showPairs(*spec);
    SCOPED_TRACE(spec->describe() + "\n" + setting.text);
    auto plan = CompiledPlan::create(*spec, tiles);
    ASSERT_TRUE(static_cast<bool>(plan)) << llvm::toString(plan.takeError());
    ++done;
    if (!(*plan)->hasTable())
      continue;
    RunTable table = planAndCheck(**plan, *spec, tiles);
    ASSERT_FALSE(HasFailure());
    std::vector<int> found = getVisits(table, setting.batch, setting.heads);
    auto visits = getVisits(*spec, tiles);
    ASSERT_TRUE(static_cast<bool>(visits))
        << llvm::toString(visits.takeError());
    size_t n = 0;
    SpecTensor marks = *visits;
    for (int64_t item = 0; item < setting.batch * setting.heads; ++item)
      for (int64_t block = 0; block < table.blocks; ++block)
        for (int64_t run = 0; run < table.tiles; ++run, ++n) {
          int64_t row = item * setting.queries + block * tiles.queries;
          int64_t place = row * setting.keys + run;
          ASSERT_EQ(found[n], marks.get(place))
              << "batch and head " << item << ", block " << block << ", tile "
              << run;
        }
    std::string error;
    sum += compareVisits(*spec, marks, getKept(*spec), tiles, error);
    ASSERT_EQ(error, "");
  }
  EXPECT_GE(done, cases * 9 / 10);
  llvm::outs() << sum.tiles << " tiles, " << sum.skipped << " skipped, "
               << sum.full << " full\n";
}

/// A random condition that has a closed form over the keys.
static std::string makeCondition(std::mt19937_64 &random, unsigned depth) {
  auto below = [&](uint64_t n) { return random() % n; };
  auto number = [&](int64_t low, int64_t high) {
    int64_t value = low + static_cast<int64_t>(below(high - low + 1));
    return value < 0 ? "(0 - " + std::to_string(-value) + ")"
                     : std::to_string(value);
  };
  if (depth > 0 && below(4) > 0) {
    std::string a = makeCondition(random, depth - 1);
    std::string b = makeCondition(random, depth - 1);
    const char *join = below(3) ? " & " : " | ";
    return (below(6) ? "(" : "!(") + a + join + b + ")";
  }
  const char *compare[] = {" < ", " <= ", " > ", " >= ", " == ", " != "};
  std::string how = compare[below(4)];
  std::string divisor = number(1, 20);
  switch (below(9)) {
  case 0:
    return "i" + how + "j";
  case 1:
    return "i - j" + how + number(-20, 60);
  case 2:
    return "j" + how + number(-3, 100);
  case 3:
    return std::string("i + j") + compare[below(6)] + number(0, 150);
  case 4:
    return "j / " + divisor + how + "i / " + divisor + " - " + number(-2, 5);
  case 5:
    return "abs(i / " + divisor + " - j / " + divisor + ") <= " + number(0, 3);
  case 6:
    return "j % " + divisor + how + number(-1, 12);
  case 7:
    return "min(j, " + number(0, 60) + ")" + how + "max(i - " + number(0, 40) +
           ", " + number(0, 30) + ")";
  default:
    return "j < start[b] + " + number(0, 20);
  }
}

// Masks with a closed form: the runs that it gives hold every pair that is
// kept, their full tiles nothing else, and they know as much as the search
// does. RAPT_SEED and RAPT_CASES as above.
TEST_F(RunTablesTest, ClosedForms) {
  uint64_t first = getSetting("RAPT_SEED", 1);
  uint64_t cases = getSetting("RAPT_CASES", isNightly() ? 20000 : 60);
  llvm::outs() << "seeds " << first << " to " << first + cases - 1 << "\n";
  llvm::outs().flush();
  uint64_t closed = 0;
  VisitCounts sum, searched;
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    std::mt19937_64 random(seed);
    SpecSetting setting;
    setting.text = "attention x { input start: i32[batch]  mask = " +
                   makeCondition(random, seed % 4) + " }";
    setting.seed = seed;
    setting.batch = 2;
    setting.queries = 1 + random() % 80;
    setting.keys = 1 + random() % 64;
    MaskTiles tiles{16, int64_t(1 + random() % 12), 0};
    std::unique_ptr<SpecCase> spec = make(setting);
    ASSERT_TRUE(spec) << setting.text;
    if (SpecTensor *start = spec->find("start"))
      for (int64_t n = 0; n < start->count(); ++n)
        start->set(n, static_cast<double>(random() % 90));
    showPairs(*spec);
    SCOPED_TRACE(spec->describe() + "\n" + setting.text);
    std::optional<RunTable> tables[2];
    bool hasClosedForm = false;
    for (bool isSearched : {false, true}) {
      auto plan =
          CompiledPlan::create(*spec, tiles, [&](tile::ProgramOp program) {
            for (auto runs : program.getBody().getOps<tile::PlanRunsOp>()) {
              hasClosedForm |= !runs.getNext().empty();
              if (isSearched)
                runs.getNext().getBlocks().clear();
            }
          });
      ASSERT_TRUE(static_cast<bool>(plan)) << llvm::toString(plan.takeError());
      if (!hasClosedForm)
        break;
      tables[isSearched] = planAndCheck(**plan, *spec, tiles);
      ASSERT_FALSE(HasFailure());
    }
    if (!hasClosedForm)
      continue;
    ++closed;
    SpecTensor kept = getKept(*spec);
    for (bool isSearched : {false, true}) {
      std::vector<int> found = getVisits(*tables[isSearched], 2, setting.heads);
      SpecTensor marks = kept;
      for (int64_t n = 0; n < marks.count(); ++n)
        marks.set(n, kSkipped);
      size_t n = 0;
      const RunTable &table = *tables[isSearched];
      for (int64_t item = 0; item < 2 * setting.heads; ++item)
        for (int64_t block = 0; block < table.blocks; ++block)
          for (int64_t run = 0; run < table.tiles; ++run, ++n)
            marks.set((item * setting.queries + block * tiles.queries) *
                              setting.keys +
                          run,
                      found[n]);
      std::string error;
      (isSearched ? searched : sum) +=
          compareVisits(*spec, marks, kept, tiles, error);
      ASSERT_EQ(error, "") << (isSearched ? "searched" : "closed form");
    }
  }
  EXPECT_GE(closed, cases / 2);
  llvm::outs() << closed << " closed forms, " << sum.tiles << " tiles, "
               << sum.needless << " visited in vain, " << sum.missed
               << " not seen as full; searched: " << searched.needless << ", "
               << searched.missed << "\n";
  // Both know nearly the same.
  EXPECT_LE(sum.needless, searched.needless + sum.tiles / 200);
  EXPECT_LE(sum.missed, searched.missed + sum.tiles / 200);
}

// Heads that visit columns together: every tile has the class that the tables
// of its heads alone make together, with closed forms and without.
TEST_F(RunTablesTest, HeadsThatShareAnItem) {
  uint64_t first = getSetting("RAPT_SEED", 1);
  uint64_t cases = getSetting("RAPT_CASES", isNightly() ? 5000 : 40);
  constexpr int64_t items = 2, share = 3, heads = items * share;
  uint64_t closed = 0, different = 0;
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    std::mt19937_64 random(seed);
    SpecSetting setting;
    setting.text = "attention x { input start: i32[batch]  mask = where(h % 3 "
                   "== 0, " +
                   makeCondition(random, seed % 3) + ", " +
                   makeCondition(random, 1) + " & i - j < 7 * h) }";
    // Without `where` there is a closed form.
    if (seed % 2)
      setting.text = "attention x { input start: i32[batch]  mask = " +
                     makeCondition(random, seed % 3) +
                     (seed % 4 == 1 ? " & " : " | ") + "j + 4 * h < i }";
    setting.seed = seed;
    setting.heads = setting.kvHeads = heads;
    setting.queries = 1 + random() % 60;
    setting.keys = 1 + random() % 60;
    MaskTiles tiles{16, int64_t(1 + random() % 12), 0};
    std::unique_ptr<SpecCase> spec = make(setting);
    ASSERT_TRUE(spec) << setting.text;
    showPairs(*spec);
    SCOPED_TRACE(spec->describe() + "\n" + setting.text);
    std::vector<int> visits[2];
    for (bool isShared : {false, true}) {
      auto plan =
          CompiledPlan::create(*spec, tiles, [&](tile::ProgramOp program) {
            for (auto runs : program.getBody().getOps<tile::PlanRunsOp>()) {
              closed += isShared && !runs.getNext().empty();
              if (!isShared)
                continue;
              mlir::OpBuilder builder(runs);
              auto number = [&](int64_t value) -> mlir::Value {
                return mlir::arith::ConstantIndexOp::create(
                    builder, runs.getLoc(), value);
              };
              runs.getHeadsMutable().assign(number(items));
              runs.getGroupMutable().assign(number(share));
            }
          });
      ASSERT_TRUE(static_cast<bool>(plan)) << llvm::toString(plan.takeError());
      if (!(*plan)->hasTable())
        break;
      auto table = (*plan)->run(*spec);
      ASSERT_TRUE(static_cast<bool>(table))
          << llvm::toString(table.takeError());
      checkForm(*table);
      visits[isShared] = getVisits(*table, 1, isShared ? items : heads);
    }
    if (visits[true].empty())
      continue;
    size_t each = visits[true].size() / items;
    ASSERT_EQ(visits[false].size(), each * heads);
    for (size_t n = 0; n < visits[true].size(); ++n) {
      size_t place = n / each * share * each + n % each;
      bool any = false, all = true;
      for (int64_t h = 0; h < share; ++h) {
        int found = visits[false][place + h * each];
        any |= found != kSkipped;
        all &= found == kFull;
        different += found != visits[false][place];
      }
      ASSERT_EQ(visits[true][n], all   ? kFull
                                 : any ? kPartial
                                       : kSkipped)
          << "tile " << n;
    }
  }
  EXPECT_GT(closed, cases / 4);
  EXPECT_GT(different, 10 * cases);
}

namespace {
/// A mask over a tensor x of integers [heads, keys], and its meaning for a
/// query `i` and a key `j`; {n} in the text and x(n) are its element for this
/// head, or 0 outside the tensor.
struct TensorMask {
  const char *text;
  bool (*keeps)(int64_t i, int64_t j, llvm::function_ref<int64_t(int64_t)> x);
};
} // namespace

// Bounds of tensors are remembered in blocks of 64, in a tree whose size the
// length rounds up; ranges begin and end anywhere, also outside.
TEST_F(RunTablesTest, TensorsOfEveryType) {
  const TensorMask masks[] = {
      {"{j} > 0",
       [](int64_t, int64_t j, llvm::function_ref<int64_t(int64_t)> x) {
         return x(j) > 0;
       }},
      {"{j - 9} < 1",
       [](int64_t, int64_t j, llvm::function_ref<int64_t(int64_t)> x) {
         return x(j - 9) < 1;
       }},
      {"{i + j} != 0",
       [](int64_t i, int64_t j, llvm::function_ref<int64_t(int64_t)> x) {
         return x(i + j) != 0;
       }},
      {"{i} == {2 * j}",
       [](int64_t i, int64_t j, llvm::function_ref<int64_t(int64_t)> x) {
         return x(i) == x(2 * j);
       }},
  };
  std::mt19937_64 random(7);
  for (const char *type : {"i8", "i16", "i32", "i64", "bool"})
    for (const TensorMask &mask : masks) {
      bool isBoolean = llvm::StringRef(type) == "bool";
      std::string text;
      for (char c : llvm::StringRef(mask.text))
        if (c == '{')
          text += isBoolean ? "where(x[h, " : "x[h, ";
        else if (c == '}')
          text += isBoolean ? "], 1, 0)" : "]";
        else
          text += c;
      SpecSetting setting;
      setting.text = std::string("attention a { input x: ") + type +
                     "[heads, keys]  mask = " + text + " }";
      setting.heads = 2;
      setting.queries = 20;
      setting.keys = 8;
      MaskTiles tiles{16, 16, 8};
      std::unique_ptr<SpecCase> spec = make(setting);
      ASSERT_TRUE(spec) << setting.text;
      auto plan = CompiledPlan::create(*spec, tiles);
      ASSERT_TRUE(static_cast<bool>(plan)) << llvm::toString(plan.takeError());
      for (int64_t keys : {1, 63, 64, 65, 1000, 4097}) {
        spec->resize(1, 2, 1, 20, keys, /*seed=*/1);
        SpecTensor &x = *spec->find("x");
        for (int kind = 0; kind < 4; ++kind) {
          std::vector<int64_t> numbers(x.count());
          for (int64_t n = 0; n < x.count(); ++n) {
            int64_t place = n % keys;
            int64_t value = kind == 0   ? int64_t(random() % 200) - 100
                            : kind == 1 ? place * 100 / keys - 20
                            : kind == 2 ? 3
                            // Blocks of equal numbers, some at the limits.
                            : place / 50 % 3 == 0 ? -128
                                                  : 127;
            numbers[n] = isBoolean ? value > 2 : value;
            x.set(n, numbers[n]);
          }
          SCOPED_TRACE(setting.text + " keys " + std::to_string(keys) +
                       " kind " + std::to_string(kind));
          RunTable table = planAndCheck(**plan, *spec, tiles);
          ASSERT_FALSE(HasFailure());
          std::vector<int> found = getVisits(table, 1, 2);
          size_t n = 0;
          int64_t needless = 0;
          for (int64_t h = 0; h < 2; ++h)
            for (int64_t block = 0; block < table.blocks; ++block)
              for (int64_t run = 0; run < table.tiles; ++run, ++n) {
                bool any = false, all = true;
                for (int64_t row = 16 * block;
                     row < std::min<int64_t>(16 * block + 16, 20); ++row)
                  for (int64_t j = 8 * run; j < std::min(8 * run + 8, keys);
                       ++j) {
                    bool isKept =
                        mask.keeps(row + keys - 20, j, [&](int64_t at) {
                          return at >= 0 && at < keys ? numbers[h * keys + at]
                                                      : 0;
                        });
                    any |= isKept;
                    all &= isKept;
                  }
                ASSERT_TRUE(!any || found[n] != kSkipped);
                ASSERT_TRUE(all || found[n] != kFull);
                needless += !any && found[n] != kSkipped;
              }
          // Of one value that a constant bounds the answer is exact.
          if (&mask == &masks[0] || &mask == &masks[1])
            EXPECT_EQ(needless, 0);
        }
      }
    }
}

// A workspace that is too small is reported with the bytes that are enough;
// nothing beyond it is written, and what fits is the same.
TEST_F(RunTablesTest, TooManyRunsForTheMemory) {
  SpecSetting setting;
  setting.text = "attention a { input x: bool[keys]  mask = x[j] }";
  setting.queries = 70;
  setting.keys = 1000;
  MaskTiles tiles{16, 8, 4};
  std::unique_ptr<SpecCase> spec = make(setting);
  ASSERT_TRUE(spec);
  SpecTensor &x = *spec->find("x");
  for (int64_t n = 0; n < x.count(); ++n) // every second tile of 4
    x.set(n, n / 4 % 2 == 0);
  auto plan = CompiledPlan::create(*spec, tiles);
  ASSERT_TRUE(static_cast<bool>(plan)) << llvm::toString(plan.takeError());
  std::vector<int64_t> words = CompiledPlan::getWords(*spec);
  int64_t least = (*plan)->getBytes(words);
  CompiledPlan::Workspace small(least);
  int64_t needed = (*plan)->plan(words, small);
  EXPECT_GT(needed, least);
  EXPECT_TRUE(small.isGuardIntact());
  RunTable table = planAndCheck(**plan, *spec, tiles);
  EXPECT_EQ(table.runs.size(), size_t(5 * 125));
  for (int64_t bytes : {needed - 8, needed, needed + 8, least + 8}) {
    CompiledPlan::Workspace workspace(bytes);
    EXPECT_EQ((*plan)->plan(words, workspace), needed);
    EXPECT_TRUE(workspace.isGuardIntact()) << bytes;
    if (bytes < needed)
      continue;
    RunTable again = readRunTables(workspace.get(), 0, 1).front();
    EXPECT_EQ(again.offsets, table.offsets);
    EXPECT_EQ(again.order, table.order);
  }
}

// No keys, no queries, no batch: a table without runs.
TEST_F(RunTablesTest, NothingToPlan) {
  SpecSetting setting;
  setting.text = "attention a { input x: i32[batch, keys]  mask = x[j] > i }";
  setting.queries = setting.keys = 8;
  MaskTiles tiles{16, 8, 4};
  std::unique_ptr<SpecCase> spec = make(setting);
  ASSERT_TRUE(spec);
  auto plan = CompiledPlan::create(*spec, tiles);
  ASSERT_TRUE(static_cast<bool>(plan)) << llvm::toString(plan.takeError());
  struct Extents {
    int64_t batch, queries, keys;
  };
  for (Extents extents :
       {Extents{1, 20, 0}, Extents{1, 0, 20}, Extents{0, 20, 20}}) {
    spec->resize(extents.batch, 1, 1, extents.queries, extents.keys, 1);
    RunTable table = planAndCheck(**plan, *spec, tiles);
    EXPECT_TRUE(table.runs.empty());
  }
}

// A mask that tells neither batches nor heads apart is planned once for all.
TEST_F(RunTablesTest, GroupsThatTheMaskTellsApart) {
  struct Case {
    const char *text;
    int64_t batches, heads;
  };
  for (const Case &one : {Case{"attention a { mask = i >= j }", 1, 1},
                          Case{"attention a { mask = i >= j + b }", 3, 1},
                          Case{"attention a { mask = i >= j + h }", 1, 2},
                          Case{"attention a { input x: i32[batch, heads] "
                               "mask = i - j <= x[b, h] }",
                               3, 2}}) {
    SpecSetting setting;
    setting.text = one.text;
    setting.batch = 3;
    setting.heads = setting.kvHeads = 2;
    setting.queries = setting.keys = 33;
    MaskTiles tiles{16, 8, 4};
    std::unique_ptr<SpecCase> spec = make(setting);
    ASSERT_TRUE(spec);
    auto plan = CompiledPlan::create(*spec, tiles);
    ASSERT_TRUE(static_cast<bool>(plan)) << llvm::toString(plan.takeError());
    RunTable table = planAndCheck(**plan, *spec, tiles);
    EXPECT_EQ(table.batchGroups, one.batches) << one.text;
    EXPECT_EQ(table.headGroups, one.heads) << one.text;
  }
}

// Keys as rows and queries as columns: a tile has the class that it has the
// other way round, as far as both cut the pairs alike.
TEST_F(RunTablesTest, Transposed) {
  for (const char *mask :
       {"i >= j", "i >= j & (i - j < 20 | j < 3)", "doc[i] == doc[j]",
        "j < start[b] | i % 16 == j % 16", "doc[j] + h > i"}) {
    SpecSetting setting;
    setting.text = std::string("attention x { input doc: i32[batch, keys]  "
                               "input start: i32[batch]  mask = ") +
                   mask + " }";
    setting.batch = setting.heads = setting.kvHeads = 2;
    setting.queries = 41;
    setting.keys = 50;
    std::unique_ptr<SpecCase> spec = make(setting);
    ASSERT_TRUE(spec);
    setting = spec->getSetting();
    MaskTiles tiles{16, 8, 0};
    auto plan =
        CompiledPlan::create(*spec, tiles, [&](tile::ProgramOp program) {
          auto runs = *program.getBody().getOps<tile::PlanRunsOp>().begin();
          mlir::OpBuilder builder(runs);
          builder.setInsertionPointAfter(runs);
          conversion::emitTransposedRuns(builder, runs, tiles.keys,
                                         tiles.queries);
        });
    ASSERT_TRUE(static_cast<bool>(plan)) << llvm::toString(plan.takeError());
    auto found = (*plan)->runAll(*spec);
    ASSERT_TRUE(static_cast<bool>(found)) << llvm::toString(found.takeError());
    ASSERT_EQ(found->size(), 2u);
    const RunTable &table = (*found)[0], &transposed = (*found)[1];
    EXPECT_EQ(transposed.queries, setting.keys) << "its rows";
    EXPECT_EQ(transposed.keys, setting.queries) << "its columns";
    checkForm(transposed);
    std::vector<int> visits = getVisits(table, 2, 2);
    std::vector<int> turned = getVisits(transposed, 2, 2);
    ASSERT_EQ(visits.size(), turned.size());
    for (int64_t item = 0; item < 4; ++item)
      for (int64_t block = 0; block < table.blocks; ++block)
        for (int64_t tile = 0; tile < table.tiles; ++tile) {
          int64_t own =
              visits[(item * table.blocks + block) * table.tiles + tile];
          int64_t other =
              turned[(item * table.tiles + tile) * table.blocks + block];
          // The last tile of a row is never full.
          bool isShort = (tile + 1) * tiles.keys > setting.keys ||
                         (block + 1) * tiles.queries > setting.queries;
          ASSERT_EQ(isShort ? own != kSkipped : own,
                    isShort ? other != kSkipped : other)
              << mask << ", queries from " << block * tiles.queries
              << ", keys from " << tile * tiles.keys;
        }
  }
}

// Inputs may hold any number of their type: nothing is refused, and what no
// position reaches keeps or drops all.
TEST_F(RunTablesTest, NumbersAtTheLimitsOfTheirTypes) {
  SpecSetting setting;
  setting.text = "attention x { input id: i64[keys]  input start: i32[batch]  "
                 "mask = j < start[b] & (id[i] == id[j] | id[j] % 7 == 3) "
                 "| i - start[b] > j & id[j] < id[i] }";
  setting.batch = 6;
  setting.queries = 48;
  setting.keys = 48;
  std::unique_ptr<SpecCase> spec = make(setting);
  ASSERT_TRUE(spec);
  showPairs(*spec);
  constexpr int64_t least = std::numeric_limits<int64_t>::min();
  constexpr int64_t largest = std::numeric_limits<int64_t>::max();
  int64_t ids[] = {least, least + 1, -1, 0, largest - 1, largest};
  int32_t starts[] = {INT32_MIN, -1, 0, 17, 48, INT32_MAX};
  SpecTensor &id = *spec->find("id"), &start = *spec->find("start");
  for (int64_t n = 0; n < 48; ++n)
    std::memcpy(id.data.data() + 8 * n, &ids[n / 8], 8);
  for (int64_t b = 0; b < 6; ++b)
    start.set(b, starts[b]);
  MaskTiles tiles{16, 8, 0};
  auto plan = CompiledPlan::create(*spec, tiles);
  ASSERT_TRUE(static_cast<bool>(plan)) << llvm::toString(plan.takeError());
  RunTable table = planAndCheck(**plan, *spec, tiles);
  std::vector<int> visits = getVisits(table, 6, 1);
  SpecTensor kept = getKept(*spec);
  for (int64_t b = 0; b < 6; ++b)
    for (int64_t block = 0; block < 3; ++block)
      for (int64_t tile = 0; tile < 6; ++tile) {
        bool any = false, all = true;
        for (int64_t i = 16 * block; i < 16 * block + 16; ++i)
          for (int64_t j = 8 * tile; j < 8 * tile + 8; ++j) {
            any |= kept.get((b * 48 + i) * 48 + j) != 0;
            all &= kept.get((b * 48 + i) * 48 + j) != 0;
          }
        int mark = visits[(b * 3 + block) * 6 + tile];
        ASSERT_TRUE(!any || mark != kSkipped)
            << b << " " << block << " " << tile;
        ASSERT_TRUE(all || mark != kFull) << b << " " << block << " " << tile;
      }
}
