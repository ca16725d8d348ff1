// What the kernels of attention share: which keys a query sees, how a product becomes a score, which queries a block
// takes.
#pragma once
#include "llmap/core/cuda/buffer.cuh"
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/forward/ops.hpp"
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace llmap::gpu {

inline constexpr unsigned attention_tile = 64; // queries of a block, and keys that go by at a time
template <class T> inline constexpr T no_score = -std::numeric_limits<T>::infinity();

/// Queries [position, position + count) of a text; row: of the first in the slab; text: the text's first row in the
/// batch.
struct query_tile {
  std::size_t row, text;
  std::uint32_t position, count;
};

/// The rows of a slab by text, cut at every 64th position.
inline std::vector<query_tile> query_tiles(const ragged_batch& batch, slab rows) {
  std::vector<query_tile> tiles;
  for_parts(batch, rows, [&](std::size_t t, std::size_t first, std::size_t count) {
    for (std::size_t p = first, n; p < first + count; p += n) {
      n = std::min(attention_tile - p % attention_tile, first + count - p);
      tiles.push_back({batch.offsets[t] + p - rows.first, batch.offsets[t], static_cast<std::uint32_t>(p),
                       static_cast<std::uint32_t>(n)});
    }
  });
  return tiles;
}

template <class T> struct attention_rules {
  const T *slopes, *sinks; // (H) each, or null
  std::uint32_t window, chunk;
  T scale, softcap;
  bool rounded_alibi;

  attention_rules(const attention_shape& shape, const cuda_buffer<T>& alibi, const cuda_buffer<T>& sinks)
      : slopes(alibi.size() ? alibi.data() : nullptr), sinks(sinks.size() ? sinks.data() : nullptr),
        window(static_cast<std::uint32_t>(shape.window)), chunk(static_cast<std::uint32_t>(shape.chunk)),
        scale(static_cast<T>(shape.scale)), softcap(static_cast<T>(shape.softcap)), rounded_alibi(shape.rounded_alibi) {
  }

  __device__ std::uint32_t oldest(std::uint32_t position) const {
    if (chunk) return position / chunk * chunk;
    return window && position + 1 > window ? position + 1 - window : 0;
  }
  __device__ T score(T product, unsigned head, std::uint32_t query, std::uint32_t key) const {
    T z = product * scale;
    if (softcap != T(0)) z = softcap * tanh(z / softcap);
    if (!slopes) return z;
    const T slope = slopes[head];
    if (!rounded_alibi) return z + slope * (static_cast<T>(key) - static_cast<T>(query));
    const auto to_bf16 = [](float v) { return __uint_as_float(std::uint32_t{narrow(v)} << 16); };
    const float factor = to_bf16(static_cast<float>(slope));
    const auto at = [&](std::uint32_t p) { return static_cast<T>(to_bf16(factor * to_bf16(static_cast<float>(p)))); };
    return z + scale * (at(key) - at(query));
  }
};

} // namespace llmap::gpu
