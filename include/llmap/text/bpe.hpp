// Byte-pair encoding: starts from the characters of a piece and applies the merge of lowest rank, leftmost first,
// one occurrence at a time, until none applies. Characters that the vocabulary lacks become bytes
// (byte_fallback), the unknown token, or nothing, as the file says.
// Pieces of any length take O(n log n): a heap of candidate merges over a linked list. Short pieces are scanned.
// Source: Sennrich et al. 2016; the BPE of Hugging Face tokenizers.
#pragma once
#include "llmap/core/utf8.hpp"
#include "llmap/text/byte_level.hpp"
#include "llmap/text/component.hpp"
#include "llmap/text/merge_table.hpp"
#include "llmap/text/piece_cache.hpp"
#include "llmap/text/ranked_tokens.hpp"
#include "llmap/text/token_model.hpp"
#include "llmap/text/token_table.hpp"
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

namespace llmap {

/// The model "BPE" of tokenizer.json. Dropout is refused: it would make ids random.
class bpe final : public token_model {
public:
  /// `pieces_are_bytes`: encode takes raw bytes, which the vocabulary writes as byte characters (byte_level.hpp).
  explicit bpe(const component& c, bool pieces_are_bytes = false) : pieces_are_bytes_(pieces_are_bytes) {
    read_vocabulary(c.at("vocab"));
    if (!c.absent("dropout") && c.at("dropout").value().number() != 0.0) c.at("dropout").refuse("null or 0");
    fuse_unknown_ = c.boolean("fuse_unk", false);
    ignore_merges_ = c.boolean("ignore_merges", false);
    if (!c.absent("continuing_subword_prefix")) prefix_ = c.at("continuing_subword_prefix").text();
    if (!c.absent("end_of_word_suffix")) suffix_ = c.at("end_of_word_suffix").text();
    if (!c.absent("unk_token")) {
      unknown_name_ = c.at("unk_token").text();
      unknown_ = id_of(*unknown_name_);
    }
    bytes_.fill(-1);
    if (c.boolean("byte_fallback", false)) bytes_ = byte_token_ids(*this);
    read_merges(c.at("merges"));
  }

  /// tiktoken's: pieces are bytes, one that is a token as a whole stays whole, and a merge has the rank of its result.
  explicit bpe(const ranked_tokens& ranked)
      : ids_(ranked.tokens.size()), ignore_merges_(true), pieces_are_bytes_(true) {
    bytes_.fill(-1);
    for (std::size_t rank = 0; rank < ranked.tokens.size(); ++rank) {
      std::string written;
      append_byte_characters(written, ranked.tokens[rank]);
      largest_id_ = ranked.first_id + static_cast<std::int32_t>(rank);
      ids_.set(written, largest_id_);
    }
    look_up_characters();
    imply_merges(ranked);
  }

  std::optional<std::int32_t> id_of(std::string_view token) const override { return ids_.find(token); }
  std::size_t size() const override { return ids_.size(); }
  std::int32_t largest_id() const override { return largest_id_; }

  /// Appends the ids of one piece: valid UTF-8, or bytes.
  void encode(std::string_view piece, std::vector<std::int32_t>& out) const override {
    if (piece.empty()) return;
    const auto encode_new = [&](std::vector<std::int32_t>& ids) {
      if (!pieces_are_bytes_) return encode_piece(piece, ids);
      std::string written;
      append_byte_characters(written, piece);
      encode_piece(written, ids);
    };
    if (!detail::piece_cache::fits(piece)) return encode_new(out);
    detail::piece_cache::of_this_thread().encode(cache_owner_, piece, out, encode_new);
  }

private:
  static constexpr std::size_t scanned = 32; // up to this many symbols, rescanning every pair is faster than a heap
  struct symbol {
    std::int32_t id, previous, next;
  };
  struct candidate {
    std::int32_t rank, left, id;
    bool operator<(const candidate& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
  };

  token_table ids_;
  std::array<std::int32_t, 0x3000> characters_{}; // ids of the single characters below U+3000, -1: none
  merge_table merges_;
  std::array<std::int32_t, 256> bytes_{}; // byte fallback, -1: none
  std::optional<std::string> unknown_name_;
  std::optional<std::int32_t> unknown_;
  std::string prefix_, suffix_;
  bool fuse_unknown_ = false, ignore_merges_ = false, pieces_are_bytes_ = false;
  std::int32_t largest_id_ = -1;
  std::uint32_t cache_owner_ = detail::next_cache_owner();

