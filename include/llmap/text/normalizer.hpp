// Normalizers of tokenizer.json: a string in, a string out, applied to each piece of text between added tokens.
#pragma once
#include "llmap/core/utf8.hpp"
#include "llmap/text/byte_level.hpp"
#include "llmap/text/character_normalizers.hpp"
#include "llmap/text/charsmap.hpp"
#include "llmap/text/component.hpp"
#include "llmap/text/regex.hpp"
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utf8proc.h>
#include <variant>
#include <vector>

namespace llmap {

namespace detail {

/// Marks that are newer than Unicode 9, whose tables Hugging Face tokenizers use: there they have combining class 0, so
/// they are neither reordered nor composed, and normalization does not reach across them.
inline bool is_newer_mark(char32_t c) {
  struct range {
    char32_t first, last;
  };
  static constexpr range table[] = {
      {0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},     {0xc3c, 0xc3c},
      {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0x1715, 0x1715},   {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},
      {0xa82c, 0xa82c},   {0x10d24, 0x10d27}, {0x10eab, 0x10eac}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50},
      {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x1145e, 0x1145e}, {0x11839, 0x1183a},
      {0x11930, 0x11930}, {0x11935, 0x11935}, {0x1193d, 0x1193e}, {0x11943, 0x11943}, {0x119e0, 0x119e0},
      {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d45}, {0x11d97, 0x11d97},
      {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae},
      {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}};
  if (c < 0x7fd) return false;
  const auto* it =
      std::lower_bound(std::begin(table), std::end(table), c, [](const range& r, char32_t x) { return r.last < x; });
  return it != std::end(table) && it->first <= c;
}

inline void append_normal_form(std::string& out, std::string_view text, utf8proc_option_t options) {
  if (text.empty()) return;
  utf8proc_uint8_t* result = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &result, options);
  if (size < 0) fail("Unicode normalization failed: ", utf8proc_errmsg(size));
  out.append(reinterpret_cast<const char*>(result), static_cast<std::size_t>(size));
  std::free(result);
}

/// Replacements may blow a text up without bound; here they stop at 1 GiB.
inline void check_growth(const std::string& out) {
  if (out.size() > std::size_t{1} << 30) fail("tokenizer: the normalized text grows beyond 1 GiB");
}

} // namespace detail

/// The normalizers "NFC", "NFD", "NFKC" and "NFKD".
struct normal_form {
  utf8proc_option_t options; ///< utf8proc's, of the form

  std::string operator()(std::string_view text) const {
    // Text is cut before stable characters; only where unstable ones follow is there something to normalize.
    std::string out;
    out.reserve(text.size());
    std::size_t done = 0, last = 0; // end of the text already in `out`; start of the last stable character
    for (std::size_t i = 0; i < text.size();) {
      if (const std::size_t end = ascii_end(text, i); end != i) {
        last = end - 1;
        i = end;
        continue;
      }
      const auto [c, size] = code_point_at(text, i);
      if (is_stable(c)) {
        last = i;
        i += size;
        continue;
      }
      do i += code_point_at(text, i).size;
      while (i < text.size() && !is_stable(code_point_at(text, i).value));
      out += text.substr(done, last - done);
      normalize(out, text.substr(last, i - last));
      done = last = i;
    }
    out += text.substr(done);
    return out;
  }

private:
  /// ASCII, and for NFC also blocks in which every character is its own normal form, has combining class 0 and is not
  /// composed with the one before.
  bool is_stable(char32_t c) const {
    if (c < 0x80) return true;
    if ((options & (UTF8PROC_COMPOSE | UTF8PROC_COMPAT)) != UTF8PROC_COMPOSE) return false;
    return c < 0x300 || (c >= 0x400 && c < 0x483) || (c >= 0x2010 && c < 0x2028) || (c >= 0x3001 && c < 0x302a) ||
           (c >= 0x3041 && c < 0x3097) || (c >= 0x30a0 && c < 0x30ff) || (c >= 0x4e00 && c < 0xa000) ||
           (c >= 0xac00 && c < 0xd7a4) || (c >= 0xff01 && c < 0xff61) || (c >= 0x1f300 && c < 0x1f700);
  }

