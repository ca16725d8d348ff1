// gpt_neox (Pythia, GPT-NeoX-20B, Dolly, RedPajama-INCITE, ...): layer norms, partial rotary positions, fused q/k/v by
// head, attention and MLP side by side unless use_parallel_residual is false.
// Source: transformers 4.57 modeling_gpt_neox.py.
#pragma once
#include "llmap/architectures/fields.hpp"

namespace llmap {

inline decoder_plan gpt_neox_plan(const config& c) {
  decoder_plan plan;
  plan.model_type = "gpt_neox";
  plan.prefix = "gpt_neox.";
  plan.vocab = c.integer("vocab_size", 50432);
  plan.width = c.integer("hidden_size", 6144);
  plan.trained_tokens = c.integer("max_position_embeddings", 2048, 1, std::int64_t{1} << 32);
  const std::int64_t C = plan.width, heads = c.integer("num_attention_heads", 64, 1, 1 << 16);
  const std::int64_t layers = c.integer("num_hidden_layers", 44, 0, 4096), inner = c.integer("intermediate_size", 24576);
  const double epsilon = c.positive("layer_norm_eps", 1e-5);
  const activation act = fields::activation_of(c, "hidden_act", "gelu");
  const bool bias = c.boolean("attention_bias", true), parallel = c.boolean("use_parallel_residual", true);
  if (C % heads != 0) fail(c.where(), ": hidden_size ", C, " is not a multiple of num_attention_heads ", heads);
  const auto parameters = c.object("rope_parameters");
  const double share = parameters && parameters->has("partial_rotary_factor") ? parameters->positive("partial_rotary_factor", 0.25)
                                                                              : c.positive("rotary_pct|partial_rotary_factor", 0.25);

  plan.embedding.weight = "gpt_neox.embed_in.weight";
  plan.embedding.width = C;
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string name = "gpt_neox.layers." + std::to_string(i) + ".";
    layer_plan layer;
    layer.topology = parallel ? residual::parallel : residual::pre_norm;
    layer.attention_norm = fields::layer_norm(name + "input_layernorm", epsilon);
    layer.mlp_norm = fields::layer_norm(name + "post_attention_layernorm", epsilon);
    attention_plan& a = layer.attention;
    a.heads = a.kv_heads = heads;
    a.head_dim = C / heads;
    a.scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
    a.rope = fields::rope_of(c, static_cast<std::int64_t>(static_cast<double>(a.head_dim) * share), plan.trained_tokens,
                             "rotary_emb_base|rope_theta");
    if (a.rope->dims > a.head_dim) fail(c.where(), ": rotary_pct: expected at most 1, got ", share);
    a.qkv = fields::qkv_by_head(name + "attention.query_key_value", a, C, bias);
    a.out = fields::linear(name + "attention.dense", C, C, bias);
    layer.mlp = {act, false, inner, fields::linear(name + "mlp.dense_h_to_4h", inner, C, true),
                 fields::linear(name + "mlp.dense_4h_to_h", C, inner, true)};
    plan.layers.push_back(std::move(layer));
  }
  plan.head.norm = fields::layer_norm("gpt_neox.final_layer_norm", epsilon);
  plan.head.tied = c.boolean("tie_word_embeddings", false);
  plan.head.weight = plan.head.tied ? plan.embedding.weight : "embed_out.weight";
  return plan;
}

} // namespace llmap
