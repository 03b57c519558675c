// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Tensors keep their rank: those of packed rows have an axis `batch` of any
// size, which is not read. So one struct serves every form of a batch.

#include "lib/Compiler/CSequences.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Compiler/SequenceLayout.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using llvm::StringRef;

namespace rapt {
namespace {

struct Places {
  int batch = -1, queries = -1, keys = -1;
};

Places getPlaces(const TensorSignature &tensor) {
  Places places;
  for (auto [n, axis] : llvm::enumerate(tensor.axes)) {
    auto place = static_cast<int>(n);
    if (axis.name == "batch")
      places.batch = place;
    else if (axis.name == "queries")
      places.queries = place;
    else if (axis.name == "keys")
      places.keys = place;
  }
  return places;
}

class SequenceText {
public:
  SequenceText(const KernelManifest &manifest,
               llvm::ArrayRef<std::string> names)
      : manifest(manifest), names(names) {
    // Lists of rows come first, in the order of their tensors.
    size_t lists = manifest.sequenceArguments.size() - 1 -
                   (manifest.sequences.hasPositions ? 1 : 0);
    for (const TensorSignature &tensor : manifest.signature.arguments)
      if (paged.size() < lists && canBePaged(tensor))
        paged.push_back(&tensor);
  }
  std::string print();

private:
  bool isPaged(const TensorSignature &tensor) const {
    return llvm::is_contained(paged, &tensor);
  }
  void printStruct();
  void printLengths(bool isOfKeys);
  void printCheck();
  void printSelect();
  void printWindow(const TensorSignature &tensor, bool isResult);
  void printPages(const TensorSignature &tensor, size_t list);
  void printCall();
  /// The first tensor that has such rows, not in pages.
  const TensorSignature *findFirst(bool isOfKeys) const;
  /// "all->q_sizes[2]": how many it has.
  std::string getCapacity(bool isOfKeys) const;

  const std::string &getMember(const TensorSignature &tensor) const;

