// A JSON component of tokenizer.json with its place in the file, so that every message can name it. The files are
// foreign: every access checks the type, and every failure is an llmap::error.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/utf8.hpp"
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace llmap {

/// Ids are below this: no vocabulary comes near, and sums of ids and counts stay far from overflow.
inline constexpr std::int32_t token_id_limit = 1 << 28;

/// How deep the arrays and objects of a JSON text are nested; of any text, valid or not.
inline std::size_t json_nesting(std::string_view text) {
  std::size_t depth = 0, deepest = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      else if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

/// Parses a whole JSON text; `where` starts the message if it is none. Copying and printing JSON recurse, so nesting
/// is bounded.
inline nlohmann::json parse_text_json(std::string_view text, const std::string& where,
                                 const nlohmann::json::parser_callback_t& each = nullptr) {
  constexpr std::size_t deepest = 64;
  if (const auto bad = invalid_utf8(text)) fail(where, ": expected UTF-8, got an invalid sequence at byte ", *bad);
  if (text.starts_with("\xef\xbb\xbf")) fail(where, ": expected JSON, got a byte order mark");
  if (json_nesting(text) > deepest) fail(where, ": expected JSON nested at most ", deepest, " deep, got more");
  try {
    return nlohmann::json::parse(text, each);
  } catch (const nlohmann::json::exception& problem) {
    std::string_view what = problem.what();
    if (what.starts_with("[json.exception.")) what.remove_prefix(std::min(what.find(']') + 2, what.size()));
    fail(where, ": not valid JSON: ", what.substr(0, 300));
  }
}

class component {
public:
  component(const nlohmann::json& json, std::string where) : json_(&json), where_(std::move(where)) {}

  const nlohmann::json& json() const { return *json_; }
  const std::string& where() const { return where_; }
  bool absent(const std::string& key) const {
    if (!json_->is_object()) return true;
    const auto it = json_->find(key);
    return it == json_->end() || it->is_null();
  }

  component at(const std::string& key) const {
    if (!json_->is_object()) wrong("an object");
    const auto it = json_->find(key);
    if (it == json_->end()) fail(where_, ": ", key, ": missing");
    return {*it, where_ + "." + key};
  }
  component at(std::size_t i) const {
    if (i >= size()) wrong("an array of at least " + std::to_string(i + 1));
    return {(*json_)[i], where_ + "[" + std::to_string(i) + "]"};
  }
  std::size_t size() const {
    if (!json_->is_array()) wrong("an array");
    return json_->size();
  }
  /// (name, value) of an object; `expected` says what it should be.
  const nlohmann::json::object_t& members(std::string_view expected = "an object") const {
    if (!json_->is_object()) wrong(expected);
    return json_->get_ref<const nlohmann::json::object_t&>();
  }
  const std::string& text() const {
    if (!json_->is_string()) wrong("a string");
    return json_->get_ref<const std::string&>();
  }
  const std::string& type() const {
    const auto it = json_->is_object() ? json_->find("type") : json_->end();
    if (!json_->is_object() || it == json_->end()) wrong("an object with a type");
    if (!it->is_string()) component(*it, where_ + ".type").wrong("a string");
    return it->get_ref<const std::string&>();
  }
  bool flag(const std::string& key, bool otherwise) const {
    if (absent(key)) return otherwise;
    const component value = at(key);
    if (!value.json().is_boolean()) value.wrong("true or false");
    return value.json().get<bool>();
  }
  static bool is_id(const nlohmann::json& value) {
    return value.is_number_integer() && value.get<double>() >= 0 && value.get<double>() < token_id_limit;
  }
  std::int32_t id() const {
    if (!is_id(*json_)) wrong("a token id (0 to " + std::to_string(token_id_limit - 1) + ")");
    return json_->get<std::int32_t>();
  }
  /// The value is not what was expected: says where, what, and what is there instead.
  [[noreturn]] void wrong(std::string_view expected) const {
    std::string got;
    if (json_->is_object()) got = "an object";
    else if (json_->is_array()) got = "an array of " + std::to_string(json_->size());
    else if (json_->is_string()) got = '"' + json_->get_ref<const std::string&>() + '"';
    else got = json_->dump();
    fail(where_, ": expected ", expected, ", got ", shortened(got));
  }
  /// The component's type is none of those known.
  [[noreturn]] void unknown(std::string_view known) const {
    fail(where_, ".type: expected one of ", known, "; got ", shortened(type()));
  }

private:
  const nlohmann::json* json_;
  std::string where_;

  static std::string shortened(const std::string& text) {
    constexpr std::size_t most = 80;
    if (text.size() <= most) return text;
    std::size_t end = most - 3;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return text.substr(0, end) + "...";
  }
};

} // namespace llmap
