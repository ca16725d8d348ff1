// Reads whole files into memory, up to a size limit: a sparse file takes no room on the disk but minutes to read. JSON
// files that Python writes (all but tokenizer.json and safetensors headers) are read in Python's dialect.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/json.hpp"
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace llmap {

/// Limit on the size of a file of settings.
inline constexpr std::size_t small_file_bytes = std::size_t{64} << 20;
/// Limit on the size of a list of tokens, tensors, names or ids, which takes tens of megabytes at most in practice.
inline constexpr std::size_t large_file_bytes = std::size_t{1} << 30;

/// Python's json module writes NaN and infinities bare. They are read as numbers, so that a field which holds one is
/// refused only if it is used. A byte order mark is refused, as in Python.
inline constexpr json_rules python_json{.not_finite = true};

/// The bytes of a regular file; links are followed.
inline std::string read_file(const std::filesystem::path& path, std::size_t most = small_file_bytes) {
  std::error_code problem;
  const auto status = std::filesystem::status(path, problem);
  using kind = std::filesystem::file_type;
  if (status.type() == kind::not_found) fail(path.string(), ": no such file");
  if (problem) fail(path.string(), ": cannot be read: ", problem.message());
  if (status.type() == kind::directory) fail(path.string(), ": expected a file, got a directory");
  if (status.type() != kind::regular) fail(path.string(), ": expected a regular file");
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(path.string(), ": cannot be opened: ", std::strerror(errno));
  const std::uintmax_t size = std::filesystem::file_size(path);
  if (size > most) fail(path.string(), ": expected at most ", most, " bytes, got ", size);
  std::string text(static_cast<std::size_t>(size), '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (static_cast<std::size_t>(in.gcount()) != text.size()) fail(path.string(), ": could not be read completely");
  return text;
}

/// A JSON file that Python wrote.
inline json read_json_file(const std::filesystem::path& path, std::size_t most = small_file_bytes) {
  return parse_json(read_file(path, most), path.string(), python_json);
}

} // namespace llmap
