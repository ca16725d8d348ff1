// Pre-tokenizers of tokenizer.json: each cuts pieces into smaller ones, which the model then encodes one by one.
// The pieces lie in one buffer: cutting makes new spans only, rewriting makes a new buffer.
#pragma once
#include "llmap/core/utf8.hpp"
#include "llmap/text/byte_level.hpp"
#include "llmap/text/component.hpp"
#include "llmap/text/split.hpp"
#include "llmap/text/unicode_data.hpp"
#include <memory>
#include <optional>
#include <variant>
#include <vector>

namespace llmap {

/// A splitting expression: a scanner if it is a known one, else a compiled regular expression.
using split_pattern = std::variant<word_scanner, std::shared_ptr<const regex>>;

/// The scanner of a well-known expression, or any other compiled; `where` starts the message if it cannot be.
inline split_pattern make_split_pattern(std::string_view pattern, const std::string& where) {
  if (const auto scanner = word_scanner::of(pattern)) return *scanner;
  return std::make_shared<const regex>(pattern, where);
}

namespace detail {

inline void cut_at(text_pieces& t, split_behavior behavior, const split_pattern& pattern, bool invert = false) {
  if (const auto* scanner = std::get_if<word_scanner>(&pattern)) cut_pieces(t, behavior, find_words(*scanner), invert);
  else cut_pieces(t, behavior, find_regex(*std::get<1>(pattern)), invert);
}

} // namespace detail

/// The pre-tokenizer "ByteLevel".
struct byte_level_split {
  bool add_prefix_space = false;        ///< before a piece without one
  std::optional<split_pattern> pattern; // none: no cutting

  /// Everything but the byte characters.
  void cut(text_pieces& t) const {
    if (add_prefix_space)
      detail::rewrite(t, [](std::string_view piece, bool, std::string& out) {
        if (!piece.starts_with(' ')) out += ' ';
        out += piece;
      });
    if (pattern) detail::cut_at(t, split_behavior::isolated, *pattern);
  }
  void operator()(text_pieces& t) const {
    cut(t);
    detail::rewrite(t, [](std::string_view piece, bool, std::string& out) { append_byte_characters(out, piece); });
  }
};

/// The pre-tokenizer "Split".
struct pattern_split {
  std::variant<std::string, split_pattern> pattern; ///< a literal, or an expression
  split_behavior behavior;                          ///< of what matches
  bool invert = false;                              ///< of what does not match instead

  void operator()(text_pieces& t) const {
    if (const auto* literal = std::get_if<std::string>(&pattern))
      detail::cut_pieces(t, behavior, detail::find_literal(*literal), invert);
    else detail::cut_at(t, behavior, std::get<1>(pattern), invert);
  }
};

/// The pre-tokenizer "Digits": cuts off runs of digits, or each digit where `individual`.
struct digit_split {
  bool individual = false; ///< each digit apart

  void operator()(text_pieces& t) const {
    const auto behavior = individual ? split_behavior::isolated : split_behavior::contiguous;
    detail::cut_pieces(t, behavior, [](std::string_view text, const auto& found) {
      for (std::size_t i = 0; i < text.size();) {
        const auto [c, size] = code_point_at(text, i);
        if (c < 0x80 ? c >= '0' && c <= '9' : unicode::holds(unicode::digits, c)) found(i, i + size);
        i += size;
      }
    });
  }
};

/// The pre-tokenizer "Metaspace": blanks become `replacement`, and pieces begin with it where `split`.
struct metaspace_split {
  /// Where a piece gets one in front: everywhere, at the start of the input, nowhere.
  enum class prefix { always, first, never };
  std::string replacement;        ///< mostly U+2581
  prefix scheme = prefix::always; ///< one of the three
  bool split = true;              ///< cut in front of each

  void operator()(text_pieces& t) const {
    detail::rewrite(t, [&](std::string_view piece, bool at_start, std::string& out) {
      const bool wanted = scheme == prefix::always || (scheme == prefix::first && at_start);
      if (wanted && !piece.starts_with(' ') && !piece.starts_with(replacement)) out += replacement;
      for (const char c : piece) {
        if (c == ' ') out += replacement;
        else out += c;
      }
    });
    if (split) detail::cut_pieces(t, split_behavior::merged_with_next, detail::find_literal(replacement));
  }
};

/// Cuts at the characters of a kind.
struct character_split {
  /// The characters that are cut at; `delimiter` is one of its own.
  enum class kind { white_space, punctuation, delimiter };
  kind what;                                          ///< where it cuts
  split_behavior behavior = split_behavior::isolated; ///< of these characters
  char32_t delimiter = 0;                             ///< of kind::delimiter

