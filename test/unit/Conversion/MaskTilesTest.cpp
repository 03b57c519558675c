// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// How many tiles the plans of usual masks visit, at lengths and tiles of real
// kernels, against the tiles that hold a pair. The masks are written a second
// time as functions here.

#include "CompiledPlan.h"
#include "lib/Compiler/Pipeline.h"
#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

using namespace rapt;
using namespace rapt::testing;

namespace {

/// Tiles of 64 queries and 32 keys at the ends of runs.
constexpr MaskTiles kTiles{64, 128, 32};

/// For Case::slack: any number.
constexpr double kUnbounded = -1;

/// The place of a pair; i counts as in the language.
struct Pair {
  int64_t b, h, i, j;
};
using Mask = std::function<bool(Pair)>;

struct Case {
  std::string name;
  SpecSetting setting;
  /// Fills the tensors of the spec and gives its meaning.
  std::function<Mask(SpecCase &)> prepare;
  /// Tiles visited in vain, as a fraction of those that must be; more means
  /// that the analysis knows less than it did.
  double slack = 0;
};

int64_t floorDivide(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && a < 0);
}
int64_t modulo(int64_t a, int64_t b) { return a - floorDivide(a, b) * b; }

SpecSetting makeText(const std::string &mask) {
  return {.text = "attention x { mask = " + mask + " }"};
}

/// An example with its own params, not those of small tests.
SpecSetting makeExample(const std::string &name,
                        std::map<std::string, std::string> params = {}) {
  SpecSetting setting = getExample(name);
  setting.params = std::move(params);
  return setting;
}

