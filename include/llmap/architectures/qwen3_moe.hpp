// qwen3_moe (Qwen3-30B-A3B, 235B-A22B): a qwen3 with mixtures of experts. Where use_sliding_window is true, every layer
// has the window. Source: transformers 4.57 modeling_qwen3_moe.py.
#pragma once
#include "llmap/architectures/qwen2_moe.hpp"

namespace llmap {

inline decoder_plan qwen3_moe_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "qwen3_moe",
                                   .vocab = 151936,
                                   .width = 2048,
                                   .inner = 6144,
                                   .layers = 24,
                                   .kv_heads = 4,
                                   .positions = 32768});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  const qwen_experts experts(c, 128, 8, false, 768);
  const auto sparse = qwen_sparse_layers(c, o.layers, experts.count);
  const std::int64_t window = c.boolean("use_sliding_window", false) ? fields::window_of(c, 4096) : 0;
  return llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    a.window = window;
    a.q_norm = fields::rms_norm(name + "self_attn.q_norm", a.head_dim, o.epsilon);
    a.k_norm = fields::rms_norm(name + "self_attn.k_norm", a.head_dim, o.epsilon);
    if (sparse(i)) layer.branches[1].mixer = experts.layer(o, name);
  });
}

} // namespace llmap
