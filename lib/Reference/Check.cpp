// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Reference/Check.h"
#include "lib/Reference/RegionProgram.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>
#include <limits>
#include <random>
#include <set>

using llvm::Error;
using llvm::Expected;
using rapt::support::ElementType;

namespace rapt::reference {

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr int64_t kFirst = 64, kLast = 64, kRandom = 128;

std::vector<RowIndex> selectRows(RowSelection selection, int64_t batch,
                                 int64_t heads, int64_t queries,
                                 uint64_t seed) {
  std::vector<RowIndex> rows;
  if (selection == RowSelection::None || queries <= 0)
    return rows;
  bool all =
      selection == RowSelection::All || queries <= kFirst + kLast + kRandom;
  std::mt19937_64 random(seed);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      std::set<int64_t> chosen;
      for (int64_t i = 0; i < (all ? queries : kFirst); ++i)
        chosen.insert(i);
      for (int64_t i = all ? queries : queries - kLast; i < queries; ++i)
        chosen.insert(i);
      while (!all &&
             static_cast<int64_t>(chosen.size()) < kFirst + kLast + kRandom)
        chosen.insert(static_cast<int64_t>(random() % queries));
      for (int64_t i : chosen)
        rows.push_back({b, h, i});
    }
  }
  return rows;
}

double errorOfRow(llvm::ArrayRef<double> found, const Row &reference,
                  ElementType resultType) {
  double nothingNearer = support::getSmallestPositive(resultType) / 2;
  double worst = 0;
  for (auto [value, expected] : llvm::zip_equal(found, reference.out)) {
    double rounded = support::roundTo(resultType, expected);
    if (!std::isfinite(rounded)) {
      bool same = std::isnan(rounded) ? std::isnan(value) : value == rounded;
      if (!same)
        return kInfinity;
      continue;
    }
    if (!std::isfinite(value))
      return kInfinity;
    double difference = std::abs(value - expected) - nothingNearer;
    if (difference <= 0)
      continue;
    worst = std::max(worst, reference.scale > 0 ? difference / reference.scale
                                                : kInfinity);
  }
  return worst;
}

double errorOfLse(double found, double reference) {
  double rounded = support::roundTo(ElementType::F32, reference);
  if (!std::isfinite(rounded)) {
    bool same = std::isnan(rounded) ? std::isnan(found) : found == rounded;
    return same ? 0 : kInfinity;
  }
  if (!std::isfinite(found))
    return kInfinity;
  return std::abs(found - reference) / std::max(1.0, std::abs(reference));
}

double getErrorFloor(ElementType resultType) {
  return 4 * support::getUnitRoundoff(ElementType::F32) +
         support::getUnitRoundoff(resultType);
}

//===----------------------------------------------------------------------===//
// A whole result
//===----------------------------------------------------------------------===//

static Error checkExtents(const TensorView &view, llvm::StringRef name,
                          llvm::ArrayRef<int64_t> expected) {
  if (llvm::ArrayRef<int64_t>(view.sizes) == expected &&
      view.strides.size() == expected.size())
    return Error::success();
  auto list = [](llvm::ArrayRef<int64_t> sizes) {
    std::string text;
    for (int64_t size : sizes)
      text += (text.empty() ? "" : ", ") + std::to_string(size);
    return "[" + text + "]";
  };
  return llvm::createStringError(
      llvm::formatv("{0} has extents {1}, expected {2}", name, list(view.sizes),
                    list(expected)));
}

namespace {
struct RowErrors {
  double out = 0, lse = 0, plainOut = 0, plainLse = 0;
  bool isSkipped() const {
    return std::isinf(plainOut) || std::isinf(plainLse);
  }
};
} // namespace

static RowErrors compareRow(RowIndex index, const Row &exact, const Row &plain,
                            ElementType resultType, const TensorView &out,
                            const TensorView *lse) {
  std::vector<double> found(exact.out.size());
  for (auto [e, value] : llvm::enumerate(found))
    value = readReal(out, {index.b, index.h, index.i, static_cast<int64_t>(e)});
  RowErrors errors;
  errors.out = errorOfRow(found, exact, resultType);
  errors.plainOut = errorOfRow(plain.out, exact, resultType);
  if (lse) {
    errors.lse =
        errorOfLse(readReal(*lse, {index.b, index.h, index.i}), exact.lse);
    errors.plainLse = errorOfLse(plain.lse, exact.lse);
  }
  return errors;
}

