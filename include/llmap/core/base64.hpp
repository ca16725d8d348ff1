// Base64 (RFC 4648, the standard alphabet, padded).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace llmap {

namespace detail {
inline constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

/// The text in Base64 of any bytes.
inline std::string to_base64(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? detail::base64_alphabet[bits >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

/// None if the text is not what to_base64 gives for some bytes.
inline std::optional<std::string> from_base64(std::string_view text) {
  static const auto value_of = [] {
    std::array<std::int8_t, 256> values;
    values.fill(-1);
    for (std::size_t i = 0; i < 64; ++i)
      values[static_cast<unsigned char>(detail::base64_alphabet[i])] = static_cast<std::int8_t>(i);
    return values;
  }();
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i + padding < text.size(); ++i) {
    const std::int8_t value = value_of[static_cast<unsigned char>(text[i])];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if (i % 4 != 0) bytes += static_cast<char>(bits >> (6 - i % 4 * 2) & 255);
  }
  // Bits of the last character that belong to no byte are zero.
  if (padding > 0 && (bits & ((1u << 2 * padding) - 1)) != 0) return std::nullopt;
  return bytes;
}

} // namespace llmap
