// Newick text of a tree. Names are always quoted, a quote inside a name is doubled ('it''s'), and control characters
// become '?'. A branch is half the difference of heights, so that the path between two models is the height at which
// they merge. Lengths are written so that they read back to the same bits.
#pragma once
#include "llmap/geometry/linkage.hpp"
#include <charconv>

namespace llmap {

/// A name in quotes, as the Newick format writes it; control characters become '?'.
inline std::string newick_name(const std::string& name) {
  std::string out = "'";
  for (const char c : name) {
    if (c == '\'') out += '\'';
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  out += '\'';
  return out;
}

namespace detail {

inline std::string newick_branch(std::string text, double length) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, length).ptr;
  return std::move(text).append(1, ':').append(digits, end);
}

} // namespace detail

/// A tree in the Newick format, with branch lengths. `names` has one name for each model.
inline std::string newick(const model_tree& t, const std::vector<std::string>& names) {
  LLMAP_EXPECTS(names.size() == t.models, "newick: one name per model");
  std::vector<std::string> text(t.models + t.merges.size());
  for (std::size_t i = 0; i < t.models; ++i) text[i] = newick_name(names[i]);
  const auto height = [&](std::size_t id) { return id < t.models ? 0.0 : t.merges[id - t.models].height; };
  const auto branch = [&](std::size_t id, double parent) {
    return detail::newick_branch(std::move(text[id]), (parent - height(id)) / 2);
  };
  for (std::size_t m = 0; m < t.merges.size(); ++m) {
    const tree_merge& g = t.merges[m];
    text[t.models + m].append(1, '(').append(branch(g.left, g.height)).append(1, ',');
    text[t.models + m].append(branch(g.right, g.height)).append(1, ')');
  }
  return text.back() + ";";
}

} // namespace llmap
