// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/Explanation.h"
#include "lib/Compiler/KernelManifest.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <cmath>

using llvm::StringRef;

namespace rapt::tool {

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

std::string formatQuantity(double value, StringRef unit) {
  static constexpr StringRef prefixes[] = {"n", "u", "m", "",  "K",
                                           "M", "G", "T", "P", "E"};
  constexpr int none = 3;
  // Nobody counts in kiloseconds.
  const int last = unit == "s" ? none : std::size(prefixes) - 1;
  int prefix = none;
  // What rounds to 1000 has the next prefix.
  while (std::abs(value) >= 999.5 && prefix < last) {
    value /= 1000;
    ++prefix;
  }
  while (value != 0 && std::abs(value) < 0.9995 && prefix > 0) {
    value *= 1000;
    --prefix;
  }
  int digits = std::abs(value) >= 99.95 ? 0 : std::abs(value) >= 9.995 ? 1 : 2;
  if (prefix == none && value == std::floor(value))
    digits = 0;
  return llvm::formatv(
             "{0} {1}{2}",
             llvm::format(("%." + std::to_string(digits) + "f").c_str(), value),
             prefixes[prefix], unit)
      .str();
}

/// A count that may be an estimate.
static std::string formatCount(double value) {
  return llvm::formatv("{0}", llvm::format("%.0f", value)).str();
}

/// Four digits, without zeros behind them.
static std::string formatPercent(double part, double all) {
  if (all <= 0)
    return "0 %";
  return llvm::formatv("{0} %", llvm::format("%.4g", 100 * part / all)).str();
}

/// An estimate and its standard error, with as many digits as that allows.
static std::string formatEstimate(double part, double error, double all) {
  double percent = 100 * part / all, percentError = 100 * error / all;
  int digits = 4;
  if (percentError > 0)
    digits = std::clamp(1 - int(std::floor(std::log10(percentError))), 0, 12);
  std::string format = "%." + std::to_string(digits) + "f";
  return llvm::formatv("about {0} % (standard error {1} %)",
                       llvm::format(format.c_str(), percent),
                       llvm::format(format.c_str(), percentError))
      .str();
}

//===----------------------------------------------------------------------===//
// Sentences
//===----------------------------------------------------------------------===//

static std::string describeTiles(const LoopCounts &counts) {
  const reference::MaskedLoop &loop = counts.loop;
  if (!loop.hasMask)
    return "all full: there is no mask";
  if (counts.isFoundLate)
    return "found while the call runs, from what the mask reads";
  if (!counts.tiles)
    return "not those of the mask as it stands in the spec";
  const TileCounts &tiles = *counts.tiles;
  int64_t heads = loop.batch * loop.heads;
  std::string where;
  if (heads > 1)
    where = tiles.heads == 1 ? " in every head"
            : tiles.heads == heads
                ? llvm::formatv(" in all {0} heads", heads).str()
                : llvm::formatv(" in {0} heads that the others are like",
                                tiles.heads)
                      .str();
  return llvm::formatv("{0} full, {1} partial, {2} empty, of {3} queries by "
                       "{4} keys{5}{6}",
                       tiles.full, tiles.partial, tiles.empty, tiles.queries,
                       tiles.keys, where,
                       tiles.isListed ? ", in the order of its lists" : "")
      .str();
}

static std::string describeDensity(const LoopCounts &counts) {
  double all = counts.loop.getPairs();
  if (all <= 0)
    return "there are no pairs";
  if (!counts.loop.isKnown)
    return "between " + formatPercent(counts.keptPairs, all) + " and " +
           formatPercent(counts.getMostPairs(), all) + " of " +
           formatCount(all) +
           " pairs: the mask reads what has to be computed first";
  if (counts.isExact)
    return formatPercent(counts.keptPairs, all) + ", " +
           formatCount(counts.keptPairs) + " of " + formatCount(all) +
           " pairs are kept";
  return formatEstimate(counts.keptPairs, counts.standardError, all) + " of " +
         formatCount(all) + " pairs are kept, from a random sample";
}

static std::string describeVisited(const LoopCounts &counts) {
  double all = counts.loop.getPairs(), visited = counts.getVisitedPairs();
  std::string text = formatPercent(visited, all) + " of the pairs are visited";
  if (counts.loop.isKnown && visited > 0)
    text += llvm::formatv(
        ", {0} of these are kept",
        formatPercent(std::min(counts.keptPairs, visited), visited));
  return text;
}

static void describeFloor(const Explanation &explanation,
                          std::vector<ExplanationLine> &lines) {
  const Floor &floor = explanation.floor;
  double most = 0;
  bool isExact = true, isKnown = true;
  for (const LoopCounts &counts : explanation.loops) {
    most += counts.getMostPairs() * counts.flopsPerPair;
    isExact &= counts.isExact;
    isKnown &= counts.loop.isKnown;
  }
  std::string work = isExact ? "" : "about ";
  if (!isKnown)
    work = formatQuantity(floor.flops, "FLOP") + " to ";
  lines.push_back(
      {"work", work + formatQuantity(isKnown ? floor.flops : most, "FLOP") +
                   " in the products of the pairs kept"});
  lines.push_back(
      {"memory", formatQuantity(floor.bytes, "B") + ", every tensor once"});
  if (floor.flopsPerSecond <= 0 || floor.bytesPerSecond <= 0)
    return;
  std::string peak = formatQuantity(floor.flopsPerSecond, "FLOP/s"),
              bandwidth = formatQuantity(floor.bytesPerSecond, "B/s");
  std::string source =
      !floor.isMeasured
          ? std::string(", as given")
          : llvm::formatv(", measured on {0} thread{1}", floor.threads,
                          floor.threads == 1 ? "" : "s")
                .str();
  std::string flopTime = formatQuantity(floor.getFlopSeconds(), "s"),
              byteTime = formatQuantity(floor.getByteSeconds(), "s");
  lines.push_back({"floor", floor.isBoundByMemory()
                                ? byteTime + ", bound by memory at " +
                                      bandwidth + "; the operations take " +
                                      flopTime + " at " + peak + source
                                : flopTime + ", bound by operations at " +
                                      peak + "; memory takes " + byteTime +
                                      " at " + bandwidth + source});
}

/// A line for each launch of a kernel.
static void addLaunches(StringRef label, StringRef text,
                        std::vector<ExplanationLine> &lines) {
  llvm::SmallVector<StringRef> launches;
  text.split(launches, "; ");
  for (auto [number, launch] : llvm::enumerate(launches))
    lines.push_back(
        {number == 0 ? label.str() : "",
         launches.size() == 1
             ? launch.str()
             : llvm::formatv("{0}. {1}", number + 1, launch).str()});
}

std::vector<ExplanationLine> describe(const Explanation &explanation) {
  std::vector<ExplanationLine> lines;
  auto join = [](const auto &pairs) {
    std::string text;
    llvm::raw_string_ostream os(text);
    for (const auto &[name, value] : pairs)
      os << (text.empty() ? "" : " ") << name << '=' << value;
    return text;
  };
  if (!explanation.params.empty())
    lines.push_back({"params", join(explanation.params)});
  lines.push_back({"shape", join(explanation.shape)});
  lines.push_back({"target", explanation.target + ", " + explanation.dtype});
  addLaunches("form", explanation.form, lines);
  addLaunches("plan", explanation.plan, lines);
  addLaunches("--plan", explanation.planParts, lines);
  for (RemarkKind kind : {RemarkKind::Structure, RemarkKind::Missed})
    for (const Remark &remark : explanation.remarks)
      if (remark.kind == kind)
        lines.push_back({getRemarkName(kind).str(), remark.text});
  for (auto [number, counts] : llvm::enumerate(explanation.loops)) {
    std::string loop = explanation.loops.size() > 1
                           ? llvm::formatv("loop {0}: ", number + 1).str()
                           : std::string();
    lines.push_back({"tiles", loop + describeTiles(counts)});
    lines.push_back({"density", loop + describeDensity(counts)});
    if (counts.tiles && counts.loop.getPairs() > 0)
      lines.push_back({"visited", loop + describeVisited(counts)});
  }
  describeFloor(explanation, lines);
  return lines;
}

void printText(const Explanation &explanation, llvm::raw_ostream &os) {
  constexpr unsigned width = 9;
  os << explanation.spec << " from " << explanation.file << '\n';
  for (const ExplanationLine &line : describe(explanation))
    os << "  " << llvm::left_justify(line.label, width) << "  " << line.text
       << '\n';
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

/// A count up to 2^53 exactly, else ten digits; null for what JSON has no
/// number for.
static void printNumber(llvm::json::OStream &json, StringRef name,
                        double value) {
  json.attributeBegin(name);
  bool isCount = value == std::floor(value) && std::abs(value) < 9e15;
  if (std::isfinite(value))
    json.rawValue(
        llvm::formatv("{0}", llvm::format(isCount ? "%.0f" : "%.10g", value))
            .str());
  else
    json.value(nullptr);
  json.attributeEnd();
}

static void printLoop(const LoopCounts &counts, llvm::json::OStream &json) {
  const reference::MaskedLoop &loop = counts.loop;
  double pairs = loop.getPairs();
  printNumber(json, "pairs", pairs);
  printNumber(json, "kept_pairs", counts.keptPairs);
  printNumber(json, "kept_pairs_error", counts.standardError);
  printNumber(json, "density", pairs > 0 ? counts.keptPairs / pairs : NAN);
  printNumber(json, "visited_pairs", counts.getVisitedPairs());
  json.attribute("mask", !loop.hasMask  ? "none"
                         : loop.isKnown ? "known"
                                        : "computed");
  if (!counts.tiles) {
    json.attribute("tiles", nullptr);
    return;
  }
  json.attributeObject("tiles", [&] {
    json.attribute("queries", counts.tiles->queries);
    json.attribute("keys", counts.tiles->keys);
    json.attribute("heads", counts.tiles->heads);
    json.attribute("listed", counts.tiles->isListed);
    json.attribute("empty", counts.tiles->empty);
    json.attribute("full", counts.tiles->full);
    json.attribute("partial", counts.tiles->partial);
  });
}

void printJson(const Explanation &explanation, llvm::raw_ostream &os) {
  llvm::json::OStream json(os);
  const Floor &floor = explanation.floor;
  json.object([&] {
    json.attribute("spec", explanation.spec);
    json.attribute("target", explanation.target);
    json.attribute("dtype", explanation.dtype);
    json.attributeObject("shape", [&] {
      for (const auto &[axis, extent] : explanation.shape)
        json.attribute(axis, extent);
    });
    json.attributeObject("params", [&] {
      for (const auto &[name, value] : explanation.params)
        json.attribute(name, value);
    });
    json.attribute("form", explanation.form);
    json.attribute("plan", explanation.plan);
    json.attribute("plan_parts", explanation.planParts);
    json.attributeArray("remarks", [&] {
      for (const Remark &remark : explanation.remarks)
        json.object([&] {
          json.attribute("kind", getRemarkName(remark.kind));
          json.attribute("text", remark.text);
        });
    });
    json.attributeArray("loops", [&] {
      for (const LoopCounts &counts : explanation.loops)
        json.object([&] { printLoop(counts, json); });
    });
    printNumber(json, "flops", floor.flops);
    printNumber(json, "bytes", floor.bytes);
    printNumber(json, "peak_gflops", floor.flopsPerSecond / 1e9);
    printNumber(json, "peak_gbytes", floor.bytesPerSecond / 1e9);
    bool isKnown = floor.flopsPerSecond > 0 && floor.bytesPerSecond > 0;
    printNumber(json, "floor_ms", isKnown ? 1e3 * floor.getSeconds() : NAN);
    json.attribute("bound", floor.isBoundByMemory() ? "memory" : "operations");
  });
  os << '\n';
}

} // namespace rapt::tool
