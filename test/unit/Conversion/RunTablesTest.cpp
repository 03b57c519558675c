// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Compiled plans against enumeration and against the evaluator of tile
// programs: what NAME_plan writes for random masks, for tensors of every type
// of integers, and when the memory is too small. Only the plan is compiled, the
// kernels are taken out, so that a mask takes milliseconds.

#include "MaskVisits.h"
#include "RandomExpressions.h"
#include "lib/Codegen/Codegen.h"
#include "lib/Compiler/LowerToLLVM.h"
#include "lib/Compiler/Pipeline.h"
#include "lib/Compiler/ReadRunTables.h"
#include "lib/Conversion/TileToVector/TileToVector.h"
#include "lib/Runtime/KernelLoader.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include "gtest/gtest.h"

using namespace rapt;
using namespace rapt::testing;

namespace {

mlir::MLIRContext *getSharedContext() {
  static std::unique_ptr<mlir::MLIRContext> context = createContext();
  return context.get();
}

/// The plan entry of a spec, without its kernels.
class CompiledPlan {
public:
  static llvm::Expected<std::unique_ptr<CompiledPlan>> create(SpecCase &spec,
                                                              MaskTiles tiles);

  /// Words of the arguments; the results are not wanted.
  static std::vector<int64_t> getWords(const SpecCase &spec);

  /// A workspace of `bytes`, and behind it memory that must stay as it is.
  struct Workspace {
    static constexpr size_t kGuard = 4096;
    explicit Workspace(int64_t bytes)
        : bytes(bytes), memory(bytes + kGuard + 64, '\xa5') {}
    void *get() {
      return reinterpret_cast<void *>(
          llvm::alignTo(reinterpret_cast<uintptr_t>(memory.data()), 64));
    }
    bool isGuardIntact() {
      const char *end = static_cast<const char *>(get()) + bytes;
      const char *last = memory.data() + memory.size();
      return std::all_of(end, last, [](char c) { return c == '\xa5'; });
    }
    int64_t bytes;
    std::vector<char> memory;
  };

  int64_t getBytes(const std::vector<int64_t> &words) const {
    return kernel->getEntries().workspace(words.data());
  }
  int64_t plan(const std::vector<int64_t> &words, Workspace &workspace) const {
    return kernel->getEntries().plan(words.data(), workspace.get(),
                                     workspace.bytes);
  }
  /// A mask that keeps every pair has no table.
  bool hasTable() const { return tables > 0; }
  /// Plans, again if the memory was too small, and checks what must hold of
  /// every table.
  RunTable run(const SpecCase &spec, MaskTiles tiles) const;

private:
  std::unique_ptr<runtime::LoadedKernel> kernel;
  int64_t tables = 0;
};

} // namespace

llvm::Expected<std::unique_ptr<CompiledPlan>>
CompiledPlan::create(SpecCase &spec, MaskTiles tiles) {
  mlir::OwningOpRef<mlir::ModuleOp> module = spec.emit();
  if (llvm::Error error = makeTileProgram(*module, tiles))
    return std::move(error);
  auto program = *module->getOps<tile::ProgramOp>().begin();
  std::string name = program.getSymName().str();
  for (auto launch :
       llvm::make_early_inc_range(program.getBody().getOps<tile::LaunchOp>()))
    launch.erase();
  for (auto kernel :
       llvm::make_early_inc_range(module->getOps<tile::KernelOp>()))
    kernel.erase();
  const target::CpuTarget &target = target::getHostTarget();
  mlir::PassManager passes(module->getContext());
  passes.addPass(createTileToVector(target.getLanes32()));
  passes.addPass(mlir::createCanonicalizerPass());
  passes.addPass(mlir::createCSEPass());
  passes.addPass(createLowerToLLVM());
  if (failed(passes.run(*module)))
    return llvm::createStringError("the program does not lower");
  llvm::LLVMContext context;
  auto translated = translateToLLVM(*module, context);
  if (!translated)
    return translated.takeError();
  if (llvm::Error error = codegen::optimize(**translated, target))
    return std::move(error);
  auto object = codegen::emitObject(**translated, target);
  if (!object)
    return object.takeError();
  auto kernel = runtime::LoadedKernel::load(std::move(*object), name);
  if (!kernel)
    return kernel.takeError();
  auto result = std::make_unique<CompiledPlan>();
  result->tables =
      (*module)->getAttrOfType<mlir::IntegerAttr>("rapt.tables").getInt();
  result->kernel = std::move(*kernel);
  return result;
}

