// Pre-tokenizers of tokenizer.json: each cuts pieces into smaller ones, which the model then encodes one by one.
#pragma once
#include "llmap/text/component.hpp"
#include "llmap/text/regex.hpp"
#include "llmap/text/utf8.hpp"
#include <array>
#include <memory>
#include <utf8proc.h>
#include <variant>
#include <vector>

namespace llmap {

/// A piece of text on its way to the model.
struct text_piece {
  std::string text;
  bool at_start = false; // it begins where the whole input begins
};

/// What happens to a match of a Split pattern.
enum class split_behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

namespace detail {

struct cut { std::size_t begin, end; bool match; };

/// Matches and the gaps between them, in order, turned into pieces. Empty pieces are dropped.
inline void append_pieces(const text_piece& from, const std::vector<cut>& cuts, split_behavior behavior, std::vector<text_piece>& out) {
  std::vector<cut> merged;
  bool previous_match = false;
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    const cut& c = cuts[i];
    switch (behavior) {
    case split_behavior::removed:
      if (!c.match) merged.push_back(c);
      break;
    case split_behavior::isolated: merged.push_back(c); break;
    case split_behavior::contiguous:
      if (!merged.empty() && merged.back().match == c.match) merged.back().end = c.end;
      else merged.push_back(c);
      break;
    case split_behavior::merged_with_previous:
      if (c.match && !previous_match && !merged.empty()) merged.back().end = c.end;
      else merged.push_back(c);
      break;
    case split_behavior::merged_with_next:
      // A gap joins the match before it, unless that match already stands for itself.
      if (!c.match && previous_match && !merged.empty()) merged.back().end = c.end;
      else merged.push_back(c);
      break;
    }
    previous_match = c.match;
  }
  for (const cut& c : merged)
    if (c.end > c.begin) out.push_back({from.text.substr(c.begin, c.end - c.begin), from.at_start && c.begin == 0});
}

/// Cuts at maximal runs (or single characters) for which `is` holds.
template <class Is> std::vector<cut> cuts_where(std::string_view text, const Is& is) {
  std::vector<cut> cuts;
  std::size_t gap = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto [c, size] = code_point_at(text, i);
    if (is(c)) {
      if (i > gap) cuts.push_back({gap, i, false});
      cuts.push_back({i, i + size, true});
      gap = i + size;
    }
    i += size;
  }
  if (text.size() > gap) cuts.push_back({gap, text.size(), false});
  return cuts;
}

inline std::vector<cut> cuts_of(const regex& pattern, std::string_view text) {
  std::vector<cut> cuts;
  std::size_t gap = 0;
  pattern.each_match(text, [&](regex::span s) {
    if (s.begin > gap) cuts.push_back({gap, s.begin, false});
    cuts.push_back({s.begin, s.end, true});
    gap = s.end;
  });
  if (text.size() > gap) cuts.push_back({gap, text.size(), false});
  return cuts;
}

inline std::vector<cut> cuts_of(const std::string& literal, std::string_view text) {
  std::vector<cut> cuts;
  std::size_t gap = 0;
  for (std::size_t at; (at = text.find(literal, gap)) != std::string_view::npos; gap = at + literal.size()) {
    if (at > gap) cuts.push_back({gap, at, false});
    cuts.push_back({at, at + literal.size(), true});
  }
  if (text.size() > gap) cuts.push_back({gap, text.size(), false});
  return cuts;
}

} // namespace detail

/// Byte b as the character that byte-level vocabularies write for it, in UTF-8.
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

struct byte_level {
  bool add_prefix_space = false;
  std::shared_ptr<const regex> pattern; // none: no cutting

  static constexpr std::string_view gpt2_pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

  void operator()(const text_piece& piece, std::vector<text_piece>& out) const {
    text_piece p = piece;
    if (add_prefix_space && !p.text.starts_with(' ')) p.text.insert(0, " ");
    const std::size_t first = out.size();
    if (pattern) detail::append_pieces(p, detail::cuts_of(*pattern, p.text), split_behavior::isolated, out);
    else out.push_back(std::move(p));
    for (std::size_t i = first; i < out.size(); ++i) {
      std::string mapped;
      for (char c : out[i].text) mapped += byte_characters()[static_cast<unsigned char>(c)];
      out[i].text = std::move(mapped);
    }
  }
};

struct split {
  std::variant<std::string, std::shared_ptr<const regex>> pattern;
  split_behavior behavior;
  bool invert = false;

  void operator()(const text_piece& piece, std::vector<text_piece>& out) const {
    std::vector<detail::cut> cuts = std::holds_alternative<std::string>(pattern)
                                        ? detail::cuts_of(std::get<std::string>(pattern), piece.text)
                                        : detail::cuts_of(*std::get<1>(pattern), piece.text);
    if (invert)
      for (detail::cut& c : cuts) c.match = !c.match;
    detail::append_pieces(piece, cuts, behavior, out);
  }
};

