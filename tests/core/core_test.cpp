#include "llmap/core/arena.hpp"
#include "llmap/core/memory.hpp"
#include "llmap/core/random.hpp"
#include "llmap/core/view.hpp"
#include "llmap/core/write_file.hpp"
#include "support/temporary_folder.hpp"
#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <vector>

using namespace llmap;

TEST(error, is_one_line) {
  try {
    fail("file\nname", ": ", 3, '\t');
  } catch (const error& e) {
    EXPECT_STREQ(e.what(), "file?name: 3?");
  }
}
TEST(available_memory, is_the_least_of_machine_and_groups) {
  const temporary_folder folder;
  const auto proc = folder.path() / "proc", groups = folder.path() / "cgroup";
  const auto write = [](const std::filesystem::path& path, const std::string& text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  };
  EXPECT_EQ(available_memory(proc, groups), std::numeric_limits<std::uint64_t>::max()); // nothing is known
  write(proc / "meminfo", "MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:  8000 kB\n");
  EXPECT_EQ(available_memory(proc, groups), 8000u << 10);
  write(proc / "self/cgroup", "0::/a/b\n");
  write(groups / "a/b/memory.max", "max\n");
  EXPECT_EQ(available_memory(proc, groups), 8000u << 10);
  write(groups / "a/memory.max", "5000000\n"); // of the group above
  write(groups / "a/memory.current", "3000000\n");
  write(groups / "a/memory.stat", "anon 1\ninactive_file 700000\nactive_file 300000\n");
  EXPECT_EQ(available_memory(proc, groups), 3000000u);
  write(groups / "a/memory.current", "7000000\n"); // over its limit
  EXPECT_EQ(available_memory(proc, groups), 0u);
  write(proc / "self/cgroup", "5:cpu,memory:/job\n0::/\n");
  write(groups / "memory/memory.limit_in_bytes", "9223372036854771712\n");
  write(groups / "memory/job/memory.limit_in_bytes", "2000000\n");
  write(groups / "memory/job/memory.usage_in_bytes", "600000\n");
  write(groups / "memory/job/memory.stat", "inactive_file 5\ntotal_inactive_file 100000\n");
  EXPECT_EQ(available_memory(proc, groups), 1500000u);
}
TEST(counter_random, is_a_function_of_seed_stream_and_counter) {
  const counter_random a{1}, b{1}, c{2};
  EXPECT_EQ(a.bits(3, 4), b.bits(3, 4));
  EXPECT_NE(a.bits(3, 4), c.bits(3, 4));
  EXPECT_NE(a.bits(3, 4), a.bits(4, 3));
  double sum = 0, square = 0;
  std::vector<int> seen(7, 0);
  constexpr int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double x = a.normal(0, static_cast<std::uint64_t>(i));
    sum += x, square += x * x;
    ++seen[a.below(1, static_cast<std::uint64_t>(i), 7)];
  }
  EXPECT_NEAR(sum / n, 0, 0.02);
  EXPECT_NEAR(square / n, 1, 0.03);
  for (int s : seen) EXPECT_NEAR(s, n / 7.0, 500);
}
TEST(buffers, are_aligned_and_refuse_the_impossible) {
  matrix_buffer<float> b;
  const auto m = b.reshape(3, 5);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(m.data) % 64, 0u);
  EXPECT_EQ(&m(2, 4), m.data + 14);
  EXPECT_THROW(b.reshape(std::size_t{1} << 40, std::size_t{1} << 40), error);
}
TEST(arena, gives_aligned_pieces_apart_that_outlive_it) {
  std::vector<shared_bytes> pieces;
  {
    arena room(1000);
    for (const std::size_t size : {100, 1, 0, 64, 700, 40})
      pieces.push_back(room.take(size)); // the last two do not both fit
    pieces.push_back(arena().take(10));
  }
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pieces[i].data()) % 64, 0u);
    std::fill_n(pieces[i].data(), pieces[i].size(), static_cast<std::byte>(i));
  }
  for (std::size_t i = 0; i < pieces.size(); ++i)
    for (std::size_t k = 0; k < pieces[i].size(); ++k)
      ASSERT_EQ(pieces[i].data()[k], static_cast<std::byte>(i)) << "piece " << i;
}
TEST(write_file, is_whole_or_not_at_all) {
  const auto path = std::filesystem::temp_directory_path() / "llmap_write_file_test";
  write_file(path, "first");
  EXPECT_THROW(write_file_with(path, [](std::FILE*) { fail("stopped"); }), error);
  std::ifstream in(path);
  std::string text;
  in >> text;
  EXPECT_EQ(text, "first");
  std::filesystem::remove(path);
  EXPECT_THROW(write_file("/dev/full", std::string(1 << 20, 'x')), error);
  EXPECT_THROW(write_file(path / "no_such_folder" / "x", "y"), error);
}
