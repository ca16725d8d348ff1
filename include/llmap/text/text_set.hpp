// A text set: JSON Lines, one {"id", "text"[, "domain", "document"]} per line, all strings; other fields are ignored.
// Texts are taken byte for byte: nothing is trimmed or normalized. Empty lines are allowed at the end only. Every
// message starts with FILE:LINE.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/json.hpp"
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <vector>

namespace llmap {

struct text_item {
  std::string id, text;
  std::string domain{}, document{}; // empty: absent
};

struct text_set {
  std::vector<text_item> items; // (N), ids are distinct
};

namespace detail {

/// One line of a text set.
inline text_item read_text_item(std::string_view line, const std::string& where) {
  const json object = parse_json(line, where);
  if (!object.members()) fail(where, ": expected an object with id and text, got ", object.kind());
  const auto field = [&](const char* name, bool required) {
    const json* value = object.find(name);
    if (!required && (!value || value->is_null())) return std::string();
    if (!value) fail(where, ": ", name, ": expected a string, got none");
    if (!value->string()) fail(where, ": ", name, ": expected a string, got ", value->kind());
    return *value->string();
  };
  text_item item{field("id", true), field("text", true), field("domain", false), field("document", false)};
  if (item.id.empty()) fail(where, ": id: expected at least one character, got an empty string");
  return item;
}

} // namespace detail

inline text_set load_text_set(const std::filesystem::path& path) {
  const std::string name = path.string();
  std::error_code problem;
  const auto status = std::filesystem::status(path, problem);
  using kind = std::filesystem::file_type;
  if (status.type() == kind::not_found) fail(name, ": expected a JSONL file, got no such file");
  if (problem) fail(name, ": cannot be read: ", problem.message());
  if (status.type() == kind::directory) fail(name, ": expected a JSONL file, got a directory");
  if (status.type() != kind::regular) fail(name, ": expected a JSONL file, got something that is not a regular file");
  constexpr std::uintmax_t most = std::uintmax_t{4} << 30; // the whole set is held in memory
  if (const auto size = std::filesystem::file_size(path); size > most)
    fail(name, ": expected at most ", most, " bytes, got ", size);
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(name, ": cannot be opened: ", std::strerror(errno));

  text_set set;
  std::unordered_map<std::string, std::size_t> line_of;
  std::size_t number = 0, empty_line = 0; // of the first empty line, 0: none yet
  for (std::string line; std::getline(in, line);) {
    ++number;
    const std::string where = name + ":" + std::to_string(number);
    if (line.find_first_not_of(" \t\r") == std::string::npos) {
      if (empty_line == 0) empty_line = number;
      continue;
    }
    if (empty_line != 0) fail(name, ":", empty_line, ": expected a text, got an empty line");
    text_item item = detail::read_text_item(line, where);
    const auto [first, fresh] = line_of.emplace(item.id, number);
    if (!fresh) fail(where, ": id: expected a new one, got ", item.id, " of line ", first->second);
    set.items.push_back(std::move(item));
  }
  if (in.bad()) fail(name, ": could not be read completely");
  if (set.items.empty()) fail(name, ": expected texts, got an empty file");
  return set;
}

} // namespace llmap