std::vector<Case> getCases() {
  std::vector<Case> cases;
  auto add = [&](std::string name, SpecSetting setting, Mask mask,
                 double slack = 0) {
    cases.push_back({std::move(name), std::move(setting),
                     [mask](SpecCase &) { return mask; }, slack});
  };
  add("causal", makeExample("causal"), [](Pair p) { return p.i >= p.j; });
  for (auto [window, sinks] :
       {std::pair<int64_t, int64_t>{1024, 4}, {1, 0}, {100, 40}, {333, 1}})
    add(llvm::formatv("sliding_window {0} {1}", window, sinks),
        makeExample("sliding_window", {{"window", std::to_string(window)},
                                       {"sinks", std::to_string(sinks)}}),
        [window, sinks](Pair p) {
          return p.i >= p.j && (p.i - p.j < window || p.j < sinks);
        });
  add("gemma2_local", makeExample("gemma2_local"),
      [](Pair p) { return p.i >= p.j && p.i - p.j < 4096; });
  add("dilated", makeExample("dilated"), [](Pair p) {
    return p.i >= p.j && (p.i - p.j) % 16 == 0 && p.i - p.j < 4096;
  });
  for (auto [step, rest, window] :
       {std::tuple<int64_t, int64_t, int64_t>{50, 0, 1000},
        {7, 3, 90},
        {1000, 500, 4096},
        {130, 129, 4000}})
    add(llvm::formatv("dilated {0} {1} {2}", step, rest, window),
        makeText(llvm::formatv("i >= j & (i - j) % {0} == {1} & i - j < {2}",
                               step, rest, window)),
        [step, rest, window](Pair p) {
          return p.i >= p.j && (p.i - p.j) % step == rest && p.i - p.j < window;
        });
  for (int64_t s : {128, 100, 20, 300})
    add(llvm::formatv("strided {0}", s),
        makeExample("strided", {{"s", std::to_string(s)}}), [s](Pair p) {
          return p.i >= p.j && (p.i - p.j < s || p.j % s >= s - 4);
        });
  // Where a tile has queries of several lines of the picture, their rows and
  // columns are not independent; it takes another order to be exact. Here only
  // that nothing is left out.
  for (auto [w, r] :
       {std::pair<int64_t, int64_t>{64, 3}, {100, 5}, {48, 2}, {224, 3}})
    add(
        llvm::formatv("natten2d {0} {1}", w, r),
        makeExample("natten2d",
                    {{"w", std::to_string(w)}, {"r", std::to_string(r)}}),
        [w, r](Pair p) {
          return std::abs(floorDivide(p.i, w) - p.j / w) <= r &&
                 std::abs(modulo(p.i, w) - p.j % w) <= r;
        },
        kUnbounded);
  add("llama4_chunked", makeText("i >= j & i / 8192 == j / 8192"), [](Pair p) {
    return p.i >= p.j && floorDivide(p.i, 8192) == p.j / 8192;
  });
  add("chunks of 700", makeText("i >= j & i / 700 == j / 700"),
      [](Pair p) { return p.i >= p.j && floorDivide(p.i, 700) == p.j / 700; });
  add("band of remainders",
      makeText("j % 1000 >= 400 & j % 1000 < 410 & i >= j"), [](Pair p) {
        return p.j % 1000 >= 400 && p.j % 1000 < 410 && p.i >= p.j;
      });
  add("never equal", makeText("2 * i == 4 * j + 1"),
      [](Pair) { return false; });
  add("residues that do not meet", makeText("(6 * i) % 9 == (3 * j) % 9 + 1"),
      [](Pair) { return false; });
  add("the same on both sides", makeText("i * 3 + j * 5 < j * 6 + i * 2"),
      [](Pair p) { return p.i < p.j; });
  add("beyond", makeText("i - j >= 700 & i + 3 - j < 700"),
      [](Pair) { return false; });
  add("quotients and bounds", makeText("j / 100 >= 3 & j < 301 | i / 64 < 1"),
      [](Pair p) {
        return p.j / 100 >= 3 && p.j < 301 ? true : floorDivide(p.i, 64) < 1;
      });
  add("complement of a band", makeText("!(i - j < 300 & i - j > -300)"),
      [](Pair p) { return std::abs(p.i - p.j) >= 300; });
  add("choice", makeText("where(j < 1000, i - j > 2000, i >= j)"),
      [](Pair p) { return p.j < 1000 ? p.i - p.j > 2000 : p.i >= p.j; });
  add("real distance", makeText("i >= j & real(i - j) * 0.5 < 100.0"),
      [](Pair p) { return p.i >= p.j && p.i - p.j < 200; });
  add("rounded distance", makeText("i >= j & floor(real(j) / 64) >= 20"),
      [](Pair p) { return p.i >= p.j && p.j >= 1280; });
  add("width from the length", makeText("i >= j & i - j < max(1, keys / 10)"),
      nullptr);
  cases.back().prepare = [](SpecCase &spec) -> Mask {
    int64_t width = std::max<int64_t>(1, spec.getSetting().keys / 10);
    return [width](Pair p) { return p.i >= p.j && p.i - p.j < width; };
  };

  cases.push_back({"prefix_lm", makeExample("prefix_lm"), [](SpecCase &spec) {
                     SpecTensor *prefix = spec.find("prefix");
                     prefix->set(0, spec.getSetting().keys / 3);
                     prefix->set(1, 0);
                     return [=](Pair p) {
                       return p.i >= p.j || p.j < prefix->get(p.b);
                     };
                   }});
  cases.push_back({"duo", makeExample("duo"), [](SpecCase &spec) {
                     SpecTensor *full = spec.find("full");
                     full->set(0, 0);
                     full->set(1, 1);
                     return [=](Pair p) {
                       return p.i >= p.j && (full->get(p.h) != 0 ||
                                             p.i - p.j < 256 || p.j < 4);
                     };
                   }});
  for (bool isCausal : {true, false})
    cases.push_back(
        {isCausal ? "documents" : "documents, both directions",
         isCausal ? makeExample("documents")
                  : SpecSetting{.text = "attention x { input doc: i32[batch, "
                                        "keys]  mask = doc[i] == doc[j] }"},
         [isCausal](SpecCase &spec) {
           SpecTensor &doc = *spec.find("doc");
           int64_t keys = spec.getSetting().keys, id = 0;
           std::mt19937_64 random(3);
           for (int64_t n = 0; n < doc.count(); ++n) {
             if (n % keys == 0)
               id = 0;
             else if (random() % 300 == 0)
               id += 1 + random() % 2;
             doc.set(n, id);
           }
           std::vector<int64_t> ids;
           for (int64_t n = 0; n < doc.count(); ++n)
             ids.push_back(doc.get(n));
           return [=](Pair p) {
             int64_t own = p.i >= 0 ? ids[p.b * keys + p.i] : 0;
             return (!isCausal || p.i >= p.j) && own == ids[p.b * keys + p.j];
           };
         },
         // Of queries before the first key the id is 0.
         isCausal ? 0 : 0.05});
  return cases;
}