  void read_vocabulary(const component& c) {
    const auto& vocabulary = c.members("an object of token: id");
    if (vocabulary.empty()) c.refuse("at least one token");
    ids_ = token_table(vocabulary.size());
    for (const auto& [token, value] : vocabulary) {
      const auto id = component::id_of(value);
      if (!id) (void)component(value, c.where() + "." + token.substr(0, 40)).id(); // says what is wrong
      ids_.set(token, *id);
      largest_id_ = std::max(largest_id_, *id);
    }
    look_up_characters();
  }

  void look_up_characters() {
    for (char32_t v = 0; v < characters_.size(); ++v) {
      std::string name;
      append_utf8(name, v);
      characters_[v] = id_of(name).value_or(-1);
    }
  }

  /// Every way to cut a token into two tokens is a merge.
  void imply_merges(const ranked_tokens& ranked) {
    struct merge {
      std::int32_t left, right, whole;
    };
    std::vector<merge> merges;
    std::string written;
    for (std::size_t rank = 0; rank < ranked.tokens.size(); ++rank) {
      written.clear();
      append_byte_characters(written, ranked.tokens[rank]);
      const std::string_view whole = written;
      for (std::size_t cut = code_point_at(whole, 0).size; cut < whole.size(); cut += code_point_at(whole, cut).size)
        if (const auto left = id_of(whole.substr(0, cut)), right = id_of(whole.substr(cut)); left && right)
          merges.push_back({*left, *right, ranked.first_id + static_cast<std::int32_t>(rank)});
    }
    merges_ = merge_table(merges.size());
    for (const merge& m : merges) merges_.set(m.left, m.right, {m.whole, m.whole});
  }

  /// A merge's rank is its position. Merges are all "left right" or all ["left", "right"].
  void read_merges(const component& c) {
    const json::array& items = c.items();
    merges_ = merge_table(items.size());
    const bool as_strings = !items.empty() && items[0].string();
    std::int32_t rank = 0;
    std::string joined;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const json& entry = items[i];
      std::string_view left, right;
      if (as_strings) {
        if (!entry.string()) c.at(i).refuse("a string, as the merges before it");
        const std::string_view text = *entry.string();
        if (text.starts_with("#version")) continue;
        const auto blank = text.find(' ');
        if (blank == std::string::npos || text.find(' ', blank + 1) != std::string::npos)
          c.at(i).refuse("two tokens and one blank between them");
        left = text.substr(0, blank), right = text.substr(blank + 1);
      } else {
        const json::array* pair = entry.items();
        if (!pair || pair->size() != 2) c.at(i).refuse("an array of two tokens");
        const std::string *first = (*pair)[0].string(), *second = (*pair)[1].string();
        left = first ? *first : c.at(i).at(0).text(); // or an error
        right = second ? *second : c.at(i).at(1).text();
      }
      joined.assign(left).append(right.substr(right.starts_with(prefix_) ? prefix_.size() : 0));
      const auto known = [&](std::string_view token) {
        const auto id = id_of(token);
        if (!id) fail(c.where(), "[", i, "]: expected tokens of the vocabulary, got ", token.substr(0, 80));
        return *id;
      };
      const std::int32_t a = known(left), b = known(right);
      merges_.set(a, b, {rank++, known(joined)});
    }
  }

  void encode_piece(std::string_view piece, std::vector<std::int32_t>& out) const {
    if (ignore_merges_)
      if (const auto whole = id_of(piece)) return out.push_back(*whole);
    if (piece.size() >= std::size_t{1} << 30)
      fail("tokenizer: expected pieces below 1 GiB, got ", piece.size(), " bytes");
    const std::size_t first = out.size();
    append_characters(piece, out);
    if (out.size() - first <= scanned) merge_by_scan(out, first);
    else merge_by_heap(out, first);
  }

  std::int32_t unknown_id() const {
    if (!unknown_) fail("tokenizer: unk_token ", *unknown_name_, " is needed, but is not in the vocabulary");
    return *unknown_;
  }