  const KernelManifest &manifest;
  llvm::ArrayRef<std::string> names;
  std::vector<const TensorSignature *> paged;
  std::string text;
  llvm::raw_string_ostream os{text};
};

} // namespace

const std::string &
SequenceText::getMember(const TensorSignature &tensor) const {
  size_t first = 0;
  for (const auto *list :
       {&manifest.signature.arguments, &manifest.sequenceArguments,
        &manifest.signature.results}) {
    for (const TensorSignature &other : *list) {
      if (&other == &tensor)
        return names[first];
      ++first;
    }
  }
  llvm_unreachable("the tensor is one of the manifest");
}

const TensorSignature *SequenceText::findFirst(bool isOfKeys) const {
  for (const TensorSignature &tensor : manifest.signature.arguments) {
    Places places = getPlaces(tensor);
    if ((isOfKeys ? places.keys : places.queries) >= 0 && !isPaged(tensor))
      return &tensor;
  }
  return nullptr;
}

std::string SequenceText::getCapacity(bool isOfKeys) const {
  const TensorSignature *tensor = findFirst(isOfKeys);
  if (!tensor)
    return "INT32_MAX";
  Places places = getPlaces(*tensor);
  return llvm::formatv("all->{0}_sizes[{1}]", getMember(*tensor),
                       isOfKeys ? places.keys : places.queries);
}

void SequenceText::printStruct() {
  os << R"(
/** The sequences of a batch; what a call does not give is NULL. Each is computed
 * as if it were alone. Tensors keep their rank: of packed queries (query_starts)
 * and keys (key_starts) the axis `batch` is not read, and the rows of all
 * sequences lie one after the other. Otherwise sequence n is index n of `batch`. */
typedef struct $N_sequences {
  int64_t count;
  const int32_t *query_starts;  /**< [count + 1], not descending */
  const int32_t *query_lengths; /**< [count]; without it, all that there are */
)";
  if (paged.empty())
    os << "  const int32_t *key_starts;    /**< [count + 1], not descending "
          "*/\n";
  os << "  const int32_t *key_lengths;   /**< [count]"
     << (paged.empty() ? "; without it, all that there are */\n" : " */\n");
  if (!paged.empty()) {
    os << "  /** [count, pages_of_sequence]: key j of sequence n lies in page "
          "j / page size\n   * of row n. `batch` of ";
    llvm::ListSeparator comma;
    for (const TensorSignature *tensor : paged)
      os << StringRef(comma) << tensor->name;
    os << " is the number of pages there, `keys` their\n   * size. */\n"
          "  const int32_t *page_table;\n  int64_t pages_of_sequence;\n";
  }
  if (manifest.sequences.hasPositions)
    os << "  /** [queries] of packed queries, else [count, queries], from 0 on "
          "*/\n  const int32_t *query_positions;\n";
  os << "} $N_sequences;\n";
}

void SequenceText::printLengths(bool isOfKeys) {
  StringRef many = isOfKeys ? "keys" : "queries";
  StringRef one = isOfKeys ? "key" : "query";
  bool hasStarts = !isOfKeys || paged.empty();
  std::string capacity = getCapacity(isOfKeys);
  if (isOfKeys && !paged.empty())
    capacity = "0";
  os << "static inline int64_t $N_" << many
     << "(const $N_args *all,\n    const $N_sequences *sequences, int64_t n) "
        "{\n";
  os << "  if (sequences->" << one << "_lengths)\n    return sequences->" << one
     << "_lengths[n];\n";
  if (hasStarts)
    os << "  if (sequences->" << one
       << "_starts)\n    return (int64_t)sequences->" << one
       << "_starts[n + 1] - sequences->" << one << "_starts[n];\n";
  os << "  (void)all;\n  return " << capacity << ";\n}\n";
}

void SequenceText::printCheck() {
  os << R"(
/** 0, or -2 if there are more sequences than rows of `batch`, offsets descend, a
 * length is more than there is room for, or a page does not exist or is no whole
 * number of rows away from the others. */
static inline int $N_check(const $N_args *all, const $N_sequences *sequences) {
  int64_t n;
  for (n = 0; n < sequences->count; ++n) {
    int64_t room;
)";
  auto checkSide = [&](bool isOfKeys) {
    StringRef one = isOfKeys ? "key" : "query";
    StringRef many = isOfKeys ? "keys" : "queries";
    const TensorSignature *first = findFirst(isOfKeys);
    int batch = first ? getPlaces(*first).batch : -1;
    if (batch >= 0)
      os << "    if (!sequences->" << one << "_starts && n >= all->"
         << getMember(*first) << "_sizes[" << batch << "])\n      return -2;\n";
    os << "    room = " << getCapacity(isOfKeys) << ";\n";
    os << "    if (sequences->" << one << "_starts) {\n"
       << "      int64_t first = sequences->" << one
       << "_starts[n], end = sequences->" << one << "_starts[n + 1];\n"
       << "      if (first < 0 || end < first || end > room)\n"
       << "        return -2;\n      room = end - first;\n    }\n";
    os << "    if ($N_" << many << "(all, sequences, n) < 0 || $N_" << many
       << "(all, sequences, n) > room)\n      return -2;\n";
  };
  checkSide(/*isOfKeys=*/false);
  if (paged.empty()) {
    checkSide(/*isOfKeys=*/true);
  } else {
    const TensorSignature &first = *paged.front();
    Places places = getPlaces(first);
    std::string name = getMember(first);
    os << llvm::formatv(R"(    {{
      int64_t size = all->{0}_sizes[{1}], keys = $N_keys(all, sequences, n), page;
      if (!sequences->key_lengths || !sequences->page_table || keys < 0 ||
          (keys > 0 && size <= 0))
        return -2;
      room = sequences->pages_of_sequence;
      for (page = 0; page * size < keys; ++page)
        if (page >= room ||
            sequences->page_table[n * room + page] < 0 ||
            sequences->page_table[n * room + page] >= all->{0}_sizes[{2}])
          return -2;
    }
)",
                        name, places.keys, places.batch);
    for (const TensorSignature *tensor : paged) {
      Places of = getPlaces(*tensor);
      std::string member = getMember(*tensor);
      os << llvm::formatv(
          "    if (all->{0}_sizes[{1}] > 1 && (all->{0}_strides[{1}] == 0 ||\n"
          "        all->{0}_strides[{2}] % all->{0}_strides[{1}] != 0 ||\n"
          "        all->{0}_strides[{2}] / all->{0}_strides[{1}] >\n"
          "            (INT32_MAX - all->{0}_sizes[{1}]) /\n"
          "                (all->{0}_sizes[{2}] + 1)))\n"
          "      return -2; /* rows are counted in 32 bits */\n",
          member, of.keys, of.batch);
    }
  }
  if (manifest.sequences.hasPositions)
    os << "    if (!sequences->query_positions)\n      return -2;\n";
  os << "  }\n  return 0;\n}\n";
}

/// The rows of sequence n of a tensor that does not lie in pages.
void SequenceText::printWindow(const TensorSignature &tensor, bool isResult) {
  Places places = getPlaces(tensor);
  std::string name = getMember(tensor);
  std::string indent = isResult ? "    " : "  ";
  if (places.batch < 0 && places.queries < 0 && places.keys < 0)
    return;
  if (isResult)
    os << "  if (one->" << name << ") {\n";
  auto bytes = support::getElementSize(*getElementType(tensor.dtype));
  auto advance = [&](int place, const std::string &first, StringRef inner) {
    os << indent << inner
       << llvm::formatv(
              "one->{0} = ({1}char *)one->{0} + {2} * one->{0}_strides[{3}] * "
              "{4};\n",
              name, isResult ? "" : "const ", first, place, bytes);
  };
  bool hasOneSide = (places.queries >= 0) != (places.keys >= 0);
  bool isOfKeys = places.keys >= 0;
  bool canBePacked = hasOneSide && (!isOfKeys || paged.empty());
  StringRef side = isOfKeys ? "key" : "query";
  if (places.batch >= 0 && canBePacked) {
    os << indent << "if (sequences->" << side << "_starts)\n";
    advance(isOfKeys ? places.keys : places.queries,
            (llvm::Twine("sequences->") + side + "_starts[n]").str(), "  ");
    os << indent << "else\n";
    advance(places.batch, "n", "  ");
  } else if (places.batch >= 0) {
    advance(places.batch, "n", "");
  }
  if (places.batch >= 0)
    os << indent << "one->" << name << "_sizes[" << places.batch << "] = 1;\n";
  if (places.queries >= 0)
    os << indent << "one->" << name << "_sizes[" << places.queries
       << "] = queries;\n";
  if (places.keys >= 0)
    os << indent << "one->" << name << "_sizes[" << places.keys
       << "] = keys;\n";
  if (isResult)
    os << "  }\n";
}

