// Cutting text into pieces at the matches of something: what pre-tokenizers are made of.
#pragma once
#include "llmap/text/regex.hpp"
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llmap {

/// Pieces of text on their way to the model: spans of one buffer, in order, none of them empty.
struct text_pieces {
  struct span {
    std::size_t begin, end;
    bool at_start; // the piece begins where the whole input begins
  };
  std::string text;
  std::vector<span> pieces;

  std::string_view operator[](std::size_t i) const {
    return std::string_view(text).substr(pieces[i].begin, pieces[i].end - pieces[i].begin);
  }
};

/// What happens to a match.
enum class split_behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

namespace detail {

struct cut {
  std::size_t begin, end;
  bool match;
};

/// Matches and the gaps between them, in order, turned into spans of a piece that begins at `base`.
inline void append_spans(const std::vector<cut>& cuts, split_behavior behavior, const text_pieces::span& piece,
                         std::vector<text_pieces::span>& out) {
  const std::size_t first = out.size();
  bool previous = false; // whether the last cut was a match
  const cut* last = nullptr;
  for (const cut& c : cuts) {
    bool join = false;
    switch (behavior) {
    case split_behavior::removed:
      if (c.match) continue;
      break;
    case split_behavior::isolated: break;
    case split_behavior::contiguous: join = last && last->match == c.match; break;
    case split_behavior::merged_with_previous: join = c.match && !previous; break;
    case split_behavior::merged_with_next: join = !c.match && previous; break;
    }
    if (join && out.size() > first) out.back().end = piece.begin + c.end;
    else out.push_back({piece.begin + c.begin, piece.begin + c.end, piece.at_start && c.begin == 0});
    previous = c.match;
    last = &c;
  }
}

/// Cuts every piece at what find(text, found) reports as found(begin, end), from left to right.
template <class Find>
void cut_pieces(text_pieces& t, split_behavior behavior, const Find& find, bool invert = false) {
  std::vector<text_pieces::span> out;
  std::vector<cut> cuts;
  for (std::size_t i = 0; i < t.pieces.size(); ++i) {
    const std::string_view text = t[i];
    std::size_t gap = 0;
    cuts.clear();
    find(text, [&](std::size_t begin, std::size_t end) {
      if (begin > gap) cuts.push_back({gap, begin, invert});
      cuts.push_back({begin, end, !invert});
      gap = end;
    });
    if (text.size() > gap) cuts.push_back({gap, text.size(), invert});
    append_spans(cuts, behavior, t.pieces[i], out);
  }
  std::erase_if(out, [](const text_pieces::span& s) { return s.begin == s.end; });
  t.pieces = std::move(out);
}

/// Finds a literal string, which is not empty.
inline auto find_literal(const std::string& literal) {
  return [&literal](std::string_view text, const auto& found) {
    for (std::size_t at = text.find(literal); at != std::string_view::npos; at = text.find(literal, at + literal.size()))
      found(at, at + literal.size());
  };
}

inline auto find_regex(const regex& pattern) {
  return [&pattern, scratch = regex::scratch(pattern)](std::string_view text, const auto& found) {
    pattern.each_match(text, scratch, found);
  };
}

/// Writes every piece anew: write(piece, at_start, out) appends what takes its place.
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
