// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Where the time of a compilation without a cache goes: the steps of the road,
// the first time in a process and the median of further times.
//
//   rapt-compile-time FILE... [--rounds=N] [--dim=N] [--target=NAME]

#include "lib/Codegen/Codegen.h"
#include "lib/Compiler/Compilation.h"
#include "lib/Runtime/KernelLoader.h"
#include "rapt/Kernel.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace rapt;

namespace {

[[noreturn]] void leave(const std::string &message) {
  std::fprintf(stderr, "rapt-compile-time: %s\n", message.c_str());
  std::exit(1);
}

template <typename T> T expect(llvm::Expected<T> value) {
  if (!value)
    leave(toString(value.takeError()));
  return std::move(*value);
}

class Clock {
public:
  /// Milliseconds since the last call.
  double take() {
    auto now = std::chrono::steady_clock::now();
    double passed =
        std::chrono::duration<double, std::milli>(now - last).count();
    last = now;
    return passed;
  }

private:
  std::chrono::steady_clock::time_point last = std::chrono::steady_clock::now();
};

struct Step {
  const char *name;
  std::vector<double> times;
};

/// Milliseconds of each step. Steps that lower start from the definition again;
/// what they add to the step before is what counts.
void measure(const Spec &spec, const CompileOptions &options,
             std::vector<Step> &steps) {
  size_t next = 0;
  auto note = [&](double time) { steps[next++].times.push_back(time); };
  Clock clock;
  Compilation compilation = expect(prepare(spec.getSource(), options));
  note(clock.take());
  double before = 0;
  for (Stage last : {Stage::Attn, Stage::Tile, Stage::Vector, Stage::LLVM}) {
    LoweredModule module = expect(lowerTo(last, compilation));
    double whole = clock.take();
    note(whole - before);
    before = whole;
    module.module = {};
    clock.take();
  }
  GeneratedModule generated = expect(generate(compilation));
  note(clock.take() - before);
  auto object =
      expect(codegen::emitObject(*generated.module, compilation.target));
  note(clock.take());
  auto loaded = expect(
      runtime::LoadedKernel::load(std::move(object), compilation.spec.name));
  note(clock.take());
}

double median(std::vector<double> times) {
  auto middle = times.begin() + times.size() / 2;
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

} // namespace

int main(int count, char **words) {
  int rounds = 9;
  int64_t dim = 64;
  CompileOptions options;
  std::vector<std::string> files;
  for (int n = 1; n < count; ++n) {
    llvm::StringRef word = words[n];
    if (word.consume_front("--rounds=")) {
      if (word.getAsInteger(10, rounds) || rounds < 1)
        leave("rounds are a number of at least 1");
    } else if (word.consume_front("--dim=")) {
      if (word.getAsInteger(10, dim) || dim < 1)
        leave("a dim is a number of at least 1");
    } else if (word.consume_front("--target="))
      options.target = word.str();
    else if (word.starts_with("-"))
      leave("usage: rapt-compile-time FILE... [--rounds=N] [--dim=N] "
            "[--target=NAME]");
    else
      files.push_back(word.str());
  }
  for (const std::string &file : files) {
    Result<Spec> spec = Spec::loadFile(file);
    if (!spec)
      leave(spec.error().message);
    CompileOptions whole = options;
    frontend::Spec checked = expect(analyze(spec->getSource(), options, {}));
    for (const std::string &extent : checked.missingExtents)
      whole.extents[extent] = dim;
    std::vector<Step> steps = {{"check", {}},  {"attn", {}}, {"tile", {}},
                               {"vector", {}}, {"llvm", {}}, {"middle end", {}},
                               {"object", {}}, {"load", {}}};
    for (int round = 0; round <= rounds; ++round)
      measure(*spec, whole, steps);
    std::printf("%s\n", file.c_str());
    double first = 0, further = 0;
    for (Step &step : steps) {
      double once = step.times.front();
      double rest = median({step.times.begin() + 1, step.times.end()});
      first += once;
      further += rest;
      std::printf("  %-12s %8.1f first %8.1f further\n", step.name, once, rest);
    }
    std::printf("  %-12s %8.1f first %8.1f further\n", "all", first, further);
  }
}
