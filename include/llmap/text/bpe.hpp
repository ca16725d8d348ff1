// Byte-pair encoding: characters of a piece, then again and again the applicable merge of lowest rank, leftmost
// first, one occurrence at a time, until none applies. Characters that the vocabulary lacks become bytes
// (byte_fallback), the unknown token, or nothing, as the file says.
// A heap of candidate merges over a linked list makes it O(n log n) for pieces of any length.
// Source: Sennrich et al. 2016; the reference is the BPE of Hugging Face tokenizers.
#pragma once
#include "llmap/text/component.hpp"
#include "llmap/text/utf8.hpp"
#include <array>
#include <cstdint>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace llmap {

class bpe {
public:
  explicit bpe(const component& c) {
    read_vocabulary(c.at("vocab"));
    if (!c.absent("dropout") && c.at("dropout").json() != 0 && c.at("dropout").json() != 0.0) c.at("dropout").wrong("null or 0");
    fuse_unknown_ = c.flag("fuse_unk", false);
    ignore_merges_ = c.flag("ignore_merges", false);
    if (!c.absent("continuing_subword_prefix")) prefix_ = c.at("continuing_subword_prefix").text();
    if (!c.absent("end_of_word_suffix")) suffix_ = c.at("end_of_word_suffix").text();
    if (!c.absent("unk_token")) {
      unknown_ = id_of(c.at("unk_token").text());
      if (!unknown_) c.at("unk_token").wrong("a token of the vocabulary");
    }
    bytes_.fill(-1);
    if (c.flag("byte_fallback", false))
      for (unsigned b = 0; b < 256; ++b) {
        constexpr char hex[] = "0123456789ABCDEF";
        bytes_[b] = id_of(std::string("<0x") + hex[b / 16] + hex[b % 16] + ">").value_or(-1);
      }
    read_merges(c.at("merges"));
  }

  std::optional<std::int32_t> id_of(std::string_view token) const {
    const auto it = ids_.find(std::string(token));
    if (it == ids_.end()) return std::nullopt;
    return it->second;
  }
  std::size_t size() const { return ids_.size(); }
  std::int32_t largest_id() const { return largest_id_; }

  /// Appends the ids of one piece (valid UTF-8).
  void encode(std::string_view piece, std::vector<std::int32_t>& out) const {
    if (piece.empty()) return;
    if (ignore_merges_)
      if (const auto whole = id_of(piece)) {
        out.push_back(*whole);
        return;
      }
    std::vector<symbol> symbols = characters(piece);
    merge(symbols);
    for (std::int32_t i = symbols.empty() ? -1 : 0; i >= 0; i = symbols[static_cast<std::size_t>(i)].next)
      out.push_back(symbols[static_cast<std::size_t>(i)].id);
  }

private:
  struct symbol { std::int32_t id, previous, next; };
  struct merged { std::int32_t rank, id; };
  struct candidate {
    std::int32_t rank, left, id;
    bool operator<(const candidate& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
  };
  std::unordered_map<std::string, std::int32_t> ids_;
  std::unordered_map<std::uint64_t, merged> merges_;
  std::array<std::int32_t, 256> bytes_{};
  std::optional<std::int32_t> unknown_;
  std::string prefix_, suffix_;
  bool fuse_unknown_ = false, ignore_merges_ = false;
  std::int32_t largest_id_ = -1;

  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
  }

  void read_vocabulary(const component& c) {
    if (!c.json().is_object()) c.wrong("an object of token: id");
    ids_.reserve(c.json().size());
    for (const auto& [token, id] : c.json().items()) {
      ids_[token] = component(id, c.where() + "." + token).id();
      largest_id_ = std::max(largest_id_, ids_[token]);
    }
  }

  void read_merges(const component& c) {
    std::int32_t rank = 0;
    const std::size_t count = c.size();
    const bool as_strings = count > 0 && c.json()[0].is_string();
    merges_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      const nlohmann::json& entry = c.json()[i];
      std::string left, right;
      if (as_strings) {
        const std::string text = c.at(i).text();
        if (text.starts_with("#version")) continue;
        const auto blank = text.find(' ');
        if (blank == std::string::npos || text.find(' ', blank + 1) != std::string::npos) c.at(i).wrong("two tokens and one blank between them");
        left = text.substr(0, blank), right = text.substr(blank + 1);
      } else {
        if (!entry.is_array() || entry.size() != 2) c.at(i).wrong("two tokens");
        left = c.at(i).at(std::size_t{0}).text(), right = c.at(i).at(1).text();
      }
      const auto a = id_of(left), b = id_of(right);
      const auto whole = id_of(left + (right.starts_with(prefix_) ? right.substr(prefix_.size()) : right));
      if (!a || !b || !whole) c.at(i).wrong("tokens of the vocabulary whose join is one too");
      merges_[key(*a, *b)] = {rank++, *whole};
    }
  }

  std::vector<symbol> characters(std::string_view piece) const {
    std::vector<symbol> symbols;
    const auto push = [&](std::int32_t id) {
      const auto n = static_cast<std::int32_t>(symbols.size());
      symbols.push_back({id, n - 1, n + 1});
    };
    bool pending_unknown = false;
    const auto flush = [&] {
      if (pending_unknown) push(*unknown_);
      pending_unknown = false;
    };
    for (std::size_t i = 0; i < piece.size();) {
      const std::size_t size = code_point_at(piece, i).size;
      std::string name(piece.substr(i, size));
      if (i > 0) name.insert(0, prefix_);
      if (i + size == piece.size()) name += suffix_;
      i += size;
      if (const auto id = id_of(name)) {
        flush();
        push(*id);
        continue;
      }
      bool all_bytes = true; // of the character with its prefix and suffix, as in the reference
      for (char b : name) all_bytes = all_bytes && bytes_[static_cast<unsigned char>(b)] >= 0;
      if (all_bytes) { // a pending unknown token stays pending, as in the reference
        for (char b : name) push(bytes_[static_cast<unsigned char>(b)]);
      } else if (unknown_) {
        if (!fuse_unknown_) flush();
        pending_unknown = true;
      }
    }
    flush();
    if (!symbols.empty()) symbols.back().next = -1;
    return symbols;
  }

  void merge(std::vector<symbol>& symbols) const {
    std::priority_queue<candidate> queue;
    const auto consider = [&](std::int32_t left) {
      if (left < 0) return;
      const symbol& s = symbols[static_cast<std::size_t>(left)];
      if (s.next < 0) return;
      const auto it = merges_.find(key(s.id, symbols[static_cast<std::size_t>(s.next)].id));
      if (it != merges_.end()) queue.push({it->second.rank, left, it->second.id});
    };
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) consider(static_cast<std::int32_t>(i));
    constexpr std::int32_t gone = -2;
    while (!queue.empty()) {
      const candidate top = queue.top();
      queue.pop();
      symbol& left = symbols[static_cast<std::size_t>(top.left)];
      if (left.id == gone || left.next < 0) continue;
      symbol& right = symbols[static_cast<std::size_t>(left.next)];
      const auto it = merges_.find(key(left.id, right.id));
      if (it == merges_.end() || it->second.id != top.id || it->second.rank != top.rank) continue; // stale
      left.id = top.id;
      left.next = right.next;
      right.id = gone;
      if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = top.left;
      consider(left.previous);
      consider(top.left);
    }
  }
};

} // namespace llmap
