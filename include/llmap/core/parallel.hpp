// Parallel loops. parallel_for gives each thread a share of the items, the same part of the range in every loop. What a
// thread wrote in one loop is then still in its caches in the next; between cores that share no cache, a line travels
// as slowly as from memory. A thread that finishes its share steals items from the ends of the others.
// parallel_in_order hands items out one after another, for data that is read once from first to last. An item computes
// the same bits whichever thread runs it, and results are combined by item number, never by arrival: the bits do not
// depend on the number of threads. The threads are those of core/thread_pool.hpp.
#pragma once
#include "llmap/core/thread_pool.hpp"
#include <exception>
#include <stdexcept>
#include <type_traits>

namespace llmap {

namespace detail {

/// Items [first, end) that are not yet taken, in one word on its own cache line.
class alignas(64) loop_share {
  std::atomic<std::uint64_t> range_{0}; // first in the low half, end in the high half

  bool take(bool front, std::size_t& item) {
    std::uint64_t range = range_.load(std::memory_order_relaxed), rest;
    do {
      const std::uint64_t first = range & 0xffffffff, end = range >> 32;
      if (first == end) return false;
      item = front ? first : end - 1;
      rest = front ? range + 1 : range - (std::uint64_t{1} << 32);
    } while (!range_.compare_exchange_weak(range, rest, std::memory_order_relaxed));
    return true;
  }

public:
  void set(std::size_t first, std::size_t end) {
    range_.store(first | std::uint64_t{end} << 32, std::memory_order_relaxed);
  }
  bool take_first(std::size_t& item) { return take(true, item); }
  bool take_last(std::size_t& item) { return take(false, item); }
};

/// The body of a loop behind one pointer: the loop itself is compiled once, not once for each body.
struct loop_body {
  void (*call)(const void* context, std::size_t i, std::size_t thread);
  const void* context;

  /// body(i), or body(i, thread) if the body takes the number of its thread, in [0, threads).
  template <class Body> static loop_body of(const Body& body) {
    return {[](const void* of, std::size_t i, [[maybe_unused]] std::size_t thread) {
              const Body& own = *static_cast<const Body*>(of);
              if constexpr (std::is_invocable_v<const Body&, std::size_t, std::size_t>) own(i, thread);
              else own(i);
            },
            &body};
  }
  void operator()(std::size_t i, std::size_t thread) const { call(context, i, thread); }
};

/// A loop over [0, items) in `count` shares; if threads outnumber shares, several work on one.
class shared_loop {
  static constexpr std::size_t most_shares = 64;
  const loop_body& body_;
  const std::size_t count_;
  loop_share shares_[most_shares];
  std::mutex failing_;
  std::exception_ptr failure_;
  std::size_t failed_item_ = static_cast<std::size_t>(-1);

  void item(std::size_t i, std::size_t thread) {
    try {
      body_(i, thread);
    } catch (...) {
      const std::lock_guard lock(failing_);
      if (i < failed_item_) failed_item_ = i, failure_ = std::current_exception();
    }
  }
  void work(std::size_t thread) {
    const std::size_t own = thread % count_;
    std::size_t i;
    while (shares_[own].take_first(i)) item(i, thread);
    for (std::size_t k = 1; k < count_; ++k)
      while (shares_[(own + k) % count_].take_last(i)) item(i, thread);
  }

  shared_loop(std::size_t items, std::size_t count, const loop_body& body)
      : body_(body), count_(std::min(most_shares, count)) {
    for (std::size_t k = 0; k < count_; ++k) shares_[k].set(items * k / count_, items * (k + 1) / count_);
  }

public:
  static void run(int threads, std::size_t items, std::size_t count, const loop_body& body) {
    if (threads > 1 && items > 1) {
      if (items >> 32) throw std::length_error("parallel loop: 2^32 items or more");
      shared_loop loop(items, count, body);
      const auto work = [](void* self, std::size_t thread) { static_cast<shared_loop*>(self)->work(thread); };
      if (thread_pool::shared().run(std::min(static_cast<std::size_t>(threads), items), work, &loop)) {
        if (loop.failure_) std::rethrow_exception(loop.failure_);
        return;
      }
    }
    for (std::size_t i = 0; i < items; ++i) body(i, 0);
  }
};

} // namespace detail

/// Calls body(i), or body(i, thread) with the number of its thread in [0, threads), for i in [0, n) on up to `threads`
/// threads, each with its own share; n < 2^32. Of the exceptions caught, the one of the lowest i is rethrown on the
/// calling thread after all items have been started; on one thread, the first is thrown at once.
template <class Body> void parallel_for(int threads, std::size_t n, const Body& body) {
  detail::shared_loop::run(threads, n, static_cast<std::size_t>(std::max(threads, 1)), detail::loop_body::of(body));
}

/// The same, but an item starts only after all items before it have started.
template <class Body> void parallel_in_order(int threads, std::size_t n, const Body& body) {
  detail::shared_loop::run(threads, n, 1, detail::loop_body::of(body));
}

} // namespace llmap
