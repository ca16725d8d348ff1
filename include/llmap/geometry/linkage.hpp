// Trees of models by agglomeration of a distance matrix (K, K): single, complete, average (UPGMA) and Ward linkage. The
// height of a merge is the linkage distance in the unit of the input. Average linkage of KL (bits per byte) reads as
// "mean KL between the two groups"; Ward needs Euclidean distances, |q_i - q_j| or sqrt(KL). Merges are those of
// scipy's linkage(): ids 0..K-1 are models, K+m is the m-th merge, heights ascend. Which of two equal distances is
// merged first is not promised. Nearest-neighbor chains (Murtagh 1983), O(K^2), on the calling thread. Distances are
// float or double; heights are double. K = 1 has no merges.
#pragma once
#include "llmap/core/cpu_executor.hpp"
#include "llmap/core/matrix.hpp"
#include "llmap/geometry/detail/finite.hpp"
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace llmap {

/// What the distance of two subtrees is: the least, the largest or the mean distance of their models, or Ward's.
enum class linkage_kind { single, complete, average, ward };

/// Two subtrees that merge. Ids 0..K-1 are models, K + m is the m-th merge.
struct tree_merge {
  std::size_t left, right; // left < right
  double height;           ///< distance of the two
  std::size_t size;        // models below
};

/// A tree of models from merges.
struct model_tree {
  std::size_t models = 1;         ///< K
  std::vector<tree_merge> merges; // K - 1, heights ascending
};

namespace detail {

/// Without symmetry a chain of nearest neighbors might never end.
template <class T> void expect_distances(matrix_view<const T> distance) {
  LLMAP_EXPECTS(distance.rows == distance.cols && distance.rows > 0, "tree: a square matrix of distances");
  if (!all_finite(distance)) fail("tree: the distances are not all finite");
  bool symmetric = true;
  constexpr std::size_t tile = 32; // the cache lines of an entry and of its mirror are both near
  for (std::size_t i0 = 0; i0 < distance.rows; i0 += tile)
    for (std::size_t j0 = 0; j0 <= i0; j0 += tile)
      for (std::size_t i = i0; i < std::min(i0 + tile, distance.rows); ++i)
        for (std::size_t j = j0; j < std::min(j0 + tile, i); ++j)
          symmetric = symmetric && distance(i, j) == distance(j, i);
  LLMAP_EXPECTS(symmetric, "tree: a symmetric matrix of distances");
}

/// Lance and Williams 1967: the distance of cluster c from the union of a and b (`na`, `nb`, `nc` models). Ward's
/// distances are squared.
inline double joined_distance(linkage_kind kind, double ac, double bc, double ab, double na, double nb, double nc) {
  switch (kind) {
  case linkage_kind::single:
    return std::min(ac, bc);
  case linkage_kind::complete:
    return std::max(ac, bc);
  case linkage_kind::average:
    return (na * ac + nb * bc) / (na + nb);
  case linkage_kind::ward:
    break;
  }
  return std::max(0.0, ((na + nc) * ac + (nb + nc) * bc - nc * ab) / (na + nb + nc));
}

/// A merge of the clusters that models a and b lie in.
struct found_merge {
  std::size_t a, b;
  double height;
};

/// Sorts the merges, which are found out of order, by height, and names each cluster by the merge that made it.
inline model_tree ordered_tree(std::size_t models, std::vector<found_merge> found) {
  std::stable_sort(found.begin(), found.end(),
                   [](const found_merge& p, const found_merge& q) { return p.height < q.height; });
  std::vector<std::size_t> parent(2 * models);
  std::iota(parent.begin(), parent.end(), std::size_t{0});
  const auto root = [&](std::size_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  model_tree out{models, {}};
  const auto count = [&](std::size_t id) { return id < models ? std::size_t{1} : out.merges[id - models].size; };
  for (const found_merge& m : found) {
    const std::size_t x = root(m.a), y = root(m.b);
    parent[x] = parent[y] = models + out.merges.size();
    out.merges.push_back({std::min(x, y), std::max(x, y), m.height, count(x) + count(y)});
  }
  return out;
}

} // namespace detail

template <class T> model_tree linkage(const cpu_executor&, matrix_view<const T> distance, linkage_kind kind) {
  detail::expect_distances(distance);
  const std::size_t models = distance.rows;
  matrix<double> d(distance); // between clusters; each is known by one of its models and has its row and column
  if (kind == linkage_kind::ward)
    for (double& x : d.span()) x *= x;
  std::vector<double> size(models, 1); // of the cluster known by a model
  std::vector<std::size_t> left(models), chain;
  std::iota(left.begin(), left.end(), std::size_t{0});
  std::vector<detail::found_merge> found;
  while (left.size() > 1) {
    if (chain.empty()) chain.push_back(left.front());
    for (;;) { // follow nearest neighbors until two are each other's
      const std::size_t x = chain.back(), before = chain.size() > 1 ? chain[chain.size() - 2] : x;
      const double* row = d.row(x).data();
      std::size_t nearest = before;
      double least = before != x ? row[before] : std::numeric_limits<double>::infinity();
      for (const std::size_t c : left)
        if (row[c] < least && c != x) least = row[c], nearest = c;
      if (nearest == before) break;
      chain.push_back(nearest);
    }
    const std::size_t b = chain.back(), a = chain[chain.size() - 2];
    chain.resize(chain.size() - 2);
    const double ab = d(a, b);
    found.push_back({a, b, kind == linkage_kind::ward ? std::sqrt(ab) : ab});
    left.erase(std::find(left.begin(), left.end(), a));
    for (const std::size_t c : left) // the union is known by b
      if (c != b) d(b, c) = d(c, b) = detail::joined_distance(kind, d(a, c), d(b, c), ab, size[a], size[b], size[c]);
    size[b] += size[a];
  }
  return detail::ordered_tree(models, std::move(found));
}

/// Height at which two models first share a group, (K, K).
inline matrix<double> cophenetic_distance(const model_tree& t) {
  matrix<double> out(t.models, t.models, 0);
  std::vector<std::vector<std::size_t>> members(t.models + t.merges.size());
  for (std::size_t i = 0; i < t.models; ++i) members[i] = {i};
  for (std::size_t m = 0; m < t.merges.size(); ++m) {
    auto &a = members[t.merges[m].left], &b = members[t.merges[m].right];
    for (const std::size_t i : a)
      for (const std::size_t j : b) out(i, j) = out(j, i) = t.merges[m].height;
    a.insert(a.end(), b.begin(), b.end());
    members[t.models + m] = std::move(a);
  }
  return out;
}

/// Order of the models along the tree: each merge is turned so that the two models that meet in the middle are as near
/// as possible (greedy, from the leaves up). A heat map in this order shows its blocks.
template <class T> std::vector<std::size_t> leaf_order(const model_tree& t, matrix_view<const T> distance) {
  LLMAP_EXPECTS(distance.rows == t.models && distance.cols == t.models, "leaf_order: distances are (K, K)");
  std::vector<std::vector<std::size_t>> run(t.models + t.merges.size());
  for (std::size_t i = 0; i < t.models; ++i) run[i] = {i};
  for (std::size_t m = 0; m < t.merges.size(); ++m) {
    auto &a = run[t.merges[m].left], &b = run[t.merges[m].right];
    const T meet[4] = {distance(a.back(), b.front()), distance(a.back(), b.back()), distance(a.front(), b.front()),
                       distance(a.front(), b.back())};
    const auto best = std::min_element(meet, meet + 4) - meet;
    if (best >= 2) std::reverse(a.begin(), a.end());
    if (best % 2 == 1) std::reverse(b.begin(), b.end());
    a.insert(a.end(), b.begin(), b.end());
    run[t.models + m] = std::move(a);
  }
  return run.back();
}

} // namespace llmap
