// What the map computes from any matrix, in plain double loops, for tests and for reading. Matrices are vectors of
// rows. Conventions as in llmap/geometry.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

namespace llmap::reference {

/// A matrix, row by row.
using rows = std::vector<std::vector<double>>;
/// The models of a subtree.
using group = std::vector<std::size_t>;

/// The rows of a matrix with rows(), cols() and m(i, j).
template <class Matrix> rows rows_of(const Matrix& m) {
  rows out(m.rows(), std::vector<double>(m.cols()));
  for (std::size_t i = 0; i < m.rows(); ++i)
    for (std::size_t j = 0; j < m.cols(); ++j) out[i][j] = m(i, j);
  return out;
}

/// The squared distance of two vectors.
inline double squared_distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t s = 0; s < a.size(); ++s) sum += (a[s] - b[s]) * (a[s] - b[s]);
  return sum;
}
/// The squared distances of all pairs of rows.
inline rows squared_distances(const rows& x) {
  rows out(x.size(), std::vector<double>(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < x.size(); ++j) out[i][j] = squared_distance(x[i], x[j]);
  return out;
}

/// x x^T
inline rows gram(const rows& x) {
  rows out(x.size(), std::vector<double>(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < x.size(); ++j)
      out[i][j] = std::inner_product(x[i].begin(), x[i].end(), x[j].begin(), 0.0);
  return out;
}

/// Eigenvalues and eigenvectors of a symmetric matrix.
struct eigen {
  std::vector<double> values; // descending
  rows vectors;               // as rows
};

/// Jacobi 1846: rotations of one plane after another until nothing is left off the diagonal.
inline eigen symmetric_eigen(rows a) {
  const std::size_t n = a.size();
  rows v(n, std::vector<double>(n));
  for (std::size_t i = 0; i < n; ++i) v[i][i] = 1;
  for (int sweep = 0; sweep < 30; ++sweep)
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t q = p + 1; q < n; ++q) {
        if (a[p][q] == 0) continue;
        const double angle = std::atan2(2 * a[p][q], a[q][q] - a[p][p]) / 2, c = std::cos(angle), s = std::sin(angle);
        for (std::size_t k = 0; k < n; ++k) {
          const double x = a[k][p], y = a[k][q];
          a[k][p] = c * x - s * y, a[k][q] = s * x + c * y;
        }
        for (std::size_t k = 0; k < n; ++k) {
          const double x = a[p][k], y = a[q][k], vx = v[p][k], vy = v[q][k];
          a[p][k] = c * x - s * y, a[q][k] = s * x + c * y;
          v[p][k] = c * vx - s * vy, v[q][k] = s * vx + c * vy;
        }
      }
  group order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return a[i][i] > a[j][j]; });
  eigen out;
  for (const std::size_t i : order) out.values.push_back(a[i][i]), out.vectors.push_back(v[i]);
  return out;
}

/// Scores (K, components) of x (K, N): its rows along the eigenvectors of x^T x. The entry of largest magnitude of each
/// eigenvector is positive.
inline rows pca_scores(const rows& x, std::size_t components) {
  const std::size_t N = x[0].size();
  rows turned(N);
  for (std::size_t s = 0; s < N; ++s)
    for (const auto& row : x) turned[s].push_back(row[s]);
  const eigen of_columns = symmetric_eigen(gram(turned));
  rows out(x.size());
  for (std::size_t p = 0; p < components; ++p) {
    std::vector<double> v = of_columns.vectors[p];
    const double largest =
        *std::max_element(v.begin(), v.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
    for (std::size_t i = 0; i < x.size(); ++i)
      out[i].push_back(std::inner_product(x[i].begin(), x[i].end(), v.begin(), 0.0) * (largest < 0 ? -1 : 1));
  }
  return out;
}

/// p(j|i) ~ exp(-beta_i d_ij), beta_i by halving until the entropy is ln(perplexity).
inline rows conditional_affinities(const rows& d, double perplexity) {
  const std::size_t K = d.size();
  rows out(K, std::vector<double>(K));
  for (std::size_t i = 0; i < K; ++i) {
    double low = -100, high = 100; // of ln beta
    for (int step = 0; step < 200; ++step) {
      const double middle = (low + high) / 2, beta = std::exp(middle);
      double least = INFINITY, total = 0, entropy = 0;
      for (std::size_t j = 0; j < K; ++j)
        if (j != i) least = std::min(least, d[i][j]);
      for (std::size_t j = 0; j < K; ++j) total += out[i][j] = j == i ? 0 : std::exp(-beta * (d[i][j] - least));
      for (double& p : out[i]) {
        p /= total;
        if (p > 0) entropy -= p * std::log(p);
      }
      (entropy > std::log(perplexity) ? low : high) = middle;
    }
  }
  return out;
}

/// The weight of a pair before it is divided by the total.
inline double tsne_weight(const rows& y, std::size_t i, std::size_t j) {
  return 1 / (1 + squared_distance(y[i], y[j]));
}
/// The sum of the weights of all pairs.
inline double tsne_total(const rows& y) {
  double total = 0;
  for (std::size_t i = 0; i < y.size(); ++i)
    for (std::size_t j = 0; j < y.size(); ++j)
      if (i != j) total += tsne_weight(y, i, j);
  return total;
}

/// sum P ln(P / Q) at y (K, 2).
inline double tsne_objective(const rows& p, const rows& y) {
  const double total = tsne_total(y);
  double sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i)
    for (std::size_t j = 0; j < y.size(); ++j)
      if (i != j && p[i][j] > 0) sum += p[i][j] * std::log(p[i][j] / (tsne_weight(y, i, j) / total));
  return sum;
}