  void operator()(text_pieces& t) const {
    detail::cut_pieces(t, behavior, [&](std::string_view text, const auto& found) {
      for (std::size_t i = 0; i < text.size();) {
        const auto [c, size] = code_point_at(text, i);
        if (what == kind::white_space   ? is_white_space(c)
            : what == kind::punctuation ? unicode::holds(unicode::punctuation, c)
                                        : c == delimiter)
          found(i, i + size);
        i += size;
      }
    });
  }
};

/// Whitespace: keeps runs of word characters and runs of others, \w+|[^\w\s]+.
struct word_split {
  void operator()(text_pieces& t) const {
    const auto kind_at = [](std::string_view text, std::size_t i) {
      const char32_t c = code_point_at(text, i).value;
      return is_white_space(c) ? 0 : unicode::holds(unicode::word, c) ? 1 : 2;
    };
    detail::cut_pieces(
        t, split_behavior::removed,
        [&](std::string_view text, const auto& found) {
          for (std::size_t begin = 0; begin < text.size();) {
            const int kind = kind_at(text, begin);
            std::size_t end = begin;
            while (end < text.size() && kind_at(text, end) == kind) end += code_point_at(text, end).size;
            if (kind) found(begin, end);
            begin = end;
          }
        },
        true);
  }
};

/// Pieces of `length` characters.
struct length_split {
  std::size_t length = 5; ///< characters
  void operator()(text_pieces& t) const {
    detail::cut_pieces(t, split_behavior::isolated, [&](std::string_view text, const auto& found) {
      for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
        for (std::size_t n = 0; n < length && end < text.size(); ++n) end += code_point_at(text, end).size;
        found(begin, end);
      }
    });
  }
};

/// Cuts where the script changes; kana goes with ideographs, a space with what is before it, and spaces in front of all
/// are lost, as in Hugging Face tokenizers.
struct script_split {
  void operator()(text_pieces& t) const {
    detail::cut_pieces(
        t, split_behavior::removed,
        [&](std::string_view text, const auto& found) {
          std::uint32_t last = 0; // 0: no character of a script yet
          std::size_t begin = 0;
          for (std::size_t i = 0; i < text.size();) {
            const auto [c, size] = code_point_at(text, i);
            const std::uint32_t script = unicode::script_of(c);
            if (script && script != last) {
              if (last) found(begin, i);
              begin = i;
              last = script;
            }
            i += size;
          }
          if (last) found(begin, text.size());
        },
        true);
  }
};

/// The pre-tokenizers of a file in their order. Threads may share it once it is set up.
class pre_tokenizer {
public:
  pre_tokenizer() = default; // each piece whole
  /// As tokenizer.json has it; a kind that is not known is refused.
  explicit pre_tokenizer(const component& c) {
    top_level_byte_level_ = c.type() == "ByteLevel";
    add(c, 0);
  }

  /// Whether ByteLevel comes last. Then operator() may leave its pieces as raw bytes (leave_bytes), and the model
  /// writes them as byte characters (byte_level.hpp) only where it has to: it keeps the ids of most pieces.
  bool ends_in_bytes() const { return !steps_.empty() && std::holds_alternative<byte_level_split>(steps_.back()); }
  /// Has operator() do so from now on, where ends_in_bytes.
  void leave_bytes() { bytes_left_ = ends_in_bytes(); }

  /// Cuts `text`; `at_start`: it begins where the whole input begins.
  text_pieces operator()(std::string_view text, bool at_start) const {
    text_pieces t{std::string(text), {{0, text.size(), at_start}}};
    for (const step& s : steps_) {
      const auto* bytes = std::get_if<byte_level_split>(&s);
      if (bytes_left_ && bytes && &s == &steps_.back()) bytes->cut(t);
      else std::visit([&](const auto& f) { f(t); }, s);
    }
    return t;
  }

  /// transformers sets this on a ByteLevel that is not inside a Sequence, whatever the file says.
  void force_prefix_space(bool value) {
    if (top_level_byte_level_) std::get<byte_level_split>(steps_[0]).add_prefix_space = value;
  }

private:
  using step = std::variant<byte_level_split, pattern_split, digit_split, metaspace_split, character_split, word_split,
                            length_split, script_split>;
  std::vector<step> steps_;
  bool top_level_byte_level_ = false, bytes_left_ = false;

