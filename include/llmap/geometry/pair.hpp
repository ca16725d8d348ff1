// One pair of models in detail. All functions take d (N): the centered difference of two rows of the clipped
// matrix (float or double), d_s = (l_i - l_j)_s - mean, nats, in double, from centered_difference(). V = mean d^2 = 2
// KL.
//   influence                d_s^2 / sum d^2: share of text s in the distance
//   domain_split             V = within + between: sum_g (n_g/N) Var_g + sum_g (n_g/N) mean_g^2
//   jackknife                delete one text or document: sqrt((G-1)/G sum_g (KL_(g) - mean)^2)
//   cluster_standard_error   sqrt(sum_g (sum_{s in g} (d_s^2 - V))^2) / (2N); SE(KL) when each text is alone
//   bootstrap                KL on drawn texts (their mean removed again, the clip kept)
// KL values and errors are in nats per text (nats_to_bits_per_byte). An error that cannot be estimated is NaN, never 0.
#pragma once
#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include <numeric>
#include <span>

namespace llmap {

/// What one model gives each text more than another, less its mean: (N) nats.
using difference = std::vector<double>;

/// What model i gives each text more than model j, less its mean, nats.
template <class T>
difference centered_difference(const cpu_executor&, matrix_view<const T> clipped, std::size_t i, std::size_t j) {
  LLMAP_EXPECTS(i < clipped.rows && j < clipped.rows, "centered_difference: no such model");
  expect_texts("centered_difference", clipped.cols);
  const std::size_t n = clipped.cols;
  const T *a = clipped.row(i), *b = clipped.row(j);
  const double shift = row_mean(clipped, i) - row_mean(clipped, j);
  difference d(n);
  for (std::size_t s = 0; s < n; ++s) d[s] = (static_cast<double>(a[s]) - b[s]) - shift;
  const double rest = detail::ordered_sum(n, [&](std::size_t s) { return d[s]; }) / static_cast<double>(n);
  for (double& v : d) v -= rest;
  return d;
}

/// The sum of squares in one fixed order.
inline double sum_of_squares(std::span<const double> d) {
  return detail::ordered_sum(d.size(), [&](std::size_t s) { return d[s] * d[s]; });
}

/// Share of each text in the distance; sums to 1, all 0 for equal models.
inline std::vector<double> influence(std::span<const double> d) {
  const double total = sum_of_squares(d);
  std::vector<double> share(d.size(), 0.0);
  if (total > 0)
    for (std::size_t s = 0; s < d.size(); ++s) share[s] = d[s] * d[s] / total;
  return share;
}

/// The `count` texts of largest share, descending; on ties the smaller index first.
inline std::vector<std::size_t> most_influential(const std::vector<double>& share, std::size_t count) {
  std::vector<std::size_t> order(share.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  count = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::size_t x, std::size_t y) { return share[x] != share[y] ? share[x] > share[y] : x < y; });
  order.resize(count);
  return order;
}

/// The texts of one domain in a pair.
struct domain_part {
  std::size_t texts = 0;   ///< n_g
  double mean = 0;         // of d within the domain, nats
  double variance = 0;     // within the domain, divisor n_g
  double contribution = 0; // (n_g/N)(variance + mean^2): sums over domains to V
};

/// A distance split into domains, nats².
struct domain_split_result {
  std::vector<domain_part> parts; // by domain number
  double within = 0, between = 0; // within + between = V
};

/// `domain` (N): the number 0..G-1 of each text's domain.
inline domain_split_result domain_split(std::span<const double> d, std::span<const std::size_t> domain) {
  LLMAP_EXPECTS(d.size() == domain.size() && !d.empty(), "domain_split: one domain per text");
  domain_split_result out;
  for (std::size_t s = 0; s < d.size(); ++s) {
    if (domain[s] >= out.parts.size()) out.parts.resize(domain[s] + 1);
    domain_part& g = out.parts[domain[s]];
    ++g.texts, g.mean += d[s];
  }
  for (domain_part& g : out.parts)
    if (g.texts > 0) g.mean /= static_cast<double>(g.texts);
  for (std::size_t s = 0; s < d.size(); ++s) {
    const double e = d[s] - out.parts[domain[s]].mean;
    out.parts[domain[s]].variance += e * e;
  }
  for (domain_part& g : out.parts) {
    if (g.texts == 0) continue;
    g.variance /= static_cast<double>(g.texts);
    const double share = static_cast<double>(g.texts) / static_cast<double>(d.size());
    g.contribution = share * (g.variance + g.mean * g.mean);
    out.within += share * g.variance;
    out.between += share * g.mean * g.mean;
  }
  return out;
}