struct digits {
  bool individual = false;
  void operator()(const text_piece& piece, std::vector<text_piece>& out) const {
    const auto numeric = [](char32_t c) {
      const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
      return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO;
    };
    detail::append_pieces(piece, detail::cuts_where(piece.text, numeric),
                          individual ? split_behavior::isolated : split_behavior::contiguous, out);
  }
};

struct metaspace {
  enum class prefix { always, first, never };
  std::string replacement;
  prefix scheme = prefix::always;
  bool split = true;

  void operator()(const text_piece& piece, std::vector<text_piece>& out) const {
    text_piece p{{}, piece.at_start};
    for (char c : piece.text) {
      if (c == ' ') p.text += replacement;
      else p.text += c;
    }
    const bool wanted = scheme == prefix::always || (scheme == prefix::first && piece.at_start);
    if (wanted && !p.text.starts_with(replacement)) p.text.insert(0, replacement);
    if (split) detail::append_pieces(p, detail::cuts_of(replacement, p.text), split_behavior::merged_with_next, out);
    else out.push_back(std::move(p));
  }
};

class pre_tokenizer {
public:
  pre_tokenizer() = default; // each piece whole
  explicit pre_tokenizer(const component& c) {
    top_level_byte_level_ = c.type() == "ByteLevel";
    add(c, 0);
  }

  std::vector<text_piece> operator()(text_piece piece) const {
    std::vector<text_piece> pieces;
    pieces.push_back(std::move(piece));
    for (const step& s : steps_) {
      std::vector<text_piece> next;
      for (const text_piece& p : pieces)
        if (!p.text.empty()) std::visit([&](const auto& f) { f(p, next); }, s);
      pieces = std::move(next);
    }
    return pieces;
  }

  /// transformers sets this on a ByteLevel that is not inside a Sequence, whatever the file says.
  void force_prefix_space(bool value) {
    if (top_level_byte_level_) std::get<byte_level>(steps_[0]).add_prefix_space = value;
  }

private:
  using step = std::variant<byte_level, split, digits, metaspace>;
  std::vector<step> steps_;
  bool top_level_byte_level_ = false;

  static split_behavior behavior_of(const component& c) {
    static constexpr std::pair<std::string_view, split_behavior> table[] = {
        {"Removed", split_behavior::removed}, {"Isolated", split_behavior::isolated}, {"Contiguous", split_behavior::contiguous},
        {"MergedWithPrevious", split_behavior::merged_with_previous}, {"MergedWithNext", split_behavior::merged_with_next}};
    for (const auto& [name, value] : table)
      if (name == c.text()) return value;
    c.wrong("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
  }

  void add(const component& c, int depth) {
    if (depth > 16) fail(c.where(), ": nested deeper than 16");
    const std::string type = c.type();
    if (type == "Sequence") {
      const component list = c.at("pretokenizers");
      for (std::size_t i = 0; i < list.size(); ++i) add(list.at(i), depth + 1);
    } else if (type == "ByteLevel") {
      byte_level b{c.flag("add_prefix_space", true), nullptr};
      if (c.flag("use_regex", true)) b.pattern = std::make_shared<regex>(byte_level::gpt2_pattern, c.where());
      steps_.push_back(std::move(b));
    } else if (type == "Split") {
      const component pattern = c.at("pattern");
      split s{{}, behavior_of(c.at("behavior")), c.flag("invert", false)};
      if (!pattern.absent("Regex")) s.pattern = std::make_shared<const regex>(pattern.at("Regex").text(), pattern.where());
      else {
        s.pattern = pattern.at("String").text();
        if (std::get<0>(s.pattern).empty()) pattern.wrong("a non-empty string");
      }
      steps_.push_back(std::move(s));
    } else if (type == "Digits") {
      steps_.push_back(digits{c.flag("individual_digits", false)});
    } else if (type == "Metaspace") {
      metaspace m{c.at("replacement").text(), metaspace::prefix::always, c.flag("split", true)};
      if (!c.absent("prepend_scheme")) {
        const std::string scheme = c.at("prepend_scheme").text();
        if (scheme == "first") m.scheme = metaspace::prefix::first;
        else if (scheme == "never") m.scheme = metaspace::prefix::never;
        else if (scheme != "always") c.at("prepend_scheme").wrong("always, first or never");
      } else if (!c.flag("add_prefix_space", true)) m.scheme = metaspace::prefix::never;
      if (m.replacement.empty()) c.at("replacement").wrong("one character");
      steps_.push_back(std::move(m));
    } else c.unknown("Sequence, ByteLevel, Split, Digits, Metaspace");
  }
};

} // namespace llmap
