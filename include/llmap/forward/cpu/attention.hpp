// attention: causal softmax attention inside each text of a ragged batch, with grouped key/value heads.
//   qkv (T, H D + Hkv D + Hkv Dv) = [q heads | k heads | v heads] of each row;  out (T, H Dv)
//   out_i = sum_j softmax_j(cap(scale q_i . k_j) + slope (j - i)) v_j  over the keys j <= i of the window or chunk
// A sink is one more score of the softmax, without a value. With rounded_alibi the bias is that of Falcon,
//   scale (b(j) - b(i)),  b(j) = slope * j with factors and product rounded to bf16.
// Online softmax (Milakov and Gimelshein 2018; Rabe and Staats 2021) over blocks of keys that count from the start
// of the text, so the bits of a text do not depend on what else is in the batch; no (T, T) matrix is stored.
// A task takes a few queries of all heads that share a key/value head, so that keys and values stream by once.
// Both products use matrix_tile; a tile of scores becomes weights exp(score - shift) while it is in registers,
// as in the fused head. Tiles that no query can see are skipped.
#pragma once
#include "llmap/core/dtype.hpp"
#include "llmap/forward/cpu/online_softmax.hpp"
#include "llmap/forward/cpu/packed_product.hpp"
#include "llmap/forward/ops.hpp"
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace llmap {

/// What attention keeps between calls: the packed keys and values of one layer and batch, and how a slab is cut.
template <class T> class cpu_keys_values {
public:
  /// Positions [first, first + count) of a text.
  struct tile {
    std::size_t text, first, count; ///< numbers of the text and the positions
  };
  aligned_buffer<T> keys, values;           ///< packed for matrix_tile
  std::vector<std::size_t> key_start;       ///< of each text in key_tiles
  std::vector<tile> key_tiles, query_tiles; ///< of the batch, and of the slab
};

namespace detail {

inline constexpr std::size_t query_rows = 48, key_block = 128; // rows (queries x heads) of a task, keys at a time

constexpr std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

template <class T>
inline constexpr auto lane_numbers = [] {
  std::array<T, 64> lanes{};
  for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = static_cast<T>(i);
  return lanes;
}();

/// Packs some keys and values of one kv head of one text for matrix_tile: keys as panels [D][NR] of NR keys, values as
/// panels [L][NR] of NR dims, both padded with zeros.
template <class T> struct pack_keys_task {
  matrix_view<const T> keys, values; // (n, D), (n, Dv)
  std::size_t first, length;         // position of the first in its text; L, tokens of the text
  T *packed_keys, *packed_values;    // of the text

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr std::size_t NR = simd::panel_columns<Isa, T>;
    constexpr int W = simd::width<Isa, T>;
    const std::size_t n = keys.rows, D = keys.cols;
    for (std::size_t j = 0, count; j < n; j += count) { // a panel, or the part of it that is here
      const std::size_t column = (first + j) % NR;
      count = std::min(NR - column, n - j);
      T* const panel = packed_keys + (first + j - column) * D;
      if (count == NR)
        pack_strip<Isa, T, static_cast<int>(NR)>(
            D, [&](std::size_t i) __attribute__((always_inline)) { return keys.row(j + i); }, panel);
      else
        for (std::size_t d = 0; d < D; ++d)
          for (std::size_t i = column; i < NR; ++i)
            panel[d * NR + i] = i < column + count ? keys(j + i - column, d) : T(0);
    }
    for (std::size_t d = 0; d < values.cols; d += NR)
      for (std::size_t row = 0; row < n; ++row) {
        T* to = packed_values + d * length + (first + row) * NR;
        const T* from = values.row(row) + d;
        if (d + NR <= values.cols) {
          for (std::size_t i = 0; i < NR; i += W) simd::store<T, W>(to + i, simd::load<T, W>(from + i));
        } else {
          for (std::size_t i = 0; i < NR; ++i) to[i] = d + i < values.cols ? from[i] : T(0);
        }
      }
  }
};

/// Soft cap and ALiBi on a tile of scores in memory: a kernel of its own, compiled once for all heights of a tile.
template <class T> struct adjust_scores_task {
  const attention_shape* shape;
  T softcap;
  const T* slopes;        // (Q), or null
  T* score;               // (rows, NR)
  std::size_t rows;       // of the tile
  std::size_t row;        // the first, as attention_task numbers them
  std::size_t first, key; // positions of query 0 and of column 0

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    constexpr std::size_t NR = simd::panel_columns<Isa, T>;
    const std::size_t Q = shape->heads / shape->kv_heads;
    const T cap = softcap;
    for (std::size_t i = 0; i < rows; ++i) {
      const std::size_t query = first + (row + i) / Q;
      const T slope = slopes ? slopes[(row + i) % Q] : T(0);
      T* const scores = score + i * NR;
      if (shape->rounded_alibi) {
        const auto rounded = [slope](std::size_t position) {
          const float factor = static_cast<float>(bf16(static_cast<float>(slope))),
                      at = static_cast<float>(bf16(static_cast<float>(position)));
          return static_cast<T>(static_cast<float>(bf16(factor * at)));
        };
        const T own = rounded(query);
        for (std::size_t j = 0; j < NR; ++j) scores[j] += static_cast<T>(shape->scale) * (rounded(key + j) - own);
        continue;
      }
      const T distance = static_cast<T>(key) - static_cast<T>(query);
      for (std::size_t j = 0; j < NR; j += W) {
        simd::vec<T, W> z = simd::load<T, W>(scores + j);
        if (cap != T(0)) z = cap * simd::tanh<T, W>(z / cap);
        simd::store<T, W>(scores + j, z + slope * (simd::load<T, W>(lane_numbers<T>.data() + j) + distance));
      }
    }
  }
};

