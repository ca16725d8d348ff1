// attention: causal softmax attention inside each text of a ragged batch, with grouped key/value heads.
//   qkv (T, H D + 2 Hkv D) = [q heads | k heads | v heads] of each row;  out (T, H D)
//   out_i = sum_j softmax_j(cap(scale q_i . k_j) + slope (j - i)) v_j  over the keys j <= i inside the window
// Online softmax (Milakov and Gimelshein 2018; Rabe and Staats 2021) over blocks of keys that count from the start
// of the text, so the bits of a text do not depend on what else is in the batch; no (T, T) matrix is stored.
// Blocks that no query of a tile can see are skipped. Keys and values are packed once a layer for matrix_tile.
#pragma once
#include "llmap/core/vector_math.hpp"
#include "llmap/forward/batch.hpp"
#include "llmap/forward/cpu_executor.hpp"
#include "llmap/forward/matrix_tile.hpp"
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace llmap {

/// What attention needs of an attention_plan, at working precision.
template <class T> struct attention_options {
  std::size_t heads = 0, kv_heads = 0, head_dim = 0;
  T scale = 1, softcap = 0; // softcap 0: none
  std::size_t window = 0;   // 0: none
  std::vector<T> alibi;     // slope a head, or empty
};

/// ALiBi slopes of H heads. Source: Press et al. 2022, with BLOOM's rule where H is no power of two.
inline std::vector<double> alibi_slopes(std::size_t heads) {
  std::size_t power = 1;
  while (power * 2 <= heads) power *= 2;
  std::vector<double> slopes;
  const double p = static_cast<double>(power);
  for (std::size_t i = 1; i <= power; ++i) slopes.push_back(std::exp2(-8.0 * static_cast<double>(i) / p));
  for (std::size_t i = 1; slopes.size() < heads; i += 2) slopes.push_back(std::exp2(-4.0 * static_cast<double>(i) / p));
  return slopes;
}

/// Room that attention keeps between calls: the packed keys and values of one layer.
template <class T> struct attention_workspace {
  aligned_buffer<T> keys, values;
};

namespace detail {

/// Queries and keys of one tile; keys is a multiple of every panel width.
inline constexpr std::size_t query_tile = 48, key_block = 128;

constexpr std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

template <class T> struct attention_task {
  const attention_options<T>* options;
  matrix_view<const T> q;  // (n, D), queries first .. first + n of one head of one text
  matrix_view<T> out;      // (n, D)
  std::size_t first;       // position of the first query in its text
  const T *keys, *values;  // panels of the text's (Lp, D) keys and of its (Dp, L) values
  std::size_t length;      // L, tokens of the text
  T slope;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    constexpr std::size_t NR = panel_columns<Isa, T>;
    constexpr T infinity = std::numeric_limits<T>::infinity();
    const std::size_t n = q.rows, D = q.cols, padded = round_up(D, NR);
    alignas(64) T score[query_tile * key_block];
    alignas(64) T sum[query_tile], top[query_tile];
    aligned_buffer<T> room(query_tile * padded);
    T* total = room.data(); // (n, padded): unnormalised output
    std::fill(total, total + n * padded, T(0));
    std::fill(sum, sum + n, T(0));
    std::fill(top, top + n, -infinity);

    const std::size_t window = options->window;
    const std::size_t begin = window && first + 1 > window ? first + 1 - window : 0, end = first + n;
    for (std::size_t block = begin / key_block * key_block; block < end; block += key_block) {
      const std::size_t count = std::min(key_block, end - block), columns = round_up(count, NR);
      for (std::size_t j = 0; j < columns; j += NR)
        matrix_panel<Isa, T>(n, D, q.data, q.stride, keys + (block + j) * D, score + j, key_block, false);
      for (std::size_t i = 0; i < n; ++i) {
        T* s = score + i * key_block;
        const std::size_t position = first + i;
        // Visible keys of this block: [low, high).
        const std::size_t high = std::min(columns, position + 1 > block ? position + 1 - block : 0);
        const std::size_t oldest = window && position + 1 > window ? position + 1 - window : 0;
        const std::size_t low = std::min(columns, oldest > block ? oldest - block : 0);
        if (low >= high) {
          std::fill(s, s + columns, T(0));
          continue;
        }
        // Vectors that hold a visible key: [from, to); what they hold beyond is masked, the rest of the row is 0.
        const std::size_t from = low / W * W, to = round_up(high, W);
        T scale = options->scale;
        if (options->softcap != T(0) || slope != T(0)) {
          adjust<Isa>(s, from, to, position, block);
          scale = T(1);
        }
        std::fill(s + from, s + low, -infinity);
        std::fill(s + high, s + to, -infinity);
        simd::vec<T, W> most = simd::load<T, W>(s + from);
        for (std::size_t j = from + W; j < to; j += W) most = simd::maximum<T, W>(most, simd::load<T, W>(s + j));
        const T m = std::max(top[i], scale * simd::maximum<T, W>(most));
        simd::vec<T, W> added{};
        for (std::size_t j = from; j < to; j += W) {
          const simd::vec<T, W> p = simd::exp<T, W>(simd::load<T, W>(s + j) * scale - m);
          added += p;
          simd::store<T, W>(s + j, p);
        }
        std::fill(s, s + from, T(0));
        std::fill(s + to, s + columns, T(0));
        if (m != top[i]) {
          const T shrink = top[i] == -infinity ? T(0) : simd::exp<T, W>(simd::broadcast<T, W>(top[i] - m))[0];
          sum[i] *= shrink;
          for (std::size_t d = 0; d < padded; d += W)
            simd::store<T, W>(total + i * padded + d, simd::load<T, W>(total + i * padded + d) * shrink);
          top[i] = m;
        }
        sum[i] += simd::sum<T, W>(added);
      }
      for (std::size_t d = 0; d < padded; d += NR)
        matrix_panel<Isa, T>(n, count, score, key_block, values + d * length + block * NR, total + d, padded, true);
    }
    for (std::size_t i = 0; i < n; ++i) {
      const T share = T(1) / sum[i];
      for (std::size_t d = 0; d < D; ++d) out(i, d) = total[i * padded + d] * share;
    }
  }

  /// Scores of one query, scaled, soft-capped and with ALiBi.
  template <class Isa> LLMAP_INLINE void adjust(T* s, std::size_t from, std::size_t to, std::size_t position, std::size_t block) const {
    constexpr int W = simd::width<Isa, T>;
    const T cap = options->softcap;
    for (std::size_t j = from; j < to; j += W) {
      simd::vec<T, W> v = simd::load<T, W>(s + j) * options->scale;
      if (cap != T(0)) v = cap * simd::tanh<T, W>(v / cap);
      simd::store<T, W>(s + j, v);
    }
    if (slope != T(0))
      for (std::size_t j = from; j < to; ++j) s[j] -= slope * (static_cast<T>(position) - static_cast<T>(block + j));
  }
};

} // namespace detail

