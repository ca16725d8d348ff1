// JSON text, written as it is produced: no document is built. Numbers read back to the same bits, NaN and infinities
// become null, and each byte of invalid UTF-8 becomes U+FFFD.
#pragma once
#include "llmap/core/utf8.hpp"
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace llmap {

/// Builds one line or an indented text by calls in the order of the document. The caller keeps to JSON's grammar.
class json_writer {
public:
  /// Where line breaks go.
  enum class layout { one_line, indented };
  /// Indented: each field, and each array or object in an array, starts a new line.
  explicit json_writer(layout how = layout::one_line) : indented_(how == layout::indented) {}

  /// A bool, a number, a string, nullptr, a callable that writes one value, or a range of these.
  template <class T> void value(const T& v) {
    if constexpr (std::invocable<const T&>) {
      v();
    } else if constexpr (std::same_as<T, bool>) {
      scalar(v ? "true" : "false");
    } else if constexpr (std::same_as<T, std::nullptr_t>) {
      scalar("null");
    } else if constexpr (std::is_arithmetic_v<T>) {
      number(v);
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      string(v);
    } else {
      array(v, [this](const auto& element) { this->value(element); });
    }
  }
  /// `elements()` writes any number of values.
  template <class Elements> void array(const Elements& elements) {
    open('[');
    elements();
    close(']');
  }
  /// `each(element)` writes one value.
  template <class Range, class Each> void array(const Range& range, const Each& each) {
    array([&] {
      for (const auto& element : range) each(element);
    });
  }
  /// `fields()` calls `field` for each member.
  template <class Fields> void object(const Fields& fields) {
    open('{');
    fields();
    close('}');
  }
  /// Writes a member of an object; v is as in `value`. Names are not checked for duplicates.
  template <class T> void field(std::string_view name, const T& v) {
    separate(true);
    quote(name);
    text_ += indented_ ? ": " : ":";
    named_ = true;
    value(v);
  }

  /// What was written so far.
  const std::string& text() const { return text_; }

private:
  struct container {
    bool filled = false, broken = false;
  };
  std::string text_;
  std::vector<container> open_;
  bool indented_, named_ = false; // the next value follows its name

  void separate(bool breaks) {
    if (named_ || open_.empty()) {
      named_ = false;
      return;
    }
    container& inside = open_.back();
    if (inside.filled) text_ += ',';
    if (indented_ && breaks) (text_ += '\n').append(open_.size(), ' ');
    else if (indented_ && inside.filled) text_ += ' ';
    inside.broken = inside.broken || breaks;
    inside.filled = true;
  }
  void open(char bracket) {
    separate(true);
    text_ += bracket;
    open_.emplace_back();
  }
  void close(char bracket) {
    const bool broken = open_.back().broken;
    open_.pop_back();
    if (indented_ && broken) (text_ += '\n').append(open_.size(), ' ');
    text_ += bracket;
  }
  void scalar(std::string_view characters) {
    separate(false);
    text_ += characters;
  }
  template <class T> void number(T v) {
    if constexpr (std::is_floating_point_v<T>)
      if (!std::isfinite(v)) return scalar("null");
    char digits[32];
    const std::string_view written(
        digits, static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, v).ptr - digits));
    scalar(written);
    // Without ".0" a reader would take it for an integer, which has no -0.
    if (std::is_floating_point_v<T> && written.find_first_of(".e") == std::string_view::npos) text_ += ".0";
  }
  void string(std::string_view s) {
    separate(false);
    quote(s);
  }
  void quote(std::string_view s) {
    static constexpr char hex[] = "0123456789abcdef";
    text_ += '"';
    const std::string replaced = invalid_utf8(s) ? valid_utf8(s) : std::string();
    for (const char c : replaced.empty() ? s : std::string_view(replaced)) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') (text_ += '\\') += c;
      else if (c == '\n') text_ += "\\n";
      else if (byte < 0x20 || byte == 0x7f) ((text_ += "\\u00") += hex[byte >> 4]) += hex[byte & 15];
      else text_ += c;
    }
    text_ += '"';
  }
};

} // namespace llmap
