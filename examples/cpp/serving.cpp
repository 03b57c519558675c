// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The shapes of serving from one spec: a step of decoding, a chunk of a prompt,
// packed sequences, the same in pages, and a tree of drafts. Every result is
// compared with a loop.

#include "rapt/Kernel.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

using namespace rapt;

namespace {

constexpr int64_t kHeads = 4, kKeyHeads = 2, kDim = 16, kPage = 8;

template <typename T> T expect(Result<T> result) {
  if (result)
    return *std::move(result);
  std::fprintf(stderr, "serving: %s\n", result.error().message.c_str());
  std::exit(1);
}
void expect(const Result<void> &result) {
  if (result)
    return;
  std::fprintf(stderr, "serving: %s\n", result.error().message.c_str());
  std::exit(1);
}

/// Rows of tokens, [tokens, heads, dim] in memory.
struct Rows {
  int64_t heads;
  std::vector<float> data;

  Rows(int64_t heads, int64_t tokens, unsigned seed)
      : heads(heads), data(tokens * heads * kDim) {
    for (float &value : data) {
      seed = seed * 1664525U + 1013904223U;
      value = float(seed >> 8) / float(1 << 23) - 1.0F;
    }
  }
  float *row(int64_t token) { return &data[token * heads * kDim]; }
  /// As the signature has it: [1, heads, tokens, dim], or without `batch`.
  TensorView view(int64_t first, int64_t count, bool hasBatch) {
    TensorView view{row(first), DType::F32, {heads, count, kDim}, {}};
    view.strides = {kDim, heads * kDim, 1};
    if (hasBatch) {
      view.sizes.insert(view.sizes.begin(), 1);
      view.strides.insert(view.strides.begin(), 0);
    }
    return view;
  }
  /// As pages, [pages, heads, page size, dim].
  TensorView pages() {
    int64_t count = int64_t(data.size()) / (kPage * heads * kDim);
    return {data.data(),
            DType::F32,
            {count, heads, kPage, kDim},
            {kPage * heads * kDim, kDim, heads * kDim, 1}};
  }
};

TensorView integers(std::vector<int32_t> &values) {
  return {values.data(), DType::I32, {int64_t(values.size())}, {}};
}

constexpr int64_t kLong = 40, kShort = 7, kChunk = 3;
Rows q(kHeads, kChunk + 1, 1), out(kHeads, kChunk + 1, 0);
Rows k(kKeyHeads, kLong + kShort, 2), v(kKeyHeads, kLong + kShort, 3);
int failures = 0;

using Mask = std::function<bool(int64_t i, int64_t j)>;
const Mask causal = [](int64_t i, int64_t j) { return i >= j; };

/// Compares rows of `out`, whose last query stands at the last key, with a
/// loop.
void check(const char *what, int64_t query, int64_t queries, int64_t key,
           int64_t keys, const Mask &mask = causal) {
  double worst = 0;
  for (int64_t n = 0; n < queries; ++n)
    for (int64_t h = 0; h < kHeads; ++h) {
      int64_t g = h * kKeyHeads / kHeads;
      double sum = 0, row[kDim] = {};
      for (int64_t j = 0; j < keys; ++j) {
        if (!mask(keys - queries + n, j))
          continue;
        double score = 0;
        for (int64_t d = 0; d < kDim; ++d)
          score += double(q.row(query + n)[h * kDim + d]) *
                   k.row(key + j)[g * kDim + d];
        score = std::exp(score / std::sqrt(double(kDim)));
        sum += score;
        for (int64_t d = 0; d < kDim; ++d)
          row[d] += score * v.row(key + j)[g * kDim + d];
      }
      for (int64_t d = 0; d < kDim; ++d)
        worst = std::max(
            worst, std::abs(row[d] / sum - out.row(query + n)[h * kDim + d]));
    }
  std::printf("%-8s largest difference from the loop: %.1e\n", what, worst);
  failures += !(worst < 1e-5);
}

} // namespace

