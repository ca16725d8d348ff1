// Writes a file whole or not at all: first to a temporary file beside it, which replaces the old file when complete.
// Pipes and devices are written directly, and open descriptors (/dev/stdout) at their current position.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/output_path.hpp"
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <unistd.h>

namespace llmap {

/// Calls write(FILE*) and puts what it wrote at `path`. A full disk, a read-only folder or any other failure is an
/// llmap::error that names the file, and leaves what was at `path` as it was.
template <class Write> void write_file_with(const std::filesystem::path& path, const Write& write) {
  std::error_code ignored;
  const std::optional<int> open = named_descriptor(path);
  const bool direct =
      open || (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored));
  const std::string whole = direct ? path.string() : followed(path).string(),
                    part = direct ? whole : whole + ".part" + std::to_string(::getpid());
  if (open) std::fflush(nullptr); // earlier output comes first
  std::FILE* file = open ? ::fdopen(::dup(*open), "wb") : std::fopen(part.c_str(), "wb");
  if (!file) fail(path.string(), ": cannot be opened for writing: ", std::strerror(errno));
  try {
    write(file);
  } catch (...) {
    std::fclose(file);
    if (!direct) ::unlink(part.c_str());
    throw;
  }
  errno = 0;
  const bool written = std::fflush(file) == 0 && !std::ferror(file) && (direct || ::fsync(::fileno(file)) == 0);
  int reason = errno;
  const bool closed = std::fclose(file) == 0;
  if (written && closed && (direct || std::rename(part.c_str(), whole.c_str()) == 0)) return;
  if (reason == 0) reason = errno ? errno : ENOSPC;
  if (!direct) ::unlink(part.c_str());
  fail(path.string(), ": could not be written completely: ", std::strerror(reason));
}

/// The same with the whole content at hand.
inline void write_file(const std::filesystem::path& path, std::string_view content) {
  write_file_with(path, [&](std::FILE* file) { std::fwrite(content.data(), 1, content.size(), file); });
}

} // namespace llmap
