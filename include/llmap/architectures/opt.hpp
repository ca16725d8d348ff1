// opt (OPT, Galactica, ...): learned positions that start at row 2, layer norms before or after each branch, an
// embedding that may be narrower than the model. Source: transformers 4.57 modeling_opt.py.
#pragma once
#include "llmap/architectures/fields.hpp"

namespace llmap {

inline decoder_plan opt_plan(const config& c) {
  decoder_plan plan;
  plan.model_type = "opt";
  plan.prefix = "model.";
  plan.vocab = c.integer("vocab_size", 50272);
  plan.width = c.integer("hidden_size", 768);
  plan.max_tokens = plan.trained_tokens = c.integer("max_position_embeddings", 2048);
  const std::int64_t C = plan.width, heads = c.integer("num_attention_heads", 12, 1, 1 << 16);
  const std::int64_t layers = c.integer("num_hidden_layers", 12, 0, 4096), inner = c.integer("ffn_dim", 3072);
  const std::int64_t E = c.absent("word_embed_proj_dim") ? C : c.integer("word_embed_proj_dim", C);
  const bool before = c.boolean("do_layer_norm_before", true), bias = c.boolean("enable_bias", true);
  const bool affine = c.boolean("layer_norm_elementwise_affine", true);
  const activation act = fields::activation_of(c, "activation_function", "relu");
  if (C % heads != 0) fail(c.where(), ": hidden_size ", C, " is not a multiple of num_attention_heads ", heads);
  const auto norm = [&](const std::string& name) {
    return affine ? fields::layer_norm(name, 1e-5) : norm_plan{norm_kind::layer, 1e-5, 0, "", ""};
  };

  plan.embedding.weight = "model.decoder.embed_tokens.weight";
  plan.embedding.width = E;
  plan.embedding.positions = "model.decoder.embed_positions.weight";
  plan.embedding.position_offset = 2;
  plan.embedding.position_rows = plan.max_tokens + 2;
  if (E != C) plan.embedding.projection = fields::linear("model.decoder.project_in", C, E, false);
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string name = "model.decoder.layers." + std::to_string(i) + ".";
    layer_plan layer;
    layer.topology = before ? residual::pre_norm : residual::post_norm;
    layer.attention_norm = norm(name + "self_attn_layer_norm");
    layer.mlp_norm = norm(name + "final_layer_norm");
    attention_plan& a = layer.attention;
    a.heads = a.kv_heads = heads;
    a.head_dim = C / heads;
    a.scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
    a.qkv = {C, {fields::whole(name + "self_attn.q_proj", C, bias), fields::whole(name + "self_attn.k_proj", C, bias),
                 fields::whole(name + "self_attn.v_proj", C, bias)}};
    a.out = fields::linear(name + "self_attn.out_proj", C, C, bias);
    layer.mlp = {act, false, inner, fields::linear(name + "fc1", inner, C, bias), fields::linear(name + "fc2", C, inner, bias)};
    plan.layers.push_back(std::move(layer));
  }
  if (before && !c.boolean("_remove_final_layer_norm", false)) plan.head.norm = norm("model.decoder.final_layer_norm");
  if (E != C) plan.head.projection = fields::linear("model.decoder.project_out", E, C, false);
  plan.head.tied = c.boolean("tie_word_embeddings", true);
  plan.head.weight = plan.head.tied ? plan.embedding.weight : "lm_head.weight";
  return plan;
}

} // namespace llmap
