// gpt2: learned positions, layer norms, plain MLP, matrices stored [in, out] (Conv1D). The score flags
// scale_attn_weights and scale_attn_by_inverse_layer_idx are honoured as the eager path of transformers does;
// reorder_and_upcast_attn changes rounding only. Source: transformers 4.57 modeling_gpt2.py.
#pragma once
#include "llmap/architectures/fields.hpp"

namespace llmap {

inline decoder_plan gpt2_plan(const config& c) {
  decoder_plan plan;
  plan.model_type = "gpt2";
  plan.prefix = "transformer.";
  plan.vocab = c.integer("vocab_size", 50257);
  plan.width = c.integer("n_embd|hidden_size", 768);
  plan.max_tokens = plan.trained_tokens = c.integer("n_positions|max_position_embeddings", 1024);
  const std::int64_t C = plan.width, heads = c.integer("n_head|num_attention_heads", 12, 1, 1 << 16);
  const std::int64_t layers = c.integer("n_layer|num_hidden_layers", 12, 0, 4096);
  const std::int64_t inner = c.absent("n_inner") ? 4 * C : c.integer("n_inner", 4 * C);
  const double epsilon = c.positive("layer_norm_epsilon", 1e-5);
  const activation act = fields::activation_of(c, "activation_function", "gelu_new");
  const bool scaled = c.boolean("scale_attn_weights", true), by_layer = c.boolean("scale_attn_by_inverse_layer_idx", false);
  if (C % heads != 0) fail(c.where(), ": n_embd ", C, " is not a multiple of n_head ", heads);
  if (c.boolean("add_cross_attention", false)) fail(c.where(), ": add_cross_attention: expected false, got true");

  plan.embedding.weight = "transformer.wte.weight";
  plan.embedding.width = C;
  plan.embedding.positions = "transformer.wpe.weight";
  plan.embedding.position_rows = plan.max_tokens;
  // Stored [in, out]: output row r is stored column first + r.
  const auto columns = [](const std::string& name, std::int64_t rows, std::int64_t stored, std::int64_t first) {
    return matrix_part{name + ".weight", name + ".bias", rows, stored, first, rows, rows, true};
  };
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string name = "transformer.h." + std::to_string(i) + ".";
    layer_plan layer;
    layer.attention_norm = fields::layer_norm(name + "ln_1", epsilon);
    layer.mlp_norm = fields::layer_norm(name + "ln_2", epsilon);
    attention_plan& a = layer.attention;
    a.heads = a.kv_heads = heads;
    a.head_dim = C / heads;
    a.scale = (scaled ? 1 / std::sqrt(static_cast<double>(a.head_dim)) : 1.0) / (by_layer ? static_cast<double>(i + 1) : 1.0);
    a.qkv = {C, {columns(name + "attn.c_attn", C, 3 * C, 0), columns(name + "attn.c_attn", C, 3 * C, C),
                 columns(name + "attn.c_attn", C, 3 * C, 2 * C)}};
    a.out = {C, {columns(name + "attn.c_proj", C, C, 0)}};
    layer.mlp = {act, false, inner, {C, {columns(name + "mlp.c_fc", inner, inner, 0)}}, {inner, {columns(name + "mlp.c_proj", C, C, 0)}}};
    plan.layers.push_back(std::move(layer));
  }
  plan.head.norm = fields::layer_norm("transformer.ln_f", epsilon);
  plan.head.tied = c.boolean("tie_word_embeddings", true);
  plan.head.weight = plan.head.tied ? plan.embedding.weight : "lm_head.weight";
  return plan;
}

} // namespace llmap