/// 4 sum_j (P_ij - Q_ij) w_ij (y_i - y_j), (K, 2).
inline rows tsne_gradient(const rows& p, const rows& y) {
  const double total = tsne_total(y);
  rows out(y.size(), std::vector<double>(2));
  for (std::size_t i = 0; i < y.size(); ++i)
    for (std::size_t j = 0; j < y.size(); ++j) {
      if (i == j) continue;
      const double w = tsne_weight(y, i, j);
      for (std::size_t c = 0; c < 2; ++c) out[i][c] += 4 * (p[i][j] - w / total) * w * (y[i][c] - y[j][c]);
    }
  return out;
}

/// Sum over i in a, j in b of f(distance_ij).
template <class F> double sum_between(const rows& distance, const group& a, const group& b, const F& f) {
  double sum = 0;
  for (const std::size_t i : a)
    for (const std::size_t j : b) sum += f(distance[i][j]);
  return sum;
}
/// The least distance between two groups.
inline double single_distance(const rows& distance, const group& a, const group& b) {
  double least = INFINITY;
  sum_between(distance, a, b, [&](double d) { return least = std::min(least, d); });
  return least;
}
/// The largest distance between two groups.
inline double complete_distance(const rows& distance, const group& a, const group& b) {
  double largest = 0;
  sum_between(distance, a, b, [&](double d) { return largest = std::max(largest, d); });
  return largest;
}
/// The mean distance between two groups.
inline double average_distance(const rows& distance, const group& a, const group& b) {
  return sum_between(distance, a, b, [](double d) { return d; }) / static_cast<double>(a.size() * b.size());
}
/// sqrt(2 na nb / (na + nb)) times the distance of the centroids, for Euclidean distances.
inline double ward_distance(const rows& distance, const group& a, const group& b) {
  const auto square = [](double d) { return d * d; };
  const double na = static_cast<double>(a.size()), nb = static_cast<double>(b.size());
  const double apart = sum_between(distance, a, b, square) / (na * nb) -
                       sum_between(distance, a, a, square) / (2 * na * na) -
                       sum_between(distance, b, b, square) / (2 * nb * nb);
  return std::sqrt(2 * na * nb / (na + nb) * apart);
}

/// Linkage by its definition: merge the two groups of least distance; the heights, ascending.
template <class Between> std::vector<double> linkage_heights(const rows& distance, const Between& between) {
  std::vector<group> groups;
  for (std::size_t i = 0; i < distance.size(); ++i) groups.push_back({i});
  std::vector<double> heights;
  while (groups.size() > 1) {
    std::size_t best_a = 0, best_b = 1;
    double least = INFINITY;
    for (std::size_t a = 0; a < groups.size(); ++a)
      for (std::size_t b = a + 1; b < groups.size(); ++b)
        if (const double d = between(distance, groups[a], groups[b]); d < least) least = d, best_a = a, best_b = b;
    heights.push_back(least);
    groups[best_a].insert(groups[best_a].end(), groups[best_b].begin(), groups[best_b].end());
    groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(best_b));
  }
  return heights;
}

} // namespace llmap::reference
