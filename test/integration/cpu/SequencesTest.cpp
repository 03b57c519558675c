// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Batches of uneven sequences, packed, padded and in pages, with positions that
// are given: each sequence is judged as if it were alone.

#include "SequenceCase.h"
#include <random>

using namespace rapt;
using namespace rapt::testing;
using rapt::support::ElementType;

namespace {

/// How many of them other types than f32 are tested with: it is the layout that
/// is tested here.
constexpr size_t kSpecsOfNarrowTypes = 4;

/// What specs say in different ways: positions, lengths, tensors of either
/// side, with and without a batch, rows that are computed, lists of keys.
const char *const kSpecs[] = {
    "attention x { }",
    "attention x { mask = i >= j }",
    "attention x { mask = i >= j & i - j < 20 | j < 3 }",
    "attention x { input slopes: f32[heads] "
    "score = dot(q, k) / sqrt(dim) + slopes[h] * (j - i) mask = i >= j }",
    "attention x { input doc: i32[batch, keys] "
    "mask = i >= j & doc[i] == doc[j] }",
    "attention x { input prefix: i32[batch] mask = i >= j | j < prefix[b] }",
    "attention x { input bias: f32[heads, queries, keys] "
    "score = dot(q, k) + bias[h, i, j] }",
    "attention x { input seen: bool[batch, queries, keys] "
    "mask = seen[i, j] }",
    "attention x { input gate: f32[batch, heads, keys] "
    "score = dot(q, k) + gate[i] - gate[j] mask = i >= j }",
    "attention x { input table: f32[heads, 40] "
    "score = dot(q, k) + table[h, min(max(i - j, 0), 39)] mask = row <= j }",
    "attention x { let q = rope(q) let k = rope(k) mask = i >= j }",
    "attention x { let k = l2norm(k) let v = 2 * v "
    "weight = sigmoid(score) mask = i - j < keys - queries + 4 }",
    "attention x { input sink: f32[heads] "
    "weight = softmax(score, sink = sink[h]) mask = i >= j }",
    "attention x { mask = (i - j) % 3 == 0 & i >= j }",
    "attention x { input mark: bool[batch, keys] "
    "mask = i >= j & (i - j < 9 | mark[j]) }",
    "attention x { input full: bool[heads] "
    "mask = i >= j & (full[h] | i - j < 20 - h) }",
    "attention x { weight = softmax(score) * where(uniform(7) < 0.5, 0, 2) "
    "mask = i >= j }"};

struct SequencesTest : ::testing::TestWithParam<ElementType> {
  llvm::ArrayRef<const char *> specs() const {
    llvm::ArrayRef<const char *> all(kSpecs);
    return GetParam() == ElementType::F32
               ? all
               : all.slice(GetParam() == ElementType::BF16 ? 1 : 9,
                           kSpecsOfNarrowTypes);
  }
  SequenceSetting make(const char *text) {
    SequenceSetting setting;
    setting.spec.text = text;
    setting.spec.type = GetParam();
    setting.spec.heads = 4;
    setting.spec.kvHeads = 2;
    setting.spec.extents = {{"dim", 16}, {"vdim", 24}};
    setting.lengths = {{5, 17}, {70, 70}, {1, 90}, {0, 9}, {3, 0}, {33, 64}};
    return setting;
  }
};

// All keys of a batch are more than positions count: rows have the stride 0, so
// that they take no memory.
TEST(PackedTokens, MoreThanASequenceMayHave) {
  auto spec = Spec::parse("attention x { mask = i >= j }");
  ASSERT_TRUE(static_cast<bool>(spec));
  CompileOptions options;
  options.extents = {{"dim", 8}, {"vdim", 8}};
  options.sequences.isGiven = true;
  auto kernel = Kernel::compile(*spec, options);
  ASSERT_TRUE(static_cast<bool>(kernel)) << kernel.error().message;
  constexpr int32_t all = (1 << 26) + 500, first = all - 57;
  std::vector<float> q(3 * 8, 1), row(8, 2), out(3 * 8);
  std::vector<int32_t> queryStarts{0, 2, 3}, keyStarts{first, first + 40, all};
  Sequences sequences;
  sequences.queryStarts = TensorView{queryStarts.data(), DType::I32, {3}, {}};
  sequences.keyStarts = TensorView{keyStarts.data(), DType::I32, {3}, {}};
  RunOptions run;
  run.sequences = &sequences;
  TensorView keys{row.data(), DType::F32, {1, all, 8}, {0, 0, 1}};
  TensorView queries{q.data(), DType::F32, {1, 3, 8}, {}};
  std::vector<NamedTensor> arguments{{"q", queries}, {"k", keys}, {"v", keys}};
  TensorView result{out.data(), DType::F32, {1, 3, 8}, {}};
  auto done = kernel->run(arguments, result, nullptr, run);
  ASSERT_TRUE(static_cast<bool>(done)) << done.error().message;
  EXPECT_EQ(out, std::vector<float>(3 * 8, 2));
  // One sequence may not have so many.
  keyStarts = {0, first, all};
  done = kernel->run(arguments, result, nullptr, run);
  ASSERT_FALSE(static_cast<bool>(done));
  EXPECT_EQ(done.error().message,
            "sequence 0 has 67109307 keys, expected at most 67108864");
}

TEST_P(SequencesTest, Padded) {
  for (const char *text : specs())
    if (auto kernel = SequenceCase::create(make(text)))
      kernel->check(2);
}

TEST_P(SequencesTest, Packed) {
  for (const char *text : specs()) {
    SequenceSetting setting = make(text);
    setting.packsQueries = setting.packsKeys = true;
    if (auto kernel = SequenceCase::create(setting))
      kernel->check(2);
  }
}

// Queries of a chunk against a cache.
TEST_P(SequencesTest, PackedQueries) {
  for (const char *text : specs()) {
    SequenceSetting setting = make(text);
    setting.packsQueries = true;
    if (auto kernel = SequenceCase::create(setting))
      kernel->check(1, /*isPlanned=*/true);
  }
}

TEST_P(SequencesTest, Pages) {
  for (const char *text : specs()) {
    SequenceSetting setting = make(text);
    setting.packsQueries = true;
    setting.pageSize = 16;
    if (auto kernel = SequenceCase::create(setting)) {
      kernel->check(2);
      kernel->check(1, /*isPlanned=*/true);
    }
  }
}

TEST_P(SequencesTest, PagesOfAnySize) {
  for (int64_t size : {1, 3, 64, 200}) {
    SequenceSetting setting = make(kSpecs[2]);
    setting.pageSize = size;
    setting.headsFirst = size % 2 == 0;
    if (auto kernel = SequenceCase::create(setting))
      kernel->check(2);
  }
}

TEST_P(SequencesTest, Positions) {
  for (const char *text : specs())
    for (bool isPacked : {false, true}) {
      SequenceSetting setting = make(text);
      setting.packsQueries = setting.packsKeys = isPacked;
      setting.givesPositions = true;
      if (auto kernel = SequenceCase::create(setting))
        kernel->check(2);
    }
}

TEST_P(SequencesTest, PagesAndPositions) {
  for (const char *text : specs()) {
    SequenceSetting setting = make(text);
    setting.packsQueries = true;
    setting.pageSize = 8;
    setting.givesPositions = true;
    if (auto kernel = SequenceCase::create(setting))
      kernel->check(2);
  }
}

// What reads no queries has one at every key: lengths and offsets of keys are
// those of both, and results lie as keys do.
TEST_P(SequencesTest, KeysInThePlaceOfQueries) {
  const char *const texts[] = {
      "attention x { let q = k[i, :] mask = i >= j }",
      "attention x { input gate: f32[batch, heads, keys] let q = rope(k[i, :]) "
      "score = dot(q, k) + gate[i] - gate[j] mask = i >= j & i - j < 20 }",
      "attention x { input start: i32[batch] input seen: bool[batch, 90] "
      "let q = k[i, :] mask = i >= j & (j < start | seen[j - start]) }"};
  for (const char *text : texts)
    for (auto [packsKeys, pageSize] :
         {std::pair(false, 0), {true, 0}, {false, 16}}) {
      SequenceSetting setting = make(text);
      setting.spec.kvHeads = setting.spec.heads;
      setting.lengths = {{17, 17}, {70, 70}, {1, 1}, {0, 0}, {33, 33}};
      setting.packsKeys = packsKeys;
      setting.pageSize = pageSize;
      auto kernel = SequenceCase::create(setting);
      ASSERT_TRUE(kernel);
      kernel->check(2);
      kernel->check(1, /*isPlanned=*/true);
    }
}

// Results have room for what the sequences write, also along axes that no
// argument has.
TEST(SequenceResultsTest, Sizes) {
  using Sizes = std::vector<int64_t>;
  struct Case {
    const char *text;
    bool packsQueries, packsKeys;
    int64_t pageSize;
    Sizes expected;
  };
  const char *ofKeys = "attention x { let q = k[i, :] mask = i >= j }";
  const char *oneQuery = "attention x { input q: [heads, queries, dim] }";
  // Offsets begin at 2 and 1. Tensors have rows of no sequence: padded ones 3
  // and 5, packed ones 3 and 2.
  for (const Case &each : {Case{ofKeys, false, false, 0, {2, 1, 14, 4}},
                           {ofKeys, false, true, 0, {1, 17, 4}},
                           {ofKeys, false, false, 4, {2, 1, 9, 4}},
                           {oneQuery, true, false, 0, {1, 16, 4}},
                           {oneQuery, false, true, 0, {2, 1, 12, 4}}}) {
    SequenceSetting setting;
    setting.spec.text = each.text;
    setting.lengths = {{5, 5}, {9, 9}};
    setting.packsQueries = each.packsQueries;
    setting.packsKeys = each.packsKeys;
    setting.pageSize = each.pageSize;
    auto call = SequenceCase::create(setting);
    ASSERT_TRUE(call);
    rapt::Sequences sequences = call->sequences();
    auto sizes =
        call->getKernel().getResultSizes(call->arguments(), &sequences);
    ASSERT_TRUE(static_cast<bool>(sizes)) << sizes.error().message;
    EXPECT_EQ(*sizes, each.expected) << setting.describe();
    rapt::RunOptions options;
    options.sequences = &sequences;
    auto done = call->getKernel().run(
        call->arguments(),
        {call->out.data.data(), rapt::DType::F32, *sizes, {}}, nullptr,
        options);
    EXPECT_TRUE(static_cast<bool>(done)) << done.error().message;
  }
}

// A result without a batch is that of the only sequence there is.
TEST_P(SequencesTest, OneSequenceWithoutABatch) {
  for (bool isPlanned : {false, true}) {
    SequenceSetting setting =
        make("attention x { input q: [heads, queries, dim] "
             "input k: [kv_heads, keys, dim] input v: [kv_heads, keys, vdim] "
             "mask = i >= j }");
    setting.lengths = {{5, 17}};
    if (auto kernel = SequenceCase::create(setting))
      kernel->check(2, isPlanned);
  }
}

// Random lengths, many of them 0 and 1, in every layout. RAPT_SEED and
// RAPT_CASES choose others.
TEST(RandomSequencesTest, AnyLengths) {
  uint64_t seed = getSetting("RAPT_SEED", 1);
  uint64_t cases = getSetting("RAPT_CASES", isNightly() ? 400 : 12);
  constexpr uint64_t perKernel = 4;
  std::unique_ptr<SequenceCase> kernel;
  for (uint64_t n = 0; n < cases; ++n) {
    std::mt19937_64 random(seed * 1000003 + n / perKernel);
    SequenceSetting setting;
    setting.spec.text = kSpecs[random() % std::size(kSpecs)];
    constexpr ElementType types[] = {ElementType::F32, ElementType::BF16,
                                     ElementType::F16};
    setting.spec.type = types[random() % 3];
    setting.spec.kvHeads = 1 + static_cast<int64_t>(random() % 2);
    setting.spec.heads =
        setting.spec.kvHeads * (1 + static_cast<int64_t>(random() % 3));
    setting.spec.extents = {{"dim", 2 * (1 + random() % 20)},
                            {"vdim", 1 + random() % 40}};
    setting.packsQueries = random() % 2;
    if (random() % 2)
      setting.pageSize = 1 + static_cast<int64_t>(random() % 40);
    else
      setting.packsKeys = random() % 2;
    setting.headsFirst = random() % 2;
    setting.givesPositions = random() % 3 == 0;
    std::mt19937_64 draw(seed * 7 + n);
    size_t batch = 1 + draw() % 7;
    for (size_t b = 0; b < batch; ++b) {
      auto length = [&](uint64_t most) -> int64_t {
        uint64_t kind = draw() % 6;
        return static_cast<int64_t>(kind < 2 ? kind : draw() % (most + 1));
      };
      setting.lengths.push_back({length(150), length(300)});
    }
    setting.seed = seed + n;
    if (n % perKernel == 0)
      kernel = SequenceCase::create(setting);
    else if (kernel)
      kernel->resize(setting.lengths, setting.seed);
    ASSERT_TRUE(kernel) << "case " << n;
    kernel->check(1 + n % 3, /*isPlanned=*/n % 2);
    if (::testing::Test::HasFatalFailure())
      FAIL() << "RAPT_SEED=" << seed << ", case " << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, SequencesTest,
                         ::testing::Values(ElementType::F32, ElementType::BF16,
                                           ElementType::F16),
                         [](const auto &info) {
                           return getTypeName(info.param);
                         });

} // namespace
