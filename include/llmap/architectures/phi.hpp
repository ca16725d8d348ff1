// phi (Phi-1, 1.5, 2): attention and a plain MLP side by side after one layer norm, biases everywhere, also on the
// head, a rotation of part of each head. Source: transformers 4.57 modeling_phi.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan phi_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "phi",
                                   .vocab = 51200,
                                   .width = 2048,
                                   .inner = 8192,
                                   .layers = 24,
                                   .qkv_bias = true,
                                   .rope = rope_plan{}});
  o.rope = fields::rope_of(c, fields::rotated_dims(c, o.head_width(), 0.5), o.positions);
  const activation act = fields::activation_of(c, "hidden_act", "gelu_new");
  const double epsilon = c.positive("layer_norm_eps", 1e-5);
  const bool normed = c.boolean("qk_layernorm", false);
  decoder_plan plan = llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    a.out = fields::linear(name + "self_attn.dense", o.width, a.heads * a.head_dim, true);
    if (normed) {
      a.q_norm = fields::layer_norm(name + "self_attn.q_layernorm", a.head_dim, epsilon);
      a.k_norm = fields::layer_norm(name + "self_attn.k_layernorm", a.head_dim, epsilon);
    }
    layer.joined = join::side_by_side;
    for (branch_plan& b : layer.branches) b.before = fields::layer_norm(name + "input_layernorm", o.width, epsilon);
    layer.branches[1].mixer = mlp_plan{act, false, fields::linear(name + "mlp.fc1", o.inner, o.width, true),
                                       fields::linear(name + "mlp.fc2", o.width, o.inner, true)};
  });
  plan.head.norm = fields::layer_norm("model.final_layernorm", o.width, epsilon);
  fields::head_bias(plan, "lm_head.bias");
  return plan;
}

} // namespace llmap
