// Unigram: the way to cut a piece into tokens with the greatest sum of scores (Viterbi, in double). Where no token of
// one character begins, a character may be unknown at the price of the lowest score less 10; of equal sums the one with
// the longer last token stays. Neighboring unknown characters are one. Source: Kudo 2018; the Unigram of Hugging Face
// tokenizers.
#pragma once
#include "llmap/core/utf8.hpp"
#include "llmap/text/byte_trie.hpp"
#include "llmap/text/component.hpp"
#include "llmap/text/token_model.hpp"
#include "llmap/text/token_table.hpp"
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

namespace llmap {

/// The model "Unigram" of tokenizer.json.
class unigram final : public token_model {
  token_table ids_;
  byte_trie trie_;
  std::vector<double> scores_;
  double lowest_ = 0;
  std::optional<std::int32_t> unknown_;
  std::array<std::int32_t, 256> bytes_{}; // ids of <0x00> to <0xFF>, -1: none
  bool byte_fallback_ = false;

public:
  /// Of the "model" of tokenizer.json.
  explicit unigram(const component& c) {
    const component vocabulary = c.at("vocab");
    const json::array& items = vocabulary.items();
    if (items.empty()) vocabulary.refuse("at least one token");
    std::size_t size = 0;
    const auto token_of = [&](std::size_t i) -> const std::string& { return vocabulary.at(i).at(0).text(); };
    for (std::size_t i = 0; i < items.size(); ++i) size += token_of(i).size();
    ids_ = token_table(items.size());
    trie_ = byte_trie(size);
    lowest_ = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < items.size(); ++i) {
      const component score = vocabulary.at(i).at(1);
      const auto number = score.value().number();
      if (!number || !std::isfinite(*number)) score.refuse("a finite number");
      ids_.set(token_of(i), static_cast<std::int32_t>(i));
      trie_.add(token_of(i), static_cast<std::int32_t>(i));
      scores_.push_back(*number);
      lowest_ = std::min(lowest_, *number);
    }
    if (!c.absent("unk_id")) {
      unknown_ = c.at("unk_id").id();
      if (static_cast<std::size_t>(*unknown_) >= items.size()) c.at("unk_id").refuse("an id of the vocabulary");
    }
    byte_fallback_ = c.boolean("byte_fallback", false);
    bytes_ = byte_token_ids(*this);
  }

  std::optional<std::int32_t> id_of(std::string_view token) const override { return ids_.find(token); }
  std::size_t size() const override { return scores_.size(); }
  std::int32_t largest_id() const override { return static_cast<std::int32_t>(scores_.size()) - 1; }

  void encode(std::string_view piece, std::vector<std::int32_t>& out) const override {
    if (piece.empty()) return;
    constexpr std::size_t none = static_cast<std::size_t>(-1);
    struct node {
      double score = 0;
      std::size_t start = none;
      bool unknown = false;
    };
    std::vector<node> best(piece.size() + 1); // the best way to each end
    best[0].start = 0;
    const auto offer = [&](std::size_t start, std::size_t end, double score, bool unknown) {
      const double sum = best[start].score + score;
      if (best[end].start == none || sum > best[end].score) best[end] = {sum, start, unknown};
    };
    for (std::size_t at = 0; at < piece.size();) {
      const std::size_t character = code_point_at(piece, at).size;
      bool alone = false; // a token of this one character
      trie_.each_prefix(piece, at, [&](std::size_t length, std::int32_t id) {
        alone |= length == character;
        offer(at, at + length, scores_[static_cast<std::size_t>(id)], id == unknown_);
      });
      if (!alone) {
        if (!unknown_) fail("tokenizer: unk_id is needed, but is null");
        offer(at, at + character, lowest_ - 10, true);
      }
      at += character;
    }
    std::vector<std::string_view> tokens; // last first
    bool open = false;                    // the token before is unknown, and may go on to the left
    for (std::size_t end = piece.size(); end > 0; end = best[end].start) {
      const std::string_view token = piece.substr(best[end].start, end - best[end].start);
      if (best[end].unknown && open) tokens.back() = piece.substr(best[end].start, token.size() + tokens.back().size());
      else tokens.push_back(token);
      open = best[end].unknown;
    }
    for (auto token = tokens.rbegin(); token != tokens.rend(); ++token) append(*token, out);
  }

private:
  void append(std::string_view token, std::vector<std::int32_t>& out) const {
    if (const auto id = id_of(token)) return out.push_back(*id);
    const auto byte_id = [&](char b) { return bytes_[static_cast<unsigned char>(b)]; };
    if (byte_fallback_ && std::all_of(token.begin(), token.end(), [&](char b) { return byte_id(b) >= 0; }))
      for (const char b : token) out.push_back(byte_id(b));
    else out.push_back(*unknown_);
  }
};

} // namespace llmap
