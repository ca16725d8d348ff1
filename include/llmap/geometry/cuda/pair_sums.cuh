// Sums over texts for every pair of rows on the device, for a symmetric term: out(i, j) = sum_s term(x_is, x_js). Rows
// are float or double, terms and sums double. A block takes a tile of 64 x 64 pairs, a thread 4 x 4 of them; a tile and
// its mirror image are one block's. Each sum adds chains of 256 terms in order:
//   error <= (256 + N / 256) eps sum |term|.
// Its bits depend on the two rows alone.
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include "llmap/core/cuda/matrix_buffer.cuh"

namespace llmap::gpu {

struct pair_policy {
  static constexpr unsigned side = 64, lanes = 16, each = side / lanes; // models of a tile, threads of a side of it
  static constexpr unsigned threads = lanes * lanes, depth = 16;        // texts in shared memory: 128 bytes of a row
  static constexpr std::size_t chain = 256;
  static constexpr unsigned stride = side + 1; // so that 16 texts of a row go to different banks
};

struct product_of_pair {
  static __device__ void add(double& sum, double x, double y) { sum += x * y; }
};
struct squared_difference_of_pair {
  static __device__ void add(double& sum, double x, double y) {
    const double d = x - y;
    sum += d * d;
  }
};

/// Texts [first, first + depth) of the tile's rows as (depth, side); what lies beyond the matrix is 0.
template <class T>
__device__ void load_tile(matrix_view<const T> x, std::size_t first_row, std::size_t first,
                          double (&to)[pair_policy::depth][pair_policy::stride]) {
  const unsigned text = threadIdx.x % pair_policy::depth;
  for (unsigned r = threadIdx.x / pair_policy::depth; r < pair_policy::side; r += pair_policy::lanes)
    to[text][r] = first_row + r < x.rows && first + text < x.cols ? x(first_row + r, first + text) : 0;
}

template <class Term, class T>
__global__ void __launch_bounds__(pair_policy::threads)
    pair_sums_kernel(matrix_view<const T> x, matrix_view<double> out) {
  using policy = pair_policy;
  if (blockIdx.y > blockIdx.x) return; // the mirror image
  __shared__ double left[policy::depth][policy::stride], right[policy::depth][policy::stride];
  const std::size_t first_row = std::size_t{blockIdx.y} * policy::side;
  const std::size_t first_column = std::size_t{blockIdx.x} * policy::side;
  const unsigned ty = threadIdx.x / policy::lanes, tx = threadIdx.x % policy::lanes;
  double total[policy::each][policy::each] = {};
  for (std::size_t begin = 0; begin < x.cols; begin += policy::chain) {
    const std::size_t end = begin + policy::chain < x.cols ? begin + policy::chain : x.cols;
    double sum[policy::each][policy::each] = {};
    for (std::size_t s = begin; s < end; s += policy::depth) {
      load_tile(x, first_row, s, left);
      load_tile(x, first_column, s, right);
      __syncthreads();
#pragma unroll 4
      for (unsigned d = 0; d < policy::depth; ++d)
#pragma unroll
        for (unsigned i = 0; i < policy::each; ++i)
#pragma unroll
          for (unsigned j = 0; j < policy::each; ++j)
            Term::add(sum[i][j], left[d][ty + i * policy::lanes], right[d][tx + j * policy::lanes]);
      __syncthreads();
    }
#pragma unroll
    for (unsigned i = 0; i < policy::each; ++i)
#pragma unroll
      for (unsigned j = 0; j < policy::each; ++j) total[i][j] += sum[i][j];
  }
#pragma unroll
  for (unsigned i = 0; i < policy::each; ++i)
#pragma unroll
    for (unsigned j = 0; j < policy::each; ++j) {
      const std::size_t row = first_row + ty + i * policy::lanes, column = first_column + tx + j * policy::lanes;
      if (row >= x.rows || column >= x.rows) continue;
      out(row, column) = total[i][j];
      if (blockIdx.x != blockIdx.y) out(column, row) = total[i][j];
    }
}

/// (K, K) of the rows of x (K, N).
template <class Term, class T> cuda_matrix_buffer<double> pair_sums(const cuda_executor& exec, matrix_view<const T> x) {
  const std::size_t tiles = (x.rows + pair_policy::side - 1) / pair_policy::side;
  LLMAP_EXPECTS(tiles <= 65535, "pair_sums: rows");
  cuda_matrix_buffer<double> out;
  const matrix_view<double> to = out.reshape(x.rows, x.rows);
  if (tiles == 0) return out;
  pair_sums_kernel<Term>
      <<<dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(tiles)), pair_policy::threads, 0, exec.stream>>>(x,
                                                                                                                   to);
  LLMAP_CUDA_CHECK(cudaGetLastError());
  return out;
}

} // namespace llmap::gpu
