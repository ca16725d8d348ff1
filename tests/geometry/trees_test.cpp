#include "llmap/core/random.hpp"
#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include "llmap/geometry/neighbor_joining.hpp"
#include "llmap/geometry/newick.hpp"
#include "support/dense.hpp"
#include "support/golden_tensors.hpp"
#include <array>
#include <gtest/gtest.h>
#include <map>
#include <numeric>
#include <set>

using namespace llmap;

namespace {
const cpu_executor exec;

double largest_difference(const matrix<double>& a, const matrix<double>& b) {
  return (as_eigen(a) - as_eigen(b)).cwiseAbs().maxCoeff();
}
} // namespace

class golden_trees : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(cases, golden_trees, testing::Values("small", "medium", "wide", "dup"));

TEST_P(golden_trees, all_linkages) {
  const golden::map_case c(GetParam());
  const matrix<double> l = c.inputs.at("L").matrix();
  const kl_table t =
      kl(exec, clip(exec, l.view(), clip_threshold(exec, l.view())).values.view(), c.inputs.at("bytes").integers());
  const std::pair<const char*, linkage_kind> kinds[] = {{"single", linkage_kind::single},
                                                        {"complete", linkage_kind::complete},
                                                        {"average", linkage_kind::average},
                                                        {"ward", linkage_kind::ward}};
  for (const bool q : {true, false})
    for (const auto& [name, kind] : kinds) {
      if (!q && kind == linkage_kind::ward) continue;
      const std::string key = std::string(q ? "q_" : "kl_") + name;
      SCOPED_TRACE(key);
      const matrix<double> d = q ? as_matrix(as_eigen(squared_distances(t)).cwiseSqrt()) : kl_bits_per_byte(t);
      const model_tree tree = linkage(exec, d.view(), kind);
      matrix<double> heights(1, d.rows() - 1), merges(d.rows() - 1, 4);
      for (std::size_t m = 0; m < tree.merges.size(); ++m) {
        const tree_merge& g = tree.merges[m];
        heights(0, m) = g.height;
        std::ranges::copy(std::array{static_cast<double>(g.left), static_cast<double>(g.right), g.height,
                                     static_cast<double>(g.size)},
                          merges.row(m).begin());
      }
      EXPECT_LE(golden::error_over_tolerance(c, "heights_" + key, heights), 1);
      EXPECT_LE(golden::error_over_tolerance(c, "cophenetic_" + key, cophenetic_distance(tree)), 1);
      if (std::string(GetParam()) != "dup") { // equal distances: the order of merges is open
        EXPECT_LE(golden::error_over_tolerance(c, "linkage_" + key, merges), 1);
      }
      const auto order = leaf_order(tree, d.view());
      EXPECT_EQ(std::set<std::size_t>(order.begin(), order.end()).size(), tree.models);
      EXPECT_EQ(order.size(), tree.models);
    }
}

TEST(newick, names_are_quoted_and_lengths_halved) {
  const matrix<double> d{{0, 1, 4}, {1, 0, 4}, {4, 4, 0}}, zero(1, 1, 0);
  const model_tree t = linkage(exec, d.view(), linkage_kind::average);
  EXPECT_EQ(newick(t, {"it's", "a,(b)", "c\nd"}), "('c?d':2,('it''s':0.5,'a,(b)':0.5):1.5);");
  EXPECT_EQ(newick(linkage(exec, zero.view(), linkage_kind::ward), {"one"}), "'one';");
  EXPECT_EQ(leaf_order(linkage(exec, zero.view(), linkage_kind::ward), zero.view()).size(), 1u);
  EXPECT_THROW(linkage(exec, matrix<double>(2, 2, NAN).view(), linkage_kind::single), error);
  matrix<double> lopsided(3, 3, 0);
  lopsided(0, 1) = 1;
  EXPECT_THROW(linkage(exec, lopsided.view(), linkage_kind::average), contract_error);
}

namespace {
/// Path lengths between the models of a joined tree.
matrix<double> path_lengths(const joined_tree& t) {
  const std::size_t nodes = t.models + t.joins.size();
  std::vector<std::size_t> parent(nodes, nodes);
  std::vector<double> branch(nodes, 0.0);
  for (std::size_t m = 0; m < t.joins.size(); ++m) {
    const tree_join& j = t.joins[m];
    parent[j.left] = parent[j.right] = t.models + m;
    branch[j.left] = j.left_branch, branch[j.right] = j.right_branch;
  }
  matrix<double> out(t.models, t.models, 0);
  for (std::size_t a = 0; a < t.models; ++a) {
    std::map<std::size_t, double> above; // distance of a to each of its ancestors
    double length = 0;
    for (std::size_t n = a; n < nodes; length += branch[n], n = parent[n]) above[n] = length;
    for (std::size_t b = 0; b < t.models; ++b) {
      double other = 0;
      std::size_t n = b;
      for (; above.count(n) == 0; n = parent[n]) other += branch[n];
      out(a, b) = above[n] + other;
    }
  }
  return out;
}
} // namespace

TEST(neighbor_joining, by_hand) {
  // Of an additive matrix of five: a and b are joined first, at 2 and 3.
  const matrix<double> d{{0, 5, 9, 9, 8}, {5, 0, 10, 10, 9}, {9, 10, 0, 8, 7}, {9, 10, 8, 0, 3}, {8, 9, 7, 3, 0}};
  const joined_tree t = neighbor_joining(exec, d.view());
  EXPECT_EQ(path_lengths(neighbor_joining(exec, matrix<float>(d.view()).view())), path_lengths(t));
  ASSERT_EQ(t.joins.size(), 4u);
  EXPECT_EQ(t.joins[0].left, 1u);
  EXPECT_EQ(t.joins[0].right, 0u);
  EXPECT_DOUBLE_EQ(t.joins[0].left_branch, 3);
  EXPECT_DOUBLE_EQ(t.joins[0].right_branch, 2);
  EXPECT_LT(largest_difference(path_lengths(t), d), 1e-12);
  EXPECT_EQ(newick(neighbor_joining(exec, d.view().row_range(0, 2).column_range(0, 2)), {"a", "it's"}),
            "('a':2.5,'it''s':2.5);");
  EXPECT_TRUE(neighbor_joining(exec, matrix<double>(1, 1, 0).view()).joins.empty());
  EXPECT_THROW(neighbor_joining(exec, matrix<double>(2, 2, NAN).view()), error);
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
    const matrix<double> d = path_lengths(tree), symmetric = as_matrix((as_eigen(d) + as_eigen(d).transpose()) / 2);
    EXPECT_LT(largest_difference(path_lengths(neighbor_joining(exec, symmetric.view())), d), 1e-11) << models;
  }
}

TEST(trees, refuse_distances_that_are_not_finite_or_not_symmetric) {
  matrix<double> d(40, 40, 2.0);
  d(3, 37) = 1;
  EXPECT_THROW(linkage(exec, d.view(), linkage_kind::average), contract_error);
  d(37, 3) = 1;
  EXPECT_EQ(linkage(exec, d.view(), linkage_kind::average).merges.front().height, 1);
  d(37, 3) = d(3, 37) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(linkage(exec, d.view(), linkage_kind::average), error);
}
