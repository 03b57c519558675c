// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/SequenceBatch.h"
#include "lib/Compiler/ElementTypes.h"
#include "llvm/ADT/STLExtras.h"
#include <cstring>
#include <numeric>
#include <random>

using llvm::ArrayRef;
using llvm::Expected;
using llvm::StringRef;

namespace rapt::tool {

//===----------------------------------------------------------------------===//
// Each sequence alone
//===----------------------------------------------------------------------===//

/// The extents of one sequence.
static Expected<AxisExtents> makeExtents(const AxisExtents &extents,
                                         const SequenceLength &length) {
  AxisExtents own;
  std::map<std::string, int64_t> all = extents.getAll();
  all["batch"] = 1;
  all["queries"] = length.queries;
  all["keys"] = length.keys;
  for (const auto &[axis, extent] : all)
    if (llvm::Error error = own.set(axis, extent, "--sequences"))
      return std::move(error);
  return own;
}

/// Calls `body` with the indices of every row along the last dimension.
static void forRows(ArrayRef<int64_t> sizes,
                    llvm::function_ref<void(ArrayRef<int64_t>)> body) {
  llvm::SmallVector<int64_t> indices(sizes.size(), 0);
  if (llvm::is_contained(sizes, 0))
    return;
  for (;;) {
    body(indices);
    size_t d = sizes.size();
    for (d = d > 0 ? d - 1 : 0; d-- > 0;) {
      if (++indices[d] < sizes[d])
        break;
      indices[d] = 0;
    }
    if (d == static_cast<size_t>(-1))
      return;
  }
}

static int64_t dot(ArrayRef<int64_t> indices, ArrayRef<int64_t> strides) {
  return std::inner_product(indices.begin(), indices.end(), strides.begin(),
                            int64_t(0));
}

/// What has no batch is the same for all: the beginning of the longest.
llvm::Error SequenceBatch::makeAlone(const TensorOptions &options,
                                     const frontend::Spec &spec,
                                     const AxisExtents &extents) {
  auto longest = makeExtents(extents, {longestQueries, longestKeys});
  if (!longest)
    return longest.takeError();
  std::vector<HostTensor> common;
  auto isCommon = [](const frontend::TensorSignature &signature) {
    return llvm::none_of(signature.axes,
                         [](const auto &axis) { return axis.name == "batch"; });
  };
  if (llvm::Error error = addRandom(options, spec, *longest, common, isCommon))
    return error;
  TensorOptions own = options;
  own.layout = Layout::HeadsFirst;
  for (const SequenceLength &length : request.lengths) {
    auto extent = makeExtents(extents, length);
    if (!extent)
      return extent.takeError();
    ++own.seed;
    std::vector<HostTensor> tensors;
    if (llvm::Error error = addRandom(own, spec, *extent, tensors))
      return error;
    size_t next = 0;
    for (auto [signature, tensor] : llvm::zip_equal(spec.arguments, tensors)) {
      if (!isCommon(signature))
        continue;
      reference::TensorView to = tensor.getReferenceView();
      reference::TensorView from = common[next++].getReferenceView();
      int64_t bytes = support::getElementSize(to.type);
      int64_t last = to.sizes.empty() ? 1 : to.sizes.back();
      forRows(to.sizes, [&](ArrayRef<int64_t> indices) {
        std::memcpy(static_cast<char *>(tensor.getData()) +
                        dot(indices, to.strides) * bytes,
                    static_cast<const char *>(from.data) +
                        dot(indices, from.strides) * bytes,
                    last * bytes);
      });
    }
    alone.push_back(std::move(tensors));
  }
  return llvm::Error::success();
}

/// The keys that all share are those of the longest sequence.
void SequenceBatch::sharePrefix(const frontend::Spec &spec) {
  if (request.sharedPrefix == 0)
    return;
  auto longest = llvm::max_element(
      request.lengths, [](const SequenceLength &a, const SequenceLength &b) {
        return a.keys < b.keys;
      });
  std::vector<HostTensor> &donor = alone[longest - request.lengths.begin()];
  for (auto [n, signature] : llvm::enumerate(spec.arguments)) {
    if (!canBePaged(signature))
      continue;
    reference::TensorView from = donor[n].getReferenceView();
    int64_t bytes = support::getElementSize(from.type);
    for (auto &tensors : alone) {
      reference::TensorView to = tensors[n].getReferenceView();
      std::vector<int64_t> sizes(to.sizes.begin(), to.sizes.end());
      int64_t &keys = sizes[sizes.size() - 2];
      keys = std::min(keys, request.sharedPrefix);
      if (&tensors == &donor)
        continue;
      forRows(sizes, [&](ArrayRef<int64_t> indices) {
        std::memcpy(static_cast<char *>(tensors[n].getData()) +
                        dot(indices, to.strides) * bytes,
                    static_cast<const char *>(from.data) +
                        dot(indices, from.strides) * bytes,
                    sizes.back() * bytes);
      });
    }
  }
}

//===----------------------------------------------------------------------===//
// The call
//===----------------------------------------------------------------------===//

TensorView SequenceBatch::CallTensor::getView() const {
  return {const_cast<char *>(data.data()), getDType(type), sizes, strides};
}

/// What the call says of the sequences.
void SequenceBatch::describe(uint64_t seed) {
  std::mt19937_64 random(seed);
  auto add = [&](StringRef name, std::vector<int64_t> sizes,
                 ArrayRef<int64_t> values) {
    CallTensor tensor{
        name.str(), support::ElementType::I32, std::move(sizes), {}, {}};
    tensor.data.resize(std::max<size_t>(4 * values.size(), 4));
    auto *data = reinterpret_cast<int32_t *>(tensor.data.data());
    for (auto [n, value] : llvm::enumerate(values))
      data[n] = static_cast<int32_t>(value);
    described[name.str()] = std::move(tensor);
  };
  int64_t batch = getBatch();
  std::vector<int64_t> queryStarts{0}, keyStarts{0}, queries, keys;
  for (const SequenceLength &length : request.lengths) {
    places.push_back({queryStarts.back(), keyStarts.back()});
    queries.push_back(length.queries);
    keys.push_back(length.keys);
    queryStarts.push_back(queryStarts.back() + length.queries);
    keyStarts.push_back(keyStarts.back() + length.keys);
  }
  allQueries = queryStarts.back();
  allKeys = keyStarts.back();
  if (!hasQueries)
    ; // the keys say where they are
  else if (request.isPacked)
    add("query_starts", {batch + 1}, queryStarts);
  else
    add("query_lengths", {batch}, queries);
  if (request.isPacked && !request.pageSize)
    add("key_starts", {batch + 1}, keyStarts);
  else
    add("key_lengths", {batch}, keys);
  if (request.pageSize) {
    auto countPages = [&](int64_t length) {
      return (length + request.pageSize - 1) / request.pageSize;
    };
    pagesOfOne = countPages(longestKeys);
    // The first of them are the shared ones.
    int64_t shared = std::min(countPages(request.sharedPrefix), pagesOfOne);
    pages = shared;
    for (int64_t length : keys)
      pages += std::max<int64_t>(countPages(length) - shared, 0);
    std::vector<int64_t> order(pages), table(batch * pagesOfOne);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    int64_t next = shared;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t n = 0; n < countPages(keys[b]); ++n)
        table[b * pagesOfOne + n] = order[n < shared ? n : next++];
    add("page_table", {batch, pagesOfOne}, table);
  }
  if (!request.givesPositions)
    return;
  int64_t rows = request.isPacked ? allQueries : batch * longestQueries;
  std::vector<int64_t> all(rows);
  for (int64_t b = 0; b < batch; ++b) {
    positions.emplace_back();
    for (int64_t n = 0; n < queries[b]; ++n) {
      auto position = static_cast<int64_t>(
          random() % static_cast<uint64_t>(std::max<int64_t>(keys[b], 1)));
      positions.back().push_back(position);
      all[(request.isPacked ? places[b].firstQuery : b * longestQueries) + n] =
          position;
    }
  }
  add("query_positions",
      request.isPacked ? std::vector<int64_t>{rows}
                       : std::vector<int64_t>{batch, longestQueries},
      all);
}

