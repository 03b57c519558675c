// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What a header checks before anything is written: the rules of
// SequenceLayout.cpp, in messages that name tensor, element and bound.

#include "lib/Compiler/SequenceText.h"
#include "lib/Support/MaxLength.h"
#include "llvm/Support/FormatVariadic.h"

using llvm::StringRef;

namespace rapt {

llvm::SmallVector<const TensorSignature *>
SequenceText::findAll(bool isOfKeys) const {
  llvm::SmallVector<const TensorSignature *> found;
  for (const auto *list :
       {&manifest.signature.arguments, &manifest.signature.results})
    for (const TensorSignature &tensor : *list) {
      Places places = getPlaces(tensor);
      if ((isOfKeys ? places.keys : places.queries) >= 0 && !isPaged(tensor))
        found.push_back(&tensor);
    }
  return found;
}

void SequenceText::refuseIf(const llvm::Twine &condition,
                            const llvm::Twine &message,
                            llvm::ArrayRef<std::string> numbers,
                            StringRef indent) {
  std::string format;
  for (char c : message.str())
    format += c == '%' ? "%lld" : std::string(1, c);
  os << indent << "if (" << condition << ")\n"
     << indent << "  return $N_refuse(message, size,\n"
     << indent << "      \"" << format << "\"";
  for (size_t n = 0; n < 5; ++n)
    os << (n < numbers.size() ? ", " + numbers[n] : ", 0");
  os << ");\n";
}

/// What does not depend on the sequence.
void SequenceText::checkOnce() {
  refuseIf("sequences->count < 0", "there are % sequences, expected 0 or more",
           {"sequences->count"}, "  ");
  for (const auto *list :
       {&manifest.signature.arguments, &manifest.signature.results})
    for (const TensorSignature &tensor : *list) {
      Places places = getPlaces(tensor);
      if (isPaged(tensor))
        continue;
      if (places.batch < 0) {
        if (isResult(tensor))
          refuseIf(ifWanted(tensor) + "sequences->count > 1",
                   "'" + tensor.name +
                       "' has no axis 'batch', but there are % sequences, "
                       "expected 1",
                   {"sequences->count"}, "  ");
        continue;
      }
      std::string rows = "all->" + getMember(tensor) + "_sizes[" +
                         std::to_string(places.batch) + "]";
      std::string unlessPacked;
      if (canBePacked(tensor))
        unlessPacked = places.keys >= 0 ? "!sequences->key_starts && "
                                        : "!sequences->query_starts && ";
      refuseIf(unlessPacked + ifWanted(tensor) + rows + " < sequences->count",
               "'" + tensor.name +
                   "' has rows for % sequences, expected at least %",
               {rows, "sequences->count"}, "  ");
    }
  if (!paged.empty()) {
    refuseIf("!sequences->page_table && sequences->count > 0",
             "'page_table' is missing: the kernel was compiled for keys in "
             "pages",
             {}, "  ");
    refuseIf("!sequences->key_lengths && sequences->count > 0",
             "'key_lengths' are missing: pages do not say how many keys a "
             "sequence has",
             {}, "  ");
  }
  for (const TensorSignature *tensor : paged) {
    Places of = getPlaces(*tensor);
    std::string member = "all->" + getMember(*tensor);
    std::string sizeOfPage =
        llvm::formatv("{0}_sizes[{1}]", member, of.keys).str();
    std::string pages = llvm::formatv("{0}_sizes[{1}]", member, of.batch).str();
    std::string slot = llvm::formatv("{0}_strides[{1}]", member, of.keys).str();
    std::string page = llvm::formatv("{0}_strides[{1}]", member, of.batch);
    refuseIf(pages + " > 0 && " + sizeOfPage + " > 1 && " + slot + " == 0",
             "stride of axis 'keys' of '" + tensor->name +
                 "' is 0, expected 1 or more",
             {}, "  ");
    refuseIf(pages + " > 1 && " + sizeOfPage + " > 1 && " + page + " % " +
                 slot + " != 0",
             "stride of axis 'batch' of '" + tensor->name +
                 "' is %, expected a multiple of %, that of axis 'keys'",
             {page, slot}, "  ");
    std::string apart =
        "(" + sizeOfPage + " > 1 ? " + page + " / " + slot + " : 1)";
    refuseIf(pages + " > 1 && " + apart + " > (INT32_MAX - " + sizeOfPage +
                 ") / (" + pages + " - 1)",
             "'" + tensor->name +
                 "' has % pages that are % rows apart, more than 32 bits "
                 "count",
             {pages, apart}, "  ");
    const TensorSignature &first = *paged.front();
    std::string firstSize = llvm::formatv(
        "all->{0}_sizes[{1}]", getMember(first), getPlaces(first).keys);
    if (tensor != &first)
      refuseIf(sizeOfPage + " != " + firstSize,
               "'" + tensor->name +
                   "' has pages of % keys, expected %, as in '" + first.name +
                   "'",
               {sizeOfPage, firstSize}, "  ");
  }
  if (manifest.sequences.hasPositions)
    refuseIf("!sequences->query_positions && sequences->count > 0",
             "'query_positions' are missing: the kernel was compiled for "
             "positions",
             {}, "  ");
}

/// Offsets and lengths, and that every tensor has so many rows.
void SequenceText::checkSide(bool isOfKeys) {
  std::string one = isOfKeys ? "key" : "query";
  std::string many = isOfKeys ? "keys" : "queries";
  std::string starts = "sequences->" + one + "_starts";
  std::string lengths = "sequences->" + one + "_lengths";
  bool hasStarts = !isOfKeys || paged.empty();
  auto all = findAll(isOfKeys);
  auto sizeOf = [&](const TensorSignature &tensor) {
    Places places = getPlaces(tensor);
    return "all->" + getMember(tensor) + "_sizes[" +
           std::to_string(isOfKeys ? places.keys : places.queries) + "]";
  };
  os << "    room = "
     << (hasStarts ? getCapacity(isOfKeys)
                   : std::to_string(support::kMaxLength))
     << ";\n";
  if (hasStarts) {
    os << "    if (" << starts << ") {\n      int64_t first = " << starts
       << "[n], end = " << starts << "[n + 1];\n";
    refuseIf("first < 0", "'" + one + "_starts'[%] is %, expected 0 or more",
             {"n", "first"}, "      ");
    refuseIf("end < first",
             "'" + one + "_starts'[%] is %, expected at least %, element %",
             {"n + 1", "end", "first", "n"}, "      ");
    for (const TensorSignature *tensor : all)
      if (canBePacked(*tensor))
        refuseIf(ifWanted(*tensor) + "end > " + sizeOf(*tensor),
                 "'" + one + "_starts'[%] is %, expected at most %, the " +
                     many + " of '" + tensor->name + "'",
                 {"n + 1", "end", sizeOf(*tensor)}, "      ");
    os << "      room = end - first;\n    }\n";
  }
  os << "    " << many << " = $N_" << many << "(all, sequences, n);\n";
  refuseIf(lengths + " && (" + many + " < 0 || " + many + " > room)",
           "'" + one + "_lengths'[%] is %, expected 0 .. %",
           {"n", many, "room"});
  for (const TensorSignature *tensor : all) {
    std::string unlessPacked =
        canBePacked(*tensor) ? "!" + starts + " && " : "";
    refuseIf(unlessPacked + ifWanted(*tensor) + many + " > " + sizeOf(*tensor),
             "'" + tensor->name + "' has % " + many + ", but sequence % has %",
             {sizeOf(*tensor), "n", many});
  }
  std::string most = std::to_string(support::kMaxLength);
  refuseIf(many + " > " + most,
           "sequence % has % " + many + ", expected at most " + most,
           {"n", many});
}

void SequenceText::checkPages() {
  const TensorSignature &first = *paged.front();
  std::string name = "all->" + getMember(first);
  std::string perPage =
      llvm::formatv("{0}_sizes[{1}]", name, getPlaces(first).keys);
  refuseIf("keys > 0 && " + perPage + " <= 0",
           "'" + first.name +
               "' has pages of % keys, but 'key_lengths'[%] is "
               "%",
           {perPage, "n", "keys"});
  std::string needed = "(keys + " + perPage + " - 1) / " + perPage;
  refuseIf("keys > 0 && " + needed + " > sequences->pages_of_sequence",
           "'page_table' has % pages for each sequence, but "
           "'key_lengths'[%] is %, which needs % pages of % keys",
           {"sequences->pages_of_sequence", "n", "keys", needed, perPage});
  os << "    for (at = 0; at * " << perPage << " < keys; ++at) {\n"
     << "      int64_t page = sequences->page_table[n * "
        "sequences->pages_of_sequence + at];\n";
  for (const TensorSignature *tensor : paged) {
    std::string pages = llvm::formatv("all->{0}_sizes[{1}]", getMember(*tensor),
                                      getPlaces(*tensor).batch);
    refuseIf("page < 0 || page >= " + pages,
             "'page_table'[%, %] is %, expected 0 .. %, a page of '" +
                 tensor->name + "'",
             {"n", "at", "page", pages + " - 1"}, "      ");
  }
  os << "    }\n";
}

void SequenceText::checkPositions() {
  std::string limit = std::to_string(support::kMaxLength);
  os << "    for (at = 0; at < queries; ++at) {\n"
     << "      int64_t place = at + (sequences->query_starts ? "
        "sequences->query_starts[n] : n * "
     << getCapacity(/*isOfKeys=*/false) << ");\n"
     << "      int64_t position = sequences->query_positions[place];\n";
  refuseIf("position <= -" + limit + " || position >= " + limit,
           "'query_positions'[%] is %, expected less than " + limit + " from 0",
           {"place", "position"}, "      ");
  os << "    }\n";
}

void SequenceText::checkReach(const TableReach &reach) {
  const TensorSignature &table = manifest.signature.arguments[reach.tensor];
  const TensorSignature &start = manifest.signature.arguments[reach.start];
  // Where a query stands says the call then.
  if (reach.of == TableReach::Queries && manifest.sequences.hasPositions)
    return;
  bool isRow = reach.of == TableReach::Rows;
  std::string extent = "all->" + getMember(table) + "_sizes[" +
                       std::to_string(reach.dimension) + "]";
  std::string begin = "((const int32_t *)all->" + getMember(start) + ")[n * " +
                      "all->" + getMember(start) + "_strides[0]]";
  std::string last = isRow ? "queries - 1" : "keys - 1";
  std::string needed =
      last + " - " + begin + " + " + std::to_string(reach.offset) + " + 1";
  refuseIf("queries > 0 && keys > 0 && " + needed + " > " + extent,
           "'" + table.name + "' is too short: axis '" +
               table.axes[reach.dimension].name +
               "' has extent %, expected at least % for " +
               (isRow ? "row" : "position") + " %, as '" + start.name +
               "'[%] is %",
           {extent, needed, last, "n", begin});
}

void SequenceText::printCheck() {
  os << R"(
static inline int $N_refuse(char *message, size_t size, const char *format,
    int64_t a, int64_t b, int64_t c, int64_t d, int64_t e) {
  if (message)
    snprintf(message, size, format, (long long)a, (long long)b, (long long)c,
             (long long)d, (long long)e);
  return -2;
}
/** 0, or -2 if something does not fit: then `message`, which has room for `size`
 * characters and may be NULL, says what, with its element and bound. */
static inline int $N_check(const $N_args *all, const $N_sequences *sequences,
    char *message, size_t size) {
  int64_t n;
)";
  checkOnce();
  bool hasPlaces = !paged.empty() || manifest.sequences.hasPositions;
  os << "  for (n = 0; n < sequences->count; ++n) {\n"
     << "    int64_t room, queries, keys" << (hasPlaces ? ", at" : "") << ";\n";
  checkSide(/*isOfKeys=*/true);
  if (hasQueries)
    checkSide(/*isOfKeys=*/false);
  else
    os << "    queries = keys;\n";
  if (!paged.empty())
    checkPages();
  if (manifest.sequences.hasPositions)
    checkPositions();
  os << "    (void)queries;\n";
  for (const TableReach &reach : toReaches(manifest.facts.reaches))
    checkReach(reach);
  os << "  }\n  return 0;\n}\n";
}

} // namespace rapt
