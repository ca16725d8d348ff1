// The character classes of splitting expressions: \s, \p{N}, \p{M}, and \p{L} by case. Categories are those of Unicode
// 16 (unicode_data.hpp), whatever the libraries of the machine know.
#pragma once
#include "llmap/core/utf8.hpp"
#include "llmap/text/unicode_data.hpp"
#include <array>
#include <cstdint>

namespace llmap::character_class {

using mask = std::uint8_t;
/// A bit for each class.
inline constexpr mask upper = 1, lower = 2, uncased = 4, mark = 8, number = 16, newline = 32, blank = 64,
                      slash = 128; // 0: any other
/// Classes joined: what \p{L} and \s take.
inline constexpr mask letter = upper | lower | uncased, space = newline | blank; // newline: CR and LF only

/// The class of a code point, computed.
inline mask classify(char32_t c) {
  if (c == '\r' || c == '\n') return newline;
  if (c == '/') return slash;
  if (is_white_space(c)) return blank;
  using unicode::category;
  switch (unicode::category_of(c)) {
  case category::lu:
  case category::lt:
    return upper;
  case category::ll:
    return lower;
  case category::lm:
  case category::lo:
    return uncased;
  case category::mn:
  case category::mc:
  case category::me:
    return mark;
  case category::nd:
  case category::nl:
  case category::no:
    return number;
  default:
    return 0;
  }
}

/// The classes of the first plane, tabulated at first use. Characters of other planes are rare enough to be computed.
inline const std::array<mask, 0x10000>& first_plane() {
  static const auto table = [] {
    std::array<mask, 0x10000> t{};
    for (char32_t i = 0; i < t.size(); ++i) t[i] = classify(i);
    return t;
  }();
  return table;
}

} // namespace llmap::character_class
