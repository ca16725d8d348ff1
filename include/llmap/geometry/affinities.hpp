// Affinities of t-SNE from squared distances D_ij = |q_i - q_j|^2 (in the map nats^2: squared_distances() in kl.hpp).
// D is float or double; affinities are double.
//   euclidean    p(j|i) ~ exp(-beta_i D_ij)      the usual one
//   sqeuclidean  p(j|i) ~ exp(-beta_i D_ij^2)    the fourth power of the distance, as scikit-learn's
//                                                metric='sqeuclidean' (figures of 2502.16173)
//   beta_i such that the Shannon entropy of p(.|i) is ln(perplexity);  joint P_ij = (p(j|i) + p(i|j)) / (2K)
// beta to 1e-8 relative. Perplexity must lie in [1, K-1]. A model with more exact duplicates than the perplexity
// shares its affinity evenly among them, because no beta reaches the entropy; equal distances give an even row, beta 0.
#pragma once
#include "llmap/core/matrix.hpp"
#include "llmap/core/vector_math.hpp"
#include "llmap/geometry/detail/finite.hpp"
#include "llmap/geometry/detail/for_pairs.hpp"
#include <algorithm>

namespace llmap {

/// What the Gaussian of an affinity takes: squared distances, or their squares.
enum class affinity_kind { euclidean, sqeuclidean };

/// Affinities of K models, as t-SNE takes them.
struct affinities_result {
  std::vector<double> beta;   // (K) per nats^2, or per nats^4
  matrix<double> conditional; // (K, K) row i is p(.|i), zero diagonal
  matrix<double> joint;       // (K, K) sums to 1
};

/// 30 as in the paper, or a third of the other models if they are few; at least 1.
inline double default_perplexity(std::size_t models) {
  return std::clamp((static_cast<double>(models) - 1) / 3, 1.0, 30.0);
}

namespace detail {

/// p_j = exp(-beta x_j) and sum p, sum p x, sum p x^2; n a multiple of 8.
struct exponential_sums {
  const double* x;
  std::size_t n;
  double beta;
  double *p, *sums;
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, double>;
    simd::vec<double, W> zeroth{}, first{}, second{};
    for (std::size_t j = 0; j < n; j += W) {
      const auto distance = simd::load<double, W>(x + j);
      const auto weight = simd::exp<double, W>(-beta * distance);
      simd::store<double, W>(p + j, weight);
      zeroth += weight;
      const simd::vec<double, W> product = weight * distance;
      first += product;
      second += product * distance;
    }
    sums[0] = simd::sum<double, W>(zeroth);
    sums[1] = simd::sum<double, W>(first);
    sums[2] = simd::sum<double, W>(second);
  }
};

/// A distance so large that its affinity is 0.
inline constexpr double beyond = 1e200;

/// Solves one row: x (n, a multiple of 8) are the distances to the others, `beyond` where there is none. Returns beta
/// and fills p. Newton's method on ln beta, in which the entropy falls, with a bracket that is halved if a step would
/// leave it or is more than half the step before.
inline double solve_row(std::span<double> x, double perplexity, double* p) {
  double least = beyond, largest = 0;
  for (const double v : x)
    if (v < beyond) least = std::min(least, v), largest = std::max(largest, v);
  const double scale = largest - least; // a common factor cancels in p
  for (double& v : x)
    if (v < beyond) v = scale > 0 ? (v - least) / scale : 0;
  double sums[3], low = -60, high = 60, at = 0, step = high - low, before = step;
  const auto evaluate = [&](double beta) { simd::run(exponential_sums{x.data(), x.size(), beta, p, sums}); };
  for (int k = 0; scale > 0 && k < 200 && low < high; ++k) {
    const double beta = std::exp(at);
    evaluate(beta);
    const double mean = sums[1] / sums[0];
    const double excess = std::log(sums[0]) + beta * mean - std::log(perplexity);
    if (excess == 0 || std::abs(step) < 1e-13) break;
    (excess > 0 ? low : high) = at;
    const double slope = beta * beta * (sums[2] / sums[0] - mean * mean); // minus the slope of the entropy
    before = step, step = excess / slope;
    if (!(at + step > low && at + step < high) || std::abs(step) > std::abs(before) / 2) step = (low + high) / 2 - at;
    at += step;
  }
  const double beta = scale > 0 ? std::exp(at) : 1; // any, if all distances are equal
  evaluate(beta);
  for (std::size_t j = 0; j < x.size(); ++j) p[j] = x[j] < beyond ? p[j] / sums[0] : 0;
  return scale > 0 ? beta / scale : 0;
}

} // namespace detail

/// Affinities of K models from their squared distances (K, K), each row with the given perplexity.
template <class T>
affinities_result affinities(const cpu_executor& exec, matrix_view<const T> squared, double perplexity,
                             affinity_kind kind = affinity_kind::euclidean) {
  LLMAP_EXPECTS(squared.rows == squared.cols && squared.rows > 0, "affinities: a square matrix");
  const std::size_t K = squared.rows;
  affinities_result out{std::vector<double>(K), matrix<double>(K, K), matrix<double>(K, K)};
  for (std::size_t i = 0; i < K; ++i) out.conditional(i, i) = out.joint(i, i) = 0;
  if (K == 1) return out;
  if (!(perplexity >= 1 && perplexity <= static_cast<double>(K - 1)))
    fail("t-SNE: perplexity is ", perplexity, ", expected 1 to ", K - 1, " for ", K,
         " models (a third of that is usual)");
  if (!detail::all_finite(squared)) fail("t-SNE: the distances are not all finite");
  const std::size_t padded = (K + 7) / 8 * 8;
  parallel_for(exec.threads, K, [&](std::size_t i) {
    std::vector<double> x(padded, detail::beyond), p(padded);
    for (std::size_t j = 0; j < K; ++j) {
      if (j == i) continue;
      const double distance = squared(i, j);
      x[j] = kind == affinity_kind::euclidean ? distance : distance * distance;
    }
    out.beta[i] = detail::solve_row(x, perplexity, p.data());
    std::copy_n(p.data(), K, out.conditional.row(i).data());
  });
  detail::for_pairs(exec, K, [&](std::size_t i, std::size_t j) {
    out.joint(i, j) = out.joint(j, i) = (out.conditional(i, j) + out.conditional(j, i)) / (2 * static_cast<double>(K));
  });
  return out;
}

} // namespace llmap
