#include "llmap/core/random.hpp"
#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include "llmap/geometry/neighbor_joining.hpp"
#include "llmap/geometry/newick.hpp"
#include "llmap/reference/map_reference.hpp"
#include "support/golden_tensors.hpp"
#include <gtest/gtest.h>
#include <map>
#include <numeric>
#include <set>

using namespace llmap;

class golden_trees : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(cases, golden_trees, testing::Values("small", "medium", "wide", "dup"));

TEST_P(golden_trees, all_linkages) {
  const golden::map_case c(GetParam());
  const row_matrix l = c.inputs.at("L").matrix();
  const kl_table t = kl(clip(l, clip_threshold(l)).values, c.inputs.at("bytes").integers());
  const std::pair<const char*, linkage_kind> kinds[] = {{"single", linkage_kind::single},
                                                        {"complete", linkage_kind::complete},
                                                        {"average", linkage_kind::average},
                                                        {"ward", linkage_kind::ward}};
  for (const bool q : {true, false})
    for (const auto& [name, kind] : kinds) {
      if (!q && kind == linkage_kind::ward) continue;
      const std::string key = std::string(q ? "q_" : "kl_") + name;
      SCOPED_TRACE(key);
      const row_matrix d = q ? row_matrix(squared_distance(t).cwiseSqrt()) : kl_bits_per_byte(t);
      const model_tree tree = agglomerate(d, kind);
      row_matrix heights(1, d.rows() - 1), linkage(d.rows() - 1, 4);
      for (std::size_t m = 0; m < tree.merges.size(); ++m) {
        const auto r = static_cast<Eigen::Index>(m);
        heights(0, r) = tree.merges[m].height;
        linkage.row(r) << static_cast<double>(tree.merges[m].left), static_cast<double>(tree.merges[m].right),
            tree.merges[m].height, static_cast<double>(tree.merges[m].size);
      }
      EXPECT_LE(golden::error_over_tolerance(c, "heights_" + key, heights), 1);
      EXPECT_LE(golden::error_over_tolerance(c, "cophenetic_" + key, cophenetic_distance(tree)), 1);
      if (std::string(GetParam()) != "dup") { // equal distances: the order of merges is open
        EXPECT_LE(golden::error_over_tolerance(c, "linkage_" + key, linkage), 1);
      }
      const auto order = leaf_order(tree, d);
      EXPECT_EQ(std::set<std::size_t>(order.begin(), order.end()).size(), tree.models);
      EXPECT_EQ(order.size(), tree.models);
    }
}

TEST(trees, average_by_its_definition) {
  row_matrix d(5, 5);
  d << 0, 2, 6, 10, 9, 2, 0, 5, 9, 8, 6, 5, 0, 4, 5, 10, 9, 4, 0, 3, 9, 8, 5, 3, 0;
  reference::rows plain;
  for (Eigen::Index i = 0; i < 5; ++i) plain.emplace_back(d.row(i).begin(), d.row(i).end());
  const auto wanted = reference::average_heights(plain);
  const model_tree t = agglomerate(d, linkage_kind::average);
  for (std::size_t m = 0; m < 4; ++m) EXPECT_DOUBLE_EQ(t.merges[m].height, wanted[m]);
}

TEST(newick, names_are_quoted_and_lengths_halved) {
  row_matrix d(3, 3);
  d << 0, 1, 4, 1, 0, 4, 4, 4, 0;
  const model_tree t = agglomerate(d, linkage_kind::average);
  EXPECT_EQ(newick(t, {"it's", "a,(b)", "c\nd"}), "('c?d':2,('it''s':0.5,'a,(b)':0.5):1.5);");
  EXPECT_EQ(newick(agglomerate(row_matrix::Zero(1, 1), linkage_kind::ward), {"one"}), "'one';");
  EXPECT_EQ(
      leaf_order(agglomerate(row_matrix::Zero(1, 1), linkage_kind::ward), row_matrix::Zero(1, 1)).size(), 1u);
  EXPECT_THROW(agglomerate(row_matrix::Constant(2, 2, NAN), linkage_kind::single), error);
  row_matrix lopsided = row_matrix::Zero(3, 3);
  lopsided(0, 1) = 1;
  EXPECT_THROW(agglomerate(lopsided, linkage_kind::average), contract_error);
}

