// Regular expressions of tokenizer files are written for Oniguruma. Here they are translated to PCRE2 patterns (UTF,
// UCP, MULTILINE) of the same meaning. Constructs that mean the same in both are kept; \s, \S, \w, \h, \uXXXX, nested
// classes, their intersections and intervals are rewritten; categories get the characters that are newer than the
// library (unicode_data.hpp). Those that would silently mean something else (\b, \v, other scripts, back references,
// verbs, ...) are refused by name.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/text/unicode_data.hpp"
#include <cctype>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace llmap::detail {

class pattern_translator {
public:
  /// `where` starts every message.
  pattern_translator(std::string_view pattern, const std::string& where) : in_(pattern), where_(where) {}

  std::string run() {
    while (i_ < in_.size()) {
      const char c = in_[i_];
      if (c == '{' && interval()) continue;
      if (c != '{' && !is_quantifier(c) && (static_cast<unsigned char>(c) & 0xc0) != 0x80) atom_ = out_.size();
      if (c == '\\') escape(false);
      else if (c == '[') character_class(false, 0);
      else if (c == '(') group();
      else if (c == ')') close_group();
      else out_ += in_[i_++];
    }
    return std::move(out_);
  }

private:
  // The 25 code points of White_Space; PCRE2's own \s has one more (U+180E).
  static constexpr std::string_view space =
      "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
  // Alphabetic without categories L and Nl, and Oniguruma's own: superscripts and fractions of Latin-1.
  static constexpr std::string_view more_word_characters =
      "\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-"
      "\\x{be}";
  static constexpr std::string_view hex_digits = "0123456789abcdefABCDEF";
  std::string_view in_;
  std::string where_, out_;
  std::size_t i_ = 0;
  std::size_t atom_ = 0;            // where in out_ the last repeatable atom begins
  std::vector<std::size_t> groups_; // where in out_ the open groups begin

  static bool is_quantifier(char c) { return c == '?' || c == '*' || c == '+'; }
  std::string_view ahead(std::size_t offset, std::size_t count) const {
    return i_ + offset < in_.size() ? in_.substr(i_ + offset, count) : std::string_view{};
  }
  void copy_to(std::size_t end) {
    out_ += in_.substr(i_, end - i_);
    i_ = end;
  }
  [[noreturn]] void refuse(std::string_view construct) const {
    fail(where_, ": pattern construct ", construct, " is not covered (at byte ", i_, " of ", in_.substr(0, 200), ")");
  }

  void escape(bool in_class) {
    if (i_ + 1 >= in_.size()) refuse("trailing backslash");
    const char c = in_[i_ + 1];
    const std::string construct = std::string("\\") + c;
    const auto brace_end = [&] { return ahead(2, 1) == "{" ? in_.find('}', i_) : std::string_view::npos; };
    if (c == 's') {
      (out_ += in_class ? "" : "[").append(space) += in_class ? "" : "]";
    } else if (c == 'S') {
      if (in_class) refuse("\\S inside a class");
      (out_ += "[^").append(space) += "]";
    } else if (c == 'h') {
      out_ += in_class ? "0-9a-fA-F" : "[0-9a-fA-F]";
    } else if (c == 'w') {
      out_ += in_class ? "" : "[";
      for (const char* category : {"L", "M", "Nd", "Nl", "Pc"}) append_category(category);
      out_.append(more_word_characters) += in_class ? "" : "]";
    } else if (c == 'd') {
      out_ += in_class ? "" : "[";
      append_category("Nd");
      out_ += in_class ? "" : "]";
    } else if (c == 'p' || c == 'P') {
      const auto close = brace_end();
      if (close == std::string_view::npos) refuse(construct + " without braces");
      std::string_view name = in_.substr(i_ + 3, close - i_ - 3);
      const bool negated = (c == 'P') != name.starts_with('^');
      if (name.starts_with('^')) name.remove_prefix(1);
      if (name == "Han" && !negated) {
        out_ += in_class ? "" : "[";
        out_ += "\\p{sc:Han}\\x{2b739}\\x{2ebf0}-\\x{2ee5d}\\x{31350}-\\x{323af}"; // the last are newer than Unicode 14
        out_ += in_class ? "" : "]";
        i_ = close + 1;
        return;
      }
      const bool category = !name.empty() && name.size() <= 2 &&
                            std::string_view("LNPSMZC").find(name[0]) != std::string_view::npos &&
                            (name.size() == 1 || std::islower(static_cast<unsigned char>(name[1])));
      if (!category) refuse(in_.substr(i_, close - i_ + 1));
      if (in_class && negated) return copy_to(close + 1);
      out_ += in_class ? "" : negated ? "[^" : "[";
      append_category(name);
      out_ += in_class ? "" : "]";
      i_ = close + 1;
      return;
    } else if (c == 'u') {
      const std::string_view hex = ahead(2, 4);
      if (hex.size() != 4 || hex.find_first_not_of(hex_digits) != std::string_view::npos) refuse("\\u");
      (out_ += "\\x{").append(hex) += "}";
      i_ += 4;
    } else if (c == 'x') {
      const auto close = brace_end();
      if (close != std::string_view::npos) return copy_to(close + 1);
      const std::string_view hex = ahead(2, 2);
      if (hex.size() != 2 || hex.find_first_not_of(hex_digits) != std::string_view::npos) refuse("\\x");
      (out_ += "\\x{").append(hex) += "}";
      i_ += 2;
    } else if (std::isalnum(static_cast<unsigned char>(c)) &&
               std::string_view("rntf").find(c) == std::string_view::npos) {
      refuse(construct);
    } else {
      out_ += construct;
    }
    i_ += 2;
  }