/// Tokens outside heads where a call has no batch, as serving has them, unless
/// it is asked for something else.
SequenceBatch::CallTensor
SequenceBatch::allocate(const frontend::TensorSignature &signature,
                        const SequenceLayout::Tensor &role,
                        const HostTensor &like) const {
  CallTensor tensor{signature.name, like.getType(), {}, {}, {}};
  for (unsigned d = 0; d < role.rank; ++d) {
    auto dimension = static_cast<int>(d);
    int64_t size = like.getSizes()[d];
    if (dimension == role.batch)
      size = role.isPaged ? pages : getBatch();
    else if (dimension == role.queries)
      size = role.isMerged ? allQueries : longestQueries;
    else if (dimension == role.keys)
      size = role.isPaged    ? request.pageSize
             : role.isMerged ? allKeys
                             : longestKeys;
    if (dimension != role.batch || !role.isMerged)
      tensor.sizes.push_back(size);
  }

  size_t rank = tensor.sizes.size();
  std::vector<size_t> order(rank);
  std::iota(order.begin(), order.end(), 0);
  bool isPackedOrPaged = role.isMerged || role.isPaged;
  if (role.rank == 4 && !request.areHeadsFirst.value_or(!isPackedOrPaged))
    std::swap(order[rank - 3], order[rank - 2]);
  tensor.strides.resize(rank);
  int64_t stride = 1;
  for (size_t d : llvm::reverse(order)) {
    tensor.strides[d] = stride;
    stride *= std::max<int64_t>(tensor.sizes[d], 1);
  }
  tensor.data.resize(stride * support::getElementSize(tensor.type));
  return tensor;
}

