// A ragged batch: the ids of several texts one after another, no padding. Text t has the rows
// [offsets[t], offsets[t + 1]); positions count from the start of each text.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace llmap {

struct ragged_batch {
  std::vector<std::int32_t> ids;         // (T)
  std::vector<std::size_t> offsets = {0}; // (texts + 1)

  void add(std::span<const std::int32_t> text) {
    ids.insert(ids.end(), text.begin(), text.end());
    offsets.push_back(ids.size());
  }
  std::size_t texts() const { return offsets.size() - 1; }
  std::size_t rows() const { return ids.size(); }
  /// The text that holds a row.
  std::size_t text_of(std::size_t row) const {
    return static_cast<std::size_t>(std::upper_bound(offsets.begin(), offsets.end(), row) - offsets.begin()) - 1;
  }
  std::size_t length(std::size_t text) const { return offsets[text + 1] - offsets[text]; }
};

} // namespace llmap
