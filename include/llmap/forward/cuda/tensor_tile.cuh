// A tile of x w^T on tensor cores (mma.sync, compute capability 8.0 and later).
//   x as a sum of Parts matrices (M, K), w (V, K), all bf16 or all f16, or w f16 and x in parts of bf16
// Products are exact, sums in float: an f16 beside bf16 is taken apart into two bf16 (8 + 3 bits) in registers.
// A block makes 128 rows by 256 columns in registers, 64 x 64 a warp. K goes by in steps of 32 through a ring of stages
// in shared memory, filled by cp.async; what lies beyond M, V and K is filled with zeros. In shared memory the 16-byte
// pieces of two neighboring rows are exchanged so that neither ldmatrix nor cp.async meets a bank twice.
#pragma once
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/forward/cuda/tile_order.cuh"
#include <cstddef>
#include <cstdint>
#include <cuda_pipeline_primitives.h>

namespace llmap::gpu {

template <int Parts> struct tensor_tile_policy {
  static constexpr unsigned rows = 128, columns = tile_columns, depth = 32; // of a block; depth of a stage
  static constexpr unsigned warp_rows = 64, warp_columns = 64;              // 128 sums a thread
  static constexpr unsigned threads = rows / warp_rows * (columns / warp_columns) * 32;
  static constexpr unsigned row_bytes = depth * 2, pieces = row_bytes / 16; // a row of a stage
  static constexpr unsigned stage_bytes = (Parts * rows + columns) * row_bytes;
  static constexpr unsigned stages = Parts == 1 ? 4 : 2; // 96 and 80 KiB: within the 99 of every sm_8x
  static constexpr unsigned shared_bytes = stages * stage_bytes;
};

/// Rows of 16-bit elements; parts of x lie part_stride apart.
struct tensor_operand {
  const std::uint16_t* data;
  std::size_t rows, stride, part_stride;
};

/// Adds to sums, by 16 rows, 8 columns, and as mma has them: the warp's rows from warp % 2 * 64 on and columns from
/// warp / 2 * 64 on. `stages` are policy::shared_bytes. Aligned: rows of x and w begin at multiples of 16 bytes.
template <half_type X, half_type W, int Parts, bool Aligned>
__device__ void tensor_products(unsigned char* stages, const tensor_operand& x, const tensor_operand& w, std::size_t K,
                                std::size_t first_row, std::size_t first_column, float (&sums)[4][8][4]) {
  using policy = tensor_tile_policy<Parts>;
  const unsigned thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
  const unsigned warp_row = warp % 2 * policy::warp_rows, warp_column = warp / 2 * policy::warp_columns;

  const auto piece = [](unsigned row, unsigned p) { return row * policy::row_bytes + ((p ^ (row / 2)) % 4) * 16; };
  const auto fetch_rows = [&](unsigned char* stage, const tensor_operand& from, unsigned part, std::size_t first,
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

  for (unsigned s = 0; s + 1 < policy::stages; ++s) fetch(s);
  for (std::size_t step = 0; step < steps; ++step) {
    __pipeline_wait_prior(policy::stages - 2);
    __syncthreads(); // the stage of all threads is there; and all are done with the one before
    fetch(step + policy::stages - 1);
    const unsigned char* const stage = stages + step % policy::stages * policy::stage_bytes;
    const unsigned char* const weights = stage + Parts * policy::rows * policy::row_bytes;
#pragma unroll
    for (unsigned half = 0; half < 2; ++half) { // 16 of the 32 elements
      constexpr unsigned weight_parts = X == W ? 1 : 2;
      std::uint32_t b[weight_parts][4][4]; // by 16 columns: both halves of the first 8, then of the second
#pragma unroll
      for (unsigned j = 0; j < 4; ++j) {
        load_matrices(b[0][j],
                      weights + piece(warp_column + j * 16 + lane / 16 * 8 + lane % 8, half * 2 + lane / 8 % 2));
        if constexpr (X != W)
#pragma unroll
          for (unsigned e = 0; e < 4; ++e) {
            float low = widen_f16(b[0][j][e]), high = widen_f16(b[0][j][e] >> 16);
            b[0][j][e] = take_nearest(low, high);
            b[1][j][e] = take_nearest(low, high);
          }
      }
#pragma unroll
      for (unsigned part = 0; part < Parts; ++part)
#pragma unroll
        for (unsigned i = 0; i < 4; ++i) {
          std::uint32_t a[4];
          load_matrices(a, stage + part * policy::rows * policy::row_bytes +
                               piece(warp_row + i * 16 + lane % 16, half * 2 + lane / 16));
#pragma unroll
          for (unsigned w_part = 0; w_part < weight_parts; ++w_part)
#pragma unroll
            for (unsigned j = 0; j < 8; ++j)
              multiply_add<X>(sums[i][j], a, b[w_part][j / 2][j % 2 * 2], b[w_part][j / 2][j % 2 * 2 + 1]);
        }
    }
  }
}

} // namespace llmap::gpu
