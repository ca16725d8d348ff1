// KL between models, and its errors.  d_s = (l[i,s] - l[j,s]) - mean over texts of the same, N texts:
//   V = mean d^2 (divisor N);  KL = V / 2, nats per text;  bits per byte = KL / (mean bytes x ln 2)
//   SE(V) = sqrt((mean d^4 - V^2) / N);  SE(KL) = SE(V) / 2;  SE(mean difference) = sqrt(V / N)
// Fewer than 2 texts are refused. Two give no SE(KL), because then d^2 is V for both: it is NaN.
// KL = |q_i - q_j|^2 / (2N): the variance estimate of Oyama et al., arXiv 2502.16173; symmetric, half the Jeffreys
// divergence. It does not see a constant shift between two models; kl_errors() gives that as `mean_difference`.
//
// kl() is squared_distances() of rows less their means. Relative error of an entry <= squared_distance_error, also for
// twins 1e-11 bits/byte apart (l near 1e3); equal rows give exactly 0. kl_errors() costs about twice as much: sums of
// d^4 over all pairs. The matrix is float or double; differences, sums and tables are double, so a float matrix has the
// exact KL of its rounded entries. Same bits for any thread count; permuting models permutes the tables.
#pragma once
#include "llmap/geometry/select_texts.hpp"
#include "llmap/geometry/squared_distances.hpp"
#include <limits>
#include <numbers>

