// Neighbor joining (Saitou and Nei 1987): a tree without a root or a clock, from distances D (K, K) of models. Of m
// nodes, with r_i = sum_k D_ik, the pair of least (m - 2) D_ij - r_i - r_j is joined into a node u:
//   branch i-u = D_ij / 2 + (r_i - r_j) / (2 (m - 2)),  branch j-u = D_ij - branch i-u,
//   D_uk = (D_ik + D_jk - D_ij) / 2
// until two nodes are left, whose branch is halved. Distances that are path lengths of a tree give that tree back;
// others can give branches below 0, which are kept. O(K^3), with a vectorized search of K^3 / 6 pairs. On ties, the
// first pair in the order of the table is joined. K = 1 has no joins. D is float or double; sums and branches are
// double. Runs on the calling thread.
#pragma once
#include "llmap/core/simd.hpp"
#include "llmap/geometry/newick.hpp"

namespace llmap {

/// Two subtrees that are joined, with the lengths of their branches in the unit of the distances.
struct tree_join {
  std::size_t left, right;          // ids: 0..K-1 are models, K+m is the m-th join
  double left_branch, right_branch; ///< lengths; may be negative
};

/// A tree without root: its last join has the last two subtrees.
struct joined_tree {
  std::size_t models = 1;       ///< K
  std::vector<tree_join> joins; // K - 1
};

namespace detail {

/// The first least value of scale D_ij - r_i - r_j over all j < i < nodes.
struct least_pair {
  const double *distance, *sum; // (nodes, stride), (nodes)
  std::size_t nodes, stride;
  double scale;
  std::size_t *best_i, *best_j;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, double>;
    double best = std::numeric_limits<double>::infinity();
    for (std::size_t i = 1; i < nodes; ++i) {
      const double* row = distance + i * stride;
      const auto value = [&](std::size_t j) { return scale * row[j] - sum[j]; };
      simd::vec<double, W> least = simd::broadcast<double, W>(std::numeric_limits<double>::infinity());
      std::size_t j = 0;
      for (; j + W <= i; j += W) {
        const simd::vec<double, W> v = scale * simd::load<double, W>(row + j) - simd::load<double, W>(sum + j);
        least = v < least ? v : least;
      }
      double row_least = -simd::maximum<double, W>(-least);
      for (std::size_t t = j; t < i; ++t) row_least = std::min(row_least, value(t));
      if (!(row_least - sum[i] < best)) continue;
      best = row_least - sum[i], *best_i = i, *best_j = 0;
      for (std::size_t t = 1; t < i; ++t)
        if (value(t) < value(*best_j)) *best_j = t;
    }
  }
};

} // namespace detail

template <class T> joined_tree neighbor_joining(const cpu_executor&, matrix_view<const T> distance) {
  detail::expect_distances(distance);
  const std::size_t models = distance.rows;
  matrix<double> d(distance); // of the nodes that are left, in the first rows and columns
  std::vector<double> sum(models);
  for (std::size_t i = 0; i < models; ++i) sum[i] = std::accumulate(d.row(i).begin(), d.row(i).end(), 0.0);
  std::vector<std::size_t> id(models);
  std::iota(id.begin(), id.end(), std::size_t{0});
  joined_tree out{models, {}};
  for (std::size_t nodes = models; nodes > 2; --nodes) {
    std::size_t i = 0, j = 0; // j < i
    const double others = static_cast<double>(nodes - 2);
    simd::run(detail::least_pair{d.data(), sum.data(), nodes, models, others, &i, &j});
    const std::size_t last = nodes - 1;
    const double apart = d(i, j), branch = apart / 2 + (sum[i] - sum[j]) / (2 * others);
    out.joins.push_back({id[i], id[j], branch, apart - branch});
    // The union takes the place of j, and the last node that of i.
    double whole = 0;
    for (std::size_t k = 0; k <= last; ++k) {
      if (k == i || k == j) continue;
      const double joined = (d(i, k) + d(j, k) - apart) / 2;
      sum[k] += joined - d(i, k) - d(j, k);
      d(j, k) = d(k, j) = joined;
      whole += joined;
    }
    sum[j] = whole, id[j] = models + out.joins.size() - 1;
    if (i != last) {
      for (std::size_t k = 0; k < last; ++k) d(i, k) = d(k, i) = d(last, k);
      d(i, i) = 0, sum[i] = sum[last], id[i] = id[last];
    }
  }
  if (models > 1) out.joins.push_back({id[0], id[1], d(0, 1) / 2, d(0, 1) / 2});
  return out;
}

/// Newick text; names and lengths as in newick() of an agglomerated tree.
inline std::string newick(const joined_tree& t, const std::vector<std::string>& names) {
  LLMAP_EXPECTS(names.size() == t.models, "newick: one name per model");
  std::vector<std::string> text(t.models + t.joins.size());
  for (std::size_t i = 0; i < t.models; ++i) text[i] = newick_name(names[i]);
  for (std::size_t m = 0; m < t.joins.size(); ++m) {
    const tree_join& g = t.joins[m];
    text[t.models + m] = '(' + detail::newick_branch(std::move(text[g.left]), g.left_branch) + ',' +
                         detail::newick_branch(std::move(text[g.right]), g.right_branch) + ')';
  }
  return text.back() + ";";
}

} // namespace llmap
