// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What runs the work items of a kernel.

#ifndef RAPT_EXECUTOR_H
#define RAPT_EXECUTOR_H

#include <cstdint>
#include <functional>

namespace rapt {

/// A caller's own threads. Results do not depend on who runs which items.
class Executor {
public:
  virtual ~Executor() = default;
  /// Calls `task(first, last)` for ranges that together are [0, count), each
  /// item once, in any order and on any threads, and waits for all of them.
  /// Tasks do not throw. A task needs up to 4 MiB of stack.
  virtual void
  run(int64_t count,
      const std::function<void(int64_t first, int64_t last)> &task) = 0;
};

} // namespace rapt

#endif // RAPT_EXECUTOR_H