namespace llmap {

/// KL of every pair of K models.
struct kl_table {
  std::size_t texts = 0; // N
  double mean_bytes = 0; // of those texts; 0: not known
  matrix<double> nats;   // (K, K) KL, nats per text
};

/// What is known of the errors of a kl_table.
struct kl_error_table {
  matrix<double> standard_error;  // (K, K) of KL, nats per text, texts taken as independent; NaN for two texts
  matrix<double> fourth_moment;   // (K, K) mean d^4, nats^4
  matrix<double> mean_difference; // (K, K) mean over texts of l_i - l_j, nats
};

namespace detail {

/// f of each entry.
template <class F> matrix<double> mapped(const matrix<double>& x, const F& f) {
  matrix<double> out(x.rows(), x.cols());
  std::transform(x.span().begin(), x.span().end(), out.data(), f);
  return out;
}

} // namespace detail

/// Nats per text -> bits per byte, for a KL or its error; NaN where the lengths of the texts are not known.
inline double nats_to_bits_per_byte(double nats, double mean_bytes) {
  return mean_bytes > 0 ? nats / (mean_bytes * std::numbers::ln2) : std::numeric_limits<double>::quiet_NaN();
}
/// The same for each entry of a matrix.
inline matrix<double> nats_to_bits_per_byte(const matrix<double>& nats, double mean_bytes) {
  return detail::mapped(nats, [=](double v) { return nats_to_bits_per_byte(v, mean_bytes); });
}
/// The KL divergences of a table, bits per byte.
inline matrix<double> kl_bits_per_byte(const kl_table& t) { return nats_to_bits_per_byte(t.nats, t.mean_bytes); }

/// What a map counts in: bits/byte, or nats/text where the lengths of the texts are not known (mean_bytes is 0).
inline const char* kl_unit(double mean_bytes) { return mean_bytes > 0 ? "bits/byte" : "nats/text"; }
/// The same in the names of fields and columns.
inline const char* kl_unit_key(double mean_bytes) { return mean_bytes > 0 ? "bits_per_byte" : "nats_per_text"; }
/// Nats per text in that unit: a double, or each entry of a matrix.
template <class Nats> Nats in_kl_unit(const Nats& nats, double mean_bytes) {
  return mean_bytes > 0 ? nats_to_bits_per_byte(nats, mean_bytes) : nats;
}

/// |q_i - q_j|^2 = 2 N KL, nats^2: the distances of PCA, t-SNE and Ward.
inline matrix<double> squared_distances(const kl_table& t) {
  return detail::mapped(t.nats, [factor = 2.0 * static_cast<double>(t.texts)](double v) { return factor * v; });
}

/// Central moments of the difference of two rows, from the rows themselves.
struct difference_moments {
  double mean, variance, fourth, spread; // spread = mean (d^2 - V)^2 = fourth - V^2 without cancellation
};

/// Standard error of KL from the spread mean (d^2 - V)^2 over n texts; NaN if none can be estimated.
inline double kl_standard_error(double spread, std::size_t n) {
  if (n < least_texts_for_error) return std::numeric_limits<double>::quiet_NaN();
  return std::sqrt(spread / static_cast<double>(n)) / 2;
}

/// `shift` is a guess of the mean; what is left of the mean is removed as well.
template <class T> difference_moments moments_of_difference(const T* a, const T* b, std::size_t n, double shift) {
  const detail::row_difference<T> d(a, b, n, shift);
  const double v = d.variance();
  const auto squared_excess = [&](std::size_t s) {
    const double e = d.square(s) - v;
    return e * e;
  };
  const double spread = detail::ordered_sum(n, squared_excess) / static_cast<double>(n);
  return {shift + d.rest, v, spread + v * v, spread};
}

/// KL of every pair of rows of the clipped matrix (K, N); `bytes` (N), or empty: not known.
template <class T>
kl_table kl(const cpu_executor& exec, matrix_view<const T> clipped, const std::vector<std::int64_t>& bytes) {
  LLMAP_EXPECTS(clipped.rows > 0 && clipped.cols > 0, "kl: empty matrix");
  LLMAP_EXPECTS(bytes.empty() || bytes.size() == clipped.cols, "kl: bytes must have N entries, or none");
  expect_texts("kl", clipped.cols);
  const auto shifts = detail::shifts_for_distances(exec, clipped, detail::row_means::removed, "kl");
  const double divisor = 2 * static_cast<double>(clipped.cols);
  return {clipped.cols, mean_bytes(bytes),
          detail::pair_distances(exec, clipped, shifts, detail::row_means::removed, divisor)};
}

/// Standard errors of KL and their ingredients; `t` is kl() of the same matrix. If mean d^4 - V^2 would lose digits
/// (near models, or |d| nearly constant), the pair is computed from its rows.
template <class T> kl_error_table kl_errors(const cpu_executor& exec, matrix_view<const T> clipped, const kl_table& t) {
  const std::size_t K = clipped.rows;
  LLMAP_EXPECTS(t.nats.rows() == K && t.texts == clipped.cols, "kl_errors: table of another matrix");
  const double n = static_cast<double>(clipped.cols);
  const auto shifts = detail::shifts_for_distances(exec, clipped, detail::row_means::removed, "kl");
  const auto fourth = detail::pair_sums<detail::fourth_power_term>(exec, shifts.rows(clipped));

  kl_error_table out{matrix<double>(K, K), matrix<double>(K, K), matrix<double>(K, K)};
  for (matrix<double>* m : {&out.standard_error, &out.fourth_moment, &out.mean_difference})
    for (std::size_t i = 0; i < K; ++i) (*m)(i, i) = 0;
  detail::for_pairs(exec, K, [&](std::size_t i, std::size_t j) {
    const double shift = shifts.row_shift[i] - shifts.row_shift[j], v = 2 * t.nats(i, j);
    difference_moments m{shift, v, fourth(i, j) / n, fourth(i, j) / n - v * v};
    const bool near = !(n * v > detail::least_share_of_squares * (shifts.squares[i] + shifts.squares[j]));
    if (near || !(m.spread > m.fourth / 16)) m = moments_of_difference(clipped.row(i), clipped.row(j), t.texts, shift);
    out.standard_error(i, j) = out.standard_error(j, i) = kl_standard_error(m.spread, t.texts);
    out.fourth_moment(i, j) = out.fourth_moment(j, i) = m.fourth;
    out.mean_difference(i, j) = m.mean;
    out.mean_difference(j, i) = -m.mean;
  });
  return out;
}

/// Standard error of the mean difference, nats: sqrt(V / N).
inline matrix<double> mean_difference_standard_error(const kl_table& t) {
  return detail::mapped(t.nats, [n = static_cast<double>(t.texts)](double v) { return std::sqrt(2 * v / n); });
}

} // namespace llmap
