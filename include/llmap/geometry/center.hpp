// Double centring: xi[i,s] = l[i,s] - mean_s l[i,s]; q[i,s] = xi[i,s] - mean_i xi[i,s].
// Rows of q are the coordinates of the models (nats). A shift of a model's log-likelihood by a constant
// vanishes in q and in every distance; the row means are kept beside it. Column means cancel in distances and
// matter for PCA. Input must be finite (clip first, leave incomplete texts out). Same bits for any thread
// count.
#pragma once
#include "llmap/core/parallel.hpp"
#include "llmap/geometry/detail/large_pages.hpp"
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

/// All row means; an entry that is not finite shows in its row's mean and is an error of `step`.
inline Eigen::VectorXd row_means(const row_matrix& l, const char* step, int threads = default_threads()) {
  Eigen::VectorXd out(l.rows());
  parallel_for(threads, static_cast<std::size_t>(l.rows()), [&](std::size_t k) {
    out(static_cast<Eigen::Index>(k)) = row_mean(l, static_cast<Eigen::Index>(k));
  });
  if (!out.allFinite())
    fail(step, ": the matrix has entries that are not finite; leave those texts out first");
  return out;
}

inline centered_matrix center(const row_matrix& l, int threads = default_threads()) {
  LLMAP_EXPECTS(l.size() > 0, "center: empty matrix");
  const Eigen::Index K = l.rows(), N = l.cols();
  centered_matrix out{row_matrix(K, N), row_means(l, "center", threads), Eigen::VectorXd::Zero(N)};
  detail::advise_large(out.q.data(), static_cast<std::size_t>(out.q.size()));
  // A block of columns of all models: its sums stay in the cache, and each is taken in the order of the models.
  constexpr Eigen::Index block = 256;
  parallel_for(threads, static_cast<std::size_t>((N + block - 1) / block), [&](std::size_t b) {
    const Eigen::Index first = static_cast<Eigen::Index>(b) * block, count = std::min(block, N - first);
    auto mean = out.column_mean.segment(first, count).array();
    for (Eigen::Index i = 0; i < K; ++i)
      mean += l.row(i).segment(first, count).transpose().array() - out.row_mean(i);
    mean /= static_cast<double>(K);
  });
  parallel_for(threads, static_cast<std::size_t>(K), [&](std::size_t k) {
    const auto i = static_cast<Eigen::Index>(k);
    out.q.row(i) = (l.row(i).array() - out.row_mean(i)) - out.column_mean.transpose().array();
  });
  return out;
}

} // namespace llmap
