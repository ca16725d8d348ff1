// glm4_moe (GLM-4.5, 4.6, 4.7): a llama with the experts of deepseek_v3, a rotation of half of each head, biases on q,
// k and v, and q and k of each head normed where the config says so. Source: transformers 5.24 modeling_glm4_moe.py.
#pragma once
#include "llmap/architectures/deepseek_v3.hpp"

namespace llmap {

inline decoder_plan glm4_moe_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "glm4_moe",
                                   .vocab = 151552,
                                   .inner = 10944,
                                   .layers = 46,
                                   .heads = 96,
                                   .kv_heads = 8,
                                   .positions = 131072,
                                   .epsilon = 1e-5,
                                   .rope = rope_plan{}});
  o.rope = fields::rope_of(c, fields::rotated_dims(c, o.head_width(), 0.5), o.positions);
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = c.boolean("attention_bias", false);
  deepseek_experts experts{128, 8, 1, 1, 1408, 1, 1};
  const router_plan router = read_deepseek_router(c, experts);
  const std::int64_t dense = c.integer("first_k_dense_replace", 1, 0, 4096);
  const bool normed = c.boolean("use_qk_norm", false);
  return llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    if (normed) {
      a.q_norm = fields::rms_norm(name + "self_attn.q_norm", a.head_dim, o.epsilon);
      a.k_norm = fields::rms_norm(name + "self_attn.k_norm", a.head_dim, o.epsilon);
    }
    if (i >= dense) layer.branches[1].mixer = deepseek_mixture(o, name, router, experts);
  });
}

} // namespace llmap
