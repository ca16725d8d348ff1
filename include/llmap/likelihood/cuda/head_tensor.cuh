// The fused head on tensor cores: a block makes a tile of logits (forward/cuda/tensor_tile.cuh), turns them into pairs
// while they are in registers and writes the pairs. Columns beyond V count as -infinity after the soft cap.
#pragma once
#include "llmap/forward/cuda/tensor_tile.cuh"
#include "llmap/likelihood/cuda/head_partials.cuh"

namespace llmap::gpu {

template <half_type X, half_type W, int Parts, bool Aligned>
__global__ void __launch_bounds__(tensor_tile_policy<Parts>::threads, 1)
    head_tensor_kernel(tensor_operand x, tensor_operand w, std::size_t K, const float* bias, logit_of<float> logit,
                       tile_order order, head_partials<float> to) {
  using policy = tensor_tile_policy<Parts>;
  extern __shared__ __align__(128) unsigned char stages[];
  const unsigned thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
  const unsigned warp_row = warp % 2 * policy::warp_rows, warp_column = warp / 2 * policy::warp_columns;
  const auto place = order.of(blockIdx.x);
  const std::size_t first_row = std::size_t{place.row_block} * policy::rows;
  const std::size_t first_column = std::size_t{place.tile} * policy::columns;
  float sums[4][8][4] = {};
  tensor_products<X, W, Parts, Aligned>(stages, x, w, K, first_row, first_column, sums);

  __syncthreads(); // the stages are free: they hold the pairs of the four warps beside each other
  auto* const largest = reinterpret_cast<float*>(stages); // (4, rows), and the sums of exp beside them
  float* const totals = largest + 4 * policy::rows;
  const bool plain = logit.scale == 1 && logit.cap == 0 && bias == nullptr;
  const std::size_t columns_left = to.V - first_column; // of this tile on
#pragma unroll
  for (unsigned i = 0; i < 4; ++i)
#pragma unroll
    for (unsigned h = 0; h < 2; ++h) {
      const unsigned row = warp_row + i * 16 + h * 8 + lane / 4;
      const bool real = first_row + row < to.M;
      const std::int64_t target =
          real ? std::int64_t{to.targets[first_row + row]} - static_cast<std::int64_t>(first_column) : -1;
      float m = log_sum_exp<float>::none;
#pragma unroll
      for (unsigned j = 0; j < 8; ++j)
#pragma unroll
        for (unsigned e = 0; e < 2; ++e) {
          const unsigned column = warp_column + j * 8 + lane % 4 * 2 + e;
          float& z = sums[i][j][h * 2 + e];
          if (column >= columns_left) {
            z = log_sum_exp<float>::none;
          } else {
            if (!plain) z = logit(z, bias ? bias[first_column + column] : 0.f);
            if (target == column) to.target_logit[first_row + row] = z;
          }
          m = fmaxf(m, z); // a NaN is not taken, but comes in with the sum
        }
      m = fmaxf(m, __shfl_xor_sync(0xffffffffu, m, 1));
      m = fmaxf(m, __shfl_xor_sync(0xffffffffu, m, 2));
      const float shift = m == log_sum_exp<float>::none ? 0.f : m;
      float s = 0;
#pragma unroll
      for (unsigned j = 0; j < 8; ++j)
        s += exp_below(sums[i][j][h * 2] - shift) + exp_below(sums[i][j][h * 2 + 1] - shift);
      s += __shfl_xor_sync(0xffffffffu, s, 1);
      s += __shfl_xor_sync(0xffffffffu, s, 2);
      if (lane % 4 == 0) largest[warp / 2 * policy::rows + row] = m, totals[warp / 2 * policy::rows + row] = s;
    }
  __syncthreads();
  if (thread < policy::rows && first_row + thread < to.M) {
    log_sum_exp<float> all;
#pragma unroll
    for (unsigned at = thread; at < 4 * policy::rows; at += policy::rows) {
      const head_pair<float> pair = pair_of(largest[at], totals[at]);
      all.merge({pair.m, pair.s});
    }
    to.pairs[place.tile * to.M + first_row + thread] = {all.m, all.s};
  }
}

} // namespace llmap::gpu
