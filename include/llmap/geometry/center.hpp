// Double centering: xi[i,s] = l[i,s] - mean_s l[i,s]; q[i,s] = xi[i,s] - mean_i xi[i,s].
// Rows of q are the coordinates of the models (nats). A constant shift of a model's log-likelihoods vanishes in q and
// in every distance; the row means are kept apart. Column means cancel in distances but matter for PCA. Input must be
// finite (clip first, leave incomplete texts out).
// Input and q are float or double; means and differences are taken in double, and q is rounded once at the end.
// Same bits for any thread count.
#pragma once
#include "llmap/core/cpu_executor.hpp"
#include "llmap/geometry/detail/finite.hpp"
#include "llmap/geometry/detail/ordered_sum.hpp"
#include "llmap/geometry/score_matrix.hpp"
#include <algorithm>

namespace llmap {

/// A matrix less the means of its rows, then of its columns, with these means.
template <class T> struct centered_matrix {
  matrix<T> q;                     // (K, N)
  std::vector<double> row_mean;    // (K) mean log-likelihood per text, nats
  std::vector<double> column_mean; // (N) mean of xi over models
};

/// Mean of a row about its first value, so that a row of equal values has exactly that mean.
template <class T> double row_mean(matrix_view<const T> l, std::size_t i) {
  const T* row = l.row(i);
  const double first = row[0];
  return first +
         detail::ordered_sum(l.cols, [&](std::size_t s) { return row[s] - first; }) / static_cast<double>(l.cols);
}

/// l (K, N), nats, less the means of its rows and then of its columns. One row or column at least, else a
/// contract_error.
template <class T> centered_matrix<T> center(const cpu_executor& exec, matrix_view<const T> l) {
  LLMAP_EXPECTS(l.rows > 0 && l.cols > 0, "center: empty matrix");
  expect_texts("center", l.cols);
  const std::size_t K = l.rows, N = l.cols;
  centered_matrix<T> out{matrix<T>(K, N), std::vector<double>(K), std::vector<double>(N)};
  // Column means are taken about the first model: models that are all equal have exactly these means, and q = 0. A
  // group of models is summed while its rows are in the cache, then the groups are: one order of additions.
  std::vector<double> first(N);
  const double first_mean = row_mean(l, 0);
  for (std::size_t s = 0; s < N; ++s) first[s] = l(0, s) - first_mean;
  constexpr std::size_t group = 16;
  const std::size_t groups = (K + group - 1) / group;
  matrix<double> sums(groups, N);
  parallel_for(exec.threads, groups, [&](std::size_t g) {
    double* sum = sums.data() + g * N;
    std::fill_n(sum, N, 0.0);
    for (std::size_t i = g * group; i < std::min(K, (g + 1) * group); ++i) {
      const double mean = out.row_mean[i] = row_mean(l, i);
      const T* row = l.row(i);
      for (std::size_t s = 0; s < N; ++s) sum[s] += (row[s] - mean) - first[s];
    }
  });
  detail::expect_finite(out.row_mean, "center");
  for (std::size_t g = 0; g < groups; ++g)
    for (std::size_t s = 0; s < N; ++s) out.column_mean[s] += sums(g, s);
  for (std::size_t s = 0; s < N; ++s) out.column_mean[s] = out.column_mean[s] / static_cast<double>(K) + first[s];
  parallel_for(exec.threads, K, [&](std::size_t i) {
    const double mean = out.row_mean[i], *column = out.column_mean.data();
    const T* row = l.row(i);
    T* q = out.q.data() + i * N;
    for (std::size_t s = 0; s < N; ++s) q[s] = static_cast<T>((row[s] - mean) - column[s]);
  });
  return out;
}

} // namespace llmap
