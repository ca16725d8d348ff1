// The merges of byte-pair encoding: (left id, right id) -> (rank, merged id). A flat hash table with linear
// probing, at most two thirds full; built once, then only read.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace llmap {

/// What becomes of a pair: a lower rank merges first, and `id` is the merged token.
struct merge_rule {
  std::int32_t rank = -1, id = -1; ///< -1: the pair does not merge
};

/// A map of pairs of ids. Room is set when it is made.
class merge_table {
public:
  /// Room for `count` rules.
  explicit merge_table(std::size_t count = 0) : entries_(std::bit_ceil(count + count / 2 + 2)) {}

  /// A repeated pair keeps its last rule. At most `count` pairs fit.
  void set(std::int32_t left, std::int32_t right, merge_rule rule) {
    entry& e = entries_[slot_of(key(left, right))];
    e = {key(left, right), rule};
  }
  /// Null if the two do not merge.
  const merge_rule* find(std::int32_t left, std::int32_t right) const {
    const entry& e = entries_[slot_of(key(left, right))];
    return e.key == none ? nullptr : &e.rule;
  }

private:
  static constexpr std::uint64_t none = ~std::uint64_t{0}; // ids are not negative, so no pair has this key
  struct entry {
    std::uint64_t key = none;
    merge_rule rule;
  };
  std::vector<entry> entries_;

  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
  }
  /// The slot of `key`, or the free slot where it would go.
  std::size_t slot_of(std::uint64_t key) const {
    const std::size_t mask = entries_.size() - 1;
    std::uint64_t h = key * 0x9e3779b97f4a7c15u;
    h ^= h >> 32;
    std::size_t i = static_cast<std::size_t>(h) & mask;
    while (entries_[i].key != none && entries_[i].key != key) i = (i + 1) & mask;
    return i;
  }
};

} // namespace llmap
