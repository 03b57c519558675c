// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Compiled plans of masks whose queries and keys are taken in an order of their
// own, against enumeration in that order: keys and queries sorted by a class,
// and keys that are listed once more because a mark keeps them.

#include "CompiledPlan.h"
#include "lib/Compiler/Pipeline.h"
#include "gtest/gtest.h"
#include <numeric>

using namespace rapt;
using namespace rapt::testing;

namespace {

mlir::MLIRContext *getSharedContext() {
  static std::unique_ptr<mlir::MLIRContext> context = createContext();
  return context.get();
}

/// Positions in the order of a list.
using Order = std::vector<int64_t>;
/// Whether a pair is kept at a place of the list of keys.
using Keeps = llvm::function_ref<bool(int64_t query, int64_t place)>;

/// A random condition that has a closed form over the keys.
std::string makeCondition(std::mt19937_64 &random) {
  auto below = [&](uint64_t n) { return std::to_string(random() % n); };
  switch (random() % 7) {
  case 0:
    return "i >= j";
  case 1:
    return "i - j < " + below(60);
  case 2:
    return "i >= j & i - j < " + below(60);
  case 3:
    return "abs(i - j) <= " + below(30);
  case 4:
    return "j / 8 <= i / 8";
  case 5:
    return "(i >= j | j < " + below(20) + ")";
  default:
    return "i + j < " + below(150);
  }
}

Order sortBy(llvm::ArrayRef<int64_t> classes) {
  Order order(classes.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](int64_t a, int64_t b) {
    return std::pair(classes[a], a) < std::pair(classes[b], b);
  });
  return order;
}

/// Visits of one batch against enumeration; `queries` in the order of their
/// list, `places` in the list of keys.
VisitCounts compare(llvm::ArrayRef<int> visits, const RunTable &table,
                    const Order &queries, int64_t places, Keeps keeps) {
  VisitCounts counts;
  size_t n = 0;
  int64_t rows = table.queriesPerBlock, columns = table.keysPerTile;
  for (int64_t block = 0; block < table.blocks; ++block)
    for (int64_t tile = 0; tile < table.tiles; ++tile, ++n) {
      bool any = false, all = true;
      auto end = std::min<int64_t>((block + 1) * rows, queries.size());
      for (int64_t row = block * rows; row < end; ++row)
        for (int64_t place = tile * columns;
             place < std::min((tile + 1) * columns, places); ++place) {
          bool isKept = keeps(queries[row], place);
          any |= isKept;
          all &= isKept;
        }
      ++counts.tiles;
      bool isWhole = (tile + 1) * columns <= places;
      counts.skipped += visits[n] == kSkipped;
      counts.full += visits[n] == kFull;
      counts.needless += visits[n] != kSkipped && !any;
      counts.missed += visits[n] == kPartial && all && isWhole;
      EXPECT_TRUE(!any || visits[n] != kSkipped)
          << "block " << block << " tile " << tile << " skipped";
      EXPECT_TRUE(visits[n] != kFull || (all && isWhole))
          << "block " << block << " tile " << tile << " full";
    }
  return counts;
}

struct ListedRunsTest : ::testing::Test {
  std::unique_ptr<SpecCase> make(const std::string &text, int64_t queries,
                                 int64_t keys) {
    SpecSetting setting;
    setting.context = getSharedContext();
    setting.text = text;
    setting.batch = 2;
    setting.queries = queries;
    setting.keys = keys;
    setting.extents = {{"dim", 1}, {"vdim", std::min<int64_t>(keys, 64)}};
    auto spec = SpecCase::create(std::move(setting));
    if (spec)
      return std::move(*spec);
    ADD_FAILURE() << text << "\n" << llvm::toString(spec.takeError());
    return nullptr;
  }

