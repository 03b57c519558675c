// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Tensors keep their rank: those of packed rows have an axis `batch` of any
// size, which is not read. So one struct serves every form of a batch.

#include "lib/Compiler/CSequences.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Compiler/SequenceText.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using llvm::StringRef;

namespace rapt {

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
)";
  if (hasQueries)
    os << R"(  const int32_t *query_starts;  /**< [count + 1], not descending */
  const int32_t *query_lengths; /**< [count]; without it, all that there are */
)";
  else
    os << "  /* There is a query at every key. */\n";
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
  if (!isOfKeys && !hasQueries) {
    os << "static inline int64_t $N_queries(const $N_args *all,\n    const "
          "$N_sequences *sequences, int64_t n) {\n  return $N_keys(all, "
          "sequences, n);\n}\n";
    return;
  }
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
    int64_t apart =
        pages > 1 && size > 1 ? all->{0}_strides[{1}] / step : 1;
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
  (void)queries;
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
/* A sequence of a batch, and a launch of all of them. */
typedef struct $N_part {
  $N_args args;
  int64_t number, keys, queries, bytes, needed;
  char *workspace;
} $N_part;
typedef struct $N_batch {
  $N_part *parts;
  int64_t count, launch;
  int64_t *ends; /* of the items of each part */
} $N_batch;
/* Those with the most work begin first. */
static inline int $N_compare_parts(const void *a, const void *b) {
  const $N_part *x = (const $N_part *)a, *y = (const $N_part *)b;
  if (x->keys != y->keys)
    return x->keys > y->keys ? -1 : 1;
  if (x->queries != y->queries)
    return x->queries > y->queries ? -1 : 1;
  return x->number < y->number ? -1 : x->number > y->number;
}
static inline void $N_plan_parts(void *state, int64_t first, int64_t last) {
  $N_part *part = (($N_batch *)state)->parts + first;
  for (; first < last; ++first, ++part)
    part->needed = $N_plan(&part->args, part->workspace, part->bytes);
}
static inline void $N_run_parts(void *state, int64_t first, int64_t last) {
  const $N_batch *batch = (const $N_batch *)state;
  int64_t n, low = 0, high = batch->count;
  while (low < high) { /* the part of the first item */
    int64_t middle = low + (high - low) / 2;
    if (batch->ends[middle] > first)
      high = middle;
    else
      low = middle + 1;
  }
  for (n = low; first < last; ++n) {
    int64_t begin = n > 0 ? batch->ends[n - 1] : 0, end = batch->ends[n];
    if (end > last)
      end = last;
    if (end > first) {
      $N_run(&batch->parts[n].args, batch->parts[n].workspace, batch->launch,
             first - begin, end - begin);
      first = end;
    }
  }
}

/** All sequences on the threads of `executor`; NULL: on this thread. Returns 0, -1
 * if there is not enough memory, or what $N_check says; then nothing is
 * written. */
static inline int $N_call_sequences_on(const $N_args *all,
    const $N_sequences *sequences, const $N_executor *executor) {
  int64_t n, rows = 0, total, again;
  int32_t *row_memory = NULL;
  char *memory = NULL, *next;
  $N_batch batch;
  int result = $N_check(all, sequences, NULL, 0);
  if (result || sequences->count == 0)
    return result;
  batch.count = 0;
  batch.parts = ($N_part *)malloc((size_t)sequences->count * sizeof($N_part));
  batch.ends = (int64_t *)malloc((size_t)sequences->count * sizeof(int64_t));
  for (n = 0; n < sequences->count; ++n)
    rows += $N_select_size(all, sequences, n);
  row_memory = (int32_t *)malloc((size_t)rows * sizeof(int32_t));
  result = batch.parts && batch.ends && row_memory ? 0 : -1;
  for (n = rows = 0; n < sequences->count && !result; ++n) {
    $N_part *part = batch.parts + batch.count;
    part->number = n;
    part->queries = $N_queries(all, sequences, n);
    part->keys = $N_keys(all, sequences, n);
    if (part->queries == 0)
      continue;
    $N_select(all, sequences, n, row_memory + rows, &part->args);
    rows += $N_select_size(all, sequences, n);
    part->bytes = $N_workspace(&part->args);
    ++batch.count;
  }
  if (!result)
    qsort(batch.parts, (size_t)batch.count, sizeof($N_part), $N_compare_parts);
  do {
    for (n = total = again = 0; n < batch.count && !result; ++n)
      total += (batch.parts[n].bytes + 63) & ~(int64_t)63;
    free(memory);
    memory = result ? NULL : (char *)malloc((size_t)total + 63);
    if (!memory) {
      result = -1;
      break;
    }
    next = (char *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
    for (n = 0; n < batch.count; ++n) {
      batch.parts[n].workspace = next;
      next += (batch.parts[n].bytes + 63) & ~(int64_t)63;
    }
    if (executor && batch.count > 1)
      executor->run(executor->context, batch.count, $N_plan_parts, &batch);
    else
      $N_plan_parts(&batch, 0, batch.count);
    for (n = 0; n < batch.count; ++n)
      if (batch.parts[n].needed > batch.parts[n].bytes) {
        batch.parts[n].bytes = batch.parts[n].needed;
        again = 1;
      }
  } while (again);
  for (batch.launch = 0; batch.launch < $N_launches && !result;
       ++batch.launch) {
    for (n = total = 0; n < batch.count; ++n) {
      total += ((const int64_t *)batch.parts[n].workspace)[batch.launch];
      batch.ends[n] = total;
    }
    if (executor && total > 0)
      executor->run(executor->context, total, $N_run_parts, &batch);
    else
      $N_run_parts(&batch, 0, total);
  }
  free(memory);
  free(row_memory);
  free(batch.ends);
  free(batch.parts);
  return result;
}
static inline int $N_call_sequences(const $N_args *all,
    const $N_sequences *sequences) {
  return $N_call_sequences_on(all, sequences, NULL);
}
)";
}

std::string SequenceText::print() {
  printStruct();
  os << "\n/** How many queries and keys sequence n has. */\n";
  printLengths(/*isOfKeys=*/true);
  printLengths(/*isOfKeys=*/false);
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
