// Sums over the numbers of a row, by a warp: lane l takes numbers l, l + 32, ..., and lanes add up in a tree. The order
// depends on the length alone.
#pragma once
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

/// The largest of them, at least `least`.
template <class Of> __device__ double warp_most(std::size_t n, double least, const Of& of) {
  double most = least;
  for (std::size_t i = threadIdx.x % 32; i < n; i += 32) most = fmax(most, of(i));
#pragma unroll
  for (unsigned offset = 16; offset > 0; offset /= 2) most = fmax(most, __shfl_xor_sync(0xffffffffu, most, offset));
  return most;
}

} // namespace llmap::gpu
