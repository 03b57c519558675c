// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "SequenceCase.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Compiler/SequenceLayout.h"
#include "lib/Reference/Check.h"
#include <numeric>

namespace rapt::testing {

std::string SequenceSetting::describe() const {
  std::string text = spec.text + (packsQueries ? " packed queries" : "") +
                     (packsKeys ? " packed keys" : "");
  if (pageSize)
    text += " pages of " + std::to_string(pageSize);
  text += givesPositions ? " positions" : "";
  for (const SequenceLengths &each : lengths)
    text +=
        " " + std::to_string(each.queries) + "x" + std::to_string(each.keys);
  return text + " seed " + std::to_string(seed);
}

std::unique_ptr<SequenceCase> SequenceCase::create(SequenceSetting setting) {
  auto specCase = SpecCase::create(setting.spec);
  if (!specCase) {
    ADD_FAILURE() << llvm::toString(specCase.takeError());
    return nullptr;
  }
  const SpecSetting &made = (*specCase)->getSetting();
  auto spec = Spec::parse(made.text);
  if (!spec) {
    ADD_FAILURE() << spec.error().message;
    return nullptr;
  }
  CompileOptions options;
  options.definition = made.definition;
  options.params = made.params;
  options.dtype = getDType(made.type);
  options.extents = made.extents;
  options.useCache = false;
  options.sequences = {true, setting.pageSize > 0, setting.givesPositions};
  auto kernel = Kernel::compile(*spec, options);
  if (!kernel) {
    ADD_FAILURE() << made.text << "\n" << kernel.error().message;
    return nullptr;
  }
  std::unique_ptr<SequenceCase> result(
      new SequenceCase(setting, std::move(*specCase), *kernel));
  result->resize(setting.lengths, setting.seed);
  return result;
}

void SequenceCase::resize(std::vector<SequenceLengths> lengths, uint64_t seed) {
  setting.lengths = std::move(lengths);
  setting.seed = seed;
  makeSequences();
  layOut();
}

//===----------------------------------------------------------------------===//
// Each sequence alone
//===----------------------------------------------------------------------===//

static int findAxis(const frontend::TensorSignature &tensor,
                    llvm::StringRef name) {
  for (auto [d, axis] : llvm::enumerate(tensor.axes))
    if (axis.name == name)
      return static_cast<int>(d);
  return -1;
}

bool SequenceCase::hasQueryAtEveryKey() const {
  return findAxis(spec->getSpec().results[0], "queries") < 0;
}

/// The number in C order of an element of `tensor`.
static int64_t numberOf(const SpecTensor &tensor,
                        llvm::ArrayRef<int64_t> indices) {
  int64_t number = 0;
  for (auto [size, index] : llvm::zip_equal(tensor.sizes, indices))
    number = number * size + index;
  return number;
}

/// Calls `body` with the indices of every element of `tensor`.
static void
forElements(const SpecTensor &tensor,
            llvm::function_ref<void(std::vector<int64_t> &indices)> body) {
  std::vector<int64_t> indices(tensor.sizes.size());
  for (int64_t n = 0; n < tensor.count(); ++n) {
    int64_t rest = n;
    for (size_t d = indices.size(); d-- > 0; rest /= tensor.sizes[d])
      indices[d] = rest % tensor.sizes[d];
    body(indices);
  }
}

/// Tensors without a batch are the same for all sequences: what the longest
/// has, from its beginning.
void SequenceCase::makeSequences() {
  const SpecSetting &made = spec->getSetting();
  SequenceLengths longest{0, 0};
  for (const SequenceLengths &each : setting.lengths)
    longest = {std::max(longest.queries, each.queries),
               std::max(longest.keys, each.keys)};
  auto makeOne = [&](const SequenceLengths &each, uint64_t seed) {
    spec->resize(1, made.heads, made.kvHeads, each.queries, each.keys, seed);
    return spec->tensors;
  };
  std::vector<SpecTensor> common = makeOne(longest, setting.seed * 1000);
  alone.clear();
  positions.clear();
  std::mt19937_64 random(setting.seed);
  for (auto [b, each] : llvm::enumerate(setting.lengths)) {
    alone.push_back(makeOne(each, setting.seed * 1000 + b + 1));
    for (auto [n, signature] : llvm::enumerate(spec->getSpec().arguments)) {
      if (findAxis(signature, "batch") >= 0)
        continue;
      SpecTensor &own = alone.back()[n];
      forElements(own, [&](std::vector<int64_t> &indices) {
        own.set(numberOf(own, indices),
                common[n].get(numberOf(common[n], indices)));
      });
    }
    positions.emplace_back();
    for (int64_t row = 0; row < each.queries; ++row)
      positions.back().push_back(
          static_cast<int64_t>(random() % (each.keys + 3)) - 1);
  }
}

//===----------------------------------------------------------------------===//
// The call
//===----------------------------------------------------------------------===//

void SequenceCase::give(const std::string &name, std::vector<int64_t> sizes,
                        const std::vector<int64_t> &values) {
  SpecTensor tensor(name, support::ElementType::I32, std::move(sizes));
  for (auto [n, value] : llvm::enumerate(values))
    tensor.set(static_cast<int64_t>(n), static_cast<double>(value));
  given.erase(name);
  given.emplace(name, std::move(tensor));
}

void SequenceCase::layOut() {
  given.clear();
  auto batch = static_cast<int64_t>(setting.lengths.size());
  std::vector<int64_t> queries, keys, queryStarts{2}, keyStarts{1};
  for (const SequenceLengths &each : setting.lengths) {
    queries.push_back(each.queries);
    keys.push_back(each.keys);
    queryStarts.push_back(queryStarts.back() + each.queries);
    keyStarts.push_back(keyStarts.back() + each.keys);
  }
  // Rows that belong to no sequence stand in front, behind and in between.
  int64_t mostQueries = *llvm::max_element(queries) + 3;
  int64_t mostKeys = *llvm::max_element(keys) + 5;
  int64_t allQueries = queryStarts.back() + 3, allKeys = keyStarts.back() + 2;
  if (hasQueryAtEveryKey())
    ; // the keys say where they are
  else if (setting.packsQueries)
    give("query_starts", {batch + 1}, queryStarts);
  else
    give("query_lengths", {batch}, queries);
  if (setting.packsKeys)
    give("key_starts", {batch + 1}, keyStarts);
  else
    give("key_lengths", {batch}, keys);

  // The first page of the second sequence is that of the first one, if both
  // have one: a shared prefix.
  int64_t size = setting.pageSize, pages = 0, width = 0;
  std::vector<int64_t> table;
  if (size) {
    std::mt19937_64 random(setting.seed + 7);
    width = (mostKeys + size - 1) / size + 1;
    pages = batch * width + 2;
    std::vector<int64_t> order(pages);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    table.assign(order.begin(), order.begin() + batch * width);
    for (int64_t b = 0; b < batch; ++b) // behind the last key
      for (int64_t n = (keys[b] + size - 1) / size; n < width; ++n)
        table[b * width + n] = -1;
    if (batch > 1 && keys[0] >= size && keys[1] >= size) {
      table[width] = table[0];
      for (auto [n, signature] : llvm::enumerate(spec->getSpec().arguments)) {
        int axis = findAxis(signature, "keys");
        if (axis < 0 || !canBePaged(signature))
          continue;
        SpecTensor &from = alone[0][n], &to = alone[1][n];
        forElements(from, [&](std::vector<int64_t> &indices) {
          if (indices[axis] < size)
            to.set(numberOf(to, indices), from.get(numberOf(from, indices)));
        });
      }
    }
    give("page_table", {batch, width}, table);
  }
  if (setting.givesPositions) {
    std::vector<int64_t> all(
        setting.packsQueries ? allQueries : batch * mostQueries, 1 << 30);
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t row = 0; row < queries[b]; ++row)
        all[setting.packsQueries ? queryStarts[b] + row
                                 : b * mostQueries + row] = positions[b][row];
    give("query_positions",
         setting.packsQueries ? std::vector<int64_t>{allQueries}
                              : std::vector<int64_t>{batch, mostQueries},
         all);
  }

