// Added tokens: strings that are cut out of the text before the model sees it. The leftmost match wins, and of those
// the longest; `single_word`, `lstrip` and `rstrip` are as in Hugging Face tokenizers. Tokens with normalized = false
// are searched for in the raw text; the others are normalized and searched for in the normalized text. As in Hugging
// Face tokenizers the search resumes after the token itself, not after the blanks that it stripped. A token among those
// blanks is found as well, and text resumes after it; with `lstrip`, only its part beyond them counts.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/utf8.hpp"
#include "llmap/text/unicode_data.hpp"
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace llmap {

/// An added token as the files describe it. The flags have the meaning and defaults of Hugging Face tokenizers.
struct added_token {
  std::int32_t id = 0;                 ///< of the vocabulary
  std::string content;                 ///< what is found in a text
  bool single_word = false;            ///< found as a whole word only
  bool lstrip = false, rstrip = false; ///< takes the blanks before it, behind it
  bool normalized = true;              ///< found in the normalized text
  bool special = false;                ///< stands for no text
};

/// The added tokens of a tokenizer, each content once.
class added_token_list {
public:
  /// Adds a token, or gives a known one new flags. Its id is that of the vocabulary if the model has it, else the next
  /// free one above `vocabulary_size` entries. Ids in the file are ignored, as in Hugging Face tokenizers.
  void add(added_token token, std::optional<std::int32_t> vocabulary_id, std::size_t vocabulary_size) {
    if (token.content.empty()) return;
    const auto [place, fresh] = index_.emplace(token.content, tokens_.size());
    if (!fresh) {
      added_token& present = tokens_[place->second];
      token.id = present.id;
      token.special = token.special || present.special; // once special, always special
      present = std::move(token);
      return;
    }
    token.id = vocabulary_id ? *vocabulary_id : std::max(static_cast<std::int32_t>(vocabulary_size), largest_id_ + 1);
    largest_id_ = std::max(largest_id_, token.id);
    tokens_.push_back(std::move(token));
  }
  /// The token of this content, or nullptr.
  const added_token* find(const std::string& content) const {
    const auto it = index_.find(content);
    return it == index_.end() ? nullptr : &tokens_[it->second];
  }
  std::int32_t largest_id() const { return largest_id_; } ///< -1: none
  auto begin() const { return tokens_.begin(); }          ///< in the order they were added
  auto end() const { return tokens_.end(); }              ///< in the order they were added

private:
  std::vector<added_token> tokens_;
  std::unordered_map<std::string, std::size_t> index_;
  std::int32_t largest_id_ = -1;
};

/// A stretch of text: an added token, or text between them.
struct text_segment {
  std::size_t begin, end;         ///< bytes [begin, end) of the text
  std::optional<std::int32_t> id; ///< of the added token; none: text
};

/// Alphabetic, Mark, Nd, Pc or Join_Control.
inline bool is_word_character(char32_t c) { return unicode::holds(unicode::word, c); }

/// Finds added tokens in a text. It is filled first, then only read, so threads may share it.
class added_token_matcher {
public:
  /// `pattern` is the string to look for (the token's content, normalized or not). Of equal patterns the first counts.
  /// A `plain` token is found like the others but stays text.
  void add(const std::string& pattern, const added_token& token, bool plain = false) {
    if (pattern.empty()) return;
    std::size_t node = 0;
    for (char c : pattern) {
      const auto [it, fresh] = nodes_[node].next.emplace(c, nodes_.size());
      node = it->second;
      if (fresh) nodes_.emplace_back();
    }
    if (!nodes_[node].token) nodes_[node].token = tokens_.size(), tokens_.push_back({token, plain});
    first_[static_cast<unsigned char>(pattern[0])] = true;
  }

  /// Cuts `text` into segments in order, none of them empty.
  std::vector<text_segment> operator()(std::string_view text) const {
    std::vector<text_segment> out;
    if (tokens_.empty()) {
      if (!text.empty()) out.push_back({0, text.size(), std::nullopt});
      return out;
    }
    std::size_t end = 0; // of the last token, with the blanks that it stripped
    for (std::size_t i = 0; i < text.size();) {
      const auto found = first_[static_cast<unsigned char>(text[i])] ? longest(text, i) : std::nullopt;
      if (!found) {
        ++i;
        continue;
      }
      const auto& [token, plain] = tokens_[found->first];
      std::size_t begin = i, stop = i + found->second;
      i = stop; // the search resumes here, so that blanks which `rstrip` strips can be tokens as well
      if (plain) continue;
      if (token.single_word && ((begin > 0 && is_word_character(code_point_before(text, begin).value)) ||
                                (stop < text.size() && is_word_character(code_point_at(text, stop).value))))
        continue;
      if (token.lstrip) {
        while (begin > end) {
          const code_point c = code_point_before(text, begin);
          if (!is_white_space(c.value)) break;
          begin -= c.size;
        }
        begin = std::max(begin, end);
      }
      if (token.rstrip)
        while (stop < text.size()) {
          const code_point c = code_point_at(text, stop);
          if (!is_white_space(c.value)) break;
          stop += c.size;
        }
      if (begin > end) out.push_back({end, begin, std::nullopt});
      if (begin > stop)
        fail("tokenizer: byte ", i,
             " of a text: an added token with lstrip lies among blanks that the token before it took; "
             "Hugging Face tokenizers fails on this text as well");
      if (begin < stop) out.push_back({begin, stop, token.id});
      end = stop;
    }
    if (text.size() > end) out.push_back({end, text.size(), std::nullopt});
    return out;
  }

private:
  struct node {
    std::map<char, std::size_t> next;
    std::optional<std::size_t> token;
  };
  struct entry {
    added_token token;
    bool plain;
  };
  std::vector<node> nodes_{1};
  std::vector<entry> tokens_;
  std::array<bool, 256> first_{};

  std::optional<std::pair<std::size_t, std::size_t>> longest(std::string_view text, std::size_t begin) const {
    std::optional<std::pair<std::size_t, std::size_t>> best;
    std::size_t at = 0;
    for (std::size_t i = begin; i < text.size(); ++i) {
      const auto it = nodes_[at].next.find(text[i]);
      if (it == nodes_[at].next.end()) break;
      at = it->second;
      if (nodes_[at].token) best = {*nodes_[at].token, i + 1 - begin};
    }
    return best;
  }
};

} // namespace llmap
