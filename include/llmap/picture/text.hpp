// Untrusted text in pictures: escaped markup, and the number of characters.
#pragma once
#include "llmap/core/utf8.hpp"

namespace llmap {

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
