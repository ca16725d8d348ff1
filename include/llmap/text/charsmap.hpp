// The normalization table of SentencePiece as tokenizer.json holds it (Precompiled): a double-array trie (Darts-clone)
// whose values are places of replacement strings. Applied as Hugging Face tokenizers do, cluster by cluster: a grapheme
// cluster of less than 6 bytes that begins with a key becomes the replacement of the shortest one, whole; others are
// looked up character by character. Source: spm_precompiled 0.1.4.
#pragma once
#include "llmap/core/utf8.hpp"
#include "llmap/text/component.hpp"
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utf8proc.h>
#include <vector>

namespace llmap {

namespace detail {

/// The bytes that base64 text stands for.
inline std::string from_base64(std::string_view text, const std::string& where) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int held = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (const char c : text) {
    const std::size_t value = alphabet.find(c);
    if (value == std::string_view::npos) fail(where, ": expected base64");
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if ((held += 6) >= 8) bytes += static_cast<char>(bits >> (held -= 8) & 255);
  }
  return bytes;
}

} // namespace detail

/// The normalizer "Precompiled". A table that is cut short, or whose replacements are not UTF-8, is an llmap::error
/// when it is read.
class charsmap {
  std::vector<std::uint32_t> units_;
  std::string pool_; // replacements, each ended by a byte 0

  /// The replacement of the shortest key that `text` begins with.
  std::optional<std::string_view> shortest(std::string_view text) const {
    const auto offset = [](std::uint32_t unit) { return unit >> 10 << ((unit & 0x200) >> 6); };
    std::size_t at = offset(units_[0]);
    for (const char c : text) {
      const std::uint32_t byte = static_cast<unsigned char>(c);
      at ^= byte;
      if (byte == 0 || at >= units_.size() || (units_[at] & 0x800000ff) != byte) return std::nullopt;
      const std::uint32_t unit = units_[at];
      at ^= offset(unit);
      if (at >= units_.size()) return std::nullopt;
      if (unit & 0x100) {
        const std::size_t place = units_[at] & 0x7fffffff;
        if (place >= pool_.size()) return std::nullopt;
        return std::string_view(pool_.c_str() + place);
      }
    }
    return std::nullopt;
  }

public:
  /// `bytes`: the size of the trie in bytes (little-endian), the trie, the replacements.
  charsmap(std::string_view bytes, const std::string& where) {
    std::uint32_t size = 0;
    if (bytes.size() >= 4) std::memcpy(&size, bytes.data(), 4);
    if (size == 0 || size % 4 != 0 || size > bytes.size() - 4)
      fail(where, ": expected a table of normalization, got ", bytes.size(), " bytes");
    units_.resize(size / 4);
    std::memcpy(units_.data(), bytes.data() + 4, size);
    pool_ = bytes.substr(4 + size);
    if (const auto bad = invalid_utf8(pool_)) fail(where, ": expected replacements in UTF-8, got byte ", *bad);
  }

  std::string operator()(std::string_view text) const {
    std::string out;
    for (std::size_t begin = 0; begin < text.size();) {
      // A grapheme cluster: to the first break.
      std::size_t end = begin;
      utf8proc_int32_t state = 0;
      for (char32_t before = 0; end < text.size();) {
        const auto [c, size] = code_point_at(text, end);
        if (end > begin && utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(before),
                                                            static_cast<utf8proc_int32_t>(c), &state))
          break;
        before = c;
        end += size;
      }
      const std::string_view cluster = text.substr(begin, end - begin);
      const auto whole = cluster.size() < 6 ? shortest(cluster) : std::nullopt;
      if (whole) out += *whole;
      else
        for (std::size_t i = 0; i < cluster.size();) {
          const std::string_view character = cluster.substr(i, code_point_at(cluster, i).size);
          out += shortest(character).value_or(character);
          i += character.size();
        }
      begin = end;
    }
    return out;
  }
};

} // namespace llmap