/// Attention of `queries` consecutive queries of one text, for the Q heads of one kv head. Row r is query r / Q, head
/// r % Q, so that the rows of a tile lie close together in the text.
template <class T> struct attention_task {
  const attention_shape* shape;
  T softcap;
  matrix_view<const T> q;  // (queries, Q D)
  matrix_view<T> out;      // (queries, Q Dv)
  std::size_t first;       // position of the first query in its text
  const T *keys, *values;  // packed
  std::size_t length;      // L, tokens of the text
  const T *slopes, *sinks; // (Q) each, or null
  T* scratch;              // scratch_size elements

  std::size_t heads() const { return shape->heads / shape->kv_heads; } // Q
  static std::size_t scratch_size(std::size_t rows, const attention_shape& shape) {
    const std::size_t NR = simd::panel_width<T>();
    return rows * (key_block + round_up(shape.value_dim, NR) + shape.key_dim + NR / simd::tile_vectors + 1);
  }

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    constexpr std::size_t NR = simd::panel_columns<Isa, T>;
    const std::size_t D = shape->key_dim, Dv = shape->value_dim, Q = heads(), rows = q.rows * Q,
                      padded = round_up(Dv, NR);
    T* const weights = scratch;                  // (rows, key_block)
    T* const total = weights + rows * key_block; // (rows, padded): sums of weighted values
    T* const sums = total + rows * padded;       // (rows, W): sums of weights by lane
    T* const packed = sums + rows * W;           // packed rows of scale q
    T* const shift = packed + rows * D;          // (rows)
    std::fill(total, total + rows * (padded + W), T(0));
    std::fill(shift, shift + rows, no_shift<T>);
    for_strips<Isa>(
        rows, [&]<int R>(std::size_t r) __attribute__((always_inline)) {
          const T* row[R];
          for (std::size_t i = 0; i < R; ++i) row[i] = q.row((r + i) / Q) + (r + i) % Q * D;
          pack_strip<Isa, T, R>(
              D, [&](std::size_t i) __attribute__((always_inline)) { return row[i]; }, packed + r * D);
        });
    for (std::size_t i = 0; i < rows * D; ++i) packed[i] *= static_cast<T>(shape->scale);

    const std::size_t end = first + q.rows;
    for (std::size_t block = shape->oldest(first) / key_block * key_block; block < end; block += key_block) {
      for (std::size_t key = block; key < std::min(block + key_block, end); key += NR)
        for_strips<Isa>(
            rows, [&]<int R>(std::size_t r) __attribute__((always_inline)) {
              const std::size_t low = first + r / Q, high = first + (r + R - 1) / Q; // positions of the rows
              if (key > high || key + NR <= shape->oldest(low)) return;
              matrix_tile<Isa, T, R> tile;
              tile.clear();
              tile.multiply_add(D, packed + r * D, 1, R, keys + key * D);
              const bool seen = key + NR <= low + 1 && key >= shape->oldest(high);
              weigh<Isa>(tile, r, block, key, seen, weights, total, padded, sums, shift);
            });
      for_strips<Isa>(
          rows, [&]<int R>(std::size_t r) __attribute__((always_inline)) {
            const std::size_t low = first + r / Q, high = first + (r + R - 1) / Q;
            // Keys of the tiles that were not skipped: [from, to).
            const std::size_t hidden = shape->oldest(low) / NR * NR;
            const std::size_t from = std::max(block, hidden), to = std::min(block + key_block, high + 1);
            if (from >= to) return;
            for (std::size_t d = 0; d < padded; d += NR) {
              matrix_tile<Isa, T, R> tile;
              tile.clear();
              tile.multiply_add(to - from, weights + r * key_block + (from - block), key_block, 1,
                                values + d * length + from * NR);
              tile.add(total + r * padded + d, padded);
              tile.store(total + r * padded + d, padded);
            }
          });
    }
    for (std::size_t r = 0; r < rows; ++r) {
      T sum = simd::sum<T, W>(simd::load<T, W>(sums + r * W));
      if (sinks) sum += std::exp(sinks[r % Q] - shift[r]);
      const T share = T(1) / sum;
      T* to = out.row(r / Q) + r % Q * Dv;
      const T* from = total + r * padded;
      for (std::size_t d = 0; d < Dv; ++d) to[d] = from[d] * share;
    }
  }

  /// Turns the scores of the keys key, key + 1, ... into weights; if the shift of a row moves, its sums so far are
  /// scaled down. `seen`: every row sees every key.
  template <class Isa, int R>
  LLMAP_INLINE void weigh(matrix_tile<Isa, T, R>& tile, std::size_t row, std::size_t block, std::size_t key, bool seen,
                          T* weights, T* total, std::size_t padded, T* sums, T* shift) const {
    constexpr int V = simd::tile_vectors, W = simd::width<Isa, T>;
    constexpr T infinity = std::numeric_limits<T>::infinity();
    using vector = simd::vec<T, W>;
    if (softcap != T(0) || slopes) { // through memory, so that the tile stays in registers if there is neither
      T score[R * V * W];
      tile.store(score, V * W);
      simd::run(adjust_scores_task<T>{shape, softcap, slopes, score, R, row, first, key});
      tile.load(score, V * W);
    }
    if (!seen) {
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i) {
        // A key in [oldest, position] is visible: it is at most `half` away from `middle`. Exact in T, and one
        // comparison: GCC 12 takes two comparisons on one vector apart.
        const std::size_t position = first + (row + static_cast<std::size_t>(i)) / heads();
        const std::size_t oldest = shape->oldest(position);
        const T half = T(0.5) * static_cast<T>(position - oldest),
                middle = static_cast<T>(oldest) + half - static_cast<T>(key);
#pragma GCC unroll 4
        for (int j = 0; j < V; ++j) {
          const vector away = simd::load<T, W>(lane_numbers<T>.data() + j * W) - middle;
          tile.c[i][j] = simd::maximum<T, W>(away, -away) > half ? simd::broadcast<T, W>(-infinity) : tile.c[i][j];
        }
      }
    }
    move_shifts(
        tile, shift + row, [&](std::size_t i, T factor) __attribute__((always_inline)) {
          scale_by<Isa>(total + (row + i) * padded, padded, factor);
          scale_by<Isa>(weights + (row + i) * key_block, key - block, factor);
          scale_by<Isa>(sums + (row + i) * W, W, factor);
        });
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const std::size_t r = row + static_cast<std::size_t>(i);
      const T m = shift[r];
      vector sum = simd::load<T, W>(sums + r * W);
