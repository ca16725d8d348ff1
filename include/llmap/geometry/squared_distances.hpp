// Squared Euclidean distances of all pairs of rows of a matrix x (K, N): out(i, j) = sum_s (x_is - x_js)^2.
// x is float or double; differences, products and sums are double.
//
// One symmetric product of shifted rows gives |a|^2 + |b|^2 - 2 ab at the speed of a matrix product. Pairs that are so
// near, compared with their norms, that this would lose digits are computed again from the differences of their rows.
// Relative error of an entry <= squared_distance_error; equal rows give exactly 0. Same bits for any thread count;
// permuting rows permutes the table.
#pragma once
#include "llmap/core/matrix.hpp"
#include "llmap/geometry/center.hpp"
#include "llmap/geometry/detail/for_pairs.hpp"
#include "llmap/geometry/detail/pair_sums.hpp"
#include <cmath>
#include <vector>

namespace llmap {

/// Relative, entry by entry, for distances whose squares neither overflow nor underflow.
inline constexpr double squared_distance_error = 1e-12;

namespace detail {

/// The difference of two rows less its mean, which is `shift`, a guess, plus `rest`, what the guess leaves. The
/// difference of near values is exact, so the mean is removed after subtracting.
template <class T> struct row_difference {
  const T *a, *b;
  std::size_t n;
  double shift;
  double rest = 0;

  row_difference(const T* a, const T* b, std::size_t n, double shift) : a(a), b(b), n(n), shift(shift) {
    rest = ordered_sum(n, [=](std::size_t s) { return (static_cast<double>(a[s]) - b[s]) - shift; }) /
           static_cast<double>(n);
  }
  double square(std::size_t s) const {
    const double d = ((static_cast<double>(a[s]) - b[s]) - shift) - rest;
    return d * d;
  }
  double variance() const {
    return ordered_sum(n, [this](std::size_t s) { return square(s); }) / static_cast<double>(n);
  }
};

template <class T> double sum_of_squared_differences(const T* a, const T* b, std::size_t n) {
  return ordered_sum(n, [=](std::size_t s) {
    const double d = static_cast<double>(a[s]) - b[s];
    return d * d;
  });
}

/// Whether the mean of a row counts in a distance.
enum class row_means { kept, removed };

/// Shifts that bring rows near the origin without copying them: x - row_shift - column_shift.
struct distance_shifts {
  std::vector<double> row_shift;    // (K) the row means, or 0 if these are kept
  std::vector<double> column_shift; // (N) about the column means of what is left
  std::vector<double> squares;      // (K) sum over columns of (x - row_shift)^2

  template <class T> shifted_rows<T> rows(matrix_view<const T> x) const {
    return {x, row_shift.data(), column_shift.data()};
  }
};

/// A shift of a column cancels in every distance, so the column means need not be exact, but they must not
/// depend on the order of the rows: they are taken of values rounded to a grid on which sums are exact.
template <class T>
distance_shifts shifts_for_distances(const cpu_executor& exec, matrix_view<const T> x, row_means means,
                                     const char* step) {
  const std::size_t K = x.rows, N = x.cols;
  distance_shifts out{std::vector<double>(K), std::vector<double>(N), std::vector<double>(K)};
  std::vector<double> largest(K), mean(K);
  parallel_for(exec.threads, K, [&](std::size_t i) {
    mean[i] = row_mean(x, i);
    const T* row = x.row(i);
    const double shift = out.row_shift[i] = means == row_means::removed ? mean[i] : 0;
    out.squares[i] = ordered_sum(N, [=](std::size_t s) { return (row[s] - shift) * (row[s] - shift); });
    double most = 0;
    for (std::size_t s = 0; s < N; ++s) most = std::max(most, std::abs(row[s] - shift));
    largest[i] = most;
  });
  expect_finite(mean, step);
  // Of the 53 bits of a sum, 30 are for a value and 23 for the number of values.
  const double most = *std::max_element(largest.begin(), largest.end());
  const double grid = most > 0 ? std::ldexp(1.5, std::ilogb(most) + 1 - 30 + 52) : 0;
  constexpr std::size_t columns = 1024; // their sums stay in the first-level cache
  parallel_for(exec.threads, (N + columns - 1) / columns, [&](std::size_t c) {
    const std::size_t first = c * columns, count = std::min(columns, N - first);
    double* sum = out.column_shift.data() + first;
    for (std::size_t i = 0; i < K; ++i) {
      const T* row = x.row(i) + first;
      const double shift = out.row_shift[i];
      for (std::size_t s = 0; s < count; ++s) sum[s] += ((row[s] - shift) + grid) - grid;
    }
    for (std::size_t s = 0; s < count; ++s) sum[s] /= static_cast<double>(K);
  });
  return out;
}

/// Squared distances below these shares of the squares of two rows are computed again from the rows. A sum of the
/// product is right to about 4 units in the last place of |q|^2, so that one part in 128 of it is right to 1e-13.
/// Subtracting the shifts leaves an error in q of one unit in the last place of x - row_shift.
inline constexpr double least_share_of_norms = 1.0 / 128, least_share_of_squares = 0x1p-19;

/// Squared distances over `divisor`; `shifts` are those of x.
template <class T>
matrix<double> pair_distances(const cpu_executor& exec, matrix_view<const T> x, const distance_shifts& shifts,
                              row_means means, double divisor) {
  const std::size_t K = x.rows, N = x.cols;
  const pair_table product = pair_sums<product_term>(exec, shifts.rows(x));
  std::vector<double> least(K);
  for (std::size_t i = 0; i < K; ++i)
    least[i] = std::max(least_share_of_norms * product(i, i), least_share_of_squares * shifts.squares[i]);
  const auto from_rows = [&](std::size_t i, std::size_t j) {
    if (means == row_means::kept) return sum_of_squared_differences(x.row(i), x.row(j), N);
    return row_difference<T>(x.row(i), x.row(j), N, shifts.row_shift[i] - shifts.row_shift[j]).variance() *
           static_cast<double>(N);
  };
  matrix<double> out(K, K);
  for (std::size_t i = 0; i < K; ++i) out(i, i) = 0;
  for_pairs(exec, K, [&](std::size_t i, std::size_t j) {
    const double squared = (product(i, i) + product(j, j)) - 2 * product(i, j);
    out(i, j) = out(j, i) = (squared > least[i] + least[j] ? squared : from_rows(i, j)) / divisor;
  });
  return out;
}

} // namespace detail

/// (K, K). Entries of x must be finite.
template <class T> matrix<double> squared_distances(const cpu_executor& exec, matrix_view<const T> x) {
  LLMAP_EXPECTS(x.rows > 0 && x.cols > 0, "squared_distances: empty matrix");
  const auto shifts = detail::shifts_for_distances(exec, x, detail::row_means::kept, "squared_distances");
  return detail::pair_distances(exec, x, shifts, detail::row_means::kept, 1);
}

} // namespace llmap
