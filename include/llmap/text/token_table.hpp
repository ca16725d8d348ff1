// The vocabulary: token -> id. A flat hash table with linear probing, at most half full, over one string that holds
// the tokens; built once, then only read.
#pragma once
#include "llmap/text/byte_hash.hpp"
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmap {

/// A map of strings to ids. Room is set when it is made.
class token_table {
public:
  /// Room for `count` tokens.
  explicit token_table(std::size_t count = 0) : entries_(std::bit_ceil(2 * count + 2)) {}

  /// A repeated token keeps its last id. Ids must not be negative; at most `count` tokens fit.
  void set(std::string_view token, std::int32_t id) {
    const std::uint64_t hash = detail::hash_bytes(token);
    entry& e = entries_[slot_of(token, hash)];
    if (e.id < 0) {
      e = {bytes_.size(), bytes_.size() + token.size(), static_cast<std::uint32_t>(hash >> 32), id};
      bytes_ += token;
      ++size_;
    }
    e.id = id;
  }
  /// The id of a token; none: not in the table.
  std::optional<std::int32_t> find(std::string_view token) const {
    const entry& e = entries_[slot_of(token, detail::hash_bytes(token))];
    return e.id < 0 ? std::nullopt : std::optional(e.id);
  }
  std::size_t size() const { return size_; }

private:
  struct entry {
    std::size_t begin = 0, end = 0; // in bytes_
    std::uint32_t check = 0;        // half of the hash: tells most tokens apart without reading them
    std::int32_t id = -1;           // -1: free
  };
  std::string bytes_;
  std::vector<entry> entries_;
  std::size_t size_ = 0;

  /// The slot of `token`, or the free slot where it would go.
  std::size_t slot_of(std::string_view token, std::uint64_t hash) const {
    const std::size_t mask = entries_.size() - 1;
    std::size_t i = static_cast<std::size_t>(hash) & mask;
    const auto is_other = [&](const entry& e) {
      return e.check != static_cast<std::uint32_t>(hash >> 32) ||
             std::string_view(bytes_).substr(e.begin, e.end - e.begin) != token;
    };
    while (entries_[i].id >= 0 && is_other(entries_[i])) i = (i + 1) & mask;
    return i;
  }
};

} // namespace llmap
