// A JSON component of tokenizer.json with its place in the file, so that every message can name it. The files are
// untrusted: every access checks the type, and every failure is an llmap::error.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/json_field.hpp"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace llmap {

/// Ids are below this: no vocabulary comes near, and sums of ids and counts stay far from overflow.
inline constexpr std::int32_t token_id_limit = 1 << 28;

/// A JSON value that must outlive this, and its place, from the file to the key: "FILE.model.vocab[3]".
class component {
public:
  /// A value and its place.
  component(const json& value, std::string where) : json_(&value), where_(std::move(where)) {}

  const json& value() const { return *json_; } ///< of any kind
  /// The place, which starts every message.
  const std::string& where() const { return where_; }
  /// Missing or null.
  bool absent(std::string_view key) const {
    const auto* value = json_->find(key);
    return !value || value->is_null();
  }

  /// The member; a missing one is refused.
  component at(const std::string& key) const {
    if (!json_->members()) refuse("an object");
    const auto* value = json_->find(key);
    if (!value) fail(where_, ": ", key, ": missing");
    return {*value, where_ + "." + key};
  }
  /// The element; a missing one is refused.
  component at(std::size_t i) const {
    if (i >= size()) refuse("an array of at least " + std::to_string(i + 1));
    return {items()[i], where_ + "[" + std::to_string(i) + "]"};
  }
  std::size_t size() const { return items().size(); }
  /// The elements; another kind is refused.
  const json::array& items() const {
    if (!json_->items()) refuse("an array");
    return *json_->items();
  }
  /// (name, value) of an object; `expected` says what it should be.
  const json::object& members(std::string_view expected = "an object") const {
    if (!json_->members()) refuse(expected);
    return *json_->members();
  }
  /// The string; another kind is refused.
  const std::string& text() const {
    if (!json_->string()) refuse("a string");
    return *json_->string();
  }
  /// The member "type", by which components tell what they are.
  const std::string& type() const {
    const auto* name = json_->find("type");
    if (!name) refuse("an object with a type");
    return component(*name, where_ + ".type").text();
  }
  /// The member as a truth value; `otherwise` where it is absent.
  bool boolean(const std::string& key, bool otherwise) const {
    if (absent(key)) return otherwise;
    const component value = at(key);
    const auto truth = value.value().boolean();
    if (!truth) value.refuse("true or false");
    return *truth;
  }
  /// A value as a token id, or nullopt where it is none.
  static std::optional<std::int32_t> id_of(const json& value) {
    const auto number = value.integer();
    return number && *number >= 0 && *number < token_id_limit ? std::optional(static_cast<std::int32_t>(*number))
                                                              : std::nullopt;
  }
  /// The token id; another kind is refused.
  std::int32_t id() const {
    const auto id = id_of(*json_);
    if (!id) refuse("a token id (0 to " + std::to_string(token_id_limit - 1) + ")");
    return *id;
  }
  /// Fails because the value is not what was expected; names its place, what was expected and what was found.
  [[noreturn]] void refuse(std::string_view expected) const { fail_field(where_, expected, *json_); }
  /// Fails because the component's type is not a known one.
  [[noreturn]] void unknown(std::string_view known) const {
    fail(where_, ".type: expected one of ", known, "; got ", shortened(type()));
  }

private:
  const json* json_;
  std::string where_;
};

} // namespace llmap
