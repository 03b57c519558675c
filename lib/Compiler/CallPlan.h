// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A call taken apart into calls of the compiled entries: one for each sequence
/// of a batch, with its words and its workspace. Work items of all of them are
/// one range, so that threads share a batch of uneven sequences evenly.

#ifndef RAPT_LIB_COMPILER_CALLPLAN_H
#define RAPT_LIB_COMPILER_CALLPLAN_H

#include "lib/Compiler/SequenceLayout.h"
#include "lib/Compiler/TableReach.h"
#include "lib/Compiler/WorkspacePool.h"
#include "lib/Runtime/KernelEntries.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <functional>
#include <optional>

namespace rapt {

/// What runs the items of a call.
using ItemRunner = llvm::function_ref<void(
    int64_t count, const std::function<void(int64_t, int64_t)> &task)>;

class CallPlan {
public:
  /// Of a call of one sequence, or of a batch of equal ones.
  explicit CallPlan(llvm::ArrayRef<int64_t> words);
  /// Of a call of these sequences, with the further arguments that
  /// getSequenceArguments() names. Fails as readSequences() does, and on
  /// strides of pages.
  static llvm::Expected<CallPlan> create(SequenceLayout layout,
                                         const Sequences &sequences,
                                         llvm::ArrayRef<int64_t> words);

  /// Checks the tables that masks read in every part. `arguments` are those of
  /// the spec.
  llvm::Error
  checkTables(llvm::ArrayRef<TableReach> reaches,
              llvm::ArrayRef<frontend::TensorSignature> arguments) const;
  /// Plans every part. Fails if there is not enough memory.
  llvm::Error plan(const runtime::KernelEntries &entries, int64_t launches,
                   WorkspacePool &workspaces, ItemRunner runner);
  /// Takes over the addresses and strides of another call. Fails if a size is
  /// another, or pages lie elsewhere.
  llvm::Error setWords(llvm::ArrayRef<int64_t> words,
                       const CallSignature &signature);
  void run(const runtime::KernelEntries &entries, ItemRunner runner);

  const SequenceLayout *getLayout() const {
    return layout ? &*layout : nullptr;
  }
  int64_t getBytes() const;
  /// Of a call of one part.
  const void *getWorkspace() const { return workspace->getData(); }
  /// Bytes of that workspace that planning has filled.
  int64_t getPlannedBytes() const { return parts.front().planned; }

private:
  /// One call of the entries.
  struct Part {
    SequenceRows rows;
    size_t firstWord = 0;          ///< in `partWords`
    int64_t memory = 0, bytes = 0; ///< its share of the workspace
    int64_t planned = 0;           ///< how much of it the plan takes
    size_t firstRow = 0;           ///< in a list of `listedRows`
    size_t firstPosition = 0;      ///< in `positions`
  };
  CallPlan() = default;
  llvm::Expected<std::vector<PageRows>>
  findPageRows(llvm::ArrayRef<int64_t> words) const;
  void listRows(const Sequences &sequences);
  void copyPositions(const Sequences &sequences);
  void writeWords();
  void writeTensor(const SequenceLayout::Tensor &tensor, const Part &part,
                   const PageRows *page, int64_t *&word) const;
  void writeHidden(const Part &part, int64_t *&word) const;
  const int64_t *getWords(const Part &part) const {
    return partWords.data() + part.firstWord;
  }
  char *getMemory(const Part &part) const {
    return static_cast<char *>(workspace->getData()) + part.memory;
  }

  std::optional<SequenceLayout> layout;
  std::vector<int64_t> callWords; ///< of the call that was bound last
  std::vector<Part> parts;        ///< those with the most work first
  std::vector<int64_t> partWords;
  /// Of every tensor in pages, in their order: how its rows lie, and where its
  /// list begins; tensors whose pages are alike share one.
  std::vector<PageRows> pageRows;
  std::vector<size_t> lists;
  std::vector<int32_t> listedRows; ///< all lists, of all parts
  /// The arguments `query_positions`, if there is one, and `sequence`.
  bool hasPositions = false;
  std::vector<int32_t> positions, numbers;
  std::optional<WorkspacePool::Lease> workspace;
  /// For every launch, how many items the parts up to each have.
  std::vector<std::vector<int64_t>> ends;
};

} // namespace rapt

#endif // RAPT_LIB_COMPILER_CALLPLAN_H
