// Ops on the elements of rows: sums, factors, limits. Contracts: forward/ops.hpp. Each element is one thread's;
// products and sums are rounded in the working type.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/forward/cuda/positions.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/ops.hpp"
#include <cmath>

namespace llmap {

namespace gpu {

template <class T> struct add_product {
  matrix_view<const T> x;
  T s;
  matrix_view<T> y;
  bool add;
  __device__ void operator()(std::size_t r, std::size_t k) const {
    y(r, k) = add ? y(r, k) + s * x(r, k) : s * x(r, k);
  }
};
template <class T> struct scale_by {
  T s;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t k) const { y(r, k) *= s; }
};
/// y(r, k) *= factor[r * by_row + k * by_column]
template <class T> struct scale_row {
  const T* factor;
  std::size_t step; // between those of rows
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t k) const { y(r, k) *= factor[r * step]; }
};
template <class T> struct scale_column {
  const T* factor;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t end, std::size_t k) const {
    for (const T own = factor[k]; r < end; ++r) y(r, k) *= own;
  }
};
template <class T> struct clamp_to {
  T limit;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t k) const { y(r, k) = within(y(r, k), limit); }
};
template <class T> struct set_zero {
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t k) const { y(r, k) = T(0); }
};
template <class T> struct scale_by_sigmoid {
  matrix_view<const T> gate;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t k) const { y(r, k) *= sigmoid(gate(r, 0)); }
};

} // namespace gpu

template <class T>
void add_scaled(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<T> s,
                matrix_view<T> y, store_mode mode) {
  LLMAP_EXPECTS(x.rows == y.rows && x.cols == y.cols, "add_scaled: shapes of x and y");
  gpu::each_element(exec, y.rows, y.cols, gpu::add_product<T>{x, s, y, mode == store_mode::add});
}

template <class T> void scale(const cuda_executor& exec, std::type_identity_t<T> s, matrix_view<T> y) {
  gpu::each_element(exec, y.rows, y.cols, gpu::scale_by<T>{s, y});
}

template <class T>
void scale(const cuda_executor& exec, const cuda_buffer<std::type_identity_t<T>>& s, matrix_view<T> y) {
  LLMAP_EXPECTS(s.size() == 1, "scale: one number");
  gpu::each_element(exec, y.rows, y.cols, gpu::scale_row<T>{s.data(), 0, y});
}

template <class T>
void scale_columns(const cuda_executor& exec, const cuda_buffer<std::type_identity_t<T>>& s, matrix_view<T> y) {
  LLMAP_EXPECTS(s.size() == y.cols, "scale_columns: a number a column");
  gpu::each_strip(exec, y.rows, y.cols, gpu::scale_column<T>{s.data(), y});
}

template <class T>
void grow(const cuda_executor& exec, const query_growth& growth, const ragged_batch& batch, slab rows,
          matrix_view<T> y) {
  LLMAP_EXPECTS(y.rows == rows.count && growth.period > 0, "grow: rows of the slab, a period");
  std::vector<T> factors;
  for (const std::int32_t position : gpu::positions_of(batch, rows)) {
    const std::int64_t periods = (position + growth.offset) / growth.period;
    factors.push_back(static_cast<T>(1 + growth.beta * std::log1p(static_cast<double>(periods))));
  }
  const auto factor = gpu::on_device(exec, factors);
  gpu::each_element(exec, y.rows, y.cols, gpu::scale_row<T>{factor.data(), 1, y});
}

template <class T> void clamp(const cuda_executor& exec, std::type_identity_t<T> limit, matrix_view<T> y) {
  gpu::each_element(exec, y.rows, y.cols, gpu::clamp_to<T>{limit, y});
}

template <class T> void clear(const cuda_executor& exec, matrix_view<T> y) {
  gpu::each_element(exec, y.rows, y.cols, gpu::set_zero<T>{y});
}

template <class T>
void scale_rows_by_sigmoid(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> gate,
                           matrix_view<T> y) {
  LLMAP_EXPECTS(gate.rows == y.rows && gate.cols == 1, "scale_rows_by_sigmoid: one gate per row");
  gpu::each_element(exec, y.rows, y.cols, gpu::scale_by_sigmoid<T>{gate, y});
}

} // namespace llmap
