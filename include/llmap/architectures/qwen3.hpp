// qwen3: a qwen2 without biases by default, with q and k of each head normed before the rotation.
// Source: transformers 4.57 modeling_qwen3.py.
#pragma once
#include "llmap/architectures/qwen2.hpp"

namespace llmap {

inline decoder_plan qwen3_plan(const config& c) {
  llama_options o = read_llama(
      c, {.model_type = "qwen3", .vocab = 151936, .inner = 22016, .kv_heads = 32, .head_dim = 128, .positions = 32768});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  const auto window = qwen_windows(c, o.layers);
  return llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    a.window = window(i);
    a.q_norm = fields::rms_norm(name + "self_attn.q_norm", a.head_dim, o.epsilon);
    a.k_norm = fields::rms_norm(name + "self_attn.k_norm", a.head_dim, o.epsilon);
  });
}

} // namespace llmap