/// All pages as rows of one sequence, and a list of those that its keys are.
void SequenceText::printPages(const TensorSignature &tensor, size_t list) {
  Places places = getPlaces(tensor);
  std::string name = getMember(tensor);
  std::string rows = getMember(manifest.sequenceArguments[list]);
  os << llvm::formatv(R"(  {{
    int64_t pages = all->{0}_sizes[{1}], size = all->{0}_sizes[{2}], j;
    int64_t step = size > 1 ? all->{0}_strides[{2}] : all->{0}_strides[{1}];
    int64_t apart = size > 1 ? all->{0}_strides[{1}] / step : 1;
    int32_t *rows = memory + 1 + {3} * keys;
    for (j = 0; j < keys; ++j)
      rows[j] = (int32_t)(
          sequences->page_table[n * sequences->pages_of_sequence + j / size] *
              apart + j % size);
    one->{0}_sizes[{1}] = 1;
    one->{0}_strides[{1}] = 0;
    one->{0}_sizes[{2}] = pages > 0 ? (pages - 1) * apart + size : 0;
    one->{0}_strides[{2}] = step;
    one->{4} = rows;
    one->{4}_sizes[0] = keys;
    one->{4}_strides[0] = 1;
  }
)",
                      name, places.batch, places.keys, list, rows);
}

void SequenceText::printSelect() {
  os << llvm::formatv(R"(
/** How many int32_t $N_select needs for sequence n. */
static inline int64_t $N_select_size(const $N_args *all,
    const $N_sequences *sequences, int64_t n) {{
  return 1 + {0} * $N_keys(all, sequences, n);
}
/** The arguments of the entries for sequence n. `memory` is in use until they
 * have run. Sequences that have no queries have no rows to compute. */
static inline void $N_select(const $N_args *all, const $N_sequences *sequences,
    int64_t n, int32_t *memory, $N_args *one) {{
  int64_t queries = $N_queries(all, sequences, n);
  int64_t keys = $N_keys(all, sequences, n);
  *one = *all;
)",
                      paged.size());
  size_t list = 0;
  for (const TensorSignature &tensor : manifest.signature.arguments) {
    if (isPaged(tensor))
      printPages(tensor, list++);
    else
      printWindow(tensor, /*isResult=*/false);
  }
  for (const TensorSignature &tensor : manifest.signature.results)
    printWindow(tensor, /*isResult=*/true);
  if (manifest.sequences.hasPositions) {
    std::string name = getMember(manifest.sequenceArguments[list]);
    os << llvm::formatv(R"(  one->{0} = sequences->query_positions +
      (sequences->query_starts ? sequences->query_starts[n] : n * {1});
  one->{0}_sizes[0] = queries;
  one->{0}_strides[0] = 1;
)",
                        name, getCapacity(/*isOfKeys=*/false));
  }
  os << "  memory[0] = (int32_t)n;\n  one->"
     << getMember(manifest.sequenceArguments.back()) << " = memory;\n}\n";
}

void SequenceText::printCall() {
  os << R"(
/** All sequences, one after the other, on this thread. Returns 0, -1 if there is
 * not enough memory, or what $N_check says, and then nothing is written. Threads
 * may share a batch by sequences, each with $N_select and $N_call. */
static inline int $N_call_sequences(const $N_args *all,
    const $N_sequences *sequences) {
  int64_t n;
  int result = $N_check(all, sequences);
  for (n = 0; n < sequences->count && !result; ++n) {
    $N_args one;
    int32_t *memory;
    if ($N_queries(all, sequences, n) == 0)
      continue;
    memory = (int32_t *)malloc(
        (size_t)$N_select_size(all, sequences, n) * sizeof(int32_t));
    if (!memory)
      return -1;
    $N_select(all, sequences, n, memory, &one);
    result = $N_call(&one);
    free(memory);
  }
  return result;
}
)";
}

std::string SequenceText::print() {
  printStruct();
  os << "\n/** How many queries and keys sequence n has. */\n";
  printLengths(/*isOfKeys=*/false);
  printLengths(/*isOfKeys=*/true);
  printCheck();
  printSelect();
  printCall();
  return text;
}

std::string makeCSequences(const KernelManifest &manifest,
                           llvm::ArrayRef<std::string> names) {
  return SequenceText(manifest, names).print();
}

} // namespace rapt
