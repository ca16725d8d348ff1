// Ops that need a statistic of each row: cut_below and match_size. Contracts: forward/ops.hpp. A warp takes a row;
// statistics are summed in double.
#pragma once
#include "llmap/forward/cuda/norm.cuh"

namespace llmap {

namespace gpu {

template <class T>
__global__ void __launch_bounds__(warps_of_rows * 32) cut_below_kernel(double cut, matrix_view<T> y) {
  const std::size_t row = std::size_t{blockIdx.x} * warps_of_rows + threadIdx.x / 32;
  if (row >= y.rows) return;
  T* const to = y.row(row);
  const double n = static_cast<double>(y.cols);
  const double mean = warp_sum(y.cols, [&](std::size_t k) { return static_cast<double>(to[k]); }) / n;
  const double square = warp_sum(y.cols, [&](std::size_t k) {
    const double off = static_cast<double>(to[k]) - mean;
    return off * off;
  });
  const T least = static_cast<T>(mean + cut * sqrt(square / n));
  for (std::size_t k = threadIdx.x % 32; k < y.cols; k += 32) {
    const T v = to[k] - least;
    to[k] = v < T(0) ? T(0) : v;
  }
}

template <class T>
__global__ void __launch_bounds__(warps_of_rows * 32) match_size_kernel(matrix_view<const T> x, matrix_view<T> y) {
  const std::size_t row = std::size_t{blockIdx.x} * warps_of_rows + threadIdx.x / 32;
  if (row >= y.rows) return;
  const auto mean_square = [](const T* of, std::size_t n) {
    return warp_sum(n, [&](std::size_t k) { return static_cast<double>(of[k]) * static_cast<double>(of[k]); }) /
           static_cast<double>(n);
  };
  T* const to = y.row(row);
  const double own = fmax(mean_square(to, y.cols), 1e-5), wanted = mean_square(x.row(row), x.cols);
  const T factor = static_cast<T>(sqrt(wanted / own));
  for (std::size_t k = threadIdx.x % 32; k < y.cols; k += 32) to[k] *= factor;
}

} // namespace gpu

template <class T> void cut_below(const cuda_executor& exec, double cut, matrix_view<T> y) {
  if (y.rows == 0 || y.cols == 0) return;
  gpu::cut_below_kernel<T>
      <<<gpu::blocks_of_warps(y.rows, "cut_below: rows"), gpu::warps_of_rows * 32, 0, exec.stream>>>(cut, y);
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

template <class T>
void match_size(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x, matrix_view<T> y) {
  LLMAP_EXPECTS(x.rows == y.rows && x.cols == y.cols, "match_size: shapes of x and y");
  if (y.rows == 0 || y.cols == 0) return;
  gpu::match_size_kernel<T>
      <<<gpu::blocks_of_warps(y.rows, "match_size: rows"), gpu::warps_of_rows * 32, 0, exec.stream>>>(x, y);
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

} // namespace llmap
