#include "llmap/core/random.hpp"
#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include "llmap/geometry/mds.hpp"
#include "llmap/geometry/pca.hpp"
#include "support/golden_tensors.hpp"
#include <Eigen/QR>
#include <gtest/gtest.h>

using namespace llmap;

class golden_pca : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(cases, golden_pca, testing::Values("small", "medium", "wide", "dup"));

TEST_P(golden_pca, scores_loadings_and_variance) {
  const golden::map_case c(GetParam());
  const row_matrix l = c.inputs.at("L").matrix();
  const row_matrix x = clip(l, clip_threshold(l)).values, q = center(x).q;
  const pca_result p = pca(q);
  const row_matrix scores = c.expected.at("pca_scores").matrix(),
                   loadings = c.expected.at("pca_loadings").matrix();
  const row_matrix gap = c.expected.at("pca_gap").matrix();
  const Eigen::Index P = p.scores.cols();
  ASSERT_GE(scores.cols(), P);
  // Components that we leave out carry nothing but rounding.
  const row_matrix ratio = c.expected.at("pca_ratio").matrix();
  for (Eigen::Index k = P; k < scores.cols(); ++k) EXPECT_LT(ratio(0, k), 1e-12);
  row_matrix found_scores = row_matrix::Zero(scores.rows(), scores.cols());
  row_matrix found_loadings = row_matrix::Zero(loadings.rows(), loadings.cols());
  row_matrix wanted_scores = found_scores, wanted_loadings = found_loadings;
  int compared = 0;
  for (Eigen::Index k = 0; k < P; ++k)
    if (gap(0, k) > 1e-6) { // an eigenvector without a gap is arbitrary
      found_scores.col(k) = p.scores.col(k), wanted_scores.col(k) = scores.col(k);
      found_loadings.row(k) = p.loadings.row(k), wanted_loadings.row(k) = loadings.row(k);
      ++compared;
    }
  EXPECT_GE(compared, 2);
  EXPECT_LE(golden::error_over_tolerance(c, "pca_scores", found_scores, wanted_scores), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "pca_loadings", found_loadings, wanted_loadings), 1);
  const auto padded = [&](const Eigen::VectorXd& v) {
    row_matrix out = row_matrix::Zero(1, scores.cols());
    out.leftCols(P) = v.transpose();
    return out;
  };
  EXPECT_LE(golden::error_over_tolerance(c, "pca_variance", padded(p.explained_variance)), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "pca_ratio", padded(p.explained_variance_ratio)), 1);
  EXPECT_EQ(static_cast<double>(effective_dimension(p, 0.90)), c.scalar("effective_dim_90"));
  EXPECT_EQ(static_cast<double>(effective_dimension(p, 0.95)), c.scalar("effective_dim_95"));
  EXPECT_LE(golden::scalar_error(c, "participation_ratio", participation_ratio(p)), 1);

  const mds_result m = classical_mds(kl_bits_per_byte(kl(x, c.inputs.at("bytes").integers())));
  const row_matrix values = c.expected.at("mds_eigenvalues").matrix();
  EXPECT_LE(golden::error_over_tolerance(c, "mds_eigenvalues",
                                         row_matrix(m.eigenvalues.head(values.cols()).transpose())),
            1);
  const row_matrix coordinates = c.expected.at("mds_scores").matrix();
  row_matrix found = row_matrix::Zero(coordinates.rows(), coordinates.cols()), wanted = found;
  for (Eigen::Index k = 0; k < std::min(m.coordinates.cols(), coordinates.cols()); ++k)
    if (gap(0, k) > 1e-6) found.col(k) = m.coordinates.col(k), wanted.col(k) = coordinates.col(k);
  EXPECT_LE(golden::error_over_tolerance(c, "mds_scores", found, wanted), 1);
  EXPECT_EQ(m.negative, 0);
}

TEST(mds, reports_negative_eigenvalues) {
  const golden::map_case c("medium_nan");
  const mds_result m = classical_mds(c.expected.at("pairwise_kl_bits_per_byte").matrix());
  EXPECT_LE(
      golden::error_over_tolerance(c, "pairwise_mds_eigenvalues", row_matrix(m.eigenvalues.transpose())), 1);
  EXPECT_EQ(static_cast<double>(m.negative), c.scalar("pairwise_mds_negative"));
}

