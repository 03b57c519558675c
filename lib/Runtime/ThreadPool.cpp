// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Runtime/ThreadPool.h"
#include "llvm/Support/Threading.h"
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <utility>
#include <vector>

namespace rapt::runtime {

using Task = std::function<void(int64_t, int64_t)>;

/// A task needs up to 4 MiB (Executor.h); the rest is for what it calls.
static constexpr size_t kStackBytes = size_t(8) << 20;
/// More threads than any machine has cores are a mistake of the caller's.
static constexpr unsigned kMaxThreads = 1024;
/// Calls that may share the workers at once; further ones run on their callers.
static constexpr unsigned kSlots = 16;
/// Items next to each other often read the same memory, so that a thread takes
/// several at once: but no more than this part of its share, and no more than
/// this part of what comes before them, as the first items may be the heavy
/// ones.
static constexpr int64_t kChunksPerThread = 16, kChunksBefore = 4;
/// How long a thread looks for work before it sleeps: longer than what lies
/// between two launches, or two calls from Python, and shorter than anybody
/// notices.
static constexpr std::chrono::microseconds kSpinTime(200);

/// True while this thread runs items; a call from inside runs at once.
static thread_local bool insideTask = false;

//===----------------------------------------------------------------------===//
// Fork
//===----------------------------------------------------------------------===//

// The child has the memory of its parent but none of its threads: it forgets
// the team and starts another. The lock is held over a fork, so that the child
// never inherits it from a thread that it does not have.

static std::mutex &getStartMutex() {
  static auto &mutex = *new std::mutex; // outlives every user at exit
  return mutex;
}
static std::atomic<unsigned> forkGeneration = 0;

static void registerForkHandlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    pthread_atfork([] { getStartMutex().lock(); },
                   [] { getStartMutex().unlock(); },
                   [] {
                     forkGeneration.fetch_add(1, std::memory_order_relaxed);
                     getStartMutex().unlock();
                   });
  });
}

//===----------------------------------------------------------------------===//
// Waiting
//===----------------------------------------------------------------------===//

static void pauseCpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

/// Repeats `isDone` for a moment; false if it did not become true.
template <typename Condition>
static bool spin(Condition isDone, bool hasOwnCore) {
  if (!hasOwnCore) {
    // Looking on would keep the thread that is waited for from running.
    for (int turn = 0; turn < 8; ++turn) {
      if (isDone())
        return true;
      sched_yield();
    }
    return isDone();
  }
  std::chrono::steady_clock::time_point end;
  for (int64_t turn = 0;; ++turn) {
    if (isDone())
      return true;
    pauseCpu();
    if (turn % 64 != 63)
      continue;
    auto now = std::chrono::steady_clock::now();
    if (turn == 63)
      end = now + kSpinTime;
    else if (now >= end)
      return false;
  }
}

/// CPUs that this process may run on.
static unsigned countAllowedCpus() {
  // The set is as large as the kernel's, which CPU_SETSIZE may not be.
  for (int count = CPU_SETSIZE; count <= 1 << 20; count *= 2) {
    cpu_set_t *set = CPU_ALLOC(count);
    size_t bytes = CPU_ALLOC_SIZE(count);
    int result = sched_getaffinity(0, bytes, set);
    unsigned cpus = result == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (result == 0)
      return std::max(1u, cpus);
  }
  return 1;
}

/// Cores that this process may run on: two threads of one core share its
/// vector units.
static unsigned countAllowedCores() {
  unsigned cpus = countAllowedCpus();
  int cores = llvm::get_physical_cores();
  return cores > 0 ? std::min<unsigned>(cpus, cores) : cpus;
}

//===----------------------------------------------------------------------===//
// A team: jobs and workers
//===----------------------------------------------------------------------===//

namespace {

/// One call of run(). Slots live as long as the team, so that a worker may look
/// at one whose call is over.
struct alignas(64) Slot {
  /// A call has this slot.
  std::atomic<bool> taken = false;
  /// There may be items left: workers may enter.
  std::atomic<bool> open = false;
  /// Workers inside, and whether the caller sleeps until there are none.
  std::atomic<uint32_t> users = 0;
  std::atomic<bool> callerSleeps = false;

  const Task *task = nullptr;
  int64_t count = 0;
  int64_t threads = 1;
  alignas(64) std::atomic<int64_t> next = 0;

  void runItems() {
    bool before = std::exchange(insideTask, true);
    int64_t first = next.load(std::memory_order_relaxed);
    while (first < count) {
      int64_t chunk = std::min(count / (threads * kChunksPerThread),
                               first / (threads * kChunksBefore));
      int64_t last = std::min(first + std::max<int64_t>(chunk, 1), count);
      if (!next.compare_exchange_weak(first, last, std::memory_order_relaxed))
        continue;
      (*task)(first, last);
      first = next.load(std::memory_order_relaxed);
    }
    insideTask = before;
  }
};

class Team {
public:
  Team(unsigned workers, unsigned generation);
  ~Team();

  void run(int64_t count, const Task &task);
  unsigned getGeneration() const { return generation; }

private:
  static void *start(void *team) {
    pthread_setname_np(pthread_self(), "rapt-worker");
    static_cast<Team *>(team)->work();
    return nullptr;
  }
  void work();
  void help(Slot &slot);
  void wake(int64_t helpers);
  void finish(Slot &slot);

  std::array<Slot, kSlots> slots;
  /// Counts jobs; sleeping workers wait for it to change.
  alignas(64) std::atomic<uint32_t> epoch = 0;
  alignas(64) std::atomic<uint32_t> sleepers = 0;
  std::atomic<bool> stop = false;
  const unsigned generation;
  const bool ownCores;
  std::vector<pthread_t> threads;
};

} // namespace

