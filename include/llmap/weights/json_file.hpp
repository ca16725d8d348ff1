// JSON as it comes with checkpoints: read strictly, with limits, and with a file name in every message.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/weights/mapped_file.hpp"
#include <cctype>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace llmap {

/// Parses `text`. A repeated key, invalid UTF-8, nesting beyond `max_depth` or a syntax error is an llmap::error
/// that starts with `where`.
inline nlohmann::json parse_json(std::string_view text, const std::string& where, std::size_t max_depth = 64) {
  using nlohmann::json;
  std::vector<std::set<std::string>> keys; // one set an open object
  const auto watch = [&](int depth, json::parse_event_t event, json& value) {
    if (depth > static_cast<int>(max_depth)) fail(where, ": JSON nested deeper than ", max_depth);
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    else if (event == json::parse_event_t::object_end) keys.pop_back();
    else if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
      fail(where, ": JSON key \"", value.get<std::string>(), "\" appears twice");
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), watch);
  } catch (const json::exception& problem) {
    fail(where, ": not valid JSON: ", problem.what());
  }
}

/// Python's json writes Infinity, -Infinity and NaN bare; here they become strings, so that a field which
/// holds one can be carried, and is refused only if it is read as a number.
inline std::string quote_python_numbers(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size();) {
    if (!in_string) {
      bool replaced = false;
      for (std::string_view word : {"-Infinity", "Infinity", "NaN"})
        if (text.substr(i, word.size()) == word) {
          (out += '"').append(word) += '"';
          i += word.size();
          replaced = true;
          break;
        }
      if (replaced) continue;
    }
    if (in_string && text[i] == '\\' && i + 1 < text.size()) out += text[i++];
    else if (text[i] == '"') in_string = !in_string;
    out += text[i++];
  }
  return out;
}

/// Reads a whole JSON file of at most `max_bytes`.
inline nlohmann::json read_json_file(const std::filesystem::path& path, std::size_t max_bytes = std::size_t{1} << 30) {
  const mapped_file file(path);
  if (file.bytes().size() > max_bytes)
    fail(path.string(), ": expected at most ", max_bytes, " bytes of JSON, got ", file.bytes().size());
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  return parse_json(quote_python_numbers(text), path.string());
}

} // namespace llmap
