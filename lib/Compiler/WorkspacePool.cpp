// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/WorkspacePool.h"
#include "llvm/Support/MathExtras.h"
#include <cstdlib>
#include <sys/mman.h>

namespace rapt {

void WorkspacePool::Lease::Free::operator()(void *pointer) const {
  std::free(pointer);
}

WorkspacePool::Lease::~Lease() {
  if (!memory)
    return;
  std::lock_guard<std::mutex> lock(pool->mutex);
  pool->entries.push_back({std::move(memory), bytes});
}

WorkspacePool::Lease WorkspacePool::take(int64_t bytes) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (!entries.empty()) {
      Entry entry = std::move(entries.back());
      entries.pop_back();
      if (entry.bytes >= bytes)
        return Lease(*this, std::move(entry.memory), entry.bytes);
      // Too small now, so too small for the next such call as well.
    }
  }
  // The first touch of a page of 4 KiB costs more than what a plan does with
  // it.
  constexpr int64_t line = 64, hugePage = int64_t(1) << 21;
  bool isLarge = bytes >= 2 * hugePage;
  int64_t alignment = isLarge ? hugePage : line;
  int64_t rounded = llvm::alignTo(std::max<int64_t>(bytes, 1), alignment);
  void *memory = std::aligned_alloc(alignment, rounded);
#ifdef MADV_HUGEPAGE
  if (isLarge && memory) // a wish: nothing depends on it
    madvise(memory, rounded, MADV_HUGEPAGE);
#endif
  return Lease(*this, Lease::Memory(memory), rounded);
}

} // namespace rapt
