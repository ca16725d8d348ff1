// Where an output goes: links are followed, and no output may be an input or another output.
#pragma once
#include "llmap/core/error.hpp"
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace llmap {

/// The file that a path leads to; symbolic links are followed even if their target does not exist yet.
inline std::filesystem::path followed(std::filesystem::path path) {
  std::error_code failed;
  for (int link = 0; link < 40 && std::filesystem::is_symlink(path, failed); ++link)
    path = path.parent_path() / std::filesystem::read_symlink(path, failed);
  const std::filesystem::path canonical =
      std::filesystem::weakly_canonical(std::filesystem::absolute(path, failed), failed);
  return failed ? path : canonical;
}

/// The open descriptor that a name such as /dev/stdout or /dev/fd/3 stands for.
inline std::optional<int> named_descriptor(const std::filesystem::path& path) {
  const std::string name = path.lexically_normal().string();
  if (name == "/dev/stdout") return 1;
  if (name == "/dev/stderr") return 2;
  for (const std::string folder : {"/dev/fd/", "/proc/self/fd/"})
    if (name.starts_with(folder) && name.size() > folder.size() &&
        name.find_first_not_of("0123456789", folder.size()) == std::string::npos)
      return std::atoi(name.c_str() + folder.size());
  return std::nullopt;
}

/// True if two paths lead to the same file, through any links. Character devices such as /dev/null never count, because
/// writing to them replaces nothing.
inline bool same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  struct stat of_a {
  }, of_b{};
  const bool a_there = ::stat(a.c_str(), &of_a) == 0, b_there = ::stat(b.c_str(), &of_b) == 0;
  if (a_there && b_there) return of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino && !S_ISCHR(of_a.st_mode);
  return !a_there && !b_there && followed(a) == followed(b);
}

/// Fails if an output is an input or another output. Empty paths (options that were not given) are ignored.
inline void check_outputs(const std::vector<std::filesystem::path>& inputs,
                          const std::vector<std::filesystem::path>& outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].empty()) continue;
    for (const auto& input : inputs)
      if (!input.empty() && same_file(outputs[i], input))
        fail(outputs[i].string(), ": expected an output that is no input, got the input ", input.string());
    for (std::size_t k = 0; k < i; ++k)
      if (!outputs[k].empty() && same_file(outputs[i], outputs[k]))
        fail(outputs[i].string(), ": expected a file of its own for each output, got that of ", outputs[k].string());
  }
}

} // namespace llmap
