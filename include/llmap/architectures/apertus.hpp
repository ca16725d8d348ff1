// apertus (Apertus 8B, 70B): a llama with q and k of each head normed, and an MLP without a gate whose activation,
// xIELU, has learned numbers. They are used as stored: transformers 4.57 rounds them to bf16 on the way.
// Source: transformers 4.57 modeling_apertus.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan apertus_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "apertus",
                                   .vocab = 131072,
                                   .inner = 14336,
                                   .positions = 65536,
                                   .epsilon = 1e-5,
                                   .gated = false,
                                   .rope = rope_plan{}});
  const rope_plan usual{.kind = rope_plan::scaling::llama3,
                        .dims = o.head_width(),
                        .theta = c.positive("rope_theta", 1.2e7),
                        .factor = 8,
                        .original_positions = 8192};
  o.rope = c.has("rope_scaling") || c.has("rope_parameters")
               ? fields::rope_of(c, o.head_width(), o.positions, "rope_theta", 1.2e7)
               : usual;
  if (const std::string act = c.text("hidden_act", "xielu"); act != "xielu") c.refuse("hidden_act", json(act), "xielu");
  o.act = activation::xielu;
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  return llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    a.q_norm = fields::rms_norm(name + "self_attn.q_norm", a.head_dim, o.epsilon);
    a.k_norm = fields::rms_norm(name + "self_attn.k_norm", a.head_dim, o.epsilon);
    layer.branches[0].before = fields::rms_norm(name + "attention_layernorm", o.width, o.epsilon);
    layer.branches[1].before = fields::rms_norm(name + "feedforward_layernorm", o.width, o.epsilon);
    vector_plan& numbers = std::get<mlp_plan>(layer.branches[1].mixer).parameters;
    for (const char* which : {"alpha_p", "alpha_n", "beta", "eps"})
      numbers.tensors.push_back({name + "mlp.act_fn." + which, {1}});
  });
}

} // namespace llmap