  tensors.clear();
  // Results have no values.
  auto makeTensor = [&](const frontend::TensorSignature &signature,
                        llvm::ArrayRef<int64_t> sizes,
                        const std::vector<SpecTensor> *values) -> SpecTensor {
    int b = findAxis(signature, "batch"), q = findAxis(signature, "queries"),
        k = findAxis(signature, "keys");
    bool isPaged = size && values && canBePaged(signature);
    bool isMerged = b >= 0 && !isPaged &&
                    ((q >= 0 && k < 0 && setting.packsQueries) ||
                     (k >= 0 && q < 0 && setting.packsKeys));
    std::vector<int64_t> whole(sizes.begin(), sizes.end());
    if (q >= 0)
      whole[q] = isMerged ? allQueries : mostQueries;
    if (k >= 0)
      whole[k] = isMerged ? allKeys : isPaged ? size : mostKeys;
    if (b >= 0)
      whole[b] = isPaged ? pages : batch;
    if (isMerged)
      whole.erase(whole.begin() + b);
    SpecTensor tensor(signature.name, signature.elementType, whole);
    std::fill(tensor.data.begin(), tensor.data.end(), '\x7f');
    if (isPaged && !setting.headsFirst && whole.size() == 4)
      tensor.arrange({0, 2, 1, 3});
    if (!values)
      return tensor;
    for (auto [number, own] : llvm::enumerate(*values))
      forElements(own, [&, number = number](std::vector<int64_t> &indices) {
        double value = own.get(numberOf(own, indices));
        std::vector<int64_t> place = indices;
        if (b >= 0)
          place[b] = number;
        if (isPaged) {
          place[b] = table[number * width + indices[k] / size];
          place[k] = indices[k] % size;
        }
        if (isMerged && q >= 0)
          place[q] += queryStarts[number];
        if (isMerged && k >= 0)
          place[k] += keyStarts[number];
        if (isMerged)
          place.erase(place.begin() + b);
        tensor.set(numberOf(tensor, place), value);
      });
    return tensor;
  };
  const frontend::Spec &checked = spec->getSpec();
  for (auto [n, signature] : llvm::enumerate(checked.arguments)) {
    std::vector<SpecTensor> own;
    for (const std::vector<SpecTensor> &sequence : alone)
      own.push_back(sequence[n]);
    tensors.push_back(makeTensor(signature, own[0].sizes, &own));
  }
  int64_t heads = spec->getSetting().heads;
  int64_t width0 = *checked.results[0].axes.back().extent;
  out = makeTensor(checked.results[0], {1, heads, 1, width0}, nullptr);
  lse = makeTensor(checked.results[1], {1, heads, 1}, nullptr);
}

