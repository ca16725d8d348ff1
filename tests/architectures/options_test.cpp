// Options of families that no golden case can show: what is refused, and with what message; spellings of published
// files.
#include "llmap/architectures/all.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {
/// The plan of a small config with these further fields.
decoder_plan plan(const std::string& type, const std::string& fields) {
  const std::string text = "{\"model_type\": \"" + type + "\", \"num_hidden_layers\": 4, \"num_attention_heads\": 4, " +
                           "\"hidden_size\": 32, \"num_key_value_heads\": 4" + (fields.empty() ? "" : ", ") + fields +
                           "}";
  return plan_of(config(parse_json(text, "config.json"), "config.json"));
}
const attention_plan& attention(const decoder_plan& p, std::size_t layer) {
  return std::get<attention_plan>(p.layers[layer].branches[0].mixer);
}
} // namespace

TEST(options, that_a_family_lacks_are_refused_by_name) {
  EXPECT_MESSAGE(plan("deepseek_v3", R"("topk_method": "greedy")"), "config.json: topk_method: expected noaux_tc, got");
  EXPECT_MESSAGE(plan("deepseek_v3", R"("scoring_func": "softmax")"), "config.json: scoring_func: expected sigmoid");
  EXPECT_MESSAGE(plan("deepseek_v3", R"("moe_layer_freq": 2)"), "config.json: moe_layer_freq: expected 1, got 2");
  EXPECT_MESSAGE(plan("deepseek_v32", R"("q_lora_rank": null)"), "config.json: q_lora_rank: expected a number");
  EXPECT_MESSAGE(plan("nemotron", R"("rope_scaling": {"type": "linear", "factor": 2})"), "rope_scaling: expected null");
  EXPECT_MESSAGE(plan("gemma4_text", R"("use_bidirectional_attention": "all")"), "expected null or vision");
  EXPECT_MESSAGE(plan("gemma4_text", R"("vocab_size": 300000)"),
                 "vocab_size_per_layer_input: expected vocab_size 300000");
  EXPECT_MESSAGE(plan("apertus", R"("hidden_act": "silu")"), "hidden_act: expected xielu");
  EXPECT_MESSAGE(plan("falcon_h1", R"("mamba_d_ssm": 512)"), "config.json: rope_theta: missing");
  EXPECT_MESSAGE(plan("granitemoehybrid", R"("position_embedding_type": "alibi")"), "expected rope, nope or null");
  EXPECT_MESSAGE(plan("smollm3", R"("no_rope_layers": [1, 0])"), "no_rope_layers: expected 0 or 1 for every layer");
  EXPECT_MESSAGE(plan("nemotron_h", R"("hybrid_override_pattern": "MX")"), "expected letters M, *, - and E");
  EXPECT_MESSAGE(plan("lfm2_moe", ""), "config.json: layer_types: missing");
  EXPECT_MESSAGE(plan("mpt", R"("attn_config": {"qk_ln": true})"), "config.json: attn_config: qk_ln: expected false");
  EXPECT_MESSAGE(plan("mpt", R"("no_bias": false)"), "config.json: no_bias: expected true");
  EXPECT_MESSAGE(plan("gemma3n_text", R"("activation_sparsity_pattern": [0, 0, 0, 1])"), "shares from 0 to below 1");
  EXPECT_MESSAGE(plan("codegen", R"("n_head": 6, "n_embd": 48)"), "n_head: expected a multiple of 4, got 6");
  EXPECT_MESSAGE(plan("gpt_neo", R"("attention_types": [[["global", "near"], 2]])"), "attention_types: expected [[[");
  EXPECT_MESSAGE(plan("olmo_hybrid", R"("layer_types": ["conv", "conv", "conv", "conv"])"), "layer_types: expected ");
}
TEST(options, of_published_files) {
  const decoder_plan exaone = plan("exaone4", R"("sliding_window": 8, "sliding_window_pattern": "LLLG", "layer_types":
      ["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"])");
  EXPECT_EQ(attention(exaone, 0).window, 8);
  EXPECT_FALSE(attention(exaone, 3).rope);
  EXPECT_TRUE(attention(plan("llama4_text", R"("attn_temperature_tuning": 4)"), 3).growth);
  EXPECT_FALSE(attention(plan("llama4_text", R"("attn_temperature_tuning": 0)"), 3).growth);
  EXPECT_EQ(plan("glm_moe_dsa", R"("index_topk": 77)").position_limit, 77);
  EXPECT_EQ(plan("deepseek_v32", "").position_limit, 2048);
}
TEST(options, longrope_with_its_original_length_inside) {
  const char* const factors = R"("short_factor": [1, 1, 1, 2], "long_factor": [2, 3, 4, 5])";
  const auto rope = [&](const std::string& more) {
    return *attention(
                plan("llama", "\"max_position_embeddings\": 64, \"rope_parameters\": {\"rope_type\": \"longrope\", " +
                                  more + factors + "}"),
                0)
                .rope;
  };
  const double from_ratio = std::sqrt(1 + std::log(4.0) / std::log(16.0));
  EXPECT_EQ(rope(R"("original_max_position_embeddings": 16, )").original_positions, 16);
  EXPECT_EQ(rope(R"("original_max_position_embeddings": 16, )").factor, 4);
  EXPECT_EQ(rope(R"("original_max_position_embeddings": 16, )").attention_factor, from_ratio);
  EXPECT_EQ(rope(R"("original_max_position_embeddings": 16, "factor": 2, )").factor, 2);
  EXPECT_EQ(rope(R"("factor": 2, )").original_positions, 64);
  EXPECT_MESSAGE(rope(""), "rope_parameters: factor: missing, rope type longrope needs it");
}
TEST(options, as_transformers_5_writes_them) {
  const decoder_plan olmo = plan("olmo3", R"("rope_parameters": {
      "full_attention": {"rope_type": "linear", "factor": 2, "rope_theta": 700},
      "sliding_attention": {"rope_type": "default", "rope_theta": 300}})");
  EXPECT_EQ(attention(olmo, 3).rope->theta, 700);
  EXPECT_EQ(attention(olmo, 3).rope->factor, 2);
  EXPECT_EQ(attention(olmo, 0).rope->theta, 300);
  EXPECT_EQ(attention(olmo, 0).rope->kind, rope_plan::scaling::none);
  for (const char* family : {"olmo3", "gemma3_text", "gemma3n_text"})
    EXPECT_MESSAGE(plan(family, R"("rope_parameters": {"rope_type": "default", "rope_theta": 700})"),
                   "rope_parameters: expected an object for each kind of layer, full_attention is missing");
  EXPECT_MESSAGE(plan("llama", R"("rope_parameters": {"full_attention": {"rope_type": "default"}})"),
                 "config.json: rope_parameters: expected one rotation for all layers, got one for each kind of layer");

  const decoder_plan granite = plan("granitemoehybrid", R"("mamba_n_heads": 8, "mamba_d_head": 8, "layer_types":
      ["linear_attention", "full_attention", "mamba", "attention"])");
  for (const std::size_t layer : {1u, 3u}) EXPECT_EQ(attention(granite, layer).heads, 4);
  for (const std::size_t layer : {0u, 2u})
    EXPECT_TRUE(std::holds_alternative<mamba2_plan>(granite.layers[layer].branches[0].mixer));

  const auto limits = [](const std::string& value) {
    const decoder_plan p = plan("mamba2", "\"num_heads\": 8, \"head_dim\": 8, \"time_step_limit\": " + value);
    return std::get<mamba2_plan>(p.layers[0].branches[0].mixer).most_step;
  };
  EXPECT_EQ(limits(R"([0, {"__float__": "Infinity"}])"), std::numeric_limits<double>::infinity());
  EXPECT_MESSAGE(limits(R"([0, {"__float__": "NaN"}])"), "time_step_limit: expected two numbers");

  const decoder_plan windows = plan("qwen2_moe", R"("use_sliding_window": true, "sliding_window": 5, "layer_types":
      ["full_attention", "sliding_attention", "full_attention", "full_attention"])");
  EXPECT_EQ(attention(windows, 0).window, 0);
  EXPECT_EQ(attention(windows, 1).window, 5);

  const decoder_plan qwen = plan("qwen3_moe", R"("num_local_experts": 5, "num_experts_per_tok": 2)");
  EXPECT_EQ(std::get<mixture_plan>(qwen.layers[0].branches[1].mixer).experts.size(), 5u);
}