  void normalize(std::string& out, std::string_view text) const {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size();) {
      const auto [c, size] = code_point_at(text, i);
      if (detail::is_newer_mark(c) || unicode::holds(unicode::kept, c)) {
        detail::append_normal_form(out, text.substr(begin, i - begin), options);
        out += text.substr(i, size);
        begin = i + size;
      }
      i += size;
    }
    detail::append_normal_form(out, text.substr(begin), options);
  }
};

/// The normalizer "Prepend"; an empty text stays empty.
struct prepend_text {
  std::string prefix; ///< put in front
  std::string operator()(std::string_view text) const {
    return text.empty() ? std::string() : prefix + std::string(text);
  }
};

/// An empty `from` is found before and behind every character.
struct replace_text {
  std::string from, to; ///< each `from` becomes `to`
  std::string operator()(std::string_view text) const {
    std::string out;
    if (from.empty()) {
      out = to;
      for (std::size_t i = 0; i < text.size(); i += code_point_at(text, i).size) {
        out.append(text.substr(i, code_point_at(text, i).size)).append(to);
        detail::check_growth(out);
      }
      return out;
    }
    for (std::size_t i = 0; i <= text.size();) {
      const std::size_t found = text.find(from, i);
      if (found == std::string_view::npos) return out.append(text.substr(i));
      out.append(text.substr(i, found - i)).append(to);
      detail::check_growth(out);
      i = found + from.size();
    }
    return out;
  }
};

/// The normalizer "Replace" with a regular expression.
struct replace_pattern {
  std::shared_ptr<const regex> pattern; ///< each match
  std::string to;                       ///< in its place
  std::string operator()(std::string_view text) const {
    std::string out;
    std::size_t gap = 0;
    pattern->each_match(text, regex::scratch(*pattern), [&](std::size_t begin, std::size_t end) {
      out.append(text.substr(gap, begin - gap)).append(to);
      detail::check_growth(out);
      gap = end;
    });
    return out.append(text.substr(gap));
  }
};

/// BERT's: controls away, spaces around ideographs, accents away, lower case.
struct bert_normalizer {
  bool clean = true, ideographs = true, lower = true; ///< which of the steps
  std::optional<bool> accents_away;                   // absent: where `lower`

  std::string operator()(std::string_view text) const {
    std::string out = detail::each_character(text, [&](std::string& to, char32_t c) {
      if (clean && unicode::holds(unicode::controls, c)) return;
      if (clean && is_white_space(c)) c = U' ';
      const bool apart = ideographs && unicode::holds(unicode::ideographs, c);
      if (apart) to += ' ';
      append_utf8(to, c);
      if (apart) to += ' ';
    });
    if (accents_away.value_or(lower)) {
      out = normal_form{static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE)}(out);
      out = detail::each_character(out, [](std::string& to, char32_t c) {
        if (!unicode::holds(unicode::accents, c)) append_utf8(to, c);
      });
    }
    return lower ? lower_case{}(out) : out;
  }
};

/// The normalizer "ByteLevel" (byte_level.hpp).
struct byte_characters_of {
  std::string operator()(std::string_view text) const {
    std::string out;
    append_byte_characters(out, text);
    return out;
  }
};

/// The normalizers of a file in their order. Threads may share it once it is set up.
class normalizer {
public:
  normalizer() = default; // the identity
  /// Reads the component; a type or setting that is not known is an llmap::error.
  explicit normalizer(const component& c) { add(c, 0); }

