// A text set: JSON Lines, one {"id", "text"[, "domain", "document"]} a line, all strings. Texts are taken byte for
// byte: nothing is trimmed or normalised. Every message starts with FILE:LINE.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/text/utf8.hpp"
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace llmap {

struct text_item {
  std::string id, text;
  std::string domain, document; // empty: not said
};

struct text_set {
  std::vector<text_item> items; // (N), ids are distinct
};

inline text_set load_text_set(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) fail(path.string(), ": expected a JSONL file, got a directory");
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(path.string(), ": cannot open: ", std::strerror(errno));
  text_set set;
  std::map<std::string, std::size_t> line_of;
  std::string line;
  std::size_t number = 0;
  while (std::getline(in, line)) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const std::string where = path.string() + ":" + std::to_string(number);
    if (const auto bad = invalid_utf8(line)) fail(where, ": invalid UTF-8 at byte ", *bad, " of the line");
    nlohmann::json object;
    try {
      object = nlohmann::json::parse(line);
    } catch (const nlohmann::json::exception& problem) {
      fail(where, ": not valid JSON: ", problem.what());
    }
    if (!object.is_object()) fail(where, ": expected an object with id and text, got ", object.type_name());
    text_item item;
    const auto field = [&](const char* name, bool required) {
      const auto it = object.find(name);
      if (it == object.end() || (!required && it->is_null())) {
        if (required) fail(where, ": ", name, ": missing");
        return std::string();
      }
      if (!it->is_string()) fail(where, ": ", name, ": expected a string, got ", it->type_name());
      return it->get<std::string>();
    };
    item = {field("id", true), field("text", true), field("domain", false), field("document", false)};
    if (item.id.empty()) fail(where, ": id: expected a non-empty string");
    const auto [first, fresh] = line_of.emplace(item.id, number);
    if (!fresh) fail(where, ": id ", item.id, ": already used in line ", first->second);
    set.items.push_back(std::move(item));
  }
  if (in.bad()) fail(path.string(), ": cannot read: ", std::strerror(errno));
  if (set.items.empty()) fail(path.string(), ": expected texts, got an empty file");
  return set;
}

} // namespace llmap