Team::Team(unsigned workers, unsigned generation)
    : generation(generation), ownCores(workers < countAllowedCpus()) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  // Signals are for the threads of the program, but for those of what a thread
  // does itself: blocked, they end the process without its handlers.
  sigset_t all, before;
  sigfillset(&all);
  for (int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT})
    sigdelset(&all, own);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (unsigned worker = 0; worker < workers; ++worker) {
    pthread_t thread;
    // Where the system gives no more threads, those there are do the work.
    if (pthread_create(&thread, &attributes, start, this) != 0)
      break;
    threads.push_back(thread);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
}

Team::~Team() {
  stop.store(true);
  epoch.fetch_add(1);
  epoch.notify_all();
  for (pthread_t thread : threads)
    pthread_join(thread, nullptr);
}

void Team::work() {
  uint32_t seen = 0;
  while (!stop.load()) {
    for (Slot &slot : slots)
      help(slot);
    auto hasNews = [&] {
      return epoch.load(std::memory_order_relaxed) != seen;
    };
    if (!spin(hasNews, ownCores)) {
      // A caller adds to `epoch` and then reads `sleepers`; this thread does it
      // the other way round, so that one of the two sees the other.
      sleepers.fetch_add(1);
      epoch.wait(seen);
      sleepers.fetch_sub(1);
    }
    seen = epoch.load();
  }
}

/// Takes part in the job of a slot, if it has one.
void Team::help(Slot &slot) {
  if (!slot.open.load(std::memory_order_relaxed))
    return;
  // The caller closes the slot and then waits until nobody is inside; having
  // entered, this thread sees whether it came too late. Both need the one order
  // of sequential consistency.
  slot.users.fetch_add(1);
  if (slot.open.load())
    slot.runItems();
  if (slot.users.fetch_sub(1) == 1 && slot.callerSleeps.load())
    slot.users.notify_all();
}

void Team::wake(int64_t helpers) {
  epoch.fetch_add(1);
  uint32_t sleeping = sleepers.load();
  if (sleeping == 0)
    return;
  if (helpers >= sleeping) {
    epoch.notify_all();
    return;
  }
  for (int64_t helper = 0; helper < helpers; ++helper)
    epoch.notify_one();
}

/// Closes a slot and waits for the workers inside.
void Team::finish(Slot &slot) {
  slot.open.store(false);
  auto isLeft = [&] { return slot.users.load() == 0; };
  if (!spin(isLeft, ownCores)) {
    slot.callerSleeps.store(true);
    while (uint32_t users = slot.users.load())
      slot.users.wait(users);
    slot.callerSleeps.store(false);
  }
  slot.taken.store(false, std::memory_order_release);
}

void Team::run(int64_t count, const Task &task) {
  for (Slot &slot : slots) {
    if (slot.taken.load(std::memory_order_relaxed) ||
        slot.taken.exchange(true, std::memory_order_acquire))
      continue;
    slot.task = &task;
    slot.count = count;
    slot.threads = static_cast<int64_t>(threads.size()) + 1;
    slot.next.store(0, std::memory_order_relaxed);
    slot.open.store(true);
    wake(count - 1);
    slot.runItems();
    finish(slot);
    return;
  }
  task(0, count);
}

//===----------------------------------------------------------------------===//
// The pool
//===----------------------------------------------------------------------===//

struct ThreadPool::Implementation {
  unsigned threads;
  std::atomic<Team *> team = nullptr;

  Team &getTeam();
};

/// The team of this process, started at its first use.
Team &ThreadPool::Implementation::getTeam() {
  Team *current = team.load(std::memory_order_acquire);
  if (current && current->getGeneration() ==
                     forkGeneration.load(std::memory_order_relaxed))
    return *current;
  std::lock_guard<std::mutex> lock(getStartMutex());
  unsigned generation = forkGeneration.load(std::memory_order_relaxed);
  current = team.load(std::memory_order_relaxed);
  // The parent's team stays in the child's memory: its threads do not exist,
  // and what they were doing cannot be undone.
  if (!current || current->getGeneration() != generation) {
    current = new Team(threads - 1, generation);
    team.store(current, std::memory_order_release);
  }
  return *current;
}

ThreadPool::ThreadPool(unsigned threads)
    : implementation(std::make_unique<Implementation>()) {
  registerForkHandlers();
  implementation->threads =
      threads == 0 ? countAllowedCores() : std::min(threads, kMaxThreads);
}

ThreadPool::~ThreadPool() {
  Team *team = implementation->team.load();
  if (team && team->getGeneration() == forkGeneration.load())
    delete team;
}

unsigned ThreadPool::getThreads() const { return implementation->threads; }

void ThreadPool::run(int64_t count, const Task &task) {
  if (count <= 0)
    return;
  // One item leaves the workers to whatever it calls.
  if (count == 1 || implementation->threads == 1 || insideTask) {
    task(0, count);
    return;
  }
  implementation->getTeam().run(count, task);
}

ThreadPool &ThreadPool::shared(unsigned threads) {
  if (threads == 0)
    threads = countAllowedCores();
  threads = std::min(threads, kMaxThreads);
  registerForkHandlers();
  // Never destroyed: at the end of the process other threads may still run
  // kernels.
  static auto &pools = *new std::map<unsigned, std::unique_ptr<ThreadPool>>;
  std::lock_guard<std::mutex> lock(getStartMutex());
  std::unique_ptr<ThreadPool> &pool = pools[threads];
  if (!pool)
    pool = std::make_unique<ThreadPool>(threads);
  return *pool;
}

} // namespace rapt::runtime