  static split_behavior behavior_of(const component& c) {
    static constexpr std::pair<std::string_view, split_behavior> table[] = {
        {"Removed", split_behavior::removed},
        {"Isolated", split_behavior::isolated},
        {"Contiguous", split_behavior::contiguous},
        {"MergedWithPrevious", split_behavior::merged_with_previous},
        {"MergedWithNext", split_behavior::merged_with_next}};
    for (const auto& [name, value] : table)
      if (name == c.text()) return value;
    c.refuse("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
  }

  static pattern_split read_split(const component& c) {
    const component pattern = c.at("pattern");
    pattern_split s{{}, behavior_of(c.at("behavior")), c.boolean("invert", false)};
    if (!pattern.absent("Regex")) {
      s.pattern = make_split_pattern(pattern.at("Regex").text(), pattern.where());
      return s;
    }
    const std::string literal = pattern.at("String").text();
    if (literal.empty()) pattern.refuse("a Regex, or a String that is not empty");
    s.pattern = literal;
    return s;
  }

  static metaspace_split read_metaspace(const component& c) {
    metaspace_split m{c.at("replacement").text(), metaspace_split::prefix::always, c.boolean("split", true)};
    if (m.replacement.empty() || code_point_at(m.replacement, 0).size != m.replacement.size())
      c.at("replacement").refuse("one character");
    if (c.absent("prepend_scheme")) { // older files
      if (!c.boolean("add_prefix_space", true)) m.scheme = metaspace_split::prefix::never;
      return m;
    }
    const component scheme = c.at("prepend_scheme");
    if (scheme.text() == "first") m.scheme = metaspace_split::prefix::first;
    else if (scheme.text() == "never") m.scheme = metaspace_split::prefix::never;
    else if (scheme.text() != "always") scheme.refuse("always, first or never");
    return m;
  }

  void add(const component& c, int depth) {
    if (depth > 16) fail(c.where(), ": expected Sequence nested at most 16 deep, got more");
    const std::string& type = c.type();
    if (type == "Sequence") {
      const component list = c.at("pretokenizers");
      for (std::size_t i = 0; i < list.size(); ++i) add(list.at(i), depth + 1);
    } else if (type == "ByteLevel") {
      byte_level_split b{c.boolean("add_prefix_space", true), std::nullopt};
      if (c.boolean("use_regex", true)) b.pattern = make_split_pattern(gpt2_pattern, c.where());
      steps_.push_back(std::move(b));
    } else if (type == "Split") {
      steps_.push_back(read_split(c));
    } else if (type == "Digits") {
      steps_.push_back(digit_split{c.boolean("individual_digits", false)});
    } else if (type == "Metaspace") {
      steps_.push_back(read_metaspace(c));
    } else if (type == "Whitespace") {
      steps_.push_back(word_split{});
    } else if (type == "WhitespaceSplit") {
      steps_.push_back(character_split{character_split::kind::white_space, split_behavior::removed});
    } else if (type == "Punctuation") {
      steps_.push_back(character_split{character_split::kind::punctuation, c.absent("behavior")
                                                                               ? split_behavior::isolated
                                                                               : behavior_of(c.at("behavior"))});
    } else if (type == "BertPreTokenizer") {
      steps_.push_back(character_split{character_split::kind::white_space, split_behavior::removed});
      steps_.push_back(character_split{character_split::kind::punctuation, split_behavior::isolated});
    } else if (type == "CharDelimiterSplit") {
      const component delimiter = c.at("delimiter");
      const std::string& text = delimiter.text();
      if (text.empty() || code_point_at(text, 0).size != text.size()) delimiter.refuse("one character");
      steps_.push_back(
          character_split{character_split::kind::delimiter, split_behavior::removed, code_point_at(text, 0).value});
    } else if (type == "FixedLength") {
      const auto length = c.absent("length") ? 5 : c.at("length").value().integer().value_or(0);
      if (length < 1) c.at("length").refuse("a positive number");
      steps_.push_back(length_split{static_cast<std::size_t>(length)});
    } else if (type == "UnicodeScripts") {
      steps_.push_back(script_split{});
    } else
      c.unknown("Sequence, ByteLevel, Split, Digits, Metaspace, Whitespace, WhitespaceSplit, Punctuation, "
                "BertPreTokenizer, CharDelimiterSplit, FixedLength, UnicodeScripts");
  }
};

} // namespace llmap
