// The merges that the scores of a SentencePiece model imply.
#pragma once
#include "llmap/core/json.hpp"
#include "llmap/core/utf8.hpp"
#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace llmap::detail {

/// The merges that a SentencePiece model implies: every way to cut a token into two tokens. They are ordered by the
/// score of the token, best first, then the longer left part, then the longer right part (lengths in characters), then
/// the order of tokens, then left and right ids. This is how transformers rebuilds them.
inline json::array merges_of_scores(std::span<const std::string> tokens, std::span<const float> scores) {
  std::unordered_map<std::string_view, std::size_t> id_of;
  for (std::size_t i = 0; i < tokens.size(); ++i) id_of.emplace(tokens[i], i);
  struct rule {
    std::size_t left, right, left_length, right_length;
    float score;
  };
  std::vector<rule> rules;
  for (std::size_t token = 0; token < tokens.size(); ++token) {
    const std::string_view text = tokens[token];
    std::size_t length = 0, done = 0;
    for (std::size_t i = 0; i < text.size(); i += code_point_at(text, i).size) ++length;
    const std::size_t first = rules.size();
    for (std::size_t i = 0; i < text.size(); i += code_point_at(text, i).size, ++done) {
      const auto left = id_of.find(text.substr(0, i)), right = id_of.find(text.substr(i));
      if (i > 0 && left != id_of.end() && right != id_of.end())
        rules.push_back({left->second, right->second, done, length - done, scores[token]});
    }
    std::sort(rules.begin() + static_cast<std::ptrdiff_t>(first), rules.end(),
              [](const rule& a, const rule& b) { return a.left != b.left ? a.left < b.left : a.right < b.right; });
  }
  std::stable_sort(rules.begin(), rules.end(), [](const rule& a, const rule& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.left_length != b.left_length ? a.left_length > b.left_length : a.right_length > b.right_length;
  });
  json::array merges;
  for (const rule& r : rules) merges.push_back(json::array{tokens[r.left], tokens[r.right]});
  return merges;
}

} // namespace llmap::detail
