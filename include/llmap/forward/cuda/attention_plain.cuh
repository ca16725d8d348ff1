// Attention by multiply-adds in T (attention.cuh says what it computes): a block takes 64 queries of one head and text,
// counted from the start of the text, and goes through the keys they see, 64 at a time, with an online softmax (Milakov
// and Gimelshein 2018). A thread has 4 x 4 scores, and 4 rows by 4 columns of each 64 of the weighted values; the 16
// threads of a row lie side by side in a warp. Keys, queries and values go by through shared memory in steps of 64
// bytes of a row. A tile that a row does not see leaves its sums as they are, bit by bit.
#pragma once
#include "llmap/core/view.hpp"
#include "llmap/forward/cuda/attention_rules.cuh"
#include <cstdint>

namespace llmap::gpu {

inline constexpr unsigned attention_threads = 256;

template <class T> struct attention_operands {
  matrix_view<const T> q, keys, values; // (S, H D); (T, Hkv D), (T, Hkv Dv) of the batch
  matrix_view<T> out;                   // (S, H Dv)
  const query_tile* tiles;
  attention_rules<T> rules;
  std::uint32_t D, Dv, group; // group: heads that share keys and values
};

/// Panels: of 64 columns of the values a block takes.
template <class T, int Panels>
__global__ void __launch_bounds__(attention_threads, sizeof(T) == 4 ? 2 : 1)
    attention_plain_kernel(attention_operands<T> a) {
  constexpr unsigned tile = attention_tile, depth = 64 / sizeof(T), stride = tile + 4;
  constexpr T none = no_score<T>;
  struct alignas(16) quad {
    T of[4];
  };
  union staging {
    struct {
      T q[depth][stride], k[depth][stride];
    } scores;
    T v[depth][tile * Panels];
  };
  alignas(16) __shared__ T weights[tile][stride];
  alignas(16) __shared__ staging stage;
  const query_tile own = a.tiles[blockIdx.x];
  const unsigned head = blockIdx.y, kv_head = head / a.group, thread = threadIdx.x;
  const unsigned row = thread / 16 * 4, column = thread % 16 * 4; // of the tile
  const std::uint32_t end = own.position + own.count, first_value = blockIdx.z * tile * Panels;

  T m[4], sums[4], o[4][4 * Panels] = {};
#pragma unroll
  for (unsigned i = 0; i < 4; ++i) {
    m[i] = a.rules.sinks ? a.rules.sinks[head] : none;
    sums[i] = column == 0 && m[i] > none ? T(1) : T(0);
  }
  for (std::uint32_t first_key = a.rules.oldest(own.position) / tile * tile; first_key < end; first_key += tile) {
    const std::uint32_t keys = min(tile, end - first_key);
    // 1. Products of queries and keys
    T s[4][4] = {};
    for (std::uint32_t d = 0; d < a.D; d += depth) {
      __syncthreads();
#pragma unroll
      for (unsigned i = thread; i < tile * depth; i += attention_threads) {
        const unsigned r = i / depth, k = i % depth;
        const bool inside = d + k < a.D;
        stage.scores.q[k][r] = inside && r < own.count ? a.q(own.row + r, std::size_t{head} * a.D + d + k) : T(0);
        stage.scores.k[k][r] =
            inside && r < keys ? a.keys(own.text + first_key + r, std::size_t{kv_head} * a.D + d + k) : T(0);
      }
      __syncthreads();
#pragma unroll
      for (unsigned k = 0; k < depth; ++k) {
        const quad q = *reinterpret_cast<const quad*>(&stage.scores.q[k][row]);
        const quad key = *reinterpret_cast<const quad*>(&stage.scores.k[k][column]);
#pragma unroll
        for (unsigned i = 0; i < 4; ++i)
#pragma unroll
          for (unsigned j = 0; j < 4; ++j) s[i][j] = fma(q.of[i], key.of[j], s[i][j]);
      }
    }
    // 2. Weights
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) {
      const std::uint32_t query = own.position + row + i, oldest = a.rules.oldest(query);
      T most = m[i];
#pragma unroll
      for (unsigned j = 0; j < 4; ++j) {
        const std::uint32_t key = first_key + column + j;
        const bool seen = row + i < own.count && key <= query && key >= oldest;
        s[i][j] = seen ? a.rules.score(s[i][j], head, query, key) : none;
        most = max(most, s[i][j]); // a NaN is not taken, but comes in with the sum
      }
#pragma unroll
      for (unsigned offset = 1; offset < 16; offset *= 2) most = max(most, __shfl_xor_sync(0xffffffffu, most, offset));
      const T shift = most == none ? T(0) : most, factor = exp_below(m[i] - shift);
      m[i] = most;
      quad w;
      T sum = 0;
#pragma unroll
      for (unsigned j = 0; j < 4; ++j) sum += w.of[j] = exp_below(s[i][j] - shift);
      sums[i] = sums[i] * factor + sum;
#pragma unroll
      for (unsigned j = 0; j < 4 * Panels; ++j) o[i][j] *= factor;
      *reinterpret_cast<quad*>(&weights[row + i][column]) = w;
    }
    // 3. Weighted values
    for (std::uint32_t k = 0; k < keys; k += depth) {
      __syncthreads();
      for (unsigned i = thread; i < depth * tile * Panels; i += attention_threads) {
        const unsigned r = i / (tile * Panels), c = i % (tile * Panels);
        stage.v[r][c] = k + r < keys && first_value + c < a.Dv
                            ? a.values(own.text + first_key + k + r, std::size_t{kv_head} * a.Dv + first_value + c)
                            : T(0);
      }
      __syncthreads();
#pragma unroll
      for (unsigned d = 0; d < depth; ++d) {
        T w[4];
#pragma unroll
        for (unsigned i = 0; i < 4; ++i) w[i] = weights[row + i][k + d];
#pragma unroll
        for (unsigned panel = 0; panel < Panels; ++panel) {
          const quad v = *reinterpret_cast<const quad*>(&stage.v[d][panel * tile + column]);
#pragma unroll
          for (unsigned i = 0; i < 4; ++i)
#pragma unroll
            for (unsigned j = 0; j < 4; ++j) o[i][panel * 4 + j] = fma(w[i], v.of[j], o[i][panel * 4 + j]);
        }
      }
    }
  }
#pragma unroll
  for (unsigned i = 0; i < 4; ++i) {
#pragma unroll
    for (unsigned offset = 1; offset < 16; offset *= 2) sums[i] += __shfl_xor_sync(0xffffffffu, sums[i], offset);
    if (row + i >= own.count) continue;
#pragma unroll
    for (unsigned j = 0; j < 4 * Panels; ++j) {
      const std::uint32_t c = first_value + j / 4 * tile + column + j % 4;
      if (c < a.Dv) a.out(own.row + row + i, std::size_t{head} * a.Dv + c) = o[i][j] / sums[i];
    }
  }
}

} // namespace llmap::gpu
