// Affinities of t-SNE from squared distances D_ij = |q_i - q_j|^2 (nats^2, squared_distance() in kl.hpp):
//   euclidean    p(j|i) ~ exp(-beta_i D_ij)      the usual one
//   sqeuclidean  p(j|i) ~ exp(-beta_i D_ij^2)    what scikit-learn's metric='sqeuclidean' does: the
//                                                fourth power of the distance (figures of 2502.16173)
//   beta_i such that the Shannon entropy of p(.|i) is ln(perplexity);  joint P_ij = (p(j|i) + p(i|j)) / (2K)
// beta to 1e-8 relative. Perplexity must lie in [1, K-1]. A model with more exact duplicates than the
// perplexity shares its affinity evenly among them (no beta reaches the entropy); equal distances give an
// even row, beta 0.
#pragma once
#include "llmap/core/parallel.hpp"
#include "llmap/geometry/score_matrix.hpp"
#include <algorithm>

namespace llmap {

enum class affinity_kind { euclidean, sqeuclidean };

struct affinities_result {
  Eigen::VectorXd beta;   // (K) per nats^2, or per nats^4
  row_matrix conditional; // (K, K) row i is p(.|i), zero diagonal
  row_matrix joint;       // (K, K) sums to 1
};

/// 30, the paper's, or a third of the other models when they are few; at least 1.
inline double default_perplexity(Eigen::Index models) {
  return std::clamp(static_cast<double>(models - 1) / 3, 1.0, 30.0);
}

namespace detail {

/// Fills p with exp(-beta x) / sum; returns the entropy. x >= 0, smallest 0.
inline double entropy_at(double beta, const std::vector<double>& x, std::vector<double>& p) {
  double sum = 0, weighted = 0;
  for (std::size_t j = 0; j < x.size(); ++j) {
    p[j] = std::exp(-beta * x[j]);
    sum += p[j];
    weighted += p[j] * x[j];
  }
  for (double& v : p) v /= sum;
  return std::log(sum) + beta * weighted / sum;
}

/// One row: x are the distances to the others. Returns beta and fills p.
inline double solve_row(std::vector<double> x, double perplexity, std::vector<double>& p) {
  const double least = *std::min_element(x.begin(), x.end());
  for (double& v : x) v -= least; // a common factor cancels in p
  const double scale = *std::max_element(x.begin(), x.end());
  p.assign(x.size(), 1.0 / static_cast<double>(x.size()));
  if (!(scale > 0)) return 0;
  for (double& v : x) v /= scale;
  const double wanted = std::log(perplexity);
  double low = -60, high = 60; // of ln beta; the entropy falls with beta
  for (int step = 0; step < 200; ++step) {
    const double middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    (entropy_at(std::exp(middle), x, p) > wanted ? low : high) = middle;
  }
  const double beta = std::exp((low + high) / 2);
  entropy_at(beta, x, p);
  return beta / scale;
}

} // namespace detail

inline affinities_result affinities(const row_matrix& squared, double perplexity,
                                    affinity_kind kind = affinity_kind::euclidean,
                                    int threads = default_threads()) {
  LLMAP_EXPECTS(squared.rows() == squared.cols() && squared.rows() > 0, "affinities: a square matrix");
  const Eigen::Index K = squared.rows();
  affinities_result out{Eigen::VectorXd::Zero(K), row_matrix::Zero(K, K), row_matrix::Zero(K, K)};
  if (K == 1) return out;
  if (!(perplexity >= 1 && perplexity <= static_cast<double>(K - 1)))
    fail("t-SNE: perplexity is ", perplexity, ", expected 1 to ", K - 1, " for ", K,
         " models (a third of that is usual)");
  if (!squared.allFinite()) fail("t-SNE: the distances are not all finite");
  parallel_for(threads, static_cast<std::size_t>(K), [&](std::size_t r) {
    const auto i = static_cast<Eigen::Index>(r);
    std::vector<double> x, p;
    for (Eigen::Index j = 0; j < K; ++j)
      if (j != i)
        x.push_back(kind == affinity_kind::euclidean ? squared(i, j) : squared(i, j) * squared(i, j));
    out.beta(i) = detail::solve_row(std::move(x), perplexity, p);
    for (Eigen::Index j = 0, k = 0; j < K; ++j)
      if (j != i) out.conditional(i, j) = p[static_cast<std::size_t>(k++)];
  });
  for (Eigen::Index i = 0; i < K; ++i)
    for (Eigen::Index j = 0; j < K; ++j)
      out.joint(i, j) = (out.conditional(i, j) + out.conditional(j, i)) / (2 * static_cast<double>(K));
  return out;
}

} // namespace llmap