/// Delete-one-cluster jackknife error of KL; `cluster` (N) numbers 0..G-1, empty: every text is its own cluster. Needs
/// two clusters. NaN if a deletion leaves fewer texts than a distance needs.
inline double jackknife_standard_error(std::span<const double> d, std::span<const std::size_t> cluster = {}) {
  LLMAP_EXPECTS(cluster.empty() || cluster.size() == d.size(), "jackknife: one cluster per text");
  struct part {
    double n = 0, sum = 0, squares = 0;
  };
  std::vector<part> parts;
  for (std::size_t s = 0; s < d.size(); ++s) {
    const std::size_t g = cluster.empty() ? s : cluster[s];
    if (g >= parts.size()) parts.resize(g + 1);
    parts[g].n += 1, parts[g].sum += d[s], parts[g].squares += d[s] * d[s];
  }
  std::erase_if(parts, [](const part& p) { return p.n == 0; });
  if (parts.size() < 2) fail("jackknife: needs at least 2 clusters of texts, got ", parts.size());
  for (const part& p : parts)
    if (static_cast<double>(d.size()) - p.n < static_cast<double>(least_texts))
      return std::numeric_limits<double>::quiet_NaN();
  const double n = static_cast<double>(d.size()), squares = sum_of_squares(d), G = static_cast<double>(parts.size());
  std::vector<double> without;
  for (const part& p : parts) {
    const double rest = n - p.n, mean = -p.sum / rest; // d sums to 0, so what is left sums to -p.sum
    without.push_back(((squares - p.squares) / rest - mean * mean) / 2);
  }
  const double mean = std::accumulate(without.begin(), without.end(), 0.0) / G;
  double sum = 0;
  for (const double v : without) sum += (v - mean) * (v - mean);
  return std::sqrt((G - 1) / G * sum);
}

/// Closed form of the error of KL when texts of one cluster (document) go together. NaN for one cluster, whose sum is 0
/// whatever the models are, and for two texts.
inline double cluster_standard_error(std::span<const double> d, std::span<const std::size_t> cluster) {
  LLMAP_EXPECTS(cluster.size() == d.size() && !d.empty(), "cluster_standard_error: one cluster per text");
  const double n = static_cast<double>(d.size()), v = sum_of_squares(d) / n;
  const bool single = std::all_of(cluster.begin(), cluster.end(), [&](std::size_t g) { return g == cluster[0]; });
  if (single || d.size() < least_texts_for_error) return std::numeric_limits<double>::quiet_NaN();
  std::vector<double> sums;
  for (std::size_t s = 0; s < d.size(); ++s) {
    if (cluster[s] >= sums.size()) sums.resize(cluster[s] + 1, 0.0);
    sums[cluster[s]] += d[s] * d[s] - v;
  }
  return std::sqrt(sum_of_squares(sums)) / (2 * n);
}

/// KL over the drawn texts (with repeats), nats.
inline double resampled_kl(std::span<const double> d, std::span<const std::size_t> drawn) {
  expect_texts("resampled_kl", drawn.size());
  const double n = static_cast<double>(drawn.size());
  const double mean = detail::ordered_sum(drawn.size(), [&](std::size_t k) { return d[drawn[k]]; }) / n;
  return detail::ordered_sum(drawn.size(),
                             [&](std::size_t k) {
                               const double e = d[drawn[k]] - mean;
                               return e * e;
                             }) /
         n / 2;
}

/// What replicates of a KL say of its error, in the unit of the values.
struct bootstrap_result {
  double standard_error = 0; // ddof 1
  double low = 0, high = 0;  // percentile interval
};

/// Summary of bootstrap values of KL: SD (ddof 1) and the central `level` percentile interval, by linear quantiles.
inline bootstrap_result summarize_bootstrap(std::vector<double> values, double level = 0.95) {
  if (values.size() < 2) fail("bootstrap: needs at least 2 replicates, got ", values.size());
  const double n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double sum = 0;
  for (const double v : values) sum += (v - mean) * (v - mean);
  bootstrap_result out{std::sqrt(sum / (n - 1)), 0, 0};
  out.low = linear_quantile(values, (1 - level) / 2);
  out.high = linear_quantile(values, (1 + level) / 2);
  return out;
}

} // namespace llmap
