// Rows of float in parts of bf16, for tensor cores.
#pragma once
#include "llmap/core/cuda/buffer.cuh"
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/core/view.hpp"
#include "llmap/forward/cuda/tensor_tile.cuh"
#include <cstddef>
#include <cstdint>

namespace llmap::gpu {

/// x in parts of bf16, each the rest of those before rounded to bf16; three of them sum to x to 24 bits. Parts (Parts,
/// M, padded), zeros beyond K; padded a multiple of 8.
inline constexpr unsigned split_threads = 256;

template <int Parts, bool Aligned>
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
  for (unsigned part = 0; part < Parts; ++part) {
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

template <class T> bool aligned_rows(const T* data, std::size_t stride) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && stride * sizeof(T) % 16 == 0;
}

/// x in `Parts` parts of bf16.
template <int Parts>
tensor_operand split_rows(const cuda_executor& exec, matrix_view<const float> x, cuda_buffer<std::uint16_t>& parts) {
  const std::size_t padded = (x.cols + 7) / 8 * 8, quads = x.rows * padded / 4;
  parts.resize(exec, Parts * x.rows * padded);
  LLMAP_EXPECTS(quads / split_threads < 0x7fffffff, "x in parts: its size");
  const auto kernel = aligned_rows(x.data, x.stride) ? split_rows_kernel<Parts, true> : split_rows_kernel<Parts, false>;
  kernel<<<static_cast<unsigned>((quads + split_threads - 1) / split_threads), split_threads, 0, exec.stream>>>(
      x.data, x.stride, x.rows, x.cols, padded, parts.data());
  LLMAP_CUDA_CHECK(cudaGetLastError());
  return {parts.data(), x.rows, padded, x.rows * padded};
}

} // namespace llmap::gpu
