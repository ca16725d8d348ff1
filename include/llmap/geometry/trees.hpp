// Trees of models by agglomeration of a distance matrix (K, K): single, complete, average (UPGMA) and Ward
// linkage. The height of a merge is the linkage distance in the unit of the input. Average of KL (bits/byte)
// reads as "mean KL between the two groups"; Ward wants Euclidean distances, |q_i - q_j| or sqrt(KL). Merges
// are those of scipy's linkage(): ids 0..K-1 are models, K+m is the m-th merge, heights ascend; which of two
// equal distances is merged first is not promised. Nearest-neighbour chains, O(K^2). K = 1 has no merges.
#pragma once
#include "llmap/core/simd.hpp"
#include "llmap/core/view.hpp"
#include "llmap/geometry/detail/for_pairs.hpp"
#include "llmap/geometry/detail/ordered_sum.hpp"
#include "llmap/geometry/score_matrix.hpp"
#include <algorithm>
#include <atomic>
#include <limits>
#include <numeric>

namespace llmap {

enum class linkage_kind { single, complete, average, ward };

struct tree_merge {
  std::size_t left, right; // left < right
  double height;
  std::size_t size; // models below
};

struct model_tree {
  std::size_t models = 1;
  std::vector<tree_merge> merges; // K - 1, heights ascending
};

namespace detail {

/// Distances of clusters; Ward's are squared. Each cluster has a column; that of a merge is a new one,
/// written into the other rows eight columns at a time, since a column at a time is a cache line a write.
/// Columns of clusters that are no more stay, marked empty.
struct cluster_table {
  static constexpr std::size_t line = 8;   // doubles
  static constexpr std::size_t least = 32; // clusters for which a table is closed up
  std::size_t clusters;                  // at first
  std::size_t columns;                   // in use
  std::size_t settled;                   // columns before this one are known to all rows
  std::size_t stride;
  aligned_buffer<double> distance; // (clusters, stride)
  aligned_buffer<double> size;     // (stride) models
  aligned_buffer<double> empty;    // (stride) 0, or infinite: no cluster here
  std::vector<std::size_t> row_of; // (columns)
  std::vector<std::size_t> member; // (columns) a model of the cluster

  explicit cluster_table(std::size_t count)
      : clusters(count), columns((count + line - 1) / line * line), settled(columns),
        stride(count / 2 > least ? (3 * columns / 2 + line - 1) / line * line : 2 * columns),
        distance(count * stride), size(stride), empty(stride), row_of(stride), member(stride) {
    std::fill(size.data(), size.data() + stride, 0.0);
    std::fill(empty.data(), empty.data() + stride, std::numeric_limits<double>::infinity());
    for (std::size_t c = 0; c < count; ++c) size[c] = 1, empty[c] = 0, row_of[c] = member[c] = c;
  }
  double* row(std::size_t c) const { return distance.data() + row_of[c] * stride; }
  /// What the scans read of a row: whole lines.
  std::size_t width() const { return (columns + line - 1) / line * line; }

