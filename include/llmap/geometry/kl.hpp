// KL between models, with its error.  d_s = (l[i,s] - l[j,s]) - mean over texts of the same, N texts:
//   V = mean d^2 (divisor N);  KL = V / 2, nats a text;  bits per byte = KL / (mean bytes x ln 2)
//   SE(V) = sqrt((mean d^4 - V^2) / N);  SE(KL) = SE(V) / 2;  SE(mean difference) = sqrt(V / N)
// KL = |q_i - q_j|^2 / (2N): the variance estimate of Oyama et al., arXiv 2502.16173; symmetric, half the
// Jeffreys divergence. It does not see a constant shift between two models: `mean_difference` stands beside
// it. Computed from differences of the clipped log-likelihoods themselves, never from |a|^2 + |b|^2 - 2ab:
// relative error of an entry <= 1e-12, also for twins 1e-11 bits/byte apart (l near 1e3); equal rows give
// exactly 0. Same bits for any thread count; permuting models permutes the tables.
#pragma once
#include "llmap/geometry/center.hpp"
#include "llmap/geometry/select_texts.hpp"
#include <algorithm>
#include <numbers>
#include <utility>

namespace llmap {

struct kl_options {
  int threads = default_threads();
};

struct kl_table {
  std::size_t texts = 0;      // N
  double mean_bytes = 0;      // of those texts
  row_matrix nats;            // (K, K) KL, nats a text
  row_matrix standard_error;  // (K, K) of nats, texts taken as independent
  row_matrix fourth_moment;   // (K, K) mean d^4, nats^4
  row_matrix mean_difference; // (K, K) mean over texts of l_i - l_j, nats
};

/// Nats a text -> bits per byte, for a KL or its error.
inline double nats_to_bits_per_byte(double nats, double mean_bytes) {
  return nats / (mean_bytes * std::numbers::ln2);
}
inline row_matrix kl_bits_per_byte(const kl_table& t) {
  return t.nats.unaryExpr([&](double v) { return nats_to_bits_per_byte(v, t.mean_bytes); });
}
inline row_matrix standard_error_bits_per_byte(const kl_table& t) {
  return t.standard_error.unaryExpr([&](double v) { return nats_to_bits_per_byte(v, t.mean_bytes); });
}
/// |q_i - q_j|^2 = 2 N KL, nats^2: what PCA, t-SNE and Ward see.
inline row_matrix squared_distance(const kl_table& t) { return 2.0 * static_cast<double>(t.texts) * t.nats; }

/// Central moments of the difference of two rows of n values.
struct difference_moments {
  double mean, variance, fourth, spread; // spread = mean (d^2 - V)^2 = fourth - V^2 without cancellation
};

/// `shift` is a guess of the mean (the difference of row means); the remainder is corrected exactly enough.
inline difference_moments moments_of_difference(const double* a, const double* b, std::size_t n,
                                                double shift) {
  const double count = static_cast<double>(n);
  const double rest = detail::ordered_sum(n, [=](std::size_t s) { return (a[s] - b[s]) - shift; }) / count;
  const double mean = shift + rest;
  const auto square = [=](std::size_t s) {
    const double d = ((a[s] - b[s]) - shift) - rest;
    return d * d;
  };
  const double v = detail::ordered_sum(n, square) / count;
  const double spread = detail::ordered_sum(n,
                                            [&](std::size_t s) {
                                              const double e = square(s) - v;
                                              return e * e;
                                            }) /
                        count;
  return {mean, v, spread + v * v, spread};
}

/// KL of every pair of rows of the clipped matrix (K, N); `bytes` (N).
inline kl_table kl(const row_matrix& clipped, const std::vector<std::int64_t>& bytes,
                   const kl_options& options = {}) {
  LLMAP_EXPECTS(clipped.size() > 0, "kl: empty matrix");
  LLMAP_EXPECTS(static_cast<Eigen::Index>(bytes.size()) == clipped.cols(), "kl: bytes must have N entries");
  if (!clipped.allFinite())
    fail("kl: the matrix has entries that are not finite; leave those texts out first");
  const Eigen::Index K = clipped.rows(), N = clipped.cols();
  const row_matrix zero = row_matrix::Zero(K, K);
  kl_table out{static_cast<std::size_t>(N), mean_bytes(bytes), zero, zero, zero, zero};
  Eigen::VectorXd mean(K);
  for (Eigen::Index i = 0; i < K; ++i) mean(i) = row_mean(clipped, i);

  // Tiles of 8 x 8 rows: 16 rows of 10,000 texts stay in the second-level cache while 64 pairs use them.
  constexpr Eigen::Index tile = 8;
  std::vector<std::pair<Eigen::Index, Eigen::Index>> tiles;
  for (Eigen::Index i = 0; i < K; i += tile)
    for (Eigen::Index j = i; j < K; j += tile) tiles.emplace_back(i, j);
  parallel_for(options.threads, tiles.size(), [&](std::size_t t) {
    const auto [i0, j0] = tiles[t];
    for (Eigen::Index i = i0; i < std::min(i0 + tile, K); ++i)
      for (Eigen::Index j = std::max(j0, i + 1); j < std::min(j0 + tile, K); ++j) {
        const auto m = moments_of_difference(clipped.data() + i * N, clipped.data() + j * N,
                                             static_cast<std::size_t>(N), mean(i) - mean(j));
        out.nats(i, j) = out.nats(j, i) = m.variance / 2;
        out.standard_error(i, j) = out.standard_error(j, i) =
            std::sqrt(m.spread / static_cast<double>(N)) / 2;
        out.fourth_moment(i, j) = out.fourth_moment(j, i) = m.fourth;
        out.mean_difference(i, j) = m.mean;
        out.mean_difference(j, i) = -m.mean;
      }
  });
  return out;
}

/// Standard error of the mean difference, nats: sqrt(V / N).
inline row_matrix mean_difference_standard_error(const kl_table& t) {
  return t.nats.unaryExpr([n = static_cast<double>(t.texts)](double v) { return std::sqrt(2 * v / n); });
}

} // namespace llmap
