// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Memory that calls of a kernel use one after the other.

#ifndef RAPT_LIB_COMPILER_WORKSPACEPOOL_H
#define RAPT_LIB_COMPILER_WORKSPACEPOOL_H

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace rapt {

/// Repeated calls allocate nothing: a workspace goes back after its call, and
/// there are as many as there have been calls at once. Safe from any thread.
class WorkspacePool {
public:
  /// A workspace in use, at an address that is a multiple of 64.
  class Lease {
  public:
    Lease(Lease &&other) = default;
    ~Lease();
    /// Null if there was not enough memory.
    void *getData() const { return memory.get(); }
    /// At least as many as were asked for.
    int64_t getBytes() const { return bytes; }

  private:
    friend class WorkspacePool;
    struct Free {
      void operator()(void *pointer) const;
    };
    using Memory = std::unique_ptr<void, Free>;
    Lease(WorkspacePool &pool, Memory memory, int64_t bytes)
        : pool(&pool), memory(std::move(memory)), bytes(bytes) {}
    WorkspacePool *pool;
    Memory memory;
    int64_t bytes;
  };

  Lease take(int64_t bytes);

private:
  struct Entry {
    Lease::Memory memory;
    int64_t bytes;
  };
  std::mutex mutex;
  std::vector<Entry> entries;
};

} // namespace rapt

#endif // RAPT_LIB_COMPILER_WORKSPACEPOOL_H
