// A JSON value and a strict parser: RFC 8259 in UTF-8. Nesting is limited and duplicate keys are refused.
// Accessors return nullptr or nullopt on a type mismatch; they never throw.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/json_writer.hpp"
#include "llmap/core/known_form.hpp"
#include "llmap/core/utf8.hpp"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace llmap {

/// A JSON value of any kind, copied as a value. Numbers are kept as 64-bit integers where they are written so and fit,
/// else as double.
class json {
public:
  struct member;
  using array = std::vector<json>;    ///< elements in their order
  using object = std::vector<member>; // in the order of the text; names are distinct in what parse_json returns

  json(); // null
  /// A truth value or a number; an integer that does not fit 64 bits becomes the nearest double.
  template <class T>
  requires std::is_arithmetic_v<T> json(T v);
  json(std::string v);      ///< a string
  json(std::string_view v); ///< a string, copied
  json(const char* v);      ///< a string, copied
  json(array v);            ///< an array
  json(object v);           ///< an object

  /// Null, or never set.
  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  std::optional<bool> boolean() const { return copy<bool>(); } ///< none: another kind
  /// A number written as an integer that fits 64 bits.
  std::optional<std::int64_t> integer() const { return copy<std::int64_t>(); }
  /// Any number as a double; an integer beyond 2^53 is rounded to the nearest.
  std::optional<double> number() const {
    if (const auto whole = integer()) return static_cast<double>(*whole);
    return copy<double>();
  }
  const std::string* string() const { return std::get_if<std::string>(&value_); } ///< null: another kind
  /// Whether this is a string, and this one.
  bool is(std::string_view text) const { return string() && *string() == text; }
  /// The elements of an array.
  const array* items() const { return std::get_if<array>(&value_); }
  /// The members of an object.
  const object* members() const { return std::get_if<object>(&value_); }
  array* items() { return std::get_if<array>(&value_); }     ///< to change
  object* members() { return std::get_if<object>(&value_); } ///< to change
  /// The value under `name`; nullptr if there is none or this is not an object. Linear in the number of members.
  const json* find(std::string_view name) const;
  /// "null", "boolean", "number", "string", "array" or "object".
  std::string_view kind() const {
    static constexpr std::string_view names[] = {"null", "boolean", "number", "number", "string", "array", "object"};
    return names[value_.index()];
  }

private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, array, object> value_;

  template <class T> std::optional<T> copy() const {
    const T* held = std::get_if<T>(&value_);
    return held ? std::optional<T>(*held) : std::nullopt;
  }
};

/// A name and its value in an object.
struct json::member {
  std::string name; ///< without escapes
  json value;       ///< any kind
};

inline json::json() = default;
template <class T>
requires std::is_arithmetic_v<T> json::json(T v) {
  if constexpr (std::is_same_v<T, bool>) value_ = v;
  else if constexpr (std::is_floating_point_v<T>) value_ = static_cast<double>(v);
  else if (std::in_range<std::int64_t>(v)) value_ = static_cast<std::int64_t>(v);
  else value_ = static_cast<double>(v);
}
inline json::json(std::string v) : value_(std::move(v)) {}
inline json::json(std::string_view v) : value_(std::string(v)) {}
inline json::json(const char* v) : value_(std::string(v)) {}
inline json::json(array v) : value_(std::move(v)) {}
inline json::json(object v) : value_(std::move(v)) {}

inline const json* json::find(std::string_view name) const {
  if (const object* all = members())
    for (const member& m : *all)
      if (m.name == name) return &m.value;
  return nullptr;
}

/// How far a parser goes, and what it takes beyond RFC 8259.
struct json_rules {
  std::size_t deepest = 64; ///< how deep arrays and objects may nest
  bool not_finite = false;  ///< NaN, Infinity and -Infinity, as Python's json writes them, are numbers
};

namespace detail {

inline const std::string& checked_utf8(const std::string& text) {
  if (invalid_utf8(text)) contract_failed("UTF-8", "canonical_text: strings");
  return text;
}

inline void write_canonical(json_writer& out, const json& value) {
  if (const auto* all = value.members()) {
    std::vector<const json::member*> sorted;
    for (const auto& m : *all) sorted.push_back(&m);
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
    out.object([&] {
      for (const auto* m : sorted) out.field(checked_utf8(m->name), [&] { write_canonical(out, m->value); });
    });
  } else if (const auto* items = value.items()) {
    out.array(*items, [&](const json& item) { write_canonical(out, item); });
  } else if (const auto* text = value.string()) {
    out.value(checked_utf8(*text));
  } else if (const auto truth = value.boolean()) {
    out.value(*truth);
  } else if (const auto whole = value.integer()) {
    out.value(*whole);
  } else if (const auto number = value.number()) {
    if (std::isfinite(*number)) out.value(*number);
    else out.value(std::isnan(*number) ? "NaN" : *number > 0 ? "Infinity" : "-Infinity");
  } else {
    out.value(nullptr);
  }
}

/// Builds a json from RapidJSON's events, one call per value.
class json_builder {
public:
  /// `escapes`: the text contains \u escapes. RapidJSON accepts a lone low surrogate, so strings are then checked.
  json_builder(const std::string& where, std::size_t deepest, bool escapes)
      : where_(where), deepest_(deepest), escapes_(escapes) {}
  json take() { return std::move(root_); }

