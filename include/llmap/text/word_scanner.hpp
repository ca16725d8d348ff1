// The splitting expressions of well-known byte-level tokenizers as a scanner: it finds the same pieces several times as
// fast as a regex engine. Every character of a text belongs to a piece.
//
//   'll and the like   contractions; in GPT-2's expression in lower case only
//   words              GPT-2:      ?\p{L}+                       one blank may precede
//                      cl100k:    [^\r\n\p{L}\p{N}]?\p{L}+       any one character but a newline or number may precede
//                      o200k:     words as in cl100k, cut where a capital follows a lowercase letter, with marks
//   numbers             ?\p{N}+, or groups of at most 1 or 3
//   the rest            ?[^\s\p{L}\p{N}]+, with the newlines after it in all but GPT-2's
//   space              \s*[\r\n]+ (not in GPT-2's), then \s+(?!\S): all but the last blank before a word, then \s+
#pragma once
#include "llmap/core/utf8.hpp"
#include "llmap/text/byte_level.hpp"
#include "llmap/text/character_class.hpp"
#include "llmap/text/patterns.hpp"
#include <cstddef>
#include <optional>
#include <string_view>

namespace llmap {

/// One of these expressions. of(pattern) makes it.
class word_scanner {
public:
  /// The scanner for `pattern`, spelled as in tokenizer.json, if it is a known one.
  static std::optional<word_scanner> of(std::string_view pattern) {
    using namespace character_class;
    using enum word_kind;
    if (pattern == gpt2_pattern) return word_scanner(gpt2, true, 0, letter, 0);
    if (pattern == qwen2_pattern || pattern == qwen2_possessive_pattern)
      return word_scanner(cl100k, true, 1, letter, newline);
    if (pattern == llama3_pattern || pattern == llama3_possessive_pattern)
      return word_scanner(cl100k, true, 3, letter, newline);
    if (pattern == qwen3_5_pattern) return word_scanner(cl100k, true, 1, letter | mark, newline);
    if (pattern == gpt4o_pattern) return word_scanner(o200k, true, 3, letter, newline | slash);
    if (pattern == tekken_pattern) return word_scanner(o200k, false, 1, letter, newline | slash);
    return std::nullopt;
  }

  /// Calls found(begin, end) for every piece of valid UTF-8 text, in order.
  template <class Found> void each_match(std::string_view text, const Found& found) const {
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t end = piece_end(text, i);
      found(i, end);
      i = end;
    }
  }

private:
  using mask = character_class::mask;
  enum class word_kind { gpt2, cl100k, o200k };
  word_kind words_;
  bool contractions_;
  std::size_t numbers_; // most digits in a group; 0: a run of any length, with a blank in front
  mask word_;           // classes of the characters of a cl100k word
  mask tail_;           // classes of the characters that may follow the rest
  const mask* first_plane_ = character_class::first_plane().data();

  word_scanner(word_kind words, bool contractions, std::size_t numbers, mask word, mask tail)
      : words_(words), contractions_(contractions), numbers_(numbers), word_(word), tail_(tail) {}

  struct character {
    mask kind;
    std::size_t size;
  };
  [[gnu::always_inline]] character at(std::string_view t, std::size_t i) const {
    if (const auto byte = static_cast<unsigned char>(t[i]); byte < 0x80) return {first_plane_[byte], 1};
    const auto [c, size] = code_point_at(t, i);
    return {c < 0x10000 ? first_plane_[c] : character_class::classify(c), size};
  }
  [[gnu::always_inline]] bool is(std::string_view t, std::size_t i, mask kinds) const {
    return i < t.size() && (at(t, i).kind & kinds);
  }
  /// The end of the run of characters of `kinds` at i.
  [[gnu::always_inline]] std::size_t run(std::string_view t, std::size_t i, mask kinds) const {
    while (i < t.size()) {
      const character c = at(t, i);
      if (!(c.kind & kinds)) break;
      i += c.size;
    }
    return i;
  }
  /// The end of the run of characters of other kinds at i.
  std::size_t run_of_others(std::string_view t, std::size_t i, mask kinds) const {
    while (i < t.size()) {
      const character c = at(t, i);
      if (c.kind & kinds) break;
      i += c.size;
    }
    return i;
  }

