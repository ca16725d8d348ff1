// Scores of whole models: same bits for any threads, order, batch and company; bad input refused.
#include "llmap/architectures/all.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/weights/checkpoint.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {
template <class T> decoder<T> load(const std::string& name) {
  const auto folder = golden::folder("models") / name;
  return load_decoder<T>({2}, plan_of(config::load(folder)), checkpoint(folder), folder.string());
}
std::vector<std::vector<std::int32_t>> texts(std::int64_t vocab) {
  std::vector<std::vector<std::int32_t>> all;
  for (std::size_t n : {1, 2, 90, 3, 40, 41, 64, 7, 90, 17}) {
    auto& ids = all.emplace_back();
    for (std::size_t i = 0; i < n; ++i) ids.push_back(static_cast<std::int32_t>(counter_random{all.size()}.below(0, i, static_cast<std::uint64_t>(vocab))));
  }
  return all;
}
template <class T> std::vector<double> scores(const decoder<T>& model, const std::vector<std::vector<std::int32_t>>& ids, int threads, std::size_t batch) {
  std::vector<double> out(ids.size());
  score_texts<T>({threads}, model, ids, {batch}, [&](std::size_t first, std::span<const text_score> s) {
    for (std::size_t i = 0; i < s.size(); ++i) out[first + i] = s[i].log_likelihood;
  });
  return out;
}
class same_bits : public testing::TestWithParam<std::string> {};
} // namespace

TEST_P(same_bits, for_any_threads_order_batch_and_company) {
  const auto model = load<float>(GetParam());
  const auto ids = texts(model.plan.vocab);
  const auto expected = scores(model, ids, 1, 512);
  for (int threads : {1, 2, 3})
    for (std::size_t batch : {1, 50, 100, 0}) EXPECT_EQ(scores(model, ids, threads, batch), expected) << threads << " threads, batch " << batch;
  auto reversed = ids;
  std::reverse(reversed.begin(), reversed.end());
  auto backwards = scores(model, reversed, 2, 120);
  std::reverse(backwards.begin(), backwards.end());
  EXPECT_EQ(backwards, expected);
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(scores(model, {ids[i]}, 2, 0)[0], expected[i]);
}
INSTANTIATE_TEST_SUITE_P(families, same_bits, testing::Values("llama_dynamic", "mistral_window", "qwen2_tied", "gemma2_softcaps", "gpt2_bare",
                                                              "gpt_neox_parallel", "opt_postnorm_proj", "bloom_bare_odd_heads"),
                         [](const auto& i) { return i.param; });

TEST(score, flags) {
  const auto model = load<double>("gpt2_bare");
  std::vector<text_score> got;
  score_texts<double>({1}, model, std::vector<std::vector<std::int32_t>>{{}, {3}, {3, 4}}, {}, [&](std::size_t, std::span<const text_score> s) {
    got.insert(got.end(), s.begin(), s.end());
  });
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[0].flags, flag_nothing);
  EXPECT_EQ(got[1].flags, flag_nothing);
  EXPECT_EQ(got[2].flags, 0);
  EXPECT_EQ(got[2].tokens_scored, 1);
  EXPECT_LT(got[2].log_likelihood, 0);
}
TEST(score, ids_and_lengths_are_checked) {
  const auto model = load<float>("gpt2_bare");
  EXPECT_MESSAGE(scores(model, {{0, static_cast<std::int32_t>(model.plan.vocab)}}, 1, 0), "token id at position 1: expected 0 to");
  EXPECT_MESSAGE(scores(model, {{0, -1}}, 1, 0), "got -1");
  EXPECT_MESSAGE(scores(model, {std::vector<std::int32_t>(static_cast<std::size_t>(model.plan.max_tokens) + 1)}, 1, 0), "the model's positions");
}
TEST(load_decoder, lists_what_is_missing) {
  const auto folder = golden::folder("models") / "llama_mha";
  nlohmann::json json = golden::read(folder / "config.json");
  json["num_hidden_layers"] = 40;
  const decoder_plan plan = plan_of(config(json, "config.json"));
  EXPECT_MESSAGE(load_decoder<float>({1}, plan, checkpoint(folder), "folder"), "folder: ");
  EXPECT_MESSAGE(load_decoder<float>({1}, plan, checkpoint(folder), "folder"), "missing, expected [");
}
