#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include "llmap/geometry/pca.hpp"
#include "llmap/geometry/tsne.hpp"
#include "llmap/reference/map_reference.hpp"
#include "support/golden_tensors.hpp"
#include <gtest/gtest.h>

using namespace llmap;

namespace {
const cpu_executor exec;

bool all_zero(const matrix<double>& m) {
  return std::ranges::all_of(m.span(), [](double x) { return x == 0; });
}
} // namespace

class golden_tsne : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(cases, golden_tsne, testing::Values("small", "medium", "wide", "dup"));

TEST_P(golden_tsne, affinities_gradient_and_final_objective) {
  const golden::map_case c(GetParam());
  const matrix<double> l = c.inputs.at("L").matrix();
  const auto clipped = clip(exec, l.view(), clip_threshold(exec, l.view()));
  const matrix<double> squared = squared_distances(kl(exec, clipped.values.view(), c.inputs.at("bytes").integers()));
  for (const double perplexity : c.inputs.at("tsne_perplexity").values)
    for (const auto kind : {affinity_kind::euclidean, affinity_kind::sqeuclidean}) {
      const std::string key = std::string(kind == affinity_kind::euclidean ? "tsne_d2_p" : "tsne_d4_p") +
                              std::to_string(static_cast<int>(perplexity));
      SCOPED_TRACE(key);
      const affinities_result a = affinities(exec, squared.view(), perplexity, kind);
      EXPECT_LE(golden::error_over_tolerance(c, key + "_beta", a.beta), 1);
      EXPECT_LE(golden::error_over_tolerance(c, key + "_cond", a.conditional), 1);
      EXPECT_LE(golden::error_over_tolerance(c, key + "_joint", a.joint), 1);

      const tsne_step step = tsne_gradient(exec, a.joint.view(), c.inputs.at("tsne_Y").matrix());
      EXPECT_LE(golden::scalar_error(c, key + "_cost", step.objective), 1);
      EXPECT_LE(golden::error_over_tolerance(c, key + "_grad", step.gradient), 1);

      const tsne_result r = tsne(exec, a.joint.view(), c.inputs.at("tsne_init").matrix());
      std::cout << key << " objective " << r.objective << " scikit-learn " << c.scalar(key + "_sklearn_final") << "\n";
      EXPECT_LE(r.objective, 1.05 * c.scalar(key + "_sklearn_final"));
      EXPECT_NEAR(r.objective, tsne_gradient(exec, a.joint.view(), r.y).objective, 1e-12);
    }
}

TEST(tsne, objective_agrees_with_the_plain_loops_and_threads_do_not_matter) {
  const golden::map_case c("medium");
  const matrix<double> joint = c.expected.at("tsne_d2_p5_joint").matrix();
  const matrix<double> y = c.inputs.at("tsne_Y").matrix();
  EXPECT_NEAR(tsne_gradient(exec, joint.view(), y).objective,
              reference::tsne_objective(reference::rows_of(joint), reference::rows_of(y)), 1e-12);

  // 128 points: enough for the parallel path.
  matrix<double> big(128, 128), start(128, 2);
  for (int i = 0; i < 128; ++i) {
    start(i, 0) = std::sin(1.7 * static_cast<double>(i)), start(i, 1) = std::cos(0.3 * static_cast<double>(i * i));
    for (int j = 0; j < 128; ++j) big(i, j) = static_cast<double>((i - j) * (i - j));
  }
  const affinities_result one = affinities(cpu_executor{1}, big.view(), 10);
  EXPECT_EQ(one.joint, affinities(cpu_executor{4}, big.view(), 10).joint);
  tsne_options options;
  options.iterations = 60, options.exaggerated = 30;
  EXPECT_EQ(tsne(cpu_executor{1}, one.joint.view(), start, options).y,
            tsne(cpu_executor{4}, one.joint.view(), start, options).y);
}

TEST(tsne, few_models_and_limits_of_the_perplexity) {
  for (const std::size_t K : {1u, 2u, 3u}) {
    matrix<double> squared(K, K);
    for (std::size_t i = 0; i < K; ++i)
      for (std::size_t j = 0; j < K; ++j) squared(i, j) = std::pow(static_cast<double>(i) - static_cast<double>(j), 2);
    const affinities_result a = affinities(exec, squared.view(), default_perplexity(K));
    EXPECT_NEAR(std::accumulate(a.joint.span().begin(), a.joint.span().end(), 0.0), K == 1 ? 0 : 1, 1e-12);
    matrix<double> start(K, 2, 0);
    for (std::size_t i = 0; i < K; ++i) start(i, 0) = 1e-4 * static_cast<double>(i);
    EXPECT_TRUE(detail::all_finite(tsne(exec, a.joint.view(), start).y.view()));
  }
  const matrix<double> five(5, 5, 1.0);
  EXPECT_THROW(affinities(exec, five.view(), 30), error);
  EXPECT_THROW(affinities(exec, five.view(), 0.5), error);
  try {
    affinities(exec, five.view(), 4.5);
    FAIL();
  } catch (const error& e) {
    EXPECT_NE(std::string(e.what()).find("expected 1 to 4 for 5 models"), std::string::npos);
  }
  EXPECT_NEAR(affinities(exec, matrix<double>(5, 5, 0).view(), 2).joint(0, 1), 1.0 / 20,
              1e-15); // all equal: an even table
}

TEST(tsne, more_duplicates_than_the_perplexity) {
  matrix<double> squared(6, 6, 0); // models 0..4 are one, 5 is far
  for (std::size_t i = 0; i < 5; ++i) squared(i, 5) = squared(5, i) = 100;
  const affinities_result a = affinities(exec, squared.view(), 2);
  for (std::size_t j = 1; j < 5; ++j) EXPECT_NEAR(a.conditional(0, j), 0.25, 1e-12);
  EXPECT_TRUE(detail::all_finite(tsne(exec, a.joint.view(), matrix<double>(6, 2, 0)).y.view()));
}

TEST(tsne, scores_that_do_not_vary_give_the_origin) {
  for (const double value : {0.0, 0.1, -3.7, 1e-17})
    EXPECT_TRUE(all_zero(tsne_start(matrix<double>(5, 2, value)))) << value;
  const matrix<double> start = tsne_start({{1e-9}, {-1e-9}});
  EXPECT_DOUBLE_EQ(start(0, 0), 1e-4);
}
