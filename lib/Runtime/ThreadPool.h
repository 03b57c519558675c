// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The library's own threads.

#ifndef RAPT_LIB_RUNTIME_THREADPOOL_H
#define RAPT_LIB_RUNTIME_THREADPOOL_H

#include "rapt/Executor.h"
#include <memory>

namespace rapt::runtime {

/// A fixed pool of threads that take work items from a counter, one after the
/// other, so that uneven items balance. The calling thread takes part. Two
/// calls at once from two threads are safe. Workers spin for a moment and then
/// sleep, so that an idle process costs nothing; after a fork the child starts
/// its own workers.
class ThreadPool final : public Executor {
public:
  /// `threads` = 0 takes one per core that this process may run on.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool() override;
  void run(int64_t count,
           const std::function<void(int64_t, int64_t)> &task) override;
  unsigned getThreads() const;

  /// The pool of that many threads that this process shares; made at its first
  /// use.
  static ThreadPool &shared(unsigned threads);

private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation;
};

} // namespace rapt::runtime

#endif // RAPT_LIB_RUNTIME_THREADPOOL_H
