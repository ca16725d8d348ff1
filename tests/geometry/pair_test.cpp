#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/pair.hpp"
#include "support/golden_tensors.hpp"
#include <gtest/gtest.h>

using namespace llmap;

namespace {
struct pair_case : golden::map_case {
  row_matrix x;
  explicit pair_case(const std::string& name) : map_case(name) {
    const row_matrix l = inputs.at("L").matrix();
    x = clip(l, clip_threshold(l)).values;
  }
  /// The table over all pairs of a statistic of the difference.
  template <class F> row_matrix table(const F& f) const {
    row_matrix out = row_matrix::Zero(x.rows(), x.rows());
    for (Eigen::Index i = 0; i < x.rows(); ++i)
      for (Eigen::Index j = i + 1; j < x.rows(); ++j) out(i, j) = out(j, i) = f(centered_difference(x, i, j));
    return out;
  }
};
} // namespace

class golden_pair : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(cases, golden_pair, testing::Values("small", "medium", "wide", "dup"));

TEST_P(golden_pair, jackknife_and_clusters) {
  const pair_case c(GetParam());
  const auto doc = c.inputs.at("doc").indexes();
  EXPECT_LE(golden::error_over_tolerance(c, "kl_se_jackknife", c.table([](const difference& d) {
              return jackknife_standard_error(d);
            })),
            1);
  EXPECT_LE(golden::error_over_tolerance(c, "kl_se_cluster_jackknife", c.table([&](const difference& d) {
              return jackknife_standard_error(d, doc);
            })),
            1);
  EXPECT_LE(golden::error_over_tolerance(c, "kl_se_cluster_sandwich", c.table([&](const difference& d) {
              return cluster_standard_error(d, doc);
            })),
            1);
}

TEST_P(golden_pair, bootstrap) {
  const pair_case c(GetParam());
  const golden::tensor& index = c.inputs.at("boot_index");
  const auto drawn = index.indexes();
  const auto N = static_cast<std::size_t>(index.shape[1]);
  const auto summary = [&](const difference& d) {
    std::vector<double> values;
    for (std::size_t b = 0; b < drawn.size() / N; ++b)
      values.push_back(resampled_kl(d, std::span(drawn).subspan(b * N, N)));
    return summarize_bootstrap(values);
  };
  EXPECT_LE(golden::error_over_tolerance(
                c, "kl_se_boot", c.table([&](const difference& d) { return summary(d).standard_error; })),
            1);
  EXPECT_LE(golden::error_over_tolerance(c, "kl_ci_low",
                                         c.table([&](const difference& d) { return summary(d).low; })),
            1);
  EXPECT_LE(golden::error_over_tolerance(c, "kl_ci_high",
                                         c.table([&](const difference& d) { return summary(d).high; })),
            1);
}

TEST_P(golden_pair, influence_and_domains) {
  const pair_case c(GetParam());
  const row_matrix pairs = c.inputs.at("influence_pairs").matrix();
  row_matrix share(pairs.rows(), c.x.cols()), top(pairs.rows(), 10);
  for (Eigen::Index p = 0; p < pairs.rows(); ++p) {
    const auto d = centered_difference(c.x, static_cast<Eigen::Index>(pairs(p, 0)),
                                       static_cast<Eigen::Index>(pairs(p, 1)));
    const auto s = influence(d);
    share.row(p) = Eigen::Map<const Eigen::RowVectorXd>(s.data(), c.x.cols());
    const auto first = most_influential(s, 10);
    for (Eigen::Index k = 0; k < 10; ++k) top(p, k) = static_cast<double>(first[static_cast<std::size_t>(k)]);
  }
  EXPECT_LE(golden::error_over_tolerance(c, "influence_share", share), 1);
  EXPECT_EQ(top, c.expected.at("influence_top").matrix());

  const auto domain = c.inputs.at("domain").indexes();
  EXPECT_LE(golden::error_over_tolerance(c, "domain_within", c.table([&](const difference& d) {
              return domain_split(d, domain).within;
            })),
            1);
  EXPECT_LE(golden::error_over_tolerance(c, "domain_between", c.table([&](const difference& d) {
              return domain_split(d, domain).between;
            })),
            1);
  const row_matrix contribution = c.expected.at("domain_contribution").matrix(); // (G K, K)
  const row_matrix within = c.expected.at("domain_kl").matrix();
  const Eigen::Index K = c.x.rows(), G = contribution.rows() / K;
  row_matrix found_contribution(G * K, K), found_kl(G * K, K);
  for (Eigen::Index g = 0; g < G; ++g) {
    const auto part = [&](const difference& d) {
      return domain_split(d, domain).parts[static_cast<std::size_t>(g)];
    };
    found_contribution.middleRows(g * K, K) =
        c.table([&](const difference& d) { return part(d).contribution; });
    found_kl.middleRows(g * K, K) = c.table([&](const difference& d) { return part(d).variance / 2; });
  }
  EXPECT_LE(golden::error_over_tolerance(c, "domain_contribution", found_contribution), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "domain_kl", found_kl), 1);
}

TEST(pair, equal_models_and_single_texts) {
  const row_matrix l = row_matrix::Constant(2, 5, -3.0);
  const auto d = centered_difference(l, 0, 1);
  EXPECT_EQ(influence(d), std::vector<double>(5, 0.0));
  EXPECT_EQ(jackknife_standard_error(d), 0);
  EXPECT_THROW(jackknife_standard_error(std::vector<double>{0.0}), error);
  EXPECT_THROW(centered_difference(l, 0, 2), contract_error);
  EXPECT_THROW(centered_difference(l.leftCols(1), 0, 1), error);
}

TEST(pair, errors_that_cannot_be_estimated_are_nan) {
  const std::vector<double> two{1, -1}, five{1, -1, 2, -3, 1};
  const std::vector<std::size_t> apart{0, 1}, one_document(5, 3), all_but_one{0, 0, 1, 0, 0}, halves{0, 0, 1, 1, 1};
  EXPECT_TRUE(std::isnan(jackknife_standard_error(two)));
  EXPECT_TRUE(std::isnan(jackknife_standard_error(five, all_but_one))); // without document 0 one text is left
  EXPECT_GT(jackknife_standard_error(five), 0);
  EXPECT_GT(jackknife_standard_error(five, halves), 0);
  EXPECT_TRUE(std::isnan(cluster_standard_error(two, apart)));
  EXPECT_TRUE(std::isnan(cluster_standard_error(five, one_document)));
  EXPECT_GT(cluster_standard_error(five, halves), 0);
  EXPECT_THROW(resampled_kl(five, std::vector<std::size_t>{2}), error);
}
