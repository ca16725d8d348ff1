// A tile of x w^T in the arithmetic of T, float or double: multiply-adds without tensor cores, w in its stored type.
// A block makes 64 rows by 256 columns, a warp 8 rows, a thread 8 x 8 in registers; x and w go by in steps of 64 bytes
// of T, turned in shared memory so that neighboring columns lie side by side. Each sum is one chain in the order of K:
// |sum - exact| <= K eps sum_k |x_k w_k|, the same bits wherever its row lies.
#pragma once
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/forward/cuda/tile_order.cuh"
#include <cstddef>

namespace llmap::gpu {

template <class T> struct plain_tile_policy {
  static constexpr unsigned rows = 64, columns = tile_columns, threads = 256;
  static constexpr unsigned vector = 16 / sizeof(T), depth = 4 * vector; // elements
  static constexpr unsigned vectors = columns * 4 / threads;             // of w that a thread fetches a step
};

/// N elements that are read at once.
template <class Stored, unsigned N> struct alignas(N * sizeof(Stored)) elements { Stored of[N]; };

/// Rows of numbers, `stride` apart.
template <class Stored> struct tile_operand {
  const Stored* data;
  std::size_t rows, stride;
};

/// Shared memory of a block.
template <class T> struct plain_room {
  alignas(16) T x[plain_tile_policy<T>::depth * plain_tile_policy<T>::rows];
  alignas(16) T w[plain_tile_policy<T>::depth * plain_tile_policy<T>::columns];
};

/// Column `lane` * N + j % N of each 32 N is sums[i][j]'s in a warp.
template <class T> __device__ unsigned plain_column(unsigned j) {
  constexpr unsigned N = plain_tile_policy<T>::vector;
  return j / N * 32 * N + threadIdx.x % 32 * N + j % N;
}

/// sums[i][j] = x row first_row + 8 warp + i times w row first_column + plain_column(j). Aligned: rows of x and w begin
/// where their vectors may.
template <class T, class W, bool Aligned>
__device__ void plain_products(plain_room<T>& room, const tile_operand<T>& x, const tile_operand<W>& w, std::size_t K,
                               std::size_t first_row, std::size_t first_column, T (&sums)[8][8]) {
  using policy = plain_tile_policy<T>;
  constexpr unsigned N = policy::vector;
  using vector = elements<T, N>;
  T *const xs = room.x, *const ws = room.w;
  const unsigned thread = threadIdx.x, lane = thread % 32, warp = thread / 32;

  // A thread fetches 16 bytes of a row; its elements go to different rows of shared memory. The exchange of columns by
  // where they come from in the row spreads those stores over all banks, and keeps N neighbors together for the reads.
  const auto spread = [](unsigned k, unsigned column) { return column ^ (k / N * (2 * N)); };
  const auto fetch = [&]<class Stored>(const tile_operand<Stored>& from, std::size_t row, std::size_t k) {
    elements<Stored, N> v{};
    if (row >= from.rows) return v;
    if (Aligned && k + N <= K) return *reinterpret_cast<const elements<Stored, N>*>(from.data + row * from.stride + k);
#pragma unroll
    for (unsigned e = 0; e < N; ++e)
      if (k + e < K) v.of[e] = from.data[row * from.stride + k + e];
    return v;
  };
  elements<T, N> next_x;
  elements<W, N> next_w[policy::vectors];
  const auto fetch_step = [&](std::size_t k) {
    const std::size_t at = k + thread % 4 * N;
    next_x = fetch(x, first_row + thread / 4, at);
#pragma unroll
    for (unsigned i = 0; i < policy::vectors; ++i) next_w[i] = fetch(w, first_column + i * 64 + thread / 4, at);
  };

  // Aligned rows are fetched a step ahead; others, which are rare, would need registers that double does not have.
  if (Aligned) fetch_step(0);
  for (std::size_t k = 0; k < K; k += policy::depth) {
    if (!Aligned) fetch_step(k);
    __syncthreads();
#pragma unroll
    for (unsigned e = 0; e < N; ++e) {
      const unsigned at = thread % 4 * N + e;
      xs[at * policy::rows + spread(at, thread / 4)] = next_x.of[e];
#pragma unroll
      for (unsigned i = 0; i < policy::vectors; ++i)
        ws[at * policy::columns + spread(at, i * 64 + thread / 4)] = static_cast<T>(widen(next_w[i].of[e]));
    }
    __syncthreads();
    if (Aligned && k + policy::depth < K) fetch_step(k + policy::depth);
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
}

} // namespace llmap::gpu
