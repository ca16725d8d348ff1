// Parallel loops. In parallel_for each thread has a share of the items, the same part of the range in every loop, so
// that what it has written in one loop is still in its caches in the next: between cores that share no cache a line
// travels as slowly as from memory. A thread that is through with its share takes items from the ends of the others'.
// parallel_in_order hands items out one after another, for what is read once from the first to the last. An item
// computes the same bits whichever thread runs it, and results are combined by item number, never by arrival: same bits
// for any thread count. The threads are those of core/thread_pool.hpp.
#pragma once
#include "llmap/core/thread_pool.hpp"
#include <exception>
#include <stdexcept>
#include <type_traits>

namespace llmap {

namespace detail {

/// Items [first, end) that nobody has taken yet, in one word; on a cache line of its own.
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

/// body(i), or body(i, thread) where the body wants to know which thread it runs on, in [0, threads).
template <class Body> void call_item(const Body& body, std::size_t i, std::size_t thread) {
  if constexpr (std::is_invocable_v<const Body&, std::size_t, std::size_t>) body(i, thread);
  else body(i);
}

/// A loop over [0, n) in `count` shares, at most 64; with more threads than shares some have one together.
template <class Body> void shared_loop(int threads, std::size_t n, std::size_t count, const Body& body) {
  const auto alone = [&] {
    for (std::size_t i = 0; i < n; ++i) call_item(body, i, 0);
  };
  if (threads <= 1 || n <= 1) return alone();
  if (n >> 32) throw std::length_error("parallel loop: 2^32 items or more");
  constexpr std::size_t most = 64;
  loop_share shares[most];
  count = std::min(most, count);
  for (std::size_t k = 0; k < count; ++k) shares[k].set(n * k / count, n * (k + 1) / count);
  std::mutex failing;
  std::exception_ptr failure;
  std::size_t failed_item = n;
  const auto run = [&](std::size_t i, std::size_t thread) {
    try {
      call_item(body, i, thread);
    } catch (...) {
      const std::lock_guard lock(failing);
      if (i < failed_item) failed_item = i, failure = std::current_exception();
    }
  };
  const bool ran = thread_pool::shared().run(std::min(static_cast<std::size_t>(threads), n), [&](std::size_t thread) {
    const std::size_t own = thread % count;
    std::size_t i;
    while (shares[own].take_first(i)) run(i, thread);
    for (std::size_t k = 1; k < count; ++k)
      while (shares[(own + k) % count].take_last(i)) run(i, thread);
  });
  if (!ran) return alone();
  if (failure) std::rethrow_exception(failure);
}

} // namespace detail

/// Calls body(i), or body(i, thread) with the number of its thread in [0, threads), for i in [0, n) on up to `threads`
/// threads, each with a share of its own; n < 2^32. The first exception (lowest i among those caught) is thrown again
/// on the calling thread after all items have been started; on one thread, at once.
template <class Body> void parallel_for(int threads, std::size_t n, const Body& body) {
  detail::shared_loop(threads, n, static_cast<std::size_t>(std::max(threads, 1)), body);
}

/// The same, but an item begins only when those before it have begun.
template <class Body> void parallel_in_order(int threads, std::size_t n, const Body& body) {
  detail::shared_loop(threads, n, 1, body);
}

} // namespace llmap
