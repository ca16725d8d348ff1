// KL between models, and its errors.  d_s = (l[i,s] - l[j,s]) - mean over texts of the same, N texts:
//   V = mean d^2 (divisor N);  KL = V / 2, nats a text;  bits per byte = KL / (mean bytes x ln 2)
//   SE(V) = sqrt((mean d^4 - V^2) / N);  SE(KL) = SE(V) / 2;  SE(mean difference) = sqrt(V / N)
// Fewer than 2 texts are refused. Two give no SE(KL), because then d^2 is V for both: it is NaN.
// KL = |q_i - q_j|^2 / (2N): the variance estimate of Oyama et al., arXiv 2502.16173; symmetric, half the
// Jeffreys divergence. It does not see a constant shift between two models: `mean_difference` stands beside
// its errors.
//
// kl() is one symmetric product of centred rows, |q_i|^2 + |q_j|^2 - 2 q_i q_j; pairs that lie near each
// other beside their norms, where that would lose digits, are taken again from the differences of the
// log-likelihoods themselves. Relative error of an entry <= 1e-12, also for twins 1e-11 bits/byte apart (l
// near 1e3); equal rows give exactly 0. kl_errors() costs about twice as much: sums of d^4 over all pairs.
// Same bits for any thread count; permuting models permutes the tables.
#pragma once
#include "llmap/geometry/center.hpp"
#include "llmap/geometry/detail/for_pairs.hpp"
#include "llmap/geometry/detail/pair_sums.hpp"
#include "llmap/geometry/select_texts.hpp"
#include <algorithm>
#include <limits>
#include <numbers>

namespace llmap {

struct kl_options {
  int threads = default_threads();
};

struct kl_table {
  std::size_t texts = 0; // N
  double mean_bytes = 0; // of those texts
  row_matrix nats;       // (K, K) KL, nats a text
};

struct kl_error_table {
  row_matrix standard_error;  // (K, K) of KL, nats a text, texts taken as independent; NaN for two texts
  row_matrix fourth_moment;   // (K, K) mean d^4, nats^4
  row_matrix mean_difference; // (K, K) mean over texts of l_i - l_j, nats
};

/// Nats a text -> bits per byte, for a KL or its error.
inline double nats_to_bits_per_byte(double nats, double mean_bytes) {
  return nats / (mean_bytes * std::numbers::ln2);
}
inline row_matrix nats_to_bits_per_byte(const row_matrix& nats, double mean_bytes) {
  return nats.unaryExpr([=](double v) { return nats_to_bits_per_byte(v, mean_bytes); });
}
inline row_matrix kl_bits_per_byte(const kl_table& t) { return nats_to_bits_per_byte(t.nats, t.mean_bytes); }

/// |q_i - q_j|^2 = 2 N KL, nats^2: what PCA, t-SNE and Ward see.
inline row_matrix squared_distance(const kl_table& t) { return 2.0 * static_cast<double>(t.texts) * t.nats; }

/// Central moments of the difference of two rows of n values, from the rows themselves: the difference of
/// near values is exact, so the mean is removed after subtracting.
struct difference_moments {
  double mean, variance, fourth, spread; // spread = mean (d^2 - V)^2 = fourth - V^2 without cancellation
};

/// Standard error of KL from the spread mean (d^2 - V)^2 over n texts; NaN where none can be estimated.
inline double kl_standard_error(double spread, std::size_t n) {
  if (n < static_cast<std::size_t>(least_texts_for_error)) return std::numeric_limits<double>::quiet_NaN();
  return std::sqrt(spread / static_cast<double>(n)) / 2;
}

namespace detail {

struct row_difference {
  const double *a, *b;
  std::size_t n;
  double shift;    // a guess of the mean (the difference of row means)
  double rest = 0; // what the guess left

