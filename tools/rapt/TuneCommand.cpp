// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Searches plans that are faster than the chosen one at one shape: from that
// one on, each part of the plan of each kind of loops over keys is varied in
// turn, and what is faster is kept.
// Two plans are compared by runs that alternate, so that a slow phase of the
// machine meets both.

#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/TunedPlans.h"
#include "lib/Tuning/PlanText.h"
#include "tools/rapt/Commands.h"
#include "tools/rapt/SpecTensors.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>

using llvm::Expected;
using llvm::StringRef;

namespace rapt::tool {
namespace {

using Clock = std::chrono::steady_clock;

/// Values that are tried for a part of a plan, in this order of parts: first
/// what decides most.
struct Variation {
  enum class Unit { Number, Flag, RunsOfKeys };
  StringRef part;
  std::vector<int64_t> values;
  Unit unit = Unit::Number;
};

const std::vector<Variation> &getVariations() {
  static const std::vector<Variation> variations = {
      {"queries", {16, 32, 64, 128}},
      {"rows", {4, 6, 8, 10, 12}},
      {"keys", {32, 64, 96, 128, 192, 256}},
      {"edge", {16, 32, 64, 128}},
      {"grain", {0, 8, 16, 32}},
      {"depth", {2, 4, 8, 16}},
      {"sweep", {1, 2, 4}},
      {"columns", {0, 1}, Variation::Unit::Flag},
      {"pairs", {0, 1}, Variation::Unit::Flag},
      {"in_order", {0, 1}, Variation::Unit::Flag},
      {"group", {0, 1}, Variation::Unit::Flag},
      {"split", {0, 4, 8, 16, 32}, Variation::Unit::RunsOfKeys}};
  return variations;
}

/// The number that a plan as text gives a part, 0 if it does not name it.
int64_t getPart(StringRef plan, StringRef part) {
  int64_t number = 0;
  for (StringRef text : llvm::split(plan, ','))
    if (auto [name, value] = text.split('='); name == part)
      value.getAsInteger(10, number);
  return number;
}

/// The plan of a kind of loops as text, with one part changed. What is not
/// named stays as it is chosen, so that a part is named to switch it off; one
/// that is off already stays away, so that equal plans have equal texts. A
/// split stays a multiple of the keys of a step.
std::string changeKind(StringRef plan, const Variation &variation,
                       int64_t value) {
  using Unit = Variation::Unit;
  StringRef part = variation.part;
  if (variation.unit == Unit::RunsOfKeys)
    value *= getPart(plan, "keys");
  llvm::SmallVector<std::string> parts;
  auto add = [&](StringRef name, StringRef text) {
    parts.push_back((name + "=" + text).str());
  };
  auto isNamed = [&](StringRef name) {
    return llvm::any_of(llvm::split(plan, ','), [&](StringRef text) {
      return text.split('=').first == name;
    });
  };
  auto addNumber = [&](StringRef name, int64_t number) {
    if (number > 0 || isNamed(name))
      add(name, std::to_string(number));
  };
  for (StringRef name : tuning::getPlanParts()) {
    if (name == part && variation.unit == Unit::Flag) {
      if (value || isNamed(name))
        add(name, value ? "true" : "false");
      continue;
    }
    if (name == part) {
      addNumber(name, value);
      continue;
    }
    if (name == "split" && part == "keys") {
      addNumber(name, llvm::alignTo(getPart(plan, name), value));
      continue;
    }
    for (StringRef text : llvm::split(plan, ','))
      if (text.split('=').first == name)
        parts.push_back(text.str());
  }
  return llvm::join(parts, ",");
}

/// The plans of all kinds as text, with one part of one of them changed.
std::string change(StringRef plans, size_t kind, const Variation &variation,
                   int64_t value) {
  llvm::SmallVector<std::string> changed;
  for (StringRef plan : llvm::split(plans, tuning::kPlanSeparator))
    changed.push_back(changed.size() == kind
                          ? changeKind(plan.trim(), variation, value)
                          : plan.trim().str());
  return llvm::join(changed, std::string{tuning::kPlanSeparator, ' '});
}

class Tuner {
public:
  Tuner(const Spec &spec, CompileOptions options,
        std::vector<NamedTensor> arguments, const TensorView &out,
        unsigned threads, double seconds)
      : spec(spec), options(std::move(options)),
        arguments(std::move(arguments)), out(out),
        end(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                               std::chrono::duration<double>(seconds))) {
    runOptions.threads = threads;
  }

