// config.json: typed fields with defaults and limits. Every message names file, field, what was expected and what
// was found. A field may be written under several names (transformers' attribute_map): pass them joined by '|'.
#pragma once
#include "llmap/core/json_field.hpp"
#include "llmap/core/json_file.hpp"
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace llmap {

/// The fields of one JSON object. A getter gives `otherwise` where the field is missing; any value that is not as its
/// name says, null among them, is an llmap::error.
class config {
public:
  /// `where` starts every message.
  config(json fields, std::string where) : fields_(std::move(fields)), where_(std::move(where)) {
    if (!fields_.members()) fail(where_, ": expected a JSON object");
  }
  /// config.json of a model folder.
  static config load(const std::filesystem::path& folder) {
    const auto path = folder / "config.json";
    return {read_json_file(path), path.string()};
  }

  const std::string& where() const { return where_; } ///< path, which starts messages

  /// The value of a field, or nullptr if it is missing. `null` is a value.
  const json* find(std::string_view names) const { return fields_.find(name_in_file(names)); }
  /// Whether the field is there, be it null.
  bool has(std::string_view names) const { return find(names) != nullptr; }
  /// Whether the field is there and null.
  bool is_null(std::string_view names) const {
    const auto* value = find(names);
    return value && value->is_null();
  }
  /// Missing or null.
  bool absent(std::string_view names) const {
    const auto* value = find(names);
    return !value || value->is_null();
  }

  /// A whole number from `least` to `most`; 3.0 is one.
  std::int64_t integer(std::string_view names, std::int64_t otherwise, std::int64_t least = 1,
                       std::int64_t most = 1 << 24) const {
    const auto* value = find(names);
    if (!value) return otherwise;
    const auto real = value->number();
    if (!real || std::nearbyint(*real) != *real) refuse(names, *value, "an integer");
    if (!(*real >= static_cast<double>(least) && *real <= static_cast<double>(most)))
      refuse(names, *value, "an integer from " + std::to_string(least) + " to " + std::to_string(most));
    return value->integer().value_or(static_cast<std::int64_t>(*real));
  }
  /// A finite number.
  double real(std::string_view names, double otherwise) const {
    const auto* value = find(names);
    if (!value) return otherwise;
    const auto number = value->number();
    if (!number || !std::isfinite(*number)) refuse(names, *value, "a finite number");
    return *number;
  }
  /// A finite number above 0; `otherwise` must be one as well.
  double positive(std::string_view names, double otherwise) const {
    const double number = real(names, otherwise);
    if (!(number > 0)) refuse(names, *find(names), "a positive number");
    return number;
  }
  /// true or false, as JSON writes them.
  bool boolean(std::string_view names, bool otherwise) const {
    const auto* value = find(names);
    if (!value) return otherwise;
    const auto truth = value->boolean();
    if (!truth) refuse(names, *value, "true or false");
    return *truth;
  }
  /// A string.
  std::string text(std::string_view names, const std::string& otherwise) const {
    const auto* value = find(names);
    if (!value) return otherwise;
    if (!value->string()) refuse(names, *value, "a string");
    return *value->string();
  }
  /// A nested object as its own config; nullopt if missing or null.
  std::optional<config> object(std::string_view names) const {
    const auto* value = find(names);
    if (!value || value->is_null()) return std::nullopt;
    if (!value->members()) refuse(names, *value, "an object");
    return config(*value, where_ + ": " + name_in_file(names));
  }

  /// Fails: the field was expected to be something else than `value`.
  [[noreturn]] void refuse(std::string_view names, const json& value, const std::string& expected) const {
    fail_field(where_ + ": " + name_in_file(names), expected, value);
  }

private:
  json fields_;
  std::string where_;

  /// The first of the names that the file has, else the first of all.
  std::string name_in_file(std::string_view names) const {
    for (std::string_view rest = names;; rest.remove_prefix(rest.find('|') + 1)) {
      const std::string_view name = rest.substr(0, rest.find('|'));
      if (fields_.find(name)) return std::string(name);
      if (name.size() == rest.size()) return std::string(names.substr(0, names.find('|')));
    }
  }
};

} // namespace llmap
