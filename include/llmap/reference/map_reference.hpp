// The statistics of log-likelihoods in plain double loops, for tests and for reading: what each of them is, regardless
// of speed and of near-equal models. Conventions as in llmap/geometry.
#pragma once
#include "llmap/reference/matrix_reference.hpp"

namespace llmap::reference {

/// Linear quantile over all finite entries: position q (n - 1).
inline double clip_threshold(const rows& l, double q) {
  std::vector<double> v;
  for (const auto& row : l)
    for (const double x : row)
      if (std::isfinite(x)) v.push_back(x);
  std::sort(v.begin(), v.end());
  const double position = q * static_cast<double>(v.size() - 1);
  const auto k = static_cast<std::size_t>(position);
  const double next = k + 1 < v.size() ? v[k + 1] : v[k];
  return v[k] + (next - v[k]) * (position - static_cast<double>(k));
}

/// The mean of v.
inline double mean(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += x;
  return sum / static_cast<double>(v.size());
}

/// Minus row mean, then minus column mean.
inline rows double_center(rows l) {
  for (auto& row : l) {
    const double m = mean(row);
    for (double& x : row) x -= m;
  }
  for (std::size_t s = 0; s < l[0].size(); ++s) {
    double sum = 0;
    for (const auto& row : l) sum += row[s];
    for (auto& row : l) row[s] -= sum / static_cast<double>(l.size());
  }
  return l;
}

/// Mean over texts of (q_i - q_j)^2 / 2, nats.
inline double kl_nats(const rows& q, std::size_t i, std::size_t j) {
  double sum = 0;
  for (std::size_t s = 0; s < q[i].size(); ++s) sum += (q[i][s] - q[j][s]) * (q[i][s] - q[j][s]) / 2;
  return sum / static_cast<double>(q[i].size());
}

/// SD (divisor N) over texts of (q_i - q_j)^2 / 2, over sqrt(N). Always 0 for two texts, which give no error.
inline double kl_standard_error(const rows& q, std::size_t i, std::size_t j) {
  const double kl = kl_nats(q, i, j), n = static_cast<double>(q[i].size());
  double sum = 0;
  for (std::size_t s = 0; s < q[i].size(); ++s) {
    const double half = (q[i][s] - q[j][s]) * (q[i][s] - q[j][s]) / 2;
    sum += (half - kl) * (half - kl);
  }
  return std::sqrt(sum / n / n);
}

} // namespace llmap::reference
