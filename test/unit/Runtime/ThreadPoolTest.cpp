// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Runtime/ThreadPool.h"
#include "gtest/gtest.h"
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <pthread.h>
#include <sched.h>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using rapt::runtime::ThreadPool;

namespace {

/// Runs `count` items and checks that each was in one range.
void expectEachOnce(ThreadPool &pool, int64_t count) {
  std::vector<std::atomic<int>> seen(count);
  std::atomic<bool> isInside = true;
  pool.run(count, [&](int64_t first, int64_t last) {
    if (first < 0 || first >= last || last > count) {
      isInside = false;
      return;
    }
    for (int64_t item = first; item < last; ++item)
      seen[item].fetch_add(1, std::memory_order_relaxed);
  });
  EXPECT_TRUE(isInside) << "a range that is empty or outside";
  int64_t wrong = 0;
  for (const std::atomic<int> &times : seen)
    wrong += times != 1;
  EXPECT_EQ(wrong, 0) << "of " << count << " items";
}

/// Runs `body` in a child and expects that it returns true in time.
template <typename Body> void expectTrueInChild(Body body) {
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60); // a deadlock fails instead of hanging
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

/// Whether the sum over the items is right; for a child, where nothing prints.
bool sumsRight(ThreadPool &pool, int64_t count) {
  std::atomic<int64_t> sum = 0;
  pool.run(count, [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item)
      sum += item;
  });
  return sum == count * (count - 1) / 2;
}

TEST(ThreadPoolTest, EachItemOnce) {
  for (unsigned threads : {1u, 2u, 3u, 4u, 8u, 17u}) {
    SCOPED_TRACE(threads);
    ThreadPool pool(threads);
    EXPECT_EQ(pool.getThreads(), threads);
    for (int64_t count : {1, 2, 3, 7, 64, 1000, 100003})
      expectEachOnce(pool, count);
  }
}

TEST(ThreadPoolTest, NothingToDo) {
  ThreadPool pool(3);
  int calls = 0;
  pool.run(0, [&](int64_t, int64_t) { ++calls; });
  pool.run(-5, [&](int64_t, int64_t) { ++calls; });
  EXPECT_EQ(calls, 0);
}

TEST(ThreadPoolTest, ManyShortJobs) {
  // Workers come late, early, and to jobs that are over.
  ThreadPool pool(4);
  for (int round = 0; round < 3000; ++round) {
    std::atomic<int> items = 0;
    pool.run(2 + round % 5, [&](int64_t first, int64_t last) {
      items += static_cast<int>(last - first);
    });
    ASSERT_EQ(items, 2 + round % 5);
  }
}

