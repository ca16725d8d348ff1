#include "support/message_of.hpp"
#include "support/small_map.hpp"
#include <gtest/gtest.h>

using namespace llmap;

TEST(training_runs, steps_in_names) {
  const auto step = [](const char* name) { return parse_step(name); };
  EXPECT_EQ(step("pythia-160m-step1000")->base, "pythia-160m");
  EXPECT_EQ(step("pythia-160m-step1000")->step, 1000);
  EXPECT_EQ(step("run/checkpoint-2500")->step, 2500);
  EXPECT_EQ(step("olmo@Step12_tokens")->base, "olmo_tokens");
  EXPECT_EQ(step("OLMo-stage1-step5000-tokens21B")->base, "OLMo-stage1");
  EXPECT_FALSE(step("stepford"));
  EXPECT_FALSE(step("llama-7b"));
  EXPECT_FALSE(step("step99999999999999999999999"));
  EXPECT_EQ(step("step7")->base, "");
}

TEST(training_runs, ordered_by_step_and_ended_by_the_plain_name) {
  const auto runs = find_training_runs({"a-step10", "b", "a", "a-step9", "a-step100", "c-step1"});
  ASSERT_EQ(runs.size(), 1u); // one checkpoint alone is no run
  EXPECT_EQ(runs[0].name, "a");
  std::vector<std::size_t> order;
  for (const training_step& s : runs[0].steps) order.push_back(s.model);
  EXPECT_EQ(order, (std::vector<std::size_t>{3, 0, 4, 2}));
  EXPECT_FALSE(runs[0].steps.back().step);
}

TEST(map_data, groups_come_from_the_matrix_or_from_names) {
  score_matrix m = small_scores({"meta/Llama-3-8B", "gpt2", "gpt2_large"});
  EXPECT_EQ(groups_of(m)[0].name, "name prefix");
  EXPECT_EQ(groups_of(m)[0].labels, (std::vector<std::string>{"Llama", "gpt2", "gpt2"}));
  m.groups["kind"] = {"x", "y", "z"};
  m.groups["family"] = {"llama", "gpt2", "gpt2"};
  EXPECT_EQ(groups_of(m)[0].name, "family");
  EXPECT_EQ(groups_of(m)[1].name, "kind");
}

TEST(map_data, excluded_texts_are_counted_and_the_threshold_can_be_kept) {
  score_matrix m = small_scores({"a", "b", "c"});
  m.log_likelihood(1, 5) = NAN;
  m.log_likelihood(2, 7) = -INFINITY;
  map_options options;
  options.clip_threshold = -450;
  const map_data map = map_of(m, options);
  EXPECT_EQ(map.texts, 38u);
  ASSERT_EQ(map.excluded.size(), 2u);
  EXPECT_EQ(map.excluded[0].name, "text5");
  EXPECT_EQ(map.excluded[1].first, "c");
  EXPECT_EQ(map.clip_threshold, -450);
  EXPECT_TRUE(detail::all_finite(map.kl.view()));
}

TEST(map_data, few_models_and_bad_perplexity) {
  for (const std::size_t K : {1u, 2u, 3u}) {
    const map_data map = map_of(small_scores(std::vector<std::string>(K, "m")));
    EXPECT_EQ(map.order.size(), K);
    EXPECT_TRUE(detail::all_finite(map.tsne.view()));
  }
  EXPECT_MESSAGE(map_of(small_scores({"a", "b", "c"}, 1)), "map: expected at least 2 texts, got 1");
  map_options options;
  options.perplexity = 30;
  EXPECT_THROW(map_of(small_scores({"a", "b", "c"}), options), error);
}

// Without care the first component is rounding, of which the deviation is 0 or next to it.
TEST(map_data, copies_of_one_model_lie_in_one_place) {
  for (const std::size_t K : {2u, 3u, 5u, 9u})
    for (const std::size_t N : {2u, 3u, 50u}) {
      score_matrix m = small_scores(std::vector<std::string>(K, "m"), N);
      for (std::size_t i = 1; i < K; ++i) std::ranges::copy(m.log_likelihood.row(0), m.log_likelihood.row(i).begin());
      const map_data map = map_of(m);
      EXPECT_EQ(map.pca_scores.cols(), 0u);
      EXPECT_EQ(map.tsne, matrix<double>(K, 2, 0)) << K << " copies, " << N << " texts";
      EXPECT_EQ(map.kl, matrix<double>(K, K, 0));
    }
}

TEST(map_data, same_bits_for_any_thread_count) {
  const score_matrix m = small_scores(std::vector<std::string>(20, "m"));
  const map_data a = make_map(cpu_executor{1}, m), b = make_map(cpu_executor{4}, m);
  EXPECT_EQ(a.tsne, b.tsne);
  EXPECT_EQ(a.pca_scores, b.pca_scores);
  EXPECT_EQ(a.kl_standard_error, b.kl_standard_error);
}

TEST(map_data, order_by_distance) {
  score_matrix m = small_scores({"r-step1", "r-step2", "r-step3"});
  for (std::size_t s = 0; s < m.texts.size(); ++s) { // step 1 lies nearer to the end than step 2
    m.log_likelihood(0, s) = m.log_likelihood(2, s) * 1.1;
    m.log_likelihood(1, s) = m.log_likelihood(2, s) * 2;
  }
  const map_data map = map_of(m);
  const auto order = order_by_distance(map, map.training_runs.at(0));
  EXPECT_EQ(order[0].model, 1u);
  EXPECT_EQ(order[1].model, 0u);
  EXPECT_EQ(order[2].model, 2u);
}