  bool Null() { return add({}); }
  bool Bool(bool v) { return add(v); }
  /// Numbers come as text: RapidJSON's own conversion is not always to the nearest double.
  bool RawNumber(const char* s, rapidjson::SizeType n, bool) {
    std::int64_t whole = 0;
    if (const auto [end, fault] = std::from_chars(s, s + n, whole); fault == std::errc() && end == s + n)
      return add(whole);
    double real = 0;
    if (std::from_chars(s, s + n, real).ec != std::errc())
      fail(where_, ": not valid JSON: expected numbers within a double's range, got ",
           std::string_view(s, std::min<std::size_t>(n, 80)));
    return add(real);
  }
  bool Int(int) { return false; } // this and the next four: not called, because numbers come as text
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
  bool String(const char* s, rapidjson::SizeType n, bool) { return add(string(s, n)); }
  bool Key(const char* s, rapidjson::SizeType n, bool) {
    open_.back()->members()->push_back({string(s, n), {}});
    return true;
  }
  bool StartObject() { return open(json::object()); }
  bool StartArray() { return open(json::array()); }
  bool EndArray(rapidjson::SizeType) {
    open_.pop_back();
    return true;
  }
  bool EndObject(rapidjson::SizeType) {
    expect_distinct(*open_.back()->members());
    open_.pop_back();
    return true;
  }

private:
  const std::string& where_;
  std::size_t deepest_;
  bool escapes_;
  json root_;
  std::vector<json*> open_; // each is the last element of the one before it, which cannot grow meanwhile

  [[gnu::noinline]] json* place(json value) { // when inlined, GCC 12 warns about members that do not exist
    if (open_.empty()) return &(root_ = std::move(value));
    if (json::object* all = open_.back()->members()) return &(all->back().value = std::move(value));
    json::array& items = *open_.back()->items();
    items.push_back(std::move(value));
    return &items.back();
  }
  std::string string(const char* s, std::size_t n) const {
    if (escapes_ && invalid_utf8({s, n}))
      fail(where_, ": not valid JSON: a lone surrogate in \"", valid_utf8({s, std::min<std::size_t>(n, 80)}), '"');
    return {s, n};
  }
  bool add(json value) {
    place(std::move(value));
    return true;
  }
  bool open(json container) {
    if (open_.size() == deepest_) fail(where_, ": expected JSON nested at most ", deepest_, " deep, got more");
    open_.push_back(place(std::move(container)));
    return true;
  }
  void expect_distinct(const json::object& all) const {
    std::unordered_set<std::string_view> names(all.size());
    for (const json::member& m : all)
      if (!names.insert(m.name).second) fail(where_, ": JSON key \"", m.name.substr(0, 80), "\" appears twice");
  }
};

} // namespace detail

/// One line, members sorted by name: equal values give equal texts. NaN and infinities are written as strings. Strings
/// must be UTF-8, as those of parse_json are.
inline std::string canonical_text(const json& value) {
  json_writer out;
  detail::write_canonical(out, value);
  return out.text();
}

/// Parses a whole text; anything invalid is an llmap::error that starts with `where`. A template, so that
/// llmap::kernels can hold it compiled.
template <std::same_as<json> Json = json>
Json parse_json(std::string_view text, const std::string& where, const json_rules& rules = {}) {
  using namespace rapidjson;
  const auto check_form = [&] {
    if (const auto form = known_form(text); !form.empty()) fail(where, ": expected JSON, got ", form);
  };
  if (const auto bad = invalid_utf8(text)) {
    check_form();
    fail(where, ": expected UTF-8, got an invalid sequence at byte ", *bad);
  }
  if (text.starts_with("\xef\xbb\xbf")) fail(where, ": expected JSON, got a byte order mark");
  constexpr unsigned flags = kParseIterativeFlag | kParseNumbersAsStringsFlag;
  detail::json_builder builder(where, rules.deepest, text.find("\\u") != std::string_view::npos);
  Reader reader;
  MemoryStream in(text.data(), text.size());
  const ParseResult result =
      rules.not_finite ? reader.Parse<flags | kParseNanAndInfFlag>(in, builder) : reader.Parse<flags>(in, builder);
  if (!result) check_form();
  if (!result) fail(where, ": not valid JSON: ", GetParseError_En(result.Code()), " (byte ", result.Offset(), ")");
  if (in.Tell() != text.size()) fail(where, ": not valid JSON: a byte 0 after the value (byte ", in.Tell(), ")");
  return builder.take();
}

#if defined(LLMAP_KERNELS) // the program links llmap::kernels
extern template json parse_json(std::string_view, const std::string&, const json_rules&);
#endif

} // namespace llmap
