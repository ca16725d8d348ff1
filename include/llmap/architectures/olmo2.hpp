// olmo2: a llama with a norm after each branch instead of before, and q and k normed over all heads at once.
// Source: transformers 4.57 modeling_olmo2.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

/// An olmo2 whose options differ from these defaults where the config says so.
inline decoder_plan olmo2_like_plan(const config& c, llama_options defaults) {
  llama_options o = read_llama(c, std::move(defaults));
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  return llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    a.q_norm = fields::rms_norm(name + "self_attn.q_norm", a.heads * a.head_dim, o.epsilon);
    a.k_norm = fields::rms_norm(name + "self_attn.k_norm", a.kv_heads * a.head_dim, o.epsilon);
    for (branch_plan& b : layer.branches) b.before.reset();
    layer.branches[0].after = fields::rms_norm(name + "post_attention_layernorm", o.width, o.epsilon);
    layer.branches[1].after = fields::rms_norm(name + "post_feedforward_layernorm", o.width, o.epsilon);
  });
}

inline decoder_plan olmo2_plan(const config& c) {
  return olmo2_like_plan(c, {.model_type = "olmo2", .vocab = 50304, .epsilon = 1e-5});
}

} // namespace llmap