  /// The fastest plan found; it may be the chosen one.
  Expected<std::string> tune();

  /// Of the last call of tune(): how many plans were compared, and how much
  /// faster the best is.
  int64_t compared = 0;
  double gain = 1;
  std::string chosen;

private:
  Expected<Kernel> compile(const std::string &plan);
  Expected<double> time(const Kernel &kernel);
  Expected<double> compare(const Kernel &best, const Kernel &other);
  Expected<bool> tryPlan(Kernel &best, std::string &plan,
                         const std::string &text);

  const Spec &spec;
  CompileOptions options;
  std::vector<NamedTensor> arguments;
  const TensorView &out;
  RunOptions runOptions;
  Clock::time_point end;
};

Expected<Kernel> Tuner::compile(const std::string &plan) {
  CompileOptions own = options;
  own.plan = plan;
  own.useCache = false; // most of these are never wanted again
  auto kernel = Kernel::compile(spec, own);
  if (!kernel)
    return makeError(kernel.error().code, kernel.error().message);
  return *std::move(kernel);
}

/// Milliseconds of one call.
Expected<double> Tuner::time(const Kernel &kernel) {
  auto begin = Clock::now();
  auto done = kernel.run(arguments, out, nullptr, runOptions);
  if (!done)
    return makeError(done.error().code, done.error().message);
  return std::chrono::duration<double, std::milli>(Clock::now() - begin)
      .count();
}

/// How many times as fast `other` is as `best`: the median of pairs of runs.
/// What is clearly slower is given up early.
Expected<double> Tuner::compare(const Kernel &best, const Kernel &other) {
  constexpr int most = 15, few = 3;
  constexpr double hopeless = 0.95;
  std::vector<double> ratios;
  auto median = [&] {
    std::vector<double> sorted = ratios;
    llvm::sort(sorted);
    return sorted[sorted.size() / 2];
  };
  // The first pair warms up.
  for (int round = 0; round <= most; ++round) {
    auto first = time(best);
    if (!first)
      return first.takeError();
    auto second = time(other);
    if (!second)
      return second.takeError();
    if (round > 0)
      ratios.push_back(*first / *second);
    if (round == few && median() < hopeless)
      break;
  }
  return median();
}

/// Takes the plan `text` and its kernel in the place of `plan` and `best` if it
/// is faster. Returns whether it is.
Expected<bool> Tuner::tryPlan(Kernel &best, std::string &plan,
                              const std::string &text) {
  // Less is not told from noise.
  constexpr double leastGain = 1.01;
  if (text == plan)
    return false;
  auto kernel = compile(text);
  if (!kernel) {
    // What does not fit the machine is expected.
    Error error = toError(kernel.takeError());
    if (error.code != ErrorCode::InvalidArgument)
      warn("plan " + text + ": " + error.message);
    return false;
  }
  auto ratio = compare(best, *kernel);
  if (!ratio)
    return ratio.takeError();
  ++compared;
  if (*ratio < leastGain)
    return false;
  best = std::move(*kernel);
  plan = text;
  gain *= *ratio;
  return true;
}

Expected<std::string> Tuner::tune() {
  auto best = compile("");
  if (!best)
    return best.takeError();
  chosen = best->getTiles();
  std::string plan = chosen;
  if (chosen.empty())
    return makeError(ErrorCode::NotSupported,
                     "the kernel has no loop over keys to plan");
  size_t kinds = StringRef(chosen).count(tuning::kPlanSeparator) + 1;
  bool isBetter = true;
  while (isBetter) {
    isBetter = false;
    for (size_t kind = 0; kind < kinds; ++kind)
      for (const Variation &variation : getVariations())
        for (int64_t value : variation.values) {
          if (Clock::now() > end)
            return plan;
          auto better =
              tryPlan(*best, plan, change(plan, kind, variation, value));
          if (!better)
            return better.takeError();
          isBetter |= *better;
        }
  }
  return plan;
}

/// Calls of few queries have a kernel of their own: which one this call has.
Expected<int64_t> findFewRows(const RequestedSpec &requested,
                              const std::vector<NamedTensor> &arguments) {
  auto kernel = Kernel::compile(requested.spec, requested.options);
  if (!kernel)
    return makeError(kernel.error().code, kernel.error().message);
  auto form = kernel->selectFor(arguments);
  if (!form)
    return makeError(form.error().code, form.error().message);
  return form->getFewRows();
}

llvm::Error execute(const CommandLine &line) {
  auto tensorOptions = parseTensorOptions(line);
  if (!tensorOptions)
    return tensorOptions.takeError();
  auto threads = line.getThreads();
  if (!threads)
    return threads.takeError();
  auto seconds = line.getInteger("--seconds", 30, 1);
  if (!seconds)
    return seconds.takeError();
  auto requested = loadSpec(line);
  if (!requested)
    return requested.takeError();
  if (!requested->options.plan.empty())
    return usageError("'rapt tune' looks for a plan itself, found '--plan'");
  if (auto directory = line.get("--cache-dir"))
    requested->options.cacheDirectory = directory->str();

  AxisExtents extents;
  auto tensors = readInputs(*tensorOptions, *requested, extents);
  if (!tensors)
    return tensors.takeError();
  auto spec = chooseExtents(*requested, extents);
  if (!spec)
    return spec.takeError();
  if (llvm::Error error = addRandom(*tensorOptions, *spec, extents, *tensors))
    return error;
  auto results = makeResults(*tensorOptions, *spec, extents);
  if (!results)
    return results.takeError();
  std::vector<NamedTensor> arguments;
  for (const HostTensor &tensor : *tensors)
    arguments.push_back({tensor.getName(), tensor.getView()});
  TensorView out = results->front().getView();
  if (llvm::is_contained(out.sizes, 0))
    return usageError("'rapt tune' needs a shape with results, but 'out' is "
                      "empty");

  auto rows = findFewRows(*requested, arguments);
  if (!rows)
    return rows.takeError();
  requested->options.fewRows = *rows;
  auto compilation = prepare(requested->spec.getSource(), requested->options);
  if (!compilation)
    return compilation.takeError();
  runtime::KernelCache cache(requested->options.cacheDirectory);
  if (line.has("--forget")) {
    if (llvm::Error error = storeTunedPlan(cache, *compilation, ""))
      return error;
    llvm::outs() << "forgotten: the plan is chosen again\n";
    return llvm::Error::success();
  }
  Tuner tuner(requested->spec, requested->options, std::move(arguments), out,
              *threads, static_cast<double>(*seconds));
  auto plan = tuner.tune();
  if (!plan)
    return plan.takeError();
  bool isChosen = *plan == tuner.chosen;
  if (llvm::Error error =
          storeTunedPlan(cache, *compilation, isChosen ? "" : *plan))
    return error;
  llvm::outs() << compilation->spec.name << " from " << line.getFile() << '\n'
               << "  chosen  " << tuner.chosen << '\n'
               << "  tuned   " << (isChosen ? "the same" : *plan) << '\n'
               << llvm::formatv(
                      "  speed   {0:f2} of the chosen plan, {1} plans "
                      "compared\n",
                      tuner.gain, tuner.compared);
  return llvm::Error::success();
}

} // namespace

const Command &getTuneCommand() {
  static const std::vector<OptionRow> options = [] {
    std::vector<OptionRow> rows;
    for (const OptionRow &row : getTensorOptionRows())
      if (row.flag != "--out")
        rows.push_back(row);
    for (const OptionRow &row : getSpecOptionRows())
      rows.push_back(row);
    rows.insert(rows.end(),
                {{"--threads", "N", "Threads; one per core"},
                 {"--seconds", "N", "How long to look; 30"},
                 {"--forget", "", "Drop the plan that was kept"},
                 {"--cache-dir", "DIR",
                  "Where plans and kernels are kept; $RAPT_CACHE_DIR, else\n"
                  "$XDG_CACHE_HOME/rapt, else ~/.cache/rapt"},
                 {"--help", "", "Print this text"}});
    return rows;
  }();
  static const Command command{
      {"tune", "FILE [options]",
       "Search a faster plan at one shape and keep it for later kernels",
       options, /*takesFile=*/true},
      execute};
  return command;
}

} // namespace rapt::tool