TensorView SequenceCase::view(const SpecTensor &tensor) const {
  return {const_cast<char *>(tensor.data.data()), getDType(tensor.type),
          tensor.sizes, tensor.strides};
}

std::vector<NamedTensor> SequenceCase::arguments() const {
  std::vector<NamedTensor> result;
  for (const SpecTensor &tensor : tensors)
    result.push_back({tensor.name, view(tensor)});
  return result;
}

Sequences SequenceCase::sequences() const {
  Sequences result;
  for (auto [name, place] : {std::pair("query_starts", &result.queryStarts),
                             {"key_starts", &result.keyStarts},
                             {"query_lengths", &result.queryLengths},
                             {"key_lengths", &result.keyLengths},
                             {"page_table", &result.pageTable},
                             {"query_positions", &result.queryPositions}})
    if (auto tensor = given.find(name); tensor != given.end())
      *place = view(tensor->second);
  return result;
}

void SequenceCase::run(const RunOptions &options, const Plan *plan) {
  TensorView outView = view(out), lseView = view(lse);
  auto done = plan ? kernel.run(*plan, arguments(), outView, &lseView, options)
                   : kernel.run(arguments(), outView, &lseView, options);
  ASSERT_TRUE(static_cast<bool>(done)) << done.error().message << "\n"
                                       << setting.describe();
}

