// Squared Euclidean distances of all pairs of rows of a matrix x (K, N) on the device, from the differences themselves:
// out(i, j) = sum_s (x_is - x_js)^2. All terms are positive, so that near pairs are as right as far ones: relative
// error <= (258 + N / 256) eps, below squared_distance_error for N < 2 million. Equal rows give exactly 0; permuting
// rows permutes the table. Same bits on every run.
#pragma once
#include "llmap/geometry/cuda/pair_sums.cuh"
#include "llmap/geometry/cuda/row_means.cuh"
#include "llmap/geometry/squared_distances.hpp"

namespace llmap {

/// (K, K). Entries of x must be finite.
template <class T> cuda_matrix_buffer<double> squared_distances(const cuda_executor& exec, matrix_view<const T> x) {
  LLMAP_EXPECTS(x.rows > 0 && x.cols > 0, "squared_distances: empty matrix");
  gpu::finite_row_means(exec, x, "squared_distances");
  return gpu::pair_sums<gpu::squared_difference_of_pair>(exec, x);
}

} // namespace llmap