TEST(pca, few_models_few_texts_and_threads) {
  row_matrix l(3, 2); // fewer texts than models: the other Gram matrix
  l << -1, -5, -2, -4, -9, -3;
  const row_matrix q = center(l).q;
  const pca_result p = pca(q);
  EXPECT_EQ(p.scores.cols(), 1);
  EXPECT_LT((p.scores * p.loadings - q).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_EQ(pca(center(row_matrix::Constant(1, 4, -2.0)).q).scores.cols(), 0);
  EXPECT_EQ(pca(center(row_matrix::Constant(3, 4, -2.0)).q).scores.cols(), 0);
  EXPECT_EQ(participation_ratio(pca(center(row_matrix::Constant(3, 4, -2.0)).q)), 0);
  EXPECT_EQ(classical_mds(row_matrix::Zero(1, 1)).coordinates.cols(), 0);

  const golden::map_case c("medium");
  const row_matrix big = center(c.inputs.at("L").matrix()).q;
  const pca_result one = pca(big, {-1, 1}), four = pca(big, {-1, 4});
  EXPECT_EQ(one.scores, four.scores);
  EXPECT_EQ(one.loadings, four.loadings);
  EXPECT_EQ(pca(big, {2}).scores, one.scores.leftCols(2));
}

namespace {
/// A symmetric matrix of the given eigenvalues (descending) with pseudo-random vectors.
Eigen::MatrixXd with_spectrum(const Eigen::VectorXd& values) {
  const Eigen::Index n = values.size();
  Eigen::MatrixXd q(n, n);
  for (Eigen::Index k = 0; k < q.size(); ++k)
    q.data()[k] = counter_random{5}.normal(0, static_cast<std::uint64_t>(k));
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
      {"near-equal", spectrum([](auto i) {
         return i < 3 ? 5.0 - 1e-9 * static_cast<double>(i) : i < 6 ? 1.0 : 0.5;
       })},
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
      const auto found = detail::solve_symmetric(a, count, 1);
      const double scale = std::max(values.cwiseAbs().maxCoeff(), 1e-300);
      EXPECT_LT((found.values - values).cwiseAbs().maxCoeff(), 1e-13 * scale);
      const Eigen::MatrixXd residual = a * found.vectors - found.vectors * found.values.head(count).asDiagonal();
      EXPECT_LT(residual.colwise().norm().maxCoeff(), 5e-14 * scale);
      EXPECT_LT((found.vectors.transpose() * found.vectors - Eigen::MatrixXd::Identity(count, count))
                    .cwiseAbs()
                    .maxCoeff(),
                1e-13);
      EXPECT_EQ(found.vectors, detail::solve_symmetric(a, count, 4).vectors);
    }
}

TEST(pca, few_components_are_the_first_of_all) {
  // 300 models of five families; then the same with more models than texts.
  constexpr Eigen::Index K = 300;
  for (const Eigen::Index N : {400, 250}) {
    const counter_random r{9};
    row_matrix l(K, N);
    for (Eigen::Index i = 0; i < K; ++i)
      for (Eigen::Index s = 0; s < N; ++s) {
        const auto text = static_cast<std::uint64_t>(s);
        l(i, s) = -500 + 30 * r.normal(static_cast<std::uint64_t>(i % 5), text) +
                  10 * r.normal(static_cast<std::uint64_t>(10 + i), text);
      }
    const row_matrix q = center(l).q;
    const pca_result all = pca(q), few = pca(q, {3, 1});
    ASSERT_EQ(few.scores.cols(), 3);
    EXPECT_LT((few.scores - all.scores.leftCols(3)).cwiseAbs().maxCoeff(),
              1e-10 * all.scores.cwiseAbs().maxCoeff());
    EXPECT_LT((few.loadings - all.loadings.topRows(3)).cwiseAbs().maxCoeff(), 1e-10);
    EXPECT_LT((few.explained_variance_ratio - all.explained_variance_ratio.head(3)).cwiseAbs().maxCoeff(),
              1e-13);
    EXPECT_EQ(few.scores, pca(q, {3, 4}).scores);
    EXPECT_LT((all.scores * all.loadings - q).cwiseAbs().maxCoeff(), 1e-10);
  }
}