  /// Plans with closed forms and by search, in this order.
  void plan(SpecCase &spec, MaskTiles tiles, std::vector<RunTable> &tables) {
    for (bool isSearched : {false, true}) {
      auto plan =
          CompiledPlan::create(spec, tiles, [&](tile::ProgramOp program) {
            for (auto runs : program.getBody().getOps<tile::PlanRunsOp>()) {
              EXPECT_FALSE(runs.getNext().empty());
              EXPECT_TRUE(runs->hasAttr(tile::kListedAttr));
              if (isSearched) {
                runs.getNext().getBlocks().clear();
                runs.getGroups().getBlocks().clear();
              }
            }
          });
      ASSERT_TRUE(static_cast<bool>(plan)) << llvm::toString(plan.takeError());
      auto table = (*plan)->run(spec);
      ASSERT_TRUE(static_cast<bool>(table))
          << llvm::toString(table.takeError());
      tables.push_back(std::move(*table));
    }
  }

  /// Both know nearly the same.
  void expectNoWorse() {
    llvm::outs() << sum[0].tiles << " tiles, " << sum[0].full << " full, "
                 << sum[0].needless << " visited in vain, " << sum[0].missed
                 << " not seen as full; searched: " << sum[1].needless << ", "
                 << sum[1].missed << "\n";
    EXPECT_GT(sum[0].full, 0);
    EXPECT_GT(sum[0].skipped, sum[0].tiles / 10);
    EXPECT_LE(sum[0].needless, sum[1].needless + sum[0].tiles / 200);
    EXPECT_LE(sum[0].missed, sum[1].missed + sum[0].tiles / 200);
  }

  VisitCounts sum[2];
};

/// How `makeCondition` reads, by the Reference: whether each pair of a batch is
/// kept.
class PairsOf {
public:
  explicit PairsOf(SpecCase &spec)
      : setting(spec.getSetting()), kept((showPairs(spec), getKept(spec))) {}
  bool get(int64_t batch, int64_t query, int64_t key) const {
    return kept.get((batch * setting.heads * setting.queries + query) *
                        setting.keys +
                    key) != 0;
  }

private:
  const SpecSetting &setting;
  SpecTensor kept;
};

} // namespace

// RAPT_SEED starts at another case, RAPT_CASES says how many.
TEST_F(ListedRunsTest, SortedByClass) {
  uint64_t first = getSetting("RAPT_SEED", 1);
  uint64_t cases = getSetting("RAPT_CASES", isNightly() ? 5000 : 15);
  llvm::outs() << "seeds " << first << " to " << first + cases - 1 << "\n";
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    std::mt19937_64 random(seed);
    int64_t keys = 1 + random() % 64, queries = 1 + random() % keys;
    int64_t modulus = 2 + random() % 9;
    bool isResidue = random() % 3 == 0;
    std::string condition = makeCondition(random);
    std::string equal = isResidue
                            ? "(i - j) % " + std::to_string(modulus) + " == 0"
                            : "doc[b, i] == doc[b, j]";
    std::unique_ptr<SpecCase> spec =
        make("attention x { " +
                 std::string(isResidue ? "" : "input doc: i32[batch, keys] ") +
                 "mask = " + equal + " & " + condition + " }",
             queries, keys);
    ASSERT_TRUE(spec);
    std::vector<std::vector<int64_t>> classes(2, std::vector<int64_t>(keys));
    for (int64_t batch = 0; batch < 2; ++batch)
      for (int64_t j = 0, id = -2; j < keys; ++j) {
        id = random() % 4 == 0 ? id + 1 : id;
        classes[batch][j] = isResidue  ? j % modulus
                            : seed % 2 ? id
                                       : int64_t(random() % 5) - 2;
        if (!isResidue)
          spec->find("doc")->set(batch * keys + j,
                                 static_cast<double>(classes[batch][j]));
      }
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + spec->describe() +
                 "\n" + spec->getSetting().text);
    MaskTiles tiles{16, int64_t(1 + random() % 12), 0, /*isInOrder=*/false};
    PairsOf pairs(*spec);
    std::vector<RunTable> tables;
    plan(*spec, tiles, tables);
    ASSERT_FALSE(HasFailure());
    for (bool isSearched : {false, true}) {
      const RunTable &table = tables[isSearched];
      std::vector<int> visits = getVisits(table, 2, 1);
      for (int64_t batch = 0; batch < 2; ++batch) {
        Order keyOrder = sortBy(classes[batch]);
        Order queryOrder =
            sortBy(llvm::ArrayRef(classes[batch]).drop_front(keys - queries));
        int64_t count = table.blocks * table.tiles;
        sum[isSearched] +=
            compare(llvm::ArrayRef(visits).slice(batch * count, count), table,
                    queryOrder, keys, [&](int64_t query, int64_t place) {
                      return pairs.get(batch, query, keyOrder[place]);
                    });
      }
    }
    ASSERT_FALSE(HasFailure()) << condition;
  }
  expectNoWorse();
}

