// Parallel loops: every item once, shares, order, exceptions, thread numbers, callers at the same time, and how threads
// wait.
#include "llmap/core/error.hpp"
#include "llmap/core/parallel.hpp"
#include <array>
#include <chrono>
#include <ctime>
#include <gtest/gtest.h>

using namespace llmap;

TEST(parallel_for, runs_each_item_once) {
  for (const auto& [threads, n] :
       {std::pair{1, 1000}, {2, 0}, {2, 1}, {2, 2}, {3, 2}, {3, 1000}, {7, 1000}, {70, 1000}}) {
    std::vector<std::atomic<int>> count(static_cast<std::size_t>(n));
    parallel_for(threads, count.size(), [&](std::size_t i) { ++count[i]; });
    EXPECT_TRUE(std::all_of(count.begin(), count.end(), [](const auto& c) { return c == 1; }));
  }
}
TEST(parallel_for, a_thread_keeps_its_share_and_takes_what_others_leave) {
  // Two halves; neither thread ends before the other has begun, so each has its own first item.
  std::atomic<int> begun = 0;
  std::array<int, 2> owner{-1, -1};
  parallel_for(2, 200, [&](std::size_t i, std::size_t thread) {
    if (i % 100 != 0) return;
    owner[i / 100] = static_cast<int>(thread);
    ++begun;
    for (int wait = 0; begun < 2 && wait < 10000; ++wait) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  EXPECT_EQ(owner, (std::array{0, 1}));
  // The first item waits for all others: its thread leaves them to the second.
  std::atomic<int> done = 0;
  parallel_for(2, 100, [&](std::size_t i) {
    if (i > 0) return void(++done);
    for (int wait = 0; done < 99 && wait < 10000; ++wait) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(done, 99);
  });
}
TEST(parallel_in_order, starts_items_in_order) {
  for (const int threads : {1, 2, 5}) {
    std::atomic<std::size_t> begun = 0;
    std::vector<std::atomic<int>> count(1000);
    std::atomic<bool> ahead = false;
    parallel_in_order(threads, count.size(), [&](std::size_t i) {
      ++count[i];
      if (begun++ + static_cast<std::size_t>(threads) < i)
        ahead = true; // at most as many as there are others have begun and not counted yet
    });
    EXPECT_FALSE(ahead);
    EXPECT_TRUE(std::all_of(count.begin(), count.end(), [](const auto& c) { return c == 1; }));
  }
}
TEST(parallel_for, throws_on_the_calling_thread) {
  for (const int threads : {1, 3})
    for (int round = 0; round < 20; ++round) try {
        parallel_for(threads, 100, [](std::size_t i) {
          if (i % 50 == 7) fail("item ", i);
        });
        ADD_FAILURE() << "nothing was thrown";
      } catch (const error& problem) {
        EXPECT_STREQ(problem.what(), "item 7");
      }
}
TEST(parallel_for, no_two_items_at_a_time_have_one_thread_number) {
  constexpr int threads = 4;
  std::array<std::atomic<int>, threads> running{};
  std::atomic<bool> shared = false, beyond = false;
  for (int round = 0; round < 50; ++round)
    parallel_for(threads, 200, [&](std::size_t i, std::size_t thread) {
      if (thread >= threads) return void(beyond = true);
      if (++running[thread] != 1) shared = true;
      if (i % 64 == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
      --running[thread];
    });
  EXPECT_FALSE(shared);
  EXPECT_FALSE(beyond);
}
TEST(parallel_for, a_loop_inside_a_loop_runs_on_its_thread) {
  std::vector<std::atomic<int>> count(40 * 30);
  parallel_for(3, 40, [&](std::size_t i) {
    const auto outer = std::this_thread::get_id();
    parallel_for(3, 30, [&](std::size_t j) {
      EXPECT_EQ(std::this_thread::get_id(), outer);
      ++count[i * 30 + j];
    });
  });
  EXPECT_TRUE(std::all_of(count.begin(), count.end(), [](const auto& c) { return c == 1; }));
}
TEST(parallel_for, callers_at_the_same_time_do_not_disturb_one_another) {
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        std::vector<int> items(97, 0); // each item is written by one thread only
        parallel_for(3, items.size(), [&](std::size_t i) { items[i] += static_cast<int>(i); });
        for (std::size_t i = 0; i < items.size(); ++i) wrong += items[i] != static_cast<int>(i);
      }
    });
  for (std::thread& c : callers) c.join();
  EXPECT_EQ(wrong, 0);
}
// A thread that waits for work must sleep: without loops the process uses next to no processor time. A thread that
// spins uses it in every window of time; what else the process does (a sanitizer's own thread) does not.
TEST(parallel_for, waiting_threads_sleep) {
  parallel_for(3, 100, [](std::size_t) {});
  std::chrono::duration<double> used, window;
  for (int attempt = 0; attempt < 8; ++attempt) {
    const std::clock_t before = std::clock();
    const auto begin = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    used = std::chrono::duration<double>(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC);
    window = std::chrono::steady_clock::now() - begin;
    if (used < 0.05 * window) return;
  }
  ADD_FAILURE() << used.count() << " s of processor time in " << window.count() << " s of waiting";
}
TEST(default_threads, is_what_this_process_may_use) {
  EXPECT_GE(default_threads(), 1);
  EXPECT_LE(default_threads(), 4096);
}
