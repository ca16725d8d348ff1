// Gram matrix of the rows of a matrix x (K, N) on the device: out(i, j) = sum_s x_is x_js. Error: that of
// pair_sums.cuh.
#pragma once
#include "llmap/geometry/cuda/pair_sums.cuh"

namespace llmap {

template <class T> cuda_matrix_buffer<double> gram(const cuda_executor& exec, matrix_view<const T> x) {
  return gpu::pair_sums<gpu::product_of_pair>(exec, x);
}

} // namespace llmap
