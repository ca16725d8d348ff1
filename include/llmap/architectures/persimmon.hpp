// persimmon (Persimmon 8B, Fuyu's text model): layer norms, one fused qkv by head, q and k of each head normed, a
// rotation of half of it, a plain MLP. Source: transformers 4.57 modeling_persimmon.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan persimmon_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "persimmon",
                                   .vocab = 262144,
                                   .inner = 16384,
                                   .layers = 36,
                                   .heads = 64,
                                   .positions = 16384,
                                   .rope = rope_plan{}});
  const std::int64_t D = o.head_width();
  o.rope = fields::rope_of(c, fields::rotated_dims(c, D, 0.5), o.positions, "rope_theta", 25000);
  const activation act = fields::activation_of(c, "hidden_act", "relu2");
  const double epsilon = c.positive("layer_norm_eps", 1e-5);
  const bool normed = c.boolean("qk_layernorm", true);
  decoder_plan plan = llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    a.kv_heads = a.heads;
    a.qkv = fields::qkv_by_head(name + "self_attn.query_key_value", a, o.width, true);
    a.out = fields::linear(name + "self_attn.dense", o.width, a.heads * D, true);
    if (normed) {
      a.q_norm = fields::layer_norm(name + "self_attn.q_layernorm", D, epsilon);
      a.k_norm = fields::layer_norm(name + "self_attn.k_layernorm", D, epsilon);
    }
    layer.branches[0].before = fields::layer_norm(name + "input_layernorm", o.width, epsilon);
    layer.branches[1].before = fields::layer_norm(name + "post_attention_layernorm", o.width, epsilon);
    layer.branches[1].mixer = mlp_plan{act, false, fields::linear(name + "mlp.dense_h_to_4h", o.inner, o.width, true),
                                       fields::linear(name + "mlp.dense_4h_to_h", o.width, o.inner, true)};
  });
  plan.head.norm = fields::layer_norm("model.final_layernorm", o.width, epsilon);
  return plan;
}

} // namespace llmap
