#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include "llmap/geometry/pca.hpp"
#include "llmap/geometry/tsne.hpp"
#include "llmap/reference/map_reference.hpp"
#include "support/golden_tensors.hpp"
#include <gtest/gtest.h>

using namespace llmap;

class golden_tsne : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(cases, golden_tsne, testing::Values("small", "medium", "wide", "dup"));

TEST_P(golden_tsne, affinities_gradient_and_final_objective) {
  const golden::map_case c(GetParam());
  const row_matrix l = c.inputs.at("L").matrix();
  const kl_table t = kl(clip(l, clip_threshold(l)).values, c.inputs.at("bytes").integers());
  const row_matrix squared = squared_distance(t);
  for (const double perplexity : c.inputs.at("tsne_perplexity").values)
    for (const auto kind : {affinity_kind::euclidean, affinity_kind::sqeuclidean}) {
      const std::string key = std::string(kind == affinity_kind::euclidean ? "tsne_d2_p" : "tsne_d4_p") +
                              std::to_string(static_cast<int>(perplexity));
      SCOPED_TRACE(key);
      const affinities_result a = affinities(squared, perplexity, kind);
      EXPECT_LE(golden::error_over_tolerance(c, key + "_beta", row_matrix(a.beta.transpose())), 1);
      EXPECT_LE(golden::error_over_tolerance(c, key + "_cond", a.conditional), 1);
      EXPECT_LE(golden::error_over_tolerance(c, key + "_joint", a.joint), 1);

      const coordinates_2d y = c.inputs.at("tsne_Y").matrix();
      const tsne_step step = tsne_gradient(a.joint, y);
      EXPECT_LE(golden::scalar_error(c, key + "_cost", step.objective), 1);
      EXPECT_LE(golden::error_over_tolerance(c, key + "_grad", step.gradient), 1);

      const tsne_result r = tsne(a.joint, c.inputs.at("tsne_init").matrix());
      std::cout << key << " objective " << r.objective << " scikit-learn " << c.scalar(key + "_sklearn_final")
                << "\n";
      EXPECT_LE(r.objective, 1.05 * c.scalar(key + "_sklearn_final"));
      EXPECT_NEAR(r.objective, tsne_gradient(a.joint, r.y).objective, 1e-12);
    }
}

TEST(tsne, objective_agrees_with_the_plain_loops_and_threads_do_not_matter) {
  const golden::map_case c("medium");
  const row_matrix joint = c.expected.at("tsne_d2_p5_joint").matrix();
  const coordinates_2d y = c.inputs.at("tsne_Y").matrix();
  reference::rows p, z;
  for (Eigen::Index i = 0; i < y.rows(); ++i) {
    p.emplace_back(joint.row(i).begin(), joint.row(i).end());
    z.push_back({y(i, 0), y(i, 1)});
  }
  EXPECT_NEAR(tsne_gradient(joint, y).objective, reference::tsne_objective(p, z), 1e-12);

  // 128 points: enough for the parallel path.
  row_matrix big(128, 128);
  coordinates_2d start(128, 2);
  for (Eigen::Index i = 0; i < 128; ++i) {
    start(i, 0) = std::sin(1.7 * static_cast<double>(i)),
             start(i, 1) = std::cos(0.3 * static_cast<double>(i * i));
    for (Eigen::Index j = 0; j < 128; ++j) big(i, j) = static_cast<double>((i - j) * (i - j));
  }
  const affinities_result one = affinities(big, 10, affinity_kind::euclidean, 1);
  EXPECT_EQ(one.joint, affinities(big, 10, affinity_kind::euclidean, 4).joint);
  tsne_options options;
  options.iterations = 60, options.exaggerated = 30, options.threads = 1;
  const tsne_result a = tsne(one.joint, start, options);
  options.threads = 4;
  EXPECT_EQ(a.y, tsne(one.joint, start, options).y);
}

TEST(tsne, few_models_and_limits_of_the_perplexity) {
  for (const Eigen::Index K : {1, 2, 3}) {
    row_matrix squared(K, K);
    for (Eigen::Index i = 0; i < K; ++i)
      for (Eigen::Index j = 0; j < K; ++j) squared(i, j) = static_cast<double>((i - j) * (i - j));
    const affinities_result a = affinities(squared, default_perplexity(K));
    EXPECT_NEAR(a.joint.sum(), K == 1 ? 0 : 1, 1e-12);
    coordinates_2d start = coordinates_2d::Zero(K, 2);
    for (Eigen::Index i = 0; i < K; ++i) start(i, 0) = 1e-4 * static_cast<double>(i);
    EXPECT_TRUE(tsne(a.joint, start).y.allFinite());
  }
  const row_matrix five = row_matrix::Constant(5, 5, 1.0);
  EXPECT_THROW(affinities(five, 30), error);
  EXPECT_THROW(affinities(five, 0.5), error);
  try {
    affinities(five, 4.5);
    FAIL();
  } catch (const error& e) {
    EXPECT_NE(std::string(e.what()).find("expected 1 to 4 for 5 models"), std::string::npos);
  }
  EXPECT_NEAR(affinities(row_matrix::Zero(5, 5), 2).joint(0, 1), 1.0 / 20, 1e-15); // all equal: an even table
}

TEST(tsne, more_duplicates_than_the_perplexity) {
  row_matrix squared = row_matrix::Zero(6, 6); // models 0..4 are one, 5 is far
  for (Eigen::Index i = 0; i < 5; ++i) squared(i, 5) = squared(5, i) = 100;
  const affinities_result a = affinities(squared, 2);
  for (Eigen::Index j = 1; j < 5; ++j) EXPECT_NEAR(a.conditional(0, j), 0.25, 1e-12);
  EXPECT_TRUE(tsne(a.joint, coordinates_2d::Zero(6, 2)).y.allFinite());
}

TEST(tsne, scores_that_do_not_vary_give_the_origin) {
  for (const double value : {0.0, 0.1, -3.7, 1e-17}) {
    const coordinates_2d start = tsne_start(row_matrix::Constant(5, 2, value));
    EXPECT_TRUE((start.array() == 0).all()) << value;
  }
  const coordinates_2d start = tsne_start((row_matrix(2, 1) << 1e-9, -1e-9).finished());
  EXPECT_DOUBLE_EQ(start(0, 0), 1e-4);
}
