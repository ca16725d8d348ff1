// The alphabet of byte-level vocabularies: each of the 256 bytes is written as one character. 188 printable bytes
// stand for the code point of the same number, the others, in order, for U+0100, U+0101, ...
// Source: Radford et al. 2019 (GPT-2), bytes_to_unicode.
#pragma once
#include "llmap/core/utf8.hpp"
#include <array>
#include <string>
#include <string_view>

namespace llmap {

/// The splitting expression built into ByteLevel.
inline constexpr std::string_view gpt2_pattern =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/// Byte b as the character that stands for it, in UTF-8.
inline const std::array<std::string, 256>& byte_characters() {
  static const auto table = [] {
    std::array<std::string, 256> t;
    char32_t next = 0x100;
    for (unsigned b = 0; b < 256; ++b) {
      const bool itself = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
      append_utf8(t[b], itself ? static_cast<char32_t>(b) : next++);
    }
    return t;
  }();
  return table;
}

/// Appends one character for each byte.
inline void append_byte_characters(std::string& out, std::string_view bytes) {
  const auto& table = byte_characters();
  for (const char b : bytes) out += table[static_cast<unsigned char>(b)];
}

} // namespace llmap
