// The few largest eigenvalues of a symmetric matrix (n, n) with their vectors, without the other n.
//
// Block Krylov spaces with restarts: from a block X of more columns than are wanted, the space
// X, A X, ..., A^11 X is made orthonormal, A is projected onto it (Rayleigh and Ritz), and the best columns
// are the next X, until the residuals |A v - theta v| of the wanted pairs are below 1e-14 of the largest
// eigenvalue. A block finds as many equal eigenvalues as it has columns. Where it does not converge (many
// near-equal eigenvalues at the end of those wanted) all are computed instead, as they are of a small matrix.
// Start and order of sums are fixed: same bits for any thread count.
#pragma once
#include "llmap/core/random.hpp"
#include "llmap/core/simd.hpp"
#include "llmap/geometry/detail/eigen_solver.hpp"
#include <algorithm>

namespace llmap::detail {

/// out = A X for rows [first, last) of A (any, n), row-major; X (n, columns) column-major.
struct block_product {
  const double *a, *x;
  std::size_t n, first, last, columns;
  double* out; // (n, columns) column-major
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr std::size_t group = 4; // columns that share the loads of a row
    for (std::size_t i = first; i < last; ++i) {
      std::size_t c = 0;
      for (; c + group <= columns; c += group) dot<Isa, group>(a + i * n, c, i);
      for (; c < columns; ++c) dot<Isa, 1>(a + i * n, c, i);
    }
  }

private:
  template <class Isa, std::size_t C>
  LLMAP_INLINE void dot(const double* row, std::size_t c, std::size_t i) const {
    constexpr std::size_t W = simd::width<Isa, double>;
    simd::vec<double, W> sum[C] = {};
    std::size_t j = 0;
    for (; j + W <= n; j += W)
#pragma GCC unroll 4
      for (std::size_t k = 0; k < C; ++k)
        sum[k] += simd::load<double, W>(row + j) * simd::load<double, W>(x + (c + k) * n + j);
#pragma GCC unroll 4
    for (std::size_t k = 0; k < C; ++k) {
      double total = simd::sum<double, W>(sum[k]);
      for (std::size_t t = j; t < n; ++t) total += row[t] * x[(c + k) * n + t];
      out[(c + k) * n + i] = total;
    }
  }
};

/// The `count` largest, descending, with their vectors (n, count).
inline symmetric_eigen leading_eigen(const Eigen::MatrixXd& a, Eigen::Index count, int threads) {
  constexpr Eigen::Index guard = 4, powers = 12, restarts = 60;
  const Eigen::Index n = a.rows(), block = count + guard, most = block * powers;
  const auto all = [&] {
    const symmetric_eigen found = solve_symmetric(a);
    return symmetric_eigen{found.values.head(count), found.vectors.leftCols(count)};
  };
  if (count == 0 || n < 2 * most) return all();

  const eigen_on_one_thread one_thread;
  Eigen::MatrixXd v(n, most), av(n, most); // basis, and A times it
  const auto multiply = [&](Eigen::Index first, Eigen::Index columns) {
    constexpr std::size_t rows = 32;
    const auto size = static_cast<std::size_t>(n);
    parallel_for(threads, (size + rows - 1) / rows, [&](std::size_t r) {
      simd::run(block_product{a.data(), v.col(first).data(), size, r * rows, std::min(size, (r + 1) * rows),
                              static_cast<std::size_t>(columns), av.col(first).data()});
    });
  };
  Eigen::VectorXd part(n);
  // Appends w, less its part in the first `size` columns, if anything is left of it.
  const auto append = [&](Eigen::Index& size, Eigen::VectorXd w) {
    double rest = w.norm();
    const double least = 1e-14 * rest;
    for (int pass = 0; pass < 2; ++pass) {
      const double before = rest;
      simd::run(block_product{v.data(), w.data(), static_cast<std::size_t>(n), 0,
                              static_cast<std::size_t>(size), 1, part.data()});
      for (Eigen::Index k = 0; k < size; ++k) w -= part(k) * v.col(k);
      rest = w.norm();
      if (rest <= least || (pass == 1 && rest < before / 2)) return; // only rounding is left
    }
    v.col(size++) = w / rest;
  };

  Eigen::Index kept = 0;
  for (Eigen::Index c = 0; c < block; ++c) {
    Eigen::VectorXd w(n);
    for (Eigen::Index i = 0; i < n; ++i)
      w(i) = counter_random{1}.normal(static_cast<std::uint64_t>(c), static_cast<std::uint64_t>(i));
    append(kept, std::move(w));
  }
  multiply(0, kept);
  for (Eigen::Index restart = 0; restart < restarts; ++restart) {
    Eigen::Index size = kept;
    for (Eigen::Index first = 0; size > first && size + block <= most;) {
      const Eigen::Index end = size;
      for (Eigen::Index c = first; c < end; ++c) append(size, av.col(c));
      multiply(end, size - end);
      first = end;
    }
    Eigen::MatrixXd projected(n, size); // the first `size` rows
    simd::run(block_product{v.data(), av.data(), static_cast<std::size_t>(n), 0,
                            static_cast<std::size_t>(size), static_cast<std::size_t>(size),
                            projected.data()});
    const auto [values, vectors] = solve_symmetric(projected.topRows(size));
    Eigen::MatrixXd best = Eigen::MatrixXd::Zero(n, kept);
    for (Eigen::Index c = 0; c < kept; ++c)
      for (Eigen::Index k = 0; k < size; ++k) best.col(c) += vectors(k, c) * v.col(k);
    kept = 0;
    for (Eigen::Index c = 0; c < best.cols(); ++c) append(kept, best.col(c));
    multiply(0, kept);
    double residual = 0;
    for (Eigen::Index c = 0; c < count; ++c)
      residual = std::max(residual, (av.col(c) - values(c) * v.col(c)).norm());
    if (residual <= 1e-14 * std::max(std::abs(values(0)), std::abs(values(size - 1))))
      return {values.head(count), v.leftCols(count)};
  }
  return all();
}

} // namespace llmap::detail
