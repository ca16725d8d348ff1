// UTF-8: validation and iteration over code points. Valid means what the Unicode standard says: shortest form, no
// surrogates, at most U+10FFFF.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace llmap {

/// Length in bytes of the valid sequence at the start of `s`, or 0.
inline std::size_t utf8_sequence(std::string_view s) {
  const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0u) == 0x80u && i < s.size(); };
  const unsigned a = byte(0), b = byte(1);
  if (s.empty()) return 0;
  if (a < 0x80) return 1;
  if (a >= 0xc2 && a <= 0xdf) return tail(1) ? 2 : 0;
  if (a >= 0xe0 && a <= 0xef) {
    if (!tail(1) || !tail(2) || (a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f)) return 0;
    return 3;
  }
  if (a >= 0xf0 && a <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3) || (a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f)) return 0;
    return 4;
  }
  return 0;
}

/// The position of the first non-ASCII byte at or after i, or the size.
inline std::size_t ascii_end(std::string_view s, std::size_t i) {
  for (std::uint64_t word; i + 8 <= s.size(); i += 8) {
    std::memcpy(&word, s.data() + i, 8);
    if (word & 0x8080808080808080u) break;
  }
  while (i < s.size() && static_cast<unsigned char>(s[i]) < 0x80) ++i;
  return i;
}

/// Offset of the first byte that is not valid UTF-8, or nullopt.
inline std::optional<std::size_t> invalid_utf8(std::string_view s) {
  for (std::size_t i = ascii_end(s, 0); i < s.size(); i = ascii_end(s, i)) {
    const std::size_t n = utf8_sequence(s.substr(i));
    if (n == 0) return i;
    i += n;
  }
  return std::nullopt;
}

/// A code point and how many bytes of UTF-8 it takes.
struct code_point {
  char32_t value;   ///< the number in Unicode
  std::size_t size; ///< bytes
};

/// The code point at byte i of valid UTF-8.
inline code_point code_point_at(std::string_view s, std::size_t i) {
  const auto byte = [&](std::size_t k) { return static_cast<char32_t>(static_cast<unsigned char>(s[i + k])); };
  const char32_t a = byte(0);
  if (a < 0x80) return {a, 1};
  if (a < 0xe0) return {((a & 0x1f) << 6) | (byte(1) & 0x3f), 2};
  if (a < 0xf0) return {((a & 0x0f) << 12) | ((byte(1) & 0x3f) << 6) | (byte(2) & 0x3f), 3};
  return {((a & 0x07) << 18) | ((byte(1) & 0x3f) << 12) | ((byte(2) & 0x3f) << 6) | (byte(3) & 0x3f), 4};
}

/// The code point that ends before byte i > 0 of valid UTF-8.
inline code_point code_point_before(std::string_view s, std::size_t i) {
  std::size_t start = i - 1;
  while (start > 0 && (static_cast<unsigned char>(s[start]) & 0xc0) == 0x80) --start;
  return code_point_at(s, start);
}

/// Appends the UTF-8 of c, a code point that is not checked.
inline void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) put(c);
  else if (c < 0x800) put(0xc0 | (c >> 6)), put(0x80 | (c & 0x3f));
  else if (c < 0x10000) put(0xe0 | (c >> 12)), put(0x80 | ((c >> 6) & 0x3f)), put(0x80 | (c & 0x3f));
  else put(0xf0 | (c >> 18)), put(0x80 | ((c >> 12) & 0x3f)), put(0x80 | ((c >> 6) & 0x3f)), put(0x80 | (c & 0x3f));
}

/// The text with each byte of invalid UTF-8 replaced by U+FFFD.
inline std::string valid_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t valid = utf8_sequence(text);
    if (valid) out += text.substr(0, valid);
    else append_utf8(out, 0xfffd);
    text.remove_prefix(valid ? valid : 1);
  }
  return out;
}

/// The 25 code points with the property White_Space.
constexpr bool is_white_space(char32_t c) {
  return (c >= 0x9 && c <= 0xd) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
         c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

} // namespace llmap
