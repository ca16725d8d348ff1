// Strings by their prefixes: which of a set of strings begin at a place of a text.
#pragma once
#include "llmap/text/merge_table.hpp"
#include <cstdint>
#include <string_view>

namespace llmap {

/// A set of numbered strings, compared byte by byte; built once, then only read.
class byte_trie {
  merge_table edges_; // (node, byte) -> child, and the number of the string that ends there or -1
  std::int32_t nodes_ = 1;

public:
  /// Room for strings of `bytes` bytes together.
  explicit byte_trie(std::size_t bytes = 0) : edges_(bytes) {}

  /// The string's number, 0 or more. A repeated string keeps its last number.
  void add(std::string_view text, std::int32_t number) {
    std::int32_t node = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::int32_t byte = static_cast<unsigned char>(text[i]);
      const bool last = i + 1 == text.size();
      const merge_rule* edge = edges_.find(node, byte);
      const merge_rule next{last ? number : edge ? edge->rank : -1, edge ? edge->id : nodes_++};
      edges_.set(node, byte, next);
      node = next.id;
    }
  }

  /// Calls found(length, number) for every string that begins at `at`, shortest first.
  template <class Found> void each_prefix(std::string_view text, std::size_t at, const Found& found) const {
    std::int32_t node = 0;
    for (std::size_t i = at; i < text.size(); ++i) {
      const merge_rule* edge = edges_.find(node, static_cast<unsigned char>(text[i]));
      if (!edge) return;
      if (edge->rank >= 0) found(i + 1 - at, edge->rank);
      node = edge->id;
    }
  }
};

} // namespace llmap
