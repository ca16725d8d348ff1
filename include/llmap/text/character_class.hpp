// The character classes of splitting expressions: \s, \p{N}, \p{M}, and \p{L} by case. Categories are from utf8proc.
#pragma once
#include "llmap/core/utf8.hpp"
#include <array>
#include <cstdint>
#include <utf8proc.h>

namespace llmap::character_class {

using mask = std::uint8_t;
inline constexpr mask upper = 1, lower = 2, uncased = 4, mark = 8, number = 16, newline = 32, blank = 64,
                      slash = 128;                                               // 0: any other
inline constexpr mask letter = upper | lower | uncased, space = newline | blank; // newline: CR and LF only

/// The class of a code point, computed.
inline mask classify(char32_t c) {
  if (c == '\r' || c == '\n') return newline;
  if (c == '/') return slash;
  if (is_white_space(c)) return blank;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LT:
    return upper;
  case UTF8PROC_CATEGORY_LL:
    return lower;
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
    return uncased;
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_MC:
  case UTF8PROC_CATEGORY_ME:
    return mark;
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_NO:
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
