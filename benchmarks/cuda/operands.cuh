// Operands on the device, filled there: a number of a bell shape a place, since power and with it the clock depend on
// what is multiplied.
#pragma once
#include "llmap/core/cuda/buffer.cuh"
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/core/view.hpp"

namespace llmap::bench {

template <class T> struct bell {
  T* to;
  std::size_t cols;
  __device__ void operator()(std::size_t row, std::size_t column) const {
    std::uint64_t x = (row * cols + column) * 0x9e3779b97f4a7c15u + 0x7f4a7c15u;
    x ^= x >> 30, x *= 0xbf58476d1ce4e5b9u, x ^= x >> 27, x *= 0x94d049bb133111ebu, x ^= x >> 31;
    float sum = -2;
    for (int i = 0; i < 4; ++i) sum += static_cast<float>(x >> (16 * i) & 0xffff) * 0x1p-16f;
    if constexpr (sizeof(T) == 2) to[row * cols + column].bits = gpu::narrow(sum);
    else to[row * cols + column] = static_cast<T>(sum);
  }
};

/// (rows, cols) of float, double or bf16.
template <class T> struct operand {
  std::size_t rows, cols;
  cuda_buffer<T> memory;

  operand(std::size_t rows, std::size_t cols) : rows(rows), cols(cols), memory(cuda_executor{}, rows * cols) {
    gpu::each_element({}, rows, cols, bell<T>{memory.data(), cols});
  }
  matrix_view<T> view() const { return {memory.data(), rows, cols}; }
  operator matrix_view<const T>() const { return view(); }
  double bytes() const { return static_cast<double>(rows * cols * sizeof(T)); }
};

} // namespace llmap::bench
