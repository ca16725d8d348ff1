// Principal components of the double-centred matrix q (K, N), rows are models: q = U S V^T.
//   scores U S (K, P); loadings V^T (P, N); explained variance S^2 / (K - 1); ratio S^2 / sum S^2
// Sign: the loading of largest magnitude of each component is positive (the first such on ties).
// By the eigenvalues of the smaller Gram matrix (q q^T or q^T q), fp64; only the wanted vectors are computed.
// Forming it squares the condition: components whose variance is below 1e-13 of the first one are
// rounding and are left out, so P <= min(K-1, N). K = 1, or models that are all equal: P = 0. Same bits for
// any thread count.
#pragma once
#include "llmap/geometry/detail/for_pairs.hpp"
#include "llmap/geometry/detail/pair_sums.hpp"
#include "llmap/geometry/detail/symmetric_eigen.hpp"
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

namespace detail {

/// rows rows^T
inline row_matrix gram_matrix(const row_matrix& rows, int threads) {
  const auto K = static_cast<std::size_t>(rows.rows()), N = static_cast<std::size_t>(rows.cols());
  const pair_table sums = pair_sums<product_term>({rows.data(), K, N, nullptr, nullptr}, threads);
  row_matrix out(rows.rows(), rows.rows());
  const auto at = [](std::ptrdiff_t i) { return static_cast<std::size_t>(i); };
  for (std::ptrdiff_t i = 0; i < rows.rows(); ++i) out(i, i) = sums(at(i), at(i));
  for_pairs(threads, rows.rows(),
            [&](std::ptrdiff_t i, std::ptrdiff_t j) { out(i, j) = out(j, i) = sums(at(i), at(j)); });
  return out;
}

/// Columns [first, last) of weights rows: (P, K) times (K, N).
struct weighted_rows {
  const row_matrix *weights, *rows;
  std::size_t first, last;
  row_matrix* out;

  template <class Isa> LLMAP_INLINE void operator()() const {
    const auto P = static_cast<std::size_t>(weights->rows()), K = static_cast<std::size_t>(rows->rows());
    constexpr std::size_t few = 16; // rows of `out` that stay in the first-level cache with their columns
    for (std::size_t p0 = 0; p0 < P; p0 += few) {
      for (std::size_t p = p0; p < std::min(P, p0 + few); ++p) std::fill(to(p), to(p) + (last - first), 0.0);
      std::size_t k = 0;
      for (; k + 4 <= K; k += 4)
        for (std::size_t p = p0; p < std::min(P, p0 + few); ++p) add<Isa, 4>(p, k);
      for (; k < K; ++k)
        for (std::size_t p = p0; p < std::min(P, p0 + few); ++p) add<Isa, 1>(p, k);
    }
  }

private:
  LLMAP_INLINE double* to(std::size_t p) const { return out->data() + p * static_cast<std::size_t>(out->cols()) + first; }
  template <class Isa, std::size_t R> LLMAP_INLINE void add(std::size_t p, std::size_t k) const {
    constexpr std::size_t W = simd::width<Isa, double>;
    const auto N = static_cast<std::size_t>(rows->cols());
    const double *from = rows->data() + k * N + first, *weight = weights->data() + p * static_cast<std::size_t>(weights->cols()) + k;
    double* sum = to(p);
    std::size_t s = 0;
    for (; s + W <= last - first; s += W) {
      auto total = simd::load<double, W>(sum + s);
#pragma GCC unroll 4
      for (std::size_t r = 0; r < R; ++r) total += weight[r] * simd::load<double, W>(from + r * N + s);
      simd::store<double, W>(sum + s, total);
    }
    for (; s < last - first; ++s)
      for (std::size_t r = 0; r < R; ++r) sum[s] += weight[r] * from[r * N + s];
  }
};

inline row_matrix combine_rows(const row_matrix& weights, const row_matrix& rows, int threads) {
  constexpr std::size_t block = 256; // columns
  row_matrix out(weights.rows(), rows.cols());
  const auto N = static_cast<std::size_t>(rows.cols());
  parallel_for(threads, (N + block - 1) / block, [&](std::size_t b) {
    simd::run(weighted_rows{&weights, &rows, b * block, std::min(N, (b + 1) * block), &out});
  });
  return out;
}

} // namespace detail

inline pca_result pca(const row_matrix& q, const pca_options& options = {}) {
  LLMAP_EXPECTS(q.size() > 0, "pca: empty matrix");
  const Eigen::Index K = q.rows(), N = q.cols(), side = std::min(K, N);
  const bool few_models = K <= N;
  const row_matrix turned = few_models ? row_matrix() : row_matrix(q.transpose());
  const row_matrix& rows = few_models ? q : turned; // (side, other)
  row_matrix gram = detail::gram_matrix(rows, options.threads);
  const double trace = gram.trace();
  const Eigen::Index limit =
      std::min(options.components < 0 ? side : options.components, std::min(side, K - 1));
  const auto [values, vectors] = detail::solve_symmetric(std::move(gram), limit, options.threads);
  Eigen::Index P = 0;
  while (P < limit && values(P) > 1e-13 * values(0)) ++P;

  // The vectors are those of the smaller side; the other side is their image.
  const row_matrix own = vectors.leftCols(P).transpose(); // (P, side)
  row_matrix image = detail::combine_rows(own, rows, options.threads);
  for (Eigen::Index p = 0; p < P; ++p) image.row(p) /= std::sqrt(values(p));
  pca_result out;
  out.loadings = few_models ? image : own;
  out.scores = (few_models ? own : image).transpose();
  for (Eigen::Index p = 0; p < P; ++p) out.scores.col(p) *= std::sqrt(values(p));
  for (Eigen::Index p = 0; p < P; ++p) {
    Eigen::Index largest;
    out.loadings.row(p).cwiseAbs().maxCoeff(&largest);
    if (out.loadings(p, largest) < 0) out.loadings.row(p) *= -1, out.scores.col(p) *= -1;
  }
  out.explained_variance = values.head(P) / std::max(1.0, static_cast<double>(K - 1));
  out.explained_variance_ratio = values.head(P) / trace;
  return out;
}

/// Fewest components whose ratios sum to at least `share`.
inline Eigen::Index effective_dimension(const pca_result& p, double share) {
  double sum = 0;
  for (Eigen::Index k = 0; k < p.explained_variance_ratio.size(); ++k)
    if ((sum += p.explained_variance_ratio(k)) >= share) return k + 1;
  return p.explained_variance_ratio.size();
}

/// (sum of variances)^2 / sum of squared variances; 0 where models are all equal.
inline double participation_ratio(const pca_result& p) {
  if (p.explained_variance.size() == 0) return 0;
  return p.explained_variance.sum() * p.explained_variance.sum() / p.explained_variance.squaredNorm();
}

} // namespace llmap
