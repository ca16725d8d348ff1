// gpt_neox (Pythia, GPT-NeoX-20B, Dolly, RedPajama-INCITE, ...): layer norms, partial rotary positions, fused q/k/v by
// head, attention and MLP side by side unless use_parallel_residual is false.
// Source: transformers 4.57 modeling_gpt_neox.py.
#pragma once
#include "llmap/architectures/fields.hpp"

namespace llmap {

inline decoder_plan gpt_neox_plan(const config& c) {
  const std::int64_t C = c.integer("hidden_size", 6144), heads = c.integer("num_attention_heads", 64, 1, 1 << 16);
  const std::int64_t inner = c.integer("intermediate_size", 24576);
  const double epsilon = c.positive("layer_norm_eps", 1e-5);
  const activation act = fields::activation_of(c, "hidden_act", "gelu");
  const bool bias = c.boolean("attention_bias", true), parallel = c.boolean("use_parallel_residual", true);
  decoder_plan plan =
      fields::skeleton("gpt_neox", "gpt_neox.", c.integer("vocab_size", 50432), C, "gpt_neox.embed_in.weight",
                       "embed_out.weight", c.boolean("tie_word_embeddings", false));
  plan.context_length = c.integer("max_position_embeddings", 2048, 1, std::int64_t{1} << 32);
  for (std::int64_t i = 0, n = fields::layers_of(c, "num_hidden_layers", 44); i < n; ++i) {
    const std::string name = "gpt_neox.layers." + std::to_string(i) + ".";
    attention_plan a;
    a.heads = a.kv_heads = heads;
    a.head_dim = fields::width_of_head(c, C, heads);
    a.scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
    a.rope = fields::rope_of(c, fields::rotated_dims(c, a.head_dim, 0.25, "rotary_pct|partial_rotary_factor"),
                             plan.context_length, "rotary_emb_base|rope_theta");
    a.qkv = fields::qkv_by_head(name + "attention.query_key_value", a, C, bias);
    a.out = fields::linear(name + "attention.dense", C, C, bias);
    const mlp_plan mlp{act, false, fields::linear(name + "mlp.dense_h_to_4h", inner, C, true),
                       fields::linear(name + "mlp.dense_4h_to_h", C, inner, true)};
    plan.layers.push_back(fields::pre_norm_layer(fields::layer_norm(name + "input_layernorm", C, epsilon), std::move(a),
                                                 fields::layer_norm(name + "post_attention_layernorm", C, epsilon),
                                                 mlp));
    if (parallel) plan.layers.back().joined = join::side_by_side;
  }
  plan.head.norm = fields::layer_norm("gpt_neox.final_layer_norm", C, epsilon);
  return plan;
}

} // namespace llmap
