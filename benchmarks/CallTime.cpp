// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What a call costs beside its kernel: calls so small that the kernel takes no
// time, planned in each call and from a plan that is kept.
//
//   rapt-call-time [--threads=N]

#include "rapt/Kernel.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace rapt;

namespace {

constexpr int64_t kDim = 64;

[[noreturn]] void leave(const std::string &message) {
  std::fprintf(stderr, "rapt-call-time: %s\n", message.c_str());
  std::exit(1);
}

template <typename T> T expect(Result<T> result) {
  if (!result)
    leave(result.error().message);
  return *std::move(result);
}

/// The median of microseconds of many calls.
template <typename Call> double time(const Call &call) {
  constexpr int rounds = 2000;
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    auto begin = std::chrono::steady_clock::now();
    if (auto done = call(); !done)
      leave(done.error().message);
    times.push_back(std::chrono::duration<double, std::micro>(
                        std::chrono::steady_clock::now() - begin)
                        .count());
  }
  std::nth_element(times.begin(), times.begin() + rounds / 2, times.end());
  return times[rounds / 2];
}

struct Tensor {
  std::vector<float> data;
  std::vector<int64_t> sizes;
  explicit Tensor(std::vector<int64_t> sizes) : sizes(std::move(sizes)) {
    int64_t count = 1;
    for (int64_t size : this->sizes)
      count *= size;
    data.resize(count, 0.5F);
  }
  TensorView view() { return {data.data(), DType::F32, sizes, {}}; }
};

void measure(const char *name, const Kernel &kernel,
             const std::vector<NamedTensor> &arguments, const TensorView &out,
             const RunOptions &options) {
  double each =
      time([&] { return kernel.run(arguments, out, nullptr, options); });
  Plan plan = expect(kernel.plan(arguments, options));
  double kept =
      time([&] { return kernel.run(plan, arguments, out, nullptr, options); });
  std::printf("%-44s %8.1f us, with a plan %8.1f us\n", name, each, kept);
}

} // namespace

int main(int count, char **words) {
  RunOptions options;
  options.threads = 1;
  for (int n = 1; n < count; ++n) {
    constexpr const char *flag = "--threads=";
    if (std::strncmp(words[n], flag, std::strlen(flag)) != 0)
      leave(std::string("unknown option '") + words[n] + "'");
    options.threads = std::atoi(words[n] + std::strlen(flag));
  }
  Spec spec = expect(Spec::parse("attention causal { mask = i >= j }"));
  CompileOptions compile;
  compile.extents = {{"dim", kDim}, {"vdim", kDim}};
  Kernel plain = expect(Kernel::compile(spec, compile));
  compile.sequences.isGiven = true;
  Kernel packed = expect(Kernel::compile(spec, compile));
  compile.sequences.isPaged = true;
  Kernel paged = expect(Kernel::compile(spec, compile));

  Tensor q({1, 1, 1, kDim}), k({1, 1, 1, kDim}), v({1, 1, 1, kDim});
  Tensor out({1, 1, 1, kDim});
  measure("one query, one key", plain,
          {{"q", q.view()}, {"k", k.view()}, {"v", v.view()}}, out.view(),
          options);
  for (int32_t batch : {1, 64}) {
    Tensor tokens({1, batch, kDim}), results({1, batch, kDim});
    Tensor pages({batch, 1, 16, kDim});
    std::vector<int32_t> starts, ones(batch, 1), table;
    for (int32_t n = 0; n <= batch; ++n)
      starts.push_back(n);
    table.assign(starts.begin(), starts.end() - 1);
    Sequences sequences;
    sequences.queryStarts =
        TensorView{starts.data(), DType::I32, {batch + 1}, {}};
    sequences.keyStarts = sequences.queryStarts;
    options.sequences = &sequences;
    std::string name =
        "packed sequences of one token: " + std::to_string(batch);
    measure(name.c_str(), packed,
            {{"q", tokens.view()}, {"k", tokens.view()}, {"v", tokens.view()}},
            results.view(), options);
    sequences.keyStarts.reset();
    sequences.keyLengths = TensorView{ones.data(), DType::I32, {batch}, {}};
    sequences.pageTable = TensorView{table.data(), DType::I32, {batch, 1}, {}};
    name = "the same in pages: " + std::to_string(batch);
    measure(name.c_str(), paged,
            {{"q", tokens.view()}, {"k", pages.view()}, {"v", pages.view()}},
            results.view(), options);
  }
}
