// Regular expressions of tokenizer files: written for Oniguruma, run by PCRE2 (UTF, UCP, JIT).
// Constructs that mean the same in both are passed on; \s, \S, \uXXXX and nested classes are rewritten; those that
// would silently mean something else (\w, \b, \h, \v, possessive intervals, class intersections, ...) are refused.
#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include "llmap/core/error.hpp"
#include <cctype>
#include <memory>
#include <optional>
#include <pcre2.h>
#include <string>
#include <string_view>

namespace llmap {

namespace detail {

/// Oniguruma pattern -> PCRE2 pattern of the same meaning, or an llmap::error naming the construct.
class pattern_translator {
public:
  pattern_translator(std::string_view pattern, const std::string& where) : in_(pattern), where_(where) {}
  std::string run() {
    while (i_ < in_.size()) {
      const char c = in_[i_];
      if (c == '\\') escape(false);
      else if (c == '[') character_class(false);
      else if (c == '{' && interval()) continue;
      else if (c == '(' && in_.substr(i_, 2) == "(?" && in_.size() > i_ + 2 && std::isalpha(static_cast<unsigned char>(in_[i_ + 2])))
        option_group();
      else out_ += in_[i_++];
    }
    return out_;
  }

private:
  // The 25 code points of White_Space; PCRE2's own \s has one more (U+180E).
  static constexpr std::string_view space = "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
                                            "\\x{205f}\\x{3000}";
  std::string_view in_;
  std::string where_, out_;
  std::size_t i_ = 0;

  [[noreturn]] void refuse(std::string_view construct) const {
    fail(where_, ": pattern construct ", construct, " is not covered (at character ", i_, " of ", in_, ")");
  }

  void escape(bool in_class) {
    if (i_ + 1 >= in_.size()) refuse("trailing backslash");
    const char c = in_[i_ + 1];
    const std::string construct = std::string("\\") + c;
    if (c == 's') {
      (out_ += in_class ? "" : "[").append(space) += in_class ? "" : "]";
    } else if (c == 'S') {
      if (in_class) refuse("\\S inside a class");
      (out_ += "[^").append(space) += "]";
    } else if (c == 'p' || c == 'P') {
      const auto close = in_.find('}', i_);
      if (in_.substr(i_ + 2, 1) != "{" || close == std::string_view::npos) refuse(construct + " without braces");
      std::string_view name = in_.substr(i_ + 3, close - i_ - 3);
      if (!name.empty() && name[0] == '^') name.remove_prefix(1);
      const bool category = !name.empty() && name.size() <= 2 && std::string_view("LNPSMZC").find(name[0]) != std::string_view::npos;
      if (!category) refuse(in_.substr(i_, close - i_ + 1));
      out_ += in_.substr(i_, close - i_ + 1);
      i_ = close + 1;
      return;
    } else if (c == 'u') {
      const std::string_view hex = in_.substr(i_ + 2, 4);
      if (hex.size() != 4 || hex.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) refuse("\\u");
      (out_ += "\\x{").append(hex) += "}";
      i_ += 6;
      return;
    } else if (c == 'x') {
      const auto close = in_.find('}', i_);
      if (in_.substr(i_ + 2, 1) == "{" && close != std::string_view::npos) {
        out_ += in_.substr(i_, close - i_ + 1);
        i_ = close + 1;
        return;
      }
      out_ += in_.substr(i_, 4);
      i_ += 4;
      return;
    } else if (std::isalnum(static_cast<unsigned char>(c)) && std::string_view("rntfd").find(c) == std::string_view::npos) {
      refuse(construct);
    } else {
      out_ += construct;
    }
    i_ += 2;
  }

  /// A class; a nested one is a union with its parent and is flattened into it.
  void character_class(bool nested) {
    const bool negated = in_.substr(i_ + 1, 1) == "^";
    if (nested && negated) refuse("negated class inside a class");
    if (in_.substr(i_, 2) == "[:") refuse("[: :]");
    i_ += negated ? 2 : 1;
    if (!nested) out_ += negated ? "[^" : "[";
    if (in_.substr(i_, 1) == "]") refuse("] first in a class");
    while (true) {
      if (i_ >= in_.size()) refuse("class without its end");
      const char c = in_[i_];
      if (c == ']') break;
      if (c == '[') character_class(true);
      else if (c == '\\') escape(true);
      else if (in_.substr(i_, 2) == "&&") refuse("class intersection &&");
      else out_ += in_[i_++];
    }
    ++i_;
    if (!nested) out_ += ']';
  }

  /// {n}, {n,}, {n,m}: followed by + or ? it means something else in Oniguruma.
  bool interval() {
    const auto close = in_.find('}', i_);
    if (close == std::string_view::npos) return false;
    const std::string_view next = in_.substr(close + 1, 1);
    if (next == "+" || next == "?") refuse(std::string(in_.substr(i_, close - i_ + 2)));
    out_ += in_.substr(i_, close - i_ + 1);
    i_ = close + 1;
    return true;
  }

  /// (?i:...) and (?i) are the same in both; m and s are not.
  void option_group() {
    std::size_t end = i_ + 2;
    while (end < in_.size() && in_[end] != ':' && in_[end] != ')') {
      if (in_[end] != 'i' && in_[end] != '-' && in_[end] != 'x') refuse(in_.substr(i_, end - i_ + 1));
      ++end;
    }
    out_ += in_.substr(i_, end - i_);
    i_ = end;
  }
};

} // namespace detail

class regex {
public:
  struct span { std::size_t begin, end; };

  /// `where` starts the message if the pattern cannot be used.
  regex(std::string_view oniguruma_pattern, const std::string& where) : where_(where) {
    const std::string pattern = detail::pattern_translator(oniguruma_pattern, where).run();
    int code = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &offset, nullptr));
    if (!code_) fail(where, ": pattern does not compile: ", message(code), " at ", offset, " of ", pattern);
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE); // without JIT the interpreter gives the same matches
  }

  /// Calls found(span) for each match from left to right in valid UTF-8 text. An empty match right where the last
  /// one ended is skipped by moving one character on.
  template <class Found> void each_match(std::string_view text, const Found& found) const {
    const std::unique_ptr<pcre2_match_data, free_data> data(pcre2_match_data_create(1, nullptr));
    if (!data) fail(where_, ": out of memory");
    std::size_t from = 0, last_end = std::string_view::npos;
    while (from <= text.size()) {
      const auto match = [&](std::uint32_t options) {
        return pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, PCRE2_NO_UTF_CHECK | options, data.get(),
                           nullptr);
      };
      int result = match(0);
      if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = match(PCRE2_NO_JIT);
      if (result == PCRE2_ERROR_NOMATCH) return;
      if (result < 0) fail(where_, ": matching failed: ", message(result));
      const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
      const span s{ends[0], ends[1]};
      if (s.begin == s.end && s.begin == last_end) {
        if (from >= text.size()) return;
        do ++from; while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xc0) == 0x80);
        last_end = std::string_view::npos;
        continue;
      }
      found(s);
      last_end = from = s.end;
    }
  }

private:
  struct free_code { void operator()(pcre2_code* c) const { pcre2_code_free(c); } };
  struct free_data { void operator()(pcre2_match_data* d) const { pcre2_match_data_free(d); } };
  std::string where_;
  std::unique_ptr<pcre2_code, free_code> code_;

  static std::string message(int code) {
    PCRE2_UCHAR text[200];
    pcre2_get_error_message(code, text, sizeof text);
    return reinterpret_cast<const char*>(text);
  }
};

} // namespace llmap
