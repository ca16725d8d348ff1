// olmoe (OLMoE 1B-7B): a llama with q and k normed over all heads at once, then clamped, and a mixture of experts in
// every layer. Source: transformers 4.57 modeling_olmoe.py.
#pragma once
#include "llmap/architectures/experts.hpp"

namespace llmap {

inline decoder_plan olmoe_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "olmoe",
                                   .vocab = 50304,
                                   .width = 2048,
                                   .inner = 2048,
                                   .layers = 16,
                                   .heads = 16,
                                   .positions = 4096,
                                   .epsilon = 1e-5});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  const double clip = c.absent("clip_qkv") ? 0 : c.positive("clip_qkv", 1);
  const std::int64_t experts = c.integer("num_experts", 64, 1, 1 << 12);
  const router_plan router{.chosen = c.integer("num_experts_per_tok", 8, 1, experts),
                           .normalized = c.boolean("norm_topk_prob", false)};
  return llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    a.clip = clip;
    a.q_norm = fields::rms_norm(name + "self_attn.q_norm", a.heads * a.head_dim, o.epsilon);
    a.k_norm = fields::rms_norm(name + "self_attn.k_norm", a.kv_heads * a.head_dim, o.epsilon);
    layer.branches[1].mixer = experts_apart(o, name + "mlp.", router, experts, o.inner);
  });
}

} // namespace llmap
