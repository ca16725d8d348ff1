// Moves of rows and heads. Contracts: forward/ops.hpp. Lists of rows and weights lie on the host.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/forward/cuda/positions.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/ops.hpp"

namespace llmap {

namespace gpu {

template <class T> struct place_head {
  matrix_view<const T> x;
  std::size_t x_heads, from_width, to_width, first;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t i) const {
    const std::size_t h = i / from_width, k = i % from_width;
    y(r, h * to_width + first + k) = x(r, (x_heads == 1 ? 0 : h) * from_width + k);
  }
};
/// y(i, k) = weight[i] x(rows[i], k); without weights, x itself.
template <class T> struct gather {
  matrix_view<const T> x;
  const std::size_t* rows;
  const T* weights;
  matrix_view<T> y;
  __device__ void operator()(std::size_t i, std::size_t k) const {
    const T v = x(rows[i], k);
    y(i, k) = weights ? weights[i] * v : v;
  }
};
template <class T> struct scatter_add {
  matrix_view<const T> x;
  const std::size_t* rows; // distinct
  const T* weights;
  matrix_view<T> y;
  __device__ void operator()(std::size_t i, std::size_t k) const {
    y(rows[i], k) += weights ? weights[i] * x(i, k) : x(i, k);
  }
};
} // namespace gpu

template <class T>
void place_heads(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x, std::size_t x_heads,
                 matrix_view<T> y, std::size_t heads, std::size_t first) {
  LLMAP_EXPECTS(x.rows == y.rows && (x_heads == heads || x_heads == 1), "place_heads: heads of x and y");
  const std::size_t from_width = x.cols / x_heads, to_width = y.cols / heads;
  LLMAP_EXPECTS(first + from_width <= to_width, "place_heads: a head of x fits into one of y");
  gpu::each_element(exec, y.rows, heads * from_width, gpu::place_head<T>{x, x_heads, from_width, to_width, first, y});
}

template <class T>
void gather_rows(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x,
                 std::span<const std::size_t> rows, cuda_rows<T>& y, cuda_scratch<T>&) {
  const auto which = gpu::on_device(exec, rows);
  gpu::each_element(exec, rows.size(), x.cols,
                    gpu::gather<T>{x, which.data(), nullptr, y.reshape(rows.size(), x.cols)});
}

template <class T>
void gather_weighted_rows(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x,
                          std::span<const std::size_t> rows, std::span<const std::type_identity_t<T>> weights,
                          cuda_rows<T>& y, cuda_scratch<T>&) {
  LLMAP_EXPECTS(rows.size() == weights.size(), "gather_weighted_rows: a weight a row");
  const auto which = gpu::on_device(exec, rows);
  const auto factor = gpu::on_device<T>(exec, weights);
  gpu::each_element(exec, rows.size(), x.cols,
                    gpu::gather<T>{x, which.data(), factor.data(), y.reshape(rows.size(), x.cols)});
}

template <class T>
void add_weighted_rows(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x,
                       std::span<const std::size_t> rows, std::span<const std::type_identity_t<T>> weights,
                       matrix_view<T> y) {
  LLMAP_EXPECTS(x.rows == rows.size() && (weights.empty() || x.rows == weights.size()) && x.cols == y.cols,
                "add_weighted_rows: a row and a weight of y for each of x");
  const auto which = gpu::on_device(exec, rows);
  const auto factor = gpu::on_device<T>(exec, weights);
  gpu::each_element(exec, x.rows, x.cols,
                    gpu::scatter_add<T>{x, which.data(), weights.empty() ? nullptr : factor.data(), y});
}

} // namespace llmap
