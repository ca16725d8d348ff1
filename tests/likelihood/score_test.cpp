// Scores of whole models: same bits for any threads, order, batch and company; bad input refused.
#include "llmap/architectures/all.hpp"
#include "llmap/cpu.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/weights/checkpoint.hpp"
#include "support/golden.hpp"
#include "support/own_json.hpp"
#include "support/peak_memory.hpp"

using namespace llmap;

namespace {
template <class T> decoder<cpu_executor, T> load(const std::string& name) {
  const auto folder = golden::folder("models") / name;
  return load_decoder<T>(cpu_executor{2}, plan_of(config::load(folder)), checkpoint(folder), folder.string());
}
std::vector<std::vector<std::int32_t>> texts(std::int64_t vocab) {
  std::vector<std::vector<std::int32_t>> all;
  for (std::size_t n : {1, 2, 90, 3, 40, 41, 64, 7, 90, 17}) {
    auto& ids = all.emplace_back();
    for (std::size_t i = 0; i < n; ++i)
      ids.push_back(
          static_cast<std::int32_t>(counter_random{all.size()}.below(0, i, static_cast<std::uint64_t>(vocab))));
  }
  return all;
}
template <class T>
std::vector<double> scores(const decoder<cpu_executor, T>& model, const std::vector<std::vector<std::int32_t>>& ids,
                           int threads, std::size_t batch, double seconds = std::numeric_limits<double>::infinity()) {
  std::vector<double> out(ids.size());
  score_texts(cpu_executor{threads}, model, ids, {batch, seconds},
              [&](std::size_t first, std::span<const text_score> s) {
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
    for (std::size_t batch : {1, 50, 100, 0})
      EXPECT_EQ(scores(model, ids, threads, batch), expected) << threads << " threads, batch " << batch;
  for (double seconds : {1e-9, 1e-3, 0.02})
    EXPECT_EQ(scores(model, ids, 2, 0, seconds), expected) << "batches of " << seconds << " s";
  auto reversed = ids;
  std::reverse(reversed.begin(), reversed.end());
  auto backwards = scores(model, reversed, 2, 120);
  std::reverse(backwards.begin(), backwards.end());
  EXPECT_EQ(backwards, expected);
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(scores(model, {ids[i]}, 2, 0)[0], expected[i]);
}
TEST(batch_pace, follows_the_speed_of_the_last_batch) {
  batch_pace pace(1000, 2);
  EXPECT_EQ(pace.rows(), 1u); // a single text
  pace.took(300, 30);         // 10 rows a second
  EXPECT_EQ(pace.rows(), 20u);
  pace.took(20, 0.1);
  EXPECT_EQ(pace.rows(), 400u);
  pace.took(400, 0.1);
  EXPECT_EQ(pace.rows(), 1000u);
  pace.took(1000, 0); // too short to be measured
  EXPECT_EQ(pace.rows(), 1000u);
  batch_pace unbounded(1000, std::numeric_limits<double>::infinity());
  EXPECT_EQ(unbounded.rows(), 1000u);
  unbounded.took(10, 100);
  EXPECT_EQ(unbounded.rows(), 1000u);
}
TEST(for_batches, a_batch_takes_no_longer_than_asked_where_texts_allow_it) {
  const auto model = load<float>("llama_dynamic");
  const std::vector<std::vector<std::int32_t>> ids(40, std::vector<std::int32_t>(8, 3));
  const auto batches = [&](double seconds) {
    std::vector<std::size_t> sizes;
    score_texts(cpu_executor{1}, model, ids, {0, seconds},
                [&](std::size_t, std::span<const text_score> s) { sizes.push_back(s.size()); });
    return sizes;
  };
  EXPECT_EQ(batches(1e-9), std::vector<std::size_t>(40, 1)) << "no two texts fit";
  EXPECT_EQ(batches(1e9), (std::vector<std::size_t>{1, 39})) << "all fit once the speed is known";
  EXPECT_EQ(batches(std::numeric_limits<double>::infinity()), (std::vector<std::size_t>{40}));
}
TEST_P(same_bits, for_any_slabs) {
  const auto model = load<float>(GetParam());
  ragged_batch batch;
  for (const auto& text : texts(model.plan.vocab)) batch.add(text);
  score_workspace<cpu_executor, float> work;
  const auto expected = token_log_probabilities(cpu_executor{2}, model, batch, work);
  for (std::size_t rows : {1, 48, 77, 200}) {
    work.forward.slab_rows = rows;
    EXPECT_EQ(token_log_probabilities(cpu_executor{2}, model, batch, work), expected) << "slabs of " << rows;
  }
}
INSTANTIATE_TEST_SUITE_P(families, same_bits,
                         testing::Values("llama_dynamic", "mistral_window", "qwen2_tied", "gemma2_softcaps",
                                         "gpt2_bare", "gpt_neox_parallel", "opt_postnorm_proj", "bloom_bare_odd_heads",
                                         "gemma3_text_pattern", "olmo2_mha", "phi3_longrope", "mixtral_top3_window",
                                         "cohere2_default_pattern", "gpt_oss_types", "deepseek_v2_groups",
                                         "mamba_variant", "mamba2_groups", "rwkv_rescale",
                                         "recurrent_gemma_default_pattern"),
                         [](const auto& i) { return i.param; });

TEST(score, a_long_text_takes_what_is_kept_of_its_tokens_and_one_slab) {
  if (!set_back_peak_memory()) GTEST_SKIP() << "peak memory cannot be set back here";
  const auto model = load<float>("bloom_bare_odd_heads"); // any number of positions
  constexpr std::size_t T = 20000;
  ragged_batch batch;
  batch.add(std::vector<std::int32_t>(T, 3));
  score_workspace<cpu_executor, float> work;
  work.forward.slab_rows = slab_unit;
  ASSERT_TRUE(set_back_peak_memory());
  const long before = peak_memory();
  token_log_probabilities(cpu_executor{2}, model, batch, work);
  const std::size_t kept =
      T * (batch_bytes<float>(cpu_executor{}, model.plan) + 40); // 40: ids, targets, rows and results
  EXPECT_LT(peak_memory() - before, static_cast<long>(kept >> 10) + 4096);
  EXPECT_GT(T * slab_bytes<float>(cpu_executor{}, model.plan) >> 10, (kept >> 10) + 4096); // so the test can fail
}
TEST(score, flags) {
  const auto model = load<double>("gpt2_bare");
  std::vector<text_score> got;
  score_texts(cpu_executor{1}, model, std::vector<std::vector<std::int32_t>>{{}, {3}, {3, 4}}, {},
              [&](std::size_t, std::span<const text_score> s) { got.insert(got.end(), s.begin(), s.end()); });
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[0].flags, flag_nothing);
  EXPECT_EQ(got[1].flags, flag_nothing);
  EXPECT_EQ(got[2].flags, 0);
  EXPECT_EQ(got[2].tokens_scored, 1);
  EXPECT_LT(got[2].log_likelihood, 0);
}
TEST(score, ids_and_lengths_are_checked) {
  const auto model = load<float>("gpt2_bare");
  EXPECT_MESSAGE(scores(model, {{0, static_cast<std::int32_t>(model.plan.vocab)}}, 1, 0),
                 "token id at position 1: expected 0 to");
  EXPECT_MESSAGE(scores(model, {{0, -1}}, 1, 0), "got -1");
  EXPECT_MESSAGE(
      scores(model, {std::vector<std::int32_t>(static_cast<std::size_t>(model.plan.position_limit) + 1)}, 1, 0),
      "the model's positions");
}
TEST(load_decoder, refuses_what_does_not_fit_into_memory) {
  const auto folder = golden::folder("models") / "gpt2_bare";
  const checkpoint weights(folder);
  const decoder_plan plan = plan_of(config::load(folder));
  const auto needed = memory_needed<float>(cpu_executor{}, plan, weights);
  EXPECT_MESSAGE(load_decoder<float>(cpu_executor{1}, plan, weights, "folder", {.available = needed - 1}),
                 "folder: the model does not fit into memory: ");
  EXPECT_MESSAGE(load_decoder<float>(cpu_executor{1}, plan, weights, "folder", {.available = 0}),
                 " MiB needed, 0 MiB available");
  EXPECT_NO_THROW(load_decoder<float>(cpu_executor{1}, plan, weights, "folder", {.available = needed}));
  if (!simd::has_bf16_products()) return;
  EXPECT_MESSAGE(load_decoder<float>(cpu_executor{1}, plan, weights, "folder",
                                     {.compute = compute_type::bf16, .available = needed}),
                 "does not fit");
  const auto twice = memory_needed<float>(cpu_executor{}, plan, weights, compute_type::bf16);
  EXPECT_NO_THROW(load_decoder<float>(cpu_executor{1}, plan, weights, "folder",
                                      {.compute = compute_type::bf16, .available = twice}));
}
TEST(load_decoder, bf16_products_are_close_or_refused) {
  const auto folder = golden::folder("models") / "gpt2_bare";
  const checkpoint weights(folder);
  const decoder_plan plan = plan_of(config::load(folder));
  const load_options narrow{.compute = compute_type::bf16};
  EXPECT_MESSAGE(load_decoder<double>(cpu_executor{1}, plan, weights, "folder", narrow),
                 "folder: bf16 arithmetic: expected a processor with AVX512_BF16");
  if (!simd::has_bf16_products()) {
    EXPECT_MESSAGE(load_decoder<float>(cpu_executor{1}, plan, weights, "folder", narrow),
                   "folder: bf16 arithmetic: expected a processor with AVX512_BF16");
    return;
  }
  ragged_batch batch;
  batch.add(std::vector<std::int32_t>{1, 5, 9, 2, 7, 3, 3, 8, 0, 4, 6});
  score_workspace<cpu_executor, float> work;
  const auto rounded = token_log_probabilities(
      cpu_executor{2}, load_decoder<float>(cpu_executor{2}, plan, weights, "folder", narrow), batch, work);
  const auto exact = token_log_probabilities(
      cpu_executor{2}, load_decoder<float>(cpu_executor{2}, plan, weights, "folder"), batch, work);
  double most = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) most = std::max(most, std::abs(rounded[i] - exact[i]));
  EXPECT_GT(most, 0); // it is another arithmetic
  EXPECT_LE(most, 0.1);
}
TEST(weight_bytes, is_what_the_decoder_holds) {
  for (const std::string name :
       {"gpt2_bare", "llama_dynamic", "qwen2_tied", "gemma2_softcaps", "opt_postnorm_proj", "bloom_bare_odd_heads",
        "mixtral_top2", "deepseek_v2_groups", "mamba2_groups", "rwkv_plain", "recurrent_gemma_variant"}) {
    auto model = load<float>(name);
    const auto folder = golden::folder("models") / name;
    std::size_t held = 0;
    struct adder {
      std::size_t& held;
      void operator()(const linear_plan&, tensor_use, const packed_matrix<float>& w) const { held += w.size_bytes(); }
      void operator()(const vector_plan&, tensor_use, const aligned_buffer<float>& v) const {
        held += v.size() * sizeof(float);
      }
      void operator()(const norm_plan&, tensor_use, const norm_weights<cpu_executor, float>& n) const {
        held += (n.weight.size() + n.bias.size()) * sizeof(float);
      }
    };
    visit_tensors(model.plan, adder{held}, model);
    EXPECT_EQ(weight_bytes<float>(cpu_executor{}, model.plan, checkpoint(folder)), held) << name;
  }
}
TEST(load_decoder, lists_what_is_missing) {
  const auto folder = golden::folder("models") / "llama_mha";
  nlohmann::json json = golden::read(folder / "config.json");
  json["num_hidden_layers"] = 40;
  const decoder_plan plan = plan_of(config(golden::own(json), "config.json"));
  EXPECT_MESSAGE(load_decoder<float>(cpu_executor{1}, plan, checkpoint(folder), "folder"), "folder: ");
  EXPECT_MESSAGE(load_decoder<float>(cpu_executor{1}, plan, checkpoint(folder), "folder"), "missing, expected [");
}
