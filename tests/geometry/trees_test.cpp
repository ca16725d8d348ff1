#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include "llmap/geometry/newick.hpp"
#include "llmap/reference/map_reference.hpp"
#include "support/golden_tensors.hpp"
#include <gtest/gtest.h>
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
