// The threads that parallel loops run on. They start when first needed and are kept. A thread without work spins for
// less than a millisecond, which covers the gaps between the loops of a forward pass, and then sleeps. When other
// processes are busy, a waiting thread must not hold the processor that a working one needs.
// See docs/design/008-waiting.md.
//
// One loop runs at a time. A loop started inside another, or while another caller's is running, runs on its calling
// thread alone. A loop ends when its work is done, without waiting for threads that have not woken up by then.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>
#if defined(__linux__)
#include <sched.h>
#endif

namespace llmap {

/// Processors that this process may use, or OMP_NUM_THREADS if that is set to a number above 0.
inline int default_threads() {
  static const int count = [] {
    if (const char* wanted = std::getenv("OMP_NUM_THREADS"))
      if (const int n = std::atoi(wanted); n > 0) return std::min(n, 4096);
#if defined(__linux__)
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }();
  return count;
}

namespace detail {

/// Tells the processor that this is a spin loop.
inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

inline constexpr std::chrono::microseconds spin_time{700};

/// Waits until `word` is no longer `old`.
template <class Word> void wait_while(const std::atomic<Word>& word, Word old) {
  const auto begin = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < 128; ++i) { // 1 to 6 microseconds between checks of the clock
      if (word.load(std::memory_order_acquire) != old) return;
      relax();
    }
  } while (std::chrono::steady_clock::now() - begin < spin_time);
  word.wait(old, std::memory_order_acquire);
}

} // namespace detail

/// Threads that wait for loops. Those that call parallel_for share one pool and never see it.
class thread_pool {
public:
  /// Called once per thread: work(context, thread number).
  using work = void (*)(void* context, std::size_t thread);

private:
  // A loop is open while `joined_` has no closed bit; the other bits count the workers inside.
  static constexpr std::uint32_t closed = std::uint32_t{1} << 31;
  std::atomic<std::uint32_t> joined_{closed};
  std::atomic<std::uint32_t> loops_{0}; // begun so far; a change wakes the workers
  std::atomic<bool> stop_{false};
  work run_ = nullptr;
  void* context_ = nullptr;
  std::size_t threads_ = 0;

  std::mutex busy_;
  std::vector<std::thread> workers_;

  static bool& inside() {
    static thread_local bool value = false;
    return value;
  }

  bool join() {
    std::uint32_t seen = joined_.load(std::memory_order_relaxed);
    do {
      if (seen & closed) return false;
    } while (!joined_.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire, std::memory_order_relaxed));
    return true;
  }
  void leave() {
    if (joined_.fetch_sub(1, std::memory_order_acq_rel) == closed + 1) joined_.notify_one();
  }

  void worker(std::size_t number) {
    inside() = true;
    for (std::uint32_t seen = 0; !stop_.load(std::memory_order_acquire);) {
      detail::wait_while(loops_, seen);
      seen = loops_.load(std::memory_order_acquire);
      if (!join()) continue;
      if (number < threads_) run_(context_, number);
      leave();
    }
  }

public:
  /// The pool of the process, made on first use.
  static thread_pool& shared() {
    static thread_pool pool;
    return pool;
  }
  thread_pool() = default;
  thread_pool(const thread_pool&) = delete;
  ~thread_pool() {
    stop_.store(true, std::memory_order_release);
    loops_.fetch_add(1, std::memory_order_release);
    loops_.notify_all();
    for (std::thread& w : workers_) w.join();
  }

  /// Calls run(context, thread) at most once on each of the threads 0 (the caller) to threads - 1, concurrently. The
  /// caller always takes part, the others as soon as they are awake: `run` must divide its work itself, and must not
  /// throw. Returns false without a call if the pool is in use. Not a template, because a program has many loops.
  bool run(std::size_t threads, work run, void* context) {
    if (inside()) return false;
    const std::unique_lock lock(busy_, std::try_to_lock);
    if (!lock) return false;
    while (workers_.size() + 1 < threads)
      workers_.emplace_back([this, number = workers_.size() + 1] { worker(number); });
    run_ = run;
    context_ = context;
    threads_ = threads;
    joined_.store(0, std::memory_order_release);
    loops_.fetch_add(1, std::memory_order_release);
    loops_.notify_all();
    inside() = true;
    run(context, 0);
    inside() = false;
    for (std::uint32_t left = joined_.fetch_or(closed, std::memory_order_acq_rel) | closed; left != closed;
         left = joined_.load(std::memory_order_acquire))
      detail::wait_while(joined_, left);
    return true;
  }
};

} // namespace llmap