TEST_F(ListedRunsTest, MarkedKeys) {
  uint64_t first = getSetting("RAPT_SEED", 1);
  uint64_t cases = getSetting("RAPT_CASES", isNightly() ? 5000 : 15);
  llvm::outs() << "seeds " << first << " to " << first + cases - 1 << "\n";
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    std::mt19937_64 random(seed);
    int64_t keys = 1 + random() % 64, queries = 1 + random() % keys;
    std::string few = makeCondition(random);
    std::string outer = random() % 2 ? "i >= j & " : "";
    auto textWith = [&](const char *mark) {
      return "attention x { input g: bool[batch, keys]  mask = " + outer + "(" +
             few + mark + ") }";
    };
    std::unique_ptr<SpecCase> spec =
        make(textWith(" | g[b, j]"), queries, keys);
    ASSERT_TRUE(spec);
    std::vector<std::vector<int64_t>> lists(2);
    for (int64_t batch = 0; batch < 2; ++batch) {
      for (int64_t j = 0; j < keys; ++j)
        lists[batch].push_back(j);
      uint64_t share = 1 + random() % 8;
      for (int64_t j = 0; j < keys; ++j) {
        bool isMarked = random() % share == 0;
        spec->find("g")->set(batch * keys + j, isMarked);
        if (isMarked)
          lists[batch].push_back(j);
      }
    }
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + spec->describe() +
                 "\n" + spec->getSetting().text);
    std::unique_ptr<SpecCase> unmarked =
        make(textWith(" | (g[b, j] & j < 0)"), queries, keys);
    ASSERT_TRUE(unmarked);
    MaskTiles tiles{16, int64_t(1 + random() % 12), 0, /*isInOrder=*/false};
    PairsOf pairs(*spec), plain(*unmarked);
    std::vector<RunTable> tables;
    plan(*spec, tiles, tables);
    ASSERT_FALSE(HasFailure());
    Order queryOrder(queries);
    std::iota(queryOrder.begin(), queryOrder.end(), 0);
    for (bool isSearched : {false, true}) {
      const RunTable &table = tables[isSearched];
      std::vector<int> visits = getVisits(table, 2, 1);
      for (int64_t batch = 0; batch < 2; ++batch) {
        llvm::ArrayRef<int64_t> list = lists[batch];
        int64_t count = table.blocks * table.tiles;
        sum[isSearched] +=
            compare(llvm::ArrayRef(visits).slice(batch * count, count), table,
                    queryOrder, 2 * keys, [&](int64_t query, int64_t place) {
                      if (place >= static_cast<int64_t>(list.size()))
                        return false;
                      int64_t key = list[place];
                      bool isPlain = plain.get(batch, query, key);
                      return place < keys
                                 ? isPlain
                                 : !isPlain && pairs.get(batch, query, key);
                    });
      }
    }
    ASSERT_FALSE(HasFailure()) << few;
  }
  expectNoWorse();
}