  row_difference(const double* a, const double* b, std::size_t n, double shift)
      : a(a), b(b), n(n), shift(shift) {
    rest = ordered_sum(n, [=](std::size_t s) { return (a[s] - b[s]) - shift; }) / static_cast<double>(n);
  }
  double square(std::size_t s) const {
    const double d = ((a[s] - b[s]) - shift) - rest;
    return d * d;
  }
  double variance() const {
    return ordered_sum(n, [this](std::size_t s) { return square(s); }) / static_cast<double>(n);
  }
};

} // namespace detail

/// `shift` is a guess of the mean; what it leaves is removed as well.
inline difference_moments moments_of_difference(const double* a, const double* b, std::size_t n,
                                                double shift) {
  const detail::row_difference d(a, b, n, shift);
  const double v = d.variance();
  const double spread = detail::ordered_sum(n,
                                            [&](std::size_t s) {
                                              const double e = d.square(s) - v;
                                              return e * e;
                                            }) /
                        static_cast<double>(n);
  return {shift + d.rest, v, spread + v * v, spread};
}

namespace detail {

/// What brings the rows near to q at no cost in rows: x - row_mean - column_shift.
struct distance_centring {
  Eigen::VectorXd row_mean;     // (K)
  Eigen::VectorXd column_shift; // (N) about the column means of what is left
  Eigen::VectorXd squares;      // (K) sum over texts of (x - row_mean)^2
  shifted_rows rows(const row_matrix& x) const {
    return {x.data(), static_cast<std::size_t>(x.rows()), static_cast<std::size_t>(x.cols()), row_mean.data(),
            column_shift.data()};
  }
};

/// A shift of a column cancels in every distance, so the column means need not be exact, but they must not
/// hang on the order of the models: they are taken of values rounded to a grid on which sums are exact.
inline distance_centring centre_for_distances(const row_matrix& x, const char* step, int threads) {
  const Eigen::Index K = x.rows(), N = x.cols();
  distance_centring out{Eigen::VectorXd(K), Eigen::VectorXd::Zero(N), Eigen::VectorXd(K)};
  Eigen::VectorXd largest(K);
  parallel_for(threads, static_cast<std::size_t>(K), [&](std::size_t k) {
    const auto i = static_cast<Eigen::Index>(k);
    const double *row = x.data() + i * N, mean = row_mean(x, i);
    out.row_mean(i) = mean;
    out.squares(i) = ordered_sum(static_cast<std::size_t>(N),
                                 [=](std::size_t s) { return (row[s] - mean) * (row[s] - mean); });
    largest(i) = (x.row(i).array() - mean).abs().maxCoeff();
  });
  expect_finite(out.row_mean, step);
  // Of the 53 bits of a sum, 30 are for a value and 23 for how many there are.
  const double grid = std::ldexp(1.5, std::ilogb(largest.maxCoeff()) + 1 - 30 + 52);
  constexpr Eigen::Index columns = 1024; // whose sums stay in the first-level cache
  parallel_for(threads, static_cast<std::size_t>((N + columns - 1) / columns), [&](std::size_t c) {
    const Eigen::Index first = static_cast<Eigen::Index>(c) * columns, count = std::min(columns, N - first);
    double* sum = out.column_shift.data() + first;
    for (Eigen::Index i = 0; i < K; ++i) {
      const double *row = x.data() + i * N + first, mean = out.row_mean(i);
      for (Eigen::Index s = 0; s < count; ++s) sum[s] += ((row[s] - mean) + grid) - grid;
    }
    for (Eigen::Index s = 0; s < count; ++s) sum[s] /= static_cast<double>(K);
  });
  return out;
}

/// Squared distances below these shares of the squares of two rows are taken from the rows again. A sum of
/// the product is right to about 4 units in the last place of |q|^2, so that one part in 128 of it is right
/// to 1e-13; subtracting the means leaves an error of one unit in the last place of x - row_mean in an entry
/// of q.
inline constexpr double least_share_of_norms = 1.0 / 128, least_share_of_squares = 0x1p-19;

} // namespace detail

/// KL of every pair of rows of the clipped matrix (K, N); `bytes` (N).
inline kl_table kl(const row_matrix& clipped, const std::vector<std::int64_t>& bytes,
                   const kl_options& options = {}) {
  LLMAP_EXPECTS(clipped.size() > 0, "kl: empty matrix");
  LLMAP_EXPECTS(static_cast<Eigen::Index>(bytes.size()) == clipped.cols(), "kl: bytes must have N entries");
  expect_texts("kl", clipped.cols());
  const Eigen::Index K = clipped.rows(), N = clipped.cols();
  const auto texts = static_cast<std::size_t>(N);
  const auto centring = detail::centre_for_distances(clipped, "kl", options.threads);
  const auto product = detail::pair_sums<detail::product_term>(centring.rows(clipped), options.threads);
  Eigen::VectorXd least(K);
  for (Eigen::Index i = 0; i < K; ++i)
    least(i) = std::max(detail::least_share_of_norms * product(i, i),
                        detail::least_share_of_squares * centring.squares(i));

  kl_table out{texts, mean_bytes(bytes), row_matrix(K, K)};
  out.nats.diagonal().setZero();
  detail::for_pairs(options.threads, K, [&](Eigen::Index i, Eigen::Index j) {
    const double squared = (product(i, i) + product(j, j)) - 2 * product(i, j);
    out.nats(i, j) = out.nats(j, i) =
        squared > least(i) + least(j)
            ? squared / (2 * static_cast<double>(N))
            : detail::row_difference(clipped.data() + i * N, clipped.data() + j * N, texts,
                                     centring.row_mean(i) - centring.row_mean(j))
                      .variance() /
                  2;
  });
  return out;
}

/// Standard errors of KL, and what they are made of; `t` is kl() of the same matrix. Where mean d^4 - V^2
/// would lose digits (near models, or |d| nearly constant), the pair is taken from its rows.
inline kl_error_table kl_errors(const row_matrix& clipped, const kl_table& t,
                                const kl_options& options = {}) {
  const Eigen::Index K = clipped.rows(), N = clipped.cols();
  LLMAP_EXPECTS(t.nats.rows() == K && t.texts == static_cast<std::size_t>(N),
                "kl_errors: table of another matrix");
  const double n = static_cast<double>(N);
  const auto centring = detail::centre_for_distances(clipped, "kl", options.threads);
  const auto fourth = detail::pair_sums<detail::fourth_power_term>(centring.rows(clipped), options.threads);

  kl_error_table out{row_matrix(K, K), row_matrix(K, K), row_matrix(K, K)};
  for (row_matrix* m : {&out.standard_error, &out.fourth_moment, &out.mean_difference})
    m->diagonal().setZero();
  detail::for_pairs(options.threads, K, [&](Eigen::Index i, Eigen::Index j) {
    const double shift = centring.row_mean(i) - centring.row_mean(j), v = 2 * t.nats(i, j);
    difference_moments m{shift, v, fourth(i, j) / n, fourth(i, j) / n - v * v};
    const bool near = !(n * v > detail::least_share_of_squares * (centring.squares(i) + centring.squares(j)));
    if (near || !(m.spread > m.fourth / 16))
      m = moments_of_difference(clipped.data() + i * N, clipped.data() + j * N, t.texts, shift);
    out.standard_error(i, j) = out.standard_error(j, i) = kl_standard_error(m.spread, t.texts);
    out.fourth_moment(i, j) = out.fourth_moment(j, i) = m.fourth;
    out.mean_difference(i, j) = m.mean;
    out.mean_difference(j, i) = -m.mean;
  });
  return out;
}

/// Standard error of the mean difference, nats: sqrt(V / N).
inline row_matrix mean_difference_standard_error(const kl_table& t) {
  return t.nats.unaryExpr([n = static_cast<double>(t.texts)](double v) { return std::sqrt(2 * v / n); });
}

} // namespace llmap
