// Cuts text into pieces at the matches of a pattern; pre-tokenizers are built on this.
#pragma once
#include "llmap/text/regex.hpp"
#include "llmap/text/word_scanner.hpp"
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llmap {

/// Pieces of text on their way to the model: spans of one buffer, in order, none of them empty.
struct text_pieces {
  /// Bytes [begin, end) of `text`.
  struct span {
    std::size_t begin, end; ///< bytes
    bool at_start;          ///< the piece begins where the whole input begins
  };
  std::string text;         ///< that the pieces lie in
  std::vector<span> pieces; ///< from left to right

  /// Piece i.
  std::string_view operator[](std::size_t i) const {
    return std::string_view(text).substr(pieces[i].begin, pieces[i].end - pieces[i].begin);
  }
};

/// What happens to a match.
enum class split_behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

namespace detail {

/// Turns the matches of a piece and the gaps between them, given in order, into spans.
class span_writer {
public:
  span_writer(std::vector<text_pieces::span>& out, split_behavior behavior, const text_pieces::span& piece)
      : out_(out), behavior_(behavior), piece_(piece), first_(out.size()) {}

  void add(std::size_t begin, std::size_t end, bool match) {
    bool join = false;
    switch (behavior_) {
    case split_behavior::removed:
      if (match) return;
      break;
    case split_behavior::isolated:
      break;
    case split_behavior::contiguous:
      join = previous_ == match;
      break;
    case split_behavior::merged_with_previous:
      join = match && !previous_;
      break;
    case split_behavior::merged_with_next:
      join = !match && previous_;
      break;
    }
    if (join && out_.size() > first_) out_.back().end = piece_.begin + end;
    else out_.push_back({piece_.begin + begin, piece_.begin + end, piece_.at_start && begin == 0});
    previous_ = match;
  }

private:
  std::vector<text_pieces::span>& out_;
  split_behavior behavior_;
  text_pieces::span piece_;
  std::size_t first_;
  bool previous_ = false; // whether the last part added was a match
};

/// Cuts every piece at the matches that find(text, found) reports by found(begin, end), from left to right.
template <class Find> void cut_pieces(text_pieces& t, split_behavior behavior, const Find& find, bool invert = false) {
  std::vector<text_pieces::span> out;
  out.reserve(t.pieces.size() + t.text.size() / 4);
  for (std::size_t i = 0; i < t.pieces.size(); ++i) {
    const std::string_view text = t[i];
    span_writer writer(out, behavior, t.pieces[i]);
    std::size_t gap = 0;
    find(text, [&](std::size_t begin, std::size_t end) {
      if (begin > gap) writer.add(gap, begin, invert);
      writer.add(begin, end, !invert);
      gap = end;
    });
    if (text.size() > gap) writer.add(gap, text.size(), invert);
  }
  std::erase_if(out, [](const text_pieces::span& s) { return s.begin == s.end; });
  t.pieces = std::move(out);
}

/// Finds a literal string, which must not be empty.
inline auto find_literal(const std::string& literal) {
  return [&literal](std::string_view text, const auto& found) {
    for (std::size_t at = text.find(literal); at != std::string_view::npos;
         at = text.find(literal, at + literal.size()))
      found(at, at + literal.size());
  };
}

inline auto find_regex(const regex& pattern) {
  return [&pattern, scratch = regex::scratch(pattern)](std::string_view text, const auto& found) {
    pattern.each_match(text, scratch, found);
  };
}

inline auto find_words(const word_scanner& scanner) {
  return [&scanner](std::string_view text, const auto& found) { scanner.each_match(text, found); };
}

/// Rewrites every piece: write(piece, at_start, out) appends its replacement.
template <class Write> void rewrite(text_pieces& t, const Write& write) {
  std::string out;
  out.reserve(t.text.size() + t.text.size() / 2);
  for (std::size_t i = 0; i < t.pieces.size(); ++i) {
    const std::size_t begin = out.size();
    write(t[i], t.pieces[i].at_start, out);
    t.pieces[i].begin = begin;
    t.pieces[i].end = out.size();
  }
  t.text = std::move(out);
}

} // namespace detail
} // namespace llmap
