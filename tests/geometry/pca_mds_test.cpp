#include "llmap/core/random.hpp"
#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include "llmap/geometry/mds.hpp"
#include "llmap/geometry/pca.hpp"
#include "support/dense.hpp"
#include "support/golden_tensors.hpp"
#include <Eigen/QR>
#include <gtest/gtest.h>

using namespace llmap;

namespace {
const cpu_executor exec;

double largest_difference(const matrix<double>& a, const matrix<double>& b) {
  return (as_eigen(a) - as_eigen(b)).cwiseAbs().maxCoeff();
}
matrix<double> columns(const matrix<double>& m, std::size_t count) {
  return matrix<double>(m.view().column_range(0, count));
}
} // namespace

class golden_pca : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(cases, golden_pca, testing::Values("small", "medium", "wide", "dup"));

TEST_P(golden_pca, scores_loadings_and_variance) {
  const golden::map_case c(GetParam());
  const matrix<double> l = c.inputs.at("L").matrix();
  const matrix<double> x = clip(exec, l.view(), clip_threshold(exec, l.view())).values, q = center(exec, x.view()).q;
  const pca_result p = pca(exec, q.view());
  const matrix<double> scores = c.expected.at("pca_scores").matrix(), loadings = c.expected.at("pca_loadings").matrix();
  const matrix<double> gap = c.expected.at("pca_gap").matrix();
  const std::size_t P = p.scores.cols();
  ASSERT_GE(scores.cols(), P);
  // Components that we leave out carry nothing but rounding.
  const matrix<double> ratio = c.expected.at("pca_ratio").matrix();
  for (std::size_t k = P; k < scores.cols(); ++k) EXPECT_LT(ratio(0, k), 1e-12);
  matrix<double> found_scores(scores.rows(), scores.cols(), 0);
  matrix<double> found_loadings(loadings.rows(), loadings.cols(), 0);
  matrix<double> wanted_scores = found_scores, wanted_loadings = found_loadings;
  int compared = 0;
  for (std::size_t k = 0; k < P; ++k)
    if (gap(0, k) > 1e-6) { // an eigenvector without a gap is arbitrary
      for (std::size_t i = 0; i < scores.rows(); ++i)
        found_scores(i, k) = p.scores(i, k), wanted_scores(i, k) = scores(i, k);
      std::ranges::copy(p.loadings.row(k), found_loadings.row(k).begin());
      std::ranges::copy(loadings.row(k), wanted_loadings.row(k).begin());
      ++compared;
    }
  EXPECT_GE(compared, 2);
  EXPECT_LE(golden::error_over_tolerance(c, "pca_scores", found_scores, wanted_scores), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "pca_loadings", found_loadings, wanted_loadings), 1);
  const auto padded = [&](std::vector<double> v) {
    v.resize(scores.cols());
    return v;
  };
  EXPECT_LE(golden::error_over_tolerance(c, "pca_variance", padded(p.explained_variance)), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "pca_ratio", padded(p.explained_variance_ratio)), 1);
  EXPECT_EQ(static_cast<double>(effective_dimension(p, 0.90)), c.scalar("effective_dim_90"));
  EXPECT_EQ(static_cast<double>(effective_dimension(p, 0.95)), c.scalar("effective_dim_95"));
  EXPECT_LE(golden::scalar_error(c, "participation_ratio", participation_ratio(p)), 1);

  const mds_result m =
      classical_mds(exec, kl_bits_per_byte(kl(exec, x.view(), c.inputs.at("bytes").integers())).view());
  const std::size_t count = c.expected.at("mds_eigenvalues").values.size();
  EXPECT_LE(golden::error_over_tolerance(
                c, "mds_eigenvalues",
                std::vector<double>(m.eigenvalues.begin(), m.eigenvalues.begin() + static_cast<std::ptrdiff_t>(count))),
            1);
  const matrix<double> coordinates = c.expected.at("mds_scores").matrix();
  matrix<double> found(coordinates.rows(), coordinates.cols(), 0), wanted = found;
  for (std::size_t k = 0; k < std::min(m.coordinates.cols(), coordinates.cols()); ++k)
    for (std::size_t i = 0; gap(0, k) > 1e-6 && i < found.rows(); ++i)
      found(i, k) = m.coordinates(i, k), wanted(i, k) = coordinates(i, k);
  EXPECT_LE(golden::error_over_tolerance(c, "mds_scores", found, wanted), 1);
  EXPECT_EQ(m.negative, 0u);
}

TEST(mds, reports_negative_eigenvalues) {
  const golden::map_case c("medium_nan");
  const mds_result m = classical_mds(exec, c.expected.at("pairwise_kl_bits_per_byte").matrix().view());
  EXPECT_LE(golden::error_over_tolerance(c, "pairwise_mds_eigenvalues", m.eigenvalues), 1);
  EXPECT_EQ(static_cast<double>(m.negative), c.scalar("pairwise_mds_negative"));
}

TEST(pca, few_models_few_texts_and_threads) {
  const matrix<double> l{{-1, -5}, {-2, -4}, {-9, -3}}; // fewer texts than models: the other Gram matrix
  const matrix<double> q = center(exec, l.view()).q, one_model(1, 4, 0), three_copies(3, 4, 0);
  const pca_result p = pca(exec, q.view());
  EXPECT_EQ(p.scores.cols(), 1u);
  EXPECT_LT(largest_difference(as_matrix(as_eigen(p.scores) * as_eigen(p.loadings)), q), 1e-12);
  EXPECT_EQ(pca(exec, one_model.view()).scores.cols(), 0u);
  EXPECT_EQ(pca(exec, three_copies.view()).scores.cols(), 0u);
  EXPECT_EQ(participation_ratio(pca(exec, three_copies.view())), 0);
  EXPECT_EQ(classical_mds(exec, matrix<double>(1, 1, 0).view()).coordinates.cols(), 0u);

  const golden::map_case c("medium");
  const matrix<double> big = center(exec, c.inputs.at("L").matrix().view()).q;
  const pca_result one = pca(cpu_executor{1}, big.view()), four = pca(cpu_executor{4}, big.view());
  EXPECT_EQ(one.scores, four.scores);
  EXPECT_EQ(one.loadings, four.loadings);
  EXPECT_EQ(pca(exec, big.view(), 2).scores, columns(one.scores, 2));
}

