// A loop over all pairs of models.
#pragma once
#include "llmap/core/cpu_executor.hpp"
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace llmap::detail {

/// Calls body(i, j) for all i < j < K, in square tiles, so that entries (i, j) and (j, i) of a table both lie near
/// those of the previous pair.
template <class Body> void for_pairs(const cpu_executor& exec, std::size_t K, const Body& body) {
  constexpr std::size_t tile = 32;
  std::vector<std::pair<std::size_t, std::size_t>> tiles;
  for (std::size_t i = 0; i < K; i += tile)
    for (std::size_t j = i; j < K; j += tile) tiles.emplace_back(i, j);
  parallel_for(exec.threads, tiles.size(), [&](std::size_t t) {
    const auto [i0, j0] = tiles[t];
    for (std::size_t i = i0; i < std::min(i0 + tile, K); ++i)
      for (std::size_t j = std::max(j0, i + 1); j < std::min(j0 + tile, K); ++j) body(i, j);
  });
}

} // namespace llmap::detail
