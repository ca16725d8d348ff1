// Whole files: their limits, and the dialect of JSON that Python writes.
#include "llmap/core/json_file.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"
#include <cmath>

using namespace llmap;

namespace {

// The file of zeros takes no room on the disk, and eight gigabytes of it are refused before a byte is read.
TEST(read_file, larger_files_than_the_limit_are_refused) {
  const temporary_folder folder;
  const auto path = folder.write("f.json", "{}");
  EXPECT_EQ(read_file(path, 2), "{}");
  EXPECT_MESSAGE(read_file(path, 1), "f.json: expected at most 1 bytes, got 2");
  std::filesystem::resize_file(path, std::uintmax_t{8} << 30);
  EXPECT_MESSAGE(read_file(path, large_file_bytes), "f.json: expected at most 1073741824 bytes, got 8589934592");
  EXPECT_MESSAGE(read_json_file(path), "f.json: expected at most 67108864 bytes, got 8589934592");
}

TEST(read_file, only_regular_files) {
  const temporary_folder folder;
  EXPECT_MESSAGE(read_file(folder.path()), "expected a file, got a directory");
  EXPECT_MESSAGE(read_file(folder.path() / "none"), "none: no such file");
  EXPECT_MESSAGE(read_file("/dev/null"), "/dev/null: expected a regular file");
  std::filesystem::create_symlink(folder.write("f", "x"), folder.path() / "link");
  EXPECT_EQ(read_file(folder.path() / "link"), "x");
}

TEST(read_json_file, reads_what_python_writes) {
  const temporary_folder folder;
  const json value = read_json_file(folder.write("f.json", "[NaN, Infinity, -Infinity]"));
  ASSERT_EQ(value.items()->size(), 3u);
  EXPECT_TRUE(std::isnan(*(*value.items())[0].number()));
  EXPECT_EQ((*value.items())[2].number(), -HUGE_VAL);
  EXPECT_MESSAGE(read_json_file(folder.write("f.json", "\xef\xbb\xbf{}")),
                 "f.json: expected JSON, got a byte order mark");
}

} // namespace
