// Foreign text in pictures: valid UTF-8, escaped markup, an estimate of printed width.
#pragma once
#include "llmap/core/utf8.hpp"

namespace llmap {

/// The text with each byte that does not belong to valid UTF-8 replaced by U+FFFD.
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

/// Valid UTF-8 with markup escaped, for element content and quoted attributes of HTML and XML; control
/// characters, which XML cannot carry, become '?'.
inline std::string escape_markup(const std::string& text) {
  std::string out;
  for (const char c : valid_utf8(text)) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else if (c == '\'') out += "&#39;";
    else out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  return out;
}

/// Characters (code points) of valid UTF-8.
inline std::size_t count_characters(const std::string& text) {
  std::size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

} // namespace llmap