  /// Brings the columns newer than cluster c, and not settled, into its row.
  void update(std::size_t c) {
    for (std::size_t q = std::max(settled, c + 1); q < columns; ++q) row(c)[q] = row(q)[c];
  }
  /// Column of the union of a and b, whose row is b's, to be joined by the caller.
  std::size_t add_union(std::size_t a, std::size_t b) {
    const std::size_t c = columns++;
    row_of[c] = row_of[b], member[c] = member[a];
    size[c] = size[a] + size[b], empty[c] = 0;
    for (const std::size_t gone : {a, b})
      size[gone] = 0, empty[gone] = std::numeric_limits<double>::infinity();
    row(c)[c] = std::numeric_limits<double>::infinity();
    return c;
  }
  void settle() {
    const double* from[line];
    for (std::size_t q = settled; q < columns; ++q) from[q - settled] = row(q);
    for (std::size_t c = 0; c < settled; ++c)
      if (size[c] > 0)
        for (std::size_t q = settled; q < columns; ++q) row(c)[q] = from[q - settled][c];
    for (std::size_t c = settled; c < columns; ++c)
      if (size[c] > 0) update(c);
    settled = columns;
  }
};

/// The first of the nearest clusters of a row.
struct nearest_cluster {
  const double *row, *empty;
  std::size_t width;
  double* least;
  std::size_t* where;
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, double>;
    simd::vec<double, W> best, best_at{}, at;
    for (int k = 0; k < W; ++k) best[k] = std::numeric_limits<double>::infinity(), at[k] = k;
    for (std::size_t c = 0; c < width; c += W, at += static_cast<double>(W)) {
      const auto d = simd::load<double, W>(row + c) + simd::load<double, W>(empty + c);
      best_at = d < best ? at : best_at;
      best = d < best ? d : best;
    }
    *least = best[0], *where = static_cast<std::size_t>(best_at[0]);
    for (int k = 1; k < W; ++k) {
      const auto c = static_cast<std::size_t>(best_at[k]);
      if (best[k] < *least || (best[k] == *least && c < *where)) *least = best[k], *where = c;
    }
  }
};

/// Lance-Williams: distances of the union of a and b (na, nb models, apart by ab) to all clusters, in place
/// of b's.
struct join_rows {
  linkage_kind kind;
  const double *a, *size;
  double* b;
  std::size_t width;
  double na, nb, ab;
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, double>;
    using vec = simd::vec<double, W>;
    for (std::size_t c = 0; c < width; c += W) {
      const vec ac = simd::load<double, W>(a + c), bc = simd::load<double, W>(b + c);
      const vec nc = simd::load<double, W>(size + c);
      vec joined = (na * ac + nb * bc) / (na + nb);
      if (kind == linkage_kind::single) joined = ac < bc ? ac : bc;
      if (kind == linkage_kind::complete) joined = ac > bc ? ac : bc;
      if (kind == linkage_kind::ward) joined = ((na + nc) * ac + (nb + nc) * bc - nc * ab) / (na + nb + nc);
      if (kind == linkage_kind::ward) joined = joined > 0.0 ? joined : vec{}; // of squares
      simd::store<double, W>(b + c, joined);
    }
  }
};

} // namespace detail

