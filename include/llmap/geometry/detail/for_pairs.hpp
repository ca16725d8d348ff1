// A loop over all pairs of models.
#pragma once
#include "llmap/core/parallel.hpp"
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace llmap::detail {

/// Calls body(i, j) for all i < j < K, in square tiles, so that entries (i, j) and (j, i) of a table are both
/// near the ones before.
template <class Body> void for_pairs(int threads, std::ptrdiff_t K, const Body& body) {
  constexpr std::ptrdiff_t tile = 32;
  std::vector<std::pair<std::ptrdiff_t, std::ptrdiff_t>> tiles;
  for (std::ptrdiff_t i = 0; i < K; i += tile)
    for (std::ptrdiff_t j = i; j < K; j += tile) tiles.emplace_back(i, j);
  parallel_for(threads, tiles.size(), [&](std::size_t t) {
    const auto [i0, j0] = tiles[t];
    for (std::ptrdiff_t i = i0; i < std::min(i0 + tile, K); ++i)
      for (std::ptrdiff_t j = std::max(j0, i + 1); j < std::min(j0 + tile, K); ++j) body(i, j);
  });
}

} // namespace llmap::detail
