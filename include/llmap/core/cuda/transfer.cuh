// Matrices between the host and the device, in the order of the stream. A download waits for it.
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include "llmap/core/cuda/matrix_buffer.cuh"
#include "llmap/core/matrix.hpp"

namespace llmap {

namespace detail {

template <class T>
void copy_rows(const cuda_executor& exec, matrix_view<const T> from, matrix_view<T> to, cudaMemcpyKind direction) {
  if (from.rows == 0 || from.cols == 0) return;
  LLMAP_CUDA_CHECK(cudaMemcpy2DAsync(to.data, to.stride * sizeof(T), from.data, from.stride * sizeof(T),
                                     from.cols * sizeof(T), from.rows, direction, exec.stream));
}

} // namespace detail

/// A copy on the device of a matrix of the host, rows one after another.
template <class T> cuda_matrix_buffer<T> upload(const cuda_executor& exec, matrix_view<const T> from) {
  cuda_matrix_buffer<T> to;
  detail::copy_rows(exec, from, to.reshape(from.rows, from.cols), cudaMemcpyHostToDevice);
  synchronize(exec); // the caller may give its memory back
  return to;
}

/// A copy on the host of a matrix of the device.
template <class T> matrix<T> download(const cuda_executor& exec, matrix_view<const T> from) {
  matrix<T> to(from.rows, from.cols);
  detail::copy_rows(exec, from, to.mutable_view(), cudaMemcpyDeviceToHost);
  synchronize(exec);
  return to;
}
template <class T> matrix<T> download(const cuda_executor& exec, const cuda_matrix_buffer<T>& from) {
  return download(exec, matrix_view<const T>(from.view()));
}

} // namespace llmap
