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

/// A warp takes 32 neighboring columns and every 16th row; the 16 sums of a column are added in order.
struct column_policy {
  static constexpr unsigned columns = 32, rows = 16;
};

template <class T>
__global__ void __launch_bounds__(column_policy::columns* column_policy::rows)
    column_means_kernel(matrix_view<const T> l, const double* row_mean, double* column_mean) {
  __shared__ double sums[column_policy::rows][column_policy::columns];
  const std::size_t column = std::size_t{blockIdx.x} * column_policy::columns + threadIdx.x;
  const double first = column < l.cols ? l(0, column) - row_mean[0] : 0;
  double sum = 0;
  if (column < l.cols)
    for (std::size_t i = threadIdx.y; i < l.rows; i += column_policy::rows) sum += (l(i, column) - row_mean[i]) - first;
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= l.cols) return;
  for (unsigned r = 1; r < column_policy::rows; ++r) sum += sums[r][threadIdx.x];
  column_mean[column] = sum / static_cast<double>(l.rows) + first;
}

template <class T> struct center_element {
  matrix_view<const T> l;
  const double *row_mean, *column_mean;
  matrix_view<T> q;
  __device__ void operator()(std::size_t i, std::size_t s) const {
    q(i, s) = static_cast<T>((l(i, s) - row_mean[i]) - column_mean[s]);
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
  gpu::column_means_kernel<<<static_cast<unsigned>(blocks), dim3(gpu::column_policy::columns, gpu::column_policy::rows),
                             0, exec.stream>>>(l, row_mean.data(), column_mean.data());
  LLMAP_CUDA_CHECK(cudaGetLastError());
  gpu::each_element(exec, l.rows, l.cols,
                    gpu::center_element<T>{l, row_mean.data(), column_mean.data(), out.q.reshape(l.rows, l.cols)});
  out.column_mean = column_mean.download(exec);
  return out;
}

} // namespace llmap
