// A JSON component of tokenizer.json with its place in the file, so that every message can name it.
#pragma once
#include "llmap/core/error.hpp"
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace llmap {

class component {
public:
  component(const nlohmann::json& json, std::string where) : json_(&json), where_(std::move(where)) {}

  const nlohmann::json& json() const { return *json_; }
  const std::string& where() const { return where_; }
  bool absent(const char* key) const { return !json_->is_object() || !json_->contains(key) || (*json_)[key].is_null(); }

  component at(const char* key) const {
    if (!json_->is_object() || !json_->contains(key)) fail(where_, ": ", key, ": missing");
    return {(*json_)[key], where_ + "." + key};
  }
  component at(std::size_t i) const { return {(*json_)[i], where_ + "[" + std::to_string(i) + "]"}; }
  std::size_t size() const {
    if (!json_->is_array()) wrong("an array");
    return json_->size();
  }
  std::string text() const {
    if (!json_->is_string()) wrong("a string");
    return json_->get<std::string>();
  }
  std::string type() const {
    if (!json_->is_object()) wrong("an object with a type");
    return at("type").text();
  }
  bool flag(const char* key, bool otherwise) const {
    if (absent(key)) return otherwise;
    const component value = at(key);
    if (!value.json().is_boolean()) value.wrong("true or false");
    return value.json().get<bool>();
  }
  std::int32_t id() const {
    if (!json_->is_number_integer() || json_->get<double>() < 0 || json_->get<double>() > 0x7fffffff) wrong("a token id");
    return json_->get<std::int32_t>();
  }
  [[noreturn]] void wrong(std::string_view expected) const {
    std::string got = json_->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (got.size() > 80) got = got.substr(0, 77) + "...";
    fail(where_, ": expected ", expected, ", got ", got);
  }
  /// The component's type is none of those known.
  [[noreturn]] void unknown(std::string_view known) const { fail(where_, ".type: expected one of ", known, "; got ", type()); }

private:
  const nlohmann::json* json_;
  std::string where_;
};

} // namespace llmap
