// A compiled regular expression: PCRE2 with JIT, over valid UTF-8. Immutable, so threads may share it.
#pragma once
#ifndef PCRE2_CODE_UNIT_WIDTH
/// The library of PCRE2 for UTF-8.
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include "llmap/core/error.hpp"
#include "llmap/text/regex_translation.hpp"
#include <algorithm>
#include <cstdint>
#include <memory>
#include <pcre2.h>
#include <string>
#include <string_view>

namespace llmap {

/// An expression in the syntax of Oniguruma, which tokenizer.json uses, translated for PCRE2.
class regex {
  struct release {
    void operator()(pcre2_code* p) const { pcre2_code_free(p); }
    void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
    void operator()(pcre2_compile_context* p) const { pcre2_compile_context_free(p); }
    void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
  };
  std::string where_;
  std::unique_ptr<pcre2_code, release> code_;

  static std::string message(int code) {
    PCRE2_UCHAR text[200];
    pcre2_get_error_message(code, text, sizeof text);
    return reinterpret_cast<const char*>(text);
  }

public:
  /// Working memory of a search: one per thread, reusable for any number of texts.
  class scratch {
    friend class regex;
    std::unique_ptr<pcre2_match_data, release> data_{pcre2_match_data_create(1, nullptr)};
    std::unique_ptr<pcre2_match_context, release> context_{pcre2_match_context_create(nullptr)};

  public:
    /// Fails if there is no memory. Any pattern may use it.
    explicit scratch(const regex& pattern) {
      if (!data_ || !context_) fail(pattern.where_, ": out of memory");
    }
  };

  /// `where` starts the message if the pattern cannot be used.
  regex(std::string_view oniguruma_pattern, const std::string& where) : where_(where) {
    const std::string pattern = detail::pattern_translator(oniguruma_pattern, where).run();
    const std::unique_ptr<pcre2_compile_context, release> context(pcre2_compile_context_create(nullptr));
    if (!context) fail(where, ": out of memory");
    pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
    int code = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &offset,
                              context.get()));
    if (!code_) fail(where, ": pattern does not compile: ", message(code), " at byte ", offset, " of ", pattern);
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE); // without JIT the interpreter gives the same matches
  }

  /// Calls found(begin, end) for each match from left to right in valid UTF-8 text. An empty match right where the
  /// last one ended is skipped by moving one character on. A search that gives up is an error, never "no match".
  template <class Found> void each_match(std::string_view text, const scratch& s, const Found& found) const {
    // Backtracking over a run of blanks is linear in the text, so the limit grows with it.
    const std::uint64_t limit = 10'000'000 + std::uint64_t{16} * text.size();
    pcre2_set_match_limit(s.context_.get(), static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, 0xffffffff)));
    const auto match = [&](std::size_t from, std::uint32_t options) {
      return pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                         PCRE2_NO_UTF_CHECK | options, s.data_.get(), s.context_.get());
    };
    std::size_t from = 0, last_end = std::string_view::npos;
    while (from <= text.size()) {
      int result = match(from, 0);
      if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = match(from, PCRE2_NO_JIT);
      if (result == PCRE2_ERROR_NOMATCH) return;
      if (result < 0) fail(where_, ": matching failed: ", message(result));
      const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(s.data_.get());
      const std::size_t begin = ends[0], end = ends[1];
      if (end < begin) fail(where_, ": matching failed: the pattern moves the start of a match beyond its end");
      if (begin == end && begin == last_end) {
        do ++from;
        while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xc0) == 0x80);
        last_end = std::string_view::npos;
        continue;
      }
      found(begin, end);
      last_end = from = end;
    }
  }
};

} // namespace llmap
