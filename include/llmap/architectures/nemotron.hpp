// nemotron (Nemotron-4, Minitron): a llama with layer norms whose weights are 1 + w, a rotation of half of each head,
// and an MLP without a gate. Source: transformers 4.57 modeling_nemotron.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan nemotron_plan(const config& c) {
  if (c.absent("num_key_value_heads")) fail(c.where(), ": num_key_value_heads: missing");
  llama_options o = read_llama(c, {.model_type = "nemotron",
                                   .vocab = 256000,
                                   .width = 6144,
                                   .inner = 24576,
                                   .heads = 48,
                                   .positions = 4096,
                                   .gated = false,
                                   .rope = rope_plan{}});
  if (!c.absent("rope_scaling")) c.refuse("rope_scaling", *c.find("rope_scaling"), "null");
  o.rope = fields::rope_of(c, fields::rotated_dims(c, o.head_width(), 0.5), o.positions);
  o.act = fields::activation_of(c, "hidden_act", "relu2");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  o.mlp_bias = c.boolean("mlp_bias", false);
  const double epsilon = c.positive("norm_eps", 1e-5);
  const auto norm = [&](const std::string& name) {
    norm_plan n = fields::layer_norm(name, o.width, epsilon);
    n.weight_offset = 1;
    return n;
  };
  decoder_plan plan = llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    layer.branches[0].before = norm(name + "input_layernorm");
    layer.branches[1].before = norm(name + "post_attention_layernorm");
  });
  plan.head.norm = norm("model.norm");
  return plan;
}

} // namespace llmap
