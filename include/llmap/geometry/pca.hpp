// Principal components of the double-centred matrix q (K, N), rows are models: q = U S V^T.
//   scores U S (K, P); loadings V^T (P, N); explained variance S^2 / (K - 1); ratio S^2 / sum S^2
// Sign: the loading of largest magnitude of each component is positive (the first such on ties).
// By the eigenvalues of the smaller Gram matrix (q q^T or q^T q), fp64. Forming it squares the condition:
// components whose variance is below 1e-13 of the first one are rounding and are left out, so P <= min(K-1,
// N). K = 1, or models that are all equal: P = 0. Same bits for any thread count.
#pragma once
#include "llmap/geometry/detail/eigen_solver.hpp"
#include "llmap/geometry/detail/ordered_sum.hpp"
#include "llmap/geometry/score_matrix.hpp"

namespace llmap {

struct pca_result {
  row_matrix scores;                        // (K, P) nats
  row_matrix loadings;                      // (P, N)
  Eigen::VectorXd explained_variance;       // (P) nats^2, divisor K - 1
  Eigen::VectorXd explained_variance_ratio; // (P)
};

struct pca_options {
  Eigen::Index components = -1; // at most so many; -1: all above rounding
  int threads = default_threads();
};

inline pca_result pca(const row_matrix& q, const pca_options& options = {}) {
  LLMAP_EXPECTS(q.size() > 0, "pca: empty matrix");
  const Eigen::Index K = q.rows(), N = q.cols(), side = std::min(K, N);
  const row_matrix rows = K <= N ? q : row_matrix(q.transpose()); // (side, length)
  const auto length = static_cast<std::size_t>(rows.cols());
  Eigen::MatrixXd gram(side, side);
  parallel_for(options.threads, static_cast<std::size_t>(side), [&](std::size_t r) {
    const auto i = static_cast<Eigen::Index>(r);
    const double* a = rows.data() + i * rows.cols();
    for (Eigen::Index j = i; j < side; ++j) {
      const double* b = rows.data() + j * rows.cols();
      gram(i, j) = gram(j, i) = detail::ordered_sum(length, [=](std::size_t s) { return a[s] * b[s]; });
    }
  });
  const double total = gram.trace();
  const auto [values, vectors] = detail::solve_symmetric(gram);

  Eigen::Index P = 0;
  const Eigen::Index limit =
      std::min(options.components < 0 ? side : options.components, std::min(side, K - 1));
  while (P < limit && values(P) > 1e-13 * values(0)) ++P;

  pca_result out{row_matrix(K, P), row_matrix(P, N), Eigen::VectorXd(P), Eigen::VectorXd(P)};
  const detail::eigen_on_one_thread guard;
  for (Eigen::Index p = 0; p < P; ++p) {
    const double s = std::sqrt(values(p));
    Eigen::VectorXd score = vectors.col(p) * s, loading;
    if (K <= N) {
      loading = q.transpose() * vectors.col(p) / s;
    } else {
      loading = vectors.col(p);
      score = q * loading;
    }
    Eigen::Index largest;
    loading.cwiseAbs().maxCoeff(&largest);
    const double sign = loading(largest) < 0 ? -1 : 1;
    out.scores.col(p) = sign * score;
    out.loadings.row(p) = sign * loading.transpose();
    out.explained_variance(p) = values(p) / static_cast<double>(K - 1);
    out.explained_variance_ratio(p) = values(p) / total;
  }
  return out;
}

/// Fewest components whose ratios sum to at least `share`.
inline Eigen::Index effective_dimension(const pca_result& p, double share) {
  double sum = 0;
  for (Eigen::Index k = 0; k < p.explained_variance_ratio.size(); ++k)
    if ((sum += p.explained_variance_ratio(k)) >= share) return k + 1;
  return p.explained_variance_ratio.size();
}

/// (sum of variances)^2 / sum of squared variances.
inline double participation_ratio(const pca_result& p) {
  return p.explained_variance.sum() * p.explained_variance.sum() / p.explained_variance.squaredNorm();
}

} // namespace llmap
