// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/CallPlan.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Runtime/FlushSubnormals.h"
#include "llvm/ADT/STLExtras.h"
#include <atomic>
#include <map>
#include <numeric>

using llvm::ArrayRef;
using llvm::Expected;
using llvm::Twine;

namespace rapt {

static llvm::Error invalid(const Twine &message) {
  return makeError(ErrorCode::InvalidArgument, message);
}

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

CallPlan::CallPlan(ArrayRef<int64_t> words)
    : callWords(words.begin(), words.end()), parts(1), partWords(callWords) {}

Expected<std::vector<PageRows>>
CallPlan::findPageRows(ArrayRef<int64_t> words) const {
  std::vector<PageRows> found;
  for (auto [n, tensor] : llvm::enumerate(layout->getTensors())) {
    if (!tensor.isPaged)
      continue;
    const CallSignature &call = layout->getSignature();
    auto rows = getPageRows(tensor, call.arguments[n].name, words);
    if (!rows)
      return rows.takeError();
    found.push_back(*rows);
  }
  return found;
}

Expected<CallPlan> CallPlan::create(SequenceLayout layout,
                                    const Sequences &sequences,
                                    ArrayRef<int64_t> words) {
  CallPlan plan;
  plan.layout = std::move(layout);
  plan.callWords.assign(words.begin(), words.end());
  auto rows = readSequences(*plan.layout, sequences, words);
  if (!rows)
    return rows.takeError();
  auto pageRows = plan.findPageRows(words);
  if (!pageRows)
    return pageRows.takeError();
  plan.pageRows = std::move(*pageRows);
  plan.numbers.resize(rows->size());
  std::iota(plan.numbers.begin(), plan.numbers.end(), 0);
  for (const SequenceRows &sequence : *rows)
    if (sequence.queries > 0) {
      plan.parts.emplace_back();
      plan.parts.back().rows = sequence;
    }
  // The items of the longest sequences begin first, so that what is left for
  // the last threads is short.
  llvm::sort(plan.parts, [](const Part &a, const Part &b) {
    return std::tuple(-a.rows.keys, -a.rows.queries, a.rows.number) <
           std::tuple(-b.rows.keys, -b.rows.queries, b.rows.number);
  });
  plan.listRows(sequences);
  plan.copyPositions(sequences);
  plan.writeWords();
  return plan;
}

/// The row of each key: its page's first, and its place there.
void CallPlan::listRows(const Sequences &sequences) {
  if (!sequences.pageTable)
    return;
  size_t keys = 0;
  for (Part &part : parts) {
    part.firstRow = keys;
    keys += part.rows.keys;
  }
  int64_t pageSize = 0;
  for (const SequenceLayout::Tensor &tensor : layout->getTensors())
    if (tensor.isPaged)
      pageSize =
          callWords[tensor.word + 1 + tensor.getCallDimension(tensor.keys)];
  std::map<int64_t, size_t> known; // by rows per page
  for (const PageRows &rows : pageRows) {
    auto [entry, isNew] = known.try_emplace(rows.perPage, listedRows.size());
    lists.push_back(entry->second);
    if (!isNew)
      continue;
    listedRows.reserve(listedRows.size() + keys);
    for (const Part &part : parts)
      for (int64_t first = 0, n = 0; first < part.rows.keys;
           first += pageSize, ++n) {
        int64_t row = rows.perPage *
                      getElement(*sequences.pageTable, part.rows.number, n);
        int64_t end = std::min(pageSize, part.rows.keys - first);
        for (int64_t slot = 0; slot < end; ++slot)
          listedRows.push_back(static_cast<int32_t>(row + slot));
      }
  }
}

void CallPlan::copyPositions(const Sequences &sequences) {
  if (!sequences.queryPositions)
    return;
  hasPositions = true;
  const TensorView &given = *sequences.queryPositions;
  for (Part &part : parts) {
    part.firstPosition = positions.size();
    for (int64_t n = 0; n < part.rows.queries; ++n)
      positions.push_back(given.sizes.size() == 1
                              ? getElement(given, part.rows.firstQuery + n)
                              : getElement(given, part.rows.number, n));
  }
}

/// The window of a tensor that belongs to one sequence.
void CallPlan::writeTensor(const SequenceLayout::Tensor &tensor,
                           const Part &part, const PageRows *page,
                           int64_t *&word) const {
  const int64_t *given = &callWords[tensor.word];
  unsigned callRank = tensor.getCallRank();
  int64_t address = given[0];
  int64_t *place = word;
  int64_t *sizes = word + 1, *strides = sizes + tensor.rank;
  word = strides + tensor.rank;
  // A result that is not wanted.
  if (address == 0 && std::all_of(given + 1, given + 1 + callRank,
                                  [](int64_t size) { return size == 0; })) {
    std::fill(place, word, 0);
    return;
  }
  for (unsigned d = 0; d < tensor.rank; ++d) {
    auto dimension = static_cast<int>(d);
    if (dimension == tensor.batch && (tensor.isMerged || tensor.isPaged)) {
      sizes[d] = 1;
      strides[d] = 0;
      continue;
    }
    unsigned from = 1 + tensor.getCallDimension(d);
    sizes[d] = given[from];
    strides[d] = given[from + callRank];
    int64_t first = 0;
    if (dimension == tensor.batch) {
      first = part.rows.number;
      sizes[d] = 1;
    } else if (dimension == tensor.keys && page) {
      sizes[d] = page->count;
      strides[d] = page->stride;
    } else if (dimension == tensor.queries) {
      first = tensor.isMerged ? part.rows.firstQuery : 0;
      sizes[d] = part.rows.queries;
    } else if (dimension == tensor.keys) {
      first = tensor.isMerged ? part.rows.firstKey : 0;
      sizes[d] = part.rows.keys;
    }
    address += first * strides[d] * tensor.elementBytes;
  }
  *place = address;
}

void CallPlan::writeHidden(const Part &part, int64_t *&word) const {
  auto write = [&](const int32_t *data, std::optional<int64_t> size) {
    *word++ = static_cast<int64_t>(reinterpret_cast<intptr_t>(data));
    if (size) {
      *word++ = *size;
      *word++ = 1;
    }
  };
  for (size_t list : lists)
    write(listedRows.data() + list + part.firstRow, part.rows.keys);
  if (hasPositions)
    write(positions.data() + part.firstPosition, part.rows.queries);
  write(&numbers[part.rows.number], std::nullopt);
}

void CallPlan::writeWords() {
  size_t count = 1 + 3 * (lists.size() + (hasPositions ? 1 : 0));
  for (const SequenceLayout::Tensor &tensor : layout->getTensors())
    count += 1 + 2 * tensor.rank;
  partWords.resize(count * parts.size());
  int64_t *word = partWords.data();
  for (auto [n, part] : llvm::enumerate(parts)) {
    part.firstWord = n * count;
    const PageRows *page = pageRows.data();
    for (auto [t, tensor] : llvm::enumerate(layout->getTensors())) {
      if (t == layout->getArgumentCount())
        writeHidden(part, word);
      writeTensor(tensor, part, tensor.isPaged ? page++ : nullptr, word);
    }
  }
}

llvm::Error CallPlan::setWords(ArrayRef<int64_t> words,
                               const CallSignature &signature) {
  if (ArrayRef(callWords) == words)
    return llvm::Error::success();
  size_t word = 0;
  for (const frontend::TensorSignature &argument : signature.arguments) {
    size_t rank = argument.axes.size();
    for (size_t d = 0; d < rank; ++d)
      if (words[word + 1 + d] != callWords[word + 1 + d])
        return invalid("axis '" + argument.axes[d].name + "' of '" +
                       argument.name + "' has extent " +
                       Twine(words[word + 1 + d]) + ", but was planned with " +
                       Twine(callWords[word + 1 + d]));
    word += 1 + 2 * rank;
  }
  if (!layout) {
    callWords.assign(words.begin(), words.end());
    partWords = callWords;
    return llvm::Error::success();
  }
  auto found = findPageRows(words);
  if (!found)
    return found.takeError();
  for (auto [now, before] : llvm::zip_equal(*found, pageRows))
    if (now.perPage != before.perPage)
      return invalid("a page is " + Twine(now.perPage) +
                     " rows behind the one before, but was planned with " +
                     Twine(before.perPage));
  // Results are no part of a plan.
  if (llvm::Error error =
          checkResults(*layout, static_cast<int64_t>(numbers.size()), words))
    return error;
  for (const Part &part : parts)
    if (llvm::Error error = checkResultRows(*layout, part.rows, words))
      return error;
  pageRows = std::move(*found);
  callWords.assign(words.begin(), words.end());
  writeWords();
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Planning and running
//===----------------------------------------------------------------------===//

llvm::Error
CallPlan::checkTables(ArrayRef<TableReach> reaches,
                      ArrayRef<frontend::TensorSignature> arguments) const {
  if (reaches.empty())
    return llvm::Error::success();
  for (const Part &part : parts) {
    ReachShape shape{part.rows.queries, part.rows.keys, part.rows.number,
                     hasPositions};
    const int64_t *word = getWords(part);
    if (!layout) { // the lengths are those of the tensors
      bool hasQueries = false;
      for (const frontend::TensorSignature &argument : arguments) {
        for (auto [d, axis] : llvm::enumerate(argument.axes))
          if (axis.name == "queries") {
            shape.queries = word[1 + d];
            hasQueries = true;
          } else if (axis.name == "keys") {
            shape.keys = word[1 + d];
          }
        word += 1 + 2 * argument.axes.size();
      }
      if (!hasQueries)
        shape.queries = shape.keys;
    }
    if (llvm::Error error =
            checkReaches(reaches, arguments, getWords(part), shape))
      return error;
  }
  return llvm::Error::success();
}

llvm::Error CallPlan::plan(const runtime::KernelEntries &entries,
                           int64_t launches, WorkspacePool &workspaces,
                           ItemRunner runner) {
  constexpr int64_t line = 64;
  for (Part &part : parts)
    part.bytes = entries.workspace(getWords(part));
  // A mask that leaves more runs than expected is planned again with the
  // memory that they need.
  std::atomic<bool> isEnough = false;
  while (!isEnough) {
    int64_t bytes = 0;
    for (Part &part : parts) {
      part.memory = bytes;
      bytes += llvm::alignTo(part.bytes, line);
    }
    workspace.reset();
    workspace.emplace(workspaces.take(bytes));
    if (!workspace->getData())
      return invalid("not enough memory for a workspace of " + Twine(bytes) +
                     " bytes");
    // Nobody else uses what the last part leaves of it.
    if (!parts.empty())
      parts.back().bytes = workspace->getBytes() - parts.back().memory;
    isEnough = true;
    auto planParts = [&](int64_t first, int64_t last) {
      for (int64_t n = first; n < last; ++n) {
        Part &part = parts[n];
        int64_t needed =
            entries.plan(getWords(part), getMemory(part), part.bytes);
        part.planned = needed;
        if (needed > part.bytes) {
          part.bytes = needed;
          isEnough = false;
        }
      }
    };
    if (parts.size() > 1)
      runner(static_cast<int64_t>(parts.size()), planParts);
    else
      planParts(0, static_cast<int64_t>(parts.size()));
  }
  ends.assign(launches, {});
  for (int64_t launch = 0; launch < launches; ++launch) {
    int64_t items = 0;
    for (const Part &part : parts) {
      items += reinterpret_cast<const int64_t *>(getMemory(part))[launch];
      ends[launch].push_back(items);
    }
  }
  return llvm::Error::success();
}

void CallPlan::run(const runtime::KernelEntries &entries, ItemRunner runner) {
  for (auto [launch, end] : llvm::enumerate(ends)) {
    if (end.empty() || end.back() == 0)
      continue;
    auto runItems = [&, &end = end, launch = launch](int64_t first,
                                                     int64_t last) {
      runtime::FlushSubnormals flush;
      size_t n = std::upper_bound(end.begin(), end.end(), first) - end.begin();
      for (; first < last; ++n) {
        int64_t begin = n > 0 ? end[n - 1] : 0;
        int64_t stop = std::min(last, end[n]);
        if (stop > first)
          entries.run(getWords(parts[n]), getMemory(parts[n]),
                      static_cast<int64_t>(launch), first - begin,
                      stop - begin);
        first = stop;
      }
    };
    runner(end.back(), runItems);
  }
}

int64_t CallPlan::getBytes() const {
  auto sizeOf = [](const auto &list) {
    return static_cast<int64_t>(list.size() * sizeof(list[0]));
  };
  return sizeOf(partWords) + sizeOf(callWords) + sizeOf(listedRows) +
         sizeOf(positions) + (workspace ? workspace->getBytes() : 0);
}

} // namespace rapt