struct MaskTilesTest : ::testing::Test {
  std::unique_ptr<mlir::MLIRContext> context = createContext();
};

/// Whether a tile of 64 x 32 holds a pair.
bool hasPair(const Mask &mask, const SpecSetting &setting, Pair first) {
  int64_t offset = setting.keys - setting.queries;
  int64_t endRow = std::min(first.i + kTiles.queries, setting.queries);
  int64_t endKey = std::min(first.j + kTiles.getStep(), setting.keys);
  for (int64_t row = first.i; row < endRow; ++row)
    for (int64_t j = first.j; j < endKey; ++j)
      if (mask({first.b, first.h, row + offset, j}))
        return true;
  return false;
}

} // namespace

TEST_F(MaskTilesTest, VisitedAreThoseThatHoldAPair) {
  struct Lengths {
    int64_t queries, keys;
  };
  for (Case &one : getCases()) {
    SpecSetting setting = one.setting;
    setting.context = context.get();
    setting.batch = setting.heads = setting.kvHeads = 2;
    auto spec = SpecCase::create(setting);
    ASSERT_TRUE(static_cast<bool>(spec))
        << one.name << ": " << llvm::toString(spec.takeError());
    auto plan = CompiledPlan::create(**spec, kTiles);
    ASSERT_TRUE(static_cast<bool>(plan)) << llvm::toString(plan.takeError());
    for (Lengths lengths :
         {Lengths{4096, 4096}, Lengths{700, 5000}, Lengths{1000, 333}}) {
      (*spec)->resize(2, 2, 2, lengths.queries, lengths.keys, 1);
      Mask mask = one.prepare(**spec);
      SCOPED_TRACE(llvm::formatv("{0}, {1} queries, {2} keys", one.name,
                                 lengths.queries, lengths.keys)
                       .str());
      auto table = (*plan)->run(**spec);
      ASSERT_TRUE(static_cast<bool>(table))
          << llvm::toString(table.takeError());
      int64_t batches = table->batchGroups, heads = table->headGroups;
      std::vector<int> visits = getVisits(*table, batches, heads);
      int64_t needed = 0, needless = 0;
      size_t n = 0;
      for (int64_t b = 0; b < batches; ++b)
        for (int64_t h = 0; h < heads; ++h)
          for (int64_t block = 0; block < table->blocks; ++block)
            for (int64_t tile = 0; tile < table->tiles; ++tile, ++n) {
              Pair first{b, h, block * kTiles.queries, tile * kTiles.getStep()};
              bool any = hasPair(mask, (*spec)->getSetting(), first);
              ASSERT_TRUE(!any || visits[n] != kSkipped)
                  << "a pair is left out from query " << first.i << ", key "
                  << first.j;
              needed += any;
              needless += !any && visits[n] != kSkipped;
            }
      llvm::outs() << llvm::formatv("{0,-28} {1,5} x {2,5}: {3,6} tiles, {4} "
                                    "visited in vain\n",
                                    one.name, lengths.queries, lengths.keys,
                                    needed, needless);
      if (one.slack != kUnbounded)
        EXPECT_LE(needless, one.slack * needed);
    }
  }
}
