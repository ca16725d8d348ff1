// Classical multidimensional scaling (Torgerson) of squared distances D (K, K), e.g. KL in bits per byte:
//   B = -J D J / 2, J = I - 1/K;  coordinates = eigenvector x sqrt(eigenvalue), so that |x_i - x_j|^2 ~ D_ij
// With D = KL of complete texts the coordinates are the PCA scores / sqrt(2 N mean_bytes ln 2), up to sign.
// Sign: the coordinate of largest magnitude is positive. Negative eigenvalues (D not Euclidean) are reported.
// D is float or double; everything computed from it is double.
#pragma once
#include "llmap/geometry/detail/ordered_sum.hpp"
#include "llmap/geometry/detail/symmetric_eigen.hpp"

namespace llmap {

/// Coordinates whose squared distances approach those given.
struct mds_result {
  matrix<double> coordinates;      // (K, P), P = positive eigenvalues above 1e-13 of the first, at most K - 1
  std::vector<double> eigenvalues; // (K) all, descending
  std::size_t negative = 0;        // eigenvalues below -1e-9 of the largest
};

/// At most `components` coordinates.
template <class T>
mds_result classical_mds(const cpu_executor& exec, matrix_view<const T> squared,
                         std::size_t components = all_components) {
  LLMAP_EXPECTS(squared.rows == squared.cols && squared.rows > 0, "classical_mds: a square matrix");
  const std::size_t K = squared.rows;
  std::vector<double> mean(K);
  for (std::size_t i = 0; i < K; ++i)
    mean[i] = detail::ordered_sum(K, [row = squared.row(i)](std::size_t j) { return static_cast<double>(row[j]); }) /
              static_cast<double>(K);
  if (!detail::all_finite(mean)) fail("mds: the distances are not all finite");
  const double grand = detail::ordered_sum(K, [&](std::size_t i) { return mean[i]; }) / static_cast<double>(K);
  matrix<double> b(K, K);
  for (std::size_t i = 0; i < K; ++i)
    for (std::size_t j = 0; j < K; ++j) b(i, j) = -0.5 * (squared(i, j) - mean[i] - mean[j] + grand);
  const std::size_t limit = std::min(components, K - 1);
  const auto [values, vectors] = detail::solve_symmetric(exec, std::move(b), limit);
  mds_result out;
  for (const double v : values) out.negative += v < -1e-9 * values[0];
  std::size_t P = 0;
  while (P < limit && values[P] > 0 && values[P] > 1e-13 * values[0]) ++P;
  out.coordinates.resize(K, P);
  for (std::size_t p = 0; p < P; ++p) {
    const double scale = detail::sign_of_largest(vectors.row(p)) * std::sqrt(values[p]);
    for (std::size_t i = 0; i < K; ++i) out.coordinates(i, p) = scale * vectors(p, i);
  }
  out.eigenvalues = values;
  return out;
}

} // namespace llmap
