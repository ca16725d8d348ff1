// Sums over the numbers of a row, by a warp: lane l takes numbers l, l + 32, ..., and lanes add up in a tree. The order
// depends on the length alone.
#pragma once
#include "llmap/core/error.hpp"
#include <cstddef>

namespace llmap::gpu {

/// of(0) + ... + of(n - 1), the same in every lane; all lanes of a warp call it.
template <class Of> __device__ double warp_sum(std::size_t n, const Of& of) {
  double sum = 0;
  for (std::size_t i = threadIdx.x % 32; i < n; i += 32) sum += of(i);
#pragma unroll
  for (unsigned offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  return sum;
}

inline constexpr unsigned warps_of_rows = 4; // of a block, for kernels in which a warp takes a row

inline unsigned blocks_of_warps(std::size_t rows, const char* what) {
  const std::size_t blocks = (rows + warps_of_rows - 1) / warps_of_rows;
  LLMAP_EXPECTS(blocks <= 0x7fffffff, what);
  return static_cast<unsigned>(blocks);
}

} // namespace llmap::gpu
