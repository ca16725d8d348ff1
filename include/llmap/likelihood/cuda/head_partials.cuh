// What the kernels of the fused head leave behind: for each row and each 256 columns of the vocabulary one pair (m, s)
// that stands for m + log(s), and for each row the logit of its target. A second kernel merges the pairs.
#pragma once
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/forward/cuda/tile_order.cuh"
#include "llmap/likelihood/log_sum_exp.hpp"
#include <cstddef>
#include <cstdint>

namespace llmap::gpu {

inline constexpr unsigned head_tile = tile_columns; // columns of the vocabulary a pair stands for

/// Stands for m + log(s), as log_sum_exp does; read and written at once.
template <class T> struct alignas(2 * sizeof(T)) head_pair { T m, s; };

/// Where the kernels write: pairs (tiles, M), so that neighboring rows lie side by side.
template <class T> struct head_partials {
  head_pair<T>* pairs;
  T* target_logit;             // (M)
  const std::int32_t* targets; // (M)
  std::size_t M, V;
};

/// The pair of what is known to be a sum of exp(z - m); a NaN or +infinity among the z has made s NaN.
template <class T> __device__ head_pair<T> pair_of(T m, T s) { return {s != s ? s : m, s}; }

inline constexpr int merge_threads = 64;

/// A thread a row; pairs merge in double in the order of the vocabulary. A target outside [0, V) gives NaN.
template <class T>
__global__ void __launch_bounds__(merge_threads)
    merge_pairs_kernel(head_partials<T> from, unsigned tiles, double* log_probability) {
  const std::size_t row = blockIdx.x * std::size_t{merge_threads} + threadIdx.x;
  if (row >= from.M) return;
  log_sum_exp<double> all;
  for (unsigned tile = 0; tile < tiles; ++tile) {
    const head_pair<T> pair = from.pairs[tile * from.M + row];
    all.merge({static_cast<double>(pair.m), static_cast<double>(pair.s)});
  }
  const std::int32_t target = from.targets[row];
  const bool valid = target >= 0 && static_cast<std::size_t>(target) < from.V;
  log_probability[row] = valid ? all.log_share(static_cast<double>(from.target_logit[row])) : log_sum_exp<double>::nan;
}

} // namespace llmap::gpu
