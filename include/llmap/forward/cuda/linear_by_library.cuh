// linear by cuBLASLt, slab of rows by slab of rows (cublas_lt.cuh). What is multiplied, and in which order parts of x
// are added, is as in the own kernels; sums go to memory of their own first and from there, with the bias, to y. A slab
// that is not full is filled up with zeros: its rows see the very product that those of a full one do.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/forward/cuda/cublas_lt.cuh"
#include "llmap/forward/cuda/product_target.cuh"
#include "llmap/forward/cuda/split_rows.cuh"
#include "llmap/forward/cuda/storage.cuh"

namespace llmap::gpu {

template <class T> struct finish_product {
  matrix_view<const T> sums;
  product_target<T> to;
  __device__ void operator()(std::size_t row, std::size_t column) const { to.store(row, column, sums(row, column)); }
};

/// Elements between rows that begin at multiples of 16 bytes.
template <class T> std::size_t aligned_stride(std::size_t cols) {
  constexpr std::size_t vector = 16 / sizeof(T);
  return (cols + vector - 1) / vector * vector;
}

/// What the library is asked for, w (N, K) with rows w_stride apart. Of bf16, zeros lie in x and w beyond K.
template <class Stored>
cublas_lt::factors product_factors(const void* x, const void* w, std::size_t N, std::size_t K, std::size_t w_stride) {
  const std::size_t stride = aligned_stride<Stored>(K);
  return {dtype_of<Stored>, x, w, N, std::is_same_v<Stored, bf16> ? stride : K, stride, w_stride};
}

/// sums (slab, N) = x w^T for at most a slab of rows, x in `Parts` parts of bf16.
template <int Parts>
bool multiply_parts(const cuda_executor& exec, matrix_view<const float> x, const cuda_matrix<float>& w,
                    matrix_view<float> sums, cuda_scratch<float>& scratch) {
  scratch.parts.resize(exec, Parts * cublas_lt::slab_rows * aligned_stride<bf16>(x.cols));
  if (x.rows < cublas_lt::slab_rows)
    LLMAP_CUDA_CHECK(
        cudaMemsetAsync(scratch.parts.data(), 0, scratch.parts.size() * sizeof(std::uint16_t), exec.stream));
  cuda_buffer<std::uint16_t>& parts = scratch.parts;
  const tensor_operand rows = split_rows<Parts>(exec, x, parts);
  for (std::size_t part = 0; part < Parts; ++part)
    if (!exec.library->multiply(
            exec, product_factors<bf16>(rows.data + part * rows.part_stride, w.bytes.data(), w.rows, x.cols, w.stride),
            sums.data, sums.stride, part > 0))
      return false;
  return true;
}

/// The same, x as it is.
template <class T>
bool multiply_rows(const cuda_executor& exec, matrix_view<const T> x, const cuda_matrix<T>& w, matrix_view<T> sums,
                   cuda_scratch<T>& scratch) {
  const std::size_t stride = aligned_stride<T>(x.cols);
  scratch.slab.resize(exec, cublas_lt::slab_rows * stride);
  T* const slab = scratch.slab.data();
  if (x.rows < cublas_lt::slab_rows)
    LLMAP_CUDA_CHECK(cudaMemsetAsync(slab, 0, scratch.slab.size() * sizeof(T), exec.stream));
  LLMAP_CUDA_CHECK(cudaMemcpy2DAsync(slab, stride * sizeof(T), x.data, x.stride * sizeof(T), x.cols * sizeof(T), x.rows,
                                     cudaMemcpyDeviceToDevice, exec.stream));
  return exec.library->multiply(exec, product_factors<T>(slab, w.bytes.data(), w.rows, x.cols, w.stride), sums.data,
                                sums.stride, false);
}

/// Whether the library did it: it has no product of two types, and perhaps no algorithm for a shape.
template <class T>
bool linear_by_library(const cuda_executor& exec, matrix_view<const T> x, const cuda_matrix<T>& w,
                       const product_target<T>& to, cuda_scratch<T>& scratch) {
  constexpr bool splits = std::is_same_v<T, float>;
  if (!exec.library || x.cols == 0 || !(w.type == dtype_of<T> || (splits && w.type == dtype::bf16))) return false;
  const std::size_t stride = aligned_stride<T>(w.rows);
  scratch.sums.resize(exec, cublas_lt::slab_rows * stride);
  const matrix_view<T> sums(scratch.sums.data(), cublas_lt::slab_rows, w.rows, stride);
  const auto multiply = [&](matrix_view<const T> rows) {
    if constexpr (splits)
      if (w.type == dtype::bf16)
        return w.compute == compute_type::bf16 ? multiply_parts<1>(exec, rows, w, sums, scratch)
                                               : multiply_parts<3>(exec, rows, w, sums, scratch);
    return multiply_rows(exec, rows, w, sums, scratch);
  };
  for (std::size_t first = 0; first < x.rows; first += cublas_lt::slab_rows) {
    const std::size_t count = std::min(cublas_lt::slab_rows, x.rows - first);
    if (!multiply(x.row_range(first, count))) return false; // then the first slab is not done either
    each_element(exec, count, w.rows, finish_product<T>{sums, {to.y.row_range(first, count), to.bias, to.add}});
  }
  return true;
}

} // namespace llmap::gpu
