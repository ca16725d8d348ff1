// bloom (BLOOM, BLOOMZ): ALiBi instead of positions, a norm after the embedding, fused q/k/v by head, tanh-gelu.
// Source: transformers 4.57 modeling_bloom.py.
#pragma once
#include "llmap/architectures/fields.hpp"

namespace llmap {

inline decoder_plan bloom_plan(const config& c) {
  decoder_plan plan;
  plan.model_type = "bloom";
  plan.prefix = "transformer.";
  plan.vocab = c.integer("vocab_size", 250880);
  plan.width = c.integer("n_embed|hidden_size", 64);
  const std::int64_t C = plan.width, inner = 4 * C, heads = c.integer("n_head|num_attention_heads", 8, 1, 1 << 16);
  const std::int64_t layers = c.integer("n_layer|num_hidden_layers", 2, 0, 4096);
  const double epsilon = c.positive("layer_norm_epsilon", 1e-5);
  const bool norm_residual = c.boolean("apply_residual_connection_post_layernorm", false);
  if (C % heads != 0) fail(c.where(), ": hidden_size ", C, " is not a multiple of n_head ", heads);

  plan.embedding.weight = "transformer.word_embeddings.weight";
  plan.embedding.width = C;
  plan.embedding.norm = fields::layer_norm("transformer.word_embeddings_layernorm", epsilon);
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string name = "transformer.h." + std::to_string(i) + ".";
    layer_plan layer;
    layer.topology = norm_residual ? residual::norm_residual : residual::pre_norm;
    layer.attention_norm = fields::layer_norm(name + "input_layernorm", epsilon);
    layer.mlp_norm = fields::layer_norm(name + "post_attention_layernorm", epsilon);
    attention_plan& a = layer.attention;
    a.heads = a.kv_heads = heads;
    a.head_dim = C / heads;
    a.scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
    a.alibi = true;
    a.qkv = fields::qkv_by_head(name + "self_attention.query_key_value", a, C, true);
    a.out = fields::linear(name + "self_attention.dense", C, C, true);
    layer.mlp = {activation::gelu_bloom, false, inner, fields::linear(name + "mlp.dense_h_to_4h", inner, C, true),
                 fields::linear(name + "mlp.dense_4h_to_h", C, inner, true)};
    plan.layers.push_back(std::move(layer));
  }
  plan.head.norm = fields::layer_norm("transformer.ln_f", epsilon);
  plan.head.tied = c.boolean("tie_word_embeddings", true);
  plan.head.weight = plan.head.tied ? plan.embedding.weight : "lm_head.weight";
  return plan;
}

} // namespace llmap
