// Normalizers of tokenizer.json that look at one character at a time: lower case, accents, blanks, and BERT's. Which
// characters they act on is in unicode_data.hpp.
#pragma once
#include "llmap/core/utf8.hpp"
#include "llmap/text/unicode_data.hpp"
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utf8proc.h>

namespace llmap {

namespace detail {

/// The text of body(out, c) over all characters of `text`.
template <class Body> std::string each_character(std::string_view text, const Body& body) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto [c, size] = code_point_at(text, i);
    body(out, c);
    i += size;
  }
  return out;
}

inline void append_lower(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return;
  }
  if (c == 0x130) { // the only character whose lower case is two
    append_utf8(out, U'i');
    return append_utf8(out, 0x307);
  }
  for (const unicode::lower_case& pair : unicode::newer_lower_cases)
    if (pair.upper == c) return append_utf8(out, pair.lower);
  append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

} // namespace detail

/// The normalizer "Lowercase".
struct lower_case {
  std::string operator()(std::string_view text) const { return detail::each_character(text, detail::append_lower); }
};

/// Marks are deleted; nothing is decomposed.
struct strip_accents {
  std::string operator()(std::string_view text) const {
    return detail::each_character(text, [](std::string& out, char32_t c) {
      if (!unicode::holds(unicode::marks, c)) append_utf8(out, c);
    });
  }
};

/// The normalizer "Strip": white space off the ends.
struct strip_blanks {
  bool left = true, right = true; ///< which ends
  std::string operator()(std::string_view text) const {
    while (left && !text.empty() && is_white_space(code_point_at(text, 0).value))
      text.remove_prefix(code_point_at(text, 0).size);
    while (right && !text.empty() && is_white_space(code_point_before(text, text.size()).value))
      text.remove_suffix(code_point_before(text, text.size()).size);
    return std::string(text);
  }
};

/// Control characters are deleted, blanks and characters without width become a space.
struct nmt_blanks {
  std::string operator()(std::string_view text) const {
    return detail::each_character(text, [](std::string& out, char32_t c) {
      const bool deleted =
          (c >= 0x1 && c <= 0x8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f;
      const bool blank = c == 0x9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || (c >= 0x200b && c <= 0x200f) ||
                         c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
      if (!deleted) append_utf8(out, blank ? U' ' : c);
    });
  }
};

} // namespace llmap
