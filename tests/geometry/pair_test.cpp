#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/pair.hpp"
#include "support/golden_tensors.hpp"
#include <gtest/gtest.h>

using namespace llmap;

namespace {
const cpu_executor exec;

struct pair_case : golden::map_case {
  matrix<double> x;
  explicit pair_case(const std::string& name) : map_case(name) {
    const matrix<double> l = inputs.at("L").matrix();
    x = clip(exec, l.view(), clip_threshold(exec, l.view())).values;
  }
  /// The table over all pairs of a statistic of the difference.
  template <class F> matrix<double> table(const F& f) const {
    matrix<double> out(x.rows(), x.rows(), 0);
    for (std::size_t i = 0; i < x.rows(); ++i)
      for (std::size_t j = i + 1; j < x.rows(); ++j)
        out(i, j) = out(j, i) = f(centered_difference(exec, x.view(), i, j));
    return out;
  }
};
} // namespace

class golden_pair : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(cases, golden_pair, testing::Values("small", "medium", "wide", "dup"));

TEST_P(golden_pair, jackknife_and_clusters) {
  const pair_case c(GetParam());
  const auto doc = c.inputs.at("doc").indexes();
  EXPECT_LE(golden::error_over_tolerance(c, "kl_se_jackknife",
                                         c.table([](const difference& d) { return jackknife_standard_error(d); })),
            1);
  EXPECT_LE(golden::error_over_tolerance(c, "kl_se_cluster_jackknife", c.table([&](const difference& d) {
              return jackknife_standard_error(d, doc);
            })),
            1);
  EXPECT_LE(golden::error_over_tolerance(c, "kl_se_cluster_sandwich",
                                         c.table([&](const difference& d) { return cluster_standard_error(d, doc); })),
            1);
}

TEST_P(golden_pair, bootstrap) {
  const pair_case c(GetParam());
  const golden::tensor& index = c.inputs.at("boot_index");
  const auto drawn = index.indexes();
  const std::size_t N = index.shape[1];
  const auto summary = [&](const difference& d) {
    std::vector<double> values;
    for (std::size_t b = 0; b < drawn.size() / N; ++b)
      values.push_back(resampled_kl(d, std::span(drawn).subspan(b * N, N)));
    return summarize_bootstrap(values);
  };
  EXPECT_LE(golden::error_over_tolerance(c, "kl_se_boot",
                                         c.table([&](const difference& d) { return summary(d).standard_error; })),
            1);
  EXPECT_LE(golden::error_over_tolerance(c, "kl_ci_low", c.table([&](const difference& d) { return summary(d).low; })),
            1);
  EXPECT_LE(
      golden::error_over_tolerance(c, "kl_ci_high", c.table([&](const difference& d) { return summary(d).high; })), 1);
}

TEST_P(golden_pair, influence_and_domains) {
  const pair_case c(GetParam());
  const matrix<double> pairs = c.inputs.at("influence_pairs").matrix();
  matrix<double> share(pairs.rows(), c.x.cols()), top(pairs.rows(), 10);
  for (std::size_t p = 0; p < pairs.rows(); ++p) {
    const auto d = centered_difference(exec, c.x.view(), static_cast<std::size_t>(pairs(p, 0)),
                                       static_cast<std::size_t>(pairs(p, 1)));
    const auto s = influence(d);
    std::ranges::copy(s, share.row(p).begin());
    const auto first = most_influential(s, 10);
    for (std::size_t k = 0; k < 10; ++k) top(p, k) = static_cast<double>(first[k]);
  }
  EXPECT_LE(golden::error_over_tolerance(c, "influence_share", share), 1);
  EXPECT_EQ(top, c.expected.at("influence_top").matrix());

  const auto domain = c.inputs.at("domain").indexes();
  EXPECT_LE(golden::error_over_tolerance(c, "domain_within",
                                         c.table([&](const difference& d) { return domain_split(d, domain).within; })),
            1);
  EXPECT_LE(golden::error_over_tolerance(c, "domain_between",
                                         c.table([&](const difference& d) { return domain_split(d, domain).between; })),
            1);
  const matrix<double> contribution = c.expected.at("domain_contribution").matrix(); // (G K, K)
  const std::size_t K = c.x.rows(), G = contribution.rows() / K;
  matrix<double> found_contribution(G * K, K), found_kl(G * K, K);
  for (std::size_t g = 0; g < G; ++g) {
    const auto part = [&](const difference& d) { return domain_split(d, domain).parts[g]; };
    const auto put = [&](const matrix<double>& table, matrix<double>& into) {
      std::ranges::copy(table.span(), into.row(g * K).begin());
    };
    put(c.table([&](const difference& d) { return part(d).contribution; }), found_contribution);
    put(c.table([&](const difference& d) { return part(d).variance / 2; }), found_kl);
  }
  EXPECT_LE(golden::error_over_tolerance(c, "domain_contribution", found_contribution), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "domain_kl", found_kl), 1);
}

TEST(pair, equal_models_and_single_texts) {
  const matrix<double> l(2, 5, -3.0);
  const auto d = centered_difference(exec, l.view(), 0, 1);
  EXPECT_EQ(influence(d), std::vector<double>(5, 0.0));
  EXPECT_EQ(jackknife_standard_error(d), 0);
  EXPECT_THROW(jackknife_standard_error(std::vector<double>{0.0}), error);
  EXPECT_THROW(centered_difference(exec, l.view(), 0, 2), contract_error);
  EXPECT_THROW(centered_difference(exec, l.view().column_range(0, 1), 0, 1), error);
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
