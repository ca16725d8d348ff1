// A ragged batch: the ids of several texts one after another, no padding. Text t has the rows
// [offsets[t], offsets[t + 1]); positions count from the start of each text. A layer works through the rows of a batch
// in slabs, in order; between slabs it keeps the keys and values of each row.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace llmap {

/// Texts as ids, for one pass. Ids are not checked against a vocabulary here.
struct ragged_batch {
  std::vector<std::int32_t> ids;          // (T)
  std::vector<std::size_t> offsets = {0}; // (texts + 1)

  /// Appends a text; it may be empty.
  void add(std::span<const std::int32_t> text) {
    ids.insert(ids.end(), text.begin(), text.end());
    offsets.push_back(ids.size());
  }
  std::size_t texts() const { return offsets.size() - 1; } ///< how many there are
  std::size_t rows() const { return ids.size(); }
  /// The text that holds a row.
  std::size_t text_of(std::size_t row) const {
    return static_cast<std::size_t>(std::upper_bound(offsets.begin(), offsets.end(), row) - offsets.begin()) - 1;
  }
  std::size_t length(std::size_t text) const { return offsets[text + 1] - offsets[text]; } ///< tokens of a text
};

/// Consecutive rows of a batch; they may begin and end inside a text.
struct slab {
  std::size_t first = 0, count = 0; ///< rows [first, first + count) of the batch
};

inline constexpr std::size_t slab_unit = 48; ///< whole tiles of every kernel, whatever their height

/// Cuts `rows` rows into even slabs of at most `most`, multiples of `unit` except the last, and calls body(slab).
template <class Body> void for_slabs(std::size_t rows, std::size_t most, std::size_t unit, const Body& body) {
  const std::size_t slabs = (rows + most - 1) / most, even = slabs ? (rows + slabs - 1) / slabs : 0;
  const std::size_t step = std::min(most, (even + unit - 1) / unit * unit);
  for (std::size_t first = 0; first < rows; first += step) body(slab{first, std::min(step, rows - first)});
}

/// Calls body(text, position, count) for the part of each text that lies in a slab.
template <class Body> void for_parts(const ragged_batch& batch, slab rows, const Body& body) {
  const std::size_t end = rows.first + rows.count;
  for (std::size_t row = rows.first, text = row < end ? batch.text_of(row) : 0; row < end; ++text) {
    const std::size_t n = std::min(end, batch.offsets[text + 1]) - row;
    if (n) body(text, row - batch.offsets[text], n);
    row += n;
  }
}

} // namespace llmap