int main(int count, char **words) {
  std::string folder = count > 1 ? words[1] : "examples";
  Spec spec = expect(Spec::loadFile(folder + "/causal.attn"));
  CompileOptions options;
  options.extents = {{"dim", kDim}, {"vdim", kDim}};

  // A step of decoding and a chunk of a prompt: only lengths differ.
  Kernel plain = expect(Kernel::compile(spec, options));
  expect(plain.run({{"q", q.view(kChunk, 1, true)},
                    {"k", k.view(kLong, kShort, true)},
                    {"v", v.view(kLong, kShort, true)}},
                   out.view(kChunk, 1, true)));
  check("decode", kChunk, 1, kLong, kShort);
  expect(plain.run({{"q", q.view(0, kChunk, true)},
                    {"k", k.view(0, kLong, true)},
                    {"v", v.view(0, kLong, true)}},
                   out.view(0, kChunk, true)));
  check("chunk", 0, kChunk, 0, kLong);

  // Both as one batch, packed.
  std::vector<int32_t> queryStarts{0, kChunk, kChunk + 1};
  std::vector<int32_t> keyStarts{0, kLong, kLong + kShort};
  Sequences sequences;
  sequences.queryStarts = integers(queryStarts);
  sequences.keyStarts = integers(keyStarts);
  RunOptions run;
  run.sequences = &sequences;
  options.sequences.isGiven = true;
  Kernel packed = expect(Kernel::compile(spec, options));
  TensorView results = out.view(0, kChunk + 1, false);
  expect(packed.run({{"q", q.view(0, kChunk + 1, false)},
                     {"k", k.view(0, kLong + kShort, false)},
                     {"v", v.view(0, kLong + kShort, false)}},
                    results, nullptr, run));
  check("packed", 0, kChunk, 0, kLong);
  check("packed", kChunk, 1, kLong, kShort);

  // The same keys in pages. What is planned once serves all layers.
  std::vector<int32_t> lengths{kLong, kShort};
  std::vector<int32_t> table{5, 0, 3, 1, 4, 2, -1, -1, -1, -1};
  Rows kPages(kKeyHeads, 6 * kPage, 0), vPages(kKeyHeads, 6 * kPage, 0);
  for (int64_t b : {0, 1})
    for (int64_t j = 0; j < lengths[b]; ++j) {
      int64_t to = table[b * 5 + j / kPage] * kPage + j % kPage;
      std::copy_n(k.row(keyStarts[b] + j), kKeyHeads * kDim, kPages.row(to));
      std::copy_n(v.row(keyStarts[b] + j), kKeyHeads * kDim, vPages.row(to));
    }
  sequences.keyStarts.reset();
  sequences.keyLengths = integers(lengths);
  sequences.pageTable = TensorView{table.data(), DType::I32, {2, 5}, {}};
  options.sequences.isPaged = true;
  Kernel paged = expect(Kernel::compile(spec, options));
  std::vector<NamedTensor> arguments{{"q", q.view(0, kChunk + 1, false)},
                                     {"k", kPages.pages()},
                                     {"v", vPages.pages()}};
  Plan plan = expect(paged.plan(arguments, run));
  expect(paged.run(plan, arguments, results));
  check("paged", 0, kChunk, 0, kLong);
  check("paged", kChunk, 1, kLong, kShort);

  // Drafts behind the text so far: nodes 1 and 2 below node 0.
  constexpr int64_t base = kLong - kChunk;
  std::vector<int32_t> bases{base};
  bool seen[kChunk][kChunk] = {{true}, {true, true}, {true, false, true}};
  options.sequences = {};
  options.extents["nodes"] = kChunk; // of the largest tree
  Spec drafts = expect(Spec::loadFile(folder + "/tree_bitmap.attn"));
  Kernel tree = expect(Kernel::compile(drafts, options));
  expect(tree.run({{"q", q.view(0, kChunk, true)},
                   {"k", k.view(0, kLong, true)},
                   {"v", v.view(0, kLong, true)},
                   {"base", integers(bases)},
                   {"seen", {seen, DType::Bool, {1, kChunk, kChunk}, {}}}},
                  out.view(0, kChunk, true)));
  check("tree", 0, kChunk, 0, kLong, [&](int64_t i, int64_t j) {
    return j < base || seen[i - base][j - base];
  });
  return failures > 0;
}
