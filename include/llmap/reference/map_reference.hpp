// The algebra of the map in plain double loops, for tests and for reading: what each statistic is, without
// any care for speed or for near-equal models. Matrices are vectors of rows. Conventions as in
// llmap/geometry.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace llmap::reference {

using rows = std::vector<std::vector<double>>;

/// Of a matrix with rows(), cols() and m(i, j).
template <class Matrix> rows rows_of(const Matrix& m) {
  rows out(m.rows(), std::vector<double>(m.cols()));
  for (std::size_t i = 0; i < m.rows(); ++i)
    for (std::size_t j = 0; j < m.cols(); ++j) out[i][j] = m(i, j);
  return out;
}

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

/// sum P ln(P / Q) at y (K, 2).
inline double tsne_objective(const rows& p, const rows& y) {
  const std::size_t K = y.size();
  const auto w = [&](std::size_t i, std::size_t j) {
    const double dx = y[i][0] - y[j][0], dy = y[i][1] - y[j][1];
    return 1 / (1 + dx * dx + dy * dy);
  };
  double total = 0, sum = 0;
  for (std::size_t i = 0; i < K; ++i)
    for (std::size_t j = 0; j < K; ++j)
      if (i != j) total += w(i, j);
  for (std::size_t i = 0; i < K; ++i)
    for (std::size_t j = 0; j < K; ++j)
      if (i != j && p[i][j] > 0) sum += p[i][j] * std::log(p[i][j] / (w(i, j) / total));
  return sum;
}

/// Average linkage by its definition: merge the two groups of least mean distance; the heights, ascending.
inline std::vector<double> average_heights(const rows& distance) {
  std::vector<std::vector<std::size_t>> group;
  for (std::size_t i = 0; i < distance.size(); ++i) group.push_back({i});
  std::vector<double> heights;
  while (group.size() > 1) {
    std::size_t best_a = 0, best_b = 1;
    double least = INFINITY;
    for (std::size_t a = 0; a < group.size(); ++a)
      for (std::size_t b = a + 1; b < group.size(); ++b) {
        double sum = 0;
        for (const std::size_t i : group[a])
          for (const std::size_t j : group[b]) sum += distance[i][j];
        sum /= static_cast<double>(group[a].size() * group[b].size());
        if (sum < least) least = sum, best_a = a, best_b = b;
      }
    heights.push_back(least);
    group[best_a].insert(group[best_a].end(), group[best_b].begin(), group[best_b].end());
    group.erase(group.begin() + static_cast<std::ptrdiff_t>(best_b));
  }
  return heights;
}

} // namespace llmap::reference
