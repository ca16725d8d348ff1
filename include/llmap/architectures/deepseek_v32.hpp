// deepseek_v32, glm_moe_dsa and glm4_moe_lite (DeepSeek-V3.2, GLM-5, GLM-4.7-Flash): a deepseek_v3 with other sizes. In
// the first two an indexer chooses the index_topk keys that a query sees; texts of at most so many tokens see all keys
// and need no indexer, longer ones are refused. Source: transformers 5.24 modeling_deepseek_v32.py,
// modeling_glm_moe_dsa.py and modeling_glm4_moe_lite.py.
#pragma once
#include "llmap/architectures/deepseek_v3.hpp"

namespace llmap {

/// Whether a layer has experts: mlp_layer_types, else all but the first `dense`.
inline auto sparse_layers(const config& c, std::int64_t dense) {
  return [&c, dense](std::int64_t i, std::int64_t layers) {
    return fields::layer_is(
        c, layers, i, "sparse", "dense", [&](std::int64_t j) { return j >= dense; }, "mlp_layer_types");
  };
}

/// What deepseek_v32 and glm_moe_dsa share.
inline decoder_plan indexed_plan(const config& c, llama_options o, const latent_sizes& sizes,
                                 const deepseek_experts& experts) {
  if (c.is_null("q_lora_rank")) c.refuse("q_lora_rank", *c.find("q_lora_rank"), "a number");
  decoder_plan plan = deepseek_like_plan(c, std::move(o), sizes, experts, true,
                                         sparse_layers(c, c.integer("first_k_dense_replace", 3, 0, 4096)));
  plan.position_limit = c.integer("index_topk", 2048);
  return plan;
}

inline decoder_plan deepseek_v32_plan(const config& c) {
  return indexed_plan(c,
                      {.model_type = "deepseek_v32",
                       .vocab = 129280,
                       .width = 7168,
                       .inner = 18432,
                       .layers = 61,
                       .heads = 128,
                       .positions = 163840},
                      {}, {});
}

inline decoder_plan glm_moe_dsa_plan(const config& c) {
  return indexed_plan(c,
                      {.model_type = "glm_moe_dsa",
                       .vocab = 154880,
                       .width = 6144,
                       .inner = 12288,
                       .layers = 78,
                       .heads = 64,
                       .positions = 202752,
                       .epsilon = 1e-5},
                      {2048, 512, 192, 256}, {256, 8, 1, 1, 2048, 1, 2.5});
}

inline decoder_plan glm4_moe_lite_plan(const config& c) {
  if (fields::rotated_dims(c, 64, 1) != 64) fail(c.where(), ": partial_rotary_factor: expected 1");
  return deepseek_like_plan(c,
                            {.model_type = "glm4_moe_lite",
                             .vocab = 154880,
                             .width = 2048,
                             .inner = 10240,
                             .layers = 47,
                             .heads = 20,
                             .positions = 202752,
                             .epsilon = 1e-5},
                            {768, 512, 192, 256}, {64, 4, 1, 1, 1536, 1, 1.8}, c.boolean("rope_interleave", true),
                            sparse_layers(c, 1)); // it does not read first_k_dense_replace
}

} // namespace llmap