inline model_tree agglomerate(const row_matrix& distance, linkage_kind kind, int threads = default_threads()) {
  LLMAP_EXPECTS(distance.rows() == distance.cols() && distance.rows() > 0, "agglomerate: a square matrix");
  const auto models = static_cast<std::size_t>(distance.rows());
  constexpr double infinity = std::numeric_limits<double>::infinity();
  detail::cluster_table table(models);
  parallel_for(threads, models, [&](std::size_t i) {
    const double* from = distance.data() + i * models;
    if (!std::isfinite(detail::ordered_sum(models, [from](std::size_t j) { return std::abs(from[j]); })))
      fail("tree: the distances are not all finite");
    double* row = table.row(i);
    if (kind == linkage_kind::ward) std::transform(from, from + models, row, [](double d) { return d * d; });
    else std::copy_n(from, models, row);
    std::fill(row + models, row + table.columns, infinity);
    row[i] = infinity;
  });
  std::atomic<bool> symmetric = true; // else chains never close
  detail::for_pairs(threads, distance.rows(), [&](std::ptrdiff_t i, std::ptrdiff_t j) {
    if (distance(i, j) != distance(j, i)) symmetric.store(false, std::memory_order_relaxed);
  });
  LLMAP_EXPECTS(symmetric, "agglomerate: a symmetric matrix");

  struct raw_merge {
    std::size_t a, b; // a model of each
    double height;
  };
  std::vector<raw_merge> raw;
  std::vector<std::size_t> chain; // columns
  while (raw.size() + 1 < models) {
    if (chain.empty()) {
      std::size_t first = 0;
      while (table.size[first] == 0) ++first;
      chain.push_back(first);
    }
    for (;;) { // follow nearest neighbours until two are each other's
      const std::size_t x = chain.back();
      table.update(x);
      double least;
      std::size_t y;
      simd::run(detail::nearest_cluster{table.row(x), table.empty.data(), table.width(), &least, &y});
      if (chain.size() > 1 && !(least < table.row(x)[chain[chain.size() - 2]])) break;
      chain.push_back(y);
    }
    const std::size_t a = chain[chain.size() - 2], b = chain.back();
    chain.resize(chain.size() - 2);
    const double ab = table.row(b)[a];
    raw.push_back({table.member[a], table.member[b], kind == linkage_kind::ward ? std::sqrt(ab) : ab});
    table.update(a);
    simd::run(detail::join_rows{kind, table.row(a), table.size.data(), table.row(b), table.width(),
                                table.size[a], table.size[b], ab});
    table.add_union(a, b);
    if (table.columns - table.settled == table.line) table.settle();

    const std::size_t left = models - raw.size();
    if (left > table.least && left <= table.clusters / 2) { // close the table up, so that it soon fits the cache
      table.settle();
      detail::cluster_table closed(left);
      std::vector<std::size_t> old, now(table.columns);
      for (std::size_t c = 0; c < table.columns; ++c)
        if (table.size[c] > 0) now[c] = old.size(), old.push_back(c);
      for (std::size_t i = 0; i < left; ++i) {
        for (std::size_t j = 0; j < left; ++j) closed.row(i)[j] = table.row(old[i])[old[j]];
        std::fill(closed.row(i) + left, closed.row(i) + closed.columns, infinity);
        closed.size[i] = table.size[old[i]], closed.member[i] = table.member[old[i]];
      }
      for (std::size_t& c : chain) c = now[c];
      table = std::move(closed);
    }
  }

  // The chain finds merges out of order: sort by height, then name each cluster by the merge that made it.
  std::stable_sort(raw.begin(), raw.end(),
                   [](const raw_merge& p, const raw_merge& q) { return p.height < q.height; });
  std::vector<std::size_t> parent(2 * models);
  std::iota(parent.begin(), parent.end(), std::size_t{0});
  const auto root = [&](std::size_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  model_tree out{models, {}};
  const auto count = [&](std::size_t id) {
    return id < models ? std::size_t{1} : out.merges[id - models].size;
  };
  for (const raw_merge& m : raw) {
    const std::size_t x = root(m.a), y = root(m.b);
    parent[x] = parent[y] = models + out.merges.size();
    out.merges.push_back({std::min(x, y), std::max(x, y), m.height, count(x) + count(y)});
  }
  return out;
}

/// Height at which two models first share a group, (K, K).
inline row_matrix cophenetic_distance(const model_tree& t) {
  const auto K = static_cast<Eigen::Index>(t.models);
  row_matrix out = row_matrix::Zero(K, K);
  std::vector<std::vector<Eigen::Index>> members(t.models + t.merges.size());
  for (std::size_t i = 0; i < t.models; ++i) members[i] = {static_cast<Eigen::Index>(i)};
  for (std::size_t m = 0; m < t.merges.size(); ++m) {
    auto &a = members[t.merges[m].left], &b = members[t.merges[m].right];
    for (const Eigen::Index i : a)
      for (const Eigen::Index j : b) out(i, j) = out(j, i) = t.merges[m].height;
    a.insert(a.end(), b.begin(), b.end());
    members[t.models + m] = std::move(a);
  }
  return out;
}

/// Order of the models along the tree: each merge is turned so that the two models that meet in the middle
/// are as near as they can be (greedy, from the leaves up). A heat map in this order shows its blocks.
inline std::vector<std::size_t> leaf_order(const model_tree& t, const row_matrix& distance) {
  LLMAP_EXPECTS(distance.rows() == static_cast<Eigen::Index>(t.models), "leaf_order: distances are (K, K)");
  std::vector<std::vector<std::size_t>> run(t.models + t.merges.size());
  for (std::size_t i = 0; i < t.models; ++i) run[i] = {i};
  const auto apart = [&](std::size_t i, std::size_t j) {
    return distance(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
  };
  for (std::size_t m = 0; m < t.merges.size(); ++m) {
    auto &a = run[t.merges[m].left], &b = run[t.merges[m].right];
    const double meet[4] = {apart(a.back(), b.front()), apart(a.back(), b.back()),
                            apart(a.front(), b.front()), apart(a.front(), b.back())};
    const auto best = std::min_element(meet, meet + 4) - meet;
    if (best >= 2) std::reverse(a.begin(), a.end());
    if (best % 2 == 1) std::reverse(b.begin(), b.end());
    a.insert(a.end(), b.begin(), b.end());
    run[t.models + m] = std::move(a);
  }
  return run.back();
}

} // namespace llmap
