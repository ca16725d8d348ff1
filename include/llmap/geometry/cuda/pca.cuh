// Principal components of a matrix q (K, N) on the device; contract and result of geometry/pca.hpp. The Gram matrix of
// the smaller side and the image of its vectors are made on the device; the eigenvectors themselves, of a matrix that
// is small, by the CPU's solver on the host. Results lie on the host. Same bits on every run.
#pragma once
#include "llmap/core/cuda/transfer.cuh"
#include "llmap/geometry/cuda/gram.cuh"
#include "llmap/geometry/pca.hpp"

namespace llmap {

namespace gpu {

struct turn_policy {
  static constexpr unsigned side = 32, rows = 8; // of a block's threads; each has 4 elements
};

/// to = from^T, by tiles that are read and written row by row.
template <class T>
__global__ void __launch_bounds__(turn_policy::side* turn_policy::rows)
    transpose_kernel(matrix_view<const T> from, matrix_view<T> to) {
  __shared__ T tile[turn_policy::side][turn_policy::side + 1];
  const std::size_t row = std::size_t{blockIdx.y} * turn_policy::side;
  const std::size_t column = std::size_t{blockIdx.x} * turn_policy::side;
  for (unsigned r = threadIdx.y; r < turn_policy::side; r += turn_policy::rows)
    if (row + r < from.rows && column + threadIdx.x < from.cols)
      tile[r][threadIdx.x] = from(row + r, column + threadIdx.x);
  __syncthreads();
  for (unsigned r = threadIdx.y; r < turn_policy::side; r += turn_policy::rows)
    if (column + r < to.rows && row + threadIdx.x < to.cols) to(column + r, row + threadIdx.x) = tile[threadIdx.x][r];
}

/// (cols, rows)
template <class T> cuda_matrix_buffer<T> transposed(const cuda_executor& exec, matrix_view<const T> x) {
  cuda_matrix_buffer<T> out;
  const auto tiles = [](std::size_t n) { return (n + turn_policy::side - 1) / turn_policy::side; };
  LLMAP_EXPECTS(tiles(x.rows) <= 65535 && tiles(x.cols) <= 0x7fffffff, "transposed: shape");
  transpose_kernel<<<dim3(static_cast<unsigned>(tiles(x.cols)), static_cast<unsigned>(tiles(x.rows))),
                     dim3(turn_policy::side, turn_policy::rows), 0, exec.stream>>>(x, out.reshape(x.cols, x.rows));
  LLMAP_CUDA_CHECK(cudaGetLastError());
  return out;
}

/// A block makes `few` rows of out, of 2 KiB of each row that it reads: against them the weights of a row of K are 64
/// bytes. They come through shared memory, `deep` of each at a time, read once for all threads of the block.
template <class T> struct combine_policy {
  static constexpr unsigned threads = 256, few = 8, deep = 32;
  static constexpr unsigned each = sizeof(double) / sizeof(T); // columns of a thread
  static constexpr unsigned columns = threads * each;
  static_assert(threads == few * deep);
};

/// out (P, N) = weights (P, K) rows (K, N), sums in the order of K.
template <class T>
__global__ void __launch_bounds__(combine_policy<T>::threads)
    combine_rows_kernel(matrix_view<const double> weights, matrix_view<const T> rows, matrix_view<double> out) {
  using policy = combine_policy<T>;
  __shared__ double staged[policy::deep][policy::few];
  const std::size_t column = std::size_t{blockIdx.x} * policy::columns + threadIdx.x;
  const std::size_t first = std::size_t{blockIdx.y} * policy::few;
  const unsigned own_row = threadIdx.x % policy::few, own_k = threadIdx.x / policy::few; // of staged
  double sum[policy::each][policy::few] = {};
  for (std::size_t start = 0; start < rows.rows; start += policy::deep) {
    const auto depth = static_cast<unsigned>(min(std::size_t{policy::deep}, rows.rows - start));
    if (own_k < depth)
      staged[own_k][own_row] = first + own_row < weights.rows ? weights(first + own_row, start + own_k) : 0;
    __syncthreads();
    for (unsigned k = 0; k < depth; ++k) {
#pragma unroll
      for (unsigned c = 0; c < policy::each; ++c) {
        if (column + c * policy::threads >= rows.cols) continue;
        const double x = rows(start + k, column + c * policy::threads);
#pragma unroll
        for (unsigned p = 0; p < policy::few; ++p) sum[c][p] += staged[k][p] * x;
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (unsigned c = 0; c < policy::each; ++c) {
    if (column + c * policy::threads >= rows.cols) continue;
#pragma unroll
    for (unsigned p = 0; p < policy::few; ++p)
      if (first + p < weights.rows) out(first + p, column + c * policy::threads) = sum[c][p];
  }
}

template <class T>
matrix<double> combine_rows(const cuda_executor& exec, matrix_view<const double> weights, matrix_view<const T> rows) {
  if (weights.rows == 0) return matrix<double>(0, rows.cols);
  const auto on_device = upload(exec, weights);
  cuda_matrix_buffer<double> out;
  using policy = combine_policy<T>;
  const std::size_t blocks = (rows.cols + policy::columns - 1) / policy::columns;
  const std::size_t groups = (weights.rows + policy::few - 1) / policy::few;
  LLMAP_EXPECTS(blocks <= 0x7fffffff && groups <= 65535, "combine_rows: shape");
  combine_rows_kernel<<<dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(groups)), policy::threads, 0,
                        exec.stream>>>(matrix_view<const double>(on_device.view()), rows,
                                       out.reshape(weights.rows, rows.cols));
  LLMAP_CUDA_CHECK(cudaGetLastError());
  return download(exec, out);
}

} // namespace gpu

/// At most `components` components.
template <class T>
pca_result pca(const cuda_executor& exec, matrix_view<const T> q, std::size_t components = all_components) {
  LLMAP_EXPECTS(q.rows > 0 && q.cols > 0, "pca: empty matrix");
  cuda_matrix_buffer<T> turned;
  if (q.rows > q.cols) turned = gpu::transposed(exec, q);
  const matrix_view<const T> rows = q.rows > q.cols ? turned.view() : q;
  return detail::components_of(cpu_executor{}, q.rows, q.cols, download(exec, gram(exec, rows)), components,
                               [&](matrix_view<const double> own) { return gpu::combine_rows(exec, own, rows); });
}

} // namespace llmap
