#include "llmap/core/check_outputs.hpp"
#include "support/golden.hpp"
#include <fstream>

using namespace llmap;

TEST(check_outputs, an_output_is_no_input_and_no_other_output) {
  golden::scratch dir;
  const auto a = dir.write("a", "x"), b = dir.write("b", "y");
  std::filesystem::create_symlink(a, dir.path / "link");
  std::filesystem::create_hard_link(a, dir.path / "hard");
  std::filesystem::create_directory_symlink(dir.path, dir.path / "folder");
  EXPECT_NO_THROW(check_outputs({a}, {b, dir.path / "new", ""}));
  for (const auto& same : {a, dir.path / "link", dir.path / "hard", dir.path / "." / "a", dir.path / "folder" / "a"}) {
    EXPECT_MESSAGE(check_outputs({a}, {b, same}), "expected an output that is not read, got the input");
    EXPECT_MESSAGE(check_outputs({same}, {a}), "expected an output that is not read, got the input");
    EXPECT_MESSAGE(check_outputs({}, {a, same}), "expected one output a file, got it twice");
  }
  EXPECT_MESSAGE(check_outputs({}, {dir.path / "new", dir.path / "folder" / "new"}), "got it twice"); // neither is there yet
  EXPECT_MESSAGE(check_outputs({}, {"new_here", "./new_here"}), "got it twice"); // from the working folder
  EXPECT_NO_THROW(check_outputs({}, {"/dev/null", "/dev/null"}));
  EXPECT_NO_THROW(check_outputs({""}, {"", ""}));
}
