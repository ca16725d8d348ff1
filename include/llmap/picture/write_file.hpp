// Writes a file whole or not at all: to a neighbour first, which takes the place of the old one when
// complete.
#pragma once
#include "llmap/core/error.hpp"
#include <filesystem>
#include <fstream>

namespace llmap {

/// Throws llmap::error naming the file when it cannot be written to its end. Pipes and devices are written
/// directly.
inline void write_file(const std::filesystem::path& path, const std::string& content) {
  namespace fs = std::filesystem;
  std::error_code problem;
  const bool direct = fs::exists(path, problem) && !fs::is_regular_file(path, problem);
  fs::path part = path;
  if (!direct) part += ".part";
  {
    std::ofstream out(part, std::ios::binary | std::ios::trunc);
    if (!out) fail(path.string(), ": cannot be opened for writing");
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.close(); // flushes: a full disk shows here at the latest
    if (!out) {
      if (!direct) fs::remove(part, problem);
      fail(path.string(), ": could not be written to its end (", content.size(),
           " bytes); perhaps the disk is full");
    }
  }
  if (direct) return;
  fs::rename(part, path, problem);
  if (problem) {
    const std::string reason = problem.message();
    fs::remove(part, problem);
    fail(path.string(), ": could not be put in place: ", reason);
  }
}

} // namespace llmap
