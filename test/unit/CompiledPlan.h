// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The compiled plan of a spec, without its kernels.

#ifndef RAPT_TEST_UNIT_COMPILEDPLAN_H
#define RAPT_TEST_UNIT_COMPILEDPLAN_H

#include "MaskVisits.h"
#include "lib/Runtime/KernelLoader.h"
#include "rapt/RunTable.h"

namespace rapt::testing {

/// The plan entry of a spec, without its kernels.
class CompiledPlan {
public:
  /// `edit` may change the program before it is lowered.
  static llvm::Expected<std::unique_ptr<CompiledPlan>>
  create(SpecCase &spec, MaskTiles tiles,
         llvm::function_ref<void(tile::ProgramOp)> edit = {});

  /// Words of the arguments; the results are not wanted.
  static std::vector<int64_t> getWords(const SpecCase &spec);

  /// A workspace of `bytes`, and behind it memory that must stay as it is.
  struct Workspace {
    static constexpr size_t kGuard = 4096;
    explicit Workspace(int64_t bytes)
        : bytes(bytes), memory(bytes + kGuard + 64, '\xa5') {}
    void *get() {
      return reinterpret_cast<void *>(
          llvm::alignTo(reinterpret_cast<uintptr_t>(memory.data()), 64));
    }
    bool isGuardIntact() {
      const char *end = static_cast<const char *>(get()) + bytes;
      const char *last = memory.data() + memory.size();
      return std::all_of(end, last, [](char c) { return c == '\xa5'; });
    }
    int64_t bytes;
    std::vector<char> memory;
  };

  int64_t getBytes(const std::vector<int64_t> &words) const {
    return kernel->getEntries().workspace(words.data());
  }
  int64_t plan(const std::vector<int64_t> &words, Workspace &workspace) const {
    return kernel->getEntries().plan(words.data(), workspace.get(),
                                     workspace.bytes);
  }
  /// A mask that keeps every pair has no table.
  bool hasTable() const { return tables > 0; }
  /// Plans, again if the memory was too small. Fails if memory behind the
  /// workspace is written, or more is asked for a second time.
  llvm::Expected<RunTable> run(const SpecCase &spec) const;
  llvm::Expected<std::vector<RunTable>> runAll(const SpecCase &spec) const;

private:
  std::unique_ptr<runtime::LoadedKernel> kernel;
  int64_t tables = 0;
};

/// The runs of one block of queries.
llvm::ArrayRef<KeyRun> getRuns(const RunTable &table, int64_t place);

/// A Visit for each tile, [batch, heads, blocks, tiles].
std::vector<int> getVisits(const RunTable &table, int64_t batch, int64_t heads);

} // namespace rapt::testing

#endif // RAPT_TEST_UNIT_COMPILEDPLAN_H
