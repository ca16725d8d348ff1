// bloom (BLOOM, BLOOMZ): ALiBi instead of positions, a norm after the embedding, fused q/k/v by head, tanh-gelu.
// Source: transformers 4.57 modeling_bloom.py.
#pragma once
#include "llmap/architectures/alibi.hpp"
#include "llmap/architectures/fields.hpp"

namespace llmap {

inline decoder_plan bloom_plan(const config& c) {
  const std::int64_t C = c.integer("n_embd|hidden_size", 64), inner = 4 * C,
                     heads = c.integer("n_head|num_attention_heads", 8, 1, 1 << 16);
  const double epsilon = c.positive("layer_norm_epsilon", 1e-5);
  const bool norm_residual = c.boolean("apply_residual_connection_post_layernorm", false);
  decoder_plan plan =
      fields::skeleton("bloom", "transformer.", c.integer("vocab_size", 250880), C,
                       "transformer.word_embeddings.weight", "lm_head.weight", c.boolean("tie_word_embeddings", true));
  plan.embedding.norm = fields::layer_norm("transformer.word_embeddings_layernorm", C, epsilon);
  for (std::int64_t i = 0, n = fields::layers_of(c, "n_layer|num_hidden_layers", 2); i < n; ++i) {
    const std::string name = "transformer.h." + std::to_string(i) + ".";
    attention_plan a;
    a.heads = a.kv_heads = heads;
    a.head_dim = fields::width_of_head(c, C, heads);
    a.scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
    a.alibi = alibi_slopes(heads);
    a.qkv = fields::qkv_by_head(name + "self_attention.query_key_value", a, C, true);
    a.out = fields::linear(name + "self_attention.dense", C, C, true);
    const mlp_plan mlp{activation::gelu_bloom, false, fields::linear(name + "mlp.dense_h_to_4h", inner, C, true),
                       fields::linear(name + "mlp.dense_4h_to_h", C, inner, true)};
    plan.layers.push_back(fields::pre_norm_layer(fields::layer_norm(name + "input_layernorm", C, epsilon), std::move(a),
                                                 fields::layer_norm(name + "post_attention_layernorm", C, epsilon),
                                                 mlp));
    if (norm_residual) plan.layers.back().joined = join::norm_is_residual;
  }
  plan.head.norm = fields::layer_norm("transformer.ln_f", C, epsilon);
  return plan;
}

} // namespace llmap