/// The place in a tensor of the call of an element of a sequence.
int64_t SequenceBatch::getOffset(const CallTensor &tensor,
                                 const SequenceLayout::Tensor &role,
                                 int64_t sequence,
                                 ArrayRef<int64_t> indices) const {
  int64_t offset = 0;
  for (auto [d, index] : llvm::enumerate(indices)) {
    auto dimension = static_cast<int>(d);
    int64_t place = index;
    if (dimension == role.batch) {
      if (role.isMerged)
        continue;
      place = sequence;
      if (role.isPaged) {
        auto *table = reinterpret_cast<const int32_t *>(
            described.at("page_table").data.data());
        place = table[sequence * pagesOfOne +
                      indices[role.keys] / request.pageSize];
      }
    } else if (dimension == role.keys && role.isPaged) {
      place %= request.pageSize;
    } else if (role.isMerged && dimension == role.queries) {
      place += places[sequence].firstQuery;
    } else if (role.isMerged && dimension == role.keys) {
      place += places[sequence].firstKey;
    }
    offset += place * tensor.strides[role.getCallDimension(d)];
  }
  return offset;
}

void SequenceBatch::copyIn(CallTensor &tensor,
                           const SequenceLayout::Tensor &role,
                           const HostTensor &own, int64_t sequence) const {
  reference::TensorView from = own.getReferenceView();
  int64_t bytes = support::getElementSize(from.type);
  int64_t last = from.sizes.empty() ? 1 : from.sizes.back();
  // Tokens in the last dimension may lie apart; nothing else does.
  forRows(from.sizes, [&](ArrayRef<int64_t> indices) {
    std::memcpy(tensor.data.data() +
                    getOffset(tensor, role, sequence, indices) * bytes,
                static_cast<const char *>(from.data) +
                    dot(indices, from.strides) * bytes,
                last * bytes);
  });
}