  /// The ids that the merges start from.
  void append_characters(std::string_view piece, std::vector<std::int32_t>& out) const {
    const bool plain = prefix_.empty() && suffix_.empty();
    bool pending_unknown = false;
    const auto flush = [&] {
      if (pending_unknown) out.push_back(unknown_id());
      pending_unknown = false;
    };
    std::string with_affixes;
    for (std::size_t i = 0; i < piece.size();) {
      const auto [value, size] = code_point_at(piece, i);
      std::string_view name = piece.substr(i, size);
      std::optional<std::int32_t> id;
      if (plain && value < characters_.size()) {
        if (characters_[value] >= 0) id = characters_[value];
      } else {
        if (!plain) {
          with_affixes.assign(i > 0 ? prefix_ : "").append(name);
          if (i + size == piece.size()) with_affixes += suffix_;
          name = with_affixes;
        }
        id = id_of(name);
      }
      i += size;
      if (id) {
        flush();
        out.push_back(*id);
        continue;
      }
      const auto byte_id = [&](char b) { return bytes_[static_cast<unsigned char>(b)]; };
      // As in Hugging Face tokenizers, byte fallback covers the affixes, and a pending unknown token stays pending.
      if (std::all_of(name.begin(), name.end(), [&](char b) { return byte_id(b) >= 0; })) {
        for (const char b : name) out.push_back(byte_id(b));
      } else if (unknown_name_) {
        if (!fuse_unknown_) flush();
        pending_unknown = true;
      }
    }
    flush();
  }

  void merge_by_scan(std::vector<std::int32_t>& ids, std::size_t first) const {
    std::int32_t* const symbols = ids.data() + first;
    std::size_t n = ids.size() - first;
    std::array<merge_rule, scanned> rules; // of symbol i and the next
    const auto look_up = [&](std::size_t i) {
      const merge_rule* rule = merges_.find(symbols[i], symbols[i + 1]);
      rules[i] = rule ? *rule : merge_rule{};
    };
    // No rule (-1) is beyond all ranks.
    const auto rank = [&](std::size_t i) { return static_cast<std::uint32_t>(rules[i].rank); };
    for (std::size_t i = 0; i + 1 < n; ++i) look_up(i);
    while (n > 1) {
      std::size_t best = 0;
      for (std::size_t i = 1; i + 1 < n; ++i)
        if (rank(i) < rank(best)) best = i;
      if (rules[best].rank < 0) break;
      symbols[best] = rules[best].id;
      --n;
      for (std::size_t i = best + 1; i < n; ++i) symbols[i] = symbols[i + 1], rules[i] = rules[i + 1];
      if (best > 0) look_up(best - 1);
      if (best + 1 < n) look_up(best);
    }
    ids.resize(first + n);
  }

  void merge_by_heap(std::vector<std::int32_t>& ids, std::size_t first) const {
    const auto n = static_cast<std::int32_t>(ids.size() - first);
    std::vector<symbol> symbols(static_cast<std::size_t>(n));
    const auto at = [&](std::int32_t i) -> symbol& { return symbols[static_cast<std::size_t>(i)]; };
    for (std::int32_t i = 0; i < n; ++i)
      at(i) = {ids[first + static_cast<std::size_t>(i)], i - 1, i + 1 < n ? i + 1 : -1};
    std::vector<candidate> candidates;
    const auto consider = [&](std::int32_t left, auto&& push) {
      if (left < 0 || at(left).next < 0) return;
      const merge_rule* rule = merges_.find(at(left).id, at(at(left).next).id);
      if (rule) push(candidate{rule->rank, left, rule->id});
    };
    for (std::int32_t i = 0; i + 1 < n; ++i) consider(i, [&](candidate c) { candidates.push_back(c); });
    std::priority_queue<candidate> queue({}, std::move(candidates));
    constexpr std::int32_t gone = -2;
    while (!queue.empty()) {
      const candidate top = queue.top();
      queue.pop();
      symbol& left = at(top.left);
      if (left.id == gone || left.next < 0) continue;
      symbol& right = at(left.next);
      const merge_rule* rule = merges_.find(left.id, right.id);
      if (!rule || rule->id != top.id || rule->rank != top.rank) continue; // stale: a neighbor has changed
      left.id = top.id;
      left.next = right.next;
      right.id = gone;
      if (left.next >= 0) at(left.next).previous = top.left;
      const auto push = [&](candidate c) { queue.push(c); };
      consider(left.previous, push);
      consider(top.left, push);
    }
    ids.resize(first);
    for (std::int32_t i = 0; i >= 0; i = at(i).next) ids.push_back(at(i).id);
  }
};

} // namespace llmap
