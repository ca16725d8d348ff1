// The vocabulary file of RWKV "world" models: a line for each token, `id literal bytes`, the literal as Python writes a
// string or bytes. The longest token from the left, over bytes; id 0 ends a text. Source: the publisher's
// rwkv_tokenizer.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/utf8.hpp"
#include "llmap/text/byte_trie.hpp"
#include "llmap/text/component.hpp"
#include "llmap/text/token_model.hpp"
#include "llmap/text/token_table.hpp"
#include <algorithm>
#include <charconv>
#include <string>

namespace llmap {

/// The model of such a file. Pieces are any bytes.
class rwkv_vocabulary final : public token_model {
  token_table ids_;
  byte_trie trie_;
  std::int32_t largest_id_ = 0;

  /// The bytes of '...', "...", b'...' or b"...".
  static std::string bytes_of(std::string_view literal, const std::string& where) {
    const bool raw = literal.starts_with('b');
    if (raw) literal.remove_prefix(1);
    const bool quoted =
        literal.size() >= 2 && (literal[0] == '\'' || literal[0] == '"') && literal.back() == literal[0];
    if (!quoted) fail(where, ": expected a quoted string, got ", literal.substr(0, 40));
    literal = literal.substr(1, literal.size() - 2);
    std::string bytes;
    for (std::size_t i = 0; i < literal.size(); ++i) {
      if (literal[i] != '\\') {
        bytes += literal[i];
        continue;
      }
      const char kind = ++i < literal.size() ? literal[i] : '\0';
      const auto hex = [&](std::size_t digits) {
        unsigned value = 0;
        const std::string_view text = literal.substr(std::min(i + 1, literal.size()), digits);
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
        if (text.size() != digits || problem != std::errc{} || end != text.data() + digits)
          fail(where, ": expected ", digits, " hexadecimal digits behind \\", std::string(1, kind));
        i += digits;
        return value;
      };
      if (kind == 'x' && raw) bytes += static_cast<char>(hex(2));
      else if (kind == 'x') append_utf8(bytes, hex(2));
      else if (kind == 'u' && !raw) append_utf8(bytes, hex(4));
      else if (kind == 'U' && !raw) append_utf8(bytes, hex(8));
      else if (kind == 'n') bytes += '\n';
      else if (kind == 'r') bytes += '\r';
      else if (kind == 't') bytes += '\t';
      else if (kind == '\\' || kind == '\'' || kind == '"') bytes += kind;
      else fail(where, ": expected an escape of Python, got \\", std::string(1, kind));
    }
    return bytes;
  }

public:
  /// `file` is the content; a line that does not fit the form is an llmap::error with its number.
  rwkv_vocabulary(std::string_view file, const std::string& where)
      : ids_(static_cast<std::size_t>(std::count(file.begin(), file.end(), '\n')) + 1), trie_(file.size()) {
    std::size_t number = 0;
    while (!file.empty()) {
      std::string_view line = file.substr(0, file.find('\n'));
      file.remove_prefix(std::min(file.size(), line.size() + 1));
      if (line.ends_with('\r')) line.remove_suffix(1);
      ++number;
      if (line.empty()) continue;
      const std::string place = where + ": line " + std::to_string(number);
      const std::size_t first = line.find(' '), last = line.rfind(' ');
      std::int32_t id = -1;
      std::size_t size = 0;
      if (first != last) {
        std::from_chars(line.data(), line.data() + first, id);
        std::from_chars(line.data() + last + 1, line.data() + line.size(), size);
      }
      if (id < 1 || id >= token_id_limit || size == 0) fail(place, ": expected `id literal bytes`");
      const std::string bytes = bytes_of(line.substr(first + 1, last - first - 1), place);
      if (bytes.size() != size) fail(place, ": expected ", size, " bytes, got ", bytes.size());
      ids_.set(bytes, id);
      trie_.add(bytes, id);
      largest_id_ = std::max(largest_id_, id);
    }
    for (unsigned b = 0; b < 256; ++b)
      if (!ids_.find(std::string(1, static_cast<char>(b)))) fail(where, ": expected a token for byte ", b);
  }

  std::optional<std::int32_t> id_of(std::string_view token) const override { return ids_.find(token); }
  std::size_t size() const override { return ids_.size() + 1; }
  std::int32_t largest_id() const override { return largest_id_; }
  void encode(std::string_view piece, std::vector<std::int32_t>& out) const override {
    for (std::size_t at = 0; at < piece.size();) {
      std::size_t longest = 0;
      std::int32_t id = 0;
      trie_.each_prefix(piece, at, [&](std::size_t length, std::int32_t token) { longest = length, id = token; });
      out.push_back(id);
      at += longest;
    }
  }
};

} // namespace llmap
