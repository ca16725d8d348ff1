// Gram matrix of the rows of a matrix x (K, N): out(i, j) = sum_s x_is x_js. x is float or double, products and sums
// are double. Each sum adds chains of 256 multiply-adds in order:
//   error <= (256 + N / 256) eps sum |x_is x_js|.
// Same bits for any thread count.
#pragma once
#include "llmap/core/matrix.hpp"
#include "llmap/geometry/detail/for_pairs.hpp"
#include "llmap/geometry/detail/pair_sums.hpp"

namespace llmap {

/// x x^T (K, K) of x (K, N), sums in double.
template <class T> matrix<double> gram(const cpu_executor& exec, matrix_view<const T> x) {
  const detail::pair_table sums =
      detail::pair_sums<detail::product_term>(exec, detail::shifted_rows<T>{x, nullptr, nullptr});
  matrix<double> out(x.rows, x.rows);
  for (std::size_t i = 0; i < x.rows; ++i) out(i, i) = sums(i, i);
  detail::for_pairs(exec, x.rows, [&](std::size_t i, std::size_t j) { out(i, j) = out(j, i) = sums(i, j); });
  return out;
}

} // namespace llmap
