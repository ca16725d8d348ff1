// Where the sums of a product go.
#pragma once
#include "llmap/core/view.hpp"

namespace llmap::gpu {

/// y = or += sum + bias.
template <class T> struct product_target {
  matrix_view<T> y;
  const T* bias; // (N), or null
  bool add;

  __device__ void store(std::size_t row, std::size_t column, T sum) const {
    if (row >= y.rows || column >= y.cols) return;
    const T v = bias ? sum + bias[column] : sum;
    y(row, column) = add ? v + y(row, column) : v;
  }
};

} // namespace llmap::gpu