  std::string operator()(std::string_view text) const {
    if (steps_.empty()) return std::string(text);
    std::string out;
    for (const step& s : steps_) {
      if (text.empty()) break;
      out = std::visit([&](const auto& f) { return f(text); }, s);
      text = out;
    }
    return out;
  }
  bool is_identity() const { return steps_.empty(); } ///< it has no step
  /// Whether the first character of `text` leaves something behind: otherwise the normal text begins later than the
  /// text.
  bool keeps_first(std::string_view text) const {
    if (steps_.empty() || text.empty()) return true;
    return (*this)(std::string(text.substr(0, code_point_at(text, 0).size)) + "x") != (*this)("x");
  }

  /// transformers sets these fields of a BertNormalizer by the config of its class, whatever the file says. Absent:
  /// keep.
  void force_bert(std::optional<bool> lower, std::optional<bool> ideographs, std::optional<bool> accents_away) {
    auto* bert = steps_.size() == 1 ? std::get_if<bert_normalizer>(&steps_[0]) : nullptr;
    if (!bert) return;
    bert->lower = lower.value_or(bert->lower);
    bert->ideographs = ideographs.value_or(bert->ideographs);
    if (accents_away) bert->accents_away = accents_away;
  }

private:
  using step = std::variant<normal_form, prepend_text, replace_text, replace_pattern, lower_case, strip_accents,
                            strip_blanks, nmt_blanks, bert_normalizer, byte_characters_of, charsmap>;
  std::vector<step> steps_;

  void add(const component& c, int depth) {
    if (depth > 16) fail(c.where(), ": expected Sequence nested at most 16 deep, got more");
    const std::string& type = c.type();
    const auto form = [](int options) {
      return normal_form{static_cast<utf8proc_option_t>(UTF8PROC_STABLE | options)};
    };
    if (type == "Sequence") {
      const component list = c.at("normalizers");
      for (std::size_t i = 0; i < list.size(); ++i) add(list.at(i), depth + 1);
    } else if (type == "NFC") steps_.push_back(form(UTF8PROC_COMPOSE));
    else if (type == "NFD") steps_.push_back(form(UTF8PROC_DECOMPOSE));
    else if (type == "NFKC") steps_.push_back(form(UTF8PROC_COMPOSE | UTF8PROC_COMPAT));
    else if (type == "NFKD") steps_.push_back(form(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT));
    else if (type == "Prepend") steps_.push_back(prepend_text{c.at("prepend").text()});
    else if (type == "Replace") {
      const component pattern = c.at("pattern");
      const std::string to = c.at("content").text();
      if (!pattern.absent("Regex"))
        steps_.push_back(replace_pattern{std::make_shared<regex>(pattern.at("Regex").text(), pattern.where()), to});
      else {
        steps_.push_back(replace_text{pattern.at("String").text(), to});
      }
    } else if (type == "Lowercase") steps_.push_back(lower_case{});
    else if (type == "StripAccents") steps_.push_back(strip_accents{});
    else if (type == "Strip")
      steps_.push_back(strip_blanks{c.boolean("strip_left", true), c.boolean("strip_right", true)});
    else if (type == "Nmt") steps_.push_back(nmt_blanks{});
    else if (type == "ByteLevel") steps_.push_back(byte_characters_of{});
    else if (type == "BertNormalizer" || type == "Bert") {
      bert_normalizer bert{c.boolean("clean_text", true), c.boolean("handle_chinese_chars", true),
                           c.boolean("lowercase", true), std::nullopt};
      if (!c.absent("strip_accents")) bert.accents_away = c.boolean("strip_accents", false);
      steps_.push_back(bert);
    } else if (type == "Precompiled") {
      const component map = c.at("precompiled_charsmap");
      steps_.push_back(charsmap(detail::from_base64(map.text(), map.where()), map.where()));
    } else
      c.unknown("Sequence, NFC, NFD, NFKC, NFKD, Prepend, Replace, Lowercase, Strip, StripAccents, Nmt, ByteLevel, "
                "BertNormalizer, Precompiled");
  }
};

} // namespace llmap
