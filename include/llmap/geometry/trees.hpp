// Trees of models by agglomeration of a distance matrix (K, K): single, complete, average (UPGMA) and Ward
// linkage. The height of a merge is the linkage distance in the unit of the input. Average of KL (bits/byte)
// reads as "mean KL between the two groups"; Ward wants Euclidean distances, |q_i - q_j| or sqrt(KL). Merges
// are those of scipy's linkage(): ids 0..K-1 are models, K+m is the m-th merge, heights ascend; which of two
// equal distances is merged first is not promised. Nearest-neighbour chains, O(K^2). K = 1 has no merges.
#pragma once
#include "llmap/geometry/score_matrix.hpp"
#include <algorithm>
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

/// Lance-Williams: distance of the union of a and b (sizes na, nb, apart by ab) to c.
inline double joined_distance(linkage_kind kind, double ac, double bc, double ab, double na, double nb,
                              double nc) {
  switch (kind) {
  case linkage_kind::single:
    return std::min(ac, bc);
  case linkage_kind::complete:
    return std::max(ac, bc);
  case linkage_kind::average:
    return (na * ac + nb * bc) / (na + nb);
  case linkage_kind::ward:
    return std::sqrt(
        std::max(0.0, ((na + nc) * ac * ac + (nb + nc) * bc * bc - nc * ab * ab) / (na + nb + nc)));
  }
  return 0;
}

} // namespace detail

inline model_tree agglomerate(row_matrix distance, linkage_kind kind) {
  LLMAP_EXPECTS(distance.rows() == distance.cols() && distance.rows() > 0, "agglomerate: a square matrix");
  if (!distance.allFinite()) fail("tree: the distances are not all finite");
  LLMAP_EXPECTS(distance == distance.transpose(),
                "agglomerate: a symmetric matrix"); // else chains never close
  const Eigen::Index K = distance.rows();
  std::vector<double> size(static_cast<std::size_t>(K), 1.0); // 0: merged into another
  const auto n = [&](Eigen::Index i) -> double& { return size[static_cast<std::size_t>(i)]; };

  struct raw_merge {
    Eigen::Index a, b;
    double height;
  };
  std::vector<raw_merge> raw;
  std::vector<Eigen::Index> chain;
  while (static_cast<Eigen::Index>(raw.size()) + 1 < K) {
    if (chain.empty()) {
      Eigen::Index first = 0;
      while (n(first) == 0) ++first;
      chain.push_back(first);
    }
    for (;;) { // follow nearest neighbours until two are each other's
      const Eigen::Index x = chain.back();
      Eigen::Index y = chain.size() > 1 ? chain[chain.size() - 2] : -1;
      double least = y < 0 ? std::numeric_limits<double>::infinity() : distance(x, y);
      for (Eigen::Index c = 0; c < K; ++c)
        if (c != x && n(c) > 0 && distance(x, c) < least) least = distance(x, c), y = c;
      if (chain.size() > 1 && y == chain[chain.size() - 2]) break;
      chain.push_back(y);
    }
    const Eigen::Index a = std::min(chain.back(), chain[chain.size() - 2]);
    const Eigen::Index b = std::max(chain.back(), chain[chain.size() - 2]);
    chain.resize(chain.size() - 2);
    const double height = distance(a, b);
    raw.push_back({a, b, height});
    for (Eigen::Index c = 0; c < K; ++c)
      if (c != a && c != b && n(c) > 0)
        distance(c, b) = distance(b, c) =
            detail::joined_distance(kind, distance(a, c), distance(b, c), height, n(a), n(b), n(c));
    n(b) += n(a);
    n(a) = 0;
  }

  // The chain finds merges out of order: sort by height, then name each cluster by the merge that made it.
  std::stable_sort(raw.begin(), raw.end(),
                   [](const raw_merge& p, const raw_merge& q) { return p.height < q.height; });
  const auto models = static_cast<std::size_t>(K);
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
    const std::size_t x = root(static_cast<std::size_t>(m.a)), y = root(static_cast<std::size_t>(m.b));
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
