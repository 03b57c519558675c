// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/SequenceLayout.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Support/MaxLength.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <limits>

using llvm::ArrayRef;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace rapt {
namespace {

llvm::Error invalid(const Twine &message) {
  return makeError(ErrorCode::InvalidArgument, message);
}

int findAxis(const frontend::TensorSignature &tensor, StringRef name) {
  auto axis = llvm::find_if(
      tensor.axes, [&](const auto &axis) { return axis.name == name; });
  return axis == tensor.axes.end()
             ? -1
             : static_cast<int>(axis - tensor.axes.begin());
}

// Axes of a call that no spec can name.
constexpr llvm::StringLiteral kPages = "cache pages", kPageSize = "page size",
                              kLongestQueries = "longest queries",
                              kLongestKeys = "longest keys";

} // namespace

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

std::vector<frontend::TensorSignature>
getSequenceArguments(ArrayRef<frontend::TensorSignature> arguments,
                     const SequenceForm &form) {
  std::vector<frontend::TensorSignature> hidden;
  if (!form.isAny())
    return hidden;
  auto add = [&](std::string name, std::vector<frontend::TensorAxis> axes) {
    while (llvm::any_of(
        arguments, [&](const auto &argument) { return argument.name == name; }))
      name += '_';
    hidden.push_back({name, support::ElementType::I32, std::move(axes)});
  };
  frontend::TensorAxis keys, queries;
  keys.name = "keys";
  queries.name = "queries";
  if (form.isPaged)
    for (const frontend::TensorSignature &argument : arguments)
      if (canBePaged(argument))
        add(argument.name + "_rows", {keys});
  if (form.hasPositions)
    add("query_positions", {queries});
  add("sequence", {});
  return hidden;
}

/// What is given goes together, and with the kernel.
static llvm::Error checkForm(const SequenceForm &form,
                             const Sequences &sequences) {
  if (!form.isAny())
    return invalid("the kernel was not compiled for sequences; set "
                   "CompileOptions::sequences");
  if (sequences.pageTable && !form.isPaged)
    return invalid("'page_table' is given, but the kernel was compiled for "
                   "keys without pages");
  if (form.isPaged && !sequences.pageTable)
    return invalid("'page_table' is missing: the kernel was compiled for keys "
                   "in pages");
  if (sequences.queryPositions && !form.hasPositions)
    return invalid("'query_positions' are given, but the kernel was compiled "
                   "without positions");
  if (form.hasPositions && !sequences.queryPositions)
    return invalid("'query_positions' are missing: the kernel was compiled for "
                   "positions");
  if (sequences.pageTable && sequences.keyStarts)
    return invalid("'key_starts' and 'page_table' are given, expected one");
  if (sequences.pageTable && !sequences.keyLengths)
    return invalid("'key_lengths' are missing: pages do not say how many keys "
                   "a sequence has");
  return llvm::Error::success();
}

Expected<SequenceLayout> SequenceLayout::create(const CallSignature &kernel,
                                                const SequenceForm &form,
                                                const Sequences &sequences) {
  if (llvm::Error error = checkForm(form, sequences))
    return std::move(error);
  SequenceLayout layout;
  layout.call.contiguous = kernel.contiguous;
  if (sequences.queryStarts)
    layout.call.packedAxes.push_back("queries");
  if (sequences.keyStarts)
    layout.call.packedAxes.push_back("keys");
  size_t word = 0;
  auto add = [&](const frontend::TensorSignature &tensor,
                 std::vector<frontend::TensorSignature> &list, bool isResult) {
    Tensor made;
    made.rank = static_cast<unsigned>(tensor.axes.size());
    made.elementBytes = support::getElementSize(tensor.elementType);
    made.batch = findAxis(tensor, "batch");
    made.queries = findAxis(tensor, "queries");
    made.keys = findAxis(tensor, "keys");
    made.word = word;
    bool hasOneSide = (made.queries >= 0) != (made.keys >= 0);
    bool isPacked = made.keys >= 0 ? sequences.keyStarts.has_value()
                                   : sequences.queryStarts.has_value();
    made.isPaged = form.isPaged && !isResult && canBePaged(tensor);
    made.isMerged = !made.isPaged && made.batch >= 0 && hasOneSide && isPacked;
    frontend::TensorSignature given = tensor;
    if (made.isPaged) {
      given.axes[made.batch].name = kPages.str();
      given.axes[made.keys].name = kPageSize.str();
    } else if (made.isMerged) {
      given.axes.erase(given.axes.begin() + made.batch);
    } else {
      if (made.queries >= 0 && sequences.queryStarts)
        given.axes[made.queries].name = kLongestQueries.str();
      if (made.keys >= 0 && (sequences.keyStarts || form.isPaged))
        given.axes[made.keys].name = kLongestKeys.str();
    }
    word += 1 + 2 * given.axes.size();
    list.push_back(std::move(given));
    layout.tensors.push_back(made);
  };
  for (const frontend::TensorSignature &argument : kernel.arguments)
    add(argument, layout.call.arguments, false);
  for (const frontend::TensorSignature &result : kernel.results)
    add(result, layout.call.results, true);
  if (layout.hasQueryAtEveryKey())
    for (auto [name, given] :
         {std::pair("query_starts", sequences.queryStarts.has_value()),
          {"query_lengths", sequences.queryLengths.has_value()}})
      if (given)
        return invalid(Twine("'") + name +
                       "' are given, but the spec has a query at every key: "
                       "what is said of keys is said of queries");
  return layout;
}

bool SequenceLayout::hasQueryAtEveryKey() const {
  return llvm::all_of(tensors,
                      [](const Tensor &tensor) { return tensor.queries < 0; });
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

int32_t getElement(const TensorView &view, int64_t n, int64_t m) {
  int64_t stride = 1, inner = 1;
  if (!view.strides.empty()) {
    stride = view.strides[0];
    inner = view.strides.back();
  } else if (view.sizes.size() == 2) {
    stride = view.sizes[1];
  }
  int64_t place = n * stride;
  if (view.sizes.size() == 2)
    place += m * inner;
  return static_cast<const int32_t *>(view.data)[place];
}

namespace {

class SequenceReader {
public:
  SequenceReader(const SequenceLayout &layout, const Sequences &sequences,
                 ArrayRef<int64_t> words)
      : layout(layout), sequences(sequences), words(words) {}
  Expected<std::vector<SequenceRows>> read();

private:
  /// One of the extents of the call, and the tensor that has it.
  struct Extent {
    int64_t value = -1;
    std::string origin;
  };
  llvm::Error findExtents();
  llvm::Error setBatch(int64_t extent, StringRef name, StringRef what);
  llvm::Error checkTensor(const TensorView &view, StringRef name,
                          unsigned rank) const;
  llvm::Error checkSide(const std::optional<TensorView> &starts,
                        const std::optional<TensorView> &lengths,
                        StringRef word);
  llvm::Error readSide(bool isOfKeys);
  llvm::Error checkPages() const;
  llvm::Error checkPositions() const;
  llvm::Error checkLongest() const;
  int64_t getSize(const SequenceLayout::Tensor &tensor, int dimension) const {
    return words[tensor.word + 1 + tensor.getCallDimension(dimension)];
  }

  const SequenceLayout &layout;
  const Sequences &sequences;
  ArrayRef<int64_t> words;
  Extent batch, queries, keys, pages, pageSize;
  std::vector<SequenceRows> rows;
};

} // namespace

llvm::Error SequenceReader::checkTensor(const TensorView &view, StringRef name,
                                        unsigned rank) const {
  if (view.dtype != DType::I32)
    return invalid("'" + name + "' has type " + describe(view.dtype) +
                   ", expected i32");
  if (view.sizes.size() != rank)
    return invalid("'" + name + "' has rank " + Twine(view.sizes.size()) +
                   ", expected " + Twine(rank));
  if (!view.strides.empty() && view.strides.size() != rank)
    return invalid("'" + name + "' has " + Twine(rank) + " sizes, but " +
                   Twine(view.strides.size()) + " strides");
  for (int64_t size : view.sizes)
    if (size < 0)
      return invalid("'" + name + "' has a dimension of size " + Twine(size));
  for (int64_t stride : view.strides)
    if (stride < 0)
      return invalid("'" + name + "' has a stride of " + Twine(stride) +
                     ", expected 0 or more");
  bool isEmpty = llvm::is_contained(view.sizes, 0);
  auto address = reinterpret_cast<intptr_t>(view.data);
  if (!isEmpty && !address)
    return invalid("'" + name + "' has elements, but no address");
  if (address % 4 != 0)
    return invalid("address of '" + name +
                   "' is not a multiple of 4, the size of its elements");
  return llvm::Error::success();
}

llvm::Error SequenceReader::setBatch(int64_t extent, StringRef name,
                                     StringRef what) {
  if (batch.value < 0)
    batch = {extent, name.str()};
  if (batch.value == extent)
    return llvm::Error::success();
  return invalid("'" + name + "' has " + what + " for " + Twine(extent) +
                 " sequences, expected " + Twine(batch.value) + " as in '" +
                 batch.origin + "'");
}

llvm::Error SequenceReader::checkSide(const std::optional<TensorView> &starts,
                                      const std::optional<TensorView> &lengths,
                                      StringRef word) {
  if (starts) {
    std::string name = (word + "_starts").str();
    if (llvm::Error error = checkTensor(*starts, name, 1))
      return error;
    if (starts->sizes[0] < 1)
      return invalid("'" + name +
                     "' is empty, expected one element more than "
                     "there are sequences");
    if (llvm::Error error = setBatch(starts->sizes[0] - 1, name, "offsets"))
      return error;
  }
  if (lengths) {
    std::string name = (word + "_lengths").str();
    if (llvm::Error error = checkTensor(*lengths, name, 1))
      return error;
    if (llvm::Error error = setBatch(lengths->sizes[0], name, "lengths"))
      return error;
  }
  return llvm::Error::success();
}

/// How many sequences, rows and pages there are; the same everywhere.
llvm::Error SequenceReader::findExtents() {
  for (auto [n, tensor] : llvm::enumerate(layout.getTensors())) {
    if (n >= layout.getArgumentCount())
      break;
    auto set = [&, n = n, &tensor = tensor](Extent &extent, int dimension) {
      if (extent.value < 0)
        extent = {getSize(tensor, dimension), layout.getName(n)};
    };
    if (tensor.isPaged) {
      set(pages, tensor.batch);
      set(pageSize, tensor.keys);
      continue;
    }
    if (tensor.batch >= 0 && !tensor.isMerged)
      if (llvm::Error error = setBatch(getSize(tensor, tensor.batch),
                                       layout.getName(n), "rows"))
        return error;
    if (tensor.queries >= 0 && (tensor.isMerged || !sequences.queryStarts))
      set(queries, tensor.queries);
    bool hasOwnKeys = sequences.keyStarts || sequences.pageTable;
    if (tensor.keys >= 0 && (tensor.isMerged || !hasOwnKeys))
      set(keys, tensor.keys);
  }
  if (llvm::Error error =
          checkSide(sequences.queryStarts, sequences.queryLengths, "query"))
    return error;
  if (llvm::Error error =
          checkSide(sequences.keyStarts, sequences.keyLengths, "key"))
    return error;
  if (sequences.pageTable) {
    if (llvm::Error error = checkTensor(*sequences.pageTable, "page_table", 2))
      return error;
    if (llvm::Error error =
            setBatch(sequences.pageTable->sizes[0], "page_table", "pages"))
      return error;
  }
  if (batch.value < 0)
    return invalid("nothing says how many sequences there are");
  return llvm::Error::success();
}

llvm::Error SequenceReader::readSide(bool isOfKeys) {
  StringRef word = isOfKeys ? "key" : "query";
  StringRef many = isOfKeys ? "keys" : "queries";
  const auto &starts = isOfKeys ? sequences.keyStarts : sequences.queryStarts;
  const auto &lengths =
      isOfKeys ? sequences.keyLengths : sequences.queryLengths;
  const Extent &total = isOfKeys ? keys : queries;
  int64_t before = 0;
  if (starts) {
    before = getElement(*starts, 0);
    if (before < 0)
      return invalid("'" + word + "_starts'[0] is " + Twine(before) +
                     ", expected 0 or more");
  }
  for (SequenceRows &sequence : rows) {
    int64_t &first = isOfKeys ? sequence.firstKey : sequence.firstQuery;
    int64_t &length = isOfKeys ? sequence.keys : sequence.queries;
    int64_t number = sequence.number;
    std::string limit = (", the " + many + " of '" + total.origin + "'").str();
    int64_t capacity = std::max<int64_t>(total.value, 0);
    if (starts) {
      int64_t end = getElement(*starts, number + 1);
      if (end < before)
        return invalid("'" + word + "_starts'[" + Twine(number + 1) + "] is " +
                       Twine(end) + ", expected at least " + Twine(before) +
                       ", element " + Twine(number));
      if (total.value >= 0 && end > total.value)
        return invalid("'" + word + "_starts'[" + Twine(number + 1) + "] is " +
                       Twine(end) + ", expected at most " + Twine(total.value) +
                       ", the " + many + " of '" + total.origin + "'");
      limit = (", what '" + word + "_starts' give it").str();
      first = before;
      capacity = end - before;
      before = end;
    } else if (isOfKeys && sequences.pageTable) {
      capacity = support::kMaxLength;
      limit = ", the most that a sequence has";
    }
    length = capacity;
    if (lengths)
      length = getElement(*lengths, number);
    if (length < 0 || length > capacity)
      return invalid("'" + word + "_lengths'[" + Twine(number) + "] is " +
                     Twine(length) + ", expected 0 .. " + Twine(capacity) +
                     limit);
    if (length > support::kMaxLength)
      return invalid("sequence " + Twine(number) + " has " + Twine(length) +
                     " " + many + ", expected at most " +
                     Twine(support::kMaxLength));
  }
  return llvm::Error::success();
}

llvm::Error SequenceReader::checkPages() const {
  const TensorView &table = *sequences.pageTable;
  for (const SequenceRows &sequence : rows) {
    if (sequence.keys == 0)
      continue;
    if (pageSize.value <= 0)
      return invalid("'" + pageSize.origin + "' has pages of " +
                     Twine(pageSize.value) + " keys, but 'key_lengths'[" +
                     Twine(sequence.number) + "] is " + Twine(sequence.keys));
    int64_t needed = (sequence.keys + pageSize.value - 1) / pageSize.value;
    if (needed > table.sizes[1])
      return invalid("'page_table' has " + Twine(table.sizes[1]) +
                     " pages for each sequence, but 'key_lengths'[" +
                     Twine(sequence.number) + "] is " + Twine(sequence.keys) +
                     ", which needs " + Twine(needed) + " pages of " +
                     Twine(pageSize.value) + " keys");
    for (int64_t n = 0; n < needed; ++n) {
      int32_t page = getElement(table, sequence.number, n);
      if (page < 0 || page >= pages.value)
        return invalid("'page_table'[" + Twine(sequence.number) + ", " +
                       Twine(n) + "] is " + Twine(page) + ", expected 0 .. " +
                       Twine(pages.value - 1) + ", a page of '" + pages.origin +
                       "'");
    }
  }
  return llvm::Error::success();
}

llvm::Error SequenceReader::checkPositions() const {
  const TensorView &positions = *sequences.queryPositions;
  bool isPacked = sequences.queryStarts.has_value();
  if (llvm::Error error =
          checkTensor(positions, "query_positions", isPacked ? 1 : 2))
    return error;
  if (!isPacked && positions.sizes[0] != batch.value)
    return invalid("'query_positions' are given for " +
                   Twine(positions.sizes[0]) + " sequences, expected " +
                   Twine(batch.value) + " as in '" + batch.origin + "'");
  // Of queries that no argument counts, those of the sequences are enough.
  if (queries.value >= 0 && positions.sizes.back() != queries.value)
    return invalid("'query_positions' are given for " +
                   Twine(positions.sizes.back()) + " queries, expected " +
                   Twine(queries.value) + " as in '" + queries.origin + "'");
  // As AxisExtents::check() limits those that follow from lengths.
  constexpr int64_t limit = support::kMaxLength;
  for (const SequenceRows &sequence : rows) {
    int64_t end = sequence.firstQuery + sequence.queries;
    if (end > positions.sizes.back())
      return invalid("'query_positions' are given for " +
                     Twine(positions.sizes.back()) + " queries, but sequence " +
                     Twine(sequence.number) + " ends at " + Twine(end));
    for (int64_t n = 0; n < sequence.queries; ++n) {
      int64_t row = sequence.firstQuery + n;
      int32_t position = isPacked ? getElement(positions, row)
                                  : getElement(positions, sequence.number, n);
      if (position <= -limit || position >= limit)
        return invalid(
            "'query_positions'[" +
            (isPacked ? Twine(row) : Twine(sequence.number) + ", " + Twine(n)) +
            "] is " + Twine(position) + ", expected less than " + Twine(limit) +
            " from 0");
    }
  }
  return llvm::Error::success();
}

/// Tensors that every sequence reads from its own beginning are as long as the
/// longest.
llvm::Error SequenceReader::checkLongest() const {
  for (auto [n, tensor] : llvm::enumerate(layout.getTensors())) {
    if (n >= layout.getArgumentCount())
      break;
    if (tensor.isMerged || tensor.isPaged)
      continue;
    for (bool isOfKeys : {false, true}) {
      int dimension = isOfKeys ? tensor.keys : tensor.queries;
      if (dimension < 0)
        continue;
      int64_t size = getSize(tensor, dimension);
      for (const SequenceRows &sequence : rows) {
        int64_t length = isOfKeys ? sequence.keys : sequence.queries;
        if (length > size)
          return invalid("'" + layout.getName(n) + "' has " + Twine(size) +
                         (isOfKeys ? " keys" : " queries") + ", but sequence " +
                         Twine(sequence.number) + " has " + Twine(length));
      }
    }
  }
  return llvm::Error::success();
}

Expected<std::vector<SequenceRows>> SequenceReader::read() {
  if (llvm::Error error = findExtents())
    return std::move(error);
  rows.resize(static_cast<size_t>(batch.value));
  for (auto [number, sequence] : llvm::enumerate(rows))
    sequence.number = static_cast<int64_t>(number);
  for (bool isOfKeys : {false, true})
    if (llvm::Error error = readSide(isOfKeys))
      return std::move(error);
  if (layout.hasQueryAtEveryKey())
    for (SequenceRows &sequence : rows) {
      sequence.firstQuery = sequence.firstKey;
      sequence.queries = sequence.keys;
    }
  if (sequences.pageTable)
    if (llvm::Error error = checkPages())
      return std::move(error);
  if (sequences.queryPositions)
    if (llvm::Error error = checkPositions())
      return std::move(error);
  if (llvm::Error error = checkLongest())
    return std::move(error);
  if (llvm::Error error = checkResults(layout, batch.value, words))
    return std::move(error);
  for (const SequenceRows &sequence : rows)
    if (llvm::Error error = checkResultRows(layout, sequence, words))
      return std::move(error);
  return std::move(rows);
}

Expected<std::vector<SequenceRows>> readSequences(const SequenceLayout &layout,
                                                  const Sequences &sequences,
                                                  ArrayRef<int64_t> words) {
  return SequenceReader(layout, sequences, words).read();
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// The sizes of a tensor of the call; nothing if it is a result that is not
/// wanted.
static ArrayRef<int64_t> findSizes(const SequenceLayout::Tensor &tensor,
                                   ArrayRef<int64_t> words) {
  ArrayRef<int64_t> sizes = words.slice(tensor.word + 1, tensor.getCallRank());
  bool isWanted = words[tensor.word] != 0 ||
                  llvm::any_of(sizes, [](int64_t size) { return size != 0; });
  return isWanted ? sizes : ArrayRef<int64_t>();
}

llvm::Error checkResults(const SequenceLayout &layout, int64_t batch,
                         ArrayRef<int64_t> words) {
  for (size_t n = layout.getArgumentCount(); n < layout.getTensors().size();
       ++n) {
    const SequenceLayout::Tensor &tensor = layout.getTensors()[n];
    if (tensor.batch < 0 && batch > 1)
      return invalid("'" + layout.getName(n) +
                     "' has no axis 'batch', but there are " + Twine(batch) +
                     " sequences, expected 1");
    ArrayRef<int64_t> sizes = findSizes(tensor, words);
    if (sizes.empty() || tensor.batch < 0 || tensor.isMerged ||
        sizes[tensor.batch] == batch)
      continue;
    return invalid("'" + layout.getName(n) + "' has " +
                   Twine(sizes[tensor.batch]) + " sequences, expected " +
                   Twine(batch));
  }
  return llvm::Error::success();
}

llvm::Error checkResultRows(const SequenceLayout &layout,
                            const SequenceRows &sequence,
                            ArrayRef<int64_t> words) {
  for (size_t n = layout.getArgumentCount(); n < layout.getTensors().size();
       ++n) {
    const SequenceLayout::Tensor &tensor = layout.getTensors()[n];
    ArrayRef<int64_t> sizes = findSizes(tensor, words);
    if (sizes.empty())
      continue;
    for (bool isOfKeys : {false, true}) {
      int dimension = isOfKeys ? tensor.keys : tensor.queries;
      if (dimension < 0)
        continue;
      int64_t size = sizes[tensor.getCallDimension(dimension)];
      int64_t first = isOfKeys ? sequence.firstKey : sequence.firstQuery;
      int64_t length = isOfKeys ? sequence.keys : sequence.queries;
      int64_t end = tensor.isMerged ? first + length : length;
      if (end > size)
        return invalid("'" + layout.getName(n) + "' has " + Twine(size) +
                       (isOfKeys ? " keys" : " queries") + ", but sequence " +
                       Twine(sequence.number) +
                       (tensor.isMerged ? " ends at " : " has ") + Twine(end));
    }
  }
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Pages
//===----------------------------------------------------------------------===//

Expected<PageRows> getPageRows(const SequenceLayout::Tensor &tensor,
                               StringRef name, ArrayRef<int64_t> words) {
  const int64_t *sizes = &words[tensor.word + 1];
  const int64_t *strides = sizes + tensor.getCallRank();
  int64_t pages = sizes[tensor.batch], pageSize = sizes[tensor.keys];
  int64_t pageStride = strides[tensor.batch], slot = strides[tensor.keys];
  PageRows rows;
  if (pages == 0 || pageSize == 0)
    return rows;
  // A dimension of one element has the stride 0 here, whatever it was.
  if (pageSize == 1) {
    rows = {pageStride, 1, pages};
    return rows;
  }
  if (slot == 0)
    return invalid("stride of axis 'page size' of '" + name +
                   "' is 0, expected 1 or more");
  if (pageStride % slot != 0)
    return invalid("stride of axis 'cache pages' of '" + name + "' is " +
                   Twine(pageStride) + ", expected a multiple of " +
                   Twine(slot) + ", that of axis 'page size'");
  rows.stride = slot;
  rows.perPage = pageStride / slot;
  int64_t last;
  if (llvm::MulOverflow(pages - 1, rows.perPage, last) ||
      last > std::numeric_limits<int32_t>::max() - pageSize)
    return invalid("'" + name + "' has " + Twine(pages) + " pages that are " +
                   Twine(rows.perPage) +
                   " rows apart, more than 32 bits count");
  rows.count = last + pageSize;
  return rows;
}

} // namespace rapt