#pragma GCC unroll 4
      for (int j = 0; j < V; ++j) {
        vector p = simd::exp_term<T, W>(tile.c[i][j] - m);
        if (!seen) p = tile.c[i][j] > -infinity ? p : vector{};
        sum += p;
        simd::store<T, W>(weights + r * key_block + (key - block) + static_cast<std::size_t>(j * W), p);
      }
      simd::store<T, W>(sums + r * W, sum);
    }
  }
};

} // namespace detail

/// Columns that attention keeps of each token: keys, and values padded to whole panels.
template <class T>
std::int64_t keys_values_columns(const cpu_executor&, std::int64_t kv_heads, std::int64_t key_dim,
                                 std::int64_t value_dim) {
  const auto panel = static_cast<std::int64_t>(simd::panel_width<T>());
  return kv_heads * (key_dim + (value_dim + panel - 1) / panel * panel);
}

/// Attention of the rows of a slab. Slabs come in order, so that `kept` holds the keys and values before them.
template <class T>
void attention(const cpu_executor& exec, const attention_shape& shape,
               const aligned_buffer<std::type_identity_t<T>>& alibi,
               const aligned_buffer<std::type_identity_t<T>>& sinks, const ragged_batch& batch, slab rows,
               std::type_identity_t<matrix_view<const T>> qkv, std::type_identity_t<matrix_view<T>> out,
               cpu_keys_values<T>& kept, cpu_scratch<T>& scratch) {
  const std::size_t D = shape.key_dim, Dv = shape.value_dim, H = shape.heads, G = shape.kv_heads, Q = H / G,
                    NR = simd::panel_width<T>();
  const bool own = qkv.cols != H * D; // keys and values, else those that are kept
  LLMAP_EXPECTS((!own || qkv.cols == (H + G) * D + G * Dv) && out.cols == H * Dv && qkv.rows == rows.count &&
                    out.rows == rows.count,
                "attention: shapes");
  LLMAP_EXPECTS((alibi.size() == 0 || alibi.size() == H) && (sinks.size() == 0 || sinks.size() == H),
                "attention: one slope and one sink per head");
  const std::size_t padded = detail::round_up(Dv, NR);

  // 1. Pack keys and values by text and kv head.
  std::vector<std::size_t>& key_start = kept.key_start;
  key_start.assign(batch.texts() + 1, 0);
  for (std::size_t t = 0; t < batch.texts(); ++t)
    key_start[t + 1] = key_start[t] + detail::round_up(batch.length(t), NR);
  LLMAP_EXPECTS(own || kept.values.size() >= batch.rows() * G * padded, "attention: keys and values that are kept");
  if (own) kept.keys.resize(key_start.back() * G * D), kept.values.resize(batch.rows() * G * padded);
  const auto keys_of = [&](std::size_t t, std::size_t g) {
    return kept.keys.data() + (key_start[t] * G + g * (key_start[t + 1] - key_start[t])) * D;
  };
  const auto values_of = [&](std::size_t t, std::size_t g) {
    return kept.values.data() + (batch.offsets[t] * G + g * batch.length(t)) * padded;
  };
  // At multiples of step, so that no two tiles share a panel of keys.
  const auto cut_texts = [&](std::size_t step, auto& tiles) {
    tiles.clear();
    for_parts(batch, rows, [&](std::size_t t, std::size_t first, std::size_t count) {
      for (std::size_t p = first, n; p < first + count; p += n)
        tiles.push_back({t, p, n = std::min(step - p % step, first + count - p)});
    });
  };
  kept.key_tiles.clear();
  if (own) cut_texts(detail::key_block, kept.key_tiles);
  parallel_for(exec.threads, kept.key_tiles.size() * G, [&](std::size_t task) {
    const auto [t, first, n] = kept.key_tiles[task / G];
    const std::size_t g = task % G;
    const auto kv = qkv.row_range(batch.offsets[t] + first - rows.first, n);
    simd::run(detail::pack_keys_task<T>{kv.column_range((H + g) * D, D), kv.column_range((H + G) * D + g * Dv, Dv),
                                        first, batch.length(t), keys_of(t, g), values_of(t, g)});
  });

  // 2. One task per text, kv head and tile of queries.
  const std::size_t queries = std::max<std::size_t>(1, detail::query_rows / Q);
  auto& tiles = kept.query_tiles;
  cut_texts(queries, tiles);
  scratch.threads.prepare(exec.threads);
  const auto of_group = [&](const aligned_buffer<T>& of_heads, std::size_t g) {
    return of_heads.size() == 0 ? nullptr : of_heads.data() + g * Q;
  };
  parallel_for(exec.threads, tiles.size() * G, [&](std::size_t task, std::size_t thread) {
    const auto [t, first, n] = tiles[task / G];
    const std::size_t g = task % G, row = batch.offsets[t] + first - rows.first;
    T* const room = scratch.threads.of(thread, detail::attention_task<T>::scratch_size(n * Q, shape));
    simd::run(detail::attention_task<T>{
        &shape, static_cast<T>(shape.softcap), qkv.row_range(row, n).column_range(g * Q * D, Q * D),
        out.row_range(row, n).column_range(g * Q * Dv, Q * Dv), first, keys_of(t, g), values_of(t, g), batch.length(t),
        of_group(alibi, g), of_group(sinks, g), room});
  });
}

} // namespace llmap