/// Names the worst row and what is wrong with it.
static void judge(CheckReport &report, llvm::ArrayRef<RowIndex> rows,
                  llvm::ArrayRef<RowErrors> errors) {
  double worst = -1;
  for (auto [row, error] : llvm::zip_equal(rows, errors)) {
    if (error.isSkipped())
      continue;
    report.maxError = std::max(report.maxError, error.out);
    report.maxLseError = std::max(report.maxLseError, error.lse);
    bool lseIsWorse = error.lse / report.lseBound > error.out / report.bound;
    double excess =
        lseIsWorse ? error.lse / report.lseBound : error.out / report.bound;
    if (excess <= worst)
      continue;
    worst = excess;
    report.worst = row;
    if (excess <= 1)
      continue;
    report.passed = false;
    const char *what = lseIsWorse ? "lse" : "out";
    std::string place =
        llvm::formatv("row (b {0}, h {1}, i {2})", row.b, row.h, row.i);
    if (std::isinf(excess))
      report.message =
          place + ": " + what +
          " is not finite, or not zero, where the reference is, or the reverse";
    else
      report.message =
          llvm::formatv("{0}: error of {1} is {2:e3}, bound {3:e3}", place,
                        what, lseIsWorse ? error.lse : error.out,
                        lseIsWorse ? report.lseBound : report.bound);
  }
}

Expected<CheckReport> checkResult(AttnEvaluator &exact, AttnEvaluator &plain,
                                  const TensorView &out, const TensorView *lse,
                                  llvm::ArrayRef<RowIndex> rows) {
  int64_t batch = exact.getBatch(), heads = exact.getHeads();
  int64_t queries = exact.getQueries();
  if (Error error = checkExtents(out, "out",
                                 {batch, heads, queries, exact.getFeatures()}))
    return error;
  if (lse && !exact.hasLse())
    return llvm::createStringError("the spec returns no log-sum-exp");
  if (lse)
    if (Error error = checkExtents(*lse, "lse", {batch, heads, queries}))
      return error;
  for (RowIndex row : rows)
    if (row.b < 0 || row.b >= batch || row.h < 0 || row.h >= heads ||
        row.i < 0 || row.i >= queries)
      return llvm::createStringError(
          llvm::formatv("row (b {0}, h {1}, i {2}) lies outside the result",
                        row.b, row.h, row.i));

  // Rows come in portions, so that only their errors stay in memory.
  constexpr size_t kPortion = 4096;
  std::vector<RowErrors> errors;
  for (size_t begin = 0; begin < rows.size(); begin += kPortion) {
    auto portion = rows.slice(begin, std::min(kPortion, rows.size() - begin));
    std::vector<Row> exactRows = exact.evaluateRows(portion);
    std::vector<Row> plainRows = plain.evaluateRows(portion);
    for (auto [index, a, b] : llvm::zip_equal(portion, exactRows, plainRows))
      errors.push_back(
          compareRow(index, a, b, exact.getResultType(), out, lse));
  }

  CheckReport report;
  double plainOut = 0, plainLse = 0;
  for (const RowErrors &error : errors) {
    if (error.isSkipped()) {
      ++report.rowsSkipped;
      continue;
    }
    ++report.rowsChecked;
    plainOut = std::max(plainOut, error.plainOut);
    plainLse = std::max(plainLse, error.plainLse);
  }
  report.bound = 2 * plainOut + getErrorFloor(exact.getResultType());
  report.lseBound = 2 * plainLse + getErrorFloor(ElementType::F32);
  judge(report, rows, errors);
  if (report.rowsChecked == 0 && !rows.empty()) {
    report.passed = false;
    report.message =
        llvm::formatv("no row is compared: in each of the {0}, plain "
                      "evaluation in f32 overflows",
                      rows.size());
  }
  return report;
}

} // namespace rapt::reference