void SequenceCase::check(unsigned threads, bool isPlanned) {
  std::fill(out.data.begin(), out.data.end(), '\x7f');
  std::fill(lse.data.begin(), lse.data.end(), '\x7f');
  Sequences described = sequences();
  RunOptions options;
  options.threads = threads;
  options.sequences = &described;
  if (isPlanned) {
    auto plan = kernel.plan(arguments(), options);
    ASSERT_TRUE(static_cast<bool>(plan)) << plan.error().message;
    options.sequences = nullptr;
    run(options, &*plan);
  } else {
    run(options);
  }
  compare();
}

void SequenceCase::compare() {
  using reference::Precision;
  int64_t heads = spec->getSetting().heads;
  // The rows that are written, by their number in C order without features.
  std::vector<bool> isWritten(lse.count());
  bool isPacked = packsResults();
  int64_t first = !isPacked ? 0 : hasQueryAtEveryKey() ? 1 : 2;
  for (auto [b, each] : llvm::enumerate(setting.lengths)) {
    spec->resize(1, heads, spec->getSetting().kvHeads, each.queries, each.keys,
                 1);
    spec->tensors = alone[b];
    reference::Placement placement{static_cast<int64_t>(b), {}};
    if (setting.givesPositions)
      placement.positions = positions[b];
    reference::AttnEvaluator exact =
        spec->evaluator(Precision::Exact, placement);
    reference::AttnEvaluator plain =
        spec->evaluator(Precision::Rounded, placement);
    // The window of the results.
    auto window = [&, b = b, first = first,
                   queries = each.queries](const SpecTensor &tensor) {
      reference::TensorView view = tensor.view();
      size_t row = isPacked ? 1 : 2;
      int64_t offset = isPacked ? first * view.strides[row]
                                : static_cast<int64_t>(b) * view.strides[0];
      view.data = static_cast<const char *>(view.data) +
                  offset * support::getElementSize(tensor.type);
      view.sizes[row] = queries;
      if (isPacked) {
        view.sizes.insert(view.sizes.begin(), 1);
        view.strides.insert(view.strides.begin(), 0);
      } else {
        view.sizes[0] = 1;
      }
      return view;
    };
    int64_t rows = lse.sizes.back();
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t n = 0; n < each.queries; ++n)
        isWritten[isPacked ? h * rows + first + n
                           : (static_cast<int64_t>(b) * heads + h) * rows + n] =
            true;
    if (isPacked)
      first += each.queries;
    if (each.queries == 0)
      continue;
    reference::TensorView lseWindow = window(lse);
    auto report = reference::checkResult(exact, plain, window(out), &lseWindow,
                                         spec->allRows());
    ASSERT_TRUE(static_cast<bool>(report))
        << llvm::toString(report.takeError());
    ASSERT_TRUE(report->passed)
        << "sequence " << b << ": " << report->message << "\nerror "
        << report->maxError << " bound " << report->bound << "\n"
        << setting.describe();
  }
  auto isUntouched = [](const SpecTensor &tensor, int64_t row, int64_t width) {
    int64_t bytes = width * support::getElementSize(tensor.type);
    const char *data = tensor.data.data() + row * bytes;
    return std::all_of(data, data + bytes,
                       [](char byte) { return byte == '\x7f'; });
  };
  int64_t width = out.sizes.back();
  for (auto [row, written] : llvm::enumerate(isWritten)) {
    auto number = static_cast<int64_t>(row);
    ASSERT_TRUE(written || (isUntouched(out, number, width) &&
                            isUntouched(lse, number, 1)))
        << "row " << row << " belongs to no sequence\n"
        << setting.describe();
  }
}

} // namespace rapt::testing
