// The character classes of splitting expressions: \s, \p{N}, \p{M}, and \p{L} by case. Categories are those of Unicode
// 16 (unicode_data.hpp), whatever the libraries of the machine know.
#pragma once
#include "llmap/core/utf8.hpp"
#include "llmap/text/unicode_data.hpp"
#include <array>
#include <cstdint>

namespace llmap::character_class {

/// Classes, a bit each.
using mask = std::uint8_t;
// A bit for each class; a code point of none has 0.
inline constexpr mask upper = 1;                        ///< Lu, Lt
inline constexpr mask lower = 2;                        ///< Ll
inline constexpr mask uncased = 4;                      ///< Lm, Lo
inline constexpr mask mark = 8;                         ///< M
inline constexpr mask number = 16;                      ///< N
inline constexpr mask newline = 32;                     ///< CR and LF
inline constexpr mask blank = 64;                       ///< other white space
inline constexpr mask slash = 128;                      ///< /
inline constexpr mask letter = upper | lower | uncased; ///< what \p{L} takes
inline constexpr mask space = newline | blank;          ///< what \s takes

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
