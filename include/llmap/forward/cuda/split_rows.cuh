// Rows of float in parts of bf16, for tensor cores.
#pragma once
#include "llmap/core/cuda/buffer.cuh"
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/core/view.hpp"
#include "llmap/forward/cuda/tensor_tile.cuh"
#include <cstddef>
#include <cstdint>

namespace llmap::gpu {

/// Rows of one or several heads in parts of bf16: (part, row, head, width), zeros in what pads the width to a multiple
/// of 8.
struct split_heads {
  std::uint16_t* data;
  std::size_t stride, part_stride; // elements between rows, and between parts
  unsigned width;                  // of a head, padded

  __device__ std::uint16_t* at(std::size_t part, std::size_t row, std::size_t head) const {
    return data + part * part_stride + row * stride + head * width;
  }
};
inline std::size_t split_width(std::size_t D) { return (D + 7) / 8 * 8; }

inline constexpr unsigned split_threads = 256;

/// Each part is what those before leave, rounded to bf16; three of them sum to x to 24 bits. x (M, heads D)
template <int Parts, bool Aligned>
__global__ void __launch_bounds__(split_threads)
    split_rows_kernel(matrix_view<const float> x, unsigned heads, unsigned D, split_heads to) {
  const std::size_t i = (std::size_t{blockIdx.x} * split_threads + threadIdx.x) * 4, place = i / to.width;
  if (place >= x.rows * heads) return;
  const std::size_t row = heads == 1 ? place : place / heads;
  const unsigned head = static_cast<unsigned>(place - row * heads), k = static_cast<unsigned>(i - place * to.width);
  const float* const from = x.data + row * x.stride + std::size_t{head} * D;
  float v[4];
  if (Aligned && k + 4 <= D) {
    const float4 four = *reinterpret_cast<const float4*>(from + k);
    v[0] = four.x, v[1] = four.y, v[2] = four.z, v[3] = four.w;
  } else {
#pragma unroll
    for (unsigned e = 0; e < 4; ++e) v[e] = k + e < D ? from[k + e] : 0.f;
  }
#pragma unroll
  for (unsigned part = 0; part < Parts; ++part) { // as one number: nvcc takes a uint2 apart
    const std::uint64_t low = take_nearest(v[0], v[1]), high = take_nearest(v[2], v[3]);
    *reinterpret_cast<std::uint64_t*>(to.at(part, row, head) + k) = low | high << 32;
  }
}

template <class T> bool aligned_rows(const T* data, std::size_t stride) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && stride * sizeof(T) % 16 == 0;
}

/// Writes x (M, heads D) in `Parts` parts of bf16.
template <int Parts>
void split_rows(const cuda_executor& exec, matrix_view<const float> x, std::size_t heads, const split_heads& to) {
  const std::size_t quads = x.rows * heads * (to.width / 4), blocks = (quads + split_threads - 1) / split_threads;
  const std::size_t D = x.cols / heads;
  LLMAP_EXPECTS(blocks <= 0x7fffffff && x.cols <= 0xffffffff, "x in parts: its size");
  if (blocks == 0) return;
  const auto kernel = aligned_rows(x.data, x.stride) && (heads == 1 || D % 4 == 0) ? split_rows_kernel<Parts, true>
                                                                                   : split_rows_kernel<Parts, false>;
  kernel<<<static_cast<unsigned>(blocks), split_threads, 0, exec.stream>>>(x, static_cast<unsigned>(heads),
                                                                           static_cast<unsigned>(D), to);
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

/// x (M, K) in parts, for products.
template <int Parts>
tensor_operand split_rows(const cuda_executor& exec, matrix_view<const float> x, cuda_buffer<std::uint16_t>& parts) {
  const std::size_t padded = split_width(x.cols);
  parts.resize(exec, Parts * x.rows * padded);
  split_rows<Parts>(exec, x, 1, {parts.data(), padded, x.rows * padded, static_cast<unsigned>(padded)});
  return {parts.data(), x.rows, padded, x.rows * padded};
}

} // namespace llmap::gpu
