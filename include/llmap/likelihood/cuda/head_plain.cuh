// The fused head in the arithmetic of T, float or double: multiply-adds without tensor cores.
// A block makes a tile of products (forward/cuda/plain_tile.cuh); the pairs of a row are made within its warp.
#pragma once
#include "llmap/forward/cuda/plain_tile.cuh"
#include "llmap/likelihood/cuda/head_partials.cuh"

namespace llmap::gpu {

template <class T, class W, bool Aligned>
__global__ void __launch_bounds__(plain_tile_policy<T>::threads)
    head_plain_kernel(tile_operand<T> x, tile_operand<W> w, std::size_t K, const T* bias, logit_of<T> logit,
                      tile_order order, head_partials<T> to) {
  using policy = plain_tile_policy<T>;
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const auto place = order.of(blockIdx.x);
  const std::size_t first_row = std::size_t{place.row_block} * policy::rows;
  const std::size_t first_column = std::size_t{place.tile} * policy::columns;
  __shared__ plain_room<T> room;
  T sums[8][8] = {};
  plain_products<T, W, Aligned>(room, x, w, K, first_row, first_column, sums);

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
      const unsigned column = plain_column<T>(j);
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
