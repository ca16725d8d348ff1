// What the threads of a group, a warp or a block, make of their values together; sums over the numbers of a row by a
// warp: lane l takes numbers l, l + 32, ... The order depends on the length alone.
#pragma once
#include "llmap/core/error.hpp"
#include <cstddef>

namespace llmap::gpu {

/// The values of all threads of a group, merged in an order that depends on their number alone; every thread gets it.
template <unsigned Threads, class Merge> __device__ double over_group(double value, const Merge& merge) {
#pragma unroll
  for (unsigned offset = 16; offset > 0; offset /= 2) value = merge(value, __shfl_xor_sync(0xffffffffu, value, offset));
  if constexpr (Threads > 32) {
    __shared__ double of_warps[Threads / 32];
    __syncthreads(); // those of the call before are read
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
    __syncthreads();
    value = of_warps[0];
    for (unsigned w = 1; w < Threads / 32; ++w) value = merge(value, of_warps[w]);
  }
  return value;
}

__device__ inline double add(double a, double b) { return a + b; }
__device__ inline double larger(double a, double b) { return fmax(a, b); }

/// of(0) + ... + of(n - 1), the same in every lane; all lanes of a warp call it.
template <class Of> __device__ double warp_sum(std::size_t n, const Of& of) {
  double sum = 0;
  for (std::size_t i = threadIdx.x % 32; i < n; i += 32) sum += of(i);
  return over_group<32>(sum, add);
}

inline constexpr unsigned warps_of_rows = 4; // of a block, for kernels in which a warp takes a row

inline unsigned blocks_of_warps(std::size_t rows, const char* what) {
  const std::size_t blocks = (rows + warps_of_rows - 1) / warps_of_rows;
  LLMAP_EXPECTS(blocks <= 0x7fffffff, what);
  return static_cast<unsigned>(blocks);
}

} // namespace llmap::gpu
