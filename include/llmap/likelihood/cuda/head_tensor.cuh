// The fused head on tensor cores (mma.sync, compute capability 8.0 and later).
//   x as a sum of Parts matrices (M, K), w (V, K), all bf16 or all f16; products exact, sums in float
// A block makes the logits of 128 rows by 256 columns in registers, 64 x 64 a warp, turns them into pairs there and
// writes the pairs. K goes by in steps of 32 through a ring of stages in shared memory, filled by cp.async; what lies
// beyond M, V and K is filled with zeros, and columns beyond V count as -infinity after the soft cap. In shared memory
// the 16-byte pieces of two neighboring rows are exchanged so that neither ldmatrix nor cp.async meets a bank twice.
#pragma once
#include "llmap/likelihood/cuda/head_partials.cuh"
#include <cuda_pipeline_primitives.h>

namespace llmap::gpu {

template <int Parts> struct head_tensor_policy {
  static constexpr unsigned rows = 128, columns = head_tile, depth = 32; // of a block; depth of a stage
  static constexpr unsigned warp_rows = 64, warp_columns = 64;           // 128 sums a thread
  static constexpr unsigned threads = rows / warp_rows * (columns / warp_columns) * 32;
  static constexpr unsigned row_bytes = depth * 2, pieces = row_bytes / 16; // a row of a stage
  static constexpr unsigned stage_bytes = (Parts * rows + columns) * row_bytes;
  static constexpr unsigned stages = Parts == 1 ? 4 : 2; // 96 and 80 KiB: within the 99 of every sm_8x
  static constexpr unsigned shared_bytes = stages * stage_bytes;
};

/// Rows of 16-bit elements; parts of x lie part_stride apart.
struct head_operand {
  const std::uint16_t* data;
  std::size_t rows, stride, part_stride;
};

/// Aligned: rows of x and w begin at multiples of 16 bytes.
template <half_type Type, int Parts, bool Aligned>
__global__ void __launch_bounds__(head_tensor_policy<Parts>::threads, 1)
    head_tensor_kernel(head_operand x, head_operand w, std::size_t K, const float* bias, logit_of<float> logit,
                       tile_order order, head_partials<float> to) {
  using policy = head_tensor_policy<Parts>;
  extern __shared__ __align__(128) unsigned char stages[];
  const unsigned thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
  const unsigned warp_row = warp % 2 * policy::warp_rows, warp_column = warp / 2 * policy::warp_columns;
  const auto place = order.of(blockIdx.x);
  const std::size_t first_row = std::size_t{place.row_block} * policy::rows;
  const std::size_t first_column = std::size_t{place.tile} * policy::columns;

  const auto piece = [](unsigned row, unsigned p) { return row * policy::row_bytes + ((p ^ (row / 2)) % 4) * 16; };
  const auto fetch_rows = [&](unsigned char* stage, const head_operand& from, unsigned part, std::size_t first,
                              unsigned rows, std::size_t k) {
    for (unsigned i = thread; i < rows * policy::pieces; i += policy::threads) {
      const unsigned row = i / policy::pieces, p = i % policy::pieces;
      const std::size_t at = k + p * 8;
      const bool inside = first + row < from.rows && at < K;
      const unsigned count = inside ? static_cast<unsigned>(min(std::size_t{8}, K - at)) : 0;
      const std::uint16_t* const source =
          from.data + (inside ? part * from.part_stride + (first + row) * from.stride + at : 0);
      if constexpr (Aligned) {
        __pipeline_memcpy_async(stage + piece(row, p), source, 16, 16 - 2 * count);
      } else {
        std::uint32_t pairs[4] = {};
#pragma unroll
        for (unsigned e = 0; e < 8; ++e)
          if (e < count) pairs[e / 2] |= std::uint32_t{source[e]} << (e % 2 * 16);
        *reinterpret_cast<uint4*>(stage + piece(row, p)) = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
      }
    }
  };
  const std::size_t steps = (K + policy::depth - 1) / policy::depth;
  const auto fetch = [&](std::size_t step) {
    if (step < steps) {
      unsigned char* const stage = stages + step % policy::stages * policy::stage_bytes;
#pragma unroll
      for (unsigned part = 0; part < Parts; ++part)
        fetch_rows(stage + part * policy::rows * policy::row_bytes, x, part, first_row, policy::rows,
                   step * policy::depth);
      fetch_rows(stage + Parts * policy::rows * policy::row_bytes, w, 0, first_column, policy::columns,
                 step * policy::depth);
    }
    __pipeline_commit();
  };

  float sums[4][8][4] = {}; // by 16 rows, 8 columns, and as mma has them
  for (unsigned s = 0; s + 1 < policy::stages; ++s) fetch(s);
  for (std::size_t step = 0; step < steps; ++step) {
    __pipeline_wait_prior(policy::stages - 2);
    __syncthreads(); // the stage of all threads is there; and all are done with the one before
    fetch(step + policy::stages - 1);
    const unsigned char* const stage = stages + step % policy::stages * policy::stage_bytes;
    const unsigned char* const weights = stage + Parts * policy::rows * policy::row_bytes;
#pragma unroll
    for (unsigned half = 0; half < 2; ++half) { // 16 of the 32 elements
      std::uint32_t b[4][4];                    // by 16 columns: both halves of the first 8, then of the second
#pragma unroll
      for (unsigned j = 0; j < 4; ++j)
        load_matrices(b[j], weights + piece(warp_column + j * 16 + lane / 16 * 8 + lane % 8, half * 2 + lane / 8 % 2));
#pragma unroll
      for (unsigned part = 0; part < Parts; ++part)
#pragma unroll
        for (unsigned i = 0; i < 4; ++i) {
          std::uint32_t a[4];
          load_matrices(a, stage + part * policy::rows * policy::row_bytes +
                               piece(warp_row + i * 16 + lane % 16, half * 2 + lane / 16));
#pragma unroll
          for (unsigned j = 0; j < 8; ++j)
            multiply_add<Type>(sums[i][j], a, b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
        }
    }
  }

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

/// x in three parts of bf16, whose sum is x to 24 bits: x = p0 + p1 + p2, each the rest of those before rounded to
/// bf16. Parts (3, M, padded), zeros beyond K; padded a multiple of 8.
inline constexpr unsigned split_threads = 256;

template <bool Aligned>
__global__ void __launch_bounds__(split_threads)
    split_rows_kernel(const float* x, std::size_t stride, std::size_t M, std::size_t K, std::size_t padded,
                      std::uint16_t* parts) {
  const std::size_t i = (std::size_t{blockIdx.x} * split_threads + threadIdx.x) * 4;
  if (i >= M * padded) return;
  const std::size_t row = i / padded, k = i % padded;
  float v[4];
  if (Aligned && k + 4 <= K) {
    const float4 four = *reinterpret_cast<const float4*>(x + row * stride + k);
    v[0] = four.x, v[1] = four.y, v[2] = four.z, v[3] = four.w;
  } else {
#pragma unroll
    for (unsigned e = 0; e < 4; ++e) v[e] = k + e < K ? x[row * stride + k + e] : 0.f;
  }
#pragma unroll
  for (unsigned part = 0; part < 3; ++part) {
    std::uint64_t four = 0; // as one number: nvcc takes a uint2 apart
#pragma unroll
    for (unsigned e = 0; e < 4; ++e) {
      const std::uint16_t own = narrow(v[e]);
      four |= std::uint64_t{own} << (16 * e);
      v[e] -= __uint_as_float(std::uint32_t{own} << 16);
    }
    *reinterpret_cast<std::uint64_t*>(parts + part * M * padded + i) = four;
  }
}

} // namespace llmap::gpu