template <class T>
void attention(const cpu_executor& exec, const attention_options<T>& options, const ragged_batch& batch,
               std::type_identity_t<matrix_view<const T>> qkv, std::type_identity_t<matrix_view<T>> out,
               attention_workspace<T>& workspace) {
  const std::size_t D = options.head_dim, H = options.heads, G = options.kv_heads, NR = simd::panel_width<T>();
  LLMAP_EXPECTS(qkv.cols == (H + 2 * G) * D && out.cols == H * D && qkv.rows == batch.rows(), "attention: shapes");
  const std::size_t padded = detail::round_up(D, NR);

  // 1. Pack keys as panels of NR keys (Lp, D) and values as panels of NR dims (L, NR), by text and kv head.
  std::vector<std::size_t> key_start(batch.texts() + 1, 0);
  for (std::size_t t = 0; t < batch.texts(); ++t) key_start[t + 1] = key_start[t] + detail::round_up(batch.length(t), NR);
  workspace.keys.resize(key_start.back() * G * D);
  workspace.values.resize(batch.rows() * G * padded);
  const auto keys_of = [&](std::size_t t, std::size_t g) {
    return workspace.keys.data() + (key_start[t] * G + g * (key_start[t + 1] - key_start[t])) * D;
  };
  const auto values_of = [&](std::size_t t, std::size_t g) {
    return workspace.values.data() + (batch.offsets[t] * G + g * batch.length(t)) * padded;
  };
  parallel_for(exec.threads, batch.texts() * G, [&](std::size_t task) {
    const std::size_t t = task / G, g = task % G, L = batch.length(t), row = batch.offsets[t];
    T *keys = keys_of(t, g), *values = values_of(t, g);
    for (std::size_t j = 0; j < detail::round_up(L, NR); ++j) {
      T* to = keys + j / NR * NR * D + j % NR;
      const T* from = j < L ? qkv.row(row + j) + (H + g) * D : nullptr;
      for (std::size_t d = 0; d < D; ++d) to[d * NR] = from ? from[d] : T(0);
    }
    for (std::size_t d = 0; d < padded; ++d)
      for (std::size_t j = 0; j < L; ++j)
        values[d / NR * NR * L + j * NR + d % NR] = d < D ? qkv(row + j, (H + G + g) * D + d) : T(0);
  });

  // 2. One task a text, head and tile of queries.
  struct tile { std::size_t text, first; };
  std::vector<tile> tiles;
  for (std::size_t t = 0; t < batch.texts(); ++t)
    for (std::size_t first = 0; first < batch.length(t); first += detail::query_tile) tiles.push_back({t, first});
  parallel_for(exec.threads, tiles.size() * H, [&](std::size_t task) {
    const auto [t, first] = tiles[task / H];
    const std::size_t h = task % H, g = h / (H / G), L = batch.length(t), row = batch.offsets[t] + first;
    const std::size_t n = std::min(detail::query_tile, L - first);
    simd::run(detail::attention_task<T>{&options, qkv.row_range(row, n).column_range(h * D, D),
                                        out.row_range(row, n).column_range(h * D, D), first, keys_of(t, g), values_of(t, g), L,
                                        options.alibi.empty() ? T(0) : options.alibi[h]});
  });
}

} // namespace llmap
