// What ops that go along a text share: the texts of a slab, and channels in parallel.
//
// A text's state lives in registers or rows of `state` while its rows go by. Tasks take channels, never rows, so that
// the order of every sum is that of the text. The next slab goes on from what the last text of a slab leaves.
#pragma once
#include "llmap/core/cpu_executor.hpp"
#include "llmap/forward/batch.hpp"
#include <algorithm>
#include <cmath>

namespace llmap::detail {

/// log(1 + exp(x))
inline double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

/// Calls body(first row in the slab, rows, whether the text begins here) for the texts of a slab.
template <class Body> void for_texts(const ragged_batch& batch, slab rows, const Body& body) {
  for_parts(batch, rows, [&](std::size_t text, std::size_t position, std::size_t count) {
    body(batch.offsets[text] + position - rows.first, count, position == 0);
  });
}

/// Calls body(first, count) for blocks of the n channels, in parallel.
template <class Body> void for_channels(const cpu_executor& exec, std::size_t n, const Body& body) {
  const std::size_t threads = static_cast<std::size_t>(std::max(exec.threads, 1));
  const std::size_t block = std::max<std::size_t>(16, (n + 4 * threads - 1) / (4 * threads));
  for_row_blocks(exec, n, block, body);
}

} // namespace llmap::detail
