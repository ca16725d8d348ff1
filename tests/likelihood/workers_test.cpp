// Texts that workers share: each is taken once, and the failure of one worker ends them all.
#include "llmap/likelihood/workers.hpp"
#include <algorithm>
#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <latch>
#include <string>
#include <thread>

using namespace llmap;

namespace {
struct place {
  int number;
};
thread_local int entered = -1;
void enter(const place& p) { entered = p.number; }

using texts = std::vector<std::vector<std::int32_t>>;
texts of_lengths(const std::vector<std::size_t>& lengths) {
  texts all;
  for (const std::size_t n : lengths) all.emplace_back(n);
  return all;
}
} // namespace

TEST(texts_to_take, fill_the_rows_and_are_at_least_one) {
  const texts all = of_lengths({3, 4, 5, 100, 0, 7, 1});
  texts_to_take left(all);
  const auto take = [&](std::size_t rows) {
    const texts_to_take::part p = left.take(rows);
    return std::pair(p.first, p.last);
  };
  EXPECT_EQ(take(7), std::pair(std::size_t{0}, std::size_t{2}));
  EXPECT_EQ(take(50), std::pair(std::size_t{2}, std::size_t{3})); // 100 do not fit beside 5
  EXPECT_EQ(take(50), std::pair(std::size_t{3}, std::size_t{4})); // but alone
  EXPECT_EQ(take(0), std::pair(std::size_t{4}, std::size_t{5}));
  left.stop();
  EXPECT_TRUE(left.take(50).empty());
}
TEST(workers, take_every_text_once_each_in_its_place) {
  const texts all = of_lengths(std::vector<std::size_t>(1000, 1));
  texts_to_take left(all);
  const std::vector<place> places{{4}, {7}, {9}};
  std::vector<std::atomic<int>> taken(all.size());
  std::vector<std::atomic<int>> came(10);
  std::latch everyone(3);
  with_workers(std::span<const place>(places), left, [&](const place& here) {
    EXPECT_EQ(entered, here.number);
    everyone.arrive_and_wait(); // each has a thread of its own
    for (texts_to_take::part p; !(p = left.take(3)).empty();)
      for (std::size_t i = p.first; i < p.last; ++i) ++taken[i];
    ++came[static_cast<std::size_t>(here.number)];
  });
  EXPECT_TRUE(std::all_of(taken.begin(), taken.end(), [](const auto& n) { return n == 1; }));
  EXPECT_EQ(came[4] * came[7] * came[9], 1);
}
TEST(workers, one_failure_ends_them_all) {
  for (const int bad : {0, 1, 2}) {
    const texts all = of_lengths(std::vector<std::size_t>(3000, 1));
    texts_to_take left(all);
    const std::vector<place> places{{0}, {1}, {2}};
    std::latch started(3);
    std::atomic<bool> failed = false;
    std::atomic<int> afterwards = 0;
    std::string said;
    try {
      with_workers(std::span<const place>(places), left, [&](const place& here) {
        left.take(1);
        started.arrive_and_wait();
        if (here.number == bad) failed = true, fail("device ", bad, " fails");
        while (!failed) std::this_thread::yield();
        for (; !left.take(0).empty(); ++afterwards) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      });
    } catch (const error& problem) {
      said = problem.what();
    }
    EXPECT_EQ(said, "device " + std::to_string(bad) + " fails");
    EXPECT_LT(afterwards, 2000) << "the others went on to the end";
  }
}
