// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What the header of an object for sequences of a batch says of them. Internal
/// to makeCSequences().

#ifndef RAPT_LIB_COMPILER_SEQUENCETEXT_H
#define RAPT_LIB_COMPILER_SEQUENCETEXT_H

#include "lib/Compiler/KernelManifest.h"
#include "lib/Compiler/SequenceLayout.h"
#include "lib/Compiler/TableReach.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace rapt {

/// Which dimensions of a tensor are the axes of a batch; -1: none.
struct Places {
  int batch = -1, queries = -1, keys = -1;
};

inline Places getPlaces(const TensorSignature &tensor) {
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
    for (const TensorSignature &tensor : manifest.signature.arguments) {
      if (paged.size() < lists && canBePaged(tensor))
        paged.push_back(&tensor);
      hasQueries |= getPlaces(tensor).queries >= 0;
    }
  }
  std::string print();

private:
  bool isPaged(const TensorSignature &tensor) const {
    return llvm::is_contained(paged, &tensor);
  }
  void printStruct();
  void printLengths(bool isOfKeys);
  void printCheck();
  void checkOnce();
  void checkSide(bool isOfKeys);
  void checkPages();
  void checkPositions();
  void checkReach(const TableReach &reach);
  /// `if (condition) return` the message with these numbers in the place of %.
  void refuseIf(const llvm::Twine &condition, const llvm::Twine &message,
                llvm::ArrayRef<std::string> numbers,
                llvm::StringRef indent = "    ");
  /// Those with the axis that do not lie in pages, arguments first.
  llvm::SmallVector<const TensorSignature *> findAll(bool isOfKeys) const;
  /// Whether the rows of all sequences lie one after the other if there are
  /// offsets.
  bool canBePacked(const TensorSignature &tensor) const {
    Places places = getPlaces(tensor);
    return places.batch >= 0 && !isPaged(tensor) &&
           (places.queries >= 0) != (places.keys >= 0) &&
           (places.queries >= 0 || paged.empty());
  }
  bool isResult(const TensorSignature &tensor) const {
    return llvm::any_of(
        manifest.signature.results,
        [&](const TensorSignature &other) { return &other == &tensor; });
  }
  /// "" or what holds if a result is wanted.
  std::string ifWanted(const TensorSignature &tensor) const {
    return isResult(tensor) ? "all->" + getMember(tensor) + " && " : "";
  }
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
  bool hasQueries = false; ///< else there is one at every key
  std::string text;
  llvm::raw_string_ostream os{text};
};

} // namespace rapt

#endif // RAPT_LIB_COMPILER_SEQUENCETEXT_H