std::vector<int64_t> CompiledPlan::getWords(const SpecCase &spec) {
  std::vector<int64_t> words;
  for (const SpecTensor &tensor : spec.tensors) {
    words.push_back(reinterpret_cast<intptr_t>(tensor.data.data()));
    llvm::append_range(words, tensor.sizes);
    llvm::append_range(words, tensor.strides);
  }
  // The addresses and extents of out and lse.
  words.insert(words.end(), (1 + 2 * 4) + (1 + 2 * 3), 0);
  return words;
}

/// The runs of one block.
static llvm::ArrayRef<KeyRun> getRuns(const RunTable &table, int64_t place) {
  return llvm::ArrayRef<KeyRun>(table.runs)
      .slice(table.offsets[place],
             table.offsets[place + 1] - table.offsets[place]);
}

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

RunTable CompiledPlan::run(const SpecCase &spec, MaskTiles tiles) const {
  std::vector<int64_t> words = getWords(spec);
  Workspace workspace(getBytes(words));
  int64_t needed = plan(words, workspace);
  EXPECT_TRUE(workspace.isGuardIntact());
  if (needed > workspace.bytes) {
    workspace = Workspace(needed);
    EXPECT_EQ(plan(words, workspace), needed);
    EXPECT_TRUE(workspace.isGuardIntact());
  }
  std::vector<RunTable> found = readRunTables(workspace.get(), 0, 1);
  const SpecSetting &setting = spec.getSetting();
  RunTable &table = found.front();
  EXPECT_EQ(table.queries, setting.queries);
  EXPECT_EQ(table.keys, setting.keys);
  EXPECT_EQ(table.queriesPerBlock, tiles.queries);
  EXPECT_EQ(table.keysPerTile, tiles.getStep());
  EXPECT_EQ(table.blocks,
            int64_t(llvm::divideCeil(setting.queries, tiles.queries)));
  EXPECT_EQ(table.tiles,
            int64_t(llvm::divideCeil(setting.keys, tiles.getStep())));
  EXPECT_TRUE(table.batchGroups == 1 || table.batchGroups == setting.batch);
  EXPECT_TRUE(table.headGroups == 1 || table.headGroups == setting.heads);
  checkForm(table);
  return std::move(table);
}

/// A Visit for each tile, [batch, heads, blocks, tiles].
static std::vector<int> spread(const RunTable &table, int64_t batch,
                               int64_t heads) {
  std::vector<int> visits(batch * heads * table.blocks * table.tiles, kSkipped);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t block = 0; block < table.blocks; ++block) {
        int64_t group = (table.batchGroups > 1 ? b : 0) * table.headGroups +
                        (table.headGroups > 1 ? h : 0);
        int64_t place = ((b * heads + h) * table.blocks + block) * table.tiles;
        for (const KeyRun &run : getRuns(table, group * table.blocks + block))
          for (int64_t n = 0; n < run.tiles; ++n)
            visits[place + run.firstTile + n] = run.isFull ? kFull : kPartial;
      }
  return visits;
}

namespace {
struct RunTablesTest : ::testing::Test {
  std::unique_ptr<SpecCase> make(SpecSetting setting) {
    setting.context = getSharedContext();
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

// The compiled plan goes down a tree, the evaluator asks about every tile; both
// must give every tile the same class, and no class may be wrong. RAPT_SEED
// starts at another case, RAPT_CASES says how many.
TEST_F(RunTablesTest, SameAsEveryTileOfRandomMasks) {
  uint64_t first = getSetting("RAPT_SEED", 1);
  uint64_t cases = getSetting("RAPT_CASES", isNightly() ? 20000 : 200);
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
    tiles.edge = seed % 2 ? 1 + random.below(tiles.keys) : 0;
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
    RunTable table = (*plan)->run(*spec, tiles);
    ASSERT_FALSE(HasFailure());
    std::vector<int> found = spread(table, setting.batch, setting.heads);
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
          RunTable table = (*plan)->run(*spec, tiles);
          ASSERT_FALSE(HasFailure());
          std::vector<int> found = spread(table, 1, 2);
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
  RunTable table = (*plan)->run(*spec, tiles);
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
    RunTable table = (*plan)->run(*spec, tiles);
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
    RunTable table = (*plan)->run(*spec, tiles);
    EXPECT_EQ(table.batchGroups, one.batches) << one.text;
    EXPECT_EQ(table.headGroups, one.heads) << one.text;
  }
}
