// Models that know whole words. WordPiece: the longest token from the left, then the longest that goes on ("##"); a
// piece that cannot be cut up, or is too long, is unknown as a whole. WordLevel: the piece itself, or unknown. Source:
// the models of Hugging Face tokenizers.
#pragma once
#include "llmap/core/utf8.hpp"
#include "llmap/text/component.hpp"
#include "llmap/text/token_model.hpp"
#include "llmap/text/token_table.hpp"
#include <algorithm>
#include <string>

namespace llmap {

/// A vocabulary of tokens and ids, and one for what is unknown.
class word_model : public token_model {
  token_table ids_;
  std::int32_t largest_id_ = -1;
  std::string unknown_name_;

protected:
  std::size_t longest_ = 0; // bytes of the longest token

  /// Of the "model" of tokenizer.json; `unknown` where it names no unk_token.
  word_model(const component& c, const std::string& unknown) : unknown_name_(unknown) {
    const component vocabulary = c.at("vocab");
    const auto& members = vocabulary.members("an object of token: id");
    if (members.empty()) vocabulary.refuse("at least one token");
    ids_ = token_table(members.size());
    for (const auto& [token, value] : members) {
      const std::int32_t id = component(value, vocabulary.where() + "." + token.substr(0, 40)).id();
      ids_.set(token, id);
      largest_id_ = std::max(largest_id_, id);
      longest_ = std::max(longest_, token.size());
    }
    if (!c.absent("unk_token")) unknown_name_ = c.at("unk_token").text();
  }
  /// Refused where the vocabulary lacks it.
  std::int32_t unknown_id() const {
    if (const auto id = ids_.find(unknown_name_)) return *id;
    fail("tokenizer: unk_token ", unknown_name_, " is needed, but is not in the vocabulary");
  }

public:
  std::optional<std::int32_t> id_of(std::string_view token) const override { return ids_.find(token); }
  std::size_t size() const override { return ids_.size(); }
  std::int32_t largest_id() const override { return largest_id_; }
};

/// The model "WordLevel" of tokenizer.json.
class word_level final : public word_model {
public:
  /// Of the "model" of tokenizer.json.
  explicit word_level(const component& c) : word_model(c, "<unk>") {}
  void encode(std::string_view piece, std::vector<std::int32_t>& out) const override {
    if (piece.empty()) return;
    const auto id = id_of(piece);
    out.push_back(id ? *id : unknown_id());
  }
};

/// The model "WordPiece" of tokenizer.json.
class word_piece final : public word_model {
  std::string prefix_ = "##";
  std::size_t most_characters_ = 100;

public:
  /// Of the "model" of tokenizer.json.
  explicit word_piece(const component& c) : word_model(c, "[UNK]") {
    if (!c.absent("continuing_subword_prefix")) prefix_ = c.at("continuing_subword_prefix").text();
    if (!c.absent("max_input_chars_per_word")) {
      const component most = c.at("max_input_chars_per_word");
      const auto number = most.value().integer();
      if (!number || *number < 0) most.refuse("a number of characters");
      most_characters_ = static_cast<std::size_t>(*number);
    }
  }
  void encode(std::string_view piece, std::vector<std::int32_t>& out) const override {
    if (piece.empty()) return;
    const auto characters = static_cast<std::size_t>(std::count_if(
        piece.begin(), piece.end(), [](char b) { return (static_cast<unsigned char>(b) & 0xc0) != 0x80; }));
    if (characters > most_characters_) return out.push_back(unknown_id());
    const std::size_t first = out.size();
    std::string token;
    for (std::size_t begin = 0; begin < piece.size();) {
      std::optional<std::int32_t> id;
      std::size_t end = std::min(piece.size(), begin + longest_);
      for (; end > begin && !id; --end) {
        if (end < piece.size() && (static_cast<unsigned char>(piece[end]) & 0xc0) == 0x80) continue;
        token.assign(begin ? prefix_ : "").append(piece.substr(begin, end - begin));
        id = id_of(token);
        if (id) break;
      }
      if (!id) {
        out.resize(first);
        return out.push_back(unknown_id());
      }
      out.push_back(*id);
      begin = end;
    }
  }
};

} // namespace llmap
