// Double centering on the device: formula and contract of geometry/center.hpp, the matrices on the device, the means on
// the host. Means and differences are taken in double, and q is rounded once at the end. Column means are taken about
// the first model: models that are all equal have exactly these means, and q = 0. Same bits on every run.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/core/cuda/matrix_buffer.cuh"
#include "llmap/geometry/center.hpp"
#include "llmap/geometry/cuda/row_means.cuh"

namespace llmap {

/// A matrix without the means of its rows and columns, and those.
template <class T> struct cuda_centered_matrix {
  cuda_matrix_buffer<T> q;         // (K, N)
  std::vector<double> row_mean;    // (K) mean log-likelihood per text, nats
  std::vector<double> column_mean; // (N) mean of xi over models
};

namespace gpu {

/// A warp takes 64 neighboring columns, a lane two of them, and every 16th row; the 16 sums of a column are added in
/// order.
struct column_policy {
  static constexpr unsigned lanes = 32, each = 2, columns = lanes * each, rows = 16;
};

template <class T>
__global__ void __launch_bounds__(column_policy::lanes* column_policy::rows)
    column_means_kernel(matrix_view<const T> l, const double* row_mean, double* column_mean) {
  using policy = column_policy;
  __shared__ double sums[policy::rows][policy::columns];
  const std::size_t begin = std::size_t{blockIdx.x} * policy::columns + threadIdx.x;
  double first[policy::each], sum[policy::each];
#pragma unroll
  for (unsigned e = 0; e < policy::each; ++e) {
    const std::size_t column = begin + e * policy::lanes;
    first[e] = column < l.cols ? l(0, column) - row_mean[0] : 0, sum[e] = 0;
  }
  for (std::size_t i = threadIdx.y; i < l.rows; i += policy::rows) {
    const double mean = row_mean[i];
#pragma unroll
    for (unsigned e = 0; e < policy::each; ++e)
      if (const std::size_t column = begin + e * policy::lanes; column < l.cols)
        sum[e] += (l(i, column) - mean) - first[e];
  }
#pragma unroll
  for (unsigned e = 0; e < policy::each; ++e) sums[threadIdx.y][threadIdx.x + e * policy::lanes] = sum[e];
  __syncthreads();
  if (threadIdx.y != 0) return;
#pragma unroll
  for (unsigned e = 0; e < policy::each; ++e) {
    const std::size_t column = begin + e * policy::lanes;
    for (unsigned r = 1; r < policy::rows; ++r) sum[e] += sums[r][threadIdx.x + e * policy::lanes];
    if (column < l.cols) column_mean[column] = sum[e] / static_cast<double>(l.rows) + first[e];
  }
}

template <class T> struct center_column {
  matrix_view<const T> l;
  const double *row_mean, *column_mean;
  matrix_view<T> q;
  __device__ void operator()(std::size_t i, std::size_t end, std::size_t s) const {
    for (const double own = column_mean[s]; i < end; ++i) q(i, s) = static_cast<T>((l(i, s) - row_mean[i]) - own);
  }
};

} // namespace gpu

template <class T> cuda_centered_matrix<T> center(const cuda_executor& exec, matrix_view<const T> l) {
  LLMAP_EXPECTS(l.rows > 0 && l.cols > 0, "center: empty matrix");
  expect_texts("center", l.cols);
  const std::size_t blocks = (l.cols + gpu::column_policy::columns - 1) / gpu::column_policy::columns;
  LLMAP_EXPECTS(blocks <= 0x7fffffff, "center: columns");
  cuda_centered_matrix<T> out;
  out.row_mean = gpu::finite_row_means(exec, l, "center");
  const cuda_buffer<double> row_mean(exec, std::span<const double>(out.row_mean)), column_mean(exec, l.cols);
  gpu::column_means_kernel<<<static_cast<unsigned>(blocks), dim3(gpu::column_policy::lanes, gpu::column_policy::rows),
                             0, exec.stream>>>(l, row_mean.data(), column_mean.data());
  LLMAP_CUDA_CHECK(cudaGetLastError());
  gpu::each_strip(exec, l.rows, l.cols,
                  gpu::center_column<T>{l, row_mean.data(), column_mean.data(), out.q.reshape(l.rows, l.cols)});
  out.column_mean = column_mean.download(exec);
  return out;
}

} // namespace llmap