namespace {
/// Path lengths between the models of a joined tree.
row_matrix path_lengths(const joined_tree& t) {
  const std::size_t nodes = t.models + t.joins.size();
  std::vector<std::size_t> parent(nodes, nodes);
  std::vector<double> branch(nodes, 0.0);
  for (std::size_t m = 0; m < t.joins.size(); ++m) {
    const tree_join& j = t.joins[m];
    parent[j.left] = parent[j.right] = t.models + m;
    branch[j.left] = j.left_branch, branch[j.right] = j.right_branch;
  }
  const auto K = static_cast<Eigen::Index>(t.models);
  row_matrix out = row_matrix::Zero(K, K);
  for (std::size_t a = 0; a < t.models; ++a) {
    std::map<std::size_t, double> above; // distance of a to each of its ancestors
    double length = 0;
    for (std::size_t n = a; n < nodes; length += branch[n], n = parent[n]) above[n] = length;
    for (std::size_t b = 0; b < t.models; ++b) {
      double other = 0;
      std::size_t n = b;
      for (; above.count(n) == 0; n = parent[n]) other += branch[n];
      out(static_cast<Eigen::Index>(a), static_cast<Eigen::Index>(b)) = above[n] + other;
    }
  }
  return out;
}
} // namespace

TEST(neighbor_joining, by_hand) {
  // Of an additive matrix of five: a and b are joined first, at 2 and 3.
  row_matrix d(5, 5);
  d << 0, 5, 9, 9, 8, 5, 0, 10, 10, 9, 9, 10, 0, 8, 7, 9, 10, 8, 0, 3, 8, 9, 7, 3, 0;
  const joined_tree t = neighbor_joining(d);
  ASSERT_EQ(t.joins.size(), 4u);
  EXPECT_EQ(t.joins[0].left, 1u);
  EXPECT_EQ(t.joins[0].right, 0u);
  EXPECT_DOUBLE_EQ(t.joins[0].left_branch, 3);
  EXPECT_DOUBLE_EQ(t.joins[0].right_branch, 2);
  EXPECT_LT((path_lengths(t) - d).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_EQ(newick(neighbor_joining(d.topLeftCorner(2, 2)), {"a", "it's"}), "('a':2.5,'it''s':2.5);");
  EXPECT_TRUE(neighbor_joining(row_matrix::Zero(1, 1)).joins.empty());
  EXPECT_THROW(neighbor_joining(row_matrix::Constant(2, 2, NAN)), error);
}

TEST(neighbor_joining, gives_back_the_tree_of_additive_distances) {
  const counter_random r{3};
  for (const std::size_t models : {3, 4, 9, 40, 131}) {
    joined_tree tree{models, {}}; // joined at random, branches at random
    std::vector<std::size_t> left(models);
    std::iota(left.begin(), left.end(), std::size_t{0});
    for (std::size_t m = 0; left.size() > 1; ++m) {
      const auto take = [&](std::uint64_t stream) {
        const auto at = left.begin() + static_cast<std::ptrdiff_t>(r.below(stream, m, left.size()));
        const std::size_t id = *at;
        left.erase(at);
        return id;
      };
      const std::size_t a = take(0), b = take(1);
      tree.joins.push_back({a, b, 0.1 + r.uniform(2, m), 0.1 + r.uniform(3, m)});
      left.push_back(models + m);
    }
    const row_matrix d = path_lengths(tree);
    const row_matrix symmetric = (d + d.transpose()) / 2;
    EXPECT_LT((path_lengths(neighbor_joining(symmetric)) - d).cwiseAbs().maxCoeff(), 1e-11) << models;
  }
}

TEST(trees, refuse_distances_that_are_not_finite_or_not_symmetric) {
  row_matrix d = row_matrix::Constant(40, 40, 2.0);
  d(3, 37) = 1;
  EXPECT_THROW(agglomerate(d, linkage_kind::average), contract_error);
  d(37, 3) = 1;
  EXPECT_EQ(agglomerate(d, linkage_kind::average).merges.front().height, 1);
  d(37, 3) = d(3, 37) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(agglomerate(d, linkage_kind::average), error);
}
