// JSON files as they come with checkpoints: NaN and Infinity, which Python's json writes bare, are carried as numbers, so
// that a field which holds one is refused only if it is read.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/json.hpp"
#include "llmap/weights/mapped_file.hpp"
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace llmap {

/// Reads a whole JSON file of at most `max_bytes`.
inline json read_json_file(const std::filesystem::path& path, std::size_t max_bytes = std::size_t{1} << 30) {
  const mapped_file file(path);
  if (file.bytes().size() > max_bytes)
    fail(path.string(), ": expected at most ", max_bytes, " bytes of JSON, got ", file.bytes().size());
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  return parse_json(text, path.string(), {.not_finite = true});
}

} // namespace llmap