TEST(ThreadPoolTest, WakesFromSleep) {
  ThreadPool pool(4);
  for (int round = 0; round < 20; ++round) {
    expectEachOnce(pool, 50);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

TEST(ThreadPoolTest, EveryThreadTakesPart) {
  // Nobody leaves before all have come: works only if there are four threads.
  ThreadPool pool(4);
  std::atomic<int> arrived = 0;
  std::set<std::thread::id> threads;
  std::mutex mutex;
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  pool.run(4, [&](int64_t first, int64_t last) {
    EXPECT_EQ(last, first + 1);
    {
      std::lock_guard<std::mutex> lock(mutex);
      threads.insert(std::this_thread::get_id());
    }
    ++arrived;
    while (arrived < 4 && std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
  });
  EXPECT_EQ(threads.size(), 4u);
  EXPECT_EQ(threads.count(std::this_thread::get_id()), 1u)
      << "the caller takes part";
}

TEST(ThreadPoolTest, UnevenItemsBalance) {
  // The first item lasts until all others are done, which only another thread
  // can do. With few items nobody may take two at once.
  ThreadPool pool(2);
  std::atomic<int> done = 0;
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  pool.run(40, [&](int64_t first, int64_t last) {
    ASSERT_EQ(last, first + 1);
    if (first == 0)
      while (done < 39 && std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    ++done;
  });
  EXPECT_EQ(done, 40);
  EXPECT_LT(std::chrono::steady_clock::now(), end);
}

TEST(ThreadPoolTest, NestedRunsDoNotDeadlock) {
  ThreadPool pool(3), other(2);
  std::atomic<int64_t> items = 0;
  pool.run(30, [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item)
      pool.run(20, [&](int64_t innerFirst, int64_t innerLast) {
        for (int64_t inner = innerFirst; inner < innerLast; ++inner)
          other.run(5,
                    [&](int64_t begin, int64_t end) { items += end - begin; });
      });
  });
  EXPECT_EQ(items, 30 * 20 * 5);
  // Afterwards the pool is parallel as before.
  expectEachOnce(pool, 1000);
}

TEST(ThreadPoolTest, ConcurrentCallers) {
  // More callers than the pool has slots for jobs.
  ThreadPool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int caller = 0; caller < 24; ++caller)
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 100; ++round)
        wrong += !sumsRight(pool, 1 + (caller * 37 + round) % 200);
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(ThreadPoolTest, ManyPoolsComeAndGo) {
  for (int round = 0; round < 100; ++round) {
    ThreadPool pool(3);
    if (round % 2) // one that never ran ends as well
      EXPECT_TRUE(sumsRight(pool, 10));
  }
}

TEST(ThreadPoolTest, WorkersHaveTheStackThatTasksNeed) {
  ThreadPool pool(3);
  std::atomic<int> arrived = 0;
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  pool.run(3, [&](int64_t, int64_t) {
    volatile char frame[4 << 20];
    for (size_t byte = 0; byte < sizeof(frame); byte += 4096)
      frame[byte] = 1;
    ++arrived;
    while (arrived < 3 && std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
  });
  EXPECT_EQ(arrived, 3);
}

TEST(ThreadPoolTest, WorkersTakeNoSignals) {
  ThreadPool pool(2);
  std::atomic<int> arrived = 0;
  std::atomic<bool> blocked = false;
  std::thread::id caller = std::this_thread::get_id();
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  pool.run(2, [&](int64_t, int64_t) {
    if (std::this_thread::get_id() != caller) {
      sigset_t set;
      pthread_sigmask(SIG_SETMASK, nullptr, &set);
      blocked = sigismember(&set, SIGINT) == 1;
    }
    ++arrived;
    while (arrived < 2 && std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
  });
  EXPECT_TRUE(blocked);
  sigset_t set;
  pthread_sigmask(SIG_SETMASK, nullptr, &set);
  EXPECT_EQ(sigismember(&set, SIGINT), 0) << "the caller's mask is as before";
}

TEST(ThreadPoolTest, IdleWorkersSleep) {
  ThreadPool pool(4);
  EXPECT_TRUE(sumsRight(pool, 1000));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  auto getCpuTime = [] {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1e3 + time.tv_nsec * 1e-6;
  };
  double before = getCpuTime();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(getCpuTime() - before, 40) << "ms of CPU time while idle";
}

TEST(ThreadPoolTest, ChildrenStartTheirOwnWorkers) {
  ThreadPool pool(3);
  EXPECT_TRUE(sumsRight(pool, 1000));
  for (int round = 0; round < 5; ++round)
    expectTrueInChild([&] {
      if (!sumsRight(pool, 1000) || !sumsRight(pool, 7))
        return false;
      // It has other threads than its own.
      std::atomic<int> arrived = 0;
      pool.run(3, [&](int64_t, int64_t) {
        ++arrived;
        while (arrived < 3)
          std::this_thread::yield();
      });
      return sumsRight(ThreadPool::shared(2), 100);
    });
  EXPECT_TRUE(sumsRight(pool, 1000)) << "the parent's goes on";
}

TEST(ThreadPoolTest, ForkWhileOthersRun) {
  // The child inherits a pool in the middle of other threads' calls.
  auto pool = std::make_unique<ThreadPool>(3);
  std::atomic<bool> stop = false;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 2; ++caller)
    callers.emplace_back([&] {
      while (!stop) {
        sumsRight(*pool, 100);
        ThreadPool::shared(2).run(2, [](int64_t, int64_t) {});
      }
    });
  for (int round = 0; round < 10; ++round)
    expectTrueInChild([&] {
      bool right =
          sumsRight(*pool, 1000) && sumsRight(ThreadPool::shared(2), 9);
      pool.reset();
      return right;
    });
  stop = true;
  for (std::thread &caller : callers)
    caller.join();
}

TEST(ThreadPoolTest, CountsTheCoresThatThisProcessMayUse) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  ThreadPool pool(0);
  EXPECT_GE(pool.getThreads(), 1u);
  EXPECT_LE(pool.getThreads(), static_cast<unsigned>(CPU_COUNT(&allowed)));
  EXPECT_EQ(&ThreadPool::shared(0), &ThreadPool::shared(pool.getThreads()));

  int first = 0;
  while (!CPU_ISSET(first, &allowed))
    ++first;
  expectTrueInChild([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    if (sched_setaffinity(0, sizeof(one), &one) != 0)
      return false;
    // A pool larger than the machine still ends its jobs.
    ThreadPool large(4);
    return ThreadPool(0).getThreads() == 1 && sumsRight(large, 1000);
  });
}

TEST(ThreadPoolTest, SharedPools) {
  ThreadPool &two = ThreadPool::shared(2);
  EXPECT_EQ(&two, &ThreadPool::shared(2));
  EXPECT_NE(&two, &ThreadPool::shared(3));
  EXPECT_EQ(two.getThreads(), 2u);
  EXPECT_TRUE(sumsRight(two, 100));
}

} // namespace