namespace {
/// A symmetric matrix of the given eigenvalues (descending) with pseudo-random vectors.
Eigen::MatrixXd with_spectrum(const Eigen::VectorXd& values) {
  const Eigen::Index n = values.size();
  Eigen::MatrixXd q(n, n);
  for (Eigen::Index k = 0; k < q.size(); ++k) q.data()[k] = counter_random{5}.normal(0, static_cast<std::uint64_t>(k));
  q = Eigen::HouseholderQR<Eigen::MatrixXd>(q).householderQ();
  const Eigen::MatrixXd a = q * values.asDiagonal() * q.transpose();
  return (a + a.transpose()) / 2;
}
} // namespace

TEST(pca, few_eigenvalues_are_those_of_the_whole_matrix) {
  constexpr Eigen::Index n = 230;
  const auto spectrum = [&](const auto& f) {
    return Eigen::VectorXd::NullaryExpr(n, [&](Eigen::Index i) { return static_cast<double>(f(i)); }).eval();
  };
  const std::pair<const char*, Eigen::VectorXd> cases[] = {
      {"geometric", spectrum([](auto i) { return std::pow(0.9, i); })},
      {"slow", spectrum([](auto i) { return 1.0 / static_cast<double>(i + 1); })},
      {"threefold", spectrum([](auto i) { return i < 3 ? 5.0 : 1.0 / static_cast<double>(1 + i); })},
      {"near-equal", spectrum([](auto i) { return i < 3   ? 5.0 - 1e-9 * static_cast<double>(i)
                                                  : i < 6 ? 1.0
                                                          : 0.5; })},
      {"rank two", spectrum([](auto i) { return i < 2 ? 2.0 - static_cast<double>(i) : 0.0; })},
      {"all equal", spectrum([](auto) { return 1.0; })},
      {"evenly spread", spectrum([](auto i) { return 1 - 1e-3 * static_cast<double>(i); })},
      {"indefinite", spectrum([](auto i) { return 1 - 0.01 * static_cast<double>(i); })},
      {"tiny", spectrum([](auto i) { return 1e-150 / static_cast<double>(i + 1); })},
      {"huge", spectrum([](auto i) { return 1e150 / static_cast<double>(i + 1); })},
      {"graded", spectrum([](auto i) { return std::pow(10.0, -i); })},
      {"nothing", spectrum([](auto) { return 0.0; })}};
  for (const auto& [name, values] : cases)
    for (const Eigen::Index count : {1, 2, 5}) {
      SCOPED_TRACE(std::string(name) + " " + std::to_string(count));
      const Eigen::MatrixXd a = with_spectrum(values);
      const auto found = detail::solve_symmetric(cpu_executor{1}, as_matrix(a), static_cast<std::size_t>(count));
      const auto found_values = as_eigen(found.values);
      const Eigen::MatrixXd found_vectors = as_eigen(found.vectors).transpose();
      const double scale = std::max(values.cwiseAbs().maxCoeff(), 1e-300);
      EXPECT_LT((found_values - values).cwiseAbs().maxCoeff(), 1e-13 * scale);
      const Eigen::MatrixXd residual = a * found_vectors - found_vectors * found_values.head(count).asDiagonal();
      EXPECT_LT(residual.colwise().norm().maxCoeff(), 5e-14 * scale);
      EXPECT_LT(
          (found_vectors.transpose() * found_vectors - Eigen::MatrixXd::Identity(count, count)).cwiseAbs().maxCoeff(),
          1e-13);
      EXPECT_EQ(found.vectors,
                detail::solve_symmetric(cpu_executor{4}, as_matrix(a), static_cast<std::size_t>(count)).vectors);
    }
}

TEST(pca, few_components_are_the_first_of_all) {
  // 300 models of five families; then the same with more models than texts.
  constexpr std::size_t K = 300;
  for (const std::size_t N : {400u, 250u}) {
    const counter_random r{9};
    matrix<double> l(K, N);
    for (std::size_t i = 0; i < K; ++i)
      for (std::size_t s = 0; s < N; ++s) l(i, s) = -500 + 30 * r.normal(i % 5, s) + 10 * r.normal(10 + i, s);
    const matrix<double> q = center(exec, l.view()).q;
    const pca_result all = pca(exec, q.view()), few = pca(cpu_executor{1}, q.view(), 3);
    ASSERT_EQ(few.scores.cols(), 3u);
    EXPECT_LT(largest_difference(few.scores, columns(all.scores, 3)),
              1e-10 * as_eigen(all.scores).cwiseAbs().maxCoeff());
    EXPECT_LT(largest_difference(few.loadings, matrix<double>(all.loadings.view().row_range(0, 3))), 1e-10);
    for (std::size_t k = 0; k < 3; ++k)
      EXPECT_NEAR(few.explained_variance_ratio[k], all.explained_variance_ratio[k], 1e-13);
    EXPECT_EQ(few.scores, pca(cpu_executor{4}, q.view(), 3).scores);
    EXPECT_LT(largest_difference(as_matrix(as_eigen(all.scores) * as_eigen(all.loadings)), q), 1e-10);
  }
}
