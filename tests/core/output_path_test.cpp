// Outputs: whole or not at all, in the place that links lead to, and never over an input or one another.
#include "llmap/core/output_path.hpp"
#include "llmap/core/write_file.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"
#include <fcntl.h>
#include <gtest/gtest.h>
#include <iterator>

using namespace llmap;
namespace fs = std::filesystem;

namespace {
std::string content(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}
std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}
} // namespace

TEST(write_file, is_whole_or_not_at_all) {
  const temporary_folder folder;
  const fs::path path = folder.path() / "file";
  write_file(path, "first");
  EXPECT_THROW(write_file_with(path,
                               [](std::FILE* file) {
                                 std::fputs("second", file);
                                 fail("stopped");
                               }),
               error);
  EXPECT_EQ(content(path), "first");
  EXPECT_EQ(files_in(folder.path()), 1u);
  EXPECT_THROW(write_file("/dev/full", std::string(1 << 20, 'x')), error);
  EXPECT_THROW(write_file(path / "no_such_folder" / "x", "y"), error);
}
TEST(write_file, goes_where_links_lead) {
  const temporary_folder folder;
  fs::create_directory(folder.path() / "there");
  fs::create_symlink("there/file", folder.path() / "link"); // to a file that is not there yet
  fs::create_symlink("link", folder.path() / "link_to_link");
  for (const char* text : {"first", "second"}) {
    write_file(folder.path() / "link_to_link", text);
    EXPECT_EQ(content(folder.path() / "there/file"), text);
  }
  EXPECT_TRUE(fs::is_symlink(folder.path() / "link_to_link"));
  EXPECT_TRUE(fs::is_symlink(folder.path() / "link"));
  EXPECT_EQ(files_in(folder.path() / "there"), 1u);
}
TEST(write_file, devices_and_open_files_are_written_where_they_stand) {
  write_file("/dev/null", "nothing");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  const temporary_folder folder;
  const int file = ::open((folder.path() / "file").c_str(), O_CREAT | O_RDWR, 0600);
  EXPECT_EQ(::write(file, "before ", 7), 7);
  write_file("/dev/fd/" + std::to_string(file), "between");
  EXPECT_EQ(::write(file, " after", 6), 6);
  ::close(file);
  EXPECT_EQ(content(folder.path() / "file"), "before between after");
  EXPECT_EQ(files_in(folder.path()), 1u);
}
TEST(named_descriptor, knows_the_names_of_open_files) {
  EXPECT_EQ(named_descriptor("/dev/stdout"), 1);
  EXPECT_EQ(named_descriptor("/dev/stderr"), 2);
  EXPECT_EQ(named_descriptor("/dev/./fd/12"), 12);
  EXPECT_EQ(named_descriptor("/proc/self/fd/3"), 3);
  for (const char* other : {"/dev/null", "/dev/fd/", "/dev/fd/x", "stdout", "/dev/stdout.json"})
    EXPECT_EQ(named_descriptor(other), std::nullopt) << other;
}
TEST(check_outputs, refuses_an_output_that_is_an_input_or_another_output) {
  const temporary_folder folder;
  const fs::path in = folder.write("in", "x"), other = folder.write("other", "x"), fresh = folder.path() / "fresh";
  fs::create_symlink("in", folder.path() / "symbolic");
  fs::create_hard_link(in, folder.path() / "hard");
  fs::create_symlink("fresh", folder.path() / "to_fresh");
  fs::create_directory(folder.path() / "inner");
  fs::create_directory_symlink(folder.path(), folder.path() / "inner/back");
  EXPECT_NO_THROW(check_outputs({in, "", folder.path() / "none"}, {other, fresh, "", ""}));
  for (const fs::path& same : {in, folder.path() / "symbolic", folder.path() / "hard", folder.path() / "inner/../in",
                               folder.path() / "inner/back/in"})
    EXPECT_EQ(message_of([&] {
                check_outputs({other, in}, {fresh, same});
              }),
              same.string() + ": expected an output that is no input, got the input " + in.string());
  for (const fs::path& same :
       {fresh, folder.path() / "to_fresh", folder.path() / "inner/../fresh", folder.path() / "inner/back/fresh"})
    EXPECT_EQ(message_of([&] {
                check_outputs({in}, {fresh, "", same});
              }),
              same.string() + ": expected a file of its own for each output, got that of " + fresh.string());
  const fs::path here = fs::current_path();
  EXPECT_MESSAGE(check_outputs({}, {"fresh", here / "fresh"}), "expected a file of its own"); // relative and absolute
  EXPECT_NO_THROW(check_outputs({}, {"/dev/null", "/dev/null"}));                             // a device keeps nothing
}
