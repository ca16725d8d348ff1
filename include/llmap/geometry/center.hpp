// Double centring: xi[i,s] = l[i,s] - mean_s l[i,s]; q[i,s] = xi[i,s] - mean_i xi[i,s].
// Rows of q are the coordinates of the models (nats). A shift of a model's log-likelihood by a constant
// vanishes in q and in every distance; the row means are kept beside it. Column means cancel in distances and
// matter for PCA. Input must be finite (clip first, leave incomplete texts out). Same bits for any thread
// count.
#pragma once
#include "llmap/core/large_pages.hpp"
#include "llmap/core/parallel.hpp"
#include "llmap/geometry/detail/ordered_sum.hpp"
#include "llmap/geometry/score_matrix.hpp"
#include <algorithm>

namespace llmap {

struct centered_matrix {
  row_matrix q;                // (K, N)
  Eigen::VectorXd row_mean;    // (K) mean log-likelihood a text, nats
  Eigen::VectorXd column_mean; // (N) mean of xi over models
};

/// Mean of a row about its first value, so that a row of equal values has exactly that mean.
inline double row_mean(const row_matrix& l, Eigen::Index i) {
  const double* row = l.data() + i * l.cols();
  const auto n = static_cast<std::size_t>(l.cols());
  return row[0] +
         detail::ordered_sum(n, [&](std::size_t s) { return row[s] - row[0]; }) / static_cast<double>(n);
}

namespace detail {

/// An entry that is not finite shows in the mean of its row.
inline void expect_finite(const Eigen::VectorXd& row_means, const char* step) {
  if (!row_means.allFinite())
    fail(step, ": the matrix has entries that are not finite; leave those texts out first");
}

} // namespace detail

inline centered_matrix center(const row_matrix& l, int threads = default_threads()) {
  LLMAP_EXPECTS(l.size() > 0, "center: empty matrix");
  expect_texts("center", l.cols());
  const Eigen::Index K = l.rows(), N = l.cols();
  centered_matrix out{row_matrix(K, N), Eigen::VectorXd(K), Eigen::VectorXd(N)};
  advise_large_pages(out.q.data(), static_cast<std::size_t>(out.q.size()) * sizeof(double));
  // Column means are taken about the first model: models that are all equal have exactly these means, and q = 0.
  // Sums over the models of a group while its rows are in the cache, then over the groups: one order of
  // additions.
  const Eigen::Array<double, 1, Eigen::Dynamic> first = l.row(0).array() - row_mean(l, 0);
  constexpr Eigen::Index group = 16;
  const Eigen::Index groups = (K + group - 1) / group;
  row_matrix sums(groups, N);
  parallel_for(threads, static_cast<std::size_t>(groups), [&](std::size_t k) {
    const auto g = static_cast<Eigen::Index>(k);
    sums.row(g).setZero();
    for (Eigen::Index i = g * group; i < std::min(K, (g + 1) * group); ++i) {
      out.row_mean(i) = row_mean(l, i);
      sums.row(g).array() += (l.row(i).array() - out.row_mean(i)) - first;
    }
  });
  detail::expect_finite(out.row_mean, "center");
  out.column_mean.setZero();
  for (Eigen::Index g = 0; g < groups; ++g) out.column_mean += sums.row(g).transpose();
  out.column_mean = out.column_mean.array() / static_cast<double>(K) + first.transpose();
  parallel_for(threads, static_cast<std::size_t>(K), [&](std::size_t k) {
    const auto i = static_cast<Eigen::Index>(k);
    out.q.row(i) = (l.row(i).array() - out.row_mean(i)) - out.column_mean.transpose().array();
  });
  return out;
}

} // namespace llmap
