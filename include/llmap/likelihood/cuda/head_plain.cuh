// The fused head in the arithmetic of T, float or double: multiply-adds without tensor cores.
// A block makes the logits of 64 rows by 256 columns, a warp those of 8 rows, a thread 8 x 8 in registers; x and w go
// by in steps of 64 bytes of a row, turned in shared memory so that neighboring columns lie side by side. The pairs of
// a row are made within its warp.
#pragma once
#include "llmap/likelihood/cuda/head_partials.cuh"

namespace llmap::gpu {

template <class T> struct head_plain_policy {
  static constexpr unsigned rows = 64, columns = head_tile, threads = 256;
  static constexpr unsigned vector = 16 / sizeof(T), depth = 4 * vector; // elements
  static constexpr unsigned vectors = columns * 4 / threads;             // of w that a thread fetches a step
};

template <class T> struct alignas(16) sixteen_bytes { T of[16 / sizeof(T)]; };

/// Aligned: rows of x and w begin at multiples of 16 bytes.
template <class T, bool Aligned>
__global__ void __launch_bounds__(head_plain_policy<T>::threads)
    head_plain_kernel(const T* x, std::size_t x_stride, const T* w, std::size_t w_stride, std::size_t K, const T* bias,
                      logit_of<T> logit, tile_order order, head_partials<T> to) {
  using policy = head_plain_policy<T>;
  using vector = sixteen_bytes<T>;
  constexpr unsigned N = policy::vector;
  __shared__ alignas(16) T xs[policy::depth * policy::rows];
  __shared__ alignas(16) T ws[policy::depth * policy::columns];
  const unsigned thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
  const auto place = order.of(blockIdx.x);
  const std::size_t first_row = std::size_t{place.row_block} * policy::rows;
  const std::size_t first_column = std::size_t{place.tile} * policy::columns;

  // A thread fetches 16 bytes of a row; its elements go to different rows of shared memory. The exchange of columns by
  // where they come from in the row spreads those stores over all banks, and keeps N neighbors together for the reads.
  const auto spread = [](unsigned k, unsigned column) { return column ^ (k / N * (2 * N)); };
  const auto fetch = [&](const T* from, std::size_t stride, std::size_t rows, std::size_t row, std::size_t k) {
    vector v{};
    if (row >= rows) return v;
    if (Aligned && k + N <= K) return *reinterpret_cast<const vector*>(from + row * stride + k);
#pragma unroll
    for (unsigned e = 0; e < N; ++e)
      if (k + e < K) v.of[e] = from[row * stride + k + e];
    return v;
  };
  vector next_x, next_w[policy::vectors];
  const auto fetch_step = [&](std::size_t k) {
    const std::size_t at = k + thread % 4 * N;
    next_x = fetch(x, x_stride, to.M, first_row + thread / 4, at);
#pragma unroll
    for (unsigned i = 0; i < policy::vectors; ++i)
      next_w[i] = fetch(w, w_stride, to.V, first_column + i * 64 + thread / 4, at);
  };

  T sums[8][8] = {}; // rows of the warp; columns lane * N + e of each 32 N
  fetch_step(0);
  for (std::size_t k = 0; k < K; k += policy::depth) {
    __syncthreads();
#pragma unroll
    for (unsigned e = 0; e < N; ++e) {
      const unsigned at = thread % 4 * N + e;
      xs[at * policy::rows + spread(at, thread / 4)] = next_x.of[e];
#pragma unroll
      for (unsigned i = 0; i < policy::vectors; ++i)
        ws[at * policy::columns + spread(at, i * 64 + thread / 4)] = next_w[i].of[e];
    }
    __syncthreads();
    if (k + policy::depth < K) fetch_step(k + policy::depth);
#pragma unroll
    for (unsigned d = 0; d < policy::depth; ++d) {
      T a[8], b[8];
#pragma unroll
      for (unsigned v = 0; v < 8 / N; ++v) {
        const vector from_x = *reinterpret_cast<const vector*>(xs + d * policy::rows + spread(d, warp * 8 + v * N));
        const vector from_w =
            *reinterpret_cast<const vector*>(ws + d * policy::columns + spread(d, v * 32 * N + lane * N));
#pragma unroll
        for (unsigned e = 0; e < N; ++e) a[v * N + e] = from_x.of[e], b[v * N + e] = from_w.of[e];
      }
#pragma unroll
      for (unsigned i = 0; i < 8; ++i)
#pragma unroll
        for (unsigned j = 0; j < 8; ++j) sums[i][j] = fma(a[i], b[j], sums[i][j]);
    }
  }

  const bool plain = logit.scale == T(1) && logit.cap == T(0) && bias == nullptr;
  const std::size_t columns_left = to.V - first_column;
#pragma unroll
  for (unsigned i = 0; i < 8; ++i) {
    const std::size_t row = first_row + warp * 8 + i;
    const std::int64_t target =
        row < to.M ? std::int64_t{to.targets[row]} - static_cast<std::int64_t>(first_column) : -1;
    T m = log_sum_exp<T>::none;
#pragma unroll
    for (unsigned j = 0; j < 8; ++j) {
      const unsigned column = j / N * 32 * N + lane * N + j % N;
      T& z = sums[i][j];
      if (column >= columns_left) {
        z = log_sum_exp<T>::none;
      } else {
        if (!plain) z = logit(z, bias ? bias[first_column + column] : T(0));
        if (target == column) to.target_logit[row] = z;
      }
      m = max(m, z);
    }
#pragma unroll
    for (unsigned offset = 1; offset < 32; offset *= 2) m = max(m, __shfl_xor_sync(0xffffffffu, m, offset));
    const T shift = m == log_sum_exp<T>::none ? T(0) : m;
    T s = 0;
#pragma unroll
    for (unsigned j = 0; j < 8; ++j) s += exp_below(sums[i][j] - shift);
#pragma unroll
    for (unsigned offset = 1; offset < 32; offset *= 2) s += __shfl_xor_sync(0xffffffffu, s, offset);
    if (lane == 0 && row < to.M) to.pairs[place.tile * to.M + row] = pair_of(m, s);
  }
}

} // namespace llmap::gpu