  /// The end of 's, 't, 'm, 'd, 're, 've or 'll at i, or i. If `any_case`, the long s is an s.
  static std::size_t contraction(std::string_view t, std::size_t i, bool any_case) {
    if (i + 1 >= t.size() || t[i] != '\'') return i;
    const auto letter = [&](std::size_t k) {
      if (k >= t.size()) return '\0';
      return any_case && t[k] >= 'A' && t[k] <= 'Z' ? static_cast<char>(t[k] + 'a' - 'A') : t[k];
    };
    const char a = letter(i + 1), b = letter(i + 2);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return i + 2;
    if ((b == 'e' && (a == 'r' || a == 'v')) || (a == 'l' && b == 'l')) return i + 3;
    return any_case && t.substr(i + 1).starts_with("\xc5\xbf") ? i + 3 : i;
  }

  /// The end of an o200k word that begins at i, or i. A word is capitals, then at least one lowercase letter; letters
  /// without case and marks count as both. If `capitals`, only capitals will do otherwise.
  std::size_t cased_word(std::string_view t, std::size_t i, bool capitals) const {
    using namespace character_class;
    std::size_t end = i, last_both = i; // after the last character that is both
    while (end < t.size()) {
      const character c = at(t, end);
      if (!(c.kind & (upper | uncased | mark))) break;
      end += c.size;
      if (c.kind != upper) last_both = end;
    }
    if (is(t, end, lower)) return run(t, end, lower | uncased | mark);
    return last_both == i && capitals ? end : last_both;
  }

  std::size_t word_end(std::string_view t, std::size_t i, character first) const {
    using namespace character_class;
    const bool may_precede = !(first.kind & (newline | letter | number));
    const std::size_t next = i + first.size;
    if (words_ == word_kind::gpt2) {
      const std::size_t begin = t[i] == ' ' ? next : i;
      return is(t, begin, letter) ? run(t, begin, letter) : i;
    }
    if (words_ == word_kind::cl100k) {
      if (first.kind & word_) return run(t, next, word_);
      return may_precede && is(t, next, word_) ? run(t, next, word_) : i;
    }
    for (const bool capitals : {false, true}) {
      if (may_precede)
        if (const std::size_t end = cased_word(t, next, capitals); end != next) return end;
      if (const std::size_t end = cased_word(t, i, capitals); end != i) return end;
    }
    return i;
  }

  std::size_t space_end(std::string_view t, std::size_t i) const {
    using namespace character_class;
    std::size_t end = i, last = i, newline_end = i; // last: start of the run's last character
    while (end < t.size()) {
      const character c = at(t, end);
      if (!(c.kind & space)) break;
      last = end;
      end += c.size;
      if (c.kind == newline) newline_end = end;
    }
    if (words_ != word_kind::gpt2 && newline_end != i) return newline_end;
    return end < t.size() && last != i ? last : end;
  }

  std::size_t piece_end(std::string_view t, std::size_t i) const {
    using namespace character_class;
    const bool gpt2 = words_ == word_kind::gpt2, o200k = words_ == word_kind::o200k;
    if (contractions_ && !o200k)
      if (const std::size_t end = contraction(t, i, !gpt2); end != i) return end;
    const character first = at(t, i);
    if (const std::size_t end = word_end(t, i, first); end != i)
      return o200k && contractions_ ? contraction(t, end, true) : end;
    const std::size_t begin = t[i] == ' ' ? i + 1 : i;
    if (numbers_ == 0) {
      if (is(t, begin, number)) return run(t, begin, number);
    } else if (first.kind == number) {
      std::size_t end = i + first.size;
      for (std::size_t count = 1; count < numbers_ && is(t, end, number); ++count) end += at(t, end).size;
      return end;
    }
    const mask named = static_cast<mask>(word_ | letter | number | space);
    if (begin < t.size() && !is(t, begin, named)) return run(t, run_of_others(t, begin, named), tail_);
    return space_end(t, i);
  }
};

} // namespace llmap
