// Classical multidimensional scaling (Torgerson) of squared distances D (K, K), e.g. KL in bits per byte:
//   B = -J D J / 2, J = I - 1/K;  coordinates = eigenvector x sqrt(eigenvalue), so that |x_i - x_j|^2 ~ D_ij
// With D = KL of complete texts the coordinates are the PCA scores / sqrt(2 N mean_bytes ln 2), up to sign.
// Sign: the coordinate of largest magnitude is positive. Negative eigenvalues (D not Euclidean) are reported.
#pragma once
#include "llmap/geometry/detail/symmetric_eigen.hpp"
#include "llmap/geometry/score_matrix.hpp"

namespace llmap {

struct mds_result {
  row_matrix coordinates;      // (K, P), P = positive eigenvalues above 1e-13 of the first, at most K - 1
  Eigen::VectorXd eigenvalues; // (K) all, descending
  Eigen::Index negative = 0;   // eigenvalues below -1e-9 of the largest
};

inline mds_result classical_mds(const row_matrix& squared, Eigen::Index components = -1, int threads = default_threads()) {
  LLMAP_EXPECTS(squared.rows() == squared.cols() && squared.rows() > 0, "classical_mds: a square matrix");
  if (!squared.allFinite()) fail("mds: the distances are not all finite");
  const Eigen::Index K = squared.rows();
  const Eigen::VectorXd mean = squared.rowwise().mean();
  const double grand = mean.mean();
  row_matrix b(K, K);
  for (Eigen::Index i = 0; i < K; ++i)
    for (Eigen::Index j = 0; j < K; ++j) b(i, j) = -0.5 * (squared(i, j) - mean(i) - mean(j) + grand);
  const Eigen::Index limit = components < 0 ? K - 1 : std::min(components, K - 1);
  const auto [values, vectors] = detail::solve_symmetric(std::move(b), limit, threads);
  mds_result out;
  out.eigenvalues = values;
  for (Eigen::Index k = 0; k < K; ++k) out.negative += values(k) < -1e-9 * values(0);
  Eigen::Index P = 0;
  while (P < limit && values(P) > 0 && values(P) > 1e-13 * values(0)) ++P;
  out.coordinates.resize(K, P);
  for (Eigen::Index p = 0; p < P; ++p) {
    Eigen::Index largest;
    vectors.col(p).cwiseAbs().maxCoeff(&largest);
    out.coordinates.col(p) = vectors.col(p) * std::sqrt(values(p)) * (vectors(largest, p) < 0 ? -1 : 1);
  }
  return out;
}

} // namespace llmap