Expected<SequenceBatch> SequenceBatch::create(const SequenceRequest &request,
                                              const TensorOptions &options,
                                              const frontend::Spec &spec,
                                              const AxisExtents &extents) {
  SequenceBatch batch;
  batch.request = request;
  batch.hasQueries =
      llvm::any_of(spec.results.front().axes,
                   [](const auto &axis) { return axis.name == "queries"; });
  for (const SequenceLength &length : request.lengths) {
    if (!batch.hasQueries && length.queries != length.keys)
      return llvm::createStringError(
          "--sequences gives " + llvm::Twine(length.queries) + " queries and " +
          llvm::Twine(length.keys) + " keys, but '" + spec.name +
          "' has a query at every key");
    batch.longestQueries = std::max(batch.longestQueries, length.queries);
    batch.longestKeys = std::max(batch.longestKeys, length.keys);
  }
  if (llvm::Error error = batch.makeAlone(options, spec, extents))
    return std::move(error);
  batch.sharePrefix(spec);
  batch.describe(options.seed);
  size_t tensors = spec.arguments.size() + spec.results.size();
  auto layout = SequenceLayout::create(
      {spec.arguments, spec.results, std::vector<bool>(tensors)},
      request.getForm(), batch.getSequences());
  if (!layout)
    return layout.takeError();
  batch.roles = layout->getTensors().vec();
  for (auto [n, signature] : llvm::enumerate(spec.arguments)) {
    batch.arguments.push_back(
        batch.allocate(signature, batch.roles[n], batch.alone[0][n]));
    for (int64_t b = 0; b < batch.getBatch(); ++b)
      batch.copyIn(batch.arguments.back(), batch.roles[n], batch.alone[b][n],
                   b);
  }
  auto one = makeExtents(extents, request.lengths[0]);
  if (!one)
    return one.takeError();
  auto made = makeResults(options, spec, *one);
  if (!made)
    return made.takeError();
  for (auto [n, result] : llvm::enumerate(*made))
    batch.results.push_back(batch.allocate(
        spec.results[n], batch.roles[spec.arguments.size() + n], result));
  return batch;
}

std::vector<NamedTensor> SequenceBatch::getArguments() const {
  std::vector<NamedTensor> named;
  for (const CallTensor &tensor : arguments)
    named.push_back({tensor.name, tensor.getView()});
  return named;
}

Sequences SequenceBatch::getSequences() const {
  Sequences sequences;
  for (auto [name, view] : {std::pair("query_starts", &sequences.queryStarts),
                            {"key_starts", &sequences.keyStarts},
                            {"query_lengths", &sequences.queryLengths},
                            {"key_lengths", &sequences.keyLengths},
                            {"page_table", &sequences.pageTable},
                            {"query_positions", &sequences.queryPositions}})
    if (auto tensor = described.find(name); tensor != described.end())
      *view = tensor->second.getView();
  return sequences;
}

TensorView SequenceBatch::getResult(size_t number) const {
  return results[number].getView();
}

std::vector<reference::NamedTensor>
SequenceBatch::getNamed(int64_t sequence) const {
  std::vector<reference::NamedTensor> named;
  for (const HostTensor &tensor : alone[sequence])
    named.push_back({tensor.getName(), tensor.getReferenceView()});
  return named;
}

reference::Placement SequenceBatch::getPlacement(int64_t sequence) const {
  reference::Placement placement;
  placement.sequence = sequence;
  if (request.givesPositions)
    placement.positions = positions[sequence];
  return placement;
}

reference::TensorView SequenceBatch::getWindow(size_t result,
                                               int64_t sequence) const {
  const CallTensor &tensor = results[result];
  const SequenceLayout::Tensor &role = roles[arguments.size() + result];
  llvm::SmallVector<int64_t> first(role.rank, 0);
  reference::TensorView view;
  view.type = tensor.type;
  view.data = tensor.data.data() + getOffset(tensor, role, sequence, first) *
                                       support::getElementSize(tensor.type);
  for (unsigned d = 0; d < role.rank; ++d) {
    auto dimension = static_cast<int>(d);
    if (dimension == role.batch) {
      view.sizes.push_back(1);
      view.strides.push_back(0);
      continue;
    }
    unsigned from = role.getCallDimension(d);
    const SequenceLength &length = request.lengths[sequence];
    view.sizes.push_back(dimension == role.queries ? length.queries
                         : dimension == role.keys  ? length.keys
                                                   : tensor.sizes[from]);
    view.strides.push_back(tensor.strides[from]);
  }
  return view;
}

} // namespace rapt::tool