  /// \\p{name} and the characters of that category that are newer than the library, inside a class.
  void append_category(std::string_view name) {
    constexpr std::string_view names[] = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl",
                                          "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc",
                                          "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"};
    (out_ += "\\p{").append(name) += "}";
    const auto is_meant = [&](char32_t c) {
      return names[static_cast<std::size_t>(unicode::category_of(c))].starts_with(name);
    };
    const auto append = [&](char32_t c) {
      char text[12];
      std::snprintf(text, sizeof text, "\\x{%x}", static_cast<unsigned>(c));
      out_ += text;
    };
    for (const auto& [first, last] : unicode::newer)
      for (char32_t c = first; c <= last; ++c) {
        if (!is_meant(c)) continue;
        const char32_t begin = c;
        while (c < last && is_meant(c + 1)) ++c;
        append(begin);
        if (c != begin) out_ += '-', append(c);
      }
  }

  /// [X&&Y]: a character of X that is one of Y, as a look ahead. Y is all up to the end of the class.
  void intersection(std::size_t begin, bool negated, bool nested) {
    if (negated || nested) refuse("class intersection && inside a class, or negated");
    std::string left = out_.substr(begin) + "]";
    out_.resize(begin);
    out_ += "(?:(?=";
    i_ += 2;
    if (ahead(0, 1) == "[") {
      character_class(false, 1);
      if (ahead(0, 1) != "]") refuse("class intersection && with more than a class");
    } else {
      out_ += '[';
      class_members(false, 1);
      out_ += ']';
    }
    (out_ += ")").append(left) += ")";
    ++i_;
  }

  /// A class; a nested one is a union with its parent and is flattened into it.
  void character_class(bool nested, int depth) {
    const bool negated = ahead(1, 1) == "^";
    if (nested && negated) refuse("negated class inside a class");
    if (depth > 16) refuse("class nested deeper than 16");
    if (ahead(0, 2) == "[:") refuse("[: :]");
    i_ += negated ? 2 : 1;
    const std::size_t begin = out_.size();
    if (!nested) out_ += negated ? "[^" : "[";
    if (ahead(0, 1) == "]") refuse("] first in a class");
    if (class_members(true, depth)) return intersection(begin, negated, nested);
    ++i_;
    if (!nested) out_ += ']';
  }
  /// To the end of a class, or to && where that may follow: then true.
  bool class_members(bool may_intersect, int depth) {
    while (true) {
      if (i_ >= in_.size()) refuse("class without its end");
      const char c = in_[i_];
      if (c == ']') return false;
      if (c == '[') character_class(true, depth + 1);
      else if (c == '\\') escape(true);
      else if (ahead(0, 2) == "&&") {
        if (!may_intersect) refuse("class intersection && of more than two");
        return true;
      } else out_ += in_[i_++];
    }
  }

  /// Rewrites {n}, {n,}, {,m}, {n,m} after an atom. In Oniguruma a + after it repeats it (it is not possessive), and
  /// {n}? is an optional {n} (not a lazy one): both are written with a group around what they repeat.
  bool interval() {
    const auto close = in_.find('}', i_);
    if (close == std::string_view::npos) return false;
    const std::string_view inside = in_.substr(i_ + 1, close - i_ - 1);
    const auto comma = inside.find(',');
    const std::string low(inside.substr(0, comma));
    const std::string high(comma == std::string_view::npos ? std::string_view{} : inside.substr(comma + 1));
    if ((low + high).find_first_not_of("0123456789") != std::string::npos || (low.empty() && high.empty()))
      return false;
    const char next = close + 1 < in_.size() ? in_[close + 1] : '\0';
    const bool wrap = next == '+' || (next == '?' && comma == std::string_view::npos);
    if (wrap) out_.insert(atom_, "(?:");
    out_ += '{' + (low.empty() ? "0" : low) + (comma == std::string_view::npos ? "" : "," + high) + '}';
    if (wrap) out_ += ')';
    i_ = close + 1;
    return true;
  }

  /// ( (?: (?= (?! (?<= (?<! (?> and the option i are the same in both.
  void group() {
    if (ahead(1, 1) == "*") refuse("(*");
    groups_.push_back(out_.size());
    if (ahead(1, 1) != "?") return copy_to(i_ + 1);
    for (const std::string_view same : {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"})
      if (ahead(0, same.size()) == same) return copy_to(i_ + same.size());
    const auto end = in_.find_first_of(":)", i_);
    if (end == std::string_view::npos) refuse("group without its end");
    const std::string_view options = in_.substr(i_ + 2, end - i_ - 2);
    if (options.empty() || options.find_first_not_of("i-") != std::string_view::npos)
      refuse(in_.substr(i_, end - i_ + 1));
    if (in_[end] == ')') groups_.pop_back(); // (?i): from here to the end of the enclosing group
    copy_to(end + 1);
  }

  void close_group() {
    if (groups_.empty()) refuse(") without (");
    atom_ = groups_.back();
    groups_.pop_back();
    out_ += in_[i_++];
  }
};

} // namespace llmap::detail
