// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// How long the plan of a call takes at a million tokens, for each mask among
// the examples: milliseconds, the runs found and the bytes that their tables
// take.
//
//   ninja -C build rapt-plan-time && build/bin/rapt-plan-time [--only WORD]
//                                                             [--tokens N]
//
// The bars: 20 ms for masks of positions alone, 200 ms for those that read
// tensors. Times are those of the first plan, in memory that was never touched,
// and the least of seven, of the processor and not of the clock, so that other
// work on the machine counts less.

#include "rapt/Kernel.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include <ctime>
#include <random>

namespace {

/// How the integers of a case are made.
enum class Ids { None, Sorted, Unsorted };

struct PlanCase {
  const char *example;
  Ids ids = Ids::None;
};

const PlanCase kCases[] = {
    {"causal"},
    {"sliding_window"},
    {"gemma2_local"},
    {"duo"},
    {"prefix_lm", Ids::Sorted},
    {"documents", Ids::Sorted},
    {"documents", Ids::Unsorted},
    {"dilated"},
    {"strided"},
    {"natten2d"},
    {"alibi"},
    {"sinks"},
    {"dropout"},
};

struct Data {
  std::vector<char> bytes;
  rapt::TensorView view;
};

/// A tensor of the signature: integers as the case says, floats without data.
Data makeTensor(const rapt::TensorSignature &signature, const PlanCase &one,
                int64_t tokens) {
  Data data;
  data.view.dtype = signature.dtype;
  int64_t count = 1;
  for (const rapt::Axis &axis : signature.axes) {
    int64_t extent = axis.extent;
    if (extent < 0)
      extent = axis.name == "queries" || axis.name == "keys" ? tokens : 1;
    data.view.sizes.push_back(extent);
    count *= extent;
  }
  std::mt19937_64 random(1);
  auto fill = [&]<typename T>(T) {
    data.bytes.resize(count * sizeof(T));
    auto *numbers = reinterpret_cast<T *>(data.bytes.data());
    int64_t id = 0;
    for (int64_t n = 0; n < count; ++n) {
      if (one.ids == Ids::Unsorted)
        id = static_cast<int64_t>(random() % 64);
      else if (random() % 2000 == 0)
        ++id;
      numbers[n] = static_cast<T>(count == 1 ? tokens / 3 : id);
    }
    data.view.data = numbers;
  };
  switch (signature.dtype) {
  case rapt::DType::I32:
    fill(int32_t());
    break;
  case rapt::DType::I64:
    fill(int64_t());
    break;
  case rapt::DType::Bool:
    data.bytes.assign(count, 0);
    data.view.data = data.bytes.data();
    break;
  default:
    break;
  }
  return data;
}

/// Milliseconds that this thread has run.
double getProcessorTime() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e3 * static_cast<double>(time.tv_sec) +
         1e-6 * static_cast<double>(time.tv_nsec);
}

/// Prints a line; the error of a step that fails.
rapt::Result<void> measure(const std::string &folder, const PlanCase &one,
                           int64_t tokens) {
  auto spec = rapt::Spec::loadFile(folder + "/" + one.example + ".attn");
  if (!spec)
    return spec.error();
  rapt::CompileOptions options;
  options.extents = {{"dim", 64}, {"vdim", 64}};
  auto kernel = rapt::Kernel::compile(*spec, options);
  if (!kernel)
    return kernel.error();
  std::vector<Data> data;
  std::vector<rapt::NamedTensor> tensors;
  for (const auto &signature : kernel->getSignature().arguments) {
    data.push_back(makeTensor(signature, one, tokens));
    tensors.push_back({signature.name, data.back().view});
  }
  double first = 0, best = 0;
  for (int repeat = 0; repeat < 7; ++repeat) {
    double start = getProcessorTime();
    auto plan = kernel->plan(tensors);
    if (!plan)
      return plan.error();
    double taken = getProcessorTime() - start;
    if (repeat == 0)
      first = best = taken;
    best = std::min(best, taken);
  }
  auto tables = kernel->planRuns(tensors);
  if (!tables)
    return tables.error();
  size_t runs = 0, bytes = 0;
  for (const rapt::RunTable &table : *tables) {
    runs += table.runs.size();
    bytes +=
        8 * (table.runs.size() + 2 * table.order.size() + table.offsets.size());
  }
  const char *ids = one.ids == Ids::Sorted     ? ", sorted"
                    : one.ids == Ids::Unsorted ? ", unsorted"
                                               : "";
  double bar = one.ids == Ids::None ? 20 : 200;
  llvm::outs() << llvm::formatv(
      "| {0} | {1} | {2:F2} | {3:F2} | {4} | {5} | {6} |\n",
      std::string(one.example) + ids, tokens, first, best, runs, bytes,
      best <= bar ? "yes" : llvm::formatv("no, {0} ms", bar).str());
  llvm::outs().flush();
  return {};
}

} // namespace

int main(int argc, char **argv) {
  llvm::cl::opt<std::string> only("only", llvm::cl::desc("a word of the name"));
  llvm::cl::opt<int64_t> tokens("tokens", llvm::cl::init(1000000),
                                llvm::cl::desc("queries and keys"));
  llvm::cl::opt<std::string> folder("examples",
                                    llvm::cl::init(RAPT_EXAMPLES_DIR),
                                    llvm::cl::desc("folder of the specs"));
  llvm::cl::ParseCommandLineOptions(argc, argv, "Times plans of calls.\n");
  llvm::outs()
      << "| mask | tokens | first ms | ms | runs | bytes of tables | within "
         "the bar |\n|---|---|---|---|---|---|---|\n";
  for (const PlanCase &one : kCases) {
    if (!llvm::StringRef(one.example).contains(only))
      continue;
    auto done = measure(folder, one, tokens);
    if (!done) {
      llvm::errs() << one.example << ": " << done.error().message << "\n";
      return 1;
    }
  }
  return 0;
}
