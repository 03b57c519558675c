// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/SequenceOptions.h"
#include <random>

using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace rapt::tool {

std::vector<OptionRow> getSequenceOptionRows() {
  return {{"--sequences", "LENGTHS",
           "A batch of sequences, e.g. 16..4096x64: N keys and as many\n"
           "queries, M:N for M queries, A..B for a random length,\n"
           "xCOUNT for several; commas between them"},
          {"--padded", "",
           "Each sequence of the batch at its own place, instead of one\n"
           "after the other"},
          {"--page-size", "N", "Keys in pages of N, in random order"},
          {"--shared-prefix", "N",
           "The first N keys of all sequences in the same pages"},
          {"--positions", "", "Queries at random positions"}};
}

namespace {

struct Range {
  int64_t first = 0, last = 0;
};

bool parseRange(StringRef text, Range &range) {
  auto [first, last] = text.split("..");
  if (first.getAsInteger(10, range.first) || range.first < 0)
    return false;
  range.last = range.first;
  if (!text.contains(".."))
    return true;
  return !last.getAsInteger(10, range.last) && range.last >= range.first;
}

/// "M:N", "A..B", "NxCOUNT" and what can be made of them.
bool parseItem(StringRef item, std::mt19937_64 &random,
               std::vector<SequenceLength> &lengths) {
  constexpr int64_t mostSequences = 1 << 20;
  int64_t count = 1;
  auto [what, times] = item.split('x');
  if (item.contains('x') &&
      (times.getAsInteger(10, count) || count < 1 ||
       count > mostSequences - static_cast<int64_t>(lengths.size())))
    return false;
  auto [left, right] = what.split(':');
  bool hasQueries = what.contains(':');
  Range queries, keys;
  if (!parseRange(hasQueries ? right : left, keys) ||
      (hasQueries && !parseRange(left, queries)))
    return false;
  auto draw = [&](const Range &range) {
    return range.first +
           static_cast<int64_t>(
               random() %
               (static_cast<uint64_t>(range.last - range.first) + 1));
  };
  for (int64_t n = 0; n < count; ++n) {
    SequenceLength length;
    length.keys = draw(keys);
    length.queries = hasQueries ? draw(queries) : length.keys;
    lengths.push_back(length);
  }
  return true;
}

} // namespace

Expected<std::optional<SequenceRequest>>
parseSequenceOptions(const CommandLine &line, uint64_t seed) {
  auto text = line.get("--sequences");
  if (!text) {
    for (StringRef option :
         {"--padded", "--page-size", "--shared-prefix", "--positions"})
      if (line.has(option))
        return usageError("option '" + option + "' needs '--sequences'");
    return std::nullopt;
  }
  for (StringRef option : {"--in", "--out"})
    if (!line.getAll(option).empty())
      return usageError("option '" + option +
                        "' does not go with '--sequences', whose tensors are "
                        "random");
  SequenceRequest request;
  std::mt19937_64 random(seed);
  llvm::SmallVector<StringRef> items;
  text->split(items, ',');
  for (StringRef item : items)
    if (!parseItem(item, random, request.lengths))
      return usageError("option '--sequences' expects lengths like 300, "
                        "1:4096 or 16..4096x64, found '" +
                        Twine(item) + "'");
  request.isPacked = !line.has("--padded");
  request.givesPositions = line.has("--positions");
  if (line.has("--page-size")) {
    auto size = line.getInteger("--page-size", 16, 1);
    if (!size)
      return size.takeError();
    request.pageSize = *size;
  }
  if (line.has("--shared-prefix")) {
    auto keys = line.getInteger("--shared-prefix", 0, 0);
    if (!keys)
      return keys.takeError();
    if (request.pageSize == 0)
      return usageError("option '--shared-prefix' needs '--page-size'");
    if (*keys % request.pageSize != 0)
      return usageError("option '--shared-prefix' expects whole pages of " +
                        Twine(request.pageSize) + " keys, found " +
                        Twine(*keys));
    request.sharedPrefix = *keys;
  }
  if (auto layout = line.get("--layout"))
    request.areHeadsFirst = *layout == "bhnd";
  return request;
}

} // namespace rapt::tool
