// Ops on streams, n of width C in a row: mix_streams and correct_streams. Contracts: forward/ops.hpp.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/core/view.hpp"
#include "llmap/forward/ops.hpp"

namespace llmap {

namespace gpu {

template <class T> struct mix_stream {
  matrix_view<const T> c, x;
  std::size_t n, C;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t first) const {
    for (std::size_t k = first; k < C; k += (C + 1) / 2) // two columns, for which c is read once
      for (std::size_t i = 0; i < n; ++i) {
        T sum = x(r, i * C + k);
        for (std::size_t j = 0; j < n; ++j) sum += c(r, i * n + j) * x(r, j * C + k);
        y(r, i * C + k) = sum;
      }
  }
};
template <class T> struct correct_stream {
  matrix_view<const T> c, x, guess;
  std::size_t active, C;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t k) const {
    const T change = x(r, k) - guess(r, active * C + k);
    for (std::size_t i = 0; i < c.cols; ++i) y(r, i * C + k) = guess(r, i * C + k) + (T(1) + c(r, i)) * change;
  }
};

} // namespace gpu

template <class T>
void mix_streams(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> c,
                 std::type_identity_t<matrix_view<const T>> x, matrix_view<T> y) {
  std::size_t n = 1;
  while (n * n < c.cols) ++n;
  const std::size_t C = y.cols / n;
  LLMAP_EXPECTS(c.cols == n * n && y.cols == n * C && x.cols == y.cols && c.rows == y.rows && x.rows == y.rows,
                "mix_streams: shapes");
  gpu::each_element(exec, y.rows, (C + 1) / 2, gpu::mix_stream<T>{c, x, n, C, y});
}

template <class T>
void correct_streams(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> c, std::size_t active,
                     std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<matrix_view<const T>> guess,
                     matrix_view<T> y) {
  LLMAP_EXPECTS(y.cols == c.cols * x.cols && guess.cols == y.cols && active < c.cols && c.rows == y.rows &&
                    x.rows == y.rows && guess.rows == y.rows,
                "correct_streams: shapes");
  gpu::each_element(exec, y.rows, x.cols, gpu::correct_stream<T>{c, x, guess, active, x.cols, y});
}

} // namespace llmap
