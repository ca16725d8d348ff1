// Ops that need a statistic of each row: cut_below and match_size. Contracts: forward/ops.hpp. A row is read
// once (group_values.cuh); statistics are summed in double.
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include "llmap/core/view.hpp"
#include "llmap/forward/cuda/group_values.cuh"
#include <type_traits>

namespace llmap {

namespace gpu {

template <class T, unsigned Threads>
__global__ void __launch_bounds__(group_threads<Threads>) cut_below_kernel(double cut, matrix_view<T> y) {
  const std::size_t row = group_number<Threads>();
  if (row >= y.rows) return;
  T* const to = y.row(row);
  const double n = static_cast<double>(y.cols);
  const group_values<T, Threads> values(to, static_cast<unsigned>(y.cols));
  const double mean = values.sum([](T v) { return static_cast<double>(v); }) / n;
  const double square = values.sum([&](T v) {
    const double off = static_cast<double>(v) - mean;
    return off * off;
  });
  const T least = static_cast<T>(mean + cut * sqrt(square / n));
  values.each([&](unsigned k, T own) {
    const T v = own - least;
    to[k] = v < T(0) ? T(0) : v;
  });
}

template <class T, unsigned Threads>
__global__ void __launch_bounds__(group_threads<Threads>) match_size_kernel(matrix_view<const T> x, matrix_view<T> y) {
  const std::size_t row = group_number<Threads>();
  if (row >= y.rows) return;
  const auto width = static_cast<unsigned>(y.cols);
  const double n = static_cast<double>(y.cols);
  const auto square = [](T v) { return static_cast<double>(v) * static_cast<double>(v); };
  const double wanted = group_values<T, Threads>(x.row(row), width).sum(square) / n;
  T* const to = y.row(row);
  const group_values<T, Threads> values(to, width);
  const T factor = static_cast<T>(sqrt(wanted / fmax(values.sum(square) / n, 1e-5)));
  values.each([&](unsigned k, T v) { to[k] = v * factor; });
}

} // namespace gpu

template <class T> void cut_below(const cuda_executor& exec, double cut, matrix_view<T> y) {
  if (y.rows == 0 || y.cols == 0) return;
  gpu::by_width<T>(y.cols, [&]<unsigned Threads>() {
    gpu::cut_below_kernel<T, Threads><<<gpu::group_blocks<Threads>(y.rows, y.cols, "cut_below: shape"),
                                        gpu::group_threads<Threads>, 0, exec.stream>>>(cut, y);
  });
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

template <class T>
void match_size(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x, matrix_view<T> y) {
  LLMAP_EXPECTS(x.rows == y.rows && x.cols == y.cols, "match_size: shapes of x and y");
  if (y.rows == 0 || y.cols == 0) return;
  gpu::by_width<T>(y.cols, [&]<unsigned Threads>() {
    gpu::match_size_kernel<T, Threads><<<gpu::group_blocks<Threads>(y.rows, y.cols, "match_size: shape"),
                                         gpu::group_threads<Threads>, 0, exec.stream>>>(x, y);
  });
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

} // namespace llmap
