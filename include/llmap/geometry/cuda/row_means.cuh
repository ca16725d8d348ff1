// Means of rows on the device, each about its first value, so that a row of equal values has exactly that mean.
#pragma once
#include "llmap/core/cuda/row_values.cuh"
#include "llmap/core/view.hpp"
#include "llmap/geometry/detail/finite.hpp"

namespace llmap::gpu {

struct deviations {
  double first = 0, sum = 0; // sum of what values are above the first
  LLMAP_HD void merge(const deviations& other) { sum += other.sum; }
};
template <class T> struct push_deviation {
  matrix_view<const T> x;
  __device__ void operator()(deviations& own, std::size_t row, std::size_t column) const {
    if (column < row_values_threads) own.first = x(row, 0); // the first column of each thread
    own.sum += x(row, column) - own.first;
  }
};

/// (K); fails if an entry is not finite, which the mean of its row shows.
template <class T>
std::vector<double> finite_row_means(const cuda_executor& exec, matrix_view<const T> x, const char* step) {
  cuda_buffer<deviations> of_rows;
  row_values(exec, x.rows, x.cols, push_deviation<T>{x}, of_rows);
  std::vector<double> means;
  for (const deviations& row : of_rows.download(exec))
    means.push_back(row.first + row.sum / static_cast<double>(x.cols));
  detail::expect_finite(means, step);
  return means;
}

} // namespace llmap::gpu
